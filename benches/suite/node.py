"""A node with nothing on it but the helper: a home directory, an empty environment, what is stored and cached there."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Optional

from .hyper import Case

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
HUB = "ghcr.io"
FOREIGN = "registry.example.com"
# As Amazon writes one in its documentation.
KEY_ID, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Node:
    """One home directory."""

    def __init__(self, helper: str, home: Path, config: str = "", **variables: str) -> None:
        self.helper, self.home = helper, home
        # The one that is asked for.
        self.token = home
        home.mkdir(mode=0o700, parents=True)
        self.env: Dict[str, str] = {"HOME": str(home), "BETA9_CACHE_MEMORY_DIR": "off", **variables}
        if config:
            directory = home / ".config/beta9"
            directory.mkdir(parents=True)
            (directory / "credential-helper.toml").write_text(config)

    def run(self, verb: str, text: str, env: Optional[Dict[str, str]] = None) -> str:
        """What it answers, which must be a success."""
        done = subprocess.run(
            [self.helper, verb], input=text, env=env or self.env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or done.stderr:
            raise RuntimeError(f"{verb} {text[:60]}: {done.returncode}: {done.stdout[:300]}{done.stderr[:300]}")
        return done.stdout

    def store(self, host: str, username: str = "octo", secret: str = "s3cret-token") -> "Node":
        """A `docker login`."""
        self.run("store", json.dumps({"ServerURL": host, "Username": username, "Secret": secret}))
        return self

    def provision(self) -> "Node":
        """The keys of a cloud in the embedded store, as a build leaves them there."""
        keys = json.dumps({"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY})
        command = [self.helper, "provision", f"{ECR}/app:1", "--creds-json", "-"]
        subprocess.run(command, input=keys, env=self.env, text=True, capture_output=True, check=True)
        return self

    def store_hosts(self, count: int) -> "Node":
        """Until this many are stored, one of them the one that is asked for."""
        self.store(HUB)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: self.store(f"r{number}.example.net"), range(count - 1)))
        return self

    def tokens(self) -> List[Path]:
        """The cached ones."""
        return list((self.home / ".cache/beta9/tokens").glob("*.token"))

    def cache_tokens(self, count: int, **by: str) -> "Node":
        """Mints, with these variables, until there are this many, one of them the one that is asked for: as many rotations of one secret."""

        def mint(number: int) -> None:
            keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "ROTATION": str(number)}
            blob = json.dumps({"registry": ECR, "type": "aws", "credentials": keys})
            self.run("get", ECR, {**self.env, **by, "BETA9_IMAGE_CREDENTIALS": blob})

        self.run("get", ECR, {**self.env, **by})
        (self.token,) = self.tokens()
        number = 0
        while (missing := count - len(self.tokens())) > 0 and number < 2 * count:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(mint, range(number, number + missing)))
            number += missing
        # The last one to be used is the one that is asked for, so that it is not the one that has to go.
        self.run("get", ECR)
        if len(self.tokens()) != count:
            raise RuntimeError(f"{len(self.tokens())} tokens are cached and not {count}")
        return self

    def case(self, name: str, host: str, **more: object) -> Case:
        """A `get`, checked once."""
        question = self.home / f"ask-{host}"
        question.write_text(host)
        return Case(name, [self.helper, "get"], self.env, str(question), **more).check()  # type: ignore[arg-type]


def ecr_rule(url: str) -> str:
    """The configuration that sends ECR's calls to this provider."""
    return f'[[registry]]\nhost = "*.dkr.ecr.*.amazonaws.com"\nendpoint_url = "{url}"\n'
