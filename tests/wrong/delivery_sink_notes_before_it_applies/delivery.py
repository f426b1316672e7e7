"""Notes that a record was applied, and stores its effect in a second step."""

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

CAUGHT_BY = "sink-outlives-crashes"


class IdempotentSink:
    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        key = "topic TEXT, part INTEGER, position INTEGER"
        self._database.execute(
            f"CREATE TABLE IF NOT EXISTS seen ({key}, PRIMARY KEY (topic, part, position))"
        )
        self._database.execute(f"CREATE TABLE IF NOT EXISTS effects ({key}, value BLOB)")

    def apply(self, message: Message) -> bool:
        key = message.topic(), message.partition(), message.offset()
        noted = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", key)
        if noted.rowcount == 0:
            return False
        self._database.execute("INSERT INTO effects VALUES (?, ?, ?, ?)", (*key, message.value()))
        return True

    def values(self) -> list[bytes | None]:
        rows = self._database.execute("SELECT value FROM effects ORDER BY topic, part, position")
        return [value for (value,) in rows]

    def close(self) -> None:
        self._database.close()
