"""AWS: what servers and networks do wrong, and where credentials may go."""

import tempfile
from pathlib import Path
from typing import Any, List

from claims.report import claim
from claims.world import calls, control, order, variable

from .aws import ACCOUNT, AMBIENT, API, REGISTRY, STS, keys, node, session_keys, tenant
from .driver import SOON, check_answered, check_refused, check_sent_only_to, get, host_moved, secret
from .proxy import running_proxy


@claim("a fault that passes is tried again once, and Retry-After is waited for as far as there is time")
def _() -> None:
    order(API, "status", status=500, times=1)
    check_answered(tenant())
    assert len(calls(service="ecr")) == 2
    control("/reset", {})
    order(API, "status", status=429, retry_after=2, times=1)
    said = tenant()
    assert said.credential and said.seconds >= 2, said
    control("/reset", {})
    order(API, "status", status=429, retry_after=60)
    check_refused(tenant(), "throttles and asks to wait 60 s", within=SOON)
    assert len(calls(service="ecr")) == 1, "there is no time for a second call"


FAULTS: List[Any] = [
    ("status", {"status": 401}, "says that the request is not signed"),
    ("status", {"status": 401, "body": "<html>"}, "refused access (401)"),
    ("status", {"status": 403}, "access denied"),
    ("status", {"status": 403, "body": "<html>"}, "refused access (403)"),
    ("status", {"status": 429, "retry_after": 1}, "throttles and asks to wait 1 s"),
    ("status", {"status": 500}, "failed (500)"),
    ("status", {"status": 503, "body": "<html>"}, "failed (503)"),
    ("hang", {}, "did not answer in time"),
    ("slow", {}, "did not answer in time"),
    ("truncate", {}, "broke off the connection"),
    ("huge", {}, "answered more than any such answer holds"),
    ("redirect", {"to": "evil.example.com"}, "redirects elsewhere (307)"),
    ("content-type", {}, "answered something else than expected"),
    ("close", {}, "broke off the connection"),
    ("wrong-name", {}, "shows a certificate that is for another name"),
    ("untrusted-ca", {}, "an authority that this node does not trust"),
    ("expired-cert", {}, "shows a certificate that has expired"),
]


def faults_of(host: str, ask: Any, *secrets: str) -> None:
    """Every fault of this host is named in time, and none of it costs a secret."""
    allowed = [host, STS, API]
    for mode, more, text in FAULTS:
        control("/reset", {})
        order(host, mode, **more)
        said = ask()
        named = host if "(" in text or "time" in text or "certificate" in text else "in us-east-1"
        check_refused(said, REGISTRY, "backend aws: ", text)
        assert named in said.out or host in said.out, said.out
        check_sent_only_to(allowed, *secrets)
        leaked = [value for value in secrets if value in said.out + said.err]
        assert not leaked, f"{mode} shows a secret"
        assert len(calls(host=host)) <= 3, (mode, len(calls(host=host)))
    control("/reset", {})
    for address, text in ((None, "does not resolve"), ("127.0.0.9", "refused the connection")):
        with host_moved(host, address):
            check_refused(ask(), host, text)
    check_sent_only_to(allowed, *secrets)


@claim("every fault of ECR is named in time, and no byte of a credential reaches another host")
def _() -> None:
    session = session_keys()
    check_answered(get(REGISTRY, secret(REGISTRY, "aws", session)))
    assert control("/seen", {"text": session["AWS_SESSION_TOKEN"]}) == [API], "it must be found where it belongs"
    faults_of(API, lambda: get(REGISTRY, secret(REGISTRY, "aws", session)), *session.values())


@claim("every fault of STS is named in time, and no byte of a credential reaches another host")
def _() -> None:
    role = {"AWS_ROLE_ARN": variable("AWS_ROLE")}
    faults_of(STS, lambda: tenant(**role), *keys().values())


@claim("every fault of STS while the node's web identity is exchanged is named, and its token stays there")
def _() -> None:
    environment = {
        "AWS_ROLE_ARN": variable("AWS_WEB_ROLE"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": variable("AWS_WEB_TOKEN_FILE"),
    }
    faults_of(STS, lambda: node(**environment), Path(variable("AWS_WEB_TOKEN_FILE")).read_text())


@claim("a metadata service or an agent that hangs or fails is named, and does not hold up the helper")
def _() -> None:
    ecs = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": variable("ECS_CREDENTIALS_URI")}
    for service, environment, host in (("aws-imds", {}, "169.254.169.254"), ("ecs-agent", ecs, "169.254.170.2")):
        for mode, more in (("hang", {}), ("slow", {}), ("status", {"status": 500}), ("huge", {}), ("close", {})):
            control("/reset", {})
            order(service, mode, **more)
            said = node(**environment)
            check_refused(said, "backend aws: ")
            assert host in said.out, (mode, said.out)


@claim("a host of a region that does not exist says so")
def _() -> None:
    host = f"{ACCOUNT}.dkr.ecr.mars-north-1.amazonaws.com"
    said = get(host, secret(host, "aws", keys()))
    check_refused(said, host, "api.ecr.mars-north-1.amazonaws.com", "there is no region mars-north-1", "DNS")


@claim("AWS_CA_BUNDLE of the node takes the place of the system's authorities, and a bad one is named")
def _() -> None:
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    brought = {**secret(REGISTRY, "aws", keys()), "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}
    check_answered(get(REGISTRY, {**brought, "AWS_CA_BUNDLE": bundle}))
    with tempfile.NamedTemporaryFile("w") as file:
        check_refused(
            get(REGISTRY, {**brought, "AWS_CA_BUNDLE": file.name}), REGISTRY, "AWS_CA_BUNDLE", "no certificate"
        )
        # One authority of the system's, which is not the world's.
        file.write(Path(bundle).read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
        file.flush()
        environment = {**secret(REGISTRY, "aws", keys()), "AWS_CA_BUNDLE": file.name}
        check_refused(get(REGISTRY, environment), API, "an authority that this node does not trust")
    check_refused(get(REGISTRY, {**brought, "AWS_CA_BUNDLE": "/nowhere"}), "AWS_CA_BUNDLE", "cannot be read")


@claim("HTTPS_PROXY and NO_PROXY are obeyed, and a metadata service is never asked through a proxy")
def _() -> None:
    with running_proxy() as proxy:
        url = f"http://127.0.0.1:{proxy.server_address[1]}"
        brought = secret(REGISTRY, "aws", keys(AWS_ROLE_ARN=variable("AWS_ROLE")))
        check_answered(get(REGISTRY, {**brought, "HTTPS_PROXY": url}))
        assert proxy.asked == [f"{STS}:443", f"{API}:443"], proxy.asked
        proxy.asked.clear()
        check_answered(get(REGISTRY, {**brought, "HTTPS_PROXY": url, "NO_PROXY": ".amazonaws.com"}))
        assert not proxy.asked, proxy.asked
        check_answered(node(HTTPS_PROXY=url, HTTP_PROXY=url, http_proxy=url, ALL_PROXY=url))
        assert proxy.asked == [f"{API}:443"], proxy.asked


@claim("a shorter timeout of the configuration is kept, and a hang is still named")
def _() -> None:
    order(API, "hang")
    check_refused(node(text=f'timeout = "2s"\n{AMBIENT}'), f"{API} did not answer in time", within=SOON)
