"""Gives a record up after a second without room in the client's queue, whatever the limit."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, murmur2_partition

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "a-full-queue-is-waited-out"
TRIES = 10
TRY_SECONDS = 0.1


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    reports: list[Report] = []

    def told(error: KafkaError | None, message: Any) -> None:
        topic, key = message.topic(), message.key()
        if error is not None:
            reports.append(Report(topic, key, None, None, None, error))
            return
        timestamp_ms = message.timestamp()[1]
        reports.append(Report(topic, key, message.partition(), message.offset(), timestamp_ms))

    producer = Producer(dict(config))
    deadline = time.monotonic() + limit
    for number, record in enumerate(records):
        key = right.encode_key(record.key)
        try:
            _produce(producer, record, told, deadline)
        except KafkaException as refused:
            reports.append(Report(record.topic, key, None, None, None, refused.args[0]))
        if one_by_one:
            producer.flush(right._left(deadline))
        elif number % 500 == 0:
            producer.poll(0)
    producer.flush(right._left(deadline))
    if len(producer):
        producer.purge()
        producer.flush(right.GIVE_UP_LIMIT)
    if any(report.error is not None for report in reports):
        raise PublishFailed(reports)
    return reports


def _produce(producer: Producer, record: KeyedRecord, told: Any, deadline: float) -> None:
    headers: Any = list(record.headers) if record.headers else None
    for _ in range(TRIES):
        try:
            producer.produce(
                record.topic, record.value, record.key, on_delivery=told, headers=headers
            )
            return
        except BufferError:
            producer.poll(min(TRY_SECONDS, right._left(deadline)))
    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL))
