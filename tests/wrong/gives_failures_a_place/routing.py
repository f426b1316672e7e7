"""Reports the place of a record that failed, as the client's message names one."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
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
        for at, each in enumerate(failed.reports):
            if each.error is not None:
                failed.reports[at] = each._replace(partition=-1, offset=-1001, timestamp_ms=0)
        raise
