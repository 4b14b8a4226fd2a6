"""AWS: ECR of every partition and endpoint, ECR Public, and every way to have credentials for them."""

import contextlib
import json
import tempfile
import urllib.request
from typing import Dict, Iterator, List

from claims.report import claim
from claims.world import calls, check_pull, control, order, settings, signed, variable

from .driver import Said, check_answered, check_pulls, check_refused, check_sent_only_to, config, get, secret

ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
API = "api.ecr.us-east-1.amazonaws.com"
STS = "sts.us-east-1.amazonaws.com"
AMBIENT = "ambient = true\n"
NO_IMDS = {"AWS_EC2_METADATA_DISABLED": "true"}
# What the node has and no tenant's login may ever use.
NODE = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "the-nodes-own-secret",
    "AWS_SESSION_TOKEN": "the-nodes-own-session",
    "AWS_PROFILE": "node",
    "AWS_ENDPOINT_URL": "https://evil.example.com",
    "AWS_ENDPOINT_URL_ECR": "https://evil.example.com",
    "AWS_ENDPOINT_URL_STS": "https://evil.example.com",
    "AWS_REGION": "eu-west-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
}


def keys(**more: str) -> Dict[str, str]:
    """The tenant's keys, and more."""
    return {
        "AWS_ACCESS_KEY_ID": variable("AWS_ACCESS_KEY_ID"),
        "AWS_SECRET_ACCESS_KEY": variable("AWS_SECRET_ACCESS_KEY"),
        **more,
    }


def session_keys() -> Dict[str, str]:
    """Keys that end, with their session token."""
    with urllib.request.urlopen(variable("ECS_CREDENTIALS_URI")) as answer:
        found = json.load(answer)
    return {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["Token"],
    }


def tenant(registry: str = REGISTRY, **more: str) -> Said:
    """Ask with the tenant's keys."""
    return get(registry, secret(registry, "aws", keys(**more)))


def node(registry: str = REGISTRY, text: str = AMBIENT, **environment: str) -> Said:
    """Ask as the node, under this configuration."""
    with config(text) as configured:
        return get(registry, {**configured, **environment})


def rule(**values: str) -> str:
    """A configuration with a rule for the registry."""
    return f'{AMBIENT}[[registry]]\nhost = "{REGISTRY}"\n' + "".join(
        f'{key} = "{value}"\n' for key, value in values.items()
    )


