"""Gives up without a word on what found no room in the queue."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
from kafkalab.tasks.routing import (
    crc32_partition,
    distribution,
    encode_key,
    murmur2_partition,
)

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "what-was-given-up-is-reported"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,  # noqa: ARG001 - another matter
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    producer, ends = Producer(dict(config)), time.monotonic() + limit
    reports: list[Report] = []

    def on_delivery(error: KafkaError | None, message: Any) -> None:
        place = (message.partition(), message.offset(), message.timestamp()[1])
        if error is not None:
            place = (None, None, None)
        reports.append(Report(message.topic(), message.key(), *place, error))

    for record in records:
        while time.monotonic() < ends:
            try:
                producer.produce(
                    record.topic, record.value, encode_key(record.key), on_delivery=on_delivery
                )
                break
            except BufferError:
                producer.poll(0.05)
    producer.flush(max(0.1, ends - time.monotonic()))
    producer.purge()
    producer.flush(1)
    if any(each.error for each in reports):
        raise PublishFailed(reports)
    return reports
