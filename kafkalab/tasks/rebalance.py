"""Task 1.4: log owners, find the times without one, and measure how far a group is behind.

The listener has the callbacks with which a consumer subscribes. The lag is measured
from outside, by a client that is no member.
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
    from concurrent.futures import Future

    from confluent_kafka import Message
    from confluent_kafka.admin import ListOffsetsResultInfo

# Owners


class RebalanceListener:
    """Logs the partitions that a member gets and gives up, and commits in time.

    The partitions themselves are left to the client, which takes them as the group's
    protocol demands. `partitions` are all partitions under the eager protocol, and
    only those that move under the cooperative one and KIP-848.
    """

    def __init__(self, member: str, changes: list[Change]) -> None:
        """Make a listener for one member.

        Args:
            member: its name in the log.
            changes: the log, which the listeners of several members may share.
        """
        self.owned: set[Place] = set()
        self._member = member
        self._changes = changes
        self._next: dict[Place, int] = {}

    def processed(self, message: Message) -> None:
        """Remember that a record was processed, so that the offset after it may be committed."""
        self._next[message.topic() or "", message.partition() or 0] = (message.offset() or 0) + 1

    def on_assign(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Partitions came; they are read from their committed offsets."""
        places = _places(partitions)
        self.owned.update(places)
        self._log(ASSIGN, places)

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Partitions are to be given up; until this returns the member still owns them.

        It commits what was processed of them: the next owner goes on where this
        one stops. The client gives them up even if the commit is refused.

        Raises:
            KafkaException: the group refused the commit of some or all of them.
        """
        places = _places(partitions)
        done = [TopicPartition(*each, self._next[each]) for each in places if each in self._next]
        try:
            if done:
                # If only some are refused, commit() raises nothing, and says so for each.
                for each in consumer.commit(offsets=done, asynchronous=False) or ():
                    if each.error is not None:
                        raise KafkaException(each.error)
        finally:
            self._give_up(REVOKE, places)

    def on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Partitions were lost some time ago: other members may own them and have committed.

        Nothing is committed any more: what was processed since the last commit
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
    """Find when a partition had no owner, in the order in which the gaps began.

    A gap begins when the last owner gives the partition up, or learns that it was
    lost, and ends with the next assignment. Before its first assignment a partition
    has no gap. A member that the group has removed may learn of it after the next
    owner got the partition: then there was no gap.

    Args:
        changes: the log of all members, in any order.
    """
    owners: dict[Place, str] = {}
    open_since: dict[Place, float] = {}
    gaps: list[Gap] = []
    for change in sorted(changes, key=lambda each: each.time):
        for place in change.partitions:
            if change.kind == ASSIGN:
                owners[place] = change.member
                if place in open_since:
                    gaps.append(Gap(*place, open_since.pop(place), change.time))
            # Any other member was removed before, and learns of it only now.
            elif owners.get(place) == change.member:
                del owners[place]
                open_since[place] = change.time
    gaps += [Gap(*place, since, None) for place, since in open_since.items()]
    return sorted(gaps, key=lambda gap: gap.since)


# How far behind


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    """Measure how far a group is behind, for each partition of the topics.

    The lag is the end offset minus the committed offset. If records were deleted that
    the group had not read, it counts from the new start: they are not left to be read.
    The group need not run; if it does, its members notice nothing.

    Args:
        config: how to reach the cluster. `isolation.level` decides whether
            records of open transactions count; by default they do not, because the
            group could not read them.
        group: its name.
        topics: their names.
        limit: seconds for each of the four requests.

    Raises:
        LagUnknown: a topic is unknown, or the cluster does not answer.
    """
    # A consumer that never subscribes is no member of the group in its group.id.
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
    """The topic's partitions now: they are asked for each time, since topics grow."""
    metadata = observer.list_topics(topic, timeout=limit).topics[topic]
    if metadata.error is not None:
        raise LagUnknown(f"{topic} has no lag: {metadata.error.str()}")
    return [(topic, partition) for partition in sorted(metadata.partitions)]


def log_offsets(
    config: ClientConfig, places: Sequence[Place], which: OffsetSpec, limit: float
) -> dict[Place, int | None]:
    """An offset of each partition, from its leader; None if it does not return one.

    Raises:
        LagUnknown: the cluster does not answer.
    """
    committed_only = config.get("isolation.level", "read_committed") == "read_committed"
    level = IsolationLevel.READ_COMMITTED if committed_only else IsolationLevel.READ_UNCOMMITTED
    admin = AdminClient({name: config[name] for name in config if name != "isolation.level"})
    return log_offsets_by(admin, places, which, limit, level)


def log_offsets_by(
    admin: AdminClient,
    places: Sequence[Place],
    which: OffsetSpec,
    limit: float,
    level: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> dict[Place, int | None]:
    """Return offsets as `log_offsets` does, by an existing client."""
    found: dict[Place, int | None] = dict.fromkeys(places)
    answers: dict[TopicPartition, Future[ListOffsetsResultInfo]] = {}
    for led in _by_leader(admin, places, limit):
        asked = {TopicPartition(*each): which for each in led}
        answers |= admin.list_offsets(asked, isolation_level=level, request_timeout=limit)
    for place, future in answers.items():
        try:
            offset = future.result(limit).offset
        except (KafkaException, TimeoutError):
            continue
        # If a leader is gone, the client may report no error, but the offset -1001.
        found[place.topic, place.partition] = offset if offset >= 0 else None
    return found


def _by_leader(admin: AdminClient, places: Sequence[Place], limit: float) -> list[list[Place]]:
    """The places of each leader; without those that have none.

    One request for all is answered when the last leader answers, or not at all. Besides, one of
    fifteen clients of librdkafka takes 3 s if it asks for offsets before it is connected.

    Raises:
        LagUnknown: the cluster does not answer.
    """
    if not places:
        return []
    topics = sorted({topic for topic, _ in places})
    try:
        known = admin.list_topics(topics[0] if len(topics) == 1 else None, timeout=limit).topics
    except KafkaException as error:
        reason = error.args[0].str()
        raise LagUnknown(f"where {', '.join(topics)} ends is unknown: {reason}") from error
    led: dict[int, list[Place]] = {}
    for topic, partition in places:
        metadata = known[topic].partitions.get(partition) if topic in known else None
        if metadata is not None and metadata.leader >= 0:
            led.setdefault(metadata.leader, []).append((topic, partition))
    return list(led.values())
