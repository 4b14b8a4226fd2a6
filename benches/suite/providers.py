"""Servers on loopback that answer as ECR and as Beta9's gateway do, over TLS and without, on threads of this process.

They are as quick as can be, and say how much of the time was theirs: the processor time of the thread that served a
connection, all of which the client waits for.
"""

import base64
import json
import socket
import ssl
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

ACCOUNT = "123456789012"
ECR_API = "api.ecr.us-east-1.amazonaws.com"
WORKSPACE = "11111111-1111-4111-8111-111111111111"
JSON = "application/x-amz-json-1.1"
TOKEN_LENGTH = 2600  # of a real ECR token's password


class Server:
    """One port. As a tunnel it is a proxy and what is behind it, whatever that is called."""

    def __init__(
        self, answer: Callable[[str, bytes], Tuple[int, bytes]], tls: Optional[ssl.SSLContext], tunnel: bool = False
    ) -> None:
        self.answer, self.tls, self.tunnel = answer, tls, tunnel
        self.busy: List[float] = []
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def took(self) -> float:
        """The median seconds of a connection that were the server's own since this was asked last."""
        busy, self.busy = self.busy, []
        return statistics.median(busy) if busy else 0.0

    def _accept(self) -> None:
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        began = time.thread_time()
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tunnel:
                self._read(stream)
                stream.sendall(b"HTTP/1.1 200 X\r\n\r\n")
            if self.tls:
                stream = self.tls.wrap_socket(stream, server_side=True)
            while request := self._read(stream):
                path, body = request
                self.requests += 1
                status, answer = self.answer(path, body)
                head = f"HTTP/1.1 {status} X\r\ncontent-type: {JSON}\r\ncontent-length: {len(answer)}\r\n\r\n"
                stream.sendall(head.encode() + answer)
        except OSError:
            pass  # the client has what it wants, and goes without a farewell
        finally:
            stream.close()
            self.busy.append(time.thread_time() - began)

    @staticmethod
    def _read(stream: socket.socket) -> Optional[Tuple[str, bytes]]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = stream.recv(16384)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            body += stream.recv(16384)
        return head.split(b" ", 2)[1].decode(), body


def ecr(_path: str, _body: bytes) -> Tuple[int, bytes]:
    """GetAuthorizationToken."""
    token = base64.b64encode(("AWS:" + "t" * TOKEN_LENGTH).encode()).decode()
    endpoint = f"https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
    data = {"authorizationToken": token, "expiresAt": time.time() + 12 * 3600, "proxyEndpoint": endpoint}
    return 200, json.dumps({"authorizationData": [data]}).encode()


def gateway(blob: str, name: str) -> Callable[[str, bytes], Tuple[int, bytes]]:
    """The workspace of the token, and one secret in it."""

    def answer(path: str, _body: bytes) -> Tuple[int, bytes]:
        if path.endswith("/workspace/current"):
            return 200, json.dumps({"external_id": WORKSPACE, "name": "bench"}).encode()
        if path.endswith(f"/secret/{WORKSPACE}/{name}"):
            return 200, json.dumps({"external_id": WORKSPACE, "name": name, "value": blob}).encode()
        return 404, b'{"error": "secret not found"}'

    return answer


class Authority:
    """A throw-away certificate authority and a server's certificate for loopback."""

    def __init__(self, into: Path) -> None:
        self.ca, self.cert, self.key = into / "ca.pem", into / "server.pem", into / "server.key"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        (into / "extensions").write_text(f"basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:localhost,DNS:{ECR_API}\n")
        request = [
            "req",
            "-new",
            "-subj",
            "/CN=localhost",
            "-keyout",
            str(self.key),
            "-out",
            str(into / "server.csr"),
            *key,
        ]
        sign = [
            "x509",
            "-req",
            "-days",
            "3",
            "-in",
            str(into / "server.csr"),
            "-CA",
            str(self.ca),
            "-CAkey",
            str(into / "ca.key"),
        ]
        for arguments in (
            [
                "req",
                "-x509",
                "-days",
                "3",
                "-subj",
                "/CN=bench",
                "-keyout",
                str(into / "ca.key"),
                "-out",
                str(self.ca),
                *key,
            ],
            request,
            [*sign, "-CAcreateserial", "-extfile", str(into / "extensions"), "-out", str(self.cert)],
        ):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def amazon(self) -> Dict[str, str]:
        """The variables by which ECR's own name leads here, with no word of it in a configuration: a proxy."""
        proxy = Server(ecr, self.context(), tunnel=True)
        return {"HTTPS_PROXY": proxy.url.replace("https", "http"), "SSL_CERT_FILE": str(self.ca)}

    def context(self) -> ssl.SSLContext:
        """What a server is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def with_the_systems(self, into: Path) -> List[str]:
        """A command that starts another where the system trusts this authority too: the system's own files are read
        then, as they are found where nothing is configured. Only root can do that.
        """
        certs = into / "certs"
        subprocess.run(["cp", "-a", "/etc/ssl/certs", str(certs)], check=True)
        with open(certs / "ca-certificates.crt", "a", encoding="utf-8") as bundle:
            bundle.write(self.ca.read_text())
        hashed = subprocess.run(
            ["openssl", "x509", "-noout", "-hash", "-in", str(self.ca)], check=True, capture_output=True, text=True
        )
        (certs / f"{hashed.stdout.strip()}.0").write_text(self.ca.read_text())
        script = f'mount --bind "{certs}" /etc/ssl/certs && exec "$@"'
        return ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"]


def authorities() -> int:
    """How many the system's bundle holds."""
    return Path("/etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE")
