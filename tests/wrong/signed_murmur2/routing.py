"""Takes the hash as Java's signed number, and its absolute value instead of clearing the sign."""

from __future__ import annotations

from kafkalab.tasks.routing import crc32_partition, distribution, encode_key, murmur2, publish

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "murmur2-partition-predicts"
CAUGHT_WITH = ("3", "7", "50")


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    hashed = murmur2(encode_key(key) or b"")
    signed = hashed - 2**32 if hashed >= 2**31 else hashed
    return abs(signed) % partitions
