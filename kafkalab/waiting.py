"""The only place of the project that sleeps.

Every wait has a limit. At the limit it raises an error that names the last observation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Seen = TypeVar("Seen")

# An observation may be a whole log; a message must stay readable.
LONGEST_SEEN = 1000

_guards: list[Callable[[], None]] = []


class Expired(AssertionError):
    """The awaited state did not come within the limit.

    It is an AssertionError, because the expectation was about Kafka: the fact that
    waits is refuted unless a probe shows that the broker is gone.
    """


@contextmanager
def guarded_by(guard: Callable[[], None]) -> Iterator[None]:
    """Let every wait inside the block end early when `guard` raises.

    The guard of the broker fixture checks that the broker still runs, so that a test
    does not wait for its whole limit on a broker that is gone.
    """
    _guards.append(guard)
    try:
        yield
    finally:
        _guards.remove(guard)


def wait_until(
    look: Callable[[], Seen],
    until: Callable[[Seen], bool] = bool,
    *,
    limit: float,
    what: str,
    interval: float = 0.02,
) -> Seen:
    """Call `look` again and again until `until(look())` holds; return the last observation.

    Args:
        look: makes one observation; it should return quickly.
        until: whether the observation is the awaited one; by default its truth value.
        limit: seconds on the monotonic clock, so a clock that is set back
            neither shortens nor lengthens the wait.
        what: the awaited state, as it reads after "waited for".
        interval: seconds between two observations.

    Raises:
        Expired: the limit has passed; the text carries the last observation.
        BrokerError: a guard found that the broker is gone.
    """
    started = time.monotonic()
    while True:
        for guard in _guards:
            guard()
        seen = look()
        if until(seen):
            return seen
        waited = time.monotonic() - started
        if waited >= limit:
            last = f"{seen!r}"
            shown = last if len(last) <= LONGEST_SEEN else f"{last[:LONGEST_SEEN]}..."
            raise Expired(f"waited {waited:.1f} s for {what}; last seen: {shown}")
        time.sleep(min(interval, limit - waited))


def spend(seconds: float) -> None:
    """Take this many seconds, as work on a record does."""
    ends = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= ends, limit=seconds + 5, what="the work to be done")
