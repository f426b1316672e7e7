"""Task 1.4: who owns what, when does it move, and what does moving cost?

Write `rebalance.py` with a class and two functions: `RebalanceListener` has the callbacks with
which a consumer subscribes; `ownerless` finds, in the logs of listeners, when a partition had no
owner; and `lag` measures from outside how far a group is behind, without being a member.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkalab.contracts import ClientConfig, Place

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

ASSIGN, REVOKE, LOST = "assign", "revoke", "lost"

LAG_LIMIT = 10.0
"""Seconds. An answer takes milliseconds; a cluster that elects leaders may take some."""


class Change(NamedTuple):
    """One callback of one member."""

    member: str
    kind: str
    """ASSIGN, REVOKE or LOST"""
    partitions: tuple[Place, ...]
    """the partitions that came or went; there may be none"""
    time: float
    """seconds on the monotonic clock, which all processes of a machine share"""


class Gap(NamedTuple):
    """A time in which a partition had no owner."""

    topic: str
    partition: int
    since: float
    """seconds on the monotonic clock"""
    until: float | None
    """None while it lasts"""


class PartitionLag(NamedTuple):
    """How far a group is behind in one partition, in offsets."""

    topic: str
    partition: int
    end: int | None
    """where the log ends: the offset after the last; None if its leader did not return it"""
    committed: int | None
    """None if the group has committed nothing, which is not 0"""
    lag: int | None
    """None if one of the two is unknown; 0 only if nothing is left to be read"""


class LagUnknown(Exception):
    """The lag is unknown: a topic is unknown, or the cluster does not answer."""


class Listener(Protocol):
    """What a RebalanceListener can do; one for each member of a group.

    It logs the partitions that its member gets and gives up, and commits in time what was
    processed. The client calls its callbacks in the member's own thread; `processed` is called
    in that thread, too.

    The partitions themselves are left to the client: after the callback it takes them or gives
    them up, as the group's protocol demands. So a listener calls neither `assign` nor
    `unassign`, nor `incremental_assign` or `incremental_unassign`. `partitions` are all
    partitions under the eager protocol; under the cooperative one and KIP-848 they are only
    those that move, and there may be none.
    """

    owned: set[Place]
    """the partitions that the member owns, by all of its callbacks until now"""

    def processed(self, message: Message, /) -> None:
        """Remember that a record was processed, so that the offset after it may be committed.

        It is called for each record after it was processed, in the order of the partition; the
        record at offset 0 counts too. Use only the topic, partition and offset of the message.
        """
        ...

    def on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition], /) -> None:
        """Partitions came: they are owned in addition to those that stay. Logged as ASSIGN."""
        ...

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition], /) -> None:
        """Partitions are to be given up; until this returns the member still owns them.

        It commits what was processed of these partitions, and waits for the answer, so that
        the next owner goes on where this one stops: `consumer.commit(offsets=…,
        asynchronous=False)`, with the offset after the last processed record of each. If nothing
        was processed, nothing is committed; a record that was only polled is not committed
        either. Then the partitions are owned no more, and what was processed of them is
        forgotten. Logged as REVOKE.

        Raises:
            KafkaException: the group refused the commit.
        """
        ...

    def on_lost(self, consumer: Consumer, partitions: Sequence[TopicPartition], /) -> None:
        """Partitions were lost some time ago: other members may own them and have committed.

        Nothing of them is committed, now or later: what was processed since the last commit
        comes again, to the new owner. The partitions are owned no more. Logged as LOST.
        """
        ...


class Rebalance(Protocol):
    """What `rebalance.py` has to offer."""

    def RebalanceListener(self, member: str, changes: list[Change]) -> Listener:  # noqa: N802
        """Make a listener for one member, which owns nothing yet. This is a class.

        Args:
            member: its name in the log.
            changes: the log. Each callback appends one Change, also when no partition came
                or went, with the time of the callback. The listeners of several members may
                share the log; they share nothing else.
        """
        ...

    def ownerless(self, changes: Iterable[Change]) -> list[Gap]:
        """Find when a partition had no owner.

        A gap begins when the last owner gives the partition up, or learns that it was lost. It
        ends with the next assignment of that partition of that topic. Before its first
        assignment a partition has no gap. A member that the group has removed may learn of it,
        in on_lost or in on_revoke, after the next owner got the partition: then there was no
        gap. A partition that stays with its owner has none.

        Args:
            changes: the log of all members, in any order: their times count.

        Returns:
            The gaps, in the order in which they began, with those that still last.
        """
        ...

    def lag(
        self, config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
    ) -> list[PartitionLag]:
        """Measure how far a group is behind, for each partition that the topics have now.

        The lag is the end of the log minus what the group has committed, whatever its members
        have read beyond that. The group need not run. If it does, its members notice nothing:
        this call joins no group and commits nothing. Each call asks for the partitions again,
        since topics grow.

        - Without a commit the lag is None and not 0; the end is returned all the same.
        - If records were deleted that the group had not read, the lag counts from where the
          log starts now: those records are not left to be read.
        - The lag is never below 0: a group may have committed beyond the end.
        - By default the log ends where the first open transaction begins (the last stable
          offset), as it does for the group. Markers that end transactions count as offsets.
        - A partition whose leader does not return where its log ends has neither end nor lag.
        - No client of its own stays open when the call is over.

        Args:
            config: how to reach the cluster. With `isolation.level` `read_uncommitted`
                records of open transactions count too.
            group: its name. A group that the cluster does not know has committed nothing.
            topics: their names.
            limit: seconds for each request to the cluster.

        Returns:
            A row for each partition, by topic as named, then by partition.

        Raises:
            LagUnknown: a topic is unknown, or the cluster does not answer within the limit.
        """
        ...
