"""A token server for the bearer registry: https://distribution.github.io/distribution/spec/auth/

GET /token with Basic, or without (then only public/ may be pulled); POST /token with grant_type=refresh_token for
identity tokens. Signs with the openssl program, because Python alone cannot. Usage: token_server.py ADDRESS PORT DIR
"""

import base64
import json
import pathlib
import ssl
import subprocess
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD, IDENTITY_TOKEN = "carol", "bearer-secret", "identity-token-of-carol"
DIR = pathlib.Path(sys.argv[3])


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def der_to_raw(signature: bytes) -> bytes:
    """openssl gives SEQUENCE { INTEGER r, INTEGER s }, a JWT wants r and s in 32 bytes each (RFC 7518, 3.4)."""
    r_length = signature[3]
    r, s = signature[4 : 4 + r_length], signature[6 + r_length :]
    return b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (r, s))


def jwt(service: str, access: list) -> str:
    now = int(time.time())
    certificate = "".join((DIR / "token.crt").read_text().strip().splitlines()[1:-1])
    header = {"typ": "JWT", "alg": "ES256", "x5c": [certificate]}
    claims = {"iss": "auth.test", "sub": USER, "aud": service, "exp": now + 300, "nbf": now - 10, "iat": now}
    claims |= {"jti": str(time.time_ns()), "access": access}
    signed = ".".join(b64url(json.dumps(part).encode()) for part in (header, claims))
    sign = ["openssl", "dgst", "-sha256", "-sign", str(DIR / "token.key")]
    signature = subprocess.run(sign, input=signed.encode(), capture_output=True, check=True).stdout
    return f"{signed}.{b64url(der_to_raw(signature))}"


def granted(scopes: list, known_user: bool) -> list:
    """A known user may do what is asked for, but in closed/ only once it is opened; everybody may pull from public/."""
    access = []
    for scope in " ".join(scopes).split():
        kind, name, actions = scope.split(":", 2)
        allowed = actions.split(",") if known_user else ["pull"] * name.startswith("public/")
        if name.startswith("closed/") and not (DIR / "closed-is-open").exists():
            continue
        access.append({"type": kind, "name": name, "actions": allowed})
    return access


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        authorization = self.headers.get("Authorization")
        if authorization is None:
            return self.grant(query, known_user=False)
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if authorization != f"Basic {expected}":
            return self.answer(401, {"details": "incorrect username or password"})
        return self.grant(query, known_user=True)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.body().decode())
        if form.get("grant_type") != ["refresh_token"]:
            return self.answer(400, {"error": "unsupported_grant_type"})
        if form.get("refresh_token") != [IDENTITY_TOKEN]:
            return self.answer(401, {"error": "invalid_grant"})
        return self.grant(form, known_user=True)

    def body(self) -> bytes:
        """skopeo, podman and buildah send theirs in chunks, everybody else with its length."""
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while length := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def grant(self, query: dict, known_user: bool):
        token = jwt(query["service"][0], granted(query.get("scope", []), known_user))
        body = {"token": token, "access_token": token, "expires_in": 300}
        if known_user and query.get("offline_token") == ["true"]:
            body["refresh_token"] = IDENTITY_TOKEN
        return self.answer(200, body)

    def answer(self, status: int, body: dict):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(DIR / "server.crt", DIR / "server.key")
server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
