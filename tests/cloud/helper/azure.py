"""Azure: every kind of identity in every cloud, every key a tenant may not set, and every fault of a provider."""

import base64
import contextlib
import http.server
import json
import os
import socket
import socketserver
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List

from claims.report import claim, run
from claims.world import calls, check_pull, order, reset, settings, signed, variable

from .driver import SOON, Said, check_pulls, check_refused, check_sent_only_to, config, get, host_moved, secret

USER = "00000000-0000-0000-0000-000000000000"
REGISTRY = "myreg.azurecr.io"
ENTRA = "login.microsoftonline.com"
METADATA = "169.254.169.254"
SCOPE = "https://containerregistry.azure.net/.default"
AMBIENT = "ambient = true\n"
ABSENT = "aaaaaaaa-0000-4000-8000-00000000ffff"
# What the node has and no tenant's login may ever use.
NODE = {
    "AZURE_AUTHORITY_HOST": "https://evil.example.com",
    "AZURE_CLIENT_ID": ABSENT,
    "AZURE_CLIENT_SECRET": "the-nodes-own-secret",
    "AZURE_TENANT_ID": ABSENT,
    "AZURE_FEDERATED_TOKEN_FILE": "/nowhere",
    "AZURE_REGIONAL_AUTHORITY_NAME": "evil",
    "IDENTITY_ENDPOINT": "https://second.example.com/identity",
    "IDENTITY_HEADER": "the-nodes-own-header",
    "MSI_ENDPOINT": "https://second.example.com/msi",
}


def keys(**changed: str) -> Dict[str, str]:
    """The tenant's keys, some changed; an empty one is left out."""
    names = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    return {name: value for name, value in {**{name: variable(name) for name in names}, **changed}.items() if value}


def tenant(registry: str = REGISTRY, **changed: str) -> Said:
    """Ask with the tenant's keys."""
    return get(registry, secret(registry, "azure", keys(**changed)))


def node(registry: str = REGISTRY, text: str = AMBIENT, **environment: str) -> Said:
    """Ask as the node, under this configuration."""
    with config(text) as configured:
        return get(registry, {**configured, **environment})


def workload(**changed: str) -> Dict[str, str]:
    """What AKS gives to a pod with a workload identity."""
    return {
        "AZURE_CLIENT_ID": variable("AZURE_WORKLOAD_CLIENT_ID"),
        "AZURE_TENANT_ID": variable("AZURE_TENANT_ID"),
        "AZURE_FEDERATED_TOKEN_FILE": variable("AZURE_FEDERATED_TOKEN_FILE"),
        "AZURE_AUTHORITY_HOST": f"https://{ENTRA}/",
        **changed,
    }


def sequence() -> List[str]:
    """Service and path of the calls, in order."""
    return [f"{call['service']} {call['path']}" for call in calls()]


