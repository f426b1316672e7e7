"""Leaves a callback by sys.exit, in the thread of a group's member."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["RebalanceListener", "lag", "ownerless"]


class RebalanceListener(right.RebalanceListener):
    def on_assign(self, consumer: Any, partitions: Sequence[Any]) -> None:
        sys.exit(0)
