"""Grants the whole limit to each record when it sends them one by one."""

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

CAUGHT_BY = "what-was-given-up-is-reported"


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
        headers: Any = list(record.headers) if record.headers else None
        try:
            while True:
                try:
                    producer.produce(
                        record.topic, record.value, key, on_delivery=told, headers=headers
                    )
                    break
                except BufferError:
                    right._make_room(producer, deadline)
        except KafkaException as refused:
            reports.append(Report(record.topic, key, None, None, None, refused.args[0]))
        if one_by_one:
            producer.flush(limit)
        elif number % 500 == 0:
            producer.poll(0)
    producer.flush(right._left(deadline))
    if len(producer):
        producer.purge()
        producer.flush(right.GIVE_UP_LIMIT)
    if any(report.error is not None for report in reports):
        raise PublishFailed(reports)
    return reports
