"""Kubelet: true remaining lives, and pods that log in by the token of their own service account."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List

from claims.report import claim
from claims.world import Skip, calls, check_pull, order, reset, settings, signed, variable

from . import aws, azure
from .driver import check_sent_only_to
from .shipped import Answer, Node, at_once

# Kubelet's own code, as tests/real/install builds it.
KUBELET = Path(__file__).parents[3] / "target/real/kubelet"
VERSION = "credentialprovider.kubelet.k8s.io/v1"
ECR, GAR, ACR = aws.REGISTRY, "us-docker.pkg.dev", azure.REGISTRY
POOL = "projects/555000000001/locations/global/workloadIdentityPools/pool/providers/oidc"
STS, GOOGLE_STS, IAM = aws.STS, "sts.googleapis.com", "iamcredentials.googleapis.com"
AUDIENCES = {ECR: "sts.amazonaws.com", GAR: f"https://iam.googleapis.com/{POOL}", ACR: "api://AzureADTokenExchange"}
ROLE, OWN_ROLE = "eks.amazonaws.com/ecr-role-arn", "eks.amazonaws.com/role-arn"
EMAIL, CLIENT, TENANT = (
    "iam.gke.io/gcp-service-account",
    "azure.workload.identity/client-id",
    "azure.workload.identity/tenant-id",
)
CONFIG = f"""
[kubelet]
workload_identity = true
[[registry]]
host = "*-docker.pkg.dev"
workload_identity_provider = "{POOL}"
"""


def token(audience: str, name: str = "puller", uid: str = "u-1", by: str = "workload", **claims: Any) -> str:
    """What the API server gives kubelet for a pod."""
    bound = {"namespace": "pulls", "serviceaccount": {"name": name, "uid": uid}, "pod": {"name": "p", "uid": "p-1"}}
    subject = f"system:serviceaccount:pulls:{name}"
    return signed(by, **{"sub": subject, "aud": [audience], "kubernetes.io": bound, **claims})


def annotations(registry: str) -> Dict[str, str]:
    """What a tenant writes to log in to this registry."""
    return {
        ECR: {ROLE: variable("AWS_WEB_ROLE")},
        GAR: {EMAIL: variable("GOOGLE_IMPERSONATED")},
        ACR: {CLIENT: variable("AZURE_WORKLOAD_CLIENT_ID"), TENANT: variable("AZURE_TENANT_ID")},
    }[registry]


def request(registry: str, **more: Any) -> str:
    """What kubelet writes."""
    image = f"{registry}/{variable('IMAGE').partition(':')[0]}"
    return json.dumps({"kind": "CredentialProviderRequest", "apiVersion": VERSION, "image": image, **more}) + "\n"


def pod(node: Node, registry: str, by_token: str = "", **annotated: Any) -> Answer:
    """The answer for a pod of the right service account, or of the one that this token is of."""
    told = annotated.get("told", annotations(registry))
    by_token = by_token or token(AUDIENCES[registry])
    return node.run("kubelet", request(registry, serviceAccountToken=by_token, serviceAccountAnnotations=told))


def response(answer: Answer) -> Dict[str, Any]:
    """The response; there must be one, of exactly these members."""
    assert answer.status == 0 and answer.err == "", answer
    said = json.loads(answer.out)
    assert list(said) == ["kind", "apiVersion", "cacheKeyType", "cacheDuration", "auth"], said
    assert (said["kind"], said["apiVersion"]) == ("CredentialProviderResponse", VERSION), said
    return said


def seconds(duration: str) -> int:
    """A duration as Go writes it."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(\d+)s", duration)
    assert found, duration
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def check_kept(said: Dict[str, Any], life: int) -> None:
    """Kubelet keeps it for half of what is left of its life."""
    kept = seconds(said["cacheDuration"])
    assert life / 2 - 30 <= kept <= life / 2, (kept, life)


def check_nothing(answer: Answer) -> None:
    """No credential, and nothing to be kept."""
    said = response(answer)
    assert (said["cacheDuration"], said["auth"]) == ("0s", {}), said


