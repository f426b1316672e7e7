"""Reads the partitions once to check them and once more to count them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kafkalab.contracts.routing import Distribution
from kafkalab.tasks.routing import crc32_partition, murmur2_partition, publish

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "distribution-adds-up"


def distribution(partitions_of_records: Iterable[int], partitions: int) -> Distribution:
    if partitions < 1:
        raise ValueError(f"a topic has at least one partition, not {partitions}")
    outside = sorted({each for each in partitions_of_records if not 0 <= each < partitions})
    if outside:
        raise ValueError(f"not among 0 to {partitions - 1}: {outside}")
    counted = Counter(partitions_of_records)
    return Distribution(tuple(counted[partition] for partition in range(partitions)))
