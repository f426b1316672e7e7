"""Makes bytes of whatever comes as a key, so that a number becomes that many zero bytes.

crc32_partition and murmur2_partition: "TypeError: the key is neither bytes nor text." bytes(7) is
seven zero bytes: the prediction for the key 7 is a partition, the wrong one, and nobody is told
that a number has no one way to be written.
"""

from __future__ import annotations

from binascii import crc32

from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import distribution, publish

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "no-key-has-no-place"


def crc32_partition(key: bytes | str, partitions: int) -> int:
    return crc32(_hashable(key)) % right._checked(partitions)


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    return (right.murmur2(_hashable(key)) & 0x7FFFFFFF) % right._checked(partitions)


def _hashable(key: bytes | str) -> bytes:
    return key.encode("utf-8") if isinstance(key, str) else bytes(key)
