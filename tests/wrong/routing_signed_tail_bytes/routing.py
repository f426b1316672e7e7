"""Takes the last bytes of a key, those after its whole blocks, as signed numbers.

murmur2_partition: "MurmurHash2 of 32 bits over the key's bytes"; "any key has a partition: empty,
binary". A byte from 0x80 on that is not in a block of four goes in with its sign: keys that end
in an umlaut, and many binary keys, are predicted in another partition than Java puts them.
"""

from __future__ import annotations

import struct

from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, publish

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
MASK = 0xFFFFFFFF
MULTIPLIER = 0x5BD1E995


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    return (_murmur2(right._hashable(key)) & 0x7FFFFFFF) % right._checked(partitions)


def _murmur2(data: bytes) -> int:
    result = 0x9747B28C ^ len(data)
    whole = len(data) // 4
    for (block,) in struct.iter_unpack("<I", data[: 4 * whole]):
        mixed = block * MULTIPLIER & MASK
        mixed = (mixed ^ mixed >> 24) * MULTIPLIER & MASK
        result = result * MULTIPLIER & MASK ^ mixed
    tail = struct.unpack(f"<{len(data) % 4}b", data[4 * whole :])
    for at, byte in enumerate(tail):
        result ^= (byte << 8 * at) & MASK
    if tail:
        result = result * MULTIPLIER & MASK
    result = (result ^ result >> 13) * MULTIPLIER & MASK
    return result ^ result >> 15
