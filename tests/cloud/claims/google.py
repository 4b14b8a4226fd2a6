"""Google, with google-auth."""

import json
import time

import google.auth
from google.auth import aws, exceptions, identity_pool, impersonated_credentials
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from .report import claim, refused
from .world import calls, check_pull, content, environment, http, pull, settings, signed, variable

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PROVIDER = "//iam.googleapis.com/projects/555000000001/locations/global/workloadIdentityPools/pool/providers"


def minted(file: str) -> str:
    """The access token google-auth gets with a credential file."""
    kind = {
        "GOOGLE_EXTERNAL_AWS_FILE": aws.Credentials,
        "GOOGLE_EXTERNAL_FILE": identity_pool.Credentials,
        "GOOGLE_EXTERNAL_URL_FILE": identity_pool.Credentials,
        "GOOGLE_EXTERNAL_IMPERSONATED_FILE": identity_pool.Credentials,
    }.get(file)
    if kind:  # the general loader would ask the Resource Manager for the project's name first
        credentials = kind.from_file(variable(file), scopes=[SCOPE])
    else:
        credentials, _ = google.auth.load_credentials_from_file(variable(file), scopes=[SCOPE])
    credentials.refresh(Request())
    return credentials.token


@claim("a service-account key becomes a token that pulls from Artifact Registry and gcr.io")
def _() -> None:
    token = minted("GOOGLE_SERVICE_ACCOUNT_FILE")
    check_pull("us-docker.pkg.dev", "oauth2accesstoken", token, "LONG_IMAGE")
    check_pull("gcr.io", "oauth2accesstoken", token)
    check_pull("docker.us-central1.rep.pkg.dev", "oauth2accesstoken", token, "LONG_IMAGE")
    assert "unauthorized" in pull("gcr.io", "_json_key", content("GOOGLE_SERVICE_ACCOUNT_FILE")).lower()
    assert calls(service="google-oauth")[0]["note"]["scope"] == SCOPE


@claim("the token endpoint refuses a forged, foreign, long or stale assertion and a missing scope")
def _() -> None:
    key = json.loads(content("GOOGLE_SERVICE_ACCOUNT_FILE"))
    email, right = key["client_email"], "https://oauth2.googleapis.com/token"
    now = int(time.time())
    for error, text, assertion in (
        ("invalid_grant", "Invalid JWT Signature.", signed(iss=email, aud=right, scope=SCOPE)),
        ("invalid_grant", "account not found", signed(by="service_account", iss="x", aud=right, scope=SCOPE)),
        ("invalid_grant", "Failed audience check", signed(by="service_account", aud="https://x", scope=SCOPE)),
        ("invalid_grant", "short-lived token", signed(by="service_account", seconds=7200, aud=right, scope=SCOPE)),
        ("invalid_grant", "short-lived token", signed(by="service_account", seconds=-1, aud=right, scope=SCOPE)),
        (
            "invalid_grant",
            "short-lived token",
            signed(by="service_account", aud=right, scope=SCOPE, iat=now + 3600, exp=now + 7000),
        ),
        ("invalid_scope", "scope", signed(by="service_account", aud=right)),
    ):
        answer = http("POST", right, {"grant_type": ASSERTION, "assertion": assertion})
        assert answer.status == 400 and answer.json["error"] == error, answer.text
        assert text in answer.json["error_description"], answer.text
    answer = http("POST", right, {"grant_type": "password"})
    assert answer.json["error"] == "unsupported_grant_type", answer.text


@claim("a token with a scope that does not reach registries, and an expired one, pull nothing")
def _() -> None:
    credentials = service_account.Credentials.from_service_account_file(
        variable("GOOGLE_SERVICE_ACCOUNT_FILE"), scopes=["https://www.googleapis.com/auth/drive"]
    )
    credentials.refresh(Request())
    assert "unauthorized" in pull("gcr.io", "oauth2accesstoken", credentials.token).lower()
    settings(google_token_seconds=1)
    token = minted("GOOGLE_SERVICE_ACCOUNT_FILE")
    time.sleep(1.1)
    assert "unauthorized" in pull("gcr.io", "oauth2accesstoken", token).lower()


@claim("a user's refresh token becomes an access token, with the right client secret only")
def _() -> None:
    check_pull("gcr.io", "oauth2accesstoken", minted("GOOGLE_USER_FILE"))
    user = json.loads(content("GOOGLE_USER_FILE"))
    form = {
        "grant_type": "refresh_token",
        **{name: user[name] for name in ("client_id", "client_secret", "refresh_token")},
    }
    for name, status, error in (
        ("client_id", 401, "invalid_client"),
        ("client_secret", 401, "invalid_client"),
        ("refresh_token", 400, "invalid_grant"),
    ):
        answer = http("POST", "https://oauth2.googleapis.com/token", {**form, name: "wrong"})
        assert (answer.status, answer.json["error"]) == (status, error), answer.text


