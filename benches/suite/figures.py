"""What is measured beside the times: memory, faults, the servers' own part, many at a time."""

import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Dict

from .hyper import Case
from .variants import Variants
from .world import POSTGRES, World

# The budget's words for what is measured here.
COUNTED = {
    "cached": "get cached token",
    "ruled": "get cached token by a rule",
    "stored": "get stored",
    "request": "get request",
    "not found": "get not found",
    "version": "version",
}
HOT = tuple(COUNTED)
MIB = 2**20


class Figures:
    """Everything beside the times is measured when this is made."""

    def __init__(self, world: World, variants: Variants) -> None:
        self.world, self.variants, self.cases = world, variants, world.cases
        once = {key: [world.spawn(self.cases[key], "in-turn", 1) for _ in range(5)] for key in (*HOT, "rust", "c")}
        self.peak = {key: statistics.median(run["peak_kb"] for run in runs) for key, runs in once.items()}
        self.faults = {key: statistics.median(run["faults"] for run in runs) for key, runs in once.items()}
        self.trust = list(world.trust)[-1]
        self.busy = {"ecr": world.ecr.took(), "ecr plain": world.ecr_plain.took()}
        self.busy.update({"gateway": world.gateway.took(), "gateway plain": world.gateway_plain.took()})
        served = world.database
        self.libpq = {name: served.reconnect(options) for name, options in POSTGRES.items()} if served else {}
        self.sync = synced(world.scratch / "sync")
        self.rate = self._rate()
        self.crowd = self._crowd()

    def time(self, key: str) -> float:
        """The median, in seconds."""
        return self.cases[key].median

    def runs(self) -> str:
        """How often."""
        most = max(len(case.times) for case in self.cases.values())
        return f"{most} runs of a command; times over loopback hold what the server took, which is given apart"

    def _rate(self) -> float:
        count = 1000
        runs = [count / self.world.spawn(self.cases["cached"], "in-turn", count, core=0)["wall"] for _ in range(3)]
        return statistics.median(runs)

    def _crowd(self) -> Dict[str, float]:
        """200 at once, who have no token, and one who has none either."""
        case = self.cases[f"cold {self.trust}"]
        runs = []
        for _ in range(5):
            alone = self._cold(case, 1)
            before = self.world.ecr.requests
            run = self._cold(case, 200)
            cpu = run["user"] + run["system"]
            runs.append(
                {"wall": run["wall"], "cpu": cpu, "mint": alone["wall"], "mints": self.world.ecr.requests - before}
            )
        return sorted(runs, key=lambda run: run["wall"])[len(runs) // 2]

    def _cold(self, case: Case, count: int) -> Dict[str, float]:
        subprocess.run(case.prepare or [], check=True)
        return self.world.spawn(case, "together", count)


def synced(directory: Path) -> float:
    """The disk's own part in keeping a token: a file and its directory, synced; a median, in seconds."""
    directory.mkdir()
    times = []
    for number in range(20):
        began = time.monotonic()
        with open(directory / f"{number}", "wb") as file:
            file.write(b"x" * 2700)
            file.flush()
            os.fsync(file.fileno())
        opened = os.open(directory, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)
        times.append(time.monotonic() - began)
    return statistics.median(times)
