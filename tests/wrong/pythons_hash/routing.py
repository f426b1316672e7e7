"""Takes Python's own hash of the key, which is another number in every process."""

from __future__ import annotations

from kafkalab.tasks.routing import distribution, murmur2_partition, publish

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "crc32-partition-predicts"
CAUGHT_WITH = ("3", "7", "50")


def crc32_partition(key: bytes | str, partitions: int) -> int:
    return hash(key) % partitions
