"""Google's token endpoints: OAuth 2.0, the Security Token Service and the IAM Credentials API.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
"""

import json
import time
import urllib.parse
from typing import Any, Dict

from .hosts import STS
from .jwt import Invalid, audiences
from .messages import Headers, Refused, Request, Response, as_json
from .server import Service
from .sigv4 import BadSignature, verify
from .state import State

TOKEN_URI = "https://oauth2.googleapis.com/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request"
POOL = "//iam.googleapis.com/projects/555000000001/locations/global/workloadIdentityPools/pool"
WORKLOAD_SUBJECT = "system:serviceaccount:pulls:puller"
CLIENT_ID, CLIENT_SECRET = "world.apps.googleusercontent.com", "GOCSPX-world-client-secret"
REFRESH_TOKEN = "1//world-refresh-token"
USER = "user@example.com"
IMPERSONATED = "impersonated@world-project.iam.gserviceaccount.com"


def oauth_error(status: int, code: str, description: str) -> Refused:
    """An error of RFC 6749, 5.2."""
    return Refused(as_json(status, {"error": code, "error_description": description}))


def mint(state: State, scopes: str, subject: str) -> Dict[str, Any]:
    """An access token and its life, named as every Google endpoint but one names them."""
    seconds = int(state.settings["google_token_seconds"])
    return {
        "access_token": state.tokens.mint("ya29.c.", "google", scopes, seconds, subject),
        "expires_in": seconds,
        "token_type": "Bearer",
    }


class OAuth(Service):
    """oauth2.googleapis.com/token: a service account's signed JWT, or a user's refresh token."""

    name, hosts = "google-oauth", frozenset({"oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com"})

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, request: Request) -> Response:
        if request.host != "oauth2.googleapis.com" or request.path != "/token" or request.method != "POST":
            return as_json(404, {"error": "not_found"})
        grant = request.form.get("grant_type", "")
        request.note["grant_type"] = grant
        if grant == JWT_BEARER:
            return self._service_account(request)
        if grant == "refresh_token":
            return self._user(request)
        raise oauth_error(400, "unsupported_grant_type", f"Invalid grant_type: {grant}")

    def _service_account(self, request: Request) -> Response:
        account = self.state.issuers["service_account"]
        try:
            claims = account.verify(request.form.get("assertion", ""))
        except Invalid as invalid:
            raise oauth_error(400, "invalid_grant", "Invalid JWT Signature.") from invalid
        request.note.update(iss=claims.get("iss"), scope=claims.get("scope"), aud=claims.get("aud"))
        now, issued, ends = time.time(), claims.get("iat", 0), claims.get("exp", 0)
        if claims.get("iss") != account.name:
            raise oauth_error(400, "invalid_grant", "Invalid grant: account not found")
        if TOKEN_URI not in audiences(claims):
            raise oauth_error(
                400, "invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {TOKEN_URI}"
            )
        if not issued - 300 <= now < ends or ends - issued > 3600:
            raise oauth_error(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
                "reasonable timeframe. Check your iat and exp values in the JWT claim.",
            )
        if not claims.get("scope"):
            raise oauth_error(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return as_json(200, mint(self.state, claims["scope"], account.name))

    def _user(self, request: Request) -> Response:
        form = request.form
        if form.get("client_id") != CLIENT_ID:
            raise oauth_error(401, "invalid_client", "The OAuth client was not found.")
        if form.get("client_secret") != CLIENT_SECRET:
            raise oauth_error(401, "invalid_client", "The provided client secret is invalid.")
        if form.get("refresh_token") != REFRESH_TOKEN:
            raise oauth_error(400, "invalid_grant", "Token has been expired or revoked.")
        scope = "https://www.googleapis.com/auth/cloud-platform openid"
        return as_json(200, {**mint(self.state, scope, USER), "scope": scope})


class SecurityTokens(Service):
    """sts.googleapis.com: somebody else's token against a federated one."""

    name, hosts = "google-sts", frozenset({"sts.googleapis.com"})

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, request: Request) -> Response:
        if request.path != "/v1/token" or request.method != "POST":
            return as_json(404, {"error": "not_found"})
        # The REST reference names the fields in camel case; the clients send RFC 8693's names. Google takes both.
        form = {_snake(key): value for key, value in request.form.items()}
        request.note.update({key: form.get(key) for key in ("grant_type", "audience", "scope", "subject_token_type")})
        if form.get("grant_type") != TOKEN_EXCHANGE:
            raise oauth_error(400, "unsupported_grant_type", "Unsupported grant type.")
        if form.get("requested_token_type") != f"{TYPE}access_token":
            raise oauth_error(400, "invalid_request", "Invalid requested token type.")
        if not form.get("scope"):
            raise oauth_error(400, "invalid_scope", "Missing required parameter: scope")
        audience, kind = form.get("audience", ""), form.get("subject_token_type", "")
        if audience not in (f"{POOL}/providers/oidc", f"{POOL}/providers/aws"):
            raise oauth_error(
                400,
                "invalid_request",
                'Invalid value for "audience". This value should be the full resource name of the Identity Provider.',
            )
        if kind == AWS_TYPE and audience.endswith("/aws"):
            subject = self._aws_subject(form.get("subject_token", ""), audience)
        elif kind in (f"{TYPE}jwt", f"{TYPE}id_token") and audience.endswith("/oidc"):
            subject = self._oidc_subject(form.get("subject_token", ""), audience)
        else:
            raise oauth_error(400, "invalid_request", "Invalid subject token type for this provider.")
        return as_json(
            200,
            {
                **mint(self.state, form["scope"], f"principal:{POOL}/subject/{subject}"),
                "issued_token_type": f"{TYPE}access_token",
            },
        )

    def _oidc_subject(self, token: str, audience: str) -> str:
        try:
            claims = self.state.issuers["workload"].verify(token)
        except Invalid as invalid:
            raise oauth_error(400, "invalid_grant", "Error verifying the ID token's signature.") from invalid
        if claims["exp"] <= time.time():
            raise oauth_error(400, "invalid_grant", f"ID Token issued at {claims['iat']} is stale to sign-in.")
        # The provider's default allowed audience is its own full name, with or without the scheme.
        if not {f"https:{audience}", audience} & set(audiences(claims)):
            raise oauth_error(
                400,
                "invalid_grant",
                f"The audience in ID Token {audiences(claims)} does not match the expected audience {audience}.",
            )
        return claims["sub"]

    def _aws_subject(self, token: str, audience: str) -> str:
        """A signed but unsent GetCallerIdentity request. The audience is one of its headers, which Google's own Python
        client adds after signing: it need not be signed."""
        try:
            signed = json.loads(urllib.parse.unquote(token))
            headers = Headers((entry["key"], entry["value"]) for entry in signed["headers"])
            url = urllib.parse.urlsplit(signed["url"])
            request = Request(signed["method"], f"{url.path or '/'}?{url.query}", headers, b"", "", True)
            if (
                url.hostname not in STS
                or request.query.get("Action") != "GetCallerIdentity"
                or headers.get("x-goog-cloud-target-resource") != audience
            ):
                raise oauth_error(400, "invalid_grant", "The AWS subject token is not for this provider.")
            return verify(request, self.state.access_keys).key.principal
        except (ValueError, KeyError, TypeError) as malformed:
            raise oauth_error(400, "invalid_request", "Unable to parse the AWS subject token.") from malformed
        except BadSignature as bad:
            raise oauth_error(
                400, "invalid_grant", f"Received invalid AWS response of type InvalidClientTokenId: {bad}"
            ) from bad


