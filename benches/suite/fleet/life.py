"""Some lives of a token: everybody renews. Time is shortened at the provider, and nowhere else."""

import statistics
import threading
import time
from typing import Dict, List, Optional

from .. import database
from ..node import Node
from ..worker import Worker
from . import nodes
from .plane import lines
from .world import Fleet, Provider, ask, blob

# The last minute of a token is not used.
LIFE = 300.0
WINDOW = 340.0
PAUSE = 20.0
# What 30 minutes are of eleven hours.
LEAST = "14s"


def lives(fleet: Fleet) -> Dict[str, float]:
    """All kinds side by side, each with a provider of its own; which share of a life passes between two mints."""
    count = fleet.options.nodes
    few = max(count // 10, 1)
    own, of_worker = Provider(LIFE), Provider(LIFE)
    api = Worker(blob())
    alone = [fleet.node(own) for _ in range(count)]
    fleet.all(lambda node: bool(node.provision()), alone)
    workers = [nodes.worker(fleet, api, of_worker, memory=True) for _ in range(few)]
    planes = {number: Provider(LIFE) for number in (3, 10)}
    for number in planes:
        fleet.database.sql(
            f"INSERT INTO workspace (external_id, name, signing_key) VALUES ('{workspace(number)}', 'w{number}', '{database.SIGNING_KEY}')"
        )
        fleet.plant(number, BETA9_WORKSPACE_ID=workspace(number))
    seen: Dict[str, List[Optional[str]]] = {}
    began = time.monotonic()
    until = began + WINDOW
    done: Dict[str, int] = {"alone": 0, "workers": 0}
    failed = {"alone": 0, "workers": 0, 3: 0, 10: 0}

    def herd(name: str, herd_of: List[Node]) -> None:
        def one(node: Node) -> bool:
            password = ask(node)
            seen.setdefault(str(node.home), []).append(password)
            return password is not None

        while time.monotonic() < until:
            cycle = time.monotonic() + PAUSE
            failed[name] += fleet.all(one, herd_of)
            done[name] += len(herd_of)
            time.sleep(max(0.0, min(cycle, until) - time.monotonic()))

    def plane(number: int) -> None:
        replicas = [fleet.replica(planes[number], BETA9_WORKSPACE_ID=workspace(number)) for _ in range(number)]
        share = max(count // number, 1)
        results: List[int] = []
        each = [threading.Thread(target=lambda one=one: results.append(lines(one, share, WINDOW / share, LEAST)[1])) for one in replicas]
        for thread in each:
            thread.start()
        for thread in each:
            thread.join()
        failed[number] = sum(results)

    threads = [threading.Thread(target=herd, args=("alone", alone)), threading.Thread(target=herd, args=("workers", workers))]
    threads += [threading.Thread(target=plane, args=(number,)) for number in planes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    # A token may be renewed from half of its life.
    mints = 1 + int(took / (LIFE / 2))
    life = f"{LIFE:.0f} s of life"
    fleet.row(f"nodes of their own, {life}", done["alone"], own.take(), failed["alone"], took, count * mints)
    fleet.row(f"{few} workers with a place in memory, {life}", done["workers"], of_worker.take(), failed["workers"], took, few * mints)
    for number, provider in planes.items():
        fleet.row(f"control plane, {number} replicas, {life}", count, provider.take(), failed[number], took, mints)
    intervals = [gap for node in alone for gap in gaps(own, seen.get(str(node.home), []))]
    shared = [later - former for provider in planes.values() for former, later in zip(provider.minted, provider.minted[1:])]
    shares = {"node": mean(intervals) / LIFE, "fleet": mean(shared) / LIFE}
    fleet.note(
        f"Between two mints of one node passed {shares['node']:.1%} of a token's life ({len(intervals)} renewals), "
        f"and between two of all replicas {shares['fleet']:.1%} ({len(shared)} renewals)."
    )
    return shares


def gaps(provider: Provider, passwords: List[Optional[str]]) -> List[float]:
    """The seconds between a node's mints, by the numbers of its tokens."""
    numbers = sorted({int(password.rsplit("-", 1)[1]) for password in passwords if password})
    times = [provider.minted[number] for number in numbers]
    return [later - former for former, later in zip(times, times[1:])]


def mean(values: List[float]) -> float:
    return statistics.mean(values) if values else float("nan")


def workspace(number: int) -> str:
    """One for each control plane."""
    return f"0b7f5f6e-3f0a-4c1e-9d2b-0000000001{number:02}"
