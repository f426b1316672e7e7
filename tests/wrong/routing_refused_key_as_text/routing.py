"""Reports a record that the client refused with the caller's key, not with the key as it is sent.

Report.key: "as it was sent: encoded". A record that the client refuses at once (too large, an
illegal topic) has text where all other reports have bytes: whoever looks failed records up by
their encoded keys does not find it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError

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

CAUGHT_BY = "a-refused-record-fails-the-call"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    reports: list[Report] = []

    def fail(topic: str, key: Any, error: KafkaError) -> None:
        reports.append(Report(topic, key, None, None, None, error))

    def on_delivery(error: KafkaError | None, message: Any) -> None:
        topic, key = message.topic(), message.key()
        if error is not None:
            fail(topic, key, error)
            return
        timestamp_ms = message.timestamp()[1]
        reports.append(Report(topic, key, message.partition(), message.offset(), timestamp_ms))

    def on_refusal(record: right.Sendable, error: KafkaError) -> None:
        fail(record.topic, record.key, error)

    right.send(config, records, on_delivery, on_refusal, one_by_one=one_by_one, limit=limit)
    if any(report.error is not None for report in reports):
        raise PublishFailed(reports)
    return reports
