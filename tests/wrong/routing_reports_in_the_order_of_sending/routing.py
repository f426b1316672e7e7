"""Gives the reports in the order in which it was given the records."""

from __future__ import annotations

from collections.abc import Iterable

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

CAUGHT_BY = "what-is-on-its-way-is-reported"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    sent: list[tuple[str, bytes | None]] = []

    def noted() -> Iterable[KeyedRecord]:
        for record in records:
            sent.append((record.topic, right.encode_key(record.key)))
            yield record

    def turn(report: Report) -> int:
        return sent.index((report.topic, report.key))

    try:
        reports = right.publish(config, noted(), one_by_one=one_by_one, limit=limit)
    except PublishFailed as failed:
        raise PublishFailed(sorted(failed.reports, key=turn)) from None
    return sorted(reports, key=turn)
