"""A group seen from outside, by no member: its members, commits, and the ends of the logs.

A look is plain data: it can be saved, read again, and judged without a Kafka.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from kafkalab.contracts import ClientConfig, Place
from kafkalab.contracts.rebalance import LAG_LIMIT, LagUnknown
from kafkalab.observe.coordinators import Coordinators
from kafkalab.tasks.rebalance import lag, log_offsets

if TYPE_CHECKING:
    from confluent_kafka.admin import ConsumerGroupDescription

# Bytes. Only the first record of each partition is wanted.
OF_EACH_PARTITION = 16_384

# Messages to take from the client at a time; more than a fetch returns of one partition.
AT_A_TIME = 1000


class UnknownGroup(Exception):
    """There is no consumer group of that name; the text names it."""


class SeenMember(msgspec.Struct, frozen=True):
    """A member, as the coordinator describes it."""

    id: str
    client: str
    """its `client.id`"""
    host: str
    instance: str
    """its `group.instance.id`; empty if it is no static member"""
    partitions: tuple[Place, ...]
    """the partitions that it is assigned"""


class Standing(msgspec.Struct, frozen=True):
    """A group's offsets in one partition; None for an offset that no broker returned."""

    topic: str
    partition: int
    start: int | None
    """the log's first offset"""
    end: int | None
    """the last stable offset: readers of committed records get no further"""
    high: int | None
    """the high watermark: readers of uncommitted records get no further"""
    committed: int | None
    """None if the group has committed nothing, which is not 0"""
    lag: int | None
    """from the commit to the end; None without a commit, or if it is behind the end"""
    was_read: bool = False
    """whether the first unread record was looked for, and the partition answered in time"""
    oldest: float | None = None
    """that record's timestamp, in seconds since the epoch; the producer may have set it. None if
    no record is left: the offsets belong to markers, or to aborted or compacted records"""

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def is_before_the_log(self) -> bool:
        """Whether records were deleted before the group committed them."""
        return None not in (self.committed, self.start) and self.committed < self.start  # type: ignore[operator]

    @property
    def is_behind_the_log(self) -> bool:
        """Whether the commit is for an offset that the log does not have yet."""
        return None not in (self.committed, self.high) and self.committed > self.high  # type: ignore[operator]


class Look(msgspec.Struct, frozen=True):
    """A group at one point in time."""

    time: float
    """seconds on the monotonic clock of the machine that took the look"""
    clock: float
    """seconds since the epoch"""
    state: str
    """as in `STABLE` or `EMPTY`"""
    protocol: str
    """`CLASSIC` or `CONSUMER`, which is KIP-848's"""
    assignor: str
    members: tuple[SeenMember, ...]
    partitions: tuple[Standing, ...]
    """by topic, then by partition"""

    @property
    def lag(self) -> int | None:
        """The sum over the partitions whose lag is known; None if it is known in none."""
        known = [each.lag for each in self.partitions if each.lag is not None]
        return sum(known) if known else None


