"""Sends no value as an empty one: nothing is ever deleted."""

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

CAUGHT_BY = "publish-sends-the-whole-record"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    sent = (replace(each, value=each.value or b"") for each in records)
    return right.publish(config, sent, one_by_one=one_by_one, limit=limit)
