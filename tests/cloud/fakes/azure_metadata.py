"""Managed identities: the token endpoint of Azure's Instance Metadata Service.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

import re
import time
from typing import Dict

from .azure_entra import ARM_RESOURCES, REGISTRY_RESOURCE, issue
from .hosts import METADATA_ADDRESS
from .messages import Request, Response, as_json
from .server import Service
from .state import State

PUBLIC_CLOUD = "login.microsoftonline.com"
SYSTEM_CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000001"
USER_CLIENT_ID = "bbbbbbbb-0000-4000-8000-000000000002"
USER_OBJECT_ID = "cccccccc-0000-4000-8000-000000000002"
USER_RESOURCE_ID = (
    "/subscriptions/dddddddd-0000-4000-8000-000000000001/resourceGroups/world/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/puller"
)
# Which query parameter names an identity by which of its ids. With none, the system-assigned one is meant.
SELECTORS: Dict[str, str] = {
    "client_id": USER_CLIENT_ID,
    "object_id": USER_OBJECT_ID,
    "mi_res_id": USER_RESOURCE_ID,
    "msi_res_id": USER_RESOURCE_ID,
}


class ManagedIdentity(Service):
    """A virtual machine with a system-assigned and a user-assigned identity."""

    name = "azure-imds"

    def __init__(self, state: State) -> None:
        self.state = state

    def serves(self, request: Request) -> bool:
        return (
            request.address == METADATA_ADDRESS
            and request.path.startswith("/metadata")
            and "azure" in self.state.settings["metadata"]
        )

    def answer(self, request: Request) -> Response:
        query = request.query
        request.note.update(query)
        if request.headers.get("metadata") != "true":
            return _invalid("Required metadata header not specified")
        if request.headers.get("x-forwarded-for"):
            return _invalid("Request contains a forbidden header: X-Forwarded-For")
        if request.path != "/metadata/identity/oauth2/token" or request.method != "GET":
            return as_json(404, {"error": "Not Found"})
        if not re.fullmatch(r"20(1[89]|2\d)-\d\d-\d\d", query.get("api-version", "")):
            return _invalid("Required query variable 'api-version' is missing or not supported")
        resource = query.get("resource", "").rstrip("/")
        if resource not in (REGISTRY_RESOURCE, *ARM_RESOURCES[PUBLIC_CLOUD]):
            return as_json(
                400,
                {
                    "error": "invalid_resource",
                    "error_description": "AADSTS500011: The resource principal "
                    f"named {resource} was not found in the tenant.",
                },
            )
        asked = {name: value for name, value in query.items() if name in SELECTORS}
        if any(value.lower() != SELECTORS[name].lower() for name, value in asked.items()):
            return _invalid("Identity not found")
        client = USER_CLIENT_ID if asked else SYSTEM_CLIENT_ID
        seconds, now = int(self.state.settings["entra_token_seconds"]), int(time.time())
        # Numbers are strings here, unlike in Entra's own answer.
        return as_json(
            200,
            {
                "access_token": issue(self.state, PUBLIC_CLOUD, resource, client),
                "client_id": client,
                "expires_in": str(seconds),
                "expires_on": str(now + seconds),
                "ext_expires_in": str(seconds),
                "not_before": str(now),
                "resource": query["resource"],
                "token_type": "Bearer",
            },
        )


def _invalid(description: str) -> Response:
    return as_json(400, {"error": "invalid_request", "error_description": description})
