"""Azure, with azure-identity; the exchange with the registry has no client of its own here and is a plain request."""

import base64
import json
import logging
import time
from typing import Any, Dict

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    AzureAuthorityHosts,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from .report import claim, refused
from .world import Answer, calls, check_pull, http, pull, settings, signed, variable

USER = "00000000-0000-0000-0000-000000000000"
REGISTRY = "myreg.azurecr.io"
SCOPE = "https://containerregistry.azure.net/.default"
logging.getLogger("azure").setLevel(logging.CRITICAL)  # it logs every refusal that is wanted here
ARM = "https://management.azure.com/.default"


def application(secret: str = "", authority: str = AzureAuthorityHosts.AZURE_PUBLIC_CLOUD, **ids: str) -> Any:
    """A credential of the application with a secret."""
    return ClientSecretCredential(
        ids.get("tenant", variable("AZURE_TENANT_ID")),
        ids.get("client", variable("AZURE_CLIENT_ID")),
        secret or variable("AZURE_CLIENT_SECRET"),
        authority=authority,
    )


def exchange(token: str, registry: str = REGISTRY, **changed: str) -> Answer:
    """The registry's answer to an Entra token."""
    return http(
        "POST",
        f"https://{registry}/oauth2/exchange",
        {"grant_type": "access_token", "service": registry, "access_token": token, **changed},
    )


