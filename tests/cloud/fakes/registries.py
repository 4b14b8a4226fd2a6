"""What stands before the one real docker-registry: each provider's way of letting a client in.

A front admits exactly what the fakes minted, for the registry it was minted for, while it lives. Anonymous pulls,
which gcr.io, pkg.dev and ECR Public allow for public repositories, are refused: a pull that works had a credential.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html
https://cloud.google.com/artifact-registry/docs/docker/authentication#token
https://distribution.github.io/distribution/spec/auth/token/
"""

import base64
import binascii
from typing import Optional, Tuple

from .hosts import ECR_PUBLIC_REGISTRIES, ECR_REGISTRIES, GOOGLE_REGISTRIES
from .messages import Request, Response, as_json
from .server import Service
from .state import State, Token
from .upstream import REGISTRY_PORT, forward

GOOGLE_SCOPES = {
    f"https://www.googleapis.com/auth/{name}"
    for name in (
        "cloud-platform",
        "cloud-platform.read-only",
        "devstorage.read_only",
        "devstorage.read_write",
        "devstorage.full_control",
    )
}


def basic(request: Request) -> Tuple[str, str]:
    """User name and password of `Authorization: Basic …`, or two empty strings."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def registry_error(status: int, code: str, message: str) -> Response:
    """An error of the distribution specification."""
    return as_json(
        status, {"errors": [{"code": code, "message": message}]}, {"Docker-Distribution-Api-Version": "registry/2.0"}
    )


def to_registry(request: Request) -> Response:
    """On to docker-registry, which writes its own address into upload URLs from these fields."""
    return forward(request, REGISTRY_PORT, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": request.host})


class Front(Service):
    """A registry that takes Basic credentials, or trades them at a token endpoint for a Bearer token."""

    token_path = ""  # empty: Basic only

    def __init__(self, state: State) -> None:
        self.state = state

    def refusal(self, status: int) -> Response:
        return registry_error(status, "TOOMANYREQUESTS" if status == 429 else "UNKNOWN", "the registry failed")

    def admits(self, host: str, user: str, password: str) -> Optional[Token]:
        """The minted token this pair is, if it is good for this host."""
        raise NotImplementedError

    def answer(self, request: Request) -> Response:
        user, password = basic(request)
        request.note["user"] = user
        admitted = self.admits(request.host, user, password)
        if self.token_path and request.path == self.token_path:
            if admitted is None:
                return registry_error(401, "UNAUTHORIZED", "authentication failed")
            token = self.state.tokens.mint("", "bearer", request.host, 300, admitted.subject)
            return as_json(200, {"token": token, "expires_in": 300})
        bearer = self.state.tokens.find(request.bearer, "bearer")
        if admitted or (bearer and bearer.scope == request.host):
            return to_registry(request)
        refused = registry_error(401, "UNAUTHORIZED", "authentication required")
        refused.headers["WWW-Authenticate"] = self.challenge(request.host)
        return refused

    def challenge(self, host: str) -> str:
        """What a client without a credential is told."""
        return f'Bearer realm="https://{host}{self.token_path}",service="{host}"'


class EcrRegistry(Front):
    """A private registry of ECR: Basic, user AWS, a token of this account and region."""

    name, hosts = "ecr-registry", frozenset(ECR_REGISTRIES)

    def answer(self, request: Request) -> Response:
        if self.state.tokens.has_expired(basic(request)[1]):
            return registry_error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        return super().answer(request)

    def admits(self, host: str, user: str, password: str) -> Optional[Token]:
        token = self.state.tokens.find(password, "ecr") if user == "AWS" else None
        return token if token and token.scope == f"{host[:12]}/{ECR_REGISTRIES[host]}" else None

    def challenge(self, host: str) -> str:
        return f'Basic realm="https://{host}/",service="ecr.amazonaws.com"'


class EcrPublicRegistry(Front):
    """The public gallery: Bearer, from its own token endpoint."""

    name, hosts, token_path = "ecr-public-registry", frozenset(ECR_PUBLIC_REGISTRIES), "/token/"

    def admits(self, host: str, user: str, password: str) -> Optional[Token]:
        return self.state.tokens.find(password, "ecr-public") if user == "AWS" else None


class GoogleRegistry(Front):
    """Artifact Registry and gcr.io: user oauth2accesstoken and an access token with a scope that reaches them."""

    name, hosts, token_path = "google-registry", frozenset(GOOGLE_REGISTRIES), "/v2/token"

    def admits(self, host: str, user: str, password: str) -> Optional[Token]:
        token = self.state.tokens.find(password, "google") if user == "oauth2accesstoken" else None
        return token if token and GOOGLE_SCOPES & set(token.scope.split()) else None
