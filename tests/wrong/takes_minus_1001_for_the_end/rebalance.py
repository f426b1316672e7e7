"""Takes what the client says of a partition without a leader, -1001, for the end of the log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, LagUnknown, PartitionLag
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-of-a-dead-leader-is-unknown"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    with closing(Consumer({**config, "group.id": group, "enable.auto.commit": False})) as observer:
        try:
            places = [
                TopicPartition(topic, partition)
                for topic in topics
                for partition in sorted(observer.list_topics(topic, limit).topics[topic].partitions)
            ]
            kept = observer.committed(places, limit)
        except KafkaException as error:
            raise LagUnknown(str(error)) from error
    admin = AdminClient(config)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = admin.list_offsets(dict.fromkeys(places, latest), request_timeout=limit)
    rows = []
    for place, future in zip(places, ends.values(), strict=True):
        committed = kept[places.index(place)].offset
        try:
            end = future.result(2 * limit).offset
        except (KafkaException, TimeoutError):
            end = -1001
        left = None if committed < 0 else max(0, end - committed)
        rows.append(PartitionLag(place.topic, place.partition, end, committed, left))
    return rows