@contextlib.contextmanager
def token_file(token: str) -> Iterator[str]:
    """A file that holds a federated token."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(token)
        file.flush()
        yield file.name


@claim("a secret's keys become the registry's refresh token in two calls, and that pulls")
def _() -> None:
    said = tenant()
    assert said.credential["Username"] == USER and said.credential["ServerURL"] == REGISTRY, said
    path = f"/{variable('AZURE_TENANT_ID')}/oauth2/v2.0/token"
    assert sequence() == [f"entra {path}", "acr /oauth2/exchange"], sequence()
    entra, exchange = calls()
    assert entra["note"]["scope"] == SCOPE and entra["note"]["grant_type"] == "client_credentials", entra
    assert exchange["note"]["tenant"] == variable("AZURE_TENANT_ID"), exchange
    assert exchange["note"]["audience"] == "https://containerregistry.azure.net", exchange
    claims = json.loads(base64.urlsafe_b64decode(said.secret.split(".")[1] + "=="))
    assert claims["grant_type"] == "refresh_token" and claims["aud"] == REGISTRY, claims
    check_pull(REGISTRY, USER, said.secret)
    check_pulls(REGISTRY, secret(REGISTRY, "azure", keys()))


@claim("the application's secret reaches its cloud's authority only, the Entra token the registry only")
def _() -> None:
    said = tenant()
    client_secret = variable("AZURE_CLIENT_SECRET")
    assert said.status == 0 and client_secret not in said.out
    check_sent_only_to([ENTRA], client_secret)
    fingerprints = [(call["host"], found["where"]) for call in calls() for found in call["secrets"]]
    assert fingerprints == [(ENTRA, "form client_secret"), (REGISTRY, "form access_token")], fingerprints


@claim("China's and the US Government's registries have their own authorities, and one scope holds in all clouds")
def _() -> None:
    for registry, authority in (
        ("myreg.azurecr.cn", "login.chinacloudapi.cn"),
        ("myreg.azurecr.us", "login.microsoftonline.us"),
    ):
        check_pulls(registry, secret(registry, "azure", keys()))
        assert {call["host"] for call in calls(service="entra")} >= {authority}, calls(service="entra")
    assert {call["note"]["scope"] for call in calls(service="entra")} == {SCOPE}
    assert ENTRA not in {call["host"] for call in calls()}


@claim("a tenant may be named by its domain, which the registry is not told")
def _() -> None:
    check_pull(REGISTRY, USER, tenant(AZURE_TENANT_ID="world.onmicrosoft.com").secret)
    assert calls(service="entra")[0]["path"] == "/world.onmicrosoft.com/oauth2/v2.0/token"
    assert calls(service="acr")[0]["note"]["tenant"] is None


@claim("with a secret, nothing of the node's identity or environment is used, and no metadata is asked")
def _() -> None:
    with config(AMBIENT) as configured:
        said = get(REGISTRY, {**secret(REGISTRY, "azure", keys()), **configured, **NODE})
        check_pull(REGISTRY, USER, said.secret)
        wrong = get(REGISTRY, {**secret(REGISTRY, "azure", keys(AZURE_CLIENT_SECRET="wrong")), **configured, **NODE})
        check_refused(wrong, "AADSTS7000215")
    check_sent_only_to([], "the-nodes-own-secret", "the-nodes-own-header")
    assert not calls(service="azure-imds")


@claim("every key of a secret that would steer the node is refused by its name, and nothing is called")
def _() -> None:
    for key, value in (
        ("AZURE_AUTHORITY_HOST", "https://evil.example.com"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/etc/shadow"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/etc/shadow"),
        ("AZURE_CONFIG_DIR", "/root/.azure"),
        ("AZURE_TOKEN_URL", "https://evil.example.com"),
        ("IDENTITY_ENDPOINT", "https://evil.example.com"),
        ("IDENTITY_HEADER", "x"),
        ("IMDS_ENDPOINT", "https://evil.example.com"),
        ("MSI_ENDPOINT", "https://evil.example.com"),
        ("MSI_SECRET", "x"),
    ):
        said = tenant(**{key: value})
        check_refused(said, REGISTRY, "backend azure", f"a secret may not say {key}", within=SOON)
        assert value not in said.out.replace(key, "") or value == "x", said.out
    assert not calls()


@claim("a tenant or application that is no id is refused before it comes into a URL, and a missing one is named")
def _() -> None:
    for name, value in (
        ("AZURE_TENANT_ID", "../evil"),
        ("AZURE_TENANT_ID", "evil.example.com/x?"),
        ("AZURE_TENANT_ID", "common"),
        ("AZURE_TENANT_ID", "x@evil.example.com"),
        ("AZURE_CLIENT_ID", "my-own-thing"),
        ("AZURE_CLIENT_SECRET", "with\nline"),
    ):
        said = tenant(**{name: value})
        check_refused(said, REGISTRY, "backend azure", f"{name} in the secret", within=SOON)
        assert value not in said.out, said.out
    check_refused(tenant(AZURE_TENANT_ID=""), "AZURE_TENANT_ID is not in the secret", within=SOON)
    check_refused(tenant(AZURE_CLIENT_SECRET=""), "AZURE_CLIENT_ID is set without AZURE_CLIENT_SECRET", within=SOON)
    assert not calls()


@claim("a rule that forces the backend onto another host gets no token there; alias_of names the real registry")
def _() -> None:
    host = "second.example.com"
    rule = f'[[registry]]\nhost = "{host}"\nbackend = "azure"\n'
    with config(rule) as configured:
        said = get(host, {**secret(host, "azure", keys()), **configured})
        check_refused(said, "it isn't an Azure registry", "alias_of", within=SOON)
    assert not calls()
    with config(f'[[registry]]\nhost = "{host}"\nalias_of = "{REGISTRY}"\n') as configured:
        said = get(host, {**secret(host, "azure", keys()), **configured})
        check_pull(REGISTRY, USER, said.secret)
    assert not calls(service="stranger")


@claim("without ambient configured, no identity of the node is used: not found, and nothing is called")
def _() -> None:
    said = get(REGISTRY, workload())
    assert said.status == 1 and said.out == "credentials not found in native keychain\n", said
    assert not calls()


@claim("a workload's federated token logs in, at the authority its environment names")
def _() -> None:
    check_pull(REGISTRY, USER, node(**workload()).secret)
    token = Path(variable("AZURE_FEDERATED_TOKEN_FILE")).read_text()
    check_sent_only_to([ENTRA], token)
    assert calls(service="acr")[0]["note"]["tenant"] == variable("AZURE_TENANT_ID")
    without = workload()
    del without["AZURE_AUTHORITY_HOST"]
    check_pull("myreg.azurecr.us", USER, node("myreg.azurecr.us", **without).secret)
    assert calls(service="entra")[-1]["host"] == "login.microsoftonline.us"
    china = workload(AZURE_AUTHORITY_HOST="https://login.partner.microsoftonline.cn/")
    check_pull("myreg.azurecr.cn", USER, node("myreg.azurecr.cn", **china).secret)
    assert calls(service="entra")[-1]["host"] == "login.partner.microsoftonline.cn"


@claim("a federated token that is forged, late, foreign or missing is told apart")
def _() -> None:
    good = {"sub": "system:serviceaccount:pulls:puller", "aud": "api://AzureADTokenExchange"}
    for token, texts in (
        (signed(by="stranger", **good), ("AADSTS700027", "signature")),
        (signed(seconds=-5, **good), ("AADSTS700024", "clock")),
        (signed(**{**good, "iss": "https://elsewhere"}), ("AADSTS700211", "issuer")),
        (signed(**{**good, "sub": "someone"}), ("AADSTS700213", "subject")),
        (signed(**{**good, "aud": "sts.amazonaws.com"}), ("AADSTS700212", "audience")),
    ):
        with token_file(token) as path:
            check_refused(node(**workload(AZURE_FEDERATED_TOKEN_FILE=path)), REGISTRY, "backend azure", *texts)
    missing = node(**workload(AZURE_FEDERATED_TOKEN_FILE="/nowhere/token"))
    check_refused(missing, "/nowhere/token", "AZURE_FEDERATED_TOKEN_FILE", within=SOON)
    check_refused(node(**workload(AZURE_CLIENT_ID="")), "AZURE_CLIENT_ID is not in the node's environment", within=SOON)


@claim("the operator's own application logs in from the environment, and its authority must be https")
def _() -> None:
    environment = {**keys(), "AZURE_AUTHORITY_HOST": f"https://{ENTRA}"}
    check_pull(REGISTRY, USER, node(**environment).secret)
    for wrong in (f"http://{ENTRA}", "https://a@evil.example.com", "https://evil.example.com/x", ENTRA):
        said = node(**{**environment, "AZURE_AUTHORITY_HOST": wrong})
        check_refused(said, "AZURE_AUTHORITY_HOST", "isn't an https:// URL", within=SOON)
    check_refused(node(**{**environment, "AZURE_TENANT_ID": ""}), "AZURE_TENANT_ID is not in the node's environment")
    assert not calls(service="stranger") and not calls(service="azure-imds")


@claim("managed identities, of the system and of the user, log in and pull, for one registry or for all")
def _() -> None:
    check_pull(REGISTRY, USER, node().secret)
    (asked,) = calls(service="azure-imds")
    assert asked["note"]["resource"] == "https://containerregistry.azure.net" and "client_id" not in asked["note"]
    user = {"AZURE_CLIENT_ID": variable("AZURE_USER_ASSIGNED_CLIENT_ID")}
    rule = f'[[registry]]\nhost = "{REGISTRY}"\nambient = true\n'
    check_pull(REGISTRY, USER, node(text=rule, **user).secret)
    assert calls(service="azure-imds")[-1]["note"]["client_id"] == variable("AZURE_USER_ASSIGNED_CLIENT_ID")
    with config(rule) as configured:
        check_pulls(REGISTRY, configured)
    assert node("otherreg.azurecr.io", text=rule).out == "credentials not found in native keychain\n"


@claim("a node without the identity, or no Azure machine at all, is told so")
def _() -> None:
    check_refused(node(AZURE_CLIENT_ID=ABSENT), "no such managed identity", "AZURE_CLIENT_ID")
    settings(metadata=["aws", "google"])
    check_refused(node(), "no managed identity on this node", "404")
    unsupported = node(MSI_ENDPOINT="http://127.0.0.1:1/", MSI_SECRET="x")
    check_refused(unsupported, "this kind of managed identity is not supported", within=SOON)


class AppService(http.server.BaseHTTPRequestHandler):
    """App Service's identity endpoint, as the SDK's documentation has it, before the machine's own."""

    header = "the-apps-own-header"

    def do_GET(self) -> None:  # noqa: N802
        query = self.path.partition("?")[2].replace("2019-08-01", "2018-02-01")
        if self.headers.get("X-IDENTITY-HEADER") != self.header:
            self.send_error(401)
            return
        url = f"http://{METADATA}/metadata/identity/oauth2/token?{query}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Metadata": "true"})) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextlib.contextmanager
