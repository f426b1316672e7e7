"""Reports a record as published as soon as produce() has returned."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks.routing import crc32_partition, distribution, encode_key, murmur2_partition

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "reports-follow-the-acknowledgement"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    producer = Producer(dict(config))
    reports = []
    for record in records:
        key = encode_key(record.key)
        producer.produce(record.topic, record.value, key, headers=list(record.headers))
        reports.append(Report(record.topic, key, None, None, None))
        if one_by_one:
            producer.flush(limit)
    producer.flush(limit)
    return reports