@contextlib.contextmanager
def profiles(text: str) -> Iterator[Dict[str, str]]:
    """The environment that names a file of profiles, without the instance's role."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        yield {"AWS_CONFIG_FILE": file.name, "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", **NO_IMDS}


def profile_of_keys(name: str) -> str:
    """A profile that holds the tenant's keys, which here are the node's."""
    return (
        f"[{name}]\naws_access_key_id = {variable('AWS_ACCESS_KEY_ID')}\n"
        f"aws_secret_access_key = {variable('AWS_SECRET_ACCESS_KEY')}\n"
    )


def principal() -> str:
    """Who asked ECR last."""
    return calls(service="ecr")[-1]["note"]["principal"]


def services() -> List[str]:
    """The services that were called."""
    return [call["service"] for call in calls()]


@claim("a secret's keys pull from the account and region of the host, with no region set anywhere")
def _() -> None:
    check_pulls(REGISTRY, secret(REGISTRY, "aws", keys()))
    (call,) = calls(service="ecr")
    assert call["host"] == API and call["note"]["registryIds"] == [ACCOUNT], call
    assert call["note"]["access_key_id"] == variable("AWS_ACCESS_KEY_ID") and not call["note"]["session_token"]
    said = tenant(AWS_REGION="eu-west-1").credential
    assert said["Username"] == "AWS" and calls(service="ecr")[-1]["host"] == API
    check_pull(REGISTRY, "AWS", said["Secret"])


@claim("every partition, FIPS and dual-stack host calls the API endpoint that goes with it")
def _() -> None:
    for registry, api in (
        ("dkr.ecr-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com"),
        ("dkr-ecr.us-east-1.on.aws", "ecr.us-east-1.api.aws"),
        ("dkr-ecr-fips.us-west-2.on.aws", "ecr-fips.us-west-2.api.aws"),
        ("dkr.ecr.us-gov-west-1.amazonaws.com", "api.ecr.us-gov-west-1.amazonaws.com"),
        ("dkr.ecr-fips.us-gov-west-1.amazonaws.com", "api.ecr-fips.us-gov-west-1.amazonaws.com"),
        ("dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn"),
        ("dkr.ecr.cn-north-1.on.amazonwebservices.com.cn", "ecr.cn-north-1.api.amazonwebservices.com.cn"),
        ("dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "ecr.cn-north-1.api.amazonwebservices.com.cn"),
        ("dkr.ecr.eusc-de-east-1.amazonaws.eu", "api.ecr.eusc-de-east-1.amazonaws.eu"),
        ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "api.ecr.us-iso-east-1.c2s.ic.gov"),
        ("dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "api.ecr.us-isob-east-1.sc2s.sgov.gov"),
    ):
        host = f"{ACCOUNT}.{registry}"
        check_pulls(host, secret(host, "aws", keys()))
        assert calls(service="ecr")[-1]["host"] == api, (host, calls(service="ecr")[-1]["host"])


@claim("ECR Public is asked in us-east-1, for either of its hosts, and its token pulls")
def _() -> None:
    for host, api in (
        ("public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com"),
        ("ecr-public.aws.com", "ecr-public.us-east-1.api.aws"),
    ):
        check_pulls(host, secret(host, "aws", keys(AWS_REGION="eu-west-1")))
        assert calls(service="ecr-public")[-1]["host"] == api
    check_pull("public.ecr.aws", "AWS", node("public.ecr.aws").secret)


@claim("a session's keys and token in a secret are used, and the keys without the token say what is missing")
def _() -> None:
    session = session_keys()
    check_pull(REGISTRY, "AWS", get(REGISTRY, secret(REGISTRY, "aws", session)).secret)
    assert calls(service="ecr")[0]["note"]["session_token"] is True
    del session["AWS_SESSION_TOKEN"]
    check_refused(get(REGISTRY, secret(REGISTRY, "aws", session)), "AWS_SESSION_TOKEN", "secret")


@claim("a secret's role is assumed with the secret's own keys, in the registry's region, with its external id")
def _() -> None:
    role = {"AWS_ROLE_ARN": variable("AWS_ROLE")}
    check_pulls(REGISTRY, secret(REGISTRY, "aws", keys(**role)))
    (call,) = calls(service="sts")
    assert call["host"] == STS and call["note"]["access_key_id"] == variable("AWS_ACCESS_KEY_ID"), call
    assert "assumed-role/puller/" in principal()
    other = {"AWS_ROLE_ARN": variable("AWS_EXTERNAL_ID_ROLE")}
    check_pull(REGISTRY, "AWS", tenant(**other, AWS_EXTERNAL_ID=variable("AWS_EXTERNAL_ID")).secret)
    for wrong in ({}, {"AWS_EXTERNAL_ID": "wrong"}):
        check_refused(
            tenant(**other, **wrong), "STS", "access denied", variable("AWS_PRINCIPAL"), "sts:AssumeRole", "external id"
        )
    host = f"{ACCOUNT}.dkr.ecr-fips.us-west-2.amazonaws.com"
    check_pull(host, "AWS", get(host, secret(host, "aws", keys(**role))).secret)
    assert calls(service="sts")[-1]["host"] == "sts-fips.us-west-2.amazonaws.com"


@claim("with a secret, nothing of the node is used: no variable, profile, agent or metadata service")
def _() -> None:
    with profiles(profile_of_keys("node")) as files:
        environment = {**NODE, **files, **secret(REGISTRY, "aws", keys(AWS_ROLE_ARN=variable("AWS_ROLE")))}
        del environment["AWS_EC2_METADATA_DISABLED"]
        check_pull(REGISTRY, "AWS", get(REGISTRY, environment).secret)
        assert [call["host"] for call in calls(service="ecr") + calls(service="sts")] == [API, STS]
        control("/reset", {})
        for wrong in ({"AWS_SECRET_ACCESS_KEY": "wrong"}, {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"}):
            environment.update(secret(REGISTRY, "aws", {**keys(), **wrong}))
            check_refused(get(REGISTRY, environment), "ECR", "correct the keys in the secret")
    assert set(services()) == {"ecr"}, services()
    check_sent_only_to([], NODE["AWS_ACCESS_KEY_ID"], NODE["AWS_SESSION_TOKEN"])


@claim("a secret that would steer the node is refused by the key's name, and nobody is called")
def _() -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_ECR",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "HTTPS_PROXY",
    ):
        said = tenant(**{name: "https://evil.example.com"})
        check_refused(said, REGISTRY, f"{name} controls the node", "take it out of the secret")
        assert "evil.example.com" not in said.out
    for more, text in (
        ({"AWS_ROLE_ARN": "arn:aws:iam::1:user/x"}, "AWS_ROLE_ARN isn't a valid role ARN"),
        ({"AWS_ROLE_ARN": variable("AWS_ROLE"), "AWS_EXTERNAL_ID": "a b"}, "AWS_EXTERNAL_ID isn't a valid external id"),
        ({"AWS_SECRET_ACCESS_KEY": "a\nb"}, "AWS_SECRET_ACCESS_KEY holds"),
    ):
        check_refused(tenant(**more), text)
    assert not services(), services()


@claim("the node's identity is not used unless it is configured, and not where there is a secret")
def _() -> None:
    said = node(text="", **keys())
    assert said.status == 1 and said.out.strip() == "credentials not found in native keychain", said.out
    assert not services(), services()
    with config(AMBIENT) as configured:
        other = {
            "AWS_ACCESS_KEY_ID": variable("AWS_OTHER_ACCESS_KEY_ID"),
            "AWS_SECRET_ACCESS_KEY": variable("AWS_OTHER_SECRET_ACCESS_KEY"),
        }
        check_answered(get(REGISTRY, {**configured, **other, **secret(REGISTRY, "aws", keys())}))
    assert principal() == variable("AWS_PRINCIPAL")


@claim("the node's identity comes from the environment, the container's agent, the pod's agent or IMDSv2")
def _() -> None:
    ecs = variable("ECS_CREDENTIALS_URI")
    eks = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": variable("EKS_CREDENTIALS_URI"),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": variable("EKS_TOKEN_FILE"),
    }
    for environment, expected in (
        (keys(), variable("AWS_PRINCIPAL")),
        (session_keys(), "assumed-role/task/"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ecs.partition("170.2")[2]}, "assumed-role/task/"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": ecs}, "assumed-role/task/"),
        (eks, "assumed-role/pod/"),
        ({}, "assumed-role/node/"),
    ):
        with config(AMBIENT) as configured:
            check_pulls(REGISTRY, {**configured, **environment})
        assert expected in principal(), (environment, principal())


@claim("web identity, as of IRSA, becomes its role, and a token that is not accepted says why")
def _() -> None:
    role = {"AWS_ROLE_ARN": variable("AWS_WEB_ROLE")}
    with config(AMBIENT) as configured:
        check_pulls(REGISTRY, {**configured, **role, "AWS_WEB_IDENTITY_TOKEN_FILE": variable("AWS_WEB_TOKEN_FILE")})
    assert "assumed-role/web/" in principal() and calls(service="sts")[0]["host"] == STS
    subject, audience = "system:serviceaccount:pulls:puller", "sts.amazonaws.com"
    for token, text in (
        (signed(by="stranger", sub=subject, aud=audience), "does not accept the web identity token"),
        (signed(sub=subject, aud="elsewhere"), "does not accept the web identity token"),
        (signed(seconds=-5, sub=subject, aud=audience), "the web identity token has expired"),
        (signed(sub="other", aud=audience), "access denied"),
    ):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(token)
            file.flush()
            check_refused(node(**role, AWS_WEB_IDENTITY_TOKEN_FILE=file.name), "STS", text)
    check_refused(node(**role, AWS_WEB_IDENTITY_TOKEN_FILE="/nowhere"), "AWS_WEB_IDENTITY_TOKEN_FILE")


@claim("profiles give keys, roles, chains of roles and credential_process; a rule's profile is used alone")
def _() -> None:
    chain = (
        profile_of_keys("default")
        + f"[profile first]\nrole_arn = {variable('AWS_ROLE')}\nsource_profile = default\n"
        + f"[profile second]\nrole_arn = {variable('AWS_CHAINED_ROLE')}\nsource_profile = first\n"
        + "[profile empty]\nregion = us-east-1\n"
    )
    with profiles(chain) as files:
        for environment, expected in (
            ({}, variable("AWS_PRINCIPAL")),
            ({"AWS_PROFILE": "first"}, "assumed-role/puller/"),
            ({"AWS_PROFILE": "second"}, "assumed-role/chained/"),
        ):
            with config(AMBIENT) as configured:
                check_pulls(REGISTRY, {**configured, **files, **environment})
            assert expected in principal(), (environment, principal())
        other = {**files, "AWS_ACCESS_KEY_ID": variable("AWS_OTHER_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY": "wrong"}
        check_answered(node(text=rule(profile="second"), **other))
        assert "assumed-role/chained/" in principal()
        check_refused(node(text=rule(profile="empty"), **other), "the profile empty has no credentials")
        missing = ("names the profile missing", f"not in {files['AWS_CONFIG_FILE']} and /nowhere")
        check_refused(node(text=rule(profile="missing"), **other), "the rule", *missing)
        check_refused(node(AWS_PROFILE="missing", **files), "AWS_PROFILE", *missing)
    document = {
        "Version": 1,
        "AccessKeyId": variable("AWS_ACCESS_KEY_ID"),
        "SecretAccessKey": variable("AWS_SECRET_ACCESS_KEY"),
    }
    with tempfile.NamedTemporaryFile("w") as file:
        json.dump(document, file)
        file.flush()
        with profiles(f"[default]\ncredential_process = cat {file.name}\n") as files, config(AMBIENT) as configured:
            check_pulls(REGISTRY, {**configured, **files})
        assert principal() == variable("AWS_PRINCIPAL")
    with profiles("[default]\ncredential_process = sh -c 'echo leaked-credential >&2; exit 3'\n") as files:
        said = node(**files)
        check_refused(said, "credential_process failed")
        assert "leaked-credential" not in said.out + said.err
    with profiles("[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone\n") as files:
        check_refused(node(**files), "source_profile of the profile default names the profile gone")
    with profiles("[default]\nrole_arn = arn:aws:iam::123456789012:role/x\n") as files:
        check_refused(node(**files), "the node's AWS configuration is wrong", "default")
    sso = (
        "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://evil.example.com/start\n"
        "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = puller\n"
    )
    with profiles(sso) as files:
        check_refused(node(**files), "the profile default has no SSO session", "aws sso login --profile default")


@claim("a rule's role and external id are assumed with the node's identity, and wrong ones are the operator's error")
def _() -> None:
    with config(rule(role_arn=variable("AWS_NODE_ROLE"))) as configured:
        check_pulls(REGISTRY, configured)
    assert "assumed-role/from-node/" in principal()
    partner = {"role_arn": variable("AWS_EXTERNAL_ID_ROLE"), "external_id": variable("AWS_EXTERNAL_ID")}
    check_answered(node(text=rule(**partner), **keys()))
    assert "assumed-role/partner/" in principal()
    check_refused(
        node(text=rule(**{**partner, "external_id": "wrong"}), **keys()), "STS", "access denied", "external id"
    )
    check_refused(node(text=rule(role_arn="puller"), **keys()), "the rule's role_arn isn't a valid role ARN", "configuration")


@claim("an alias, a VPC endpoint and a host that only a rule calls ECR's are asked for where the operator says")
def _() -> None:
    mirror = "mirror.corp.example"
    vpc = "https://api.ecr-fips.us-east-1.amazonaws.com"
    brought = secret(mirror, "aws", keys())
    for text, api in (
        (f'[[registry]]\nhost = "{mirror}"\nalias_of = "{REGISTRY}"\n', API),
        (f'[[registry]]\nhost = "{mirror}"\nalias_of = "{REGISTRY}"\nendpoint_url = "{vpc}"\n', vpc[8:]),
        (f'[[registry]]\nhost = "{mirror}"\nbackend = "aws"\nregion = "us-east-1"\n', API),
    ):
        with config(text) as configured:
            check_pull(REGISTRY, "AWS", get(mirror, {**configured, **brought}).secret)
        assert calls(service="ecr")[-1]["host"] == api, calls(service="ecr")[-1]["host"]
    assert calls(service="ecr")[-1]["note"]["registryIds"] is None
    with config(f'[[registry]]\nhost = "{mirror}"\nbackend = "aws"\n') as configured:
        check_refused(get(mirror, {**configured, **brought}), mirror, "alias_of")
    check_answered(node(text=rule(endpoint_url=vpc)))
    assert calls(service="ecr")[-1]["host"] == vpc[8:]
    check_answered(node(AWS_ENDPOINT_URL_ECR=vpc))
    assert calls(service="ecr")[-1]["host"] == vpc[8:]


@claim("a token for another registry than the one asked for is not answered")
def _() -> None:
    for endpoint, named in (
        ("https://210987654321.dkr.ecr.us-east-1.amazonaws.com", "210987654321.dkr.ecr.us-east-1.amazonaws.com"),
        (f"https://{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com", "us-west-2"),
        (f"https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com.cn", "amazonaws.com.cn"),
        (f"https://{REGISTRY}.evil.example.com", "another registry"),
    ):
        settings(ecr_proxy_endpoint=endpoint)
        check_refused(tenant(), "ECR returned a token for", named)
    settings(ecr_proxy_endpoint=f"https://{REGISTRY}")
    host = f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com"
    check_answered(get(host, secret(host, "aws", keys())))


@claim("a region of another partition is refused before anything is sent")
def _() -> None:
    for host in (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com.cn", f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com"):
        check_refused(get(host, secret(host, "aws", keys())), host, "there is no region", "correct the registry's name")
    assert not services(), services()


@claim("an expired session, a denial, wrong keys and a wrong clock each say what to do")
def _() -> None:
    settings(aws_session_seconds=-1)
    check_refused(get(REGISTRY, secret(REGISTRY, "aws", session_keys())), "the session has expired", "store fresh keys")
    check_refused(node(**session_keys()), "the session has expired", "renew the node's session")
    settings(aws_session_seconds=3600)
    check_refused(tenant(AWS_SECRET_ACCESS_KEY="wrong"), "secret access key does not belong to the access key id")
    check_refused(tenant(AWS_ACCESS_KEY_ID="AKIAUNKNOWNUNKNOWN00"), "does not know the access key id")
    for text in ("access denied", variable("AWS_PRINCIPAL"), "ecr:GetAuthorizationToken"):
        settings(aws_denied=[variable("AWS_PRINCIPAL")])
        check_refused(tenant(), text)
    settings(aws_denied=["sts:GetServiceBearerToken"])
    host = "public.ecr.aws"
    said = get(host, secret(host, "aws", keys()))
    check_refused(said, "may not sts:GetServiceBearerToken", "allow both ecr-public:GetAuthorizationToken and sts:Get")
    settings(aws_denied=[])
    role = {"AWS_ROLE_ARN": variable("AWS_ROLE")}
    for offset in (3600, -3600):
        settings(aws_clock_offset=offset)
        check_refused(tenant(), "ECR in us-east-1: this node's clock is more than five minutes off", "set the clock")
        check_refused(tenant(**role), "STS in us-east-1: this node's clock is more than five minutes off")
    settings(aws_clock_offset=0)
    wrong = {"AWS_SECRET_ACCESS_KEY": "wrong", **role}
    check_refused(tenant(**wrong), "STS in us-east-1: the secret access key does not belong")
    check_refused(
        tenant(**{**wrong, "AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"}), "STS in us-east-1: AWS does not know"
    )


@claim("a message of AWS is never repeated: only a principal and an action in strict syntax are")
def _() -> None:
    message = "User: arn:aws:iam::123456789012:user/a<b> is not authorized to perform: leaked-credential on *"
    body = json.dumps({"__type": "AccessDeniedException", "message": message})
    order(API, "status", status=400, body=body, headers={"Content-Type": "application/x-amz-json-1.1"})
    said = tenant()
    check_refused(said, "the identity used may not ecr:GetAuthorizationToken")
    assert "leaked-credential" not in said.out + said.err and "a<b>" not in said.out + said.err
    control("/reset", {})
    order(API, "status", status=400, body='{"__type":"Odd<x>","message":"leaked-credential"}')
    said = tenant()
    check_refused(said, "refused the request (for an unknown reason)")
    assert "leaked-credential" not in said.out + said.err and "Odd<x>" not in said.out + said.err