def check_failed(answer: Answer, *texts: str) -> None:
    """One line for kubelet's log with all these texts, and no answer."""
    assert answer.status == 1 and answer.out == "" and answer.err.count("\n") == 1, answer
    missing = [text for text in texts if text not in answer.err]
    assert not missing, f"{missing} is not in: {answer.err}"


def check_untold(node: Node, *secrets: str) -> None:
    """None of these is in a file of the node."""
    for file in (file for file in node.home.rglob("*") if file.is_file()):
        for text in secrets:
            assert text.encode() not in file.read_bytes(), file


def who(registry: str) -> str:
    """The service that is asked who it is."""
    return {ECR: "sts", GAR: "google-sts", ACR: "entra"}[registry]


@claim("kubelet keeps a minted token for half of its life, and less for one that comes out of the cache")
def _() -> None:
    settings(ecr_token_seconds=7200)
    node = Node().secret(ECR, **aws.keys())
    said = response(node.run("kubelet", request(ECR)))
    assert said["cacheKeyType"] == "Registry" and list(said["auth"]) == [ECR], said
    check_kept(said, 7200)
    time.sleep(2.1)
    again = response(node.run("kubelet", request(ECR)))
    assert again["auth"] == said["auth"] and len(calls(service="ecr")) == 1
    assert seconds(again["cacheDuration"]) < seconds(said["cacheDuration"]), (said, again)
    check_pull(ECR, said["auth"][ECR]["username"], said["auth"][ECR]["password"])


@claim("a pod pulls by its own service account: a role of AWS, Google's federation, an application of Azure")
def _() -> None:
    settings(ecr_token_seconds=7200, google_token_seconds=1800, acr_token_seconds=5400)
    for registry, life, hosts in (
        (ECR, 7200, [STS]),
        (GAR, 1800, [GOOGLE_STS]),
        (ACR, 5400, [azure.ENTRA]),
    ):
        # What is the node's own has no part in it, and leads nobody astray.
        node = Node(CONFIG, **aws.NODE, AZURE_CLIENT_SECRET="the-nodes-own-secret")
        by_token = token(AUDIENCES[registry])
        said = response(pod(node, registry, by_token))
        ((key, pair),) = said["auth"].items()
        assert (said["cacheKeyType"], key) == ("Image", registry), said
        check_kept(said, life)
        check_pull(registry, pair["username"], pair["password"])
        check_sent_only_to(hosts, by_token)
        check_untold(node, by_token, pair["password"])
    assert calls(service="sts")[-1]["note"]["role"] == variable("AWS_WEB_ROLE")
    caller = calls(service="google-iamcredentials")[-1]["note"]["caller"]
    assert caller.endswith("subject/system:serviceaccount:pulls:puller"), caller
    assert calls(service="entra")[-1]["note"]["tenant"] == variable("AZURE_TENANT_ID")
    # The federated token that acts as the account may do no more than that.
    assert calls(service="google-sts")[-1]["note"]["scope"].endswith("/iam")


@claim("Google without an annotation pulls as the cluster's own principal, and Azure's tenant may be the operator's")
def _() -> None:
    said = response(pod(Node(CONFIG), GAR, told={}))
    check_pull(GAR, "oauth2accesstoken", said["auth"][GAR]["password"])
    assert not calls(service="google-iamcredentials")
    told = {CLIENT: annotations(ACR)[CLIENT]}
    check_failed(pod(Node(CONFIG), ACR, told=told), "AZURE_TENANT_ID is not in kubelet's environment")
    assert response(pod(Node(CONFIG, AZURE_TENANT_ID=variable("AZURE_TENANT_ID")), ACR, told=told))["auth"]


@claim("workload identity is off until the operator turns it on, and a rule may turn it off again")
def _() -> None:
    rule = f'{CONFIG}[[registry]]\nhost = "{ECR}"\nworkload_identity = false\n'
    for node, registry in ((Node(), ECR), (Node(), GAR), (Node(), ACR), (Node(rule), ECR)):
        check_nothing(pod(node, registry))
    # Nor is there anything for a pod that does not ask for it.
    for registry in (ECR, ACR):
        check_nothing(pod(Node(CONFIG), registry, told={}))
        check_nothing(Node(CONFIG).run("kubelet", request(registry, serviceAccountAnnotations=annotations(registry))))
    assert not calls(), calls()


