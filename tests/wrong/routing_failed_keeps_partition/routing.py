"""Gives the report of a failed record the partition that the client had chosen for it.

Report.partition: "None if it failed"; a failed report "has a key and an error, but no place".
Whoever counts the reports by partition counts records that are in no log.
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

    def on_delivery(error: KafkaError | None, message: Any) -> None:
        failed = error is not None
        reports.append(
            Report(
                message.topic(),
                message.key(),
                message.partition(),
                None if failed else message.offset(),
                None if failed else message.timestamp()[1],
                error,
            )
        )

    def on_refusal(record: right.Sendable, error: KafkaError) -> None:
        key = right.encode_key(record.key)
        reports.append(Report(record.topic, key, None, None, None, error))

    right.send(config, records, on_delivery, on_refusal, one_by_one=one_by_one, limit=limit)
    if any(report.error is not None for report in reports):
        raise PublishFailed(reports)
    return reports
