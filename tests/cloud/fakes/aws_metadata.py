"""Where workloads on AWS find credentials: IMDSv2, the ECS agent and the EKS Pod Identity agent.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
"""

import time
from typing import Any, Dict

from .aws_sts import ASSUMED
from .hosts import ECS_ADDRESS, EKS_ADDRESS, METADATA_ADDRESS
from .jwt import Invalid, audiences
from .messages import Refused, Request, Response, as_json, as_text
from .server import Service
from .state import ACCOUNT, State

NODE_ROLE = "node"
ECS_PATH = "/v2/credentials/5f6a8c1e-0000-4000-8000-000000000001"
EKS_PATH = "/v1/credentials"
POD_AUDIENCE = "pods.eks.amazonaws.com"
REGION = "us-east-1"


class Imds(Service):
    """Version 2 only: every GET needs a token that a PUT fetched."""

    name = "aws-imds"

    def __init__(self, state: State) -> None:
        self.state = state

    def serves(self, request: Request) -> bool:
        return (
            request.address == METADATA_ADDRESS
            and request.path.startswith("/latest")
            and "aws" in self.state.settings["metadata"]
        )

    def refusal(self, status: int) -> Response:
        return Response(status, b"", {"Content-Type": "text/html"})

    def answer(self, request: Request) -> Response:
        if request.path == "/latest/api/token":
            return self._token(request)
        if not self.state.tokens.find(request.headers.get("x-aws-ec2-metadata-token", ""), "imds"):
            raise Refused(self.refusal(401))
        roles = "/latest/meta-data/iam/security-credentials/"
        if request.path == roles + NODE_ROLE:
            key = _session(self.state, NODE_ROLE)
            return as_json(200, {"Code": "Success", "LastUpdated": _when(time.time()), "Type": "AWS-HMAC", **key})
        document = {
            "accountId": ACCOUNT,
            "region": REGION,
            "availabilityZone": REGION + "a",
            "instanceId": "i-0123456789abcdef0",
            "version": "2017-09-30",
        }
        if request.path == "/latest/dynamic/instance-identity/document":
            return as_json(200, document)
        texts = {
            roles: NODE_ROLE,
            roles.rstrip("/"): NODE_ROLE,
            "/latest/meta-data/placement/region": REGION,
            "/latest/meta-data/placement/availability-zone": REGION + "a",
            "/latest/meta-data/placement/availability-zone/": REGION + "a",
            "/latest/meta-data/instance-id": document["instanceId"],
        }
        return as_text(200, texts[request.path]) if request.path in texts else self.refusal(404)

    def _token(self, request: Request) -> Response:
        if request.method != "PUT":
            return self.refusal(405)
        if request.headers.get("x-forwarded-for"):
            return self.refusal(403)  # a proxy stands between
        ttl = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return self.refusal(400)
        token = self.state.tokens.mint("AQAEA", "imds", "", int(ttl))
        return as_text(200, token, {"X-aws-ec2-metadata-token-ttl-seconds": ttl})


class Ecs(Service):
    """The ECS agent: no secret but the path, which holds an unguessable id."""

    name = "ecs-agent"

    def __init__(self, state: State) -> None:
        self.state = state

    def serves(self, request: Request) -> bool:
        return request.address == ECS_ADDRESS

    def answer(self, request: Request) -> Response:
        if request.path != ECS_PATH:
            return as_json(
                404,
                {
                    "code": "InvalidIdInRequest",
                    "message": "CredentialsV2Request: Credentials not found",
                    "HTTPErrorCode": 404,
                },
            )
        return as_json(200, {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/task", **_session(self.state, "task")})


class Eks(Service):
    """The Pod Identity agent: the pod's projected token, bare, in Authorization."""

    name = "eks-agent"

    def __init__(self, state: State) -> None:
        self.state = state

    def serves(self, request: Request) -> bool:
        return request.address == EKS_ADDRESS

    def answer(self, request: Request) -> Response:
        if request.path != EKS_PATH:
            return as_text(404, "404 page not found\n")
        try:
            claims = self.state.issuers["workload"].verify(request.headers.get("authorization", ""))
        except Invalid:
            return as_text(400, "Service account token cannot be parsed\n")
        if POD_AUDIENCE not in audiences(claims) or claims["exp"] <= time.time():
            return as_text(400, "InvalidTokenException: the service account token is expired or for another audience\n")
        return as_json(200, {"AccountId": ACCOUNT, **_session(self.state, "pod")})


def _session(state: State, role: str) -> Dict[str, Any]:
    key = state.add_session(f"{ASSUMED}/{role}/i-0123456789abcdef0", float(state.settings["aws_session_seconds"]))
    return {
        "AccessKeyId": key.key_id,
        "SecretAccessKey": key.secret,
        "Token": key.session_token,
        "Expiration": _when(key.expires),
    }


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
