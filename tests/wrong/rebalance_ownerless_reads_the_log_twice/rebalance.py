"""Goes through the log once for the partitions, and again for their changes.

`changes` is an Iterable: "the log of all members, in any order". An iterator, such as
`itertools.chain` of several logs, is used up by the first pass: no gap is found, and none
reported.
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
    places = {place for change in changes for place in change.partitions}
    by_place = {
        place: sorted(
            (each for each in changes if place in each.partitions), key=lambda each: each.time
        )
        for place in sorted(places)
    }
    gaps = [gap for place, moves in by_place.items() for gap in _gaps(place, moves)]
    return sorted(gaps, key=lambda gap: gap.since)


def _gaps(place: Place, moves: Iterable[Change]) -> list[Gap]:
    owners: set[str] = set()
    since: float | None = None
    gaps: list[Gap] = []
    for change in moves:
        if change.kind == ASSIGN:
            owners.add(change.member)
            if since is not None:
                gaps.append(Gap(*place, since, change.time))
                since = None
        elif change.member in owners:
            owners.remove(change.member)
            if not owners:
                since = change.time
    if since is not None:
        gaps.append(Gap(*place, since, None))
    return gaps
