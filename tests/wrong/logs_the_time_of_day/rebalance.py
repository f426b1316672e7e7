"""Logs the time of day, which may be set back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kafkalab.contracts.rebalance import Change
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-logs-each-change"


class RebalanceListener(right.RebalanceListener):
    def _log(self, kind: str, places: Sequence[tuple[str, int]]) -> None:
        self._changes.append(Change(self._member, kind, tuple(places), time.time()))
