"""A proxy, to show what goes through one."""

import contextlib
import http.server
import socket
import socketserver
import threading
from typing import Any, Iterator, List


class Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A proxy that notes what it is asked for, and tunnels nowhere but to loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: List[str] = []
        super().__init__(("127.0.0.1", 0), ProxyHandler)


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    """CONNECT, and for anything else a refusal."""

    def do_CONNECT(self) -> None:  # noqa: N802
        """Tunnel to port 443 here."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        with socket.create_connection(("127.0.0.1", 443)) as upstream:
            self.send_response(200)
            self.end_headers()
            there = threading.Thread(target=pump, args=(self.connection, upstream), daemon=True)
            there.start()
            pump(upstream, self.connection)

    def do_GET(self) -> None:  # noqa: N802
        """A request that should not have come here."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_error(502)

    do_PUT = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def pump(source: Any, target: Any) -> None:
    """Copy bytes until there are no more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


@contextlib.contextmanager
def running_proxy() -> Iterator[Proxy]:
    """A proxy for the time of a block."""
    proxy = Proxy()
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
