"""The HTTP server every fake stands behind: TLS by server name, one thread a connection, keep-alive."""

import http
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, FrozenSet, Optional, Sequence

from .calls import Calls
from .faults import MODES, Exchange, Faults
from .messages import Headers, Refused, Request, Response, as_json, as_text


class Service:
    """One fake: which requests are its own, and what it answers."""

    name = ""
    hosts: FrozenSet[str] = frozenset()

    def serves(self, request: Request) -> bool:
        """Whether this request is for this service; most are known by their host names alone, on TLS."""
        return request.secure and request.host in self.hosts

    def answer(self, request: Request) -> Response:
        """The true answer."""
        raise NotImplementedError

    def refusal(self, status: int) -> Response:
        """An error with this status, in the shape this service gives its errors."""
        return as_json(status, {"error": http.HTTPStatus(status).phrase})


class Server(ThreadingHTTPServer):
    """Listens on one address and passes requests to the services."""

    daemon_threads = True
    request_queue_size = 512  # hundreds of helpers start at once in some tests

    def __init__(
        self,
        address: str,
        port: int,
        services: Sequence[Service],
        calls: Optional[Calls] = None,
        faults: Optional[Faults] = None,
        contexts: Optional[Dict[str, ssl.SSLContext]] = None,
    ) -> None:
        self.services, self.calls, self.faults, self.contexts = services, calls or Calls(), faults or Faults(), contexts
        super().__init__((address, port), Handler)
        if contexts:
            contexts[""].sni_callback = self._choose_certificate

    def _choose_certificate(self, connection: ssl.SSLSocket, name: Optional[str], _context: ssl.SSLContext) -> None:
        connection.asked_name = name or ""
        connection.context = self.contexts[self.faults.take_tls(name or "")]

    def find(self, request: Request) -> Optional[Service]:
        """The service a request is for."""
        return next((service for service in self.services if service.serves(request)), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is what many tests are about; anything else is a bug and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """The TLS handshake is made here, in the connection's own thread."""
        if self.server.contexts:
            self.request.settimeout(30)
            self.request = self.server.contexts[""].wrap_socket(
                self.request, server_side=True, do_handshake_on_connect=False
            )
            try:
                self.request.do_handshake()
            except OSError as problem:
                self.server.calls.record_handshake(getattr(self.request, "asked_name", ""), str(problem))
                raise
        super().setup()

    def serve(self) -> None:
        """One request, answered truly or as a fault has it."""
        request = Request(
            self.command,
            self.path,
            Headers(self.headers.items()),
            self._body(),
            self.server.server_address[0],
            bool(self.server.contexts),
        )
        service = self.server.find(request)
        name = service.name if service else "nobody"
        fault = self.server.faults.take([request.host, name], request.path)
        if fault:
            exchange = Exchange(
                request,
                self.connection,
                lambda: _honest(service, request),
                service.refusal if service else Service().refusal,
                self._serialise,
            )
            # Recorded before it is acted out: a hanging call must be visible while it hangs.
            self.server.calls.record(request, name, 0, fault["mode"])
            self.close_connection = True
            MODES[fault["mode"]](exchange, fault)
            return
        response = _honest(service, request)
        self.server.calls.record(request, name, response.status, "")
        self.connection.sendall(self._serialise(response))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b""
            while True:
                size = int(self.rfile.readline().partition(b";")[0], 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _serialise(self, response: Response) -> bytes:
        phrase = http.HTTPStatus(response.status).phrase
        headers = {"Content-Length": str(len(response.body)), **response.headers}
        if self.close_connection:
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {response.status} {phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return head.encode("latin-1") + b"\r\n" + (b"" if self.command == "HEAD" else response.body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: `GET /calls` tells more."""


def _honest(service: Optional[Service], request: Request) -> Response:
    if service is None:
        return as_text(404, f"nobody serves {request.host}{request.path}\n")
    try:
        return service.answer(request)
    except Refused as refused:
        return refused.response
