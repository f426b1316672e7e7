"""Task 1.4: who owns what, when does it move, and what does moving cost?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge the rebalance listener and
the lag, kafkalab's own or, with `--solutions`, yours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker, Termination
from kafkalab.fixtures import ConsumerMaker, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import (
    EAGER,
    PROTOCOLS,
    Member,
    Members,
    commit_offset,
    committed_offset,
    generation_of,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.records import send, watermarks
from kafkalab.observe.topics import grow
from kafkalab.observe.waiting import wait_until
from kafkalab.solutions import Solutions
from kafkalab.tasks.rebalance import Change, PartitionLag

# The component: rebalance listener and lag


@pytest.mark.fact("listener-logs-each-change", scope="the component rebalance")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_listener_logs_each_change(
    topic: TopicMaker,
    members: MembersMaker,
    solutions: Solutions,
    evidence: Evidence,
    protocol: str,
) -> None:
    """The listener's log tells each assignment and each revocation: who, which partitions, when."""
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)
    team = Team(solutions, group)

    first = team.grow()
    group.wait_for_stable()
    team.grow()
    group.wait_for_stable()
    group.shrink(first)
    group.wait_for_stable()

    evidence.table("The listener's log", change_rows(team.changes))
    logged = [(each.member, each.kind, sorted(each.partitions)) for each in team.changes]
    assert logged == callbacks(group), "each callback once, with its partitions, in order"
    times = [each.time for each in team.changes]
    assert times == sorted(times), "with the time of each"


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
    """Under incremental protocols the listener adds what comes, drops what goes, keeps the rest.

    Who takes the partitions of a callback for all of them loses those that
    stay, and the group's records with them.
    """
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)
    team = Team(solutions, group)

    team.grow()
    group.wait_for_stable()
    team.grow()
    group.wait_for_stable()
    for partition in range(4):
        send(producer(), name, [b"%d" % partition], partition=partition)

    polled = wait_until(
        lambda: sorted(each.value or b"" for each in group.history.of(Kind.POLL, State.OK)),
        lambda values: len(values) == 4,
        limit=20,
        what="a record of each of the four partitions",
    )
    owned = sorted(sorted(p for _, p in listener.owned) for listener in team.listeners)
    evidence.table("The listener's log", change_rows(team.changes))
    evidence.table("Owned after the second came", [{"partitions": each} for each in owned])
    assert polled == [b"0", b"1", b"2", b"3"], "every partition is read"
    assert [len(each) for each in owned] == [2, 2], "two partitions each"
    assert sorted(owned[0] + owned[1]) == [0, 1, 2, 3], "together all"


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
    """The listener commits what was processed before it gives up partitions: none comes twice."""
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)
    team = Team(solutions, group)
    team.grow()
    group.wait_for_stable()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b", b"c"], partition=partition)
    wait_until_polled(group, 6)

    team.grow()
    group.wait_for_stable()
    for partition in (0, 1):
        send(producer(), name, [b"last"], partition=partition)
    wait_until_values(group, b"last", 2)

    offsets = [(each.place[1], each.offset) for each in group.history.of(Kind.POLL, State.OK)]
    evidence.table("Read", [{"records": 8, "polled": len(offsets)}])
    assert sorted(offsets) == [(p, o) for p in (0, 1) for o in range(4)], "each record once"


@pytest.mark.fact("listener-commits-nothing-that-is-lost", scope="the component rebalance")
def test_the_listener_commits_nothing_that_is_lost(
    solutions: Solutions, consumer: ConsumerMaker, topic: TopicMaker, evidence: Evidence
) -> None:
    """When partitions are lost the listener commits nothing: they are another member's already.

    Only what is given up in time may be committed.
    """
    name = topic(partitions=2)
    changes: list[Change] = []
    listener = solutions.rebalance.RebalanceListener("member-1", changes)
    places = [TopicPartition(name, partition) for partition in (0, 1)]
    reader = Watched(consumer())

    listener.on_assign(reader, places)
    listener.processed(Processed(name, 0, 4))
    listener.processed(Processed(name, 1, 7))
    listener.on_lost(reader, places[:1])
    after_lost = list(reader.commits)
    listener.on_revoke(reader, places[1:])

    evidence.table(
        "Commits", [{"after": "lost", "n": len(after_lost)}, {"after": "all", "n": reader.commits}]
    )
    assert after_lost == [], "nothing was committed when partition 0 was lost"
    assert committed_offset(consumer(), name, 0) is None, "nor later"
    assert committed_offset(consumer(), name, 1) == 8, "what was revoked was, the next offset"
    assert [each.kind for each in changes] == ["assign", "lost", "revoke"], "all are in the log"
    assert listener.owned == set(), "and nothing is its own any more"


