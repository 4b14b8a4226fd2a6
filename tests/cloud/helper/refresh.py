"""Renewing the cached tokens of all clouds, what is told of them, and that the debug lines tell no more."""

import contextlib
import fcntl
import json
import os
import time
from typing import Dict, Iterator, List

from claims.report import claim
from claims.world import calls, content, order, reset, settings, variable
from prometheus_client.parser import text_string_to_metric_families

from .shipped import Answer, Node, finish

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
GOOGLE = "us-docker.pkg.dev"
AZURE = "myreg.azurecr.io"
# How often each provider was asked for a token, by the call that makes one.
MINTING = {ECR: "ecr", GOOGLE: "google-oauth", AZURE: "entra"}


def keys() -> Dict[str, Dict[str, str]]:
    """A tenant's keys for each of the clouds."""
    aws = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    azure = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    return {
        ECR: {name: variable(name) for name in aws},
        GOOGLE: {"GOOGLE_APPLICATION_CREDENTIALS": content("GOOGLE_SERVICE_ACCOUNT_FILE")},
        AZURE: {name: variable(name) for name in azure},
    }


def provisioned() -> Node:
    """A node whose built-in store has a secret for a registry of each cloud."""
    node = Node()
    for registry, pairs in keys().items():
        answer = node.command("provision", f"{registry}/team/app:1", "--creds", ",".join(pairs), **pairs)
        assert answer.status == 0, answer
    return node


def secrets_of(registry: str) -> List[str]:
    """What of the keys may never be seen."""
    pairs = keys()[registry]
    if registry == GOOGLE:
        return json.loads(pairs["GOOGLE_APPLICATION_CREDENTIALS"])["private_key"].split("\n")[1:-2]
    return [value for name, value in pairs.items() if "SECRET" in name]


def mints() -> List[int]:
    """How often each cloud minted."""
    return [len(calls(service=service)) for service in MINTING.values()]


def outcomes(answer: Answer) -> Dict[str, str]:
    """What `refresh --json` says of each registry."""
    assert answer.err == "", answer
    return {token["registry"]: token["outcome"] for token in json.loads(answer.out)["tokens"]}


@claim("refresh renews the tokens of every cloud, and the next get answers the new ones without a mint")
def _() -> None:
    node = provisioned()
    before = {registry: node.get(registry).pair for registry in MINTING}
    assert mints() == [1, 1, 1], mints()
    answer = node.command("refresh")
    assert answer.status == 0 and answer.out.startswith("nothing is due; the next token is in "), answer
    answer = node.command("refresh", "--all", "--json")
    assert answer.status == 0 and outcomes(answer) == {registry: "renewed" for registry in MINTING}, answer
    assert mints() == [2, 2, 2], mints()
    for registry, old in before.items():
        assert node.get(registry).pair[0] == old[0] and node.get(registry).pair[1] != old[1], registry
    assert mints() == [2, 2, 2], mints()


@claim("a token that ends is due: refresh renews it before anybody asks")
def _() -> None:
    settings(google_token_seconds=70)
    node = provisioned()
    node.get(GOOGLE)
    time.sleep(11)  # the last minute of a life is not served
    settings(google_token_seconds=3599)
    answer = node.command("refresh")
    assert answer == Answer(0, f"[1/1] {GOOGLE} (default): renewed\n", ""), answer
    asked = len(calls(service="google-oauth"))
    assert node.get(GOOGLE).status == 0 and len(calls(service="google-oauth")) == asked


@claim("while one cloud is down, refresh renews the others, says which failed and why, and exits 1")
def _() -> None:
    node = provisioned()
    old = {registry: node.get(registry).pair for registry in MINTING}
    order("entra", "status", status=503)
    answer = node.command("refresh", "--all")
    reset()
    lines = answer.out.splitlines()
    assert answer.status == 1 and len(lines) == 3, answer
    assert [line.split("): ")[1].split(":")[0] for line in lines] == ["renewed", "failed", "renewed"], answer
    assert f"failed: {AZURE}: backend azure: " in lines[1], answer
    assert node.get(AZURE).pair == old[AZURE]
    told = json.loads(node.command("status", "--json").out)["tokens"]
    told = {token["registry"]: token["last_failure"] for token in told}
    assert told[ECR] is None and told[GOOGLE] is None and told[AZURE]["text"] in lines[1], told


