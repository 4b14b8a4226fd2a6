"""RESULTS.md: each line of what is to be reached, its target, what was measured, and whether that is enough."""

from dataclasses import dataclass
from typing import List, Optional


@dataclass
class Line:
    """One thing to be reached."""

    what: str
    target: str
    measured: str
    met: Optional[bool]  # None: there is no target, or it could not be measured


def ms(seconds: float) -> str:
    """Three digits are what there is to say."""
    value = seconds * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def megabytes(kb: float) -> str:
    """The kernel's kB are of 1,024 bytes."""
    return f"{kb * 1.024 / 1000:.2f} MB"


def lines_table(lines: List[Line]) -> str:
    """In Markdown."""
    words = {True: "met", False: "**missed**", None: "–"}
    rows = [f"| {line.what} | {line.target} | {line.measured} | {words[line.met]} |" for line in lines]
    return "\n".join(["| what | target | measured | |", "|---|---|---|---|", *rows])


def table(head: List[str], rows: List[List[str]]) -> str:
    """In Markdown."""
    out = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(out + ["| " + " | ".join(row) + " |" for row in rows])
