"""Takes a partition that has no leader for one that has no records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import TopicPartition

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


def with_leaders(
    config: ClientConfig, topics: Sequence[str], limit: float
) -> dict[tuple[str, int], tuple[int, int]]:
    spans = {}
    with closing(right.looker(config)) as consumer:
        for topic in topics:
            found = consumer.list_topics(topic, timeout=limit).topics[topic]
            if found.error is not None:
                raise ReadFailed(f"{topic}: {found.error.str()}")
            for number, partition in sorted(found.partitions.items()):
                if partition.leader != -1:
                    place = TopicPartition(topic, number)
                    spans[topic, number] = right.bounds(consumer, place, limit)
    return spans


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    yield from right.read_between(config, with_leaders(config, topics, limit), limit=limit)


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    spans = with_leaders(config, topics, quiet)
    starts = {place: start for place, (start, _) in spans.items()}
    yield from right.follow_from(config, starts, quiet=quiet)