class Onlooker:
    """Takes looks at a group, and never is a member of it."""

    def __init__(
        self,
        config: ClientConfig,
        group: str,
        topics: Sequence[str] = (),
        *,
        limit: float = LAG_LIMIT,
    ) -> None:
        """An onlooker of one group.

        Args:
            config: how to reach the cluster.
            group: its name.
            topics: their names; empty for the topics that the group has committed in, and
                those that its members are assigned.
            limit: seconds for each request.
        """
        self._config = config
        self._as_group = {**config, "group.id": group, "enable.auto.commit": False}
        self._group = group
        self._limit = limit
        self._coordinators = Coordinators(
            {name: value for name, value in config.items() if name != "isolation.level"}
        )
        self._named = tuple(dict.fromkeys(topics))
        self._committed_in: tuple[str, ...] | None = None

    def look(self, *, read_for: float = 0) -> Look:
        """Look at the group now.

        Args:
            read_for: seconds at most for reading the first unread record of each partition with
                a lag, for its timestamp; 0 reads none.

        Raises:
            UnknownGroup: there is no group of that name.
            LagUnknown: a topic is unknown, or the cluster does not answer in time.
            KafkaException: the cluster refused it.
        """
        described = self._described()
        members = tuple(sorted(map(_member, described.members), key=lambda each: each.id))
        standings = self._standings(self._topics(members))
        if read_for:
            found = self._read(standings, read_for)
            standings = tuple(
                msgspec.structs.replace(each, was_read=True, oldest=found[each.place])
                if each.place in found
                else each
                for each in standings
            )
        return Look(
            time=time.monotonic(),
            clock=time.time(),
            state=described.state.name,
            protocol=described.type.name,
            assignor=described.partition_assignor or "",
            members=members,
            partitions=standings,
        )

    def _described(self) -> ConsumerGroupDescription:
        try:
            described = self._coordinators.describe([self._group], self._limit)[self._group]
        except TimeoutError as error:
            raise LagUnknown(f"the coordinator of {self._group} did not answer in time") from error
        if isinstance(described, KafkaError):
            if described.code() == KafkaError.GROUP_ID_NOT_FOUND:
                raise UnknownGroup(self._group)
            raise KafkaException(described)
        # Before Kafka 4.0 a coordinator describes an unknown group as dead.
        if described.state.name == "DEAD":
            raise UnknownGroup(self._group)
        return described

    def _topics(self, members: Iterable[SeenMember]) -> list[str]:
        if self._named:
            return sorted(self._named)
        if self._committed_in is None:
            self._committed_in = self._found()
        assigned = {topic for member in members for topic, _ in member.partitions}
        return sorted(assigned.union(self._committed_in))

    def _found(self) -> tuple[str, ...]:
        """The topics in which the group has committed.

        A consumer asks for the commits of all partitions of the cluster. An admin client needs
        no names, but crashes when the broker is not the coordinator at present (librdkafka #5040).
        """
        with closing(Consumer(self._as_group)) as observer:
            topics = observer.list_topics(timeout=self._limit).topics
            places = [
                TopicPartition(name, partition)
                for name, topic in topics.items()
                for partition in topic.partitions
            ]
            kept = observer.committed(places, timeout=self._limit) if places else []
        return tuple({each.topic for each in kept if each.offset >= 0 and each.error is None})

    def _standings(self, topics: Sequence[str]) -> tuple[Standing, ...]:
        rows = lag(self._config, self._group, topics, limit=self._limit) if topics else []
        places = [(row.topic, row.partition) for row in rows]
        both = {**self._config, "isolation.level": "read_uncommitted"}
        starts = log_offsets(both, places, OffsetSpec.earliest(), self._limit)  # type: ignore[no-untyped-call]
        highs = log_offsets(both, places, OffsetSpec.latest(), self._limit)  # type: ignore[no-untyped-call]
        standings = []
        for place, row in zip(places, rows, strict=True):
            high = highs[place]
            is_behind = row.committed is not None and high is not None and row.committed > high
            standings.append(
                Standing(
                    *place,
                    start=starts[place],
                    end=row.end,
                    high=high,
                    committed=row.committed,
                    lag=None if is_behind else row.lag,
                )
            )
        return tuple(standings)

    def _read(self, standings: Iterable[Standing], limit: float) -> dict[Place, float | None]:
        """The timestamp of each partition's first unread record; None if it has no such record.

        Partitions that do not answer in time, or that may not be read, are left out.
        """
        wanted = {
            each.place: max(each.committed, each.start or 0)
            for each in standings
            if each.lag and each.committed is not None
        }
        settings: dict[str, Any] = {
            **self._as_group,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": OF_EACH_PARTITION,
            "fetch.wait.max.ms": 10,
            "queued.min.messages": 1,
            # By default a client that has read only a marker fetches again after a second.
            "fetch.queue.backoff.ms": 10,
        }
        found: dict[Place, float | None] = {}
        if not wanted:
            return found
        until = time.monotonic() + limit
        with closing(Consumer(settings)) as reader:
            reader.assign([TopicPartition(*place, offset) for place, offset in wanted.items()])
            while wanted and time.monotonic() < until:
                done = []
                for message in reader.consume(AT_A_TIME, 0.05):
                    place = (message.topic() or "", message.partition() or 0)
                    if wanted.pop(place, None) is None:
                        continue
                    done.append(TopicPartition(*place))
                    error = message.error()
                    kind, milliseconds = message.timestamp()
                    if error is None and kind != TIMESTAMP_NOT_AVAILABLE:
                        found[place] = milliseconds / 1000
                    elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                        found[place] = None
                if done:
                    reader.pause(done)
        return found


def _member(member: Any) -> SeenMember:
    assigned = member.assignment.topic_partitions if member.assignment else []
    return SeenMember(
        id=member.member_id,
        client=member.client_id,
        host=member.host,
        instance=member.group_instance_id or "",
        partitions=tuple(sorted((each.topic, each.partition) for each in assigned)),
    )


def rates(looks: Sequence[Look]) -> Mapping[Place, float]:
    """How fast the lag of each partition grows, in offsets a second; negative if it falls.

    It compares the first look with the last, and leaves out partitions whose lag is unknown in
    one of them.
    """
    if not looks or looks[-1].time <= looks[0].time:
        return {}
    first, last = looks[0], looks[-1]
    took = last.time - first.time
    before = {each.place: each.lag for each in first.partitions}
    found = {}
    for each in last.partitions:
        was = before.get(each.place)
        if was is not None and each.lag is not None:
            found[each.place] = (each.lag - was) / took
    return found
