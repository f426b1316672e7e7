"""Identifies a record by a text in which topic and partition run together."""

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
            "CREATE TABLE IF NOT EXISTS effects "
            "(id TEXT PRIMARY KEY, topic TEXT, part INTEGER, position INTEGER, value BLOB)"
        )

    def apply(self, message: Message) -> bool:
        topic, part, position = message.topic(), message.partition(), message.offset()
        written = self._database.execute(
            "INSERT OR IGNORE INTO effects VALUES (?, ?, ?, ?, ?)",
            (f"{topic}{part}@{position}", topic, part, position, message.value()),
        )
        return written.rowcount == 1

    def values(self) -> list[bytes | None]:
        rows = self._database.execute("SELECT value FROM effects ORDER BY topic, part, position")
        return [value for (value,) in rows]

    def close(self) -> None:
        self._database.close()
