"""Stores an empty value as none.

"Its effect is its value, which may be None", and `values` returns "the values of all effects": an
empty value is not None. A record with an empty value looks like a deletion afterwards.
"""

from __future__ import annotations

from confluent_kafka import Message

from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import at_least_once, at_most_once, auto_commit, exactly_once

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
        written = self._database.execute(
            "INSERT OR IGNORE INTO effects VALUES (?, ?, ?, ?)",
            (message.topic(), message.partition(), message.offset(), message.value() or None),
        )
        return written.rowcount == 1