@contextlib.contextmanager
def minting(node: Node) -> Iterator[None]:
    """Nobody else mints a token that the node has: its locks are held, as by a process that is minting."""
    with contextlib.ExitStack() as stack:
        for token in node.tokens():
            lock = stack.enter_context(token.with_suffix(".lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@claim("of several refreshes at once one mints each token, and all of them succeed")
def _() -> None:
    node = provisioned()
    for registry in MINTING:
        node.get(registry)
    # A token's age is in whole seconds, so that one that is renewed at once looks like the old one.
    for service in MINTING.values():
        order(service, "delay", seconds=2, times=1)
    with minting(node):
        running = [node.start_command("refresh", "--all", BETA9_TIMEOUT="60s") for _ in range(5)]
        # The first token's line begins when it is settled which ones are renewed. Anyone who looked after a renewal would
        # rightly renew that token once more.
        for process in running:
            assert process.stdout is not None and os.read(process.stdout.fileno(), 1) == b"[", process.args
    for answer in [finish(process, 120) for process in running]:
        assert answer.status == 0 and answer.err == "" and answer.out.count("): renewed") == len(MINTING), answer
    assert mints() == [2, 2, 2], mints()


@claim("prometheus_client reads what status writes for a collector: the tokens of every cloud, in seconds")
def _() -> None:
    node = provisioned()
    for registry in MINTING:
        node.get(registry)
    order("ecr", "status", status=503)
    node.command("refresh", "--all")
    reset()
    answer = node.command("status", "--format", "prometheus")
    assert answer.status == 0 and answer.err == "", answer
    families = {family.name: family for family in text_string_to_metric_families(answer.out)}
    assert all(family.type == "gauge" and family.documentation for family in families.values()), families
    left = {sample.labels["registry"]: sample for sample in families["beta9_credential_token_expires_seconds"].samples}
    assert set(left) == set(MINTING), left
    assert left[ECR].labels == {"registry": ECR, "workspace": "default", "backend": "aws"}
    assert 10.9 * 3600 < left[ECR].value <= 11 * 3600 and 3500 < left[GOOGLE].value < 3600, left
    now = time.time()
    for sample in families["beta9_credential_token_expires_timestamp_seconds"].samples:
        assert abs(sample.value - now - left[sample.labels["registry"]].value) < 60, sample
    failed = families["beta9_credential_token_last_failure_timestamp_seconds"].samples
    assert [sample.labels["registry"] for sample in failed] == [ECR] and abs(failed[0].value - now) < 60, failed
    assert families["beta9_credential_tokens"].samples[0].value == 3
    assert families["beta9_credential_cache_readable"].samples[0].value == 1


@claim("the debug lines of every cloud's mint, hit, renewal and failure hold no key and no token")
def _() -> None:
    node = provisioned()
    node.variables["BETA9_LOG"] = "debug"
    node.variables["BETA9_AUDIT_LOG"] = str(node.home / "audit.jsonl")
    for registry, service in MINTING.items():
        order(service, "status", status=400, times=1, body=json.dumps(keys()[registry]))
        answers = [node.get(registry)]
        for file in (node.home / ".cache/beta9/tokens").glob("*.failed"):
            file.unlink()
        answers += [node.get(registry), node.get(registry), node.command("refresh", "--all")]
        tokens = [json.loads(answer.out)["Secret"] for answer in answers[1:3]]
        said = "".join(answer.err for answer in answers)
        assert said.count("logged in") >= 2 and "cache: hit" in said and "it failed: " in said, said
        written = said + answers[0].out + answers[3].out + (node.home / "audit.jsonl").read_text()
        for value in secrets_of(registry) + tokens:
            assert len(value) > 8 and value not in written, registry
