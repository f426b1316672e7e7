"""Lets the caller's settings say that no event tells the end of a partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord, ReadFailed
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import check_order, follow, from_json, log_line, progress, to_json

__all__ = [
    "CAUGHT_BY",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "reader-reads-past-gaps"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    needed = {
        "group.id": "reader",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    spans = right.spans_of(config, topics, limit=limit)
    with closing(Consumer({**needed, **config})) as consumer:
        try:
            yield from right.read_by(consumer, spans, limit)
        except ReadFailed:
            if config.get("enable.partition.eof", True):
                raise
