"""Says ReadFailed of everything, also of a cluster that cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import KafkaException

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord, ReadFailed
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import check_order, from_json, log_line, progress, to_json

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

CAUGHT_BY = "unknown-topic-is-not-empty"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    try:
        yield from right.read_to_end(config, topics, limit=limit)
    except KafkaException as error:
        raise ReadFailed(str(error)) from error


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    try:
        yield from right.follow(config, topics, quiet=quiet)
    except KafkaException as error:
        raise ReadFailed(str(error)) from error
