"""Sorts records by key to fill its batches, and changes the order inside a partition."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, encode_key, murmur2_partition

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "batched-and-single-agree"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    if not one_by_one:
        # Each key stays in order: sorted() keeps equal ones as they came.
        records = sorted(records, key=lambda each: encode_key(each.key) or b"")
    return right.publish(config, records, one_by_one=one_by_one, limit=limit)
