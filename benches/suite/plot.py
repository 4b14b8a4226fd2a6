"""A line chart as SVG: two logarithmic axes, a few series, nothing else."""

import math
from pathlib import Path
from typing import List, Sequence, Tuple

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 54, 62
COLOURS = ("#1f5fa8", "#c2571a", "#3b7d3b")
Points = Sequence[Tuple[float, float]]


def draw(file: Path, title: str, x_label: str, y_label: str, series: Sequence[Tuple[str, Points]]) -> None:
    """Writes the chart. Every value must be above zero; an x of zero is drawn at the left edge, and labelled 0."""
    xs = sorted({x for _, points in series for x, _ in points})
    ys = [y for _, points in series for _, y in points]
    low, high = floor_decade(min(ys)), ceil_decade(max(ys))
    left, right = math.log10(max(xs[0], 1)), math.log10(xs[-1])
    # Nothing has no logarithm: it stands a little left of one.
    zero = left - 0.35 if xs[0] == 0 else left
    area_w, area_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at_x(x: float) -> float:
        place = zero if x == 0 else math.log10(x)
        return LEFT + 14 + (place - zero) / (right - zero) * (area_w - 28)

    def at_y(y: float) -> float:
        return TOP + area_h - (math.log10(y) - math.log10(low)) / (math.log10(high) - math.log10(low)) * area_h

    out: List[str] = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{title}</text>',
    ]
    for y in ticks(low, high):
        major = is_decade(y)
        colour = "#cfcfcf" if major else "#ededed"
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}" stroke="{colour}"/>')
        if major or high / low <= 10:
            out.append(f'<text x="{LEFT - 8}" y="{at_y(y) + 4:.1f}" text-anchor="end">{number(y)}</text>')
    for x in xs:
        out.append(
            f'<line x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" y1="{TOP + area_h}" y2="{TOP + area_h + 5}" stroke="#222"/>'
        )
        out.append(f'<text x="{at_x(x):.1f}" y="{TOP + area_h + 19}" text-anchor="middle">{number(x)}</text>')
    out.append(f'<path d="M{LEFT} {TOP}V{TOP + area_h}H{WIDTH - RIGHT}" fill="none" stroke="#222"/>')
    out.append(f'<text x="{LEFT + area_w / 2}" y="{HEIGHT - 16}" text-anchor="middle">{x_label} (logarithmic)</text>')
    middle = TOP + area_h / 2
    turned = f'x="20" y="{middle}" text-anchor="middle" transform="rotate(-90 20 {middle})"'
    out.append(f"<text {turned}>{y_label} (logarithmic)</text>")
    for index, (name, points) in enumerate(series):
        colour = COLOURS[index]
        line = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        begin = LEFT + index * 200
        out.append(f'<rect x="{begin}" y="34" width="18" height="4" fill="{colour}"/>')
        out.append(f'<text x="{begin + 24}" y="41">{name}</text>')
    out.append("</svg>")
    file.write_text("\n".join(out) + "\n")


def ticks(low: float, high: float) -> List[float]:
    """1, 2 and 5 of each decade."""
    found, decade = [], low
    while decade <= high * 1.001:
        found += [value for value in (decade, 2 * decade, 5 * decade) if value <= high * 1.001]
        decade *= 10
    return found


def is_decade(value: float) -> bool:
    """A power of ten."""
    return abs(math.log10(value) - round(math.log10(value))) < 1e-6


def floor_decade(value: float) -> float:
    """The power of ten below."""
    return 10.0 ** math.floor(math.log10(value))


def ceil_decade(value: float) -> float:
    """The power of ten above."""
    return 10.0 ** math.ceil(math.log10(value) - 1e-9)


def number(value: float) -> str:
    """As short as can be, thousands apart."""
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
