"""Keeps what was processed in an attribute of the class, which all listeners share."""

from __future__ import annotations

from typing import ClassVar

from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import Change
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-forgets-what-it-gave-up"


class RebalanceListener(right.RebalanceListener):
    memory: ClassVar[dict[Place, int]] = {}

    def __init__(self, member: str, changes: list[Change]) -> None:
        super().__init__(member, changes)
        self._next = self.memory
