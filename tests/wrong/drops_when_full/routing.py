"""Makes room when the queue is full, and goes on with the next record, not with the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
from kafkalab.tasks.routing import crc32_partition, distribution, encode_key, murmur2_partition

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "a-full-queue-is-waited-out"


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
        try:
            producer.produce(
                record.topic,
                record.value,
                encode_key(record.key),
                on_delivery=on_delivery,
                headers=list(record.headers),
            )
        except BufferError:
            producer.poll(1)
        if one_by_one:
            producer.flush(limit)
    producer.flush(limit)
    if any(report.error for report in reports):
        raise PublishFailed(reports)
    return reports