def serving(handler: Any) -> Iterator[Any]:
    """A server of the test's own on loopback."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@claim("App Service's identity endpoint is asked with its header, on this node only")
def _() -> None:
    with serving(AppService) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/msi/token"
        said = node(IDENTITY_ENDPOINT=url, IDENTITY_HEADER=AppService.header)
        check_pull(REGISTRY, USER, said.secret)
        check_refused(node(IDENTITY_ENDPOINT=url, IDENTITY_HEADER="wrong"), "IDENTITY_HEADER", "401")
    outside = node(IDENTITY_ENDPOINT="http://evil.example.com/msi", IDENTITY_HEADER=AppService.header)
    check_refused(outside, "evil.example.com must not be spoken to without TLS", within=SOON)
    check_sent_only_to([], AppService.header)


@claim("Entra's refusals say what is wrong and what to do, by their codes")
def _() -> None:
    for changed, texts in (
        ({"AZURE_CLIENT_SECRET": "hunter2"}, ("the client secret is wrong (AADSTS7000215)", "AZURE_CLIENT_SECRET")),
        ({"AZURE_CLIENT_ID": ABSENT}, ("the application is unknown in this tenant (AADSTS700016)", "AZURE_CLIENT_ID")),
        ({"AZURE_TENANT_ID": ABSENT}, ("the tenant is unknown in this cloud (AADSTS90002)", "AZURE_TENANT_ID")),
    ):
        said = tenant(**changed)
        check_refused(said, REGISTRY, "backend azure", *texts, within=SOON)
        assert "hunter2" not in said.out and ABSENT not in said.out
    for code, text in ((7000222, "the client secret has expired"), (53003, "conditional access"), (99, "AADSTS99")):
        body = json.dumps({"error_codes": [code], "error_description": f"AADSTS{code}: hunter2 words"})
        order(ENTRA, "status", status=401, body=body, headers={"Content-Type": "application/json"}, times=1)
        said = tenant()
        check_refused(said, text, str(code))
        assert "words" not in said.out
    assert len(calls(service="entra")) == 6, "a refusal is not repeated"


@claim("the registry's refusals say what to do: no role, its network rules, no such registry")
def _() -> None:
    for status, texts in (
        (401, ("the registry refused the identity (401)", "AcrPull")),
        (403, ("network rules", "403")),
        (404, ("no registry of this name", "404")),
        (400, ("AZURE_TENANT_ID", "400")),
    ):
        order(REGISTRY, "status", status=status, times=1)
        check_refused(tenant(), REGISTRY, "backend azure", *texts, within=SOON)
    assert len(calls(service="acr")) == 4, "a refusal is not repeated"


# Where a fault can be, and who logs in there: the authority, the registry, the node's own metadata.
PLACES = ((ENTRA, tenant), (REGISTRY, tenant), (METADATA, node))


@claim("429 and 500 are tried three times at most, and Retry-After only where there is time")
def _() -> None:
    for host, ask in PLACES:
        for status, more, text, attempts in (
            (429, {}, "limits its requests (429)", 3),
            (429, {"retry_after": 7200}, "try again in 7200 s", 1),
            (500, {}, "has a failure of its own (500)", 3),
            (503, {"retry_after": 60}, "(503); try again in 60 s", 1),
        ):
            before = len(calls(host=host))
            order(host, "status", status=status, times=attempts, **more)
            check_refused(ask(), REGISTRY, "backend azure", host, text, within=SOON)
            assert len(calls(host=host)) - before == attempts, (host, status, len(calls(host=host)) - before)
        order(host, "status", status=503, retry_after=1, times=1)
        check_pull(REGISTRY, USER, ask().secret)
        order(host, "close", times=1)
        check_pull(REGISTRY, USER, ask().secret)


@claim("a provider that hangs, drips, breaks off, floods, redirects or shows a page is named in one line in time")
def _() -> None:
    for host, ask in PLACES:
        for mode, text in (
            ("hang", "did not answer in time"),
            ("slow", "did not answer in time"),
            ("truncate", "broke off in the middle of its answer"),
            ("huge", "answered more than 1 MiB"),
            ("redirect", "redirects, which is never followed"),
            ("content-type", "answered with something that is not JSON"),
            ("close", "closed the connection without an answer"),
        ):
            order(host, mode, times=3)
            said = ask()
            check_refused(said, REGISTRY, "backend azure", f"{host} {text}")
            check_sent_only_to([ENTRA], variable("AZURE_CLIENT_SECRET"))
            reset()


@claim("a wrong, foreign or expired certificate is named, and nothing is sent to who shows it")
def _() -> None:
    for host in (ENTRA, REGISTRY):
        for mode, text in (
            ("wrong-name", "is for another name"),
            ("untrusted-ca", "is signed by nobody that this system trusts"),
            ("expired-cert", "has expired; check whether the node's clock is right"),
        ):
            reset()
            order(host, mode)
            check_refused(tenant(), REGISTRY, "backend azure", f"the certificate of {host} {text}", within=SOON)
            assert not calls(host=host) or {call["service"] for call in calls(host=host)} == {"tls"}, calls(host=host)


@claim("a host that refuses, does not resolve or cannot be reached is named")
def _() -> None:
    for host in (ENTRA, REGISTRY):
        for address, text in (
            (None, f"the name {host} cannot be resolved"),
            ("127.0.0.9", f"{host} refused the connection"),
            ("192.0.2.1", f"nobody answers at {host}"),
        ):
            with host_moved(host, address):
                check_refused(tenant(), REGISTRY, "backend azure", text, within=SOON)
    check_sent_only_to([ENTRA], variable("AZURE_CLIENT_SECRET"))


@claim("a name server that never answers does not hold the helper beyond its time")
def _() -> None:
    settings(silent_names=True)
    with host_moved(ENTRA, None):
        # musl's resolver gives up by itself before the helper's time is over, glibc's does not.
        check_refused(tenant(), REGISTRY, "backend azure", ENTRA)


@claim("a timeout that is configured is kept to, and who was waited for is still told")
def _() -> None:
    with config('timeout = "2s"\n') as configured:
        environment = {**secret(REGISTRY, "azure", keys()), **configured}
        order(ENTRA, "hang")
        check_refused(get(REGISTRY, environment), f"{ENTRA} did not answer in time", within=SOON)
        with deaf("127.0.0.9", 443), host_moved(ENTRA, "127.0.0.9"):
            check_refused(get(REGISTRY, environment), f"{ENTRA} did not answer in time", within=SOON)


@contextlib.contextmanager
def deaf(address: str, port: int) -> Iterator[None]:
    """A port that takes no connection and refuses none, as behind a firewall that drops."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):  # fill its queue
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


