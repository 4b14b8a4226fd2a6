"""From what was measured to the lines and tables of RESULTS.md."""

import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Dict, List

from .hyper import Case
from .report import Line, ms, table
from .variants import Variants
from .world import World

HOT = ("cached", "stored", "request", "not found", "version")
MIB = 2**20


class Figures:
    """Everything beside the times is measured when this is made."""

    def __init__(self, world: World, variants: Variants) -> None:
        self.world, self.variants, self.cases = world, variants, world.cases
        self.peak = {key: self._peak(key) for key in (*HOT, "rust", "c")}
        self.trust = list(world.trust)[-1]
        self.busy = {"ecr": world.ecr.took(), "ecr plain": world.ecr_plain.took()}
        self.busy.update({"gateway": world.gateway.took(), "gateway plain": world.gateway_plain.took()})
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

    def lines(self) -> List[Line]:
        """Each of what is to be reached."""
        lines = [*self._hot_lines(), *self._full_lines(), *self._store_lines(), self._mint_line(), *self._load_lines()]
        size = os.path.getsize(self.world.helper)
        lines.append(Line("binary, static musl, stripped", "≤ 10 MiB", f"{size / MIB:.2f} MiB", size <= 10 * MIB))
        if last := self.variants.last():
            text = f"{last['seconds']} s on {last['cores']} cores ({last['when']}), `{last['command']}`"
            lines.append(Line("clean release build", "stated", text, None))
        return lines

    def _hot_lines(self) -> List[Line]:
        rust, lines = self.time("rust"), []
        for key in HOT:
            ratio, peak = self.time(key) / rust, self.peak[key]
            lines.append(Line(f"{self.cases[key].name}: time", "≤ 2 × Rust hello", f"{ms(self.time(key))}, {ratio:.2f} ×", ratio <= 2))
            lines.append(Line(f"{self.cases[key].name}: memory", "< 2 MB", f"{peak / 1000:.2f} MB", peak < 2000))
        lines.append(self._ahead("not found, against a found one", "not found", "stored", 1.0))
        assert self.world.peers
        for name, why in self.world.peers.skipped:
            if "ecr-login" in name:
                lines.append(Line(f"cached token, against {name}", "≥ 10 × as fast", f"not measured: {why}", None))
        for peer in self.world.peers.cases:
            if "ecr-login" in peer.name:
                ratio = peer.median / self.time("cached")
                lines.append(Line(f"cached token, against {peer.name}", "≥ 10 × as fast", f"{ms(peer.median)}, {ratio:.1f} ×", ratio >= 10))
        return lines

    def _full_lines(self) -> List[Line]:
        return [self._ahead(self.cases[f"{key} full"].name + ", against one", f"{key} full", key, 1.10) for key in ("stored", "cached")]

    def _ahead(self, what: str, key: str, other: str, most: float) -> Line:
        ratio = self.time(key) / self.time(other)
        target = "no slower" if most == 1.0 else f"within {most - 1:.0%}"
        # Two medians of the same thing differ by a few hundredths.
        return Line(what, target, f"{ms(self.time(key))} and {ms(self.time(other))}: {ratio - 1:+.1%}", ratio <= max(most, 1.03))

    def _store_lines(self) -> List[Line]:
        lines = []
        for name in self.world.trust:
            text = f"{ms(self.time(f'gateway {name}'))}, of which the server {ms(self.busy['gateway'])}"
            met = self.time(f"gateway {name}") <= 0.006
            lines.append(Line(f"gateway store, TLS, warm, trusting {name}", "≤ 6 ms", text, met))
        plain = self.time("gateway plain")
        text = f"{ms(plain)}, of which the server {ms(self.busy['gateway plain'])}"
        lines.append(Line("gateway store, plain, warm", "≤ 2.5 ms", text, plain <= 0.0025))
        for name in ("plain", "TLS"):
            key = f"postgres {name}"
            if key in self.cases:
                text = f"{ms(self.time(key))}; `psql` takes {ms(self.time(f'psql {name}'))}"
                lines.append(Line(f"PostgreSQL, SCRAM, {name}", "≤ 5 ms", text, self.time(key) <= 0.005))
            else:
                lines.append(Line(f"PostgreSQL, SCRAM, {name}", "≤ 5 ms", "PostgreSQL is not installed", None))
        return lines

    def _mint_line(self) -> Line:
        cold = self.time(f"cold {self.trust}")
        text = f"{ms(cold)}, of which the provider {ms(self.busy['ecr'])}; see below"
        return Line(f"cold ECR mint, TLS, trusting {self.trust}, kept in the cache", "≤ 12 ms", text, cold <= 0.012)

    def _load_lines(self) -> List[Line]:
        crowd = self.crowd
        text = f"{ms(crowd['wall'])} in all, {crowd['mints']:.0f} mint; {crowd['cpu']:.2f} s of processor time"
        most = crowd["mint"] + 0.150
        what = "200 parallel cold gets of one host"
        return [
            Line(what, f"≤ the mint + 150 ms = {ms(most)}", text, crowd["wall"] <= most),
            Line("sequential cached gets on one core", "≥ 1,000 a second", f"{self.rate:,.0f} a second", self.rate >= 1000),
        ]

    def all_cases(self) -> str:
        """Every command that was measured."""
        rust = self.time("rust")
        rows = []
        for key, case in self.cases.items():
            peak = f"{self.peak[key] / 1000:.2f} MB" if key in self.peak else ""
            rows.append([case.name, ms(case.median), f"{case.median / rust:.2f}", f"± {case.spread:.0%}", peak])
        return table(["command", "median", "by Rust hello", "half the quartiles' distance", "peak memory"], rows)

    def mint(self) -> str:
        """The cold mint, part by part, each a difference of two medians of the same run."""
        cold, small = f"cold {self.trust}", "one authority"
        parts = [("process, configuration, secret from the store", self.time("stored"))]
        if self.trust != small:
            parts.append(("reading the system's certificate authorities", self.time(f"mint {self.trust}") - self.time(f"mint {small}")))
        server = self.busy["ecr"] - self.busy["ecr plain"]
        parts += [
            ("TLS: its set-up and handshake, the helper's side", self.time(f"mint {small}") - self.time("mint plain") - server),
            ("the provider, its TLS included", self.busy["ecr"]),
            ("lock, seal, write and sync the token", self.time(cold) - self.time(f"mint {self.trust}")),
        ]
        parts.append(("the rest: the SDK, signing, HTTP, the runtime", self.time(cold) - sum(took for _, took in parts)))
        rows = [[name, ms(took), f"{took / self.time(cold):.0%}"] for name, took in parts]
        rows.append(["**a cold mint**", f"**{ms(self.time(cold))}**", ""])
        sync = f"A file written and synced with its directory takes {ms(self.sync)} on this disk, measured by itself."
        return "### A cold ECR mint, part by part\n\n" + table(["part", "time", "share"], rows) + "\n\n" + sync

    def peers(self) -> str:
        """Side by side, and who is missing."""
        assert self.world.peers
        own = self.time("cached")
        rows = [["this helper, cached ECR token", ms(own), "1", f"{self.peak['cached'] / 1000:.1f} MB"]]
        for case in sorted(self.world.peers.cases, key=lambda case: case.median):
            peak = self.world.spawn(case, "in-turn", 3)["peak_kb"] / 1000
            rows.append([case.name, ms(case.median), f"{case.median / own:.1f}", f"{peak:.1f} MB"])
        text = table(["helper", "median", "by this one", "peak memory of one process"], rows)
        missing = [f"- not measured: {name}: {why}" for name, why in self.world.peers.skipped]
        return text + ("\n\n" + "\n".join(missing) if missing else "")

    def position_independence(self) -> str:
        """What it costs to start at any address."""
        names = list(self.world.variants)
        if len(names) < 2:
            return "Not measured: `benches/run --build` builds both."
        rows = []
        for name in names:
            size = os.path.getsize(self.world.variants[name]) / MIB
            times = [ms(self.time(f"{key} {name}")) for key in ("version", "cached")]
            peak = self.world.spawn(self.cases[f"cached {name}"], "in-turn", 3)["peak_kb"] / 1000
            rows.append([name, *times, f"{peak:.2f} MB", f"{size:.2f} MiB"])
        text = table(["built", "`version`", "cached `get`", "peak memory", "size"], rows)
        lost = "At a fixed address the program's own code and data are always in the same place; stack, heap and the kernel's pages are\nstill moved about."
        return f"{text}\n\n{lost}"

    def commands(self) -> str:
        """What was run, for whoever wants to see one of them again."""
        spawn = "`spawn` is `floor/spawn.c`: peak memory is what `wait4` tells it of a child."
        floor = "\n".join(" ".join(command) for command in self.world.floor.commands)
        rows = [f"{case.name.replace('`', '')}: {' '.join(case.command)}  # {variables(case.env)}" for case in self.cases.values()]
        call = "hyperfine -N --warmup 1 --runs N --input QUESTION --export-json FILE COMMAND"
        return f"{spawn}\n\n```text\n{floor}\n{call}\n" + "\n".join(rows) + "\n```"

    def _peak(self, key: str) -> float:
        """The most of a few, in kB as the kernel counts them, taken as thousands of 1,024."""
        runs = [self.world.spawn(self.cases[key], "in-turn", 1)["peak_kb"] for _ in range(5)]
        return statistics.median(runs) * 1.024

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
            runs.append({"wall": run["wall"], "cpu": cpu, "mint": alone["wall"], "mints": self.world.ecr.requests - before})
        return sorted(runs, key=lambda run: run["wall"])[len(runs) // 2]

    def _cold(self, case: Case, count: int) -> Dict[str, float]:
        subprocess.run(case.prepare or [], check=True)
        return self.world.spawn(case, "together", count)


def variables(env: Dict[str, str]) -> str:
    """Without what is long."""
    return " ".join(f"{name}={value if len(value) < 60 else '…'}" for name, value in env.items())


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
