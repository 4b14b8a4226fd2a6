"""Each node mints for itself: with a store of its own, and on a worker with and without a place in memory."""

from ..worker import Worker
from .world import Fleet, Provider, blob, get
from ..node import Node
from typing import Optional

WORKSPACE = "0b7f5f6e-3f0a-4c1e-9d2b-000000000001"


def per_node(fleet: Fleet) -> None:
    """Cold, warm, and at a provider that takes a tenth of the herd."""
    count = fleet.options.nodes
    few = max(count // 10, 1)
    nodes = [fleet.node() for _ in range(count)]
    fleet.all(lambda node: bool(node.provision()), nodes)
    fleet.case("a node of its own, 2 gets each", 2 * count, lambda: fleet.all(get, nodes * 2), count)
    fleet.provider.limit = few
    nodes = [fleet.node() for _ in range(count)]
    fleet.all(lambda node: bool(node.provision()), nodes)
    fleet.case(f"the same, cold, at a provider of {few} calls a second", count, lambda: fleet.all(get, nodes))
    fleet.provider.limit = None
    api = Worker(blob())
    nodes = [worker(fleet, api) for _ in range(few)]
    fleet.case("a worker without a place in memory, 5 gets each", 5 * few, lambda: fleet.all(get, nodes * 5), 5 * few)
    nodes = [worker(fleet, api, memory=True) for _ in range(few)]
    fleet.case("a worker with one, 5 gets each", 5 * few, lambda: fleet.all(get, nodes * 5), few)
    nodes = [worker(fleet, api, memory=True)] * 50
    fleet.case("one worker with one, 50 gets at once", 50, lambda: fleet.all(get, nodes), 1)


def worker(fleet: Fleet, api: Worker, provider: Optional[Provider] = None, memory: bool = False) -> Node:
    """A worker of one image, which asks the worker API."""
    place = {"BETA9_CACHE_MEMORY_DIR": str(fleet.memory / f"w{fleet.number}")} if memory else {}
    return fleet.node(
        provider,
        BETA9_STORE="worker",
        BETA9_WORKER_ADDRESS=api.address,
        BETA9_WORKER_TOKEN="bench",
        BETA9_WORKSPACE_ID=WORKSPACE,
        BETA9_IMAGE_ID="fleet",
        **place,
    )
