"""What goes over the wire: one HTTP request, one response, and the refusal that carries a response."""

import json
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Optional, Tuple


class Headers(dict):
    """Header fields, found whatever their case; the spelling that was sent is kept for forwarding."""

    def __init__(self, fields: Iterable[Tuple[str, str]]) -> None:
        super().__init__()
        for name, value in fields:  # a repeated field is a list (RFC 9110, 5.3); registries' clients repeat Accept
            self[name] = f"{self[name]}, {value}" if name in self else value

    def get(self, name: str, default: Any = None) -> Any:
        wanted = name.lower()
        return next((value for key, value in self.items() if key.lower() == wanted), default)


@dataclass
class Request:
    """One request as it was received."""

    method: str
    target: str
    headers: Headers
    body: bytes
    address: str
    secure: bool
    note: Dict[str, Any] = field(default_factory=dict)  # what a fake found in it, for the call log; never a secret

    def __post_init__(self) -> None:
        self.path, _, self.query_string = self.target.partition("?")
        self.host = self.headers.get("host", self.address).lower()

    @property
    def query(self) -> Dict[str, str]:
        """The query's parameters; of a repeated one the last."""
        return dict(urllib.parse.parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def form(self) -> Dict[str, str]:
        """The parameters of a form body, or of a JSON object of strings: Google's endpoints take both."""
        if "json" in self.headers.get("content-type", ""):
            return {key: str(value) for key, value in self.json.items()}
        return dict(urllib.parse.parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self) -> Dict[str, Any]:
        """The body as a JSON object; an empty one when it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def bearer(self) -> str:
        """The token of `Authorization: Bearer …`, or nothing."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


@dataclass
class Response:
    """One answer. Content-Length is added on the way out."""

    status: int
    body: bytes = b""
    headers: Dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Raised anywhere inside a fake to answer with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def as_json(status: int, value: Any, headers: Optional[Dict[str, str]] = None) -> Response:
    """A JSON answer."""
    found = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Response(status, json.dumps(value).encode(), found)


def as_text(status: int, text: str, headers: Optional[Dict[str, str]] = None) -> Response:
    """A plain text answer."""
    return Response(status, text.encode(), {"Content-Type": "text/plain", **(headers or {})})
