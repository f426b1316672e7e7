"""Puts the settings that it chooses into the caller's own dictionary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, murmur2_partition

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "settings-stay-the-callers"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    settings: Any = config
    settings.setdefault("linger.ms", 5)
    return right.publish(settings, records, one_by_one=one_by_one, limit=limit)
