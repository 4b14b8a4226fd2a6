"""A provider that counts, a real PostgreSQL, nodes with home directories of their own, and a row for each thing that was tried."""

import argparse
import base64
import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from .. import database
from ..node import ECR, KEY_ID, SECRET_KEY, Node, ecr_rule
from ..providers import Authority, Server

DELAY = 0.25
IMAGE = "fleet"


class Provider:
    """ECR, which counts, takes its time, gives tokens of some life, and may take only so many calls a second."""

    def __init__(self, life: float = 12 * 3600) -> None:
        self.lock, self.calls, self.refused, self.life = threading.Lock(), 0, 0, life
        self.limit: Optional[int] = None
        self.recent: List[float] = []
        # When each token was minted, by the number that it holds.
        self.minted: List[float] = []
        self.server = Server(self.answer, None)

    def answer(self, _path: str, _body: bytes) -> Tuple[int, bytes]:
        now = time.monotonic()
        with self.lock:
            self.recent = [at for at in self.recent if now - at < 1]
            if self.limit is not None and len(self.recent) >= self.limit:
                self.refused += 1
                return 400, json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"}).encode()
            self.recent.append(now)
            self.calls += 1
            number = len(self.minted)
            self.minted.append(now)
        time.sleep(DELAY)
        token = base64.b64encode(f"AWS:token-{number}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": time.time() + self.life, "proxyEndpoint": f"https://{ECR}"}
        return 200, json.dumps({"authorizationData": [data]}).encode()

    def take(self) -> Tuple[int, int]:
        """The calls that were answered, and refused, since this was asked last."""
        with self.lock:
            taken, self.calls, self.refused = (self.calls, self.refused), 0, 0
        return taken


class Fleet:
    """The nodes, and what they did."""

    def __init__(self, helper: str, replicas: str, scratch: Path, options: argparse.Namespace) -> None:
        self.helper, self.replicas, self.scratch, self.options = helper, replicas, scratch, options
        self.provider, self.number = Provider(), 0
        self.rows: List[Dict[str, object]] = []
        self.notes: List[str] = []
        binaries = database.binaries()
        if not binaries:
            raise SystemExit("benches/fleet: there is no PostgreSQL: benches/run --install")
        (scratch / "ca").mkdir()
        authority = Authority(scratch / "ca")
        self.database = database.Database(binaries, scratch / "postgres", authority.cert, authority.key)
        self.servers = [self.database]
        self.memory = Path(tempfile.mkdtemp(prefix="beta9-fleet.", dir="/dev/shm"))

    def node(self, provider: Optional[Provider] = None, helper: Optional[str] = None, **variables: str) -> Node:
        self.number += 1
        defaults = {"BETA9_CACHE_MEMORY_DIR": "off", "BETA9_TIMEOUT": "30s"}
        rule = ecr_rule((provider or self.provider).server.url)
        return Node(helper or self.helper, self.scratch / f"n{self.number}", rule, **{**defaults, **variables})

    def replica(self, provider: Optional[Provider] = None, **variables: str) -> Node:
        defaults = {
            "BETA9_STORE": "postgres",
            "BETA9_DATABASE_URL": self.database.url("sslmode=disable"),
            "BETA9_WORKSPACE_ID": database.WORKSPACE,
        }
        return self.node(provider, self.replicas, **{**defaults, **variables})

    def migrate(self) -> None:
        self.run(self.replica(), "migrate")

    def plant(self, rotation: int = 0, **variables: str) -> None:
        """The keys of an image's registry, as a build leaves them there."""
        self.database.sql(f"INSERT INTO image (image_id) VALUES ('{IMAGE}') ON CONFLICT DO NOTHING")
        node = self.replica(None, **variables)
        # An image is bound once for all workspaces, by the name of the secret that each of them has.
        bind = [] if variables else ["--image-id", IMAGE]
        self.run(node, "provision", f"{ECR}/app:1", "--creds-json", "-", *bind, text=json.dumps(keys(rotation)))

    def run(self, node: Node, *arguments: str, text: str = "") -> None:
        """What must be a success."""
        done = subprocess.run([node.helper, *arguments], input=text, env=node.env, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"benches/fleet: {arguments[0]}: {done.stderr}")

    def all(self, work: Callable[[Node], bool], nodes: List[Node]) -> int:
        """Runs it for all nodes, so many at a time; how many failed."""
        with ThreadPoolExecutor(self.options.at_once) as pool:
            return sum(not fine for fine in pool.map(work, nodes))

    def case(self, name: str, gets: int, run: Callable[[], int], needed: Optional[int] = None) -> None:
        """One row: calls, refusals and failed gets."""
        self.provider.take()
        began = time.monotonic()
        failed = run()
        self.row(name, gets, self.provider.take(), failed, time.monotonic() - began, needed)

    def row(self, name: str, gets: int, counted: Tuple[int, int], failed: int, took: float, needed: Optional[int]) -> None:
        calls, refused = counted
        is_wrong = needed is not None and (calls > needed or failed > 0)
        self.rows.append({"name": name, "gets": gets, "calls": calls, "refused": refused, "failed": failed, "took": took, "wrong": is_wrong})
        mark = f"   WANTED: at most {needed} calls, none failed" if is_wrong else ""
        print(f"{name:<72} {gets:>6} gets {calls:>6} calls {refused:>5} refused {failed:>4} failed {took:>7.1f} s{mark}", flush=True)

    def note(self, text: str) -> None:
        """A sentence for the report."""
        self.notes.append(text)
        print(text, flush=True)

    def stop(self) -> None:
        for server in self.servers:
            try:
                server.stop()
            except RuntimeError:
                pass  # it is down already
        lose_keys(self.memory)
        shutil.rmtree(self.memory, ignore_errors=True)


def get(node: Node) -> bool:
    """Whether a get has an answer."""
    return ask(node) is not None


def ask(node: Node) -> Optional[str]:
    """The password that a get answers."""
    done = subprocess.run([node.helper, "get"], input=ECR, env=node.env, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["Secret"] if done.returncode == 0 else None


def keys(rotation: int = 0) -> Dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY[:-4] + f"{rotation:04}"}


def blob() -> str:
    """A secret with them."""
    return json.dumps({"registry": ECR, "type": "aws", "credentials": keys()})


def lose_keys(memory: Path) -> None:
    """Takes the nodes' keys out of the kernel's keyring (keyctl(2): search, then unlink)."""
    numbers = {"x86_64": 250, "aarch64": 219}
    number = numbers.get(os.uname().machine)
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    user = ctypes.c_long(-4)
    for place in memory.iterdir() if number else ():
        name = f"docker-credential-beta9:{place}".encode()
        key = call(ctypes.c_long(number), ctypes.c_long(10), user, b"user", name, ctypes.c_long(0))
        if key > 0:
            call(ctypes.c_long(number), ctypes.c_long(9), ctypes.c_long(key), user)
