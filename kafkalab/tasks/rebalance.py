"""Task 1.4: know who owned what and for how long nobody did, and how far a group is behind.

The listener is what a consumer is subscribed with; the lag is measured from
outside, by somebody who is no member.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
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

if TYPE_CHECKING:
    from confluent_kafka import Message

# Who owns what


class RebalanceListener:
    """Logs what a member is given and gives up, and commits what was processed in time.

    The partitions themselves are left to the client, which takes them on as
    the group's protocol wants it: all at once under the eager one, one by one
    under the cooperative one and KIP-848. So `partitions` are all partitions
    under the one, and only those that move under the others.
    """

    def __init__(self, member: str, changes: list[Change]) -> None:
        """A listener for one member.

        Args:
            member: its name in the log.
            changes: the log, which the listeners of several members may share.
        """
        self.owned: set[Place] = set()
        self._member = member
        self._changes = changes
        self._next: dict[Place, int] = {}

    def processed(self, message: Message) -> None:
        """Remember that a record is done with, so that its successor may be committed."""
        self._next[message.topic() or "", message.partition() or 0] = (message.offset() or 0) + 1

    def on_assign(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Partitions came; they are read from their committed offsets."""
        places = _places(partitions)
        self.owned.update(places)
        self._log(ASSIGN, places)

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Partitions are to be given up; until this returns they are still the member's own.

        Commits what was processed of them: the next owner goes on where this
        one stops.

        Raises:
            KafkaException: the group refused the commit.
        """
        places = _places(partitions)
        done = [TopicPartition(*each, self._next[each]) for each in places if each in self._next]
        if done:
            consumer.commit(offsets=done, asynchronous=False)
        self._give_up(REVOKE, places)

    def on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Partitions were lost some time ago: others may own them and have committed.

        Nothing is committed any more; what was processed since the last commit
        comes again, to the new owner.
        """
        self._give_up(LOST, _places(partitions))

    def _give_up(self, kind: str, places: Sequence[Place]) -> None:
        self.owned.difference_update(places)
        for place in places:
            self._next.pop(place, None)
        self._log(kind, places)

    def _log(self, kind: str, places: Sequence[Place]) -> None:
        self._changes.append(Change(self._member, kind, tuple(places), time.monotonic()))


def _places(partitions: Iterable[TopicPartition]) -> list[Place]:
    return [(each.topic, each.partition) for each in partitions]


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    """When nobody owned a partition, in the order in which the gaps began.

    From the moment in which its last owner gave it up or learned that it was
    lost, to the next assignment. Before its first assignment a partition has
    no gap. A member that was thrown out may learn it after the next owner was
    told: then there was none.

    Args:
        changes: the log of all members, in any order.
    """
    owners: dict[Place, set[str]] = {}
    open_since: dict[Place, float] = {}
    gaps: list[Gap] = []
    for change in sorted(changes, key=lambda each: each.time):
        for place in change.partitions:
            now = owners.setdefault(place, set())
            if change.kind == ASSIGN:
                now.add(change.member)
                if place in open_since:
                    gaps.append(Gap(*place, open_since.pop(place), change.time))
            elif change.member in now:
                now.remove(change.member)
                if not now:
                    open_since[place] = change.time
    gaps += [Gap(*place, since, None) for place, since in open_since.items()]
    return sorted(gaps, key=lambda gap: gap.since)


# How far behind


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    """How far a group is behind, for each partition of the topics.

    End offset minus committed offset. Where records were deleted that the
    group had not read, from the new start: they are not left to be read. The
    group need not run; if it does, no member notices.

    Args:
        config: how to reach the cluster. `isolation.level` decides whether
            records of open transactions count; by default they do not, as the
            group could not read them.
        group: its name.
        topics: their names.
        limit: seconds for each of the four questions.

    Raises:
        LagUnknown: a topic is unknown, or the cluster does not answer.
    """
    # A consumer that never subscribes is no member of the group whose name it bears.
    settings = {**config, "group.id": group, "enable.auto.commit": False}
    with closing(Consumer(settings)) as observer:
        try:
            places = [place for topic in topics for place in _partitions(observer, topic, limit)]
            kept = observer.committed([TopicPartition(*each) for each in places], timeout=limit)
        except KafkaException as error:
            raise LagUnknown(f"the lag of {group} is unknown: {error.args[0].str()}") from error
    starts = log_offsets(config, places, OffsetSpec.earliest(), limit)  # type: ignore[no-untyped-call]
    ends = log_offsets(config, places, OffsetSpec.latest(), limit)  # type: ignore[no-untyped-call]
    rows = []
    for place, each in zip(places, kept, strict=True):
        committed = each.offset if each.offset >= 0 and each.error is None else None
        start, end = starts[place], ends[place]
        left = None
        if committed is not None and start is not None and end is not None:
            left = max(0, end - max(committed, start))
        rows.append(PartitionLag(*place, end, committed, left))
    return rows


def _partitions(observer: Consumer, topic: str, limit: float) -> list[Place]:
    """Asked anew each time, since topics grow."""
    metadata = observer.list_topics(topic, timeout=limit).topics[topic]
    if metadata.error is not None:
        raise LagUnknown(f"{topic} has no lag: {metadata.error.str()}")
    return [(topic, partition) for partition in sorted(metadata.partitions)]


def log_offsets(
    config: ClientConfig, places: Sequence[Place], which: OffsetSpec, limit: float
) -> dict[Place, int | None]:
    """An offset of each partition, asked of its leader; None where it does not tell.

    Raises:
        LagUnknown: the cluster does not answer.
    """
    if not places:
        return {}
    committed_only = config.get("isolation.level", "read_committed") == "read_committed"
    level = IsolationLevel.READ_COMMITTED if committed_only else IsolationLevel.READ_UNCOMMITTED
    admin = AdminClient({name: config[name] for name in config if name != "isolation.level"})
    # Asked before it is connected, one of fifteen clients of librdkafka takes 3 s to answer.
    topic = places[0][0]
    try:
        admin.list_topics(topic, timeout=limit)
    except KafkaException as error:
        raise LagUnknown(f"where {topic} ends is unknown: {error.args[0].str()}") from error
    asked = {TopicPartition(*each): which for each in places}
    answers = admin.list_offsets(asked, isolation_level=level, request_timeout=limit)
    found: dict[Place, int | None] = dict.fromkeys(places)
    for place, future in answers.items():
        try:
            found[place.topic, place.partition] = future.result(limit).offset
        except (KafkaException, TimeoutError):
            continue
    return found
