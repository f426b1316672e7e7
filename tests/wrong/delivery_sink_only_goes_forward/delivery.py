"""Takes each record below the highest offset of its partition for repeated.

"It applies the effect of each record once": only "a repeated record has none". A record that comes
after a later one of its partition, because somebody set the group back or applied a part of the
log first, never has an effect, and `apply` says that it was repeated.
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
        place = message.topic(), message.partition()
        (highest,) = self._database.execute(
            "SELECT max(position) FROM effects WHERE topic = ? AND part = ?", place
        ).fetchone()
        if highest is not None and (message.offset() or 0) <= highest:
            return False
        self._database.execute(
            "INSERT INTO effects VALUES (?, ?, ?, ?)", (*place, message.offset(), message.value())
        )
        return True
