"""Set-ups that are broken at the cloud's end: `check` names each cause, and what it says to do works."""

import json
import os
import subprocess
import time
from typing import Any, Dict, List, Sequence

from claims.pullers import needs
from claims.report import claim
from claims.world import settings, variable

from .aws import ACCOUNT, REGISTRY, keys, session_keys
from .shipped import Answer, Node


# To a program in there the machine started two hours and a little earlier: as if the wall clock had been set back since.
BEHIND = ("unshare", "--time", "--boottime", "7230")


def command(node: Node, *arguments: str, before: Sequence[str] = ()) -> Answer:
    """An operator's command on a node, in an environment that another program makes."""
    helper = [*before, os.environ["BETA9_HELPER"], *arguments]
    done = subprocess.run(helper, env=node.variables, capture_output=True, text=True, check=False, timeout=60)
    return Answer(done.returncode, done.stdout, done.stderr)


def check(node: Node, registry: str = REGISTRY) -> Dict[str, Any]:
    """What `check` says of the world's image; it never shows a secret."""
    said = command(node, "check", "--json", f"{registry}/{variable('IMAGE')}")
    assert variable("AWS_SECRET_ACCESS_KEY") not in said.out + said.err
    answer = json.loads(said.out)
    assert answer["pulled"] == (said.status == 0), said
    return answer


def check_pulls(node: Node, registry: str = REGISTRY) -> None:
    """The node is well."""
    answer = check(node, registry)
    assert answer["pulled"] and answer["verdict"] == "pulled", answer


def check_named(answer: Dict[str, Any], *texts: str) -> None:
    """The pull fails, and `check` says why and what to do."""
    said = f"{answer['cause']}; {answer['fix']}"
    missing: List[str] = [text for text in texts if text not in said]
    assert not answer["pulled"] and not missing, f"{missing} is not in: {said}"


@claim("an expired key: check names it, and fresh keys, as it says, fix it")
def _() -> None:
    settings(aws_session_seconds=-1)
    node = Node().secret(REGISTRY, **session_keys())
    check_named(check(node), REGISTRY, "the session has expired", "store fresh keys")
    settings(aws_session_seconds=3600)
    check_pulls(node.secret(REGISTRY, **session_keys()))


@claim("a wrong region: check names it, and the right one in the registry's name, as it says, fixes it")
def _() -> None:
    wrong = f"{ACCOUNT}.dkr.ecr.us-est-1.amazonaws.com"
    node = Node().secret(wrong, **keys())
    check_named(check(node, wrong), wrong, "there is no region us-est-1", "region in the registry's name")
    check_pulls(node.secret(REGISTRY, **keys()))


@claim("a clock that is off: check names it, doctor gives the command for one that was set back, and setting it fixes it")
def _() -> None:
    needs("unshare")
    node = Node(BETA9_CACHE="off").secret(REGISTRY, **keys())
    for offset in (3600, -3600):
        settings(aws_clock_offset=offset)
        check_named(check(node), "this node's clock is more than five minutes off", "set the clock")
        settings(aws_clock_offset=0)
        check_pulls(node)
    node.variables = node.wire(REGISTRY)
    broken = node.home / "broken"
    broken.touch()
    timedatectl = node.home / "bin/timedatectl"
    timedatectl.write_text(f'#!/bin/sh\n[ "$*" = "set-ntp true" ] && rm "{broken}"\n')
    timedatectl.chmod(0o755)
    # Of a pull that failed, doctor still knows why.
    del node.variables["BETA9_CACHE"]
    settings(aws_clock_offset=3600)
    assert node.get(REGISTRY).status == 1
    (finding,) = findings(command(node, "doctor", "--json"), "warning")
    assert "this node's clock is more than five minutes off" in finding["cause"], finding
    subprocess.run(["sh", "-c", finding["command"]], env=node.variables, check=True)
    assert not broken.exists()
    settings(aws_clock_offset=0)
    time.sleep(5.5)  # a failure is shared for five seconds
    check_pulls(node)
    assert not findings(command(node, "doctor", "--json"), "warning")
    # With a token in the cache the boot clock shows it too; of the two clocks, a test can only move that one.
    broken.touch()
    said = command(node, "doctor", "--json", before=BEHIND)
    (finding,) = findings(said, "broken")
    assert said.status == 1 and finding["part"] == "clock", said
    assert finding["cause"].startswith("this node's clock was set back by 2 h "), finding
    subprocess.run(["sh", "-c", finding["command"]], env=node.variables, check=True)
    said = command(node, "doctor", "--json", before=BEHIND if broken.exists() else ())
    assert said.status == 0, said


def findings(said: Answer, state: str) -> List[Dict[str, Any]]:
    """What doctor says is in this state."""
    return [one for one in json.loads(said.out)["findings"] if one["state"] == state]
