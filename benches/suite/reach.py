"""What is to be reached: each line with its target, and what was measured."""

import os
from typing import List

from .figures import HOT, MIB, Figures
from .report import Line, megabytes, ms
from .variants import BY_INSTALL


def lines(figures: Figures) -> List[Line]:
    """Each of what is to be reached."""
    lines = [*hot_lines(figures), *full_lines(figures), *store_lines(figures), mint_line(figures), *load_lines(figures)]
    size = os.path.getsize(figures.world.helper)
    lines.append(Line("binary, static musl, stripped", "≤ 10 MiB", f"{size / MIB:.2f} MiB", size <= 10 * MIB))
    if last := figures.variants.last():
        text = f"{last['seconds']} s on {last['cores']} cores ({last['when']}), `{last['command']}`"
        lines.append(Line("clean release build", "stated", text, None))
    return lines


def hot_lines(figures: Figures) -> List[Line]:
    rust, lines = figures.time("rust"), []
    for key in HOT:
        ratio, peak = figures.time(key) / rust, figures.peak[key]
        lines.append(
            Line(
                f"{figures.cases[key].name}: time",
                "≤ 2 × Rust hello",
                f"{ms(figures.time(key))}, {ratio:.2f} ×",
                ratio <= 2,
            )
        )
        lines.append(Line(f"{figures.cases[key].name}: memory", "< 2 MB", megabytes(peak), peak * 1.024 < 2000))
    for case in (figures.cases[f"{key} {BY_INSTALL}"] for key in ("stored", "cached") if BY_INSTALL in figures.world.variants):
        ratio = case.median / rust
        lines.append(Line(f"{case.name}: time", "≤ 3 × Rust hello", f"{ms(case.median)}, {ratio:.2f} ×", ratio <= 3))
    lines.append(ahead(figures, "not found, against a found one", "not found", "stored", 1.0))
    assert figures.world.peers
    for name, why in figures.world.peers.skipped:
        if "ecr-login" in name:
            lines.append(Line(f"cached token, against {name}", "≥ 10 × as fast", f"not measured: {why}", None))
    for peer in figures.world.peers.cases:
        if "ecr-login" in peer.name:
            ratio = peer.median / figures.time("cached")
            lines.append(
                Line(
                    f"cached token, against {peer.name}",
                    "≥ 10 × as fast",
                    f"{ms(peer.median)}, {ratio:.1f} ×",
                    ratio >= 10,
                )
            )
    return lines


def full_lines(figures: Figures) -> List[Line]:
    return [
        ahead(figures, figures.cases[f"{key} full"].name + ", against one", f"{key} full", key, 1.10)
        for key in ("stored", "ruled")
    ]


def ahead(figures: Figures, what: str, key: str, other: str, most: float) -> Line:
    ratio = figures.time(key) / figures.time(other)
    target = "no slower" if most == 1.0 else f"within {most - 1:.0%}"
    # Two medians of the same thing differ by a few hundredths.
    return Line(
        what,
        target,
        f"{ms(figures.time(key))} and {ms(figures.time(other))}: {ratio - 1:+.1%}",
        ratio <= max(most, 1.03),
    )


def store_lines(figures: Figures) -> List[Line]:
    lines = []
    for name in figures.world.trust:
        text = f"{ms(figures.time(f'gateway {name}'))}, of which the server {ms(figures.busy['gateway'])}"
        met = figures.time(f"gateway {name}") <= 0.006
        lines.append(Line(f"gateway store, TLS, warm, trusting {name}", "≤ 6 ms", text, met))
    plain = figures.time("gateway plain")
    text = f"{ms(plain)}, of which the server {ms(figures.busy['gateway plain'])}"
    lines.append(Line("gateway store, plain, warm", "≤ 2.5 ms", text, plain <= 0.0025))
    for name in ("plain", "TLS"):
        key = f"postgres {name}"
        if key in figures.cases:
            libpq = f"libpq's own connection and query, without a process's start: {ms(figures.libpq[name])}"
            text = f"{ms(figures.time(key))}; {libpq}"
            lines.append(Line(f"PostgreSQL, SCRAM, {name}", "≤ 5 ms", text, figures.time(key) <= 0.005))
        else:
            lines.append(Line(f"PostgreSQL, SCRAM, {name}", "≤ 5 ms", "PostgreSQL is not installed", None))
    return lines


def mint_line(figures: Figures) -> Line:
    cold = figures.time(f"cold {figures.trust}")
    text = f"{ms(cold)}, of which the provider {ms(figures.busy['ecr'])}; see below"
    return Line(f"cold ECR mint, TLS, trusting {figures.trust}, kept in the cache", "≤ 12 ms", text, cold <= 0.012)


def load_lines(figures: Figures) -> List[Line]:
    crowd = figures.crowd
    text = f"{ms(crowd['wall'])} in all, {crowd['mints']:.0f} mint; {crowd['cpu']:.2f} s of processor time"
    most = crowd["mint"] + 0.150
    what = "200 parallel cold gets of one host"
    return [
        Line(what, f"≤ the mint + 150 ms = {ms(most)}", text, crowd["wall"] <= most),
        Line(
            "sequential cached gets on one core",
            "≥ 1,000 a second",
            f"{figures.rate:,.0f} a second",
            figures.rate >= 1000,
        ),
    ]
