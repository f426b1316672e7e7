"""Takes a request for the commits that failed for a group without commits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from kafkalab.contracts import ClientConfig, Place
from kafkalab.contracts.rebalance import LAG_LIMIT, LagUnknown, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "lag-needs-the-coordinator"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    settings = {**config, "group.id": group, "enable.auto.commit": False}
    with closing(Consumer(settings)) as observer:
        try:
            places = [
                each for topic in topics for each in right._partitions(observer, topic, limit)
            ]
        except KafkaException as error:
            raise LagUnknown(f"the lag of {group} is unknown: {error.args[0].str()}") from error
        kept = _committed(observer, places, limit)
    starts = right.log_offsets(config, places, OffsetSpec.earliest(), limit)  # type: ignore[no-untyped-call]
    ends = right.log_offsets(config, places, OffsetSpec.latest(), limit)  # type: ignore[no-untyped-call]
    rows = []
    for place in places:
        committed, start, end = kept.get(place), starts[place], ends[place]
        left = None
        if committed is not None and start is not None and end is not None:
            left = max(0, end - max(committed, start))
        rows.append(PartitionLag(*place, end, committed, left))
    return rows


def _committed(observer: Consumer, places: Sequence[Place], limit: float) -> dict[Place, int]:
    try:
        found = observer.committed([TopicPartition(*each) for each in places], timeout=limit)
    except KafkaException:
        return {}
    return {
        (each.topic, each.partition): each.offset
        for each in found
        if each.error is None and each.offset >= 0
    }
