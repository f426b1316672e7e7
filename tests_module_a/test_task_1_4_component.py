"""Task 1.4, the component: the rebalance listener and the lag.

They are kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker, Termination
from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import LAG_LIMIT, Change, LagUnknown, Listener, PartitionLag
from kafkalab.fixtures import ConsumerMaker, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.client_threads import client_threads, threads_left
from kafkalab.observe.groups import (
    EAGER,
    PROTOCOLS,
    Group,
    Member,
    commit_offset,
    committed_offset,
    generation_of,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.ownership import told_by_callback
from kafkalab.observe.records import init_transactions, poll_until, send, wait_for_end
from kafkalab.observe.refusals import must_raise
from kafkalab.observe.topics import describe_topic, grow
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until


class Listeners:
    """The component's listeners, one for each member that joins with one, and their common log."""

    def __init__(self, solutions: Solutions) -> None:
        self.changes: list[Change] = []
        self.made: list[Listener] = []
        self.at_commits: list[tuple[set[Place], set[Place]]] = []
        """at each commit in on_revoke: the partitions to be given up, and those still owned"""
        self._solutions = solutions

    def join(self, group: Group) -> Member:
        """Add a member to the group that has a listener, and processes what it polls."""
        name = f"member-{len(self.made) + 1}"
        listener = self._solutions.rebalance.RebalanceListener(name, self.changes)
        self.made.append(listener)

        given_up: set[Place] = set()

        def look() -> None:
            if given_up:
                self.at_commits.append((set(given_up), set(listener.owned)))

        # A listener may keep the consumer that on_assign is given, and commit with it later.
        def on_assign(consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
            watched: Any = Watched(consumer, look)
            listener.on_assign(watched, partitions)

        def on_revoke(consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
            given_up.update((each.topic, each.partition) for each in partitions)
            watched: Any = Watched(consumer, look)
            try:
                listener.on_revoke(watched, partitions)
            finally:
                given_up.clear()

        return group.add(
            handle=lambda _, message: listener.processed(message),
            on_assign=on_assign,
            on_revoke=on_revoke,
            on_lost=listener.on_lost,
        )


class Watched:
    """A consumer whose commits are noted."""

    def __init__(self, consumer: Consumer, look: Callable[[], None] = lambda: None) -> None:
        """Take a consumer.

        Args:
            consumer: the client.
            look: called before each commit.
        """
        self.commits: list[object] = []
        self._consumer = consumer
        self._look = look

    def commit(self, *args: Any, **kwargs: Any) -> object:
        self._look()
        self.commits.append(kwargs or args)
        return self._consumer.commit(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


class Processed(NamedTuple):
    """A record that was processed, as far as a listener asks."""

    name: str
    number: int
    at: int

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at


LAG = ("partition", "end", "committed", "lag")


def by_partition(rows: Sequence[PartitionLag]) -> list[PartitionLag]:
    """The rows, in the order of their partitions."""
    return sorted(rows, key=lambda each: each.partition)


def lags(rows: Sequence[PartitionLag]) -> dict[int, int | None]:
    """The lag of each partition."""
    return {each.partition: each.lag for each in by_partition(rows)}


def change_rows(changes: Sequence[Change], evidence: Evidence) -> list[dict[str, object]]:
    """A listener's log as rows of evidence."""
    return [
        {
            "seconds": evidence.since(each.time),
            "member": each.member,
            "kind": each.kind,
            "partitions": sorted(partition for _, partition in each.partitions),
        }
        for each in changes
    ]


@pytest.mark.fact("listener-logs-each-change", scope="the component rebalance")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_listener_logs_each_change(
    topic: TopicMaker,
    members: MembersMaker,
    solutions: Solutions,
    evidence: Evidence,
    protocol: str,
) -> None:
    """The listener's log has each assignment and revocation: whose, which partitions, and when."""
    name = topic(partitions=4)
    group, listeners = members(PROTOCOLS[protocol], name, partitions=4), Listeners(solutions)

    began = time.monotonic()
    first = listeners.join(group)
    group.wait_for_stable()
    listeners.join(group)
    group.wait_for_stable()
    group.remove(first)
    group.wait_for_stable()
    ended = time.monotonic()

    evidence.table("The listener's log", change_rows(listeners.changes, evidence))
    logged = [(each.member, each.kind, sorted(each.partitions)) for each in listeners.changes]
    assert logged == told_by_callback(group), (
        "The log has each callback once, with its partitions, in order."
    )
    times = [each.time for each in listeners.changes]
    assert times == sorted(times), "The log's times never go back."
    assert began <= times[0], (
        "The log's times are of the monotonic clock: the first is not too early."
    )
    assert times[-1] <= ended, (
        "The log's times are of the monotonic clock: the last is not too late."
    )


@pytest.mark.fact("listener-keeps-what-stays", scope="the component rebalance, as named")
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_the_listener_keeps_what_stays(
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    solutions: Solutions,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Under cooperative and KIP-848 the listener adds what comes, drops what goes, keeps the rest.

    A callback names only the partitions that come or go. A listener that takes
    them for all that it owns forgets the others, and nobody reads those.
    """
    name = topic(partitions=4)
    group, listeners = members(PROTOCOLS[protocol], name, partitions=4), Listeners(solutions)

    listeners.join(group)
    group.wait_for_stable()
    listeners.join(group)
    group.wait_for_stable()
    for partition in range(4):
        send(producer(), name, [b"%d" % partition], partition=partition)

    polled = wait_until(
        lambda: sorted(each.value or b"" for each in group.history.of(Kind.POLL, State.OK)),
        lambda values: len(values) == 4,
        limit=20,
        what="a record of each of the four partitions",
    )
    owned = sorted(sorted(p for _, p in listener.owned) for listener in listeners.made)
    evidence.table("The listener's log", change_rows(listeners.changes, evidence))
    evidence.table("Owned after the second came", [{"partitions": each} for each in owned])
    assert polled == [b"0", b"1", b"2", b"3"], "Every partition is read."
    assert [len(each) for each in owned] == [2, 2], (
        "Each of the two members owns two partitions, by its listener's `owned`: those that stayed "
        "and those that came."
    )
    assert sorted(owned[0] + owned[1]) == [0, 1, 2, 3], "Together they own all four partitions."


@pytest.mark.fact("listener-commits-before-giving-up", scope="the component rebalance")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_listener_commits_before_giving_up(
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    solutions: Solutions,
    evidence: Evidence,
    protocol: str,
) -> None:
    """The listener commits what was processed before it gives partitions up: nothing repeats.

    Until its commit is answered the member still owns them, and `owned` says so.
    """
    name = topic(partitions=2)
    group, listeners = members(PROTOCOLS[protocol], name, partitions=2), Listeners(solutions)
    listeners.join(group)
    group.wait_for_stable()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b", b"c"], partition=partition)
    group.wait_for_polls(6)

    listeners.join(group)
    group.wait_for_stable()
    at_commits = list(listeners.at_commits)
    for partition in (0, 1):
        send(producer(), name, [b"last"], partition=partition)
    group.wait_for_polls(2, b"last")

    offsets = [(each.place[1], each.offset) for each in group.history.of(Kind.POLL, State.OK)]
    evidence.table("Read", [{"records": 8, "polled": len(offsets)}])
    evidence.table(
        "When the listener commits",
        [
            {"to be given up": sorted(gone), "still owned": sorted(owned)}
            for gone, owned in at_commits
        ],
    )
    assert sorted(offsets) == [(p, o) for p in (0, 1) for o in range(4)], (
        "Each record is polled once: the next owner goes on where on_revoke has committed."
    )
    assert at_commits, "The listener commits in on_revoke, with the consumer that it was given."
    assert all(gone <= owned for gone, owned in at_commits), (
        "While the listener commits, it still owns what it is about to give up: "
        "first the commit, then `owned`."
    )


@pytest.mark.fact("listener-commits-nothing-that-is-lost", scope="the component rebalance")
def test_the_listener_commits_nothing_that_is_lost(
    solutions: Solutions, consumer: ConsumerMaker, topic: TopicMaker, evidence: Evidence
) -> None:
    """If partitions are lost, the listener commits nothing: another member owns them already.

    It may commit only what it gives up in time.
    """
    name = topic(partitions=2)
    changes: list[Change] = []
    listener = solutions.rebalance.RebalanceListener("member-1", changes)
    places = [TopicPartition(name, partition) for partition in (0, 1)]
    reader: Any = Watched(consumer())
    records: list[Any] = [Processed(name, 0, 4), Processed(name, 1, 7)]

    listener.on_assign(reader, places)
    for each in records:
        listener.processed(each)
    listener.on_lost(reader, places[:1])
    after_lost = list(reader.commits)
    listener.on_revoke(reader, places[1:])

    evidence.table(
        "Commits",
        [
            {"after": "partition 0 was lost", "committed": after_lost},
            {"after": "partition 1 was revoked", "committed": reader.commits},
        ],
    )
    assert after_lost == [], "When partition 0 is lost the listener commits nothing."
    assert committed_offset(consumer(), name, 0) is None, (
        "Nothing is ever committed for partition 0, which was lost."
    )
    assert committed_offset(consumer(), name, 1) == 8, (
        "For partition 1, which was revoked later, the offset after the last record is committed: "
        "that partition 0 was lost makes nobody forget partition 1."
    )
    assert [each.kind for each in changes] == ["assign", "lost", "revoke"], (
        "The log has the assignment, the loss and the revocation."
    )
    assert listener.owned == set(), "In the end the listener owns nothing."


@pytest.mark.fact("listener-commits-what-was-processed", scope="the component rebalance")
def test_the_listener_commits_what_was_processed_and_no_more(
    solutions: Solutions,
    consumer: ConsumerMaker,
    producer: ProducerMaker,
    topic: TopicMaker,
    evidence: Evidence,
) -> None:
    """on_revoke commits the offset after the last processed record of each partition given up.

    A record that was only polled is not committed. The first record of a
    partition has the offset 0, and counts. What the member keeps stays as it is,
    and is committed when it is given up later.
    """
    one, other, reader = topic(partitions=3), topic(partitions=3), consumer()
    places = [TopicPartition(name, number) for name in (one, other) for number in range(3)]
    for place in places:
        send(producer(), place.topic, [b"a", b"b", b"c"], partition=place.partition)
    reader.assign([TopicPartition(each.topic, each.partition, 0) for each in places])
    poll_until(reader, lambda records: len(records) == 18, what="all 18 records")
    listener = solutions.rebalance.RebalanceListener("member-1", [])
    done: list[Any] = [Processed(one, 0, 0), Processed(other, 0, 0), Processed(other, 0, 1)]
    kept: list[Any] = [Processed(one, 2, 1)]

    listener.on_assign(reader, places)
    for each in (*done, *kept):
        listener.processed(each)
    listener.on_revoke(reader, [each for each in places if each.partition < 2])
    owned = set(listener.owned)
    seen = {
        (name, number): committed_offset(consumer(), name, number)
        for name in (one, other)
        for number in range(3)
    }
    listener.on_revoke(reader, [each for each in places if each.partition == 2])
    later = committed_offset(consumer(), one, 2)

    evidence.table(
        "Committed, after the partitions 0 and 1 were given up",
        [{"topic": name, "partition": n, "committed": at} for (name, n), at in seen.items()],
    )
    evidence.note("Partition 2 of the first topic, given up later, is committed at {}.", later)
    assert (seen[one, 0], seen[other, 0]) == (1, 2), (
        "Of each topic's partition 0 the offset after the last processed record is committed."
    )
    assert (seen[one, 1], seen[other, 1]) == (None, None), (
        "Where records were polled and none was processed, nothing is committed."
    )
    assert seen[one, 2] is None, "For a partition that the member keeps, nothing is committed."
    assert owned == {(one, 2), (other, 2)}, "The member still owns what it keeps."
    assert later == 2, (
        "When a kept partition is given up later, what was processed of it before is committed."
    )


@pytest.mark.fact("listener-forgets-what-it-gave-up", scope="the component rebalance")
@pytest.mark.parametrize("way", ["on_revoke", "on_lost"])
def test_the_listener_forgets_what_it_gave_up(
    solutions: Solutions,
    admin: AdminClient,
    group: str,
    consumer: ConsumerMaker,
    topic: TopicMaker,
    evidence: Evidence,
    way: str,
) -> None:
    """If a partition comes back, the listener commits nothing for it that it processed before.

    Meanwhile another member had the partition, and has committed more. What one
    listener remembers, another one does not know.
    """
    name, reader = topic(), consumer({"group.id": group})
    place, record = [TopicPartition(name, 0)], cast(Any, Processed(name, 0, 4))
    listener, other = (
        solutions.rebalance.RebalanceListener(member, []) for member in ("member-1", "member-2")
    )

    listener.on_assign(reader, place)
    listener.processed(record)
    # The group has removed this member, which does not know it yet.
    other.on_assign(reader, place)
    commit_offset(admin, group, name, 9)
    other.on_revoke(reader, place)
    by_the_other = committed_offset(reader, name)
    getattr(listener, way)(reader, place)
    commit_offset(admin, group, name, 9)
    listener.on_assign(reader, place)
    listener.on_revoke(reader, place)
    by_itself = committed_offset(reader, name)

    evidence.table(
        "Committed, where 9 was committed before",
        [
            {"after": "another listener gave the partition up", "committed": by_the_other},
            {"after": "the partition came back and went again", "committed": by_itself},
        ],
    )
    assert by_the_other == 9, "A listener commits nothing that another listener's member processed."
    assert by_itself == 9, (
        "What was processed of a partition that was then given up or lost is committed by no later "
        "on_revoke."
    )


@pytest.mark.fact("listener-lets-a-refusal-out", scope="the component rebalance")
def test_the_listener_lets_a_refused_commit_out(
    solutions: Solutions,
    members: MembersMaker,
    consumer: ConsumerMaker,
    topic: TopicMaker,
    evidence: Evidence,
) -> None:
    """If the group refuses the commit in on_revoke, the listener raises the error.

    Here a consumer that is no member commits while the group has one. If the
    error is swallowed, every rebalance repeats records, and nobody knows why.
    Refusals of other kinds, which a stand-in for the client gives, are no less
    refusals: what was processed is not committed.
    """
    name = topic()
    group = members(EAGER, name, partitions=1)
    group.add()
    group.wait_for_stable()
    stranger, place = consumer({"group.id": group.id}), TopicPartition(name, 0)

    def raised_by(client: Consumer) -> KafkaError | None:
        listener = solutions.rebalance.RebalanceListener("stranger", [])
        listener.on_assign(client, [place])
        listener.processed(cast(Any, Processed(name, 0, 4)))
        try:
            listener.on_revoke(client, [place])
        except KafkaException as refused:
            return cast(KafkaError, refused.args[0])
        return None

    unknown = raised_by(stranger)
    others = {
        KafkaError(code).name(): raised_by(cast(Consumer, Refused(code))) for code in REFUSALS
    }

    evidence.note("The listener raised: {}", unknown)
    evidence.table(
        "What the listener raised for other refusals",
        [
            {"refused": name, "raised": raised.name() if raised is not None else "nothing"}
            for name, raised in others.items()
        ],
    )
    assert unknown is not None, "on_revoke raises the error when the group refuses the commit."
    assert unknown.name() == "UNKNOWN_MEMBER_ID", (
        "The error is the group's own: it does not know this member."
    )
    for name, raised in others.items():
        assert raised is not None, f"on_revoke raises the error of a commit refused with {name}."
        assert raised.name() == name, f"The error is the one of the commit: {name}."


# A group refuses a commit with these while it rebalances, or when the member is late.
REFUSALS = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
)


class Refused:
    """Stands for a consumer whose group refuses each commit."""

    def __init__(self, code: int) -> None:
        self._code = code

    def commit(self, *_: object, **__: object) -> None:
        """Refuse it."""
        raise KafkaException(KafkaError(self._code))


@pytest.mark.fact("an-empty-change-is-logged", scope="the component rebalance")
def test_a_change_without_partitions_is_logged(
    solutions: Solutions, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The log has each callback, also one without partitions, with names and numbers as they are.

    Two listeners may share a log, and share nothing else.
    """
    changes: list[Change] = []
    listener, other = (
        solutions.rebalance.RebalanceListener(member, changes) for member in ("a", "b")
    )
    reader, places = consumer(), [TopicPartition("orders", 1), TopicPartition("orders-1", 0)]

    listener.on_assign(reader, [])
    listener.on_assign(reader, places)
    other.on_assign(reader, places[:1])
    listener.on_revoke(reader, [])
    listener.on_lost(reader, places[1:])

    evidence.table("The log", change_rows(changes, evidence))
    logged = [(each.member, each.kind, tuple(sorted(each.partitions))) for each in changes]
    assert logged == [
        ("a", "assign", ()),
        ("a", "assign", (("orders", 1), ("orders-1", 0))),
        ("b", "assign", (("orders", 1),)),
        ("a", "revoke", ()),
        ("a", "lost", (("orders-1", 0),)),
    ], "The log has each callback with its member, its kind and its partitions."
    assert (listener.owned, other.owned) == ({("orders", 1)}, {("orders", 1)}), (
        "Each listener knows what its own member owns."
    )


@pytest.mark.fact("ownerless-time-comes-out-right", scope="the component rebalance")
def test_ownerless_time_comes_out_right(solutions: Solutions, evidence: Evidence) -> None:
    """A partition has no owner from when it is given up until it is assigned again.

    While it stays with its owner it has one. If another member had it before the
    old owner learned that it was lost, it was never without an owner.
    """
    moved, kept, lost, left, late = (("t", number) for number in range(5))
    changes = [
        Change("a", "assign", (moved, kept, lost, left, late), 1.0),
        Change("b", "assign", (), 2.0),
        Change("a", "revoke", (left,), 2.5),
        Change("b", "assign", (late,), 2.75),
        Change("a", "revoke", (moved, late), 3.0),
        Change("b", "assign", (moved,), 3.5),
        Change("b", "assign", (lost,), 4.0),
        Change("a", "lost", (lost,), 5.0),
    ]

    gaps = solutions.rebalance.ownerless(changes)

    evidence.table("Nobody's", [each._asdict() for each in gaps])
    assert [tuple(each) for each in gaps] == [
        ("t", 3, 2.5, None),
        ("t", 0, 3.0, 3.5),
    ], (
        "In the order in which they began: partition 3 is nobody's from 2.5 on, and partition 0 "
        "was nobody's for half a second. Partitions 2 and 4 have no gap: their old owner learned "
        "late that they had a new one."
    )


@pytest.mark.fact("ownerless-tells-topics-apart", scope="the component rebalance")
def test_ownerless_tells_topics_apart(solutions: Solutions, evidence: Evidence) -> None:
    """Partitions of one number in two topics are two, and the order of the log does not count.

    Only the times count: logs of several members are put one behind the other.
    """
    changes = [
        Change("a", "assign", (("s", 0), ("t", 0)), 1.0),
        Change("a", "revoke", (("t", 0),), 2.0),
        Change("a", "lost", (("s", 0),), 3.0),
        Change("b", "assign", (("s", 0),), 4.0),
        Change("b", "assign", (("t", 0),), 6.0),
        Change("b", "revoke", (("s", 0),), 7.0),
        Change("b", "assign", (("s", 0),), 7.5),
        Change("b", "revoke", (("never", 0),), 8.0),
    ]

    seen = [solutions.rebalance.ownerless(each) for each in (changes, iter(changes[::-1]), [])]

    evidence.table("Without an owner", [each._asdict() for each in seen[0]])
    wanted = [("t", 0, 2.0, 6.0), ("s", 0, 3.0, 4.0), ("s", 0, 7.0, 7.5)]
    assert [tuple(each) for each in seen[0]] == wanted, (
        "Each partition has its own gaps, in the order in which they began, also if it comes "
        "back to its owner; a partition that was never assigned has none."
    )
    assert [tuple(each) for each in seen[1]] == wanted, (
        "A log that is turned round, and is given as an iterator, says the same."
    )
    assert seen[2] == [], "An empty log has no gaps."


@pytest.mark.fact("lag-is-what-is-left", scope="the component rebalance")
def test_lag_tells_what_is_left_from_nothing_committed(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """A partition's lag is its end minus the commit; without a commit there is none, and not 0.

    A lag of 0 says that the group has read all there is. The group need not run
    to have a lag.
    """
    name = topic(partitions=5)
    for partition in (0, 1, 2, 4):
        send(producer(), name, [b"%d" % number for number in range(5)], partition=partition)
    commit_offset(admin, group, name, 2, partition=0)
    commit_offset(admin, group, name, 5, partition=1)
    commit_offset(admin, group, name, 7, partition=4)

    rows = solutions.rebalance.lag(broker.client_properties(), group, [name])

    evidence.table("Lag", by_partition(rows), LAG)
    assert lags(rows) == {0: 3, 1: 0, 2: None, 3: None, 4: 0}, (
        "One partition is behind, one has caught up, and two have no commit and so no lag; "
        "a commit beyond the end leaves nothing, which is 0 and not less."
    )
    assert [(each.end, each.committed) for each in by_partition(rows)] == [
        (5, 2),
        (5, 5),
        (5, None),
        (0, None),
        (5, 7),
    ], "Each row has the end and the commit that its lag was computed from."


@pytest.mark.fact("lag-follows-commits-not-positions", scope="the component rebalance")
def test_lag_follows_commits_and_disturbs_nobody(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Lag follows what the group committed, not what it read, and measuring it disturbs nobody.

    What was read and not committed comes again after a crash, so it is still to
    be done. If you measured as a member, you would take partitions away from
    the others.
    """
    name = topic(partitions=2)
    group = members(EAGER, name, partitions=2)
    member = group.add()
    group.wait_for_stable()
    send(producer(), name, [b"a", b"b", b"c"])
    group.wait_for_polls(3)
    member.do(lambda consumer: consumer.commit(offsets=[TopicPartition(name, 0, 1)]))
    before = member.do(generation_of)

    rows = wait_until(
        lambda: solutions.rebalance.lag(broker.client_properties(), group.id, [name]),
        # The commit was asynchronous.
        lambda seen: by_partition(seen)[0].committed is not None,
        limit=20,
        what="the commit to be there",
    )

    after = group.wait_for_stable(), member.do(generation_of)
    evidence.table("Read 3, committed 1", by_partition(rows), LAG)
    evidence.table("Generation", [{"before": before, "after": after[1]}])
    assert lags(rows) == {0: 2, 1: None}, (
        "Two records are still to be done, though all three were read."
    )
    assert len(after[0].assignments) == 1, "The group still has its one member."
    assert after[1] == before, "The group's generation is as before: it had no rebalance."


@pytest.mark.fact("lag-counts-what-can-be-read", scope="the component rebalance, read_committed")
def test_lag_counts_what_can_be_read(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Lag leaves out an open transaction and deleted records, and counts a commit marker."""
    name, config = topic(partitions=2), broker.client_properties()
    writer = producer({"transactional.id": name})
    init_transactions(writer)
    send(producer(), name, [b"%d" % number for number in range(10)], partition=1)
    commit_offset(admin, group, name, 0, partition=0)
    commit_offset(admin, group, name, 1, partition=1)

    writer.begin_transaction()
    send(writer, name, [b"a", b"b"])
    is_open = solutions.rebalance.lag(config, group, [name])
    writer.commit_transaction(20)
    wait_for_end(consumer(), name, 3)
    is_committed = solutions.rebalance.lag(config, group, [name])
    admin.delete_records([TopicPartition(name, 1, 4)])[TopicPartition(name, 1)].result(20)
    is_deleted = solutions.rebalance.lag(config, group, [name])

    committed = {each.partition: each.committed for each in is_deleted}
    seen = {"begin": lags(is_open), "commit": lags(is_committed), "deletion": lags(is_deleted)}
    evidence.table(
        "Lag", [{"after": n, "partition 0": s[0], "partition 1": s[1]} for n, s in seen.items()]
    )
    assert seen["begin"] == {0: 0, 1: 9}, "The lag counts nothing of an open transaction."
    assert seen["commit"] == {0: 3, 1: 9}, "The lag counts two committed records and their marker."
    assert seen["deletion"] == {0: 3, 1: 6}, (
        "Six offsets are left, 4 to 9, though the group's commit is still at offset 1."
    )
    assert committed == {0: 0, 1: 1}, (
        "What the group has committed is told as it is, also where the log starts later by now."
    )


@pytest.mark.fact("lag-sees-new-partitions", scope="the component rebalance")
def test_lag_sees_new_partitions(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If a topic grows, the next lag has the new partitions, too."""
    name, config = topic(partitions=1), broker.client_properties()
    send(producer(), name, [b"a"])
    commit_offset(admin, group, name, 1)

    before = solutions.rebalance.lag(config, group, [name])
    grow(admin, name, 2)
    commit_offset(admin, group, name, 0, partition=1)
    send(producer(), name, [b"b", b"c"], partition=1)
    after = solutions.rebalance.lag(config, group, [name])

    evidence.table("After the topic grew", by_partition(after), LAG)
    assert lags(before) == {0: 0}, "Before the topic grows the lag of its one partition is 0."
    assert lags(after) == {0: 0, 1: 2}, (
        "After the topic has grown the new partition's lag is there, too."
    )


@pytest.mark.fact("lag-unknown-is-not-zero", scope="the component rebalance")
@pytest.mark.needs("restart")
def test_lag_that_cannot_be_known_is_not_zero(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If no broker answers, lag() soon says that the lag is unknown, and never 0."""
    name = topic()
    send(producer(), name, [b"a"])
    commit_offset(admin, group, name, 1)
    config = private_broker.client_properties()
    known = solutions.rebalance.lag(config, group, [name])

    private_broker.kill(private_broker.node_ids[0], Termination.ABRUPT)
    began = time.monotonic()
    with must_raise(
        LagUnknown,
        sentence="If no broker answers, lag() raises LagUnknown, and returns no rows.",
    ) as unknown:
        solutions.rebalance.lag(config, group, [name], limit=0.5)
    seconds = time.monotonic() - began

    evidence.note("With the broker: {}; without it: {}", lags(known), unknown.value)
    evidence.number("seconds without it", round(seconds, 1), "with a limit of 0.5 s")
    assert lags(known) == {0: 0}, "While the broker is there the lag is known."
    # Each request has the limit; one with the default of 10 s takes longer.
    assert seconds < LAG_LIMIT - 2, "lag() raises LagUnknown soon after its limit of 0.5 s."


@pytest.mark.fact("lag-of-a-dead-leader-is-unknown", scope="the component rebalance, two brokers")
@pytest.mark.cluster(brokers=2)
def test_the_lag_of_a_partition_without_a_leader_is_unknown(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If a partition's leader is gone, its end and lag are None; the others keep theirs.

    The client reports no error for that partition: it says that the log ends at
    -1001. A lag that is made of this is 0, and looks as if the group had caught up.
    """
    name, config = topic(partitions=2), private_broker.client_properties()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b"], partition=partition)
        commit_offset(admin, group, name, 1, partition=partition)
    coordinator = admin.describe_consumer_groups([group])[group].result(20).coordinator.id
    leader_of = {each.id: each.leader.id for each in describe_topic(admin, name).partitions}
    (lost,) = (each for each in leader_of if leader_of[each] != coordinator)
    known = solutions.rebalance.lag(config, group, [name])

    # The broker that keeps the group's commits stays: without it nothing would be known.
    private_broker.kill(leader_of[lost], Termination.ABRUPT)
    # The living broker answers in milliseconds; where a loaded machine needs more, it gets more.
    try:
        after = solutions.rebalance.lag(config, group, [name], limit=3)
    except LagUnknown:
        after = solutions.rebalance.lag(config, group, [name], limit=20)

    evidence.table("The lag before one of two leaders is gone", by_partition(known), LAG)
    evidence.table("The lag afterwards", by_partition(after), LAG)
    rows = {each.partition: each for each in after}
    assert set(rows) == {0, 1}, "Each partition has its row, also the one without a leader."
    assert lags(known) == {0: 1, 1: 1}, "While both leaders are there each partition has its lag."
    assert (rows[lost].end, rows[lost].lag) == (None, None), (
        "Where the leader is gone, nobody knows the end of the log, and so the lag is unknown."
    )
    assert rows[lost].committed == 1, "What the group has committed there is still known."
    assert rows[1 - lost].lag == 1, "The partition whose leader is there keeps its lag."


@pytest.mark.fact("lag-rows-come-as-asked", scope="the component rebalance")
def test_lag_rows_come_as_asked(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """lag() has a row for each partition of each topic, in the order of the names it was given.

    With read_uncommitted it counts records of open transactions, too. Where the
    group never committed there is an end and no lag. No client of it stays open.
    """
    first, last = sorted([topic(partitions=2), topic(partitions=2)])[::-1]
    send(producer(), last, [b"a", b"b", b"c"])
    commit_offset(admin, group, last, 1)
    writer, config = producer({"transactional.id": first}), broker.client_properties()
    init_transactions(writer)
    writer.begin_transaction()
    send(writer, first, [b"a", b"b"], partition=1)
    before = client_threads()

    rows = solutions.rebalance.lag(config, group, [first, last])
    dirty = {**config, "isolation.level": "read_uncommitted"}
    uncommitted = solutions.rebalance.lag(dirty, group, [first])
    none = solutions.rebalance.lag(config, group, [])
    left = threads_left(before)

    writer.abort_transaction(20)
    evidence.table("Lag", rows, ("topic", *LAG))
    evidence.table("With read_uncommitted", uncommitted, ("topic", *LAG))
    assert [tuple(each) for each in rows] == [
        (first, 0, 0, None, None),
        (first, 1, 0, None, None),
        (last, 0, 3, 1, 2),
        (last, 1, 0, None, None),
    ], "There is a row for each partition, by topic as named, then by partition."
    assert [each.end for each in uncommitted] == [0, 2], (
        "With read_uncommitted the log ends behind the records of the open transaction."
    )
    assert none == [], "Without topics there are no rows."
    assert left == 0, "No thread of its clients is left."


@pytest.mark.fact("lag-of-an-unknown-topic-is-unknown", scope="the component rebalance")
def test_the_lag_of_an_unknown_topic_is_unknown(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If a topic is unknown, lag() raises LagUnknown, and does not just leave it out.

    A name with a slip of the pen would look like a group that has nothing to do.
    """
    known, unknown = topic(), topic.name()

    with must_raise(
        LagUnknown, sentence="If one of the topics is unknown, lag() raises LagUnknown."
    ) as raised:
        solutions.rebalance.lag(broker.client_properties(), group, [known, unknown])

    evidence.note("It says: {}", raised.value)
    assert unknown not in admin.list_topics(timeout=20).topics, (
        "The topic is not created by asking."
    )


@pytest.mark.fact("lag-needs-the-coordinator", scope="the component rebalance, two brokers")
@pytest.mark.cluster(brokers=2)
def test_the_lag_of_a_group_whose_coordinator_is_gone_is_unknown(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If the broker that keeps a group's commits is gone, lag() raises LagUnknown.

    The other broker still says which partitions there are. Silence about the
    commits does not mean that there are none: a group that is far behind would
    look like one that never began.
    """
    name, config = topic(partitions=2), private_broker.client_properties()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b"], partition=partition)
        commit_offset(admin, group, name, 1, partition=partition)
    coordinator = admin.describe_consumer_groups([group])[group].result(20).coordinator.id
    known = solutions.rebalance.lag(config, group, [name])

    private_broker.kill(coordinator, Termination.ABRUPT)
    said: LagUnknown | None = None
    rows: Sequence[PartitionLag] = []
    # The living broker answers in milliseconds; a loaded machine may need a second.
    try:
        rows = solutions.rebalance.lag(config, group, [name], limit=2)
    except LagUnknown as unknown:
        said = unknown

    evidence.table("The lag before the coordinator is gone", by_partition(known), LAG)
    evidence.note("Afterwards it says: {}", said or f"{lags(rows)}")
    assert lags(known) == {0: 1, 1: 1}, "While the coordinator is there the lag is known."
    assert said is not None, (
        "Nobody answers for the group's commits: lag() raises LagUnknown, "
        "and does not return rows as if nothing was committed."
    )
