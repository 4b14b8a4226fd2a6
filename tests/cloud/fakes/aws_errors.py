"""How AWS says no: JSON 1.1 for ECR, XML of the query protocol for STS.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

import uuid
from typing import Dict, Tuple
from xml.sax.saxutils import escape

from .messages import Refused, Request, Response, as_json
from .sigv4 import BadSignature, Signer, verify
from .state import State

# What a bad signature is called: by the JSON services (always 400), by STS (with its status).
NAMES: Dict[str, Tuple[str, str, int]] = {
    "missing": ("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403),
    "unknown-key": ("UnrecognizedClientException", "InvalidClientTokenId", 403),
    "bad-session": ("UnrecognizedClientException", "InvalidClientTokenId", 403),
    "expired-session": ("ExpiredTokenException", "ExpiredToken", 403),
    "skew": ("InvalidSignatureException", "SignatureDoesNotMatch", 403),
    "mismatch": ("InvalidSignatureException", "SignatureDoesNotMatch", 403),
    "scope": ("InvalidSignatureException", "SignatureDoesNotMatch", 403),
}
# What a service answers with when it is told to fail with a status.
BY_STATUS = {
    401: ("MissingAuthenticationToken", "Missing Authentication Token"),
    403: ("AccessDenied", "Access denied"),
    429: ("Throttling", "Rate exceeded"),
    500: ("InternalFailure", "The request processing has failed because of an unknown error."),
    503: ("ServiceUnavailable", "The request has failed due to a temporary failure of the server."),
}


def json_error(status: int, code: str, message: str) -> Response:
    """An error of a JSON 1.1 service."""
    return as_json(
        status,
        {"__type": code, "message": message},
        {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())},
    )


def xml_error(status: int, code: str, message: str) -> Response:
    """An error of STS."""
    side = "Sender" if status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>{side}</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return Response(status, body.encode(), {"Content-Type": "text/xml"})


def signer_of(state: State, request: Request, service: str, region: str, query_protocol: bool = False) -> Signer:
    """Who signed the request, noted for the call log; refuses as the service would."""
    credential = request.headers.get("authorization", "").partition("Credential=")[2].partition(",")[0]
    request.note["access_key_id"] = credential.partition("/")[0]
    request.note["session_token"] = "x-amz-security-token" in {name.lower() for name in request.headers}
    try:
        signer = verify(request, state.access_keys, float(state.settings["aws_clock_offset"]))
        if signer.service != service:
            raise BadSignature("scope", f"Credential should be scoped to correct service: '{service}'.")
        if signer.region != region:
            raise BadSignature("scope", f"Credential should be scoped to a valid region, not '{signer.region}'.")
    except BadSignature as bad:
        json_name, xml_name, xml_status = NAMES[bad.problem]
        raise Refused(
            xml_error(xml_status, xml_name, str(bad)) if query_protocol else json_error(400, json_name, str(bad))
        ) from bad
    request.note["principal"] = signer.key.principal
    return signer


def is_denied(state: State, signer: Signer, action: str) -> bool:
    """Whether a test took this permission away, from this principal or from all."""
    return bool({signer.key.principal, signer.key.key_id, action} & set(state.settings["aws_denied"]))


def denial(principal: str, action: str, resource: str) -> str:
    """The message IAM writes when no policy allows."""
    return (
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
