"""Opens the sink's file as sqlite3 does by default: only the thread that opened it may close it.

"The thread that closes it need not be the one that opened it": a shutdown from another thread
raises, and the file stays open.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

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
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._database.close()
        self._database = sqlite3.connect(path, isolation_level=None)
