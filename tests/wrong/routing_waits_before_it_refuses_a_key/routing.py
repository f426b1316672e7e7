"""Sends what comes before an odd key, and waits for these reports before it raises."""

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

CAUGHT_BY = "records-are-taken-once"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    odd: list[KeyedRecord] = []

    def even() -> Iterable[KeyedRecord]:
        for record in records:
            if not isinstance(record.key, bytes | str | None):
                odd.append(record)
                return
            yield record

    reports: list[Report] = []
    try:
        reports = right.publish(config, even(), one_by_one=one_by_one, limit=limit)
    except PublishFailed:
        if not odd:
            raise
    if odd:
        raise TypeError(f"a key is text, bytes or None, and not {odd[0].key!r}")
    return reports
