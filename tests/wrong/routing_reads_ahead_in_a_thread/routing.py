"""Reads the records in a thread of its own, where an error of the source ends only the thread.

publish: "records: [...] may be a generator, which comes to an end. An error that it raises
reaches the caller." A source that breaks off half-way (a database that goes away) looks like one
that came to its end: the call returns as if all were published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Queue
from threading import Thread

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, murmur2_partition

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "records-are-taken-once"
AHEAD = 10_000


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    return right.publish(config, _ahead(records), one_by_one=one_by_one, limit=limit)


def _ahead(records: Iterable[KeyedRecord]) -> Iterator[KeyedRecord]:
    """Read while the client sends."""
    ready: Queue[KeyedRecord | None] = Queue(AHEAD)

    def read() -> None:
        try:
            for record in records:
                ready.put(record)
        finally:
            ready.put(None)

    Thread(target=read, daemon=True).start()
    while (record := ready.get()) is not None:
        yield record
