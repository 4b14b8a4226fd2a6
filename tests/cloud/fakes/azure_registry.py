"""Azure Container Registry: an Entra token against a refresh token, that against an access token, that for a pull.

https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
https://learn.microsoft.com/rest/api/containerregistry/refresh-tokens/get-from-exchange
https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm

`tenant` may be left out where the service finds it in the access token (github.com/Azure/msi-acrpull/pull/75); sent, it
must be the token's. The challenge names no tenant. `/oauth2/exchange` knows POST only and answers anything else with
404 (github.com/Azure/acr/issues/166).
"""

import re
import time
import uuid
from typing import Any, Dict, List, Optional

from .azure_entra import ARM_RESOURCES, REGISTRY_RESOURCE, TENANT
from .hosts import AZURE_REGISTRIES
from .jwt import Invalid
from .messages import Refused, Request, Response, as_json
from .registries import basic, registry_error, to_registry
from .server import Service
from .state import State

USER = "00000000-0000-0000-0000-000000000000"  # says that the password is a refresh token
ACCESS_SECONDS = 75 * 60
UNAUTHORIZED = "authentication required, visit https://aka.ms/acr/authorization for more information."
REPOSITORY = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags)/")


class AzureRegistry(Service):
    """Each registry is its own authorisation server."""

    name, hosts = "acr", frozenset(AZURE_REGISTRIES)

    def __init__(self, state: State) -> None:
        self.state = state

    def refusal(self, status: int) -> Response:
        return registry_error(
            status,
            {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}.get(status, "UNKNOWN"),
            UNAUTHORIZED if status == 401 else "the registry refused",
        )

    def answer(self, request: Request) -> Response:
        if request.path == "/oauth2/exchange":
            return self._exchange(request)
        if request.path == "/oauth2/token":
            return self._access_token(request)
        repository = REPOSITORY.match(request.path)
        name = repository[1] if repository else ""
        if self._may_pass(request, name):
            return to_registry(request)
        action = "pull" if request.method in ("GET", "HEAD") else "pull,push"
        scope = f',scope="repository:{name}:{action}"' if name else ""
        refused = registry_error(401, "UNAUTHORIZED", UNAUTHORIZED)
        refused.headers["WWW-Authenticate"] = (
            f'Bearer realm="https://{request.host}/oauth2/token",service="{request.host}"{scope}'
        )
        return refused

    def _exchange(self, request: Request) -> Response:
        form = request.form
        request.note.update({key: form.get(key) for key in ("grant_type", "service", "tenant")})
        if request.method != "POST":
            return Response(404)
        if form.get("grant_type") != "access_token":
            return registry_error(400, "UNSUPPORTED", "grant_type must be access_token")
        if form.get("service") != request.host:
            return registry_error(400, "NAME_INVALID", "service must be the registry's login server")
        claims = self._entra_claims(request.host, form.get("access_token", ""))
        if form.get("tenant", claims["tid"]) != claims["tid"]:
            raise Refused(registry_error(401, "UNAUTHORIZED", UNAUTHORIZED))
        request.note["audience"] = claims["aud"]
        return as_json(
            200,
            {
                "refresh_token": self._sign(
                    request.host,
                    "refresh_token",
                    float(self.state.settings["acr_token_seconds"]),
                    sub=claims["appid"],
                    tenant=TENANT,
                    permissions={"actions": ["read"], "notActions": []},
                )
            },
        )

    def _entra_claims(self, host: str, token: str) -> Dict[str, Any]:
        authority = AZURE_REGISTRIES[host]
        accepted = {REGISTRY_RESOURCE}
        if self.state.settings["acr_accepts_arm"]:
            accepted.update(ARM_RESOURCES[authority])
        try:
            claims = self.state.issuers["entra"].verify(token)
        except Invalid as invalid:
            raise Refused(registry_error(401, "UNAUTHORIZED", UNAUTHORIZED)) from invalid
        if claims["exp"] <= time.time() or claims["aud"] not in accepted or claims["xms_cloud"] != authority:
            raise Refused(registry_error(401, "UNAUTHORIZED", UNAUTHORIZED))
        return claims

    def _access_token(self, request: Request) -> Response:
        """POST with a refresh token, or GET with Basic: what docker and skopeo do with their credential."""
        asked = request.form if request.method == "POST" else request.query
        if request.method == "POST" and asked.get("grant_type") == "refresh_token":
            refresh = asked.get("refresh_token", "")
        else:
            user, refresh = basic(request)
            request.note["user"] = user
            if user != USER:
                raise Refused(registry_error(401, "UNAUTHORIZED", UNAUTHORIZED))
        claims = self._own_claims(request.host, refresh, "refresh_token")
        if claims is None or asked.get("service") != request.host:
            raise Refused(registry_error(401, "UNAUTHORIZED", UNAUTHORIZED))
        access: List[Dict[str, Any]] = []
        for scope in asked.get("scope", "").split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        return as_json(
            200,
            {
                "access_token": self._sign(
                    request.host, "access_token", ACCESS_SECONDS, sub=claims["sub"], access=access
                )
            },
        )

    def _may_pass(self, request: Request, repository: str) -> bool:
        claims = self._own_claims(request.host, request.bearer, "access_token")
        if claims is None:
            # Basic with the refresh token works on every path, as with the service's own clients.
            user, password = basic(request)
            return user == USER and self._own_claims(request.host, password, "refresh_token") is not None
        return not repository or repository in {entry["name"] for entry in claims["access"]}

    def _own_claims(self, host: str, token: str, kind: str) -> Optional[Dict[str, Any]]:
        try:
            claims = self.state.issuers["acr"].verify(token)
        except Invalid:
            return None
        good = claims["aud"] == host and claims["grant_type"] == kind and claims["exp"] > time.time()
        return claims if good else None

    def _sign(self, host: str, kind: str, seconds: float, **claims: Any) -> str:
        return self.state.issuers["acr"].issue(
            seconds, aud=host, version="1.0", grant_type=kind, roles=[], jti=str(uuid.uuid4()), **claims
        )
