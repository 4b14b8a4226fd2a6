"""Registering claims, trying them, and saying how it went."""

import contextlib
import functools
import traceback
from typing import Callable, Iterator, List, Tuple, Type

from . import world

CLAIMS: List[Tuple[str, Callable[[], None]]] = []

# A whole line at once: other worlds write between them.
say = functools.partial(print, flush=True)


def claim(text: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Registers a function: the claim holds when it returns."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        CLAIMS.append((text, function))
        return function

    return register


@contextlib.contextmanager
def refused(kind: Type[BaseException], *texts: str) -> Iterator[None]:
    """The block must raise this, and its message hold all these texts."""
    try:
        yield
    except kind as problem:
        missing = [text for text in texts if text not in str(problem)]
        assert not missing, f"{missing} is not in: {problem}"
    else:
        raise AssertionError("was not refused")


def run(strict: bool) -> int:
    """Try all claims, each in a world reset before; the exit status."""
    passed = failed = skipped = 0
    for text, function in CLAIMS:
        world.reset()
        try:
            function()
        except world.Skip as reason:
            skipped += not strict
            failed += strict
            say(f"{'FAIL' if strict else 'skip'} {text}: {reason}")
        except Exception as problem:  # pylint: disable=broad-except  # whatever it is, the claim does not hold
            failed += 1
            where = traceback.extract_tb(problem.__traceback__)[-1]
            say(f"FAIL {text}: {type(problem).__name__}: {problem} ({where.filename}:{where.lineno})")
        else:
            passed += 1
            say(f"ok {text}")
    say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
