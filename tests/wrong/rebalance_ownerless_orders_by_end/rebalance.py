"""Returns the gaps in the order in which they ended, and those that last behind them.

"The gaps, in the order in which they began, with those that still last." Here a long gap stands
behind the short ones that began after it; the one that lasts is always the last, however old.
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
    owner: dict[Place, str | None] = {}
    begun: dict[Place, float] = {}
    gaps: list[Gap] = []
    for change in sorted(changes, key=lambda each: each.time):
        for place in change.partitions:
            if change.kind == ASSIGN:
                owner[place] = change.member
                if (since := begun.pop(place, None)) is not None:
                    gaps.append(Gap(*place, since, change.time))
            elif owner.get(place) == change.member:
                owner[place] = None
                begun[place] = change.time
    return gaps + [Gap(*place, since, None) for place, since in begun.items()]
