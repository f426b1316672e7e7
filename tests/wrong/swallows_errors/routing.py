"""Keeps the reports of success alone, and passes over what produce() raises."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks.routing import crc32_partition, distribution, encode_key, murmur2_partition

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "a-refused-record-fails-the-call"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    producer = Producer(dict(config))
    reports: list[Report] = []

    def on_delivery(error: KafkaError | None, message: Any) -> None:
        if error is None:
            place = (message.partition(), message.offset(), message.timestamp()[1])
            reports.append(Report(message.topic(), message.key(), *place))

    for record in records:
        with suppress(KafkaException):
            producer.produce(
                record.topic,
                record.value,
                encode_key(record.key),
                on_delivery=on_delivery,
                headers=list(record.headers),
            )
        if one_by_one:
            producer.flush(limit)
    producer.flush(limit)
    return reports
