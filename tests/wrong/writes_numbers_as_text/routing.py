"""Takes any key, and writes it as Python prints it if it is no text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import (
    crc32_partition,
    distribution,
    murmur2_partition,
)

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "records-are-taken-once"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    sent = (
        each if isinstance(each.key, str | bytes | None) else replace(each, key=str(each.key))
        for each in records
    )
    return right.publish(config, sent, one_by_one=one_by_one, limit=limit)
