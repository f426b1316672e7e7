"""Reports a setting that the client does not have as if each record had been refused."""

from __future__ import annotations

from collections.abc import Iterable

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

CAUGHT_BY = "records-are-taken-once"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    try:
        Producer(dict(config))
    except KafkaException:
        error = KafkaError(KafkaError._INVALID_ARG)
        reports = [
            Report(each.topic, right.encode_key(each.key), None, None, None, error)
            for each in records
        ]
        if reports:
            raise PublishFailed(reports) from None
        return []
    return right.publish(config, records, one_by_one=one_by_one, limit=limit)
