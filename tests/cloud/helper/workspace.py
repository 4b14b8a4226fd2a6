"""From the build to the pull: a control plane with a real PostgreSQL provisions, a worker pulls, the secret is rotated."""

import base64
import contextlib
import glob
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Iterator, List, NamedTuple

from claims.pullers import needs
from claims.report import claim
from claims.world import Skip, calls, variable

from .shipped import Answer, Node
from .pullers import ECR, run

WORKSPACE = "7d1c6a52-0000-4000-8000-000000000001"
SCHEMA = Path(__file__).parents[2] / "fixtures/beta9-schema.sql"


class Database(NamedTuple):
    """A PostgreSQL with Beta9's tables, a workspace and an image."""

    url: str
    key: str
    """The workspace's signing key."""
    psql: List[str]

    def sql(self, text: str) -> str:
        """What psql prints, a row a line."""
        quiet = {"check": True, "capture_output": True, "text": True}
        return subprocess.run([*self.psql, "-At"], input=text, **quiet).stdout


@contextlib.contextmanager
def database() -> Iterator[Database]:
    """A new one."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [os.path.dirname(shutil.which("initdb") or "")]
    programs = Path(found[-1])
    if not (programs / "initdb").exists():
        raise Skip("PostgreSQL is not installed")
    home = Path(variable("DIR")) / f"postgres-{time.monotonic_ns()}"
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")
    # PostgreSQL refuses to run as root.
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", f"HOME={home}")
    data = home / "data"
    quiet = {"check": True, "capture_output": True, "cwd": home}
    subprocess.run([*nobody, programs / "initdb", "-A", "trust", "-U", "postgres", "-D", data], **quiet)
    options = f"-c listen_addresses=127.0.0.1 -c port=5432 -c unix_socket_directories={home} -c fsync=off"
    control = [*nobody, programs / "pg_ctl", "-w", "-D", data, "-l", home / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd=home)
    try:
        key = "sk_" + base64.b64encode(os.urandom(32)).decode()
        rows = (
            f"INSERT INTO workspace (external_id, name, signing_key) VALUES ('{WORKSPACE}', 'w', '{key}');"
            "INSERT INTO image (image_id) VALUES ('im1');"
        )
        psql = [str(programs / "psql"), "-q", "-h", "127.0.0.1", "-U", "postgres", "-v", "ON_ERROR_STOP=1"]
        subprocess.run(psql, input=SCHEMA.read_text() + rows, text=True, **quiet)
        yield Database("postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable", key, psql)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd=home)


def command(node: Node, *arguments: str) -> Answer:
    """An operator's command on a node."""
    done = subprocess.run(
        [os.environ["BETA9_HELPER"], *arguments], env=node.variables, capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def provision(plane: Node, image: str, prefix: str) -> Answer:
    """What the build does with the keys in its environment."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        plane.variables[f"AWS_{name}"] = variable(f"AWS_{prefix}{name}")
    names = "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY"
    return command(plane, "provision", image, "--creds", names, "--image-id", "im1", "--check")


def access_keys() -> List[str]:
    """Whose keys ECR was asked with."""
    return [call["note"]["access_key_id"] for call in calls(service="ecr")]


@claim("provision, resolve, a worker's pull, a rotation, and the next pull uses the new keys")
def _() -> None:
    needs("skopeo", "setpriv")
    image = f"{ECR}/{variable('IMAGE')}"
    with database() as where:
        plane = Node(BETA9_STORE="postgres", BETA9_DATABASE_URL=where.url, BETA9_WORKSPACE_ID=WORKSPACE)
        assert command(plane, "migrate").status == 0
        worker = Node()
        tokens = []
        for prefix in ("", "OTHER_"):
            done = provision(plane, image, prefix)
            assert done.status == 0 and "bound image im1" in done.out, done
            assert variable(f"AWS_{prefix}SECRET_ACCESS_KEY") not in done.out + done.err
            payload = command(plane, "resolve", "im1")
            assert payload.status == 0 and payload.out.startswith('{"credentials":{'), payload
            worker.variables["BETA9_IMAGE_CREDENTIALS"] = payload.out.strip()
            pulled = run(worker.wire(ECR), "skopeo", "inspect", f"docker://{image}")
            assert pulled.returncode == 0, pulled.stderr
            assert access_keys()[-1] == variable(f"AWS_{prefix}ACCESS_KEY_ID")
            tokens.append(worker.get(ECR).pair[1])
        assert tokens[0] != tokens[1], "the old token is still served"
        # Nothing of the payload is on the worker's disk.
        for file in (file for file in worker.home.rglob("*") if file.is_file() and file.name != "docker-credential-beta9"):
            assert variable("AWS_OTHER_SECRET_ACCESS_KEY").encode() not in file.read_bytes(), file


@claim("provision --check stores nothing that the registry refuses")
def _() -> None:
    with database() as where:
        plane = Node(BETA9_STORE="postgres", BETA9_DATABASE_URL=where.url, BETA9_WORKSPACE_ID=WORKSPACE)
        plane.variables.update(USERNAME="AWS", PASSWORD="wrong")
        done = command(plane, "provision", f"{ECR}/{variable('IMAGE')}", "--creds", "USERNAME,PASSWORD", "--check")
        assert done.status == 1 and "it refuses this credential (401)" in done.err, done
        assert plane.get(ECR).status == 1 and plane.run("list", "").out == "{}\n"