class IamCredentials(Service):
    """iamcredentials.googleapis.com: a token of a service account for anyone who may act as it."""

    name, hosts = "google-iamcredentials", frozenset({"iamcredentials.googleapis.com"})
    callers = ("principal:", USER, "puller@", "node@")

    def __init__(self, state: State) -> None:
        self.state = state

    def refusal(self, status: int) -> Response:
        return api_error(status, "UNKNOWN", "The service failed.")

    def answer(self, request: Request) -> Response:
        caller = self.state.tokens.find(request.bearer, "google")
        if caller is None:
            return api_error(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 "
                "access token, login cookie or other valid authentication credential.",
            )
        request.note.update(
            caller=caller.subject, scope=request.json.get("scope"), lifetime=request.json.get("lifetime")
        )
        path = f"/v1/projects/-/serviceAccounts/{IMPERSONATED}:generateAccessToken"
        if urllib.parse.unquote(request.path) != path or not caller.subject.startswith(self.callers):
            return api_error(
                403,
                "PERMISSION_DENIED",
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
            )
        scopes, lifetime = request.json.get("scope"), request.json.get("lifetime", "3600s")
        if not isinstance(scopes, list) or not scopes:
            return api_error(400, "INVALID_ARGUMENT", "Request contains an invalid argument: scope")
        seconds = int(lifetime.rstrip("s"))
        if not 0 < seconds <= 3600:
            return api_error(400, "INVALID_ARGUMENT", "The lifetime must be between 1 and 3600 seconds.")
        seconds = min(seconds, int(self.state.settings["google_token_seconds"]))
        token = self.state.tokens.mint("ya29.c.", "google", " ".join(scopes), seconds, IMPERSONATED)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        return as_json(200, {"accessToken": token, "expireTime": end})


def api_error(status: int, name: str, message: str) -> Response:
    """An error of a Google API: https://cloud.google.com/apis/design/errors#http_mapping."""
    return as_json(status, {"error": {"code": status, "message": message, "status": name}})


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