@claim("an answer of the right form that holds no usable token is refused")
def _() -> None:
    form = {"Content-Type": "application/json"}
    for host, body in (
        (ENTRA, "{}"),
        (ENTRA, '{"access_token":"","expires_in":3599,"token_type":"Bearer"}'),
        (ENTRA, "not json"),
        (REGISTRY, "{}"),
        (REGISTRY, '{"refresh_token":7}'),
        (REGISTRY, '{"refresh_token":""}'),
        (REGISTRY, '{"refresh_token":"a\\u000ab"}'),
        (REGISTRY, '{"refresh_token":"a","refresh_token":"b"}'),
        (REGISTRY, "[]"),
    ):
        order(host, "status", status=200, body=body, headers=form, times=1)
        check_refused(tenant(), REGISTRY, "backend azure", "holds no token", within=SOON)


class Proxy(socketserver.StreamRequestHandler):
    """A CONNECT proxy that remembers whom it was asked for."""

    asked: List[str] = []

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        method, target, _ = line.split()
        Proxy.asked.append(f"{method} {target}")
        while self.rfile.readline().strip():
            pass
        host, _, port = target.partition(":")
        with socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 Established\r\n\r\n")
            threading.Thread(target=copy, args=(far, self.connection), daemon=True).start()
            copy(self.connection, far)


