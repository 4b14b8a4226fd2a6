"""The tables of RESULTS.md: where the time goes, and who else there is."""

import os
import shutil
from pathlib import Path
from typing import Dict

from .figures import COUNTED, MIB, Figures
from .machine import settle
from .report import megabytes, ms, table

BUDGET = Path(__file__).resolve().parent.parent / "budget.txt"


def all_cases(figures: Figures) -> str:
    """Every command that was measured."""
    rust = figures.time("rust")
    rows = []
    counts = dict(line.split("\t") for line in BUDGET.read_text().splitlines() if "\t" in line)
    for key, case in figures.cases.items():
        count = int(counts.get(COUNTED.get(key, ""), 0))
        row = [case.name, ms(case.median), f"{case.median / rust:.2f}", f"± {case.spread:.0%}"]
        once = [megabytes(figures.peak[key]), f"{figures.faults[key]:.0f}"] if key in figures.peak else ["", ""]
        rows.append([*row, *once, f"{count:,}" if count else ""])
    times = ["command", "median", "by Rust hello", "half the quartiles' distance"]
    return table([*times, "peak memory", "page faults", "instructions"], rows)


def mint(figures: Figures) -> str:
    """The cold mint, part by part, each a difference of two medians of the same run."""
    cold, small = f"cold {figures.trust}", "one authority"
    parts = [("process, configuration, secret from the store", figures.time("stored"))]
    if figures.trust != small:
        parts.append(
            (
                "reading the system's certificate authorities",
                figures.time(f"mint {figures.trust}") - figures.time(f"mint {small}"),
            )
        )
    server = figures.busy["ecr"] - figures.busy["ecr plain"]
    parts += [
        (
            "TLS: its set-up and handshake, the helper's side",
            figures.time(f"mint {small}") - figures.time("mint plain") - server,
        ),
        ("the provider, its TLS included", figures.busy["ecr"]),
        ("lock, seal and write the token", figures.time(cold) - figures.time(f"mint {figures.trust}")),
    ]
    parts.append(("the rest: the SDK, signing, HTTP, the runtime", figures.time(cold) - sum(took for _, took in parts)))
    rows = [[name, ms(took), f"{took / figures.time(cold):.0%}"] for name, took in parts]
    rows.append(["**a cold mint**", f"**{ms(figures.time(cold))}**", ""])
    sync = f"A file that is synced with its directory, as a token is not, takes {ms(figures.sync)} more."
    return "### A cold ECR mint, part by part\n\n" + table(["part", "time", "share"], rows) + "\n\n" + sync


def peers(figures: Figures) -> str:
    """Side by side, and who is missing."""
    assert figures.world.peers
    own = figures.time("cached")
    rows = [["this helper, cached ECR token", ms(own), "1", megabytes(figures.peak["cached"])]]
    for case in sorted(figures.world.peers.cases, key=lambda case: case.median):
        settle(shutil.which(case.command[0]) or case.command[0])
        peak = figures.world.spawn(case, "in-turn", 3)["peak_kb"]
        rows.append([case.name, ms(case.median), f"{case.median / own:.1f}", megabytes(peak)])
    text = table(["helper", "median", "by this one", "peak memory of one process"], rows)
    missing = [f"- not measured: {name}: {why}" for name, why in figures.world.peers.skipped]
    return text + ("\n\n" + "\n".join(missing) if missing else "")


def position_independence(figures: Figures) -> str:
    """What it costs to start at any address."""
    names = list(figures.world.variants)
    if len(names) < 2:
        return "Not measured: `benches/run --build` builds both."
    rows = []
    for name in names:
        size = os.path.getsize(figures.world.variants[name]) / MIB
        times = [ms(figures.time(f"{key} {name}")) for key in ("version", "cached")]
        run = figures.world.spawn(figures.cases[f"cached {name}"], "in-turn", 1)
        rows.append([name, *times, megabytes(run["peak_kb"]), f"{run['faults']:.0f}", f"{size:.2f} MiB"])
    text = table(["built", "`version`", "cached `get`", "peak memory", "page faults", "size"], rows)
    lost = (
        "At a fixed address the program's own code and data are always in one place, which helps whoever has found\n"
        "a fault in it to use it; stack, heap and the kernel's pages are still moved about."
    )
    return f"{text}\n\n{lost}"


def commands(figures: Figures) -> str:
    """What was run, for anyone who wants to see one of them again."""
    spawn = "`spawn` is `floor/spawn.c`: peak memory is what `wait4` tells it of a child."
    floor = "\n".join(" ".join(command) for command in figures.world.floor.commands)
    rows = [
        f"{case.name.replace('`', '')}: {' '.join(case.command)}  # {variables(case.env)}"
        for case in figures.cases.values()
    ]
    call = "hyperfine -N --warmup 1 --runs N --input QUESTION --export-json FILE COMMAND"
    return f"{spawn}\n\n```text\n{floor}\n{call}\n" + "\n".join(rows) + "\n```"


def variables(env: Dict[str, str]) -> str:
    """Without what is long."""
    return " ".join(f"{name}={value if len(value) < 60 else '…'}" for name, value in env.items())
