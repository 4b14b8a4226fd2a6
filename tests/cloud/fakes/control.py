"""The endpoint a test steers the world by. See tests/cloud/README.md."""

from typing import Any, Callable, Dict

from .calls import Calls
from .faults import Faults
from .messages import Request, Response, as_json, as_text
from .server import Service
from .state import DEFAULTS, State


class Control(Service):
    """Plain HTTP on loopback; neither recorded nor subject to faults."""

    name = "control"

    def __init__(self, state: State, calls: Calls, faults: Faults) -> None:
        self.state, self.calls, self.faults = state, calls, faults
        self.routes: Dict[str, Callable[[Request], Any]] = {
            "GET /calls": lambda request: calls.list(**request.query),
            "POST /seen": lambda request: calls.seen(request.json["text"]),
            "POST /control": lambda request: faults.order(request.json),
            "GET /settings": lambda _: state.settings,
            "POST /settings": self._change_settings,
            "POST /token": self._sign_token,
            "POST /reset": self._reset,
        }

    def serves(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Response:
        route = self.routes.get(f"{request.method} {request.path}")
        if route is None:
            return as_text(404, f"known: {', '.join(self.routes)}\n")
        try:
            return as_json(200, route(request))
        except (ValueError, KeyError, TypeError) as problem:
            return as_text(400, f"{type(problem).__name__}: {problem}\n")

    def _change_settings(self, request: Request) -> Dict[str, Any]:
        unknown = set(request.json) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"unknown settings {sorted(unknown)}; known: {sorted(DEFAULTS)}")
        self.state.settings.update(request.json)
        return self.state.settings

    def _sign_token(self, request: Request) -> Dict[str, str]:
        """`by` (an issuer's name, see state.py), `seconds`, and the claims; a claim replaces the usual one."""
        wanted = request.json
        issuer = self.state.issuers[wanted.get("by", "workload")]
        return {"token": issuer.issue(wanted.get("seconds", 3600), **wanted.get("claims", {}))}

    def _reset(self, _request: Request) -> None:
        self.faults.clear()
        self.calls.clear()
        self.state.reset()
