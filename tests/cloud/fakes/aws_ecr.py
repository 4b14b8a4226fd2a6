"""ECR (moto, with a true `expiresAt` and a token of its own per call) and ECR Public, which moto does not have.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_GetAuthorizationToken.html
The target prefix of ECR Public, `SpencerFrontendService`, is that of the service's published model.
"""

import base64
import json
import re
import time
from typing import Any, Dict, Tuple

from .aws_errors import BY_STATUS, denial, is_denied, json_error, signer_of
from .hosts import ECR_API, ECR_PUBLIC_API, PARTITIONS, REGIONS
from .messages import Refused, Request, Response, as_json
from .server import Service
from .state import ACCOUNT, State
from .upstream import MOTO_PORT, forward

CONTENT_TYPE = "application/x-amz-json-1.1"
REGISTRY_ID = re.compile("[0-9]{12}")


class JsonService(Service):
    """What both ECR APIs have in common: JSON 1.1 and one action."""

    signing_name = target_prefix = ""
    permissions: Tuple[str, ...] = ()

    def __init__(self, state: State) -> None:
        self.state = state

    def refusal(self, status: int) -> Response:
        code, message = BY_STATUS.get(status, BY_STATUS[500])
        # The JSON services add `Exception` to the names of the common errors, and throttle with 400 as a rule.
        return json_error(status, f"{code}Exception", message)

    def authorise(self, request: Request, region: str) -> None:
        """The checks every call passes: content type, action, signature, permission."""
        action = request.headers.get("x-amz-target", "")
        request.note["action"] = action
        if request.method != "POST" or action != f"{self.target_prefix}.GetAuthorizationToken":
            raise Refused(json_error(400, "UnknownOperationException", ""))
        if request.headers.get("content-type") != CONTENT_TYPE:
            raise Refused(json_error(400, "SerializationException", f"expected {CONTENT_TYPE}"))
        signer = signer_of(self.state, request, self.signing_name, region)
        request.note["region"] = region
        for permission in self.permissions:
            if is_denied(self.state, signer, permission):
                raise Refused(json_error(400, "AccessDeniedException", denial(signer.key.principal, permission, "*")))

    def token(self, kind: str, scope: str) -> Dict[str, Any]:
        """A token the registries know, and its true end."""
        seconds = float(self.state.settings["ecr_token_seconds"])
        password = self.state.tokens.mint("eyJwYXlsb2FkIjoi", kind, scope, seconds)
        return {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": round(time.time() + seconds, 3),
        }


class Ecr(JsonService):
    """GetAuthorizationToken of every region and endpoint variant."""

    name, hosts = "ecr", frozenset(ECR_API)
    signing_name, target_prefix = "ecr", "AmazonEC2ContainerRegistry_V20150921"
    permissions = ("ecr:GetAuthorizationToken",)

    def answer(self, request: Request) -> Response:
        region = ECR_API[request.host]
        asked = request.note["registryIds"] = request.json.get("registryIds")
        self.authorise(request, region)
        for registry in asked or []:
            if not REGISTRY_ID.fullmatch(registry):
                raise Refused(
                    json_error(
                        400,
                        "InvalidParameterException",
                        "Invalid parameter at 'registryIds' failed to "
                        "satisfy constraint: 'Member must satisfy regular expression pattern: [0-9]{12}'",
                    )
                )
        answered = forward(request, MOTO_PORT)
        if answered.status != 200:
            return answered
        entries = json.loads(answered.body)["authorizationData"]
        for registry, entry in zip(asked or [ACCOUNT], entries):
            entry.update(self.token("ecr", f"{registry}/{region}"))
            # moto writes the suffix of the partition aws everywhere.
            entry["proxyEndpoint"] = (
                self.state.settings["ecr_proxy_endpoint"]
                or f"https://{registry}.dkr.ecr.{region}.{PARTITIONS[REGIONS[region]][0]}"
            )
        return as_json(200, {"authorizationData": entries}, {"Content-Type": CONTENT_TYPE})


class EcrPublic(JsonService):
    """GetAuthorizationToken of the public gallery: us-east-1 only, one object instead of a list."""

    name, hosts = "ecr-public", frozenset(ECR_PUBLIC_API)
    signing_name, target_prefix = "ecr-public", "SpencerFrontendService"
    permissions = ("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken")

    def answer(self, request: Request) -> Response:
        self.authorise(request, "us-east-1")
        return as_json(200, {"authorizationData": self.token("ecr-public", "public")}, {"Content-Type": CONTENT_TYPE})
