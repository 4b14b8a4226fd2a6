"""AWS, with boto3."""

import base64
import datetime
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .report import claim, refused
from .world import calls, check_pull, content, environment, http, pull, settings, signed, variable

ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"


def client(service: str, region: str = "us-east-1", keys: Any = None, **config: Any) -> Any:
    """A client with the tenant's keys, or with a session's."""
    keys = keys or {"AccessKeyId": variable("AWS_ACCESS_KEY_ID"), "SecretAccessKey": variable("AWS_SECRET_ACCESS_KEY")}
    return boto3.client(
        service,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def ambient(service: str) -> Any:
    """A client that looks for credentials itself."""
    return boto3.Session(region_name="us-east-1").client(service)


def token(ecr: Any) -> dict:
    """The one entry of an answer, with the password taken out of the token."""
    (data,) = ecr.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"]
    user, _, data["password"] = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    return data


@claim("an ECR token ends in 12 hours, names the registry asked for, and pulls from it")
def _() -> None:
    data = token(client("ecr"))
    left = data["expiresAt"] - datetime.datetime.now(datetime.timezone.utc)
    assert abs(left.total_seconds() - 12 * 3600) < 60, left
    assert data["proxyEndpoint"] == f"https://{REGISTRY}", data["proxyEndpoint"]
    check_pull(REGISTRY, "AWS", data["password"])
    (call,) = calls(service="ecr")
    assert call["note"]["registryIds"] == [ACCOUNT] and call["note"]["access_key_id"] == variable("AWS_ACCESS_KEY_ID")
    assert call["note"]["session_token"] is False


@claim("FIPS, dual-stack, China, GovCloud, EU and isolated hosts of ECR answer where boto3 looks for them")
def _() -> None:
    for region, config, host in (
        ("us-east-1", {"use_fips_endpoint": True}, "api.ecr-fips.us-east-1.amazonaws.com"),
        ("us-east-1", {"use_dualstack_endpoint": True}, "ecr.us-east-1.api.aws"),
        ("us-west-2", {"use_fips_endpoint": True, "use_dualstack_endpoint": True}, "ecr-fips.us-west-2.api.aws"),
        ("cn-north-1", {}, "api.ecr.cn-north-1.amazonaws.com.cn"),
        ("cn-north-1", {"use_dualstack_endpoint": True}, "ecr.cn-north-1.api.amazonwebservices.com.cn"),
        ("us-gov-west-1", {}, "api.ecr.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", {}, "api.ecr.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", {}, "api.ecr.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", {}, "api.ecr.us-isob-east-1.sc2s.sgov.gov"),
    ):
        token(client("ecr", region, **config))
        assert calls(service="ecr")[-1]["host"] == host, (host, calls(service="ecr")[-1]["host"])


@claim("an ECR token of one region or of a shorter life does not pull elsewhere or later")
def _() -> None:
    data = token(client("ecr", "us-west-2"))
    assert "unauthorized" in pull(REGISTRY, "AWS", data["password"]).lower()
    settings(ecr_token_seconds=1)
    data = token(client("ecr"))
    time.sleep(1.1)
    assert "Your authorization token has expired" in pull(REGISTRY, "AWS", data["password"])


@claim("ECR Public answers one object, in us-east-1, and its token pulls from public.ecr.aws")
def _() -> None:
    data = client("ecr-public").get_authorization_token()["authorizationData"]
    assert set(data) == {"authorizationToken", "expiresAt"}, data
    password = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
    for registry in ("public.ecr.aws", "ecr-public.aws.com"):
        check_pull(registry, "AWS", password)
    assert calls(service="ecr-public")[0]["note"]["action"] == "SpencerFrontendService.GetAuthorizationToken"


@claim("ECR refuses a wrong secret, an unknown key, a denied principal and a wrong clock, as AWS words it")
def _() -> None:
    with refused(ClientError, "InvalidSignatureException", "does not match the signature you provided"):
        token(client("ecr", keys={"AccessKeyId": variable("AWS_ACCESS_KEY_ID"), "SecretAccessKey": "wrong"}))
    with refused(ClientError, "UnrecognizedClientException", "security token included in the request is invalid"):
        token(client("ecr", keys={"AccessKeyId": "AKIAUNKNOWN", "SecretAccessKey": "wrong"}))
    settings(aws_denied=[variable("AWS_PRINCIPAL")])
    with refused(ClientError, "AccessDeniedException", variable("AWS_PRINCIPAL"), "ecr:GetAuthorizationToken"):
        token(client("ecr"))
    settings(aws_denied=["sts:GetServiceBearerToken"])
    with refused(ClientError, "AccessDeniedException", "is not authorized to perform: sts:GetServiceBearerToken"):
        client("ecr-public").get_authorization_token()
    settings(aws_denied=[], aws_clock_offset=3600)
    with refused(ClientError, "InvalidSignatureException", "Signature expired", "is now earlier than"):
        token(client("ecr"))
    settings(aws_clock_offset=-3600)
    with refused(ClientError, "InvalidSignatureException", "Signature not yet current"):
        token(client("ecr"))


@claim("ECR refuses a request that is not signed, and a registry id that is none")
def _() -> None:
    answer = http(
        "POST",
        "https://api.ecr.us-east-1.amazonaws.com/",
        {},
        Content_Type="application/x-amz-json-1.1",
        X_Amz_Target="AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    )
    assert (answer.status, answer.json["__type"]) == (400, "MissingAuthenticationTokenException"), answer.text
    with refused(ClientError, "InvalidParameterException", "[0-9]{12}"):
        client("ecr").get_authorization_token(registryIds=["1234"])


@claim("a session's keys work with their session token only, and until they end")
def _() -> None:
    settings(aws_session_seconds=1)
    with environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=variable("ECS_CREDENTIALS_URI")):
        found = boto3.Session().get_credentials().get_frozen_credentials()
    keys = {"AccessKeyId": found.access_key, "SecretAccessKey": found.secret_key}
    with refused(ClientError, "UnrecognizedClientException"):
        token(client("ecr", keys=keys))
    time.sleep(1.1)
    with refused(ClientError, "ExpiredTokenException", "is expired"):
        token(client("ecr", keys={**keys, "SessionToken": found.token}))
    with refused(ClientError, "(ExpiredToken)", "is expired"):
        client("sts", keys={**keys, "SessionToken": found.token}).get_caller_identity()


def assume(sts: Any, role: str, **more: Any) -> dict:
    """The session's keys of a role."""
    return sts.assume_role(RoleArn=variable(role), RoleSessionName="claims", **more)["Credentials"]


@claim("a role is assumed with the right keys and external id, chained, and refused otherwise")
def _() -> None:
    sts = client("sts")
    keys = assume(sts, "AWS_ROLE")
    token(client("ecr", keys=keys))
    assert calls(service="ecr")[0]["note"]["principal"].endswith("assumed-role/puller/claims")
    token(client("ecr", keys=assume(client("sts", keys=keys), "AWS_CHAINED_ROLE")))
    token(client("ecr", keys=assume(sts, "AWS_EXTERNAL_ID_ROLE", ExternalId=variable("AWS_EXTERNAL_ID"))))
    for role, more in (
        ("AWS_EXTERNAL_ID_ROLE", {}),
        ("AWS_EXTERNAL_ID_ROLE", {"ExternalId": "wrong"}),
        ("AWS_CHAINED_ROLE", {}),
    ):
        with refused(ClientError, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource"):
            assume(sts, role, **more)
    with refused(ClientError, "(InvalidClientTokenId)"):
        assume(client("sts", keys={"AccessKeyId": "AKIAUNKNOWN", "SecretAccessKey": "wrong"}), "AWS_ROLE")
    with refused(ClientError, "(SignatureDoesNotMatch)"):
        assume(client("sts", keys={"AccessKeyId": variable("AWS_ACCESS_KEY_ID"), "SecretAccessKey": "no"}), "AWS_ROLE")
    with refused(ClientError, "ValidationError", "role chaining"):
        assume(client("sts", keys=keys), "AWS_CHAINED_ROLE", DurationSeconds=7200)


@claim("a web identity token becomes a role, and a forged, foreign or expired one does not")
def _() -> None:
    with environment(AWS_ROLE_ARN=variable("AWS_WEB_ROLE"), AWS_WEB_IDENTITY_TOKEN_FILE=variable("AWS_WEB_TOKEN_FILE")):
        token(ambient("ecr"))
    (call,) = calls(service="sts")
    assert call["note"]["action"] == "AssumeRoleWithWebIdentity"
    subject = "system:serviceaccount:pulls:puller"
    for name, text, wrong in (
        ("InvalidIdentityToken", "verification key", signed(by="stranger", sub=subject, aud="sts.amazonaws.com")),
        ("InvalidIdentityToken", "Incorrect token audience", signed(sub=subject, aud="elsewhere")),
        ("ExpiredTokenException", "Token expired", signed(seconds=-5, sub=subject, aud="sts.amazonaws.com")),
        ("AccessDenied", "sts:AssumeRoleWithWebIdentity", signed(sub="other", aud="sts.amazonaws.com")),
    ):
        with refused(ClientError, name, text):
            client("sts").assume_role_with_web_identity(
                RoleArn=variable("AWS_WEB_ROLE"), RoleSessionName="claims", WebIdentityToken=wrong
            )


@claim("IMDS gives the node's role to those who speak version 2")
def _() -> None:
    token(ambient("ecr"))
    assert calls(service="ecr")[0]["note"]["session_token"] is True
    assert http("GET", "http://169.254.169.254/latest/meta-data/iam/security-credentials/").status == 401
    assert http("PUT", "http://169.254.169.254/latest/api/token").status == 400
    assert http("GET", "http://169.254.169.254/latest/api/token").status == 405


@claim("the ECS agent gives the task's role, the EKS agent the pod's, for its token alone")
def _() -> None:
    with environment(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=variable("ECS_CREDENTIALS_URI").partition("170.2")[2]):
        token(ambient("ecr"))
    assert "/task/" in calls(service="ecr")[-1]["note"]["principal"]
    with environment(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=variable("EKS_CREDENTIALS_URI"),
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=variable("EKS_TOKEN_FILE"),
    ):
        token(ambient("ecr"))
    assert "/pod/" in calls(service="ecr")[-1]["note"]["principal"]
    assert http("GET", variable("EKS_CREDENTIALS_URI")).status == 400
    wrong = http("GET", variable("EKS_CREDENTIALS_URI"), Authorization=content("AWS_WEB_TOKEN_FILE"))
    assert wrong.status == 400, wrong.text
