"""Task 1.4: who owns what, when does it move, and what does moving cost?

Write `rebalance.py` with a class and two functions: `RebalanceListener` is what a consumer is
subscribed with; `ownerless` finds in what listeners logged when nobody owned a partition; and
`lag` tells how far a group is behind, measured from outside, by somebody who is no member.
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
    """What one member was told in one callback."""

    member: str
    kind: str
    """ASSIGN, REVOKE or LOST"""
    partitions: tuple[Place, ...]
    """those that came or went, which may be none"""
    time: float
    """seconds on the monotonic clock, which all processes of a machine share"""


class Gap(NamedTuple):
    """A time in which nobody owned a partition."""

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
    """where the log ends: the offset after the last; None where its leader did not tell"""
    committed: int | None
    """None where the group has committed nothing, which is not 0"""
    lag: int | None
    """None where one of the two is unknown; 0 only where nothing is left to be read"""


class LagUnknown(Exception):
    """Nothing can be said of the lag: a topic is unknown, or nobody answers."""


class Listener(Protocol):
    """What a RebalanceListener can do; one for each member of a group.

    It logs what its member is given and gives up, and commits in time what was processed.
    Its callbacks are called as the client calls them, from the member's own thread, in which
    `processed` is called too.

    The partitions themselves are left to the client, which takes them on, after the callback,
    as the group's protocol wants it: a listener calls neither `assign` nor `unassign`, nor
    their incremental kin. `partitions` are all partitions under the eager protocol; under the
    cooperative one and KIP-848 they are only those that move, and may be none.
    """

    owned: set[Place]
    """the partitions that are the member's own, by all that it was told"""

    def processed(self, message: Message, /) -> None:
        """Remember that a record is done with, so that its successor may be committed.

        Called for each record when it was processed, in the order of the partition; the
        record at offset 0 counts too. Only topic, partition and offset are to be asked of it.
        """
        ...

    def on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition], /) -> None:
        """Partitions came: they are owned beside those that stay. Logged as ASSIGN."""
        ...

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition], /) -> None:
        """Partitions are to be given up; until this returns they are still the member's own.

        Of these partitions it commits what was processed, and waits for the answer, so that
        the next owner goes on where this one stops: `consumer.commit(offsets=…,
        asynchronous=False)`, for each the offset after the last processed. Where nothing was
        processed nothing is committed, and what was only polled is not either. Then they are
        owned no more, and what was processed of them is forgotten. Logged as REVOKE.

        Raises:
            KafkaException: the group refused the commit.
        """
        ...

    def on_lost(self, consumer: Consumer, partitions: Sequence[TopicPartition], /) -> None:
        """Partitions were lost some time ago: others may own them and have committed.

        Nothing of them is committed, now or later; what was processed since the last commit
        comes again, to the new owner. They are owned no more. Logged as LOST.
        """
        ...


class Rebalance(Protocol):
    """What `rebalance.py` has to offer."""

    def RebalanceListener(self, member: str, changes: list[Change]) -> Listener:  # noqa: N802
        """Make a listener for one member, which owns nothing yet: a class.

        Args:
            member: its name in the log.
            changes: the log. Each callback appends one Change, also when no partition came
                or went, with the time of the callback. The listeners of several members may
                share it; all else is each one's own.
        """
        ...

    def ownerless(self, changes: Iterable[Change]) -> list[Gap]:
        """Find when nobody owned a partition.

        From the moment in which its last owner gave it up, or learned that it was lost, to
        the next assignment of that partition of that topic. Before its first assignment a
        partition has no gap. A member that was thrown out may learn it after the next owner
        was told: there was no gap then. A partition that stays with its owner has none.

        Args:
            changes: the log of all members, in any order: their times count.

        Returns:
            The gaps, in the order in which they began; those that still last too.
        """
        ...

    def lag(
        self, config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
    ) -> list[PartitionLag]:
        """Tell how far a group is behind, for each partition that the topics have now.

        The end of the log minus what the group has committed, whatever its members have read
        beyond that. The group need not run; if it does, no member notices: nobody joins,
        nothing is committed. Each call asks anew, since topics grow.

        - Without a commit the lag is None and not 0; the end is told all the same.
        - Where records were deleted that the group had not read, it counts from where the log
          starts now: they are not left to be read.
        - It is never below 0: a group may have committed beyond the end.
        - By default the log ends, as for the group, where the first open transaction begins
          (the last stable offset). Markers that end transactions count as offsets.
        - A partition whose leader does not tell where its log ends has neither end nor lag.

        Args:
            config: how to reach the cluster. With `isolation.level` `read_uncommitted`
                records of open transactions count too.
            group: its name. One that nobody has heard of has committed nothing.
            topics: their names.
            limit: seconds for each question to the cluster.

        Returns:
            A row for each partition, by topic as named, then by partition.

        Raises:
            LagUnknown: a topic is unknown, or the cluster does not answer within the limit.
        """
        ...