@claim("the metadata server gives the node's token, with its header only, and carries the header itself")
def _() -> None:
    credentials, project = google.auth.default(scopes=[SCOPE])
    credentials.refresh(Request())
    assert project == "world-project" and credentials.service_account_email == variable("GOOGLE_NODE_ACCOUNT")
    check_pull("us-docker.pkg.dev", "oauth2accesstoken", credentials.token, "LONG_IMAGE")
    url = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    assert http("GET", url).status == 403
    answer = http("GET", url, Metadata_Flavor="Google")
    assert answer.status == 200 and answer.headers["Metadata-Flavor"] == "Google"
    assert http("GET", url, Metadata_Flavor="Google", X_Forwarded_For="1.2.3.4").status == 403


@claim("a workload's token is exchanged, from a file, a URL and AWS, and pulls")
def _() -> None:
    for file in ("GOOGLE_EXTERNAL_FILE", "GOOGLE_EXTERNAL_URL_FILE"):
        check_pull("gcr.io", "oauth2accesstoken", minted(file))
    keys = {f"AWS_{name}": variable(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
    with environment(AWS_REGION="us-east-1", **keys):
        check_pull("gcr.io", "oauth2accesstoken", minted("GOOGLE_EXTERNAL_AWS_FILE"))
    check_pull("gcr.io", "oauth2accesstoken", minted("GOOGLE_EXTERNAL_AWS_FILE"))  # with the node's role
    with (
        environment(AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID=keys["AWS_ACCESS_KEY_ID"], AWS_SECRET_ACCESS_KEY="wrong"),
        refused(exceptions.OAuthError, "invalid_grant"),
    ):
        minted("GOOGLE_EXTERNAL_AWS_FILE")


@claim("the exchange refuses a forged, foreign or expired token, another audience and another grant")
def _() -> None:
    subject, audience = "system:serviceaccount:pulls:puller", f"https:{PROVIDER}/oidc"
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": f"{PROVIDER}/oidc",
        "scope": SCOPE,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": signed(sub=subject, aud=audience),
    }
    url = "https://sts.googleapis.com/v1/token"
    assert http("POST", url, form).json["issued_token_type"] == form["requested_token_type"]
    for error, changed in (
        ("invalid_grant", {"subject_token": signed(by="stranger", sub=subject, aud=audience)}),
        ("invalid_grant", {"subject_token": signed(sub=subject, aud="elsewhere")}),
        ("invalid_grant", {"subject_token": signed(seconds=-5, sub=subject, aud=audience)}),
        ("invalid_request", {"audience": "//iam.googleapis.com/elsewhere"}),
        ("invalid_request", {"subject_token_type": "urn:ietf:params:aws:token-type:aws4_request"}),
        ("unsupported_grant_type", {"grant_type": "client_credentials"}),
        ("invalid_scope", {"scope": ""}),
    ):
        answer = http("POST", url, {**form, **changed})
        assert answer.status == 400 and answer.json["error"] == error, answer.text


@claim("a service account is impersonated by a federated identity and by a user, within an hour")
def _() -> None:
    for file in ("GOOGLE_EXTERNAL_IMPERSONATED_FILE", "GOOGLE_IMPERSONATED_FILE"):
        check_pull("us-docker.pkg.dev", "oauth2accesstoken", minted(file), "LONG_IMAGE")
    source, _ = google.auth.load_credentials_from_file(variable("GOOGLE_USER_FILE"), scopes=[SCOPE])
    for target, seconds, text in (
        ("other@world-project.iam.gserviceaccount.com", 3600, "iam.serviceAccounts.getAccessToken"),
        (variable("GOOGLE_IMPERSONATED"), 7200, "INVALID_ARGUMENT"),
    ):
        credentials = impersonated_credentials.Credentials(source, target, [SCOPE], lifetime=seconds)
        with refused(exceptions.RefreshError, text):
            credentials.refresh(Request())
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{variable('GOOGLE_IMPERSONATED')}"
    answer = http("POST", f"{url}:generateAccessToken", {}, Authorization="Bearer nothing")
    assert answer.status == 401 and answer.json["error"]["status"] == "UNAUTHENTICATED", answer.text
