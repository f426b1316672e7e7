"""Begins its limit only when it has all records of the source."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
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
    return right.publish(config, list(records), one_by_one=one_by_one, limit=limit)
