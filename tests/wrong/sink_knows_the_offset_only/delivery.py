"""Knows a record by its offset."""

from __future__ import annotations

from confluent_kafka import Message

from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    at_least_once,
    at_most_once,
    auto_commit,
    exactly_once,
)

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "sink-tells-places-apart"


class IdempotentSink(right.IdempotentSink):
    def apply(self, message: Message) -> bool:
        known = self._database.execute(
            "SELECT 1 FROM effects WHERE position = ?", (message.offset(),)
        )
        return known.fetchone() is None and super().apply(message)
