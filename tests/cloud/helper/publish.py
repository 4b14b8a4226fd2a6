"""Published tokens: a service account's key stays in the control plane, and real CLIP pulls with what the workspace holds."""

import base64
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Dict, List

from claims.report import claim
from claims.world import Skip, content, control, settings, variable
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .shipped import Answer, Node
from .workspace import WORKSPACE, Database, database

GOOGLE = "us-docker.pkg.dev"
CLIP = Path(__file__).parents[3] / "target/real/go/clip"
# What Beta9's migration 053 does to the table of images.
NAMES = """
ALTER TABLE image DROP COLUMN IF EXISTS credential_secret_name, DROP COLUMN IF EXISTS credential_secret_id;
ALTER TABLE image ADD COLUMN credential_secret_names TEXT[];
"""
LIFE = 24  # of the first token, in seconds: a pull is over long before half of it


def canaries() -> List[str]:
    """Parts of the service account's key, each of which is found in no other text."""
    lines = json.loads(content("GOOGLE_SERVICE_ACCOUNT_FILE"))["private_key"].split("\n")
    assert len(lines) > 10 and all(len(line) == 64 for line in lines[1:5]), "the key has another shape"
    return lines[1:5]


def plane(url: str) -> Node:
    """A control plane with the key in its own store."""
    node = Node(BETA9_STORE="postgres", BETA9_DATABASE_URL=url, BETA9_WORKSPACE_ID=WORKSPACE)
    key = {"BETA9_STORE": "file", "GOOGLE_APPLICATION_CREDENTIALS": content("GOOGLE_SERVICE_ACCOUNT_FILE")}
    kept = node.command("provision", f"{GOOGLE}/team/app", "--creds", "GOOGLE_APPLICATION_CREDENTIALS", **key)
    assert kept.status == 0, kept
    return node


def publish(node: Node, *words: str, **variables: str) -> Answer:
    """A run that succeeds."""
    done = node.command("publish", *words, **variables)
    assert done.status == 0 and done.err == "", done
    return done


def values(where: Database) -> Dict[str, str]:
    """The workspace's secrets, opened with its key by nothing of ours."""
    key = base64.b64decode(where.key.removeprefix("sk_"))
    rows = [line.split("|") for line in where.sql("SELECT name, value FROM workspace_secret").splitlines()]
    sealed = {name: base64.b64decode(value) for name, value in rows}
    return {name: AESGCM(key).decrypt(value[:12], value[12:], None).decode() for name, value in sealed.items()}


def clip(worker: Node, payload: str) -> "subprocess.CompletedProcess[str]":
    """CLIP in a worker, with nothing but the payload."""
    if not CLIP.exists():
        raise Skip("CLIP is not built (tests/real/install)")
    (worker.home / "payload").write_text(payload)
    reference = f"{GOOGLE}/{variable('LONG_IMAGE')}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(worker.home)}
    command = [str(CLIP), "payload", reference]
    return subprocess.run(command, input=payload, env=environment, capture_output=True, text=True, check=False)


def rotated_twice(where: Database, node: Node, *first: str) -> List[str]:
    """Publishes, and again from half of a token's life on, and once more; CLIP pulls each time. What was published."""
    worker, published = Node(), []
    assert clip(worker, '{"credentials":{"USERNAME":"u","PASSWORD":"p"}}').returncode != 0, "anybody may pull"
    settings(google_token_seconds=LIFE)
    for round_, words in enumerate((first, (), (GOOGLE, "--force"))):
        publish(node, *words, BETA9_CACHE="off")
        payload = node.command("resolve", "im1", "--image", f"{GOOGLE}/team/app")
        assert payload.status == 0, payload
        pulled = clip(worker, payload.out)
        assert pulled.returncode == 0, pulled.stderr
        published.append(payload.out)
        for name, value in values(where).items():
            assert not any(part in value for part in canaries()), name
        if round_ == 0:
            assert "nothing is due for" in publish(node).out.replace("\n  ", " ")
            settings(google_token_seconds=3599)
            time.sleep(LIFE / 2 + 1)
    assert len(set(published)) == 3, "a token was published twice"
    for file in (file for file in worker.home.rglob("*") if file.is_file()):
        assert not any(part.encode() in file.read_bytes() for part in canaries()), file
    assert not any(control("/seen", {"text": part}) for part in canaries()), "the key was sent to somebody"
    return published


@claim("publish: the workspace's one secret is rotated twice, CLIP pulls with each, and the key is nowhere else")
def _() -> None:
    with database() as where:
        node = plane(where.url)
        assert node.command("migrate").status == 0
        rotated_twice(where, node, GOOGLE)
        assert list(values(where)) == ["oci-registry-us-docker-pkg-dev"], values(where)


@claim("publish: where images name single secrets, GCP_ACCESS_TOKEN is rotated twice and CLIP pulls with each")
def _() -> None:
    with database() as where:
        where.sql(NAMES)
        where.sql("UPDATE image SET credential_secret_names = '{GCP_ACCESS_TOKEN}' WHERE image_id = 'im1'")
        published = rotated_twice(where, plane(where.url), GOOGLE)
        assert list(values(where)) == ["GCP_ACCESS_TOKEN"], values(where)
        assert all(json.loads(payload)["registry"] == "" for payload in published), "not what Beta9 assembles"


@claim("publish: a secret of the workspace that somebody else wrote stays as it is")
def _() -> None:
    with database() as where:
        where.sql(NAMES)
        node = plane(where.url)
        publish(node, GOOGLE)
        before = where.sql("SELECT name, value FROM workspace_secret")
        name = hashlib.sha256(f"#published:{GOOGLE}".encode()).hexdigest()[:40]
        note = next(file for file in node.home.rglob("*.sealed") if name in file.name)
        note.unlink()
        refused = node.command("publish", GOOGLE)
        assert refused.status == 1 and "that this node did not write" in refused.err, refused
        assert where.sql("SELECT name, value FROM workspace_secret") == before
