"""The node's own identity: whose token it is answered, and where it has none."""

import contextlib
import json
import os
from typing import Callable, Dict, Iterator

from claims.report import claim
from claims.world import calls, content, order, reset, settings, variable

from .aws import keys as aws_keys
from .aws import session_keys
from .shipped import NOT_FOUND, Answer, Node

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
GOOGLE = "us-docker.pkg.dev"
AZURE = "myreg.azurecr.io"
AMBIENT = "ambient = true\n"
DMI = "/sys/class/dmi"


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """On a machine that is no cloud's, though metadata services answer."""
    os.rename(DMI, f"{DMI}.away")
    try:
        yield
    finally:
        os.rename(f"{DMI}.away", DMI)


def alternate(node: Node, host: str, service: str, be: Callable[[int], None]) -> None:
    """Two jobs take turns: each gets its own token, which is minted once."""
    first: Dict[int, str] = {}
    for turn in range(100):
        be(turn % 2)
        answer = node.get(host).pair[1]
        assert first.setdefault(turn % 2, answer) == answer, turn
    assert first[0] != first[1]
    assert len(calls(service=service)) == 2, len(calls(service=service))


@claim("two sessions of AWS on one runner never get each other's token")
def _() -> None:
    node = Node(AMBIENT)
    sessions = [session_keys(), session_keys()]
    alternate(node, ECR, "ecr", lambda turn: node.variables.update(sessions[turn]))
    node.variables["AWS_ACCESS_KEY_ID"] = "ASIABOGUSBOGUSBOGUS0"
    assert node.get(ECR).line.startswith(f"{ECR}: backend aws: "), node.get(ECR)


@claim("two documents of Google in one place never get each other's token")
def _() -> None:
    node = Node(AMBIENT)
    file = node.home / "adc.json"
    node.variables["GOOGLE_APPLICATION_CREDENTIALS"] = str(file)
    documents = ("GOOGLE_SERVICE_ACCOUNT_FILE", "GOOGLE_USER_FILE")

    def be(turn: int) -> None:
        file.write_text(content(documents[turn]))

    alternate(node, GOOGLE, "google-oauth", be)


@claim("two applications of Azure never get each other's token")
def _() -> None:
    node = Node(AMBIENT)
    secret = {name: variable(name) for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")}
    workload = {
        "AZURE_CLIENT_ID": variable("AZURE_WORKLOAD_CLIENT_ID"),
        "AZURE_FEDERATED_TOKEN_FILE": variable("AZURE_FEDERATED_TOKEN_FILE"),
    }

    def be(turn: int) -> None:
        node.variables.pop("AZURE_FEDERATED_TOKEN_FILE", None)
        node.variables.update(secret, **(workload if turn else {}))

    alternate(node, AZURE, "acr", be)


@claim("a machine's identity is asked for once in minutes, named by status, and a hit asks nobody")
def _() -> None:
    named = {ECR: "instance role node", GOOGLE: "service account ", AZURE: "managed identity "}
    for host, identity in named.items():
        node = Node(AMBIENT)
        token = node.get(host).pair
        before = len(calls())
        assert node.get(host).pair == token and len(calls()) == before, host
        (told,) = json.loads(node.command("status", "--json").out)["tokens"]
        assert told["secret_from"] == "node" and told["identity"].startswith(identity), told


@claim("where a metadata service stumbles on its own cloud's machine there is an error, and never an anonymous pull")
def _() -> None:
    for service, host in (("aws-imds", ECR), ("google-metadata", GOOGLE), ("azure-imds", AZURE)):
        for mode, more in (("status", {"status": 500}), ("close", {}), ("truncate", {})):
            order(service, mode, **more)
            answer = Node(AMBIENT).get(host)
            assert answer.status == 1 and answer.line.startswith(f"{host}: backend "), (service, mode, answer)
            reset()


@claim("a machine of no cloud, or of another one, has no identity: not found, and nobody is asked")
def _() -> None:
    with elsewhere():
        for host in (ECR, GOOGLE, AZURE):
            assert Node(AMBIENT).get(host) == Answer(1, f"{NOT_FOUND}\n", ""), host
    assert not calls(), calls()


@claim("a role that may not use the public gallery pulls from it without a login, and is told so")
def _() -> None:
    settings(aws_denied=["sts:GetServiceBearerToken"])
    answer = Node(AMBIENT, **aws_keys()).get("public.ecr.aws")
    assert answer.status == 1 and answer.out == f"{NOT_FOUND}\n", answer
    assert "access denied" in answer.err and "the client will pull anonymously" in answer.err, answer
