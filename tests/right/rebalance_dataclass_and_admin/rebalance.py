"""The listener is a dataclass, gaps come from a generator, the lag from AdminClient in threads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import attrgetter

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from kafkalab.contracts import ClientConfig, Place
from kafkalab.contracts.rebalance import (
    ASSIGN,
    LAG_LIMIT,
    LOST,
    REVOKE,
    Change,
    Gap,
    LagUnknown,
    PartitionLag,
)
from kafkalab.tasks.rebalance import log_offsets

__all__ = [
    "RebalanceListener",
    "lag",
    "ownerless",
]


@dataclass(eq=False)
class RebalanceListener:
    member: str
    changes: list[Change]
    owned: set[Place] = field(default_factory=set, init=False)
    _after: dict[Place, int] = field(default_factory=dict, init=False, repr=False)

    def processed(self, message: Message) -> None:
        place = message.topic() or "", message.partition() or 0
        self._after[place] = (message.offset() or 0) + 1

    def on_assign(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        came = _named(partitions)
        self.owned |= set(came)
        self._log(ASSIGN, came)

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        gone = _named(partitions)
        offsets = [
            TopicPartition(topic, number, self._after[topic, number])
            for topic, number in gone
            if (topic, number) in self._after
        ]
        if offsets:
            consumer.commit(offsets=offsets, asynchronous=False)
        self._forget(gone)
        self._log(REVOKE, gone)

    def on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        gone = _named(partitions)
        self._forget(gone)
        self._log(LOST, gone)

    def _forget(self, gone: tuple[Place, ...]) -> None:
        self.owned -= set(gone)
        for place in gone:
            self._after.pop(place, None)

    def _log(self, kind: str, moved: tuple[Place, ...]) -> None:
        self.changes.append(Change(self.member, kind, moved, time.monotonic()))


def _named(partitions: Iterable[TopicPartition]) -> tuple[Place, ...]:
    return tuple((each.topic, each.partition) for each in partitions)


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    ordered = sorted(changes, key=attrgetter("time"))
    places = dict.fromkeys(place for change in ordered for place in change.partitions)
    gaps = (gap for place in places for gap in _gaps(place, ordered))
    return sorted(gaps, key=attrgetter("since"))


def _gaps(place: Place, ordered: Sequence[Change]) -> Iterator[Gap]:
    owners: set[str] = set()
    since: float | None = None
    for change in ordered:
        if place not in change.partitions:
            continue
        if change.kind == ASSIGN:
            owners.add(change.member)
            if since is not None:
                yield Gap(*place, since, change.time)
            since = None
        elif change.member in owners:
            owners.discard(change.member)
            since = None if owners else change.time
    if since is not None:
        yield Gap(*place, since, None)


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    admin = AdminClient({name: config[name] for name in config if name != "isolation.level"})
    places = _partitions(admin, topics, limit)
    if not places:
        return []
    kept = _committed(admin, group, places, limit)
    earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(log_offsets, config, places, earliest, limit)
        after = pool.submit(log_offsets, config, places, latest, limit)
        starts, ends = first.result(), after.result()
    return [_row(place, starts[place], ends[place], kept.get(place)) for place in places]


def _row(place: Place, start: int | None, end: int | None, committed: int | None) -> PartitionLag:
    if start is None or end is None or committed is None:
        return PartitionLag(*place, end, committed, None)
    return PartitionLag(*place, end, committed, max(end - max(start, committed), 0))


def _partitions(admin: AdminClient, topics: Sequence[str], limit: float) -> list[Place]:
    try:
        known = admin.list_topics(timeout=limit).topics
    except KafkaException as error:
        raise LagUnknown(f"the cluster does not answer: {error.args[0].str()}") from error
    places: list[Place] = []
    for topic in topics:
        if topic not in known or known[topic].error is not None:
            raise LagUnknown(f"{topic} has no lag: it is unknown")
        places += [(topic, number) for number in sorted(known[topic].partitions)]
    return places


def _committed(
    admin: AdminClient, group: str, places: Sequence[Place], limit: float
) -> dict[Place, int]:
    wanted = [TopicPartition(*place) for place in dict.fromkeys(places)]
    request = ConsumerGroupTopicPartitions(group, wanted)
    (answer,) = admin.list_consumer_group_offsets([request], request_timeout=limit).values()
    try:
        found = answer.result(limit).topic_partitions or []
    except TimeoutError as error:
        raise LagUnknown(f"the commits of {group} are unknown") from error
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return {}
        reason = error.args[0].str()
        raise LagUnknown(f"the commits of {group} are unknown: {reason}") from error
    return {
        (each.topic, each.partition): each.offset
        for each in found
        if each.error is None and each.offset >= 0
    }
