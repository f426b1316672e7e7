"""Keeps what was processed in one place for all listeners of the process.

"The listeners of several members may share the log; they share nothing else." A member that is
assigned a partition and gives it up at once commits what another member, or a former listener,
processed of it before: it sets the group back, and records come again.
"""

from __future__ import annotations

from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import Change
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "listener-forgets-what-it-gave-up"

_progress: dict[Place, int] = {}


class RebalanceListener(right.RebalanceListener):
    def __init__(self, member: str, changes: list[Change]) -> None:
        super().__init__(member, changes)
        self._next = _progress
