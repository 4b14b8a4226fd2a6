"""The tables of RESULTS.md: where the time goes, and who else there is."""

import os
import shutil
from pathlib import Path
from typing import Dict

from .figures import COUNTED, MIB, Figures
from .machine import linkage, settle
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


def builds(figures: Figures) -> str:
    """What each way to build it gives; the program under test is the first."""
    rust, rows = figures.time("rust"), []
    programs = {"the program under test": figures.world.helper, **figures.world.variants}
    for name, program in programs.items():
        suffix = f" {name}" if name in figures.world.variants else ""
        times = [figures.time(key + suffix) for key in ("version", "stored", "cached")]
        run = figures.world.spawn(figures.cases[f"cached{suffix}"], "in-turn", 1)
        cells = [f"{ms(took)}, {took / rust:.2f} ×" for took in times]
        size = f"{os.path.getsize(program) / MIB:.2f} MiB"
        rows.append([name, linkage(program), *cells, megabytes(run["peak_kb"]), f"{run['faults']:.0f}", size])
    head = ["built", "", "`version`", "stored `get`", "cached `get`", "peak memory", "page faults", "size"]
    return f"Times are also by Rust hello.\n\n{table(head, rows)}"


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
