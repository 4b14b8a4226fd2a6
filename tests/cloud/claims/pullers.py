"""Programs that pull, beside skopeo: a real dockerd, podman, and many clients at once."""

import contextlib
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator

from . import aws, azure, google
from .report import claim
from .world import Skip, calls, http, variable


def run(*command: str, text: str = "") -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout.strip()


def needs(*programs: str) -> None:
    """Skip where one of these is missing."""
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")


@contextlib.contextmanager
def docker_daemon() -> Iterator[None]:
    """A daemon of the world's own, with no network but the world's."""
    scratch = Path(variable("DIR"))
    with (scratch / "dockerd.log").open("w") as log:
        daemon = subprocess.Popen(
            [
                "dockerd",
                f"--data-root={scratch}/docker",
                "--storage-driver=vfs",
                "--iptables=false",
                "--ip6tables=false",
                "--bridge=none",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            end = time.monotonic() + 30
            while subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
                assert daemon.poll() is None and time.monotonic() < end, (scratch / "dockerd.log").read_text()[-500:]
                time.sleep(0.1)
            yield
        finally:
            daemon.terminate()
            daemon.wait()


@claim("a real dockerd logs in, pulls and pushes with the token of each provider")
def _() -> None:
    needs("docker", "dockerd")
    # With a configuration that has a login already, docker does not look for a password store on this machine.
    config = Path(variable("DIR")) / "docker-config"
    config.mkdir()
    (config / "config.json").write_text('{"auths": {"other.example": {}}}')
    docker = ("docker", f"--config={config}")
    with docker_daemon():
        entra = azure.application().get_token(azure.SCOPE).token
        google_token = google.minted("GOOGLE_SERVICE_ACCOUNT_FILE")
        for registry, user, secret in (
            (aws.REGISTRY, "AWS", aws.token(aws.client("ecr"))["password"]),
            (azure.REGISTRY, azure.USER, azure.exchange(entra).json["refresh_token"]),
            ("us-docker.pkg.dev", "oauth2accesstoken", google_token),
            ("gcr.io", "oauth2accesstoken", google_token),
        ):
            image, copy = f"{registry}/{variable('LONG_IMAGE')}", f"{registry}/world-project/images/copy:1"
            run(*docker, "login", "--username", user, "--password-stdin", registry, text=secret)
            run(*docker, "pull", image)
            run(*docker, "tag", image, copy)
            run(*docker, "push", copy)


@claim("podman pulls with ECR's token")
def _() -> None:
    needs("podman")
    scratch, secret = variable("DIR"), aws.token(aws.client("ecr"))["password"]
    run(
        "podman",
        f"--root={scratch}/podman",
        f"--runroot={scratch}/podman-run",
        "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
        "--events-backend=file",
        "pull",
        "--quiet",
        "--creds",
        f"AWS:{secret}",
        f"{aws.REGISTRY}/{variable('IMAGE')}",
    )


@claim("two hundred clients at once are all answered and all recorded")
def _() -> None:
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: http("GET", "https://myreg.azurecr.io/v2/").status, range(200)))
    assert answers == [401] * 200, answers
    assert len(calls(service="acr")) == 200
