"""Real clients that pull with what the shipped binary mints."""

import json
import subprocess
from pathlib import Path
from typing import Dict, Iterator, Tuple

from claims.pullers import docker_daemon, needs
from claims.report import claim
from claims.world import content, variable

from .shipped import Node

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def wired() -> Iterator[Tuple[str, str, Node]]:
    """A node for every cloud, with a tenant's secret: registry, image, node."""
    aws = {"AWS_ACCESS_KEY_ID": variable("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY": variable("AWS_SECRET_ACCESS_KEY")}
    google = {"GOOGLE_APPLICATION_CREDENTIALS": content("GOOGLE_SERVICE_ACCOUNT_FILE")}
    azure = {f"AZURE_{name}": variable(f"AZURE_{name}") for name in ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID")}
    for registry, keys, image in (
        (ECR, aws, "IMAGE"),
        ("public.ecr.aws", aws, "IMAGE"),
        ("us-docker.pkg.dev", google, "LONG_IMAGE"),
        ("gcr.io", google, "LONG_IMAGE"),
        ("myreg.azurecr.io", azure, "IMAGE"),
    ):
        yield registry, f"{registry}/{variable(image)}", Node().secret(registry, **keys)


def run(environment: Dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    """A client, in the environment of a node."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def works_only_with_the_helper(registry: str, node: Node, *command: str) -> None:
    """The command must work while the helper is wired, and fail when it is not."""
    done = run(node.wire(registry), *command)
    assert done.returncode == 0, f"{registry}: {done.stderr.strip()}"
    done = run(node.wire(), *command)
    assert done.returncode != 0, f"{registry}: it worked without the helper"


@claim("skopeo pulls from every cloud with what the helper mints, and not without it")
def _() -> None:
    needs("skopeo")
    for registry, image, node in wired():
        works_only_with_the_helper(registry, node, "skopeo", "inspect", f"docker://{image}")


@claim("podman pulls from every cloud with what the helper mints, and not without it")
def _() -> None:
    needs("podman")
    for registry, image, node in wired():
        for wires in ((registry,), ()):
            scratch = str(node.home / f"podman-{len(wires)}")
            rootful = ("--root", scratch, "--runroot", f"{scratch}.run", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file")
            done = run(node.wire(*wires), "podman", *rootful, "pull", "--quiet", image)
            assert (done.returncode == 0) == bool(wires), f"{registry} {wires}: {done.stderr.strip()}"


@claim("a real dockerd pulls from every cloud with what the helper mints, and not without it")
def _() -> None:
    needs("docker", "dockerd")
    with docker_daemon():
        for registry, image, node in wired():
            works_only_with_the_helper(registry, node, "docker", "pull", image)


@claim("one docker config serves all clouds at once")
def _() -> None:
    needs("skopeo")
    for registry, image, node in wired():
        everything = node.wire(ECR, "public.ecr.aws", "us-docker.pkg.dev", "gcr.io", "myreg.azurecr.io")
        assert len(json.loads(Path(everything["REGISTRY_AUTH_FILE"]).read_text())["credHelpers"]) == 5
        done = run(everything, "skopeo", "inspect", f"docker://{image}")
        assert done.returncode == 0, f"{registry}: {done.stderr.strip()}"
