"""How the cost grows: with stored hosts, cached tokens, rules in the configuration, and processes at the same time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

from . import plot
from .hyper import Case, measure
from .node import ECR, HUB, Node, ecr_rule

HOSTS = (1, 10, 100, 1_000, 10_000)
RULES = (0, 1, 10, 100, 1_000)
PROCESSES = (1, 2, 5, 10, 20, 50, 100, 200)


@dataclass
class Growth:
    """One table, and its chart."""

    name: str
    title: str
    x: str
    columns: Sequence[str]
    rows: List[Tuple[int, List[float]]]

    def draw(self, plots: Path) -> None:
        """Writes the chart."""
        series = [
            (name, [(x, values[index] * 1000) for x, values in self.rows]) for index, name in enumerate(self.columns)
        ]
        plot.draw(plots / f"{self.name}.svg", self.title, self.x, "milliseconds", series)

    def table(self) -> str:
        """In Markdown, with the chart below it."""
        lines = [
            f"| {self.x} | " + " | ".join(f"{name}, ms" for name in self.columns) + " |",
            "|---" * (len(self.columns) + 1) + "|",
        ]
        lines += [
            f"| {x:,} | " + " | ".join(f"{value * 1000:.3g}" for value in values) + " |" for x, values in self.rows
        ]
        return f"### {self.title}\n\n" + "\n".join(lines) + f"\n\n![{self.title}](plots/{self.name}.svg)\n"


def hosts(nodes: Dict[int, Node], rounds: int) -> Growth:
    """`get` opens one file by its name; `list` opens all."""
    gets = {count: node.case(f"{count} hosts", HUB) for count, node in nodes.items()}
    lists = {
        count: Case(f"list {count}", [node.helper, "list"], node.env, runs=20 if count < 1_000 else 3).check()
        for count, node in nodes.items()
    }
    measure([*gets.values(), *lists.values()], rounds)
    rows = [(count, [gets[count].median, lists[count].median]) for count in nodes]
    return Growth("hosts", "Stored hosts", "stored hosts", ("get", "list"), rows)


def cache(nodes: Dict[int, Node], rounds: int) -> Growth:
    """A hit opens one file by its name; a mint looks at all, to keep the directory small."""
    hits = {count: node.case(f"{count} tokens", ECR) for count, node in nodes.items()}
    mints = {}
    for count, node in nodes.items():
        mints[count] = node.case(f"mint at {count}", ECR, prepare=["rm", str(node.token)], runs=5)
    measure([*hits.values(), *mints.values()], rounds)
    rows = [(count, [hits[count].median, mints[count].median]) for count in nodes]
    return Growth("cache", "Cached tokens", "cached tokens", ("get, from the cache", "get, minting"), rows)


def rules(make: Callable[[str, str], Node], rounds: int) -> Growth:
    """The configuration is read and sorted again by each process."""

    def text(count: int) -> str:
        return "".join(
            f'[[registry]]\nhost = "*.r{number}.example.net"\nbackend = "public"\n' for number in range(count)
        )

    cases = {count: make(f"rules-{count}", text(count)).store(HUB).case(f"{count} rules", HUB) for count in RULES}
    measure(list(cases.values()), rounds)
    rows = [(count, [case.median]) for count, case in cases.items()]
    return Growth("rules", "Rules in the configuration", "rules", ("get",), rows)


def parallel(case: Case, together: Callable[[Case, int], Dict[str, float]]) -> Growth:
    """Cached gets that are started at once, until the last has answered."""
    rows = []
    for count in PROCESSES:
        runs = sorted((together(case, count) for _ in range(7)), key=lambda run: run["wall"])
        middle = runs[len(runs) // 2]
        rows.append((count, [middle["wall"], middle["wall"] / count]))
    return Growth(
        "processes",
        "Processes at the same time, from the cache",
        "processes",
        ("until the last answers", "for each"),
        rows,
    )


def cache_nodes(make: Callable[[str, str], Node], url: str, most: int) -> Dict[int, Node]:
    """With the cloud's keys in the embedded store, and this many tokens."""
    counts = sorted({1, 10, 100, most})
    return {count: make(f"tokens-{count}", ecr_rule(url)).provision().cache_tokens(count) for count in counts}
