"""Sends a header whose value is empty as one without a value.

publish: "Key, value and headers arrive as KeyedRecord has them", and a header's value may be
bytes or None. A consumer that tells a header that is set, but empty, from one that is null takes
the wrong way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

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

CAUGHT_BY = "publish-sends-the-whole-record"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    ready = map(_ready, records)
    return right.publish(config, ready, one_by_one=one_by_one, limit=limit)


def _ready(record: KeyedRecord) -> KeyedRecord:
    if not record.headers:
        return record
    return replace(record, headers=tuple((name, value or None) for name, value in record.headers))
