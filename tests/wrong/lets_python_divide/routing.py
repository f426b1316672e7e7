"""Leaves it to Python to refuse a topic without partitions."""

from __future__ import annotations

from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import (
    crc32_partition,
    distribution,
    publish,
)

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "no-key-has-no-place"
CAUGHT_WITH = ("murmur2_partition",)


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    encoded = right.encode_key(key)
    if encoded is None:
        raise TypeError("no key has no place")
    return (right.murmur2(encoded) & 0x7FFFFFFF) % partitions
