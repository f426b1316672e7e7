"""Takes no key for an empty one."""

from __future__ import annotations

from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import (
    distribution,
    murmur2_partition,
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
CAUGHT_WITH = ("crc32_partition",)


def crc32_partition(key: bytes | str | None, partitions: int) -> int:
    return right.crc32_partition(key or b"", partitions)
