"""The binary under test: asked as docker asks it, with a secret or as the node."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from claims.world import Skip, calls, control, variable

BINARY = os.environ.get("BETA9_HELPER", "")
PATIENCE = 20  # of the test
IN_TIME = 15  # the helper's own is 10 s, which it uses to the end, and a machine under load needs a while more
SOON = 8  # what waits for nothing, or for less, ends clearly before those 10 s


@dataclass
class Said:
    """What the helper said, and how long it took."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def credential(self) -> Dict[str, str]:
        """The answer; there must be one."""
        assert self.status == 0, self.out + self.err
        return json.loads(self.out)

    @property
    def secret(self) -> str:
        """The password of the answer."""
        return self.credential["Secret"]


def secret(registry: str, kind: str, keys: Dict[str, str]) -> Dict[str, str]:
    """The environment of a request that brings a workspace's secret."""
    return {"BETA9_IMAGE_CREDENTIALS": json.dumps({"registry": registry, "type": kind, "credentials": keys})}


@contextlib.contextmanager
def config(text: str) -> Iterator[Dict[str, str]]:
    """The environment that names a configuration of this text."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        yield {"BETA9_CREDENTIAL_CONFIG": file.name}


def base_environment(home: str) -> Dict[str, str]:
    """Nothing but a path, an empty home and no cache."""
    return {"PATH": os.environ["PATH"], "HOME": home, "BETA9_CACHE": "off"}


def get(registry: str, environment: Dict[str, str]) -> Said:
    """Ask for a registry's credential."""
    if not BINARY:
        raise Skip("BETA9_HELPER names no binary")
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        done = subprocess.run(
            [BINARY, "get"],
            input=registry,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={**base_environment(home), **environment},
        )
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def check_answered(said: Said) -> None:
    """There must be a credential."""
    assert said.status == 0, said.out + said.err


def check_refused(said: Said, *texts: str, within: float = IN_TIME) -> None:
    """Exit 1 in time, with one line that holds all these texts."""
    assert said.status == 1, (said.status, said.out[:200])
    assert said.seconds < within, f"took {said.seconds:.1f} s: {said.out}"
    assert said.out.count("\n") == 1, said.out
    missing = [text for text in texts if text not in said.out]
    assert not missing, f"{missing} is not in: {said.out}"


def check_sent_only_to(hosts: List[str], *secrets: str) -> None:
    """No stranger was called, and these texts reached none but these hosts."""
    assert not calls(service="stranger"), calls(service="stranger")
    for text in secrets:
        reached = control("/seen", {"text": text})
        assert set(reached) <= set(hosts), reached


def pull_through_helper(registry: str, environment: Dict[str, str], image: str = "IMAGE") -> str:
    """What skopeo says to an image when the helper answers for its registry: the digest, or the error."""
    if shutil.which("skopeo") is None:
        raise Skip("skopeo is not installed")
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "docker-credential-beta9").symlink_to(BINARY)
        auth = Path(home) / "auth.json"
        auth.write_text(json.dumps({"credHelpers": {registry: "beta9"}}))
        settings = base_environment(home)
        done = subprocess.run(
            ["skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", "--authfile", str(auth)]
            + [f"docker://{registry}/{variable(image)}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
            env={**settings, **environment, "PATH": f"{home}:{settings['PATH']}"},
        )
        return done.stdout.strip() or done.stderr.strip()


def check_pulls(registry: str, environment: Dict[str, str], image: str = "IMAGE") -> None:
    """The pull must work, and not without the helper's answer."""
    digest = pull_through_helper(registry, environment, image)
    assert digest == variable("IMAGE_DIGEST"), digest
    denied = pull_through_helper(registry, {}, image)
    assert "unauthorized" in denied.lower() or "authentication required" in denied.lower(), denied


@contextlib.contextmanager
def host_moved(name: str, address: Optional[str]) -> Iterator[None]:
    """A name that leads to another address, or to none."""
    hosts = Path(variable("HOSTS"))
    before = hosts.read_text()
    line = f"127.0.0.1 {name}\n"
    assert line in before, name
    hosts.write_text(before.replace(line, f"{address} {name}\n" if address else ""))
    try:
        yield
    finally:
        hosts.write_text(before)
