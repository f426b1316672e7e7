"""Writes the whole file anew for each record, in place.

"A crash at any time, even SIGKILL, leaves both or neither." Here the file is cut to nothing before
it is written again: a kill in between loses the effects of all records, or leaves half a file.
"""

from __future__ import annotations

import base64
import json
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
        self._path = path
        self._effects: dict[tuple[str, int, int], str | None] = {}
        if path.exists() and path.stat().st_size:
            rows = json.loads(path.read_text())
            self._effects = {(topic, part, at): value for topic, part, at, value in rows}
        self._store()

    def apply(self, message: Message) -> bool:
        place = message.topic() or "", message.partition() or 0, message.offset() or 0
        if place in self._effects:
            return False
        value = message.value()
        self._effects[place] = None if value is None else base64.b64encode(value).decode()
        self._store()
        return True

    def _store(self) -> None:
        rows = [[*place, value] for place, value in sorted(self._effects.items(), key=place_of)]
        self._path.write_text(json.dumps(rows))

    def values(self) -> list[bytes | None]:
        rows = sorted(self._effects.items(), key=place_of)
        return [None if value is None else base64.b64decode(value) for _, value in rows]

    def close(self) -> None:
        self._store()


def place_of(item: tuple[tuple[str, int, int], str | None]) -> tuple[str, int, int]:
    return item[0]
