"""Flushes within its limit, and does not look at how many records flush() left behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
from kafkalab.tasks.routing import crc32_partition, distribution, encode_key, murmur2_partition

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "publish-gives-up-within-its-limit"


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
        place = (message.partition(), message.offset(), message.timestamp()[1])
        reports.append(Report(message.topic(), message.key(), *place, error))

    for record in records:
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
    if any(report.error for report in reports):
        raise PublishFailed(reports)
    return reports
