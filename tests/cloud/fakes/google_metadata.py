"""The metadata server of Compute Engine and GKE.

https://cloud.google.com/compute/docs/metadata/querying-metadata
https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
"""

from . import google
from .hosts import METADATA_ADDRESS, METADATA_NAMES
from .messages import Request, Response, as_json, as_text
from .server import Service
from .state import State

EMAIL = "node@world-project.iam.gserviceaccount.com"
SCOPES = "https://www.googleapis.com/auth/cloud-platform"
ROOT = "/computeMetadata/v1"
ACCOUNTS = f"{ROOT}/instance/service-accounts/"
FLAVOUR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}


class Metadata(Service):
    """Answers to its names, and to the address where the path says that Google is meant."""

    name = "google-metadata"

    def __init__(self, state: State) -> None:
        self.state = state

    def serves(self, request: Request) -> bool:
        named = request.host in METADATA_NAMES or request.path == "/" or request.path.startswith("/computeMetadata")
        return named and request.address == METADATA_ADDRESS and "google" in self.state.settings["metadata"]

    def refusal(self, status: int) -> Response:
        return as_text(status, "", {**FLAVOUR, "Content-Type": "text/html; charset=UTF-8"})

    def answer(self, request: Request) -> Response:
        if request.path == "/":  # how clients ask whether they are on Google's machines
            return as_text(200, "0.1/\ncomputeMetadata/\n", FLAVOUR)
        # The header proves that no browser and no open proxy asks; a forwarded request is refused.
        if request.headers.get("metadata-flavor") != "Google" or request.headers.get("x-forwarded-for"):
            return self.refusal(403)
        account = {"aliases": ["default"], "email": EMAIL, "scopes": [SCOPES]}
        for name in ("default", EMAIL):
            if request.path == f"{ACCOUNTS}{name}/token":
                scopes = request.query.get("scopes", SCOPES).replace(",", " ")
                return as_json(200, google.mint(self.state, scopes, EMAIL), FLAVOUR)
            if request.path == f"{ACCOUNTS}{name}/" and request.query.get("recursive") == "true":
                return as_json(200, account, FLAVOUR)
            if request.path == f"{ACCOUNTS}{name}/email":
                return as_text(200, EMAIL, FLAVOUR)
            if request.path == f"{ACCOUNTS}{name}/scopes":
                return as_text(200, SCOPES + "\n", FLAVOUR)
        texts = {
            ACCOUNTS: f"default/\n{EMAIL}/\n",
            f"{ROOT}/project/project-id": "world-project",
            f"{ROOT}/project/numeric-project-id": "555000000001",
            f"{ROOT}/universe/universe-domain": "googleapis.com",
        }
        return as_text(200, texts[request.path], FLAVOUR) if request.path in texts else self.refusal(404)
