"""Begins a gap when a member that was removed gives up what another has already."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import ASSIGN, REVOKE, Change, Gap
from kafkalab.tasks.rebalance import RebalanceListener, lag

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "ownerless-time-comes-out-right"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    owners: dict[Place, str] = {}
    since: dict[Place, float] = {}
    gaps: list[Gap] = []
    for change in sorted(changes, key=lambda each: each.time):
        for place in change.partitions:
            if change.kind == ASSIGN:
                owners[place] = change.member
                if place in since:
                    gaps.append(Gap(*place, since.pop(place), change.time))
            elif place in owners and (change.kind == REVOKE or owners[place] == change.member):
                del owners[place]
                since[place] = change.time
    gaps += [Gap(*place, begin, None) for place, begin in since.items()]
    return sorted(gaps, key=lambda gap: gap.since)
