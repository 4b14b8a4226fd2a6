"""Misbehaviour on command: one file for what any server on the internet can do wrong."""

import contextlib
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from .messages import Request, Response, as_text

TLS_MODES = ("wrong-name", "untrusted-ca", "expired-cert")
HUGE = 10 * 1024 * 1024


class Faults:
    """The faults a test ordered, oldest first. Each is for a host (or service, or `*`), perhaps only a few times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: List[Dict[str, Any]] = []

    def order(self, fault: Dict[str, Any]) -> None:
        """Keys: host, mode, times (absent: always), path (a prefix), and what the mode reads. See MODES."""
        mode = fault.get("mode", "")
        if mode not in MODES and mode not in TLS_MODES:
            raise ValueError(f"unknown mode {mode!r}; known: {', '.join([*MODES, *TLS_MODES])}")
        with self._lock:
            self._faults.append(dict(fault))

    def take(self, names: List[str], path: str) -> Optional[Dict[str, Any]]:
        """The first fault for one of these names, counted down."""
        return self._take(
            lambda fault: (
                fault["mode"] in MODES
                and fault.get("host", "*") in [*names, "*"]
                and path.startswith(fault.get("path", ""))
            )
        )

    def take_tls(self, name: str) -> str:
        """The certificate to show for this name; `""` is the right one."""
        fault = self._take(lambda fault: fault["mode"] in TLS_MODES and fault.get("host", "*") in (name, "*"))
        return fault["mode"] if fault else ""

    def _take(self, fits: Callable[[Dict[str, Any]], bool]) -> Optional[Dict[str, Any]]:
        with self._lock:
            for fault in self._faults:
                if fits(fault):
                    if fault.get("times") is not None:
                        fault["times"] -= 1
                        if fault["times"] <= 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._faults.clear()


class Exchange:
    """What a fault works on: the request, the connection, and how the true service would answer."""

    def __init__(
        self,
        request: Request,
        connection: socket.socket,
        honest: Callable[[], Response],
        refusal: Callable[[int], Response],
        serialise: Callable[[Response], bytes],
    ) -> None:
        self.request, self.connection = request, connection
        self.honest, self.refusal, self.serialise = honest, refusal, serialise

    def send(self, data: bytes) -> None:
        """Write, and do not mind a client that has left: that is often what the test wants to see."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data)


def _status(exchange: Exchange, fault: Dict[str, Any]) -> int:
    """`status` with the service's own error body, or `body`; `retry_after` and `headers` are added."""
    response = exchange.refusal(int(fault["status"]))
    if "body" in fault:
        response.body = fault["body"].encode()
    if "retry_after" in fault:
        response.headers["Retry-After"] = str(fault["retry_after"])
    response.headers.update(fault.get("headers", {}))
    exchange.send(exchange.serialise(response))
    return response.status


def _hang(exchange: Exchange, fault: Dict[str, Any]) -> int:
    """Say nothing until the client leaves, at most `seconds` (120)."""
    exchange.connection.settimeout(float(fault.get("seconds", 120)))
    with contextlib.suppress(OSError):
        exchange.connection.recv(1)
    return 0


def _slow(exchange: Exchange, _fault: Dict[str, Any]) -> int:
    """The true answer, a byte a second."""
    for byte in exchange.serialise(exchange.honest()):
        try:
            exchange.connection.sendall(bytes([byte]))
        except OSError:
            break
        time.sleep(1)
    return 0


def _truncate(exchange: Exchange, _fault: Dict[str, Any]) -> int:
    """All headers of the true answer, with its full length, and half of its body."""
    response = exchange.honest()
    whole = exchange.serialise(response)
    exchange.send(whole[: len(whole) - (len(response.body) + 1) // 2])
    return response.status


def _huge(exchange: Exchange, _fault: Dict[str, Any]) -> int:
    """10 MiB of well-formed JSON."""
    body = b'{"filler":"' + b"x" * HUGE + b'"}'
    exchange.send(exchange.serialise(Response(200, body, {"Content-Type": "application/json"})))
    return 200


def _redirect(exchange: Exchange, fault: Dict[str, Any]) -> int:
    """307, which keeps method and body, to the host in `to`."""
    target = f"https://{fault.get('to', 'evil.example.com')}{exchange.request.target}"
    exchange.send(exchange.serialise(Response(307, b"", {"Location": target})))
    return 307


def _content_type(exchange: Exchange, _fault: Dict[str, Any]) -> int:
    """200 and a page, as a captive portal answers."""
    page = "<!DOCTYPE html><html><body>Please sign in to the network.</body></html>"
    exchange.send(exchange.serialise(as_text(200, page, {"Content-Type": "text/html"})))
    return 200


def _delay(exchange: Exchange, fault: Dict[str, Any]) -> int:
    """The true answer, `seconds` late."""
    time.sleep(float(fault["seconds"]))
    response = exchange.honest()
    exchange.send(exchange.serialise(response))
    return response.status


def _close(_exchange: Exchange, _fault: Dict[str, Any]) -> int:
    """Close the connection without a word."""
    return 0


# Every fault ends the connection, so that no client can mistake what follows.
MODES: Dict[str, Callable[[Exchange, Dict[str, Any]], int]] = {
    "status": _status,
    "hang": _hang,
    "slow": _slow,
    "truncate": _truncate,
    "huge": _huge,
    "redirect": _redirect,
    "content-type": _content_type,
    "delay": _delay,
    "close": _close,
}
