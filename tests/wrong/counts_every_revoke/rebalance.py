"""Counts a gap wherever somebody gives up a partition, whether another has it or not."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts.rebalance import ASSIGN, Change, Gap
from kafkalab.tasks.rebalance import RebalanceListener, lag

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "ownerless-time-comes-out-right"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    since: dict[tuple[str, int], float] = {}
    gaps: list[Gap] = []
    for change in changes:
        for place in change.partitions:
            if change.kind != ASSIGN:
                since[place] = change.time
            elif place in since:
                gaps.append(Gap(*place, since.pop(place), change.time))
    return gaps + [Gap(*place, begun, None) for place, begun in since.items()]
