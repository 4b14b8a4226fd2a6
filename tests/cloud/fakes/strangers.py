"""Hosts that are no provider: where a redirect leads, and the workload's own token issuer."""

from . import google
from .hosts import STRANGERS, WORKLOAD_ISSUER
from .messages import Request, Response, as_json
from .server import Service
from .state import State


class Stranger(Service):
    """Takes whatever it is sent, with thanks: a credential that arrives here has leaked."""

    name, hosts = "stranger", frozenset(STRANGERS)

    def answer(self, request: Request) -> Response:
        return as_json(
            200, {"access_token": "stolen", "refresh_token": "stolen", "expires_in": 3600, "token_type": "Bearer"}
        )


class WorkloadIssuer(Service):
    """Hands a workload its token, as the URL source of an external account expects."""

    name, hosts = "workload-issuer", frozenset({WORKLOAD_ISSUER})

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, request: Request) -> Response:
        if request.path != "/token" or request.bearer != "pod":
            return as_json(403, {"error": "forbidden"})
        token = self.state.issuers["workload"].issue(
            sub=google.WORKLOAD_SUBJECT, aud=f"https:{google.POOL}/providers/oidc"
        )
        return as_json(200, {"id_token": token})
