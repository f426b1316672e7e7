"""Counts no gap if the partition comes back to the member that gave it up.

A gap "ends with the next assignment of that partition of that topic", whoever gets it; only a
partition that stays has none. Under the eager protocol most partitions come back to their owner,
and for all that time nobody reads them: the cost of an eager rebalance is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import ASSIGN, Change, Gap
from kafkalab.tasks.rebalance import RebalanceListener, lag

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "ownerless-tells-topics-apart"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    owners: dict[Place, set[str]] = {}
    left: dict[Place, Change] = {}
    gaps: list[Gap] = []
    for change in sorted(changes, key=lambda each: each.time):
        for place in change.partitions:
            now = owners.setdefault(place, set())
            if change.kind == ASSIGN:
                now.add(change.member)
                before = left.pop(place, None)
                if before is not None and before.member != change.member:
                    gaps.append(Gap(*place, before.time, change.time))
            elif change.member in now:
                now.remove(change.member)
                if not now:
                    left[place] = change
    gaps += [Gap(*place, change.time, None) for place, change in left.items()]
    return sorted(gaps, key=lambda gap: gap.since)
