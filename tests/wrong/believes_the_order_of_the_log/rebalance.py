"""Takes the log as it comes, whatever its times are."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts.rebalance import Change, Gap
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, lag

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "ownerless-tells-topics-apart"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    listed = list(changes)
    numbered = [each._replace(time=float(at)) for at, each in enumerate(listed)]
    times: dict[float | None, float | None] = {float(n): c.time for n, c in enumerate(listed)}
    gaps = right.ownerless(numbered)
    return [g._replace(since=times[g.since] or 0.0, until=times.get(g.until)) for g in gaps]
