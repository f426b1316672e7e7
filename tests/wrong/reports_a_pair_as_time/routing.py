"""Hands the client's pair of kind and time on as the time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

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

CAUGHT_BY = "publish-reports-each-record"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    reports = right.publish(config, records, one_by_one=one_by_one, limit=limit)
    return [each._replace(timestamp_ms=cast(Any, (1, each.timestamp_ms))) for each in reports]
