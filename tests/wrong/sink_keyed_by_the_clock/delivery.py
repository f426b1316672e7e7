"""Knows an effect by when it happened, which is another time at each repeat."""

from __future__ import annotations

import sqlite3
import time
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

CAUGHT_BY = "sink-counts-each-effect-once"


class IdempotentSink:
    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS effects (moment INTEGER PRIMARY KEY, value BLOB)"
        )

    def apply(self, message: Message) -> bool:
        row = (time.time_ns(), message.value())
        written = self._database.execute("INSERT OR IGNORE INTO effects VALUES (?, ?)", row)
        return written.rowcount == 1

    def values(self) -> list[bytes | None]:
        rows = self._database.execute("SELECT value FROM effects ORDER BY moment")
        return [value for (value,) in rows]

    def close(self) -> None:
        self._database.close()
