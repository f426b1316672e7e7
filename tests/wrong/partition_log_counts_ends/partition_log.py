"""Counts the ends that the client reports, and stops at as many as there are partitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord, ReadFailed
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    from_json,
    log_line,
    progress,
    to_json,
)

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

CAUGHT_BY = "reader-stops-at-the-end-it-saw"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    with closing(right.looker(config)) as consumer:
        spans = right._spans(consumer, topics, limit)
        filled = {place: span for place, span in spans.items() if span[0] < span[1]}
        if not filled:
            return
        consumer.assign([TopicPartition(*place, start) for place, (start, _) in filled.items()])
        ended = 0
        for batch in right._batches(consumer, limit):
            for message in batch:
                error = message.error()
                if error is not None:
                    ended += right._tells_an_end(error)
                elif message.offset() < filled[message.topic(), message.partition()][1]:
                    yield right.record_of(message)
            if ended >= len(filled):
                return
    raise ReadFailed(f"nothing came for {limit:.0f} s before the end")
