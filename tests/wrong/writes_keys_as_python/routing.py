"""Sends every key as Python prints it: bytes get a b and quotes, and no key becomes "None"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, murmur2_partition

__all__ = ["CAUGHT_BY", "crc32_partition", "distribution", "murmur2_partition", "publish"]

CAUGHT_BY = "keys-are-encoded-one-way"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    written = (replace(each, key=str(each.key).encode("utf-8")) for each in records)
    return right.publish(config, written, one_by_one=one_by_one, limit=limit)
