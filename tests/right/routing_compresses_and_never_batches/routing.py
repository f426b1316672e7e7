"""Compresses, and sends each record by itself, where the caller's settings do not say otherwise.

Right: the caller's settings stay, and a client may put many records into one request, or one.
"""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks import routing
from kafkalab.tasks.routing import crc32_partition, distribution, murmur2_partition

__all__ = [
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    chosen = {"compression.type": "lz4", "batch.num.messages": 1}
    return routing.publish({**chosen, **config}, records, one_by_one=one_by_one, limit=limit)
