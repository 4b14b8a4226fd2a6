"""The way to the real servers behind the fakes: moto and docker-registry, both on loopback."""

import http.client
from typing import Dict, Optional

from .messages import Request, Response

MOTO_PORT = 5000
REGISTRY_PORT = 5001
# Belong to one connection and are set again for the next (RFC 9110, 7.6.1).
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "expect"}


def forward(request: Request, port: int, extra: Optional[Dict[str, str]] = None) -> Response:
    """Send the request on as it is, with extra header fields, and bring back the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers.update(extra or {}, **{"Content-Length": str(len(request.body))})
        connection.request(request.method, request.target, request.body, headers)
        answer = connection.getresponse()
        # A HEAD's Content-Length is information, not the length of what follows: it is kept.
        kept = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in HOP_BY_HOP or (request.method == "HEAD" and name.lower() == "content-length")
        }
        return Response(answer.status, answer.read(), kept)
    finally:
        connection.close()
