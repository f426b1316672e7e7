"""Counts the partitions that it saw, so that one without records is not among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kafkalab.contracts.routing import Distribution
from kafkalab.tasks.routing import crc32_partition, murmur2_partition, publish

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "distribution-adds-up"


def distribution(
    partitions_of_records: Iterable[int],
    partitions: int,  # noqa: ARG001  (that nobody looks at it is what is wrong)
) -> Distribution:
    counts = Counter(partitions_of_records)
    return Distribution(tuple(counts[partition] for partition in sorted(counts)))
