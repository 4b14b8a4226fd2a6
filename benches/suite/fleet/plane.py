"""The control plane: replicas that share tokens, and what goes wrong there."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, List, Optional, Tuple

from ..node import SECRET_KEY, Node
from .world import IMAGE, Fleet, get


def lines(replica: Node, count: int, wait: float = 0.0, least: str = "30m") -> Tuple[List[str], int]:
    """The payloads of so many questions to one replica, and how many failed."""
    command = [replica.helper, "resolve", "--mint", "--stdin", "--min-life", least]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=replica.env, text=True, **pipes) as process:  # type: ignore[call-overload]
        answers: List[str] = []
        for _ in range(count):
            process.stdin.write(f"{IMAGE}\n")
            process.stdin.flush()
            answers.append(process.stdout.readline())
            time.sleep(wait)
        process.stdin.close()
    payloads = [answer for answer in answers if '"expires_at"' in answer]
    failed = [answer for answer in answers if '"expires_at"' not in answer]
    if failed:
        print(f"    {failed[0].strip()[:300]}", flush=True)
    return payloads, len(failed)


def ask(fleet: Fleet, count: int, replicas: List[Node], meanwhile: Optional[Callable[[], object]] = None, wait: float = 0.0) -> int:
    """The nodes ask the replicas; what each is given it uses by itself. How many failed."""
    share = max(count // len(replicas), 1)
    with ThreadPoolExecutor(len(replicas) + 1) as pool:
        other = pool.submit(meanwhile) if meanwhile else None
        done = list(pool.map(lambda replica: lines(replica, share, wait), replicas))
        if other:
            other.result()
    failed = sum(failed for _, failed in done)
    payloads = [payload for some, _ in done for payload in some]
    if any(SECRET_KEY[:-4] in payload for payload in payloads):
        raise SystemExit("benches/fleet: a payload holds a key")
    # Each of some workers uses what it was given.
    workers = [fleet.node(BETA9_IMAGE_CREDENTIALS=payload.strip()) for payload in payloads[:: max(len(payloads) // 20, 1)]]
    return failed + fleet.all(get, workers)


def control_plane(fleet: Fleet) -> None:
    """Replicas that are cold, with and without the shared table."""
    count = fleet.options.nodes
    fleet.migrate()
    fleet.plant()
    for number in (1, 3, 10):
        fleet.database.sql("TRUNCATE credential_helper_token")
        replicas = [fleet.replica() for _ in range(number)]
        fleet.case(f"control plane, {number} replicas, cold", count, lambda: ask(fleet, count, replicas), 1)
    fleet.database.sql("DROP TABLE credential_helper_token")
    replicas = [fleet.replica() for _ in range(10)]
    fleet.case("control plane, 10 replicas, without the shared table", count, lambda: ask(fleet, count, replicas), 10)
    fleet.migrate()
    fleet.provider.limit = max(count // 10, 1)
    replicas = [fleet.replica() for _ in range(10)]
    name = f"control plane, 10 replicas, at a provider of {fleet.provider.limit} calls a second"
    fleet.case(name, count, lambda: ask(fleet, count, replicas), 1)
    fleet.provider.limit = None


def faults(fleet: Fleet) -> None:
    """What happens in the middle of some seconds of questions."""
    count, seconds = fleet.options.nodes, 12.0

    def case(name: str, number: int, needed: int, fault: Callable[[List[Node]], object], **variables: str) -> None:
        replicas = [fleet.replica(None, **variables) for _ in range(number)]
        for replica in replicas:
            lines(replica, 1)
        wait = seconds * number / count
        meanwhile = lambda: (time.sleep(2), fault(replicas))  # noqa: E731
        fleet.case(name, count, lambda: ask(fleet, count, replicas, meanwhile, wait), needed)

    def away(replicas: List[Node]) -> None:
        fleet.database.stop()
        forget(replicas)
        time.sleep(5)
        fleet.database.start()

    def restart(replicas: List[Node]) -> None:
        fleet.database.stop()
        fleet.database.start()

    def truncate(replicas: List[Node]) -> None:
        fleet.database.sql("TRUNCATE credential_helper_token")
        forget(replicas)

    case("3 replicas, the table and their own tokens gone in the middle", 3, 1, truncate)
    case("3 replicas, the key rotated in the middle", 3, 1, lambda _: fleet.plant(1))
    case("10 replicas, the key rotated in the middle", 10, 1, lambda _: fleet.plant(2))
    for number in (3, 10):
        case(f"{number} replicas, the database stopped for 5 s and their own tokens gone", number, number, away)
        case(f"{number} replicas, the database killed and started again", number, 0, restart)
        case(f"{number} replicas, its connections broken off again and again", number, 0, lambda _: break_off(fleet))
    for number in (3, 10):
        promote(fleet, case, number)


def break_off(fleet: Fleet) -> None:
    """Ends all of the replicas' sessions, ten times."""
    for _ in range(10):
        fleet.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
        time.sleep(0.3)


def promote(fleet: Fleet, case: Callable[..., None], number: int) -> None:
    """The primary is killed, and its standby promoted; the replicas know both."""
    primary = fleet.database
    standby = primary.standby() if fleet.database.data == "data" else primary.standby("second")
    fleet.servers.append(standby)
    both = primary.url("sslmode=disable&target_session_attrs=read-write")
    both = both.replace(f":{primary.port}/", f":{primary.port},127.0.0.1:{standby.port}/")

    def swap(replicas: List[Node]) -> None:
        primary.follow(standby)
        primary.stop()
        forget(replicas)
        time.sleep(1)
        standby.promote()

    case(f"{number} replicas, the primary killed, their own tokens gone, a standby promoted after 1 s", number, number, swap, BETA9_DATABASE_URL=both)
    fleet.database = standby


def forget(replicas: List[Node]) -> None:
    """Their own copies of the tokens are gone."""
    for replica in replicas:
        for token in replica.tokens():
            token.unlink(missing_ok=True)
