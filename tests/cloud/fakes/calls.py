"""The record of everything that was sent: what a test asserts on.

Secrets are kept as SHA-256 only in what `GET /calls` lists. `seen` searches the raw requests for a value, also where it
is percent-encoded or inside base64, so that a test can prove that no byte of a credential reached a host.
"""

import base64
import binascii
import hashlib
import threading
import time
import urllib.parse
from typing import Any, Dict, List, Set, Tuple

from .messages import Request

SECRET_HEADERS = ("authorization", "x-amz-security-token", "x-aws-ec2-metadata-token")
SECRET_FIELDS = (
    "client_secret",
    "client_assertion",
    "assertion",
    "subject_token",
    "access_token",
    "refresh_token",
    "WebIdentityToken",
)


class Calls:
    """A list of calls, in the order in which they were answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: List[Dict[str, Any]] = []
        self._raw: List[Tuple[str, List[bytes]]] = []

    def record(self, request: Request, service: str, status: int, fault: str) -> None:
        """One call and how it was answered; status 0 is no answer."""
        call = {
            "time": time.time(),
            "service": service,
            "host": request.host,
            "method": request.method,
            "path": request.path,
            "status": status,
            "fault": fault,
            "note": request.note,  # not a copy: a late answer still fills it
            "secrets": _fingerprints(request),
        }
        with self._lock:
            self._calls.append(call)
            self._raw.append((request.host, _readings(request)))

    def record_handshake(self, name: str, problem: str) -> None:
        """A TLS handshake the client broke off: it sent nothing."""
        with self._lock:
            self._calls.append(
                {
                    "time": time.time(),
                    "service": "tls",
                    "host": name,
                    "status": 0,
                    "method": "",
                    "path": "",
                    "fault": "",
                    "note": {"handshake": problem},
                    "secrets": [],
                }
            )

    def list(self, **wanted: str) -> List[Dict[str, Any]]:
        """The calls whose `host`, `service`, … are these."""
        with self._lock:
            return [
                {**call, "note": dict(call["note"])}
                for call in self._calls
                if all(str(call.get(key)) == value for key, value in wanted.items())
            ]

    def seen(self, needle: str) -> List[str]:
        """The hosts to which this text was sent, in whatever encoding."""
        with self._lock:
            hosts: Set[str] = {
                host for host, readings in self._raw if any(needle.encode() in reading for reading in readings)
            }
        return sorted(hosts)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._calls.clear()
            self._raw.clear()


def _fingerprints(request: Request) -> List[Dict[str, str]]:
    found = [(f"header {name}", request.headers.get(name, "")) for name in SECRET_HEADERS]
    found.append(("bearer", request.bearer))
    found.extend((f"form {name}", request.form.get(name, "")) for name in SECRET_FIELDS)
    return [{"where": where, "sha256": hashlib.sha256(value.encode()).hexdigest()} for where, value in found if value]


def _readings(request: Request) -> List[bytes]:
    """The request's bytes as sent, percent-decoded, and every header's base64 decoded."""
    sent = "\n".join([request.target, *request.headers.values()]).encode() + b"\n" + request.body
    readings = [sent, urllib.parse.unquote_to_bytes(sent.replace(b"+", b" "))]
    for value in request.headers.values():
        try:
            readings.append(base64.b64decode(value.rpartition(" ")[2], validate=True))
        except (binascii.Error, ValueError):
            continue  # not base64
    return readings