@pytest.mark.fact("ownerless-time-comes-out-right", scope="the component rebalance")
def test_ownerless_time_comes_out_right(solutions: Solutions, evidence: Evidence) -> None:
    """A partition is without an owner from where it was given up to where it is assigned again.

    Not while it stays with its owner, and not when it was another's already as
    the old owner learned that it had lost it.
    """
    moved, kept, lost, left = ("t", 0), ("t", 1), ("t", 2), ("t", 3)
    changes = [
        Change("a", "assign", (moved, kept, lost, left), 1.0),
        Change("b", "assign", (), 2.0),
        Change("a", "revoke", (moved,), 3.0),
        Change("b", "assign", (moved,), 3.5),
        Change("b", "assign", (lost,), 4.0),
        Change("a", "lost", (lost,), 5.0),
        Change("a", "revoke", (left,), 6.0),
    ]

    gaps = solutions.rebalance.ownerless(changes)

    evidence.table("Nobody's", [each._asdict() for each in gaps])
    assert [tuple(each) for each in gaps] == [
        ("t", 0, 3.0, 3.5),
        ("t", 3, 6.0, None),
    ], "half a second for the one that moved, and until now for the one that was left"


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
    """Lag is end minus committed, for each partition; none without a commit, which is not 0.

    0 is said only of a group that has read all there is. The group need not run.
    """
    name = topic(partitions=4)
    for partition in (0, 1, 2):
        send(producer(), name, [b"%d" % number for number in range(5)], partition=partition)
    commit_offset(admin, group, name, 2, partition=0)
    commit_offset(admin, group, name, 5, partition=1)

    rows = solutions.rebalance.lag(broker.client_properties(), group, [name])

    evidence.table("Lag", lag_rows(rows))
    assert lags(rows) == {0: 3, 1: 0, 2: None, 3: None}, "behind, caught up, and twice no commit"
    assert [(each.end, each.committed) for each in by_partition(rows)] == [
        (5, 2),
        (5, 5),
        (5, None),
        (0, None),
    ], "with what it was computed from"


