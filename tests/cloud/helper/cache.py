"""The token cache at full load: one mint for all, a shared failure, a killed holder, rotation and removal."""

import json
import random
import time
from typing import List

from claims.report import claim
from claims.world import calls, content, order, reset, variable

from .shipped import NOT_FOUND, Answer, Node, at_once, finish

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def keys() -> dict:
    """The keys of a principal that may pull."""
    return {"AWS_ACCESS_KEY_ID": variable("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY": variable("AWS_SECRET_ACCESS_KEY")}


def mints() -> int:
    """How often ECR was asked for a token."""
    return len(calls(service="ecr"))


def one(answers: List[Answer]) -> Answer:
    """What all of these answered alike."""
    assert len(set(answers)) == 1, set(answers)
    return answers[0]


@claim("200 processes at once, cold, for one host: 1 mint and 200 tokens")
def _() -> None:
    node = Node().secret(ECR, **keys())
    started = time.monotonic()
    answer = one(at_once([lambda: node.start("get", ECR)] * 200))
    print(f"     200 processes, cold: {time.monotonic() - started:.2f} s")
    assert answer.pair[0] == "AWS" and mints() == 1, mints()


@claim("64 hosts with 10 processes each, cold: 64 mints and 640 tokens")
def _() -> None:
    node = Node()
    hosts = [f"{100000000000 + number}.dkr.ecr.us-east-1.amazonaws.com" for number in range(64)]
    nodes = []
    for host in hosts:
        same_disk = Node().secret(host, **keys())
        same_disk.variables["HOME"] = str(node.home)
        nodes.append((host, same_disk))
    starts = [lambda host=host, on=on: on.start("get", host) for host, on in nodes for _ in range(10)]
    random.shuffle(starts)
    answers = at_once(starts)
    assert all(answer.status == 0 for answer in answers), [answer for answer in answers if answer.status][:3]
    assert mints() == 64, mints()
    assert len(node.tokens()) == 64


@claim("100 processes at once while the provider is down: one clear line each, and few calls: a handful where it refuses")
def _() -> None:
    # Where it hangs, nobody waits for somebody else's call to its own end: each makes one, and the first of them another.
    down = (("status", {"status": 503}, "ecr", 6), ("hang", {"seconds": 60}, "in time", 200))
    for mode, more, word, most in down:
        order("ecr", mode, **more)
        node = Node("timeout = \"6s\"\n").secret(ECR, **keys())
        started = time.monotonic()
        answers = at_once([lambda on=node: on.start("get", ECR)] * 100)
        # Who waited for the end of the hang would take longer.
        took = time.monotonic() - started
        assert took < 45, took
        for answer in answers:
            assert answer.line.startswith(f"{ECR}: "), answer
        assert any(word in answer.line.lower() for answer in answers), answers[0]
        assert mints() <= most, mints()
        reset()


@claim("when the process that mints is killed, the next one mints")
def _() -> None:
    order("ecr", "hang", seconds=60, times=1)
    node = Node().secret(ECR, **keys())
    holder = node.start("get", ECR)
    while not mints():
        time.sleep(0.01)
    waiting = node.start("get", ECR)
    time.sleep(0.2)
    holder.kill()
    holder.wait()
    assert finish(waiting).pair[0] == "AWS"
    assert node.get(ECR).pair[0] == "AWS"
    assert mints() == 2, mints()


@claim("a rotated secret is minted again by the very next get, and the old token is not served")
def _() -> None:
    node = Node().secret(ECR, **keys())
    old = node.get(ECR).pair
    assert node.get(ECR).pair == old and mints() == 1
    other = {"AWS_ACCESS_KEY_ID": variable("AWS_OTHER_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY": variable("AWS_OTHER_SECRET_ACCESS_KEY")}
    new = node.secret(ECR, **other).get(ECR).pair
    assert new != old and mints() == 2
    assert calls(service="ecr")[-1]["note"]["access_key_id"] == other["AWS_ACCESS_KEY_ID"]


@claim("what is erased is served no more, and its token is gone from the disk")
def _() -> None:
    registry = "us-docker.pkg.dev"
    node = Node()
    node.store(registry, "_json_key", content("GOOGLE_SERVICE_ACCOUNT_FILE"))
    assert node.get(registry).pair[0] == "oauth2accesstoken"
    assert len(node.tokens()) == 1
    assert node.run("erase", registry) == Answer(0, "", "")
    assert node.tokens() == []
    assert node.get(registry) == Answer(1, NOT_FOUND + "\n", "")


@claim("with the cache off, or nowhere to keep it, every get mints and answers")
def _() -> None:
    for node in (
        Node(BETA9_CACHE="off"),
        Node("[cache]\nenabled = false\n"),
        Node("[cache]\ndir = \"/proc/nowhere\"\n"),
        Node(HOME="/proc"),
    ):
        before = mints()
        node.secret(ECR, **keys())
        assert node.get(ECR).pair[0] == "AWS"
        assert node.get(ECR).pair[0] == "AWS"
        assert mints() == before + 2, node.variables


@claim("without a home directory the session's private directory is used")
def _() -> None:
    node = Node()
    session = node.home / "session"
    session.mkdir(mode=0o700)
    node.variables.update(HOME="/proc", XDG_RUNTIME_DIR=str(session))
    node.secret(ECR, **keys())
    assert node.get(ECR).pair == node.get(ECR).pair and mints() == 1
    assert len(list(session.glob("beta9/tokens/*.token"))) == 1


@claim("damage to any file of the cache is a miss, and the token is minted again")
def _() -> None:
    node = Node().secret(ECR, **keys())
    node.get(ECR)
    for damage in (b"", b"\0" * 100, b"beta9-token 3\n" + b"x" * 200):
        before = mints()
        node.tokens()[0].write_bytes(damage)
        assert node.get(ECR).pair == node.get(ECR).pair
        assert mints() == before + 1


@claim("a thousand rotations leave no more in the cache than it may hold")
def _() -> None:
    node = Node("[cache]\nmax_entries = 20\n")
    cache = node.home / ".cache/beta9/tokens"
    for number in range(1000):
        # The session token is no part of a long-lived key, so moto's front ignores it; to the cache it is another secret.
        node.secret(ECR, **keys(), ROTATION=str(number))
        assert node.get(ECR).status == 0
    assert len(node.tokens()) == 20
    assert len(list(cache.iterdir())) < 50, sorted(cache.iterdir())


@claim("2,000 kills at random instants: no torn token, no lock that stays")
def _() -> None:
    node = Node().secret(ECR, **keys())
    generator = random.Random(9)
    span = 0.03
    for number in range(2000):
        node.secret(ECR, **keys(), ROTATION=str(number // 8))
        process = node.start("get", ECR)
        time.sleep(generator.random() * span)
        process.kill()
        out, _ = process.communicate()
        if out:
            assert out.endswith("}\n") and json.loads(out)["Username"] == "AWS", out
        if number % 40 == 39:
            # A lock that stayed would be waited for until the helper's time is over, and then there would be no answer.
            answer = node.get(ECR)
            assert answer.pair[0] == "AWS" and answer.err == "", answer
