"""Reports a record that failed without its topic."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, distribution, murmur2_partition

__all__ = [
    "CAUGHT_BY",
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

CAUGHT_BY = "a-refused-record-fails-the-call"


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    try:
        return right.publish(config, records, one_by_one=one_by_one, limit=limit)
    except PublishFailed as failed:
        raise PublishFailed(
            [each if each.error is None else each._replace(topic="") for each in failed.reports]
        ) from None
