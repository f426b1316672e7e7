"""Sorts the changes as the tuples that they are: by member first, then by kind.

"The log of all members, in any order: their times count." The changes of a member are applied
before those of the next, and its assignments before its revocations: gaps are missed, and others
invented.
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

CAUGHT_BY = "ownerless-time-comes-out-right"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    owners: dict[Place, set[str]] = {}
    open_since: dict[Place, float] = {}
    gaps: list[Gap] = []
    for change in sorted(changes):
        for place in change.partitions:
            now = owners.setdefault(place, set())
            if change.kind == ASSIGN:
                now.add(change.member)
                if place in open_since:
                    gaps.append(Gap(*place, open_since.pop(place), change.time))
            elif change.member in now:
                now.remove(change.member)
                if not now:
                    open_since[place] = change.time
    gaps += [Gap(*place, since, None) for place, since in open_since.items()]
    return sorted(gaps, key=lambda gap: gap.since)
