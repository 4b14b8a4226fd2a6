"""`resolve --mint --stdin`: how many images a second on one core, what memory it takes, and what a shared token costs a `get`."""

import json
import os
import shutil
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, List, Tuple

from ..node import ECR, Node
from .world import IMAGE, Fleet

SPEED, MEMORY, PAIRS = 20_000, 100_000, 200


class Process:
    """One that answers lines, on the first core."""

    def __init__(self, replica: Node) -> None:
        command = [shutil.which("taskset") or "taskset", "-c", "0", replica.helper, "resolve", "--mint", "--stdin"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=replica.env, **pipes)  # type: ignore[call-overload]

    def ask(self, images: List[str]) -> int:
        """Sends all of them, as fast as they are taken; how many were answered with a payload."""
        text = "".join(f"{image}\n" for image in images).encode()
        writer = threading.Thread(target=send, args=(self.process.stdin, text))
        writer.start()
        good = sum(b'"credentials"' in self.process.stdout.readline() for _ in images)
        writer.join()
        return good

    def seconds(self) -> float:
        """Of the processor, that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """KiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def send(pipe: IO[bytes], text: bytes) -> None:
    pipe.write(text)
    pipe.flush()


def stdin(fleet: Fleet) -> None:
    """Both, over one connection each."""
    fleet.migrate()
    fleet.plant()
    fixed = json.dumps({"GITHUB_USERNAME": "octo", "GITHUB_TOKEN": "s3cret"})
    fleet.database.sql("INSERT INTO image (image_id) VALUES ('fixed')")
    fleet.run(fleet.replica(), "provision", "ghcr.io/app:1", "--creds-json", "-", "--image-id", "fixed", text=fixed)
    process = Process(fleet.replica())
    process.ask([IMAGE] * 100)
    used, began = process.seconds(), time.monotonic()
    good = process.ask([IMAGE] * SPEED)
    took, used = time.monotonic() - began, process.seconds() - used
    process.end()
    if good != SPEED:
        raise SystemExit(f"benches/fleet: only {good} of {SPEED} lines were answered")
    fleet.note(
        f"`resolve --mint --stdin` on one core (`taskset -c 0`), one connection, cached tokens, {SPEED:,} lines: {SPEED / took:,.0f} a second; "
        f"{used / SPEED * 1e6:.0f} µs of its own processor time for each."
    )
    process = Process(fleet.replica())
    sizes: List[int] = []
    good = 0
    for _ in range(MEMORY // 10_000):
        good += process.ask([[IMAGE, "fixed", "unknown", IMAGE, "fixed"][line % 5] for line in range(10_000)])
        sizes.append(process.resident())
    process.end()
    if good != MEMORY // 5 * 4:
        raise SystemExit(f"benches/fleet: only {good} of {MEMORY} lines were answered with a payload")
    fleet.note(
        f"Its resident memory over {MEMORY:,} lines (tokens, static pairs, unknown images), after each 10,000: "
        f"{', '.join(str(size) for size in sizes)} KiB."
    )


def shared_get(fleet: Fleet) -> None:
    """A `get` beside the shared table, and one without, one after the other."""
    fleet.migrate()
    fleet.plant()
    fleet.database.sql("TRUNCATE credential_helper_token")
    sharing = fleet.replica()
    fleet.run(sharing, "get", text=ECR)
    if fleet.database.counts():
        count_statements(fleet)
    fleet.database.sql("CREATE DATABASE alone TEMPLATE template0")
    dumped = subprocess.run(
        [str(fleet.database.bin / "pg_dump"), "-T", "credential_helper_token", fleet.database.url("sslmode=disable")],
        check=True, capture_output=True, text=True,
    ).stdout
    url = fleet.database.url("sslmode=disable").replace("/postgres?", "/alone?")
    subprocess.run([str(fleet.database.bin / "psql"), "-Xq", url], input=dumped, check=True, capture_output=True, text=True)
    alone = fleet.replica(None, BETA9_DATABASE_URL=url)
    fleet.run(alone, "get", text=ECR)
    times: Tuple[List[float], List[float]] = ([], [])
    for number in range(PAIRS + 10):
        for node, into in zip((sharing, alone), times):
            began = time.monotonic()
            fleet.run(node, "get", text=ECR)
            if number >= 10:
                into.append(time.monotonic() - began)
    ours, before = (statistics.median(some) for some in times)
    fleet.note(
        f"A `get` from PostgreSQL with a shared token takes {ours / before:.3f} of one without the shared table "
        f"({ours * 1e3:.2f} and {before * 1e3:.2f} ms, medians of {PAIRS} pairs; the token is in the node's cache in both)."
    )


def count_statements(fleet: Fleet) -> None:
    """By the server's own count, of nodes that have no token of their own."""
    fleet.database.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()")
    minted = fleet.provider.calls
    gets = 20
    for _ in range(gets):
        fleet.run(fleet.replica(), "get", text=ECR)
    statements = "SELECT sum(calls) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"
    statements = fleet.database.sql(statements).strip()
    fleet.note(
        f"{gets} first `get`s of {gets} nodes, whose token others have shared: {statements} statements by pg_stat_statements, "
        f"{fleet.provider.calls - minted} calls of the provider."
    )
