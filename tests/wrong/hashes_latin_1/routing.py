"""Hashes text as Latin-1, which is UTF-8 only as long as nobody is called Jürgen."""

from __future__ import annotations

from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import distribution, publish

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "partition-functions-agree"


def crc32_partition(key: bytes | str, partitions: int) -> int:
    return right.crc32_partition(encoded(key), partitions)


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    return right.murmur2_partition(encoded(key), partitions)


def encoded(key: bytes | str) -> bytes:
    return key.encode("latin-1", errors="replace") if isinstance(key, str) else key