def claims_of(token: str) -> Dict[str, Any]:
    """The claims of a JWT, unverified."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@claim("a client secret becomes an Entra token, that a refresh token of 3 hours, and that pulls")
def _() -> None:
    refresh = exchange(application().get_token(SCOPE).token, tenant=variable("AZURE_TENANT_ID")).json["refresh_token"]
    claims = claims_of(refresh)
    assert abs(claims["exp"] - time.time() - 3 * 3600) < 60 and claims["aud"] == REGISTRY, claims
    check_pull(REGISTRY, USER, refresh)
    assert "unauthorized" in pull(REGISTRY, "someone", refresh).lower()
    assert "unauthorized" in pull("otherreg.azurecr.io", USER, refresh).lower()


@claim("the registry's challenge names itself as realm and service, and no tenant")
def _() -> None:
    answer = http("GET", f"https://{REGISTRY}/v2/")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="https://{REGISTRY}/oauth2/token",service="{REGISTRY}"'
    ), answer.headers["WWW-Authenticate"]


@claim("the exchange takes ACR's and ARM's audience, ARM's not where the registry forbids it, and no tenant")
def _() -> None:
    arm = application().get_token(ARM).token
    assert exchange(arm).status == 200
    settings(acr_accepts_arm=False)
    assert exchange(arm).status == 401
    assert exchange(application().get_token(SCOPE).token).status == 200


@claim("the exchange refuses a forged or expired token, another service, tenant or grant, and GET")
def _() -> None:
    token = application().get_token(SCOPE).token
    forged = signed(by="stranger", **claims_of(token))
    expired = signed(by="entra", **{**claims_of(token), "exp": int(time.time()) - 5})
    other = signed(by="entra", **{**claims_of(token), "aud": "https://graph.microsoft.com"})
    for status, code, answer in (
        (401, "UNAUTHORIZED", exchange(forged)),
        (401, "UNAUTHORIZED", exchange(expired)),
        (401, "UNAUTHORIZED", exchange(other)),
        (401, "UNAUTHORIZED", exchange(token, tenant="other")),
        (400, "UNSUPPORTED", exchange(token, grant_type="password")),
        (400, "NAME_INVALID", exchange(token, service="otherreg.azurecr.io")),
    ):
        assert answer.status == status and answer.json["errors"][0]["code"] == code, answer.text
    assert http("GET", f"https://{REGISTRY}/oauth2/exchange").status == 404


@claim("China and US Government have their own authorities, and their registries take no other cloud's token")
def _() -> None:
    for authority, registry in (
        (AzureAuthorityHosts.AZURE_GOVERNMENT, "myreg.azurecr.us"),
        (AzureAuthorityHosts.AZURE_CHINA, "myreg.azurecr.cn"),
    ):
        token = application(authority=authority).get_token(SCOPE).token
        check_pull(registry, USER, exchange(token, registry).json["refresh_token"])
        assert exchange(token).status == 401
        assert exchange(application().get_token(SCOPE).token, registry).status == 401


@claim("Entra refuses a wrong secret, application, tenant and scope with its codes")
def _() -> None:
    for code, credential, scope in (
        ("AADSTS7000215", application("wrong"), SCOPE),
        ("AADSTS700016", application(client="aaaaaaaa-0000-4000-8000-00000000ffff"), SCOPE),
        ("AADSTS500011", application(), "https://unknown.example.com/.default"),
        ("AADSTS1002012", application(), "https://containerregistry.azure.net/read"),
    ):
        with refused(ClientAuthenticationError, code):
            credential.get_token(scope)
    answer = http(
        "POST", "https://login.microsoftonline.com/99999999-0000-4000-8000-000000000000/oauth2/v2.0/token", {}
    )
    assert answer.status == 400 and answer.json["error_codes"] == [90002], answer.text


@claim("a workload's federated token becomes an Entra token, and a forged, foreign or expired one does not")
def _() -> None:
    tenant, client = variable("AZURE_TENANT_ID"), variable("AZURE_WORKLOAD_CLIENT_ID")
    credential = WorkloadIdentityCredential(
        tenant_id=tenant, client_id=client, token_file_path=variable("AZURE_FEDERATED_TOKEN_FILE")
    )
    check_pull(REGISTRY, USER, exchange(credential.get_token(SCOPE).token).json["refresh_token"])
    subject, audience = "system:serviceaccount:pulls:puller", "api://AzureADTokenExchange"
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "scope": SCOPE,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    for code, assertion in (
        (700027, signed(by="stranger", sub=subject, aud=audience)),
        (700024, signed(seconds=-5, sub=subject, aud=audience)),
        (700211, signed(iss="https://elsewhere", sub=subject, aud=audience)),
        (700213, signed(sub="someone", aud=audience)),
        (700212, signed(sub=subject, aud="sts.amazonaws.com")),
    ):
        answer = http(
            "POST",
            f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            {**form, "client_assertion": assertion},
        )
        assert answer.status == 401 and answer.json["error_codes"] == [code], answer.text


@claim("managed identities, of the system and of the user by either id, become a token that pulls")
def _() -> None:
    for credential in (
        ManagedIdentityCredential(),
        ManagedIdentityCredential(client_id=variable("AZURE_USER_ASSIGNED_CLIENT_ID")),
        ManagedIdentityCredential(identity_config={"resource_id": variable("AZURE_USER_ASSIGNED_RESOURCE_ID")}),
    ):
        check_pull(REGISTRY, USER, exchange(credential.get_token(SCOPE).token).json["refresh_token"])
    assert {call["note"].get("api-version") for call in calls(service="azure-imds")} == {"2018-02-01"}


@claim("IMDS refuses an unknown identity, a request without its header, and a forwarded one")
def _() -> None:
    with refused(ClientAuthenticationError, "Identity not found"):
        ManagedIdentityCredential(client_id="bbbbbbbb-0000-4000-8000-00000000ffff").get_token(SCOPE)
    url = (
        "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
        "&resource=https://containerregistry.azure.net"
    )
    for text, headers in (
        ("metadata header", {}),
        ("X-Forwarded-For", {"Metadata": "true", "X_Forwarded_For": "1.2.3.4"}),
    ):
        answer = http("GET", url, **headers)
        assert answer.status == 400 and text in answer.json["error_description"], answer.text
    assert http("GET", url.replace("api-version", "version"), Metadata="true").status == 400
