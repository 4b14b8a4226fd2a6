"""A registry that wants alice's password and keeps its blobs in an object store, and that store, under another name.

The repository fails/STATUS is answered with that status, and the blobs of fails/dies break off in the middle. What each is
sent is written to a log: a line for each request, with its host, path and Authorization.
Usage: redirecting.py ADDRESS PORT WORLD LOG
"""

import base64
import http.server
import pathlib
import ssl
import sys
import urllib.error
import urllib.request

SEED = "http://127.0.0.1:5000"
PAIR = "Basic " + base64.b64encode(b"alice:wonderland").decode()
address, port, world, log = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host, login = self.headers["Host"], self.headers.get("Authorization")
        with open(log, "a") as out:
            print(host, self.path, login, self.headers.get("Referer"), file=out)
        if host == "store.test":
            self.pass_on(self.path.partition("?")[0])
        elif login != PAIR:
            self.say(401, {"WWW-Authenticate": 'Basic realm="redirect"'})
        elif self.path.startswith("/v2/fails/dies/"):
            self.pass_on(self.path.replace("fails/dies", "private/app"), breaks_off="/blobs/" in self.path)
        elif self.path.startswith("/v2/fails/"):
            self.say(int(self.path.split("/")[3]), {"Retry-After": "0"})
        elif "/blobs/" in self.path:
            self.say(307, {"Location": f"https://store.test{self.path}?signature=of-the-store"})
        else:
            self.pass_on(self.path)

    do_HEAD = do_GET

    def pass_on(self, path: str, breaks_off: bool = False) -> None:
        accept = {"Accept": self.headers.get("Accept", "*/*")}
        try:
            with urllib.request.urlopen(urllib.request.Request(SEED + path, headers=accept)) as answer:
                kept = ("Content-Type", "Docker-Content-Digest")
                self.say(200, {name: answer.headers[name] for name in kept if answer.headers[name]}, answer.read(), breaks_off)
        except urllib.error.HTTPError as error:
            self.say(error.code, {})

    def say(self, status: int, headers: dict, body: bytes = b"", breaks_off: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if breaks_off else body)
        self.close_connection |= breaks_off

    def log_message(self, *_: object) -> None:
        pass


server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(pathlib.Path(world, "server.crt"), pathlib.Path(world, "server.key"))
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
