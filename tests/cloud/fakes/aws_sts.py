"""STS: moto mints the sessions; who may have one is decided here, since moto asks nobody.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

import datetime
import time
from dataclasses import dataclass

from .aws_errors import BY_STATUS, denial, is_denied, signer_of, xml_error
from .hosts import STS
from .jwt import Invalid, audiences
from .messages import Refused, Request, Response
from .moto import xml_value
from .server import Service
from .sigv4 import AccessKey
from .state import ACCOUNT, State
from .upstream import MOTO_PORT, forward

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
ASSUMED = f"arn:aws:sts::{ACCOUNT}:assumed-role"


@dataclass
class Trust:
    """A role's trust policy, as far as the tests need one."""

    principal: str  # a prefix of the ARNs that may assume the role
    external_id: str = ""


TRUST = {
    f"{ROLE}/puller": Trust(f"arn:aws:iam::{ACCOUNT}:user/"),
    f"{ROLE}/partner": Trust(f"arn:aws:iam::{ACCOUNT}:user/", external_id="beta9-external"),
    f"{ROLE}/chained": Trust(f"{ASSUMED}/puller/"),
    f"{ROLE}/from-node": Trust(f"{ASSUMED}/node/"),
}
WEB_ROLE = f"{ROLE}/web"
WEB_SUBJECT = "system:serviceaccount:pulls:puller"
WEB_AUDIENCE = "sts.amazonaws.com"


class Sts(Service):
    """AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity."""

    name, hosts = "sts", frozenset(STS)

    def __init__(self, state: State) -> None:
        self.state = state

    def refusal(self, status: int) -> Response:
        return xml_error(status, *BY_STATUS.get(status, BY_STATUS[500]))

    def answer(self, request: Request) -> Response:
        form = request.form
        action = form.get("Action", "")
        request.note.update(
            action=action,
            role=form.get("RoleArn"),
            external_id=form.get("ExternalId"),
            session_name=form.get("RoleSessionName"),
        )
        if action == "AssumeRoleWithWebIdentity":
            self._check_web_identity(form)
            return self._assume(request)
        signer = signer_of(self.state, request, "sts", STS[request.host], query_protocol=True)
        if action == "AssumeRole":
            self._check_trust(signer.key, form, is_denied(self.state, signer, "sts:AssumeRole"))
            return self._assume(request)
        return forward(request, MOTO_PORT)

    def _check_trust(self, key: AccessKey, form: dict, denied: bool) -> None:
        role = form.get("RoleArn", "")
        trust = TRUST.get(role)
        if (
            denied
            or trust is None
            or not key.principal.startswith(trust.principal)
            or (trust.external_id and trust.external_id != form.get("ExternalId"))
        ):
            # AWS does not tell a role that does not exist from one that does not trust the caller.
            raise Refused(xml_error(403, "AccessDenied", denial(key.principal, "sts:AssumeRole", role)))
        if key.session_token and int(form.get("DurationSeconds", 3600)) > 3600:
            raise Refused(
                xml_error(
                    400,
                    "ValidationError",
                    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
                )
            )

    def _check_web_identity(self, form: dict) -> None:
        try:
            claims = self.state.issuers["workload"].verify(form.get("WebIdentityToken", ""))
        except Invalid as invalid:
            raise Refused(
                xml_error(
                    400,
                    "InvalidIdentityToken",
                    "Couldn't retrieve verification key from your identity "
                    "provider, please reference AssumeRoleWithWebIdentity documentation for "
                    "requirements",
                )
            ) from invalid
        if claims["exp"] <= time.time():
            raise Refused(
                xml_error(
                    400,
                    "ExpiredTokenException",
                    f"Token expired: current date/time {int(time.time())} "
                    f"must be before the expiration date/time {claims['exp']}",
                )
            )
        if WEB_AUDIENCE not in audiences(claims):
            raise Refused(xml_error(400, "InvalidIdentityToken", "Incorrect token audience"))
        if form.get("RoleArn") != WEB_ROLE or claims.get("sub") != WEB_SUBJECT:
            raise Refused(xml_error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"))

    def _assume(self, request: Request) -> Response:
        answered = forward(request, MOTO_PORT)
        if answered.status == 200:
            document = answered.body.decode()
            end = datetime.datetime.strptime(xml_value(document, "Expiration")[:19], "%Y-%m-%dT%H:%M:%S")
            role, session = request.form["RoleArn"].rpartition("/")[2], request.form["RoleSessionName"]
            key = AccessKey(
                xml_value(document, "AccessKeyId"),
                xml_value(document, "SecretAccessKey"),
                f"{ASSUMED}/{role}/{session}",
                xml_value(document, "SessionToken"),
                end.replace(tzinfo=datetime.timezone.utc).timestamp(),
            )
            self.state.access_keys[key.key_id] = key
        return answered
