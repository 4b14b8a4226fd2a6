"""What the counts mean for more nodes, as a table and as a drawing."""

import math
from typing import Dict

from .world import Fleet

HOURS = 11
SERIES = ("#b00", "#d80", "#06c", "#080")
# Where no lives were measured.
SHARES = {"node": 0.6, "fleet": 0.55}


def model(nodes: int, shares: Dict[str, float], gets_per_hour: int = 60, replicas: int = 10) -> Dict[str, float]:
    """Provider calls an hour for one registry: docs/fleet.md has the formulas."""
    return {
        "a mint for each get": nodes * gets_per_hour,
        "once per node": nodes / (shares["node"] * HOURS),
        f"{replicas} replicas, nothing shared": replicas / (shares["node"] * HOURS),
        "replicas that share": 1 / (shares["fleet"] * HOURS),
    }


def report(fleet: Fleet, shares: Dict[str, float]) -> str:
    """What was counted, and the model beside it."""
    out = ["# A fleet's calls to a provider\n"]
    out.append(f"`benches/fleet`, {fleet.options.nodes:,} nodes, {fleet.options.at_once} at a time, on this machine. Calls are counted; times are notes.\n")
    out.append("| | gets | calls | refused | failed gets | s |\n|---|---|---|---|---|---|")
    for row in fleet.rows:
        out.append(f"| {row['name']} | {row['gets']:,} | {row['calls']:,} | {row['refused']} | {row['failed']} | {row['took']:.1f} |")
    out.append("")
    out += [f"{note}\n" for note in fleet.notes]
    out.append(f"## The model\n\nCalls an hour for one registry: a token's life `L` of {HOURS} h, `g` = 60 gets a node and hour, and the shares of a life, as they were measured,")
    out.append(f"that pass between two mints: `s` = {shares['node']:.3f} of a node's, `f` = {shares['fleet']:.3f} of the replicas'.\n")
    out.append("| nodes `N` | " + " | ".join(model(1, shares)) + " |\n|---|---|---|---|---|")
    out.append("| | `N · g` | `N / (s · L)` | `10 / (s · L)` | `1 / (f · L)` |")
    for nodes in (1_000, 10_000, 100_000):
        out.append(f"| {nodes:,} | " + " | ".join(f"{calls:,.2f}" for calls in model(nodes, shares).values()) + " |")
    out.append("\n![calls an hour](plots/fleet.svg)\n")
    return "\n".join(out)


def plot(shares: Dict[str, float]) -> str:
    """The model on two logarithmic scales, as SVG."""
    width, height, left, bottom = 640, 400, 70, 40
    xs = [10 ** (2 + step / 10) for step in range(31)]
    at = lambda nodes: left + (math.log10(nodes) - 2) / 3 * (width - left - 170)  # noqa: E731
    of = lambda calls: height - bottom - (math.log10(calls) + 1) / 8 * (height - bottom - 20)  # noqa: E731
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>']
    for power in range(2, 6):
        parts.append(f'<text x="{at(10**power):.0f}" y="{height - 20}" text-anchor="middle">{10**power:,}</text>')
    for power in range(-1, 8):
        parts.append(f'<text x="{left - 6}" y="{of(10**power):.0f}" text-anchor="end">{10**power:,g}</text>')
        parts.append(f'<line x1="{left}" x2="{at(1e5):.0f}" y1="{of(10**power):.0f}" y2="{of(10**power):.0f}" stroke="#ddd"/>')
    for name, colour in zip(model(1, shares), SERIES):
        points = " ".join(f"{at(x):.1f},{of(model(int(x), shares)[name]):.1f}" for x in xs)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{at(1e5) + 6:.0f}" y="{of(model(100_000, shares)[name]) + 4:.0f}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{left}" y="14">provider calls an hour, by the number of nodes</text></svg>')
    return "\n".join(parts) + "\n"