@pytest.mark.fact("lag-follows-commits-not-positions", scope="the component rebalance")
def test_lag_follows_commits_and_disturbs_nobody(
    broker: Broker,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    members: MembersMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Lag follows what the group has committed, not what was read; to measure it disturbs nobody.

    What was read and not committed comes again after a crash: it is still to be
    done. And whoever measures by joining takes partitions away.
    """
    name = topic(partitions=2)
    group_of_one = members(EAGER, name, partitions=2)
    member = group_of_one.grow()
    group_of_one.wait_for_stable()
    send(producer(), name, [b"a", b"b", b"c"])
    wait_until_polled(group_of_one, 3)
    member.do(lambda consumer: consumer.commit(offsets=[TopicPartition(name, 0, 1)]))
    before = member.do(generation_of)

    rows = wait_until(
        lambda: solutions.rebalance.lag(broker.client_properties(), group, [name]),
        # The commit was asynchronous.
        lambda seen: by_partition(seen)[0].committed is not None,
        limit=20,
        what="the commit to be there",
    )

    after = group_of_one.wait_for_stable(), member.do(generation_of)
    evidence.table("Read 3, committed 1", lag_rows(rows))
    evidence.table("Generation", [{"before": before, "after": after[1]}])
    assert lags(rows) == {0: 2, 1: None}, "two are to be done, though all three were read"
    assert len(after[0].assignments) == 1, "the group has its one member"
    assert after[1] == before, "and had no rebalance"


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
    """Lag counts what the group could read: no open transaction, and nothing that was deleted."""
    name, config = topic(partitions=2), broker.client_properties()
    writer = producer({"transactional.id": name})
    writer.init_transactions(20)
    send(producer(), name, [b"%d" % number for number in range(10)], partition=1)
    commit_offset(admin, group, name, 0, partition=0)
    commit_offset(admin, group, name, 1, partition=1)

    writer.begin_transaction()
    send(writer, name, [b"a", b"b"])
    is_open = solutions.rebalance.lag(config, group, [name])
    writer.commit_transaction(20)
    wait_until(
        lambda: watermarks(consumer(), name)[1], lambda end: end == 3, limit=20, what="the marker"
    )
    is_committed = solutions.rebalance.lag(config, group, [name])
    admin.delete_records([TopicPartition(name, 1, 4)])[TopicPartition(name, 1)].result(20)
    is_deleted = solutions.rebalance.lag(config, group, [name])

    seen = {"open": lags(is_open), "committed": lags(is_committed), "deleted": lags(is_deleted)}
    evidence.table("Lag", [{"transaction": n, "0": s[0], "1": s[1]} for n, s in seen.items()])
    assert seen["open"] == {0: 0, 1: 9}, "nothing of the open transaction"
    assert seen["committed"] == {0: 3, 1: 9}, "two records and their marker"
    assert seen["deleted"] == {0: 3, 1: 6}, "4 to 9 are left, though 1 was committed"


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
    """Lag is told of partitions that were added since it was asked last, too."""
    name, config = topic(partitions=1), broker.client_properties()
    send(producer(), name, [b"a"])
    commit_offset(admin, group, name, 1)

    before = solutions.rebalance.lag(config, group, [name])
    grow(admin, name, 2)
    commit_offset(admin, group, name, 0, partition=1)
    send(producer(), name, [b"b", b"c"], partition=1)
    after = solutions.rebalance.lag(config, group, [name])

    evidence.table("After the topic grew", lag_rows(after))
    assert lags(before) == {0: 0}
    assert lags(after) == {0: 0, 1: 2}, "the new partition too"


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
    """When nobody answers the lag is unknown, and said to be so within the limit: it is not 0."""
    name = topic()
    send(producer(), name, [b"a"])
    commit_offset(admin, group, name, 1)
    config = private_broker.client_properties()
    known = solutions.rebalance.lag(config, group, [name])

    private_broker.kill(private_broker.node_ids[0], Termination.ABRUPT)
    with pytest.raises(solutions.rebalance.LagUnknown) as unknown:
        solutions.rebalance.lag(config, group, [name], limit=0.5)

    evidence.note(f"With the broker: {lags(known)}; without it: {unknown.value}")
    assert lags(known) == {0: 0}, "while the broker was there, it was known"


# What the tests above share


class Team:
    """A group whose members have a listener of the component each, and process what they poll."""

    def __init__(self, solutions: Solutions, group: Members) -> None:
        self.changes: list[Change] = []
        self.listeners: list[Any] = []
        self._solutions = solutions
        self._group = group

    def grow(self) -> Member:
        """Add a member."""
        name = f"member-{len(self.listeners) + 1}"
        listener = self._solutions.rebalance.RebalanceListener(name, self.changes)
        self.listeners.append(listener)
        return self._group.grow(
            handle=lambda _, message: listener.processed(message),
            on_assign=listener.on_assign,
            on_revoke=listener.on_revoke,
            on_lost=listener.on_lost,
        )


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


class Watched:
    """A consumer whose commits are noted."""

    def __init__(self, consumer: Consumer) -> None:
        self.commits: list[object] = []
        self._consumer = consumer

    def commit(self, *args: Any, **kwargs: Any) -> object:
        self.commits.append(kwargs or args)
        return self._consumer.commit(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def callbacks(group: Members) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """What the members were told, callback by callback: member, kind, partitions."""
    told: dict[tuple[float, str, str], list[tuple[str, int]]] = {}
    for each in group.history:
        if each.kind in (Kind.ASSIGN, Kind.REVOKE, Kind.LOST):
            places = told.setdefault((each.time, each.actor, each.kind.value), [])
            places += [each.place] if each.partition is not None else []
    return [(actor, kind, sorted(places)) for (_, actor, kind), places in told.items()]


def wait_until_polled(group: Members, count: int) -> None:
    """Wait until the group has polled so many records."""
    wait_until(
        lambda: len(group.history.of(Kind.POLL, State.OK)),
        lambda polled: polled == count,
        limit=20,
        what=f"{count} records to be polled",
    )


def wait_until_values(group: Members, value: bytes, count: int) -> None:
    """Wait until the group has polled so many records of that value."""
    wait_until(
        lambda: sum(each.value == value for each in group.history.of(Kind.POLL, State.OK)),
        lambda polled: polled == count,
        limit=20,
        what=f"{count} records of value {value!r} to be polled",
    )


def by_partition(rows: Sequence[PartitionLag]) -> list[PartitionLag]:
    """The rows, in the order of their partitions."""
    return sorted(rows, key=lambda each: each.partition)


def lags(rows: Sequence[PartitionLag]) -> dict[int, int | None]:
    """The lag of each partition."""
    return {each.partition: each.lag for each in by_partition(rows)}


def lag_rows(rows: Sequence[PartitionLag]) -> list[dict[str, object]]:
    """Lag as rows of evidence."""
    return [
        {"partition": e.partition, "end": e.end, "committed": e.committed, "lag": e.lag}
        for e in by_partition(rows)
    ]


def change_rows(changes: Sequence[Change]) -> list[dict[str, object]]:
    """A listener's log as rows of evidence, in seconds since its beginning."""
    return [
        {
            "seconds": round(each.time - changes[0].time, 3),
            "member": each.member,
            "kind": each.kind,
            "partitions": sorted(partition for _, partition in each.partitions),
        }
        for each in changes
    ]
