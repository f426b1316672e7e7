"""Keeps each effect under a text of its place, and sorts the effects by that text.

`values` are "the values of all effects, by topic, partition and offset". Here offset 10 comes
before offset 2, so that the effects of ten records or more are out of order.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from confluent_kafka import Message

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


class IdempotentSink:
    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS applied (place TEXT PRIMARY KEY, effect BLOB)"
        )

    def apply(self, message: Message) -> bool:
        place = f"{message.topic()}/{message.partition()}/{message.offset()}"
        try:
            self._database.execute("INSERT INTO applied VALUES (?, ?)", (place, message.value()))
        except sqlite3.IntegrityError:
            return False
        return True

    def values(self) -> list[bytes | None]:
        rows = self._database.execute("SELECT effect FROM applied ORDER BY place")
        return [effect for (effect,) in rows]

    def close(self) -> None:
        self._database.close()
