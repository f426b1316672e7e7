"""Sorts places as text: offset 10 comes before offset 2."""

from __future__ import annotations

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
    def values(self) -> list[bytes | None]:
        rows = self._database.execute(
            "SELECT value FROM effects ORDER BY topic || part || '-' || position"
        )
        return [value for (value,) in rows]