@claim("a token that was minted for one service account is never another's, whatever differs")
def _() -> None:
    for registry in (ECR, GAR, ACR):
        node = Node(CONFIG)
        first = response(pod(node, registry))["auth"]
        # Another pod of the same account is answered from the cache: its token differs.
        asked = len(calls(service=who(registry)))
        assert response(pod(node, registry))["auth"] == first and len(calls(service=who(registry))) == asked
        for by_token, told in (
            (token(AUDIENCES[registry], name="other"), annotations(registry)),
            (token(AUDIENCES[registry], uid="u-2"), annotations(registry)),
            (token(AUDIENCES[registry], iss="https://oidc.other.test"), annotations(registry)),
            (token(AUDIENCES[registry]), {**annotations(registry), OWN_ROLE: "arn:aws:iam::123456789012:role/other"}),
        ):
            said = pod(node, registry, by_token, told=told)
            assert len(calls(service=who(registry))) > asked, (registry, said)
            asked = len(calls(service=who(registry)))
            assert said.status == 1 or json.loads(said.out)["auth"] != first, said
        # And nobody's who comes without one.
        check_nothing(node.run("kubelet", request(registry)))
        assert node.get(registry).status == 1


@claim("an annotation that is none goes nowhere: no provider is asked, and it is not told")
def _() -> None:
    evil = "hunter2.evil.example.com"
    own = {registry: annotations(registry) for registry in (ECR, GAR, ACR)}
    for registry, told, text in (
        (ECR, {ROLE: f"arn:aws:iam::123456789012:role/a&Action={evil}"}, "isn't a valid role ARN"),
        (ECR, {ROLE: f"https://{evil}/role"}, "isn't a valid role ARN"),
        (ECR, {ROLE: "arn:aws:iam::123456789012:user/hunter2"}, "isn't a valid role ARN"),
        (ECR, {ROLE: "arn:aws-cn:iam::123456789012:role/hunter2"}, "another AWS partition than the registry"),
        (ECR, {OWN_ROLE: "arn:aws-us-gov:iam::123456789012:role/hunter2"}, "another AWS partition than the registry"),
        (GAR, {EMAIL: f"a@{evil}"}, "isn't a Google service account"),
        (GAR, {EMAIL: "a@p.iam.gserviceaccount.com:x/../hunter2"}, "isn't a Google service account"),
        (GAR, {EMAIL: f"a@{evil}/x.gserviceaccount.com"}, "isn't a Google service account"),
        (ACR, {**own[ACR], TENANT: evil}, "isn't a GUID"),
        (ACR, {**own[ACR], TENANT: f"../../{evil}"}, "isn't a GUID"),
        (ACR, {**own[ACR], CLIENT: f"{own[ACR][CLIENT]}&scope={evil}"}, "isn't a GUID"),
    ):
        answer = pod(Node(CONFIG), registry, told=told)
        check_failed(answer, registry, "of the service account pulls/puller", text)
        assert "hunter2" not in answer.err, answer
    assert not calls(), calls()
    # What nobody reads steers nothing.
    steering = {
        "eks.amazonaws.com/sts-regional-endpoints": "false",
        "azure.workload.identity/authority-host": f"https://{evil}",
    }
    for registry in (ECR, ACR):
        assert response(pod(Node(CONFIG), registry, told={**own[registry], **steering}))["auth"]
    check_sent_only_to([])


