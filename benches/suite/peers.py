"""The best-known helpers of others, each answering from what it has at hand: its cache, its store, its static state."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Dict, List, Tuple

from .hyper import Case
from .node import ECR, HUB

ECR_LOGIN = "github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cli"
GO_TOOLS = {
    "docker-credential-ecr-login": f"{ECR_LOGIN}/docker-credential-ecr-login@latest",
    "docker-credential-gcr": "github.com/GoogleCloudPlatform/docker-credential-gcr/v2@latest",
}
PACKAGES = "amazon-ecr-credential-helper golang-docker-credential-helpers pass gnupg gnome-keyring dbus"


class Peers:
    """Those that there are on this machine, and a word on those that there are not."""

    def __init__(self, scratch: Path, go_bin: Path) -> None:
        self.scratch, self.go_bin = scratch, go_bin
        self.cases: List[Case] = []
        self.skipped: List[Tuple[str, str]] = []
        self.services: List["subprocess.Popen[bytes]"] = []
        self.gpg: Dict[str, str] = {}
        ecr = "docker-credential-ecr-login"
        self._try(f"`{ecr}`, Debian's, from its cache", lambda name: self._ecr(name, on_path(ecr)))
        self._try(f"`{ecr}`, today's, from its cache", lambda name: self._ecr(name, self._go(ecr)))
        self._try("`docker-credential-gcr`, today's, token in its store", self._gcr)
        self._try("`docker-credential-pass`", self._pass)
        self._try("`docker-credential-secretservice`", self._secretservice)

    def stop(self) -> None:
        """Ends what was started for them."""
        for service in self.services:
            service.terminate()
            service.wait()
        if self.gpg:
            subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=self.gpg, check=False)

    def _try(self, name: str, make: Callable[[str], Case]) -> None:
        try:
            self.cases.append(make(name).check())
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.skipped.append((name, str(error).splitlines()[0][:160]))

    def _go(self, program: str) -> str:
        path = self.go_bin / program
        if not path.exists():
            raise RuntimeError(f"{program} is not there: go install {GO_TOOLS[program]}")
        return str(path)

    def _home(self, name: str) -> Path:
        home = self.scratch / "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
        home.mkdir(parents=True, mode=0o700)
        return home

    def _ask(self, home: Path, text: str) -> str:
        (home / "ask").write_text(text)
        return str(home / "ask")

    def _ecr(self, name: str, program: str) -> Case:
        """Its cache is written as it writes it itself; there is no network, so only a hit can answer."""
        home = self._home(name)
        key_id = "AKIABENCH"
        now = datetime.now(timezone.utc)
        entry = {
            "AuthorizationToken": base64.b64encode(("AWS:" + "t" * 2600).encode()).decode(),
            "RequestedAt": now.isoformat(),
            "ExpiresAt": (now + timedelta(hours=12)).isoformat(),
            "ProxyEndpoint": f"https://{ECR}",
            "Service": "ecr",
        }
        # The older one meant to take a sum of the key id, and took the sum of nothing after it.
        sums = (hashlib.sha256(key_id.encode()).digest(), key_id.encode() + hashlib.md5(b"").digest())
        prefixes = [f"us-east-1-{base64.b64encode(found).decode()}-" for found in sums]
        (home / ".ecr").mkdir()
        registries = {prefix + ECR.split(".")[0]: entry for prefix in prefixes}
        (home / ".ecr/cache.json").write_text(json.dumps({"Registries": registries, "Version": "1.0"}))
        env = {
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return Case(name, [program, "get"], env, self._ask(home, ECR), runs=6)

    def _gcr(self, name: str) -> Case:
        home = self._home(name)
        token = {"access_token": "ya29." + "t" * 200, "refresh_token": "r", "token_expiry": "2099-01-01T00:00:00Z"}
        (home / "store.json").write_text(json.dumps({"gcrCreds": token}))
        env = {"HOME": str(home), "DOCKER_CREDENTIAL_GCR_STORE": str(home / "store.json")}
        return Case(name, [self._go("docker-credential-gcr"), "get"], env, self._ask(home, "gcr.io"), runs=6)

    def _pass(self, name: str) -> Case:
        program = on_path("docker-credential-pass")
        on_path("pass")
        # The agent's socket has a short path or none.
        home = self.scratch / "pass"
        home.mkdir(mode=0o700)
        env = self.gpg = {"HOME": str(home), "PATH": os.environ["PATH"]}
        key = [
            "gpg",
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            "bench@example.com",
            "rsa2048",
            "encr",
        ]
        for command in (key, ["pass", "init", "bench@example.com"]):
            subprocess.run(command, env=env, check=True, capture_output=True)
        self._keep(program, env)
        return Case(name, [program, "get"], env, self._ask(home, HUB), runs=3)

    def _secretservice(self, name: str) -> Case:
        program = on_path("docker-credential-secretservice")
        home = self._home(name)
        env = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home)}
        address = f"unix:path={self.scratch}/bus"
        bus = [on_path("dbus-daemon"), "--session", "--nofork", f"--address={address}", "--print-address"]
        daemon = subprocess.Popen(bus, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.services.append(daemon)
        assert daemon.stdout is not None
        daemon.stdout.readline()
        env["DBUS_SESSION_BUS_ADDRESS"] = address
        unlock = [on_path("gnome-keyring-daemon"), "--foreground", "--unlock", "--components=secrets"]
        keyring = subprocess.Popen(
            unlock, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.services.append(keyring)
        assert keyring.stdin is not None and keyring.stdout is not None
        keyring.stdin.write(b"password")
        keyring.stdin.close()
        keyring.stdout.readline()
        self._keep(program, env)
        return Case(name, [program, "get"], env, self._ask(home, HUB), runs=3)

    def _keep(self, program: str, env: Dict[str, str]) -> None:
        request = json.dumps({"ServerURL": HUB, "Username": "octo", "Secret": "s3cret-token"})
        done = subprocess.run(
            [program, "store"], env=env, input=request, capture_output=True, text=True, check=False, timeout=30
        )
        if done.returncode != 0:
            raise RuntimeError(f"store: {(done.stdout + done.stderr).strip()}")


def on_path(program: str) -> str:
    """Where it is."""
    found = shutil.which(program)
    if not found:
        raise RuntimeError(f"{program} is not installed (Debian: {PACKAGES})")
    return found
