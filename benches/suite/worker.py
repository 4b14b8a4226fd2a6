"""Beta9's worker API, as far as one call goes: it vends one blob to whoever asks, over gRPC without TLS.

HTTP/2 as far as that call needs it (https://www.rfc-editor.org/rfc/rfc9113): what is asked is not looked at, and the headers of an
answer are literals, so that neither side's tables matter.
"""

import socket
import struct
import threading
from typing import List, Tuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY = 0, 1, 4, 6, 7
END_STREAM = ACK = 1
END_HEADERS = 4


class Worker:
    """One port, and how often it was asked."""

    def __init__(self, blob: str) -> None:
        self.calls = 0
        # GetCacheOriginCredentialsResponse: ok = 1, registry_credentials = 3.
        message = b"\x08\x01" + b"\x1a" + varint(len(blob)) + blob.encode()
        self.message = b"\x00" + struct.pack(">I", len(message)) + message
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            with stream, stream.makefile("rb") as reader:
                if reader.read(len(PREFACE)) != PREFACE:
                    return
                stream.sendall(frame(SETTINGS, 0, 0, b""))
                while len(head := reader.read(9)) == 9:
                    length, kind, flags, number = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
                    body = reader.read(length)
                    if kind == SETTINGS and not flags & ACK:
                        stream.sendall(frame(SETTINGS, ACK, 0, b""))
                    elif kind == PING and not flags & ACK:
                        stream.sendall(frame(PING, ACK, 0, body))
                    elif kind == GOAWAY:
                        return
                    elif kind == DATA and flags & END_STREAM:
                        self.calls += 1
                        stream.sendall(self._answer(number))
        except OSError:
            pass  # the client has what it wants, and goes without a farewell

    def _answer(self, number: int) -> bytes:
        head = headers([(":status", "200"), ("content-type", "application/grpc")])
        tail = headers([("grpc-status", "0")])
        return (
            frame(HEADERS, END_HEADERS, number, head)
            + frame(DATA, 0, number, self.message)
            + frame(HEADERS, END_HEADERS | END_STREAM, number, tail)
        )


def frame(kind: int, flags: int, number: int, body: bytes) -> bytes:
    """One frame."""
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + number.to_bytes(4, "big") + body


def headers(pairs: List[Tuple[str, str]]) -> bytes:
    """Literals without indexing (RFC 7541, 6.2.2); all are shorter than 127 bytes."""
    return b"".join(b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in pairs)


def varint(number: int) -> bytes:
    """As protocol buffers have it."""
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])