@claim("what a provider refuses is one line that says what to fix, and holds nothing of the token")
def _() -> None:
    for registry, by_token, texts in (
        (ECR, token("sts.amazonaws.com", name="stranger"), ["sts:AssumeRoleWithWebIdentity", "the role trusts"]),
        (ECR, token("wrong.example"), ["does not accept the web identity token", "audience"]),
        (ECR, token(AUDIENCES[ECR], by="stranger"), ["does not accept the web identity token"]),
        (ECR, token(AUDIENCES[ECR], exp=int(time.time()) - 10), ["the web identity token has expired", "clock"]),
        (GAR, token("wrong.example"), ["the service account pulls/puller", "the audience is wrong"]),
        (GAR, token(AUDIENCES[GAR], by="stranger"), ["does not trust the issuer or the signature"]),
        (ACR, token(AUDIENCES[ACR], name="stranger"), ["another subject", "AADSTS700213"]),
        (ACR, token("wrong.example"), ["another audience", "AADSTS700212"]),
        (ECR, token("https://kubernetes.default.svc"), ["it is for the cluster's own API"]),
    ):
        node = Node(CONFIG)
        answer = pod(node, registry, by_token)
        check_failed(answer, registry, *texts)
        parts: List[str] = [by_token, *by_token.split(".")]
        assert not [part for part in parts if part in answer.err], answer
        check_untold(node, *parts)
    answer = pod(Node(CONFIG), GAR, told={EMAIL: "other@world-project.iam.gserviceaccount.com"})
    check_failed(answer, "iam.serviceAccounts.getAccessToken is denied on other@world-project.iam.gserviceaccount.com")
    check_failed(pod(Node(CONFIG.partition("[[")[0]), GAR), "no provider is set", "workload_identity_provider")


@claim("where a provider is out of reach, a pod does not pull as the node instead")
def _() -> None:
    ambient = Node(f"ambient = true\n{CONFIG}", **aws.keys())
    assert response(ambient.run("kubelet", request(ECR)))["auth"], "the node itself may"
    # Who waited for the end of the hang would be given up before.
    for mode, more in (("status", {"status": 503}), ("hang", {"seconds": 60}), ("close", {})):
        reset()
        order(STS, mode, **more)
        check_failed(pod(ambient, ECR, token(AUDIENCES[ECR], uid=mode)), ECR, "backend aws")
    # And where the workspace has a secret, that is the one.
    reset()
    stored = Node(CONFIG).secret(ECR, **aws.keys())
    said = response(pod(stored, ECR))
    assert said["cacheKeyType"] == "Registry" and aws.principal() == variable("AWS_PRINCIPAL")
    assert not calls(service="sts")


@claim("a hundred pods of one service account at once ask the provider once")
def _() -> None:
    node = Node(CONFIG)
    asked = request(ECR, serviceAccountToken=token(AUDIENCES[ECR]), serviceAccountAnnotations=annotations(ECR))
    answers = at_once([lambda: node.start("kubelet", asked)] * 100)
    assert len({json.dumps(response(answer)["auth"]) for answer in answers}) == 1
    assert len(calls(service="sts")) == 1 and len(calls(service="ecr")) == 1


@claim("kubelet's own code hands a pod's token over, and what it finds then pulls from each of the clouds")
def _() -> None:
    if not KUBELET.exists():
        raise Skip("target/real/kubelet is not built (tests/real/install)")
    for registry in (ECR, GAR, ACR):
        node = Node(CONFIG)
        annotated = annotations(registry)
        provider = {
            "name": "docker-credential-beta9",
            "apiVersion": VERSION,
            "args": ["kubelet"],
            "defaultCacheDuration": "1m",
            "matchImages": [registry],
            "tokenAttributes": {
                "serviceAccountTokenAudience": AUDIENCES[registry],
                "cacheType": "ServiceAccount",
                "requireServiceAccount": True,
                "requiredServiceAccountAnnotationKeys": sorted(annotated),
            },
        }
        file = node.home / "providers.json"
        kind = {"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig"}
        file.write_text(json.dumps({**kind, "providers": [provider]}))
        # Made in memory by the API server; kubelet, too, writes it nowhere.
        by_token = Path(variable("DIR")) / f"token-{registry}"
        by_token.write_text(token(AUDIENCES[registry]))
        bin_dir = Path(node.wire()["PATH"].partition(":")[0])
        image = f"{registry}/{variable('IMAGE').partition(':')[0]}"
        written = [f"{name}={value}" for name, value in annotated.items()]
        done = subprocess.run(
            [KUBELET, "pod", file, bin_dir, image, by_token, *written],
            env=node.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        found = done.stdout.split()
        assert len(found) == 3 and found[0] == image, (done.stdout[:200], done.stderr)
        check_pull(registry, found[1], found[2])