class Denying(socketserver.StreamRequestHandler):
    """A proxy that wants to know first who asks."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


def copy(source: socket.socket, sink: socket.socket) -> None:
    """Bytes, until one side ends."""
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@claim("HTTPS_PROXY and NO_PROXY are honoured, and the node's metadata is never asked through a proxy")
def _() -> None:
    with serving(Proxy) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        brought = secret(REGISTRY, "azure", keys())
        check_pull(REGISTRY, USER, get(REGISTRY, {**brought, "HTTPS_PROXY": url}).secret)
        assert Proxy.asked == [f"CONNECT {ENTRA}:443", f"CONNECT {REGISTRY}:443"], Proxy.asked
        Proxy.asked.clear()
        check_pull(REGISTRY, USER, get(REGISTRY, {**brought, "HTTPS_PROXY": url, "NO_PROXY": "azurecr.io"}).secret)
        assert Proxy.asked == [f"CONNECT {ENTRA}:443"], Proxy.asked
        Proxy.asked.clear()
        check_pull(REGISTRY, USER, node(HTTPS_PROXY=url, HTTP_PROXY=url, http_proxy=url, ALL_PROXY=url).secret)
        assert Proxy.asked == [f"CONNECT {REGISTRY}:443"], Proxy.asked
    with serving(Denying) as server:
        denied = get(REGISTRY, {**brought, "HTTPS_PROXY": f"http://127.0.0.1:{server.server_address[1]}"})
        check_refused(denied, REGISTRY, "backend azure", "of HTTPS_PROXY asks for a user name and password", within=SOON)
    refused = get(REGISTRY, {**brought, "HTTPS_PROXY": url})
    check_refused(refused, REGISTRY, "backend azure", "refused the connection", "HTTPS_PROXY", within=SOON)


@claim("a system without certificate authorities is told")
def _() -> None:
    environment = {**secret(REGISTRY, "azure", keys()), "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}
    check_refused(get(REGISTRY, environment), REGISTRY, "backend azure", "certificate authorit", within=SOON)
    assert not calls(service="entra")


if __name__ == "__main__":
    began = time.monotonic()
    status = run(strict=os.environ.get("STRICT") == "1")
    print(f"{time.monotonic() - began:.1f} s")
    sys.exit(status)
