"""Counts -1 as the last partition, as Python's lists do."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts.routing import Distribution
from kafkalab.tasks.routing import (
    crc32_partition,
    murmur2_partition,
    publish,
)

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "distribution-refuses-other-partitions"


def distribution(partitions_of_records: Iterable[int], partitions: int) -> Distribution:
    if partitions < 1:
        raise ValueError("a topic has at least one partition")
    counts = [0] * partitions
    for each in partitions_of_records:
        if each >= partitions:
            raise ValueError(f"there is no partition {each}")
        counts[each] += 1
    return Distribution(tuple(counts))
