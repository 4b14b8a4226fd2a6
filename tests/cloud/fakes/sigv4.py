"""Verification of AWS Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime
import hashlib
import hmac
import re
import time
import urllib.parse
from dataclasses import dataclass
from typing import Dict, Optional

from .messages import Request

MAX_SKEW = 300
FORMAT = "%Y%m%dT%H%M%SZ"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<signed>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass
class AccessKey:
    """One access key, long-lived or of a session."""

    key_id: str
    secret: str
    principal: str
    session_token: str = ""
    expires: float = float("inf")


@dataclass
class Signer:
    """Who signed a request, and for what."""

    key: AccessKey
    region: str
    service: str


class BadSignature(Exception):
    """`problem` is one of: missing, unknown-key, bad-session, expired-session, skew, mismatch, scope."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem


INVALID = "The security token included in the request is invalid."
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)


def verify(request: Request, keys: Dict[str, AccessKey], clock_offset: float = 0) -> Signer:
    """Who signed the request; raises BadSignature as AWS would refuse it.

    `clock_offset` moves the server's clock, which to the server looks exactly like a client whose clock is wrong.
    """
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise BadSignature("missing", "Missing Authentication Token")
    key = keys.get(found["key"])
    if key is None:
        raise BadSignature("unknown-key", INVALID)
    _check_session(request, key)
    stamp = request.headers.get("x-amz-date", "")
    _check_clock(stamp, time.time() + clock_offset)
    scope = f"{found['day']}/{found['region']}/{found['service']}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, _sha256(_canonical(request, found["signed"]).encode())])
    signing_key = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        signing_key = hmac.new(signing_key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, found["signature"]):
        raise BadSignature("mismatch", MISMATCH)
    return Signer(key, found["region"], found["service"])


def _check_session(request: Request, key: AccessKey) -> None:
    if request.headers.get("x-amz-security-token", "") != key.session_token:
        raise BadSignature("bad-session", INVALID)
    if key.expires <= time.time():
        raise BadSignature("expired-session", "The security token included in the request is expired")


def _check_clock(stamp: str, now: float) -> None:
    signed_at = _timestamp(stamp)
    if signed_at is None:
        raise BadSignature("mismatch", MISMATCH)
    server, limit = _stamp(now), MAX_SKEW // 60
    if signed_at < now - MAX_SKEW:
        raise BadSignature(
            "skew", f"Signature expired: {stamp} is now earlier than {_stamp(now - MAX_SKEW)} ({server} - {limit} min.)"
        )
    if signed_at > now + MAX_SKEW:
        raise BadSignature(
            "skew",
            f"Signature not yet current: {stamp} is still later than "
            f"{_stamp(now + MAX_SKEW)} ({server} + {limit} min.)",
        )


def _canonical(request: Request, signed: str) -> str:
    pairs = sorted(
        (_quote(name), _quote(value))
        for name, value in urllib.parse.parse_qsl(request.query_string, keep_blank_values=True)
    )
    names = signed.split(";")
    values = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    return "\n".join(
        [
            request.method,
            urllib.parse.quote(request.path or "/", safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            values,
            signed,
            _sha256(request.body),
        ]
    )


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stamp(when: float) -> str:
    return time.strftime(FORMAT, time.gmtime(when))


def _timestamp(stamp: str) -> Optional[float]:
    try:
        parsed = datetime.datetime.strptime(stamp, FORMAT)
    except ValueError:
        return None
    return parsed.replace(tzinfo=datetime.timezone.utc).timestamp()
