"""Microsoft Entra's token endpoint in three clouds, with an application's secret or a federated token.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity-platform/reference-error-codes
https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

import re
import time
import uuid

from .hosts import AUTHORITIES
from .jwt import Invalid, audiences
from .messages import Refused, Request, Response, as_json
from .server import Service
from .state import State

TENANT = "11111111-2222-4333-8444-555555555555"
TENANT_DOMAIN = "world.onmicrosoft.com"
CLIENT_ID = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT_SECRET = "wor8Q~ld-client-secret-value_0123456789"
WORKLOAD_CLIENT_ID = "aaaaaaaa-0000-4000-8000-000000000002"
WORKLOAD_SUBJECT = "system:serviceaccount:pulls:puller"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_AUDIENCE = "api://AzureADTokenExchange"

REGISTRY_RESOURCE = "https://containerregistry.azure.net"  # the same in all clouds
ARM_RESOURCES = {  # whose tokens a registry accepts unless its policy says otherwise
    "login.microsoftonline.com": ("https://management.azure.com", "https://management.core.windows.net"),
    "login.microsoftonline.us": ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"),
    "login.chinacloudapi.cn": ("https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn"),
}
TOKEN_PATH = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
CONFIGURATION_PATH = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")


def entra_error(status: int, error: str, code: int, message: str) -> Refused:
    """An error as Entra words it; clients and people look for the AADSTS code."""
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    tail = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    return Refused(
        as_json(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{code}: {message} {tail}",
                "error_codes": [code],
                "timestamp": stamp,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"https://login.microsoftonline.com/error?code={code}",
            },
        )
    )


def issue(state: State, authority: str, resource: str, client_id: str) -> str:
    """An app-only access token for a resource."""
    # `xms_cloud` is not Entra's: it lets the fake registries refuse a token of another cloud, as different keys would.
    return state.issuers["entra"].issue(
        float(state.settings["entra_token_seconds"]),
        iss=f"https://sts.windows.net/{TENANT}/",
        aud=resource,
        tid=TENANT,
        appid=client_id,
        oid=str(uuid.uuid5(uuid.NAMESPACE_URL, client_id)),
        idtyp="app",
        ver="1.0",
        xms_cloud=authority,
    )


class Entra(Service):
    """`/{tenant}/oauth2/v2.0/token`, and the discovery documents some clients read first."""

    name, hosts = "entra", frozenset(AUTHORITIES)

    def __init__(self, state: State) -> None:
        self.state = state

    def refusal(self, status: int) -> Response:
        return entra_error(
            status,
            "temporarily_unavailable" if status >= 429 else "invalid_request",
            90033,
            "A transient error has occurred. Please try again.",
        ).response

    def answer(self, request: Request) -> Response:
        authority = f"https://{request.host}"
        if request.path == "/common/discovery/instance":
            tenant = f"{authority}/{TENANT}"
            return as_json(
                200,
                {
                    "tenant_discovery_endpoint": f"{tenant}/v2.0/.well-known/openid-configuration",
                    "api-version": "1.1",
                    "metadata": [
                        {"preferred_network": request.host, "preferred_cache": request.host, "aliases": [request.host]}
                    ],
                },
            )
        configuration = CONFIGURATION_PATH.fullmatch(request.path)
        if configuration:
            self._check_tenant(configuration[1])
            return as_json(
                200,
                {
                    "token_endpoint": f"{authority}/{configuration[1]}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{authority}/{configuration[1]}/oauth2/v2.0/authorize",
                    "issuer": f"{authority}/{TENANT}/v2.0",
                },
            )
        token = TOKEN_PATH.fullmatch(request.path)
        if not token or request.method != "POST":
            return Response(404)
        return self._token(request, token[1])

    def _token(self, request: Request, tenant: str) -> Response:
        form = request.form
        request.note.update({key: form.get(key) for key in ("grant_type", "client_id", "scope")}, tenant=tenant)
        self._check_tenant(tenant)
        if form.get("grant_type") != "client_credentials":
            raise entra_error(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client = form.get("client_id", "")
        if client == CLIENT_ID and "client_assertion" not in form:
            if form.get("client_secret") != CLIENT_SECRET:
                raise entra_error(
                    401,
                    "invalid_client",
                    7000215,
                    "Invalid client secret provided. Ensure the secret being "
                    "sent in the request is the client secret value, not the client secret ID, for a secret "
                    f"added to app '{client}'.",
                )
        elif client == WORKLOAD_CLIENT_ID and "client_secret" not in form:
            self._check_assertion(form)
        elif client in (CLIENT_ID, WORKLOAD_CLIENT_ID):
            raise entra_error(
                401,
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        else:
            raise entra_error(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client}' was not found in the directory '{tenant}'.",
            )
        authority = AUTHORITIES[request.host]
        resource = self._resource(form.get("scope", ""), authority)
        seconds = int(self.state.settings["entra_token_seconds"])
        return as_json(
            200,
            {
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": issue(self.state, authority, resource, client),
            },
        )

    def _check_tenant(self, tenant: str) -> None:
        if tenant not in (TENANT, TENANT_DOMAIN):
            raise entra_error(
                400,
                "invalid_request",
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the "
                "correct tenant ID and are signing into the correct cloud.",
            )

    def _check_assertion(self, form: dict) -> None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise entra_error(400, "invalid_request", 90014, "The required field 'client_assertion_type' is missing.")
        workload = self.state.issuers["workload"]
        try:
            claims = workload.verify(form.get("client_assertion", ""))
        except Invalid as invalid:
            raise entra_error(
                401,
                "invalid_client",
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            ) from invalid
        if not claims.get("nbf", 0) - 300 <= time.time() < claims.get("exp", 0):
            raise entra_error(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")
        for expected, found, code, what in (
            (workload.name, claims.get("iss"), 700211, "issuer"),
            (WORKLOAD_SUBJECT, claims.get("sub"), 700213, "subject"),
        ):
            if found != expected:
                raise entra_error(
                    401,
                    "invalid_client",
                    code,
                    f"No matching federated identity record found for presented assertion {what} '{found}'.",
                )
        if ASSERTION_AUDIENCE not in audiences(claims):
            raise entra_error(
                401,
                "invalid_client",
                700212,
                f"No matching federated identity record found for presented assertion audience '{audiences(claims)}'.",
            )

    def _resource(self, scope: str, authority: str) -> str:
        if not scope.endswith("/.default"):
            raise entra_error(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client "
                "credential flows must have a scope value with /.default suffixed to the resource identifier.",
            )
        resource = scope[: -len("/.default")].rstrip("/")
        if resource not in (REGISTRY_RESOURCE, *ARM_RESOURCES[authority]):
            raise entra_error(
                400, "invalid_resource", 500011, f"The resource principal named {resource} was not found in the tenant."
            )
        return resource
