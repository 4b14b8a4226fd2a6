"""A node with nothing on it but the shipped binary."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

NOT_FOUND = "credentials not found in native keychain"


class Answer(NamedTuple):
    """What the helper did."""

    status: int
    out: str
    err: str

    @property
    def pair(self) -> Tuple[str, str]:
        """The user name and secret; it must have answered."""
        assert self.status == 0, self
        answer = json.loads(self.out)
        assert sorted(answer) == ["Secret", "ServerURL", "Username"], sorted(answer)
        return answer["Username"], answer["Secret"]

    @property
    def line(self) -> str:
        """The one line of a failure."""
        assert self.status == 1 and self.out.endswith("\n") and self.out.count("\n") == 1, self
        assert self.out.strip() != NOT_FOUND, self
        return self.out.strip()


class Node:
    """A home directory and an environment of its own."""

    def __init__(self, config: str = "", **variables: str) -> None:
        self.home = Path(tempfile.mkdtemp(dir=os.environ["WORLD_DIR"]))
        self.variables = {"HOME": str(self.home), "PATH": os.environ["PATH"], "BETA9_CACHE_MEMORY_DIR": "off", **variables}
        if config:
            file = self.home / "config.toml"
            file.write_text(config)
            self.variables["BETA9_CREDENTIAL_CONFIG"] = str(file)

    def secret(self, registry: str, **credentials: str) -> "Node":
        """The same node with a workspace secret that came with the request."""
        blob = {"registry": registry, "type": "unknown", "credentials": credentials}
        self.variables["BETA9_IMAGE_CREDENTIALS"] = json.dumps(blob)
        return self

    def start(self, verb: str, text: str) -> "subprocess.Popen[str]":
        """The helper, at work; its standard input is closed."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [os.environ["BETA9_HELPER"], verb], stdin=pipe, stdout=pipe, stderr=pipe, env=self.variables, text=True
        )
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, verb: str, text: str) -> Answer:
        """The helper's answer."""
        return finish(self.start(verb, text))

    def command(self, *words: str, **variables: str) -> Answer:
        """What an operator's command did, perhaps with more in its environment."""
        return finish(self.start_command(*words, **variables))

    def start_command(self, *words: str, **variables: str) -> "subprocess.Popen[str]":
        """An operator's command, at work."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [os.environ["BETA9_HELPER"], *words],
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            env={**self.variables, **variables},
            text=True,
        )

    def get(self, registry: str) -> Answer:
        """The answer to a `get`."""
        return self.run("get", registry)

    def store(self, registry: str, username: str, secret: str) -> None:
        """A `docker login`, as far as the helper sees it."""
        request = {"ServerURL": registry, "Username": username, "Secret": secret}
        answer = self.run("store", json.dumps(request))
        assert answer == Answer(0, "", ""), answer

    def tokens(self) -> List[Path]:
        """The cached tokens."""
        return sorted((self.home / ".cache/beta9/tokens").glob("*.token"))

    def wire(self, *registries: str) -> Dict[str, str]:
        """The environment of docker, podman and skopeo, wired to the helper for these registries."""
        bin_dir = self.home / "bin"
        bin_dir.mkdir(exist_ok=True)
        program = bin_dir / "docker-credential-beta9"
        if not program.exists():
            shutil.copy(os.environ["BETA9_HELPER"], program)
        config = self.home / "docker"
        config.mkdir(exist_ok=True)
        helpers = {"credHelpers": {registry: "beta9" for registry in registries}}
        (config / "config.json").write_text(json.dumps(helpers))
        path = f"{bin_dir}:{self.variables['PATH']}"
        return {**self.variables, "PATH": path, "DOCKER_CONFIG": str(config), "REGISTRY_AUTH_FILE": str(config / "config.json")}


def finish(process: "subprocess.Popen[str]", seconds: Optional[float] = 30) -> Answer:
    """The answer of a helper that is at work."""
    out, err = process.communicate(timeout=seconds)
    return Answer(process.returncode, out, err)


def at_once(starts: List[Any]) -> List[Answer]:
    """The answers of many helpers that run at the same time."""
    return [finish(process, 60) for process in [start() for start in starts]]
