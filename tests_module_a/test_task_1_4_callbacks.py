"""Task 1.4: what is a member told, and what may it do then?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Producer as KafkaProducer
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ChildStarter, ConsumerMaker, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.children import Say, crash
from kafkalab.observe.groups import (
    CLASSIC_AND_KIP_848,
    EAGER,
    PROTOCOLS,
    STABLE_LIMIT,
    Group,
    Member,
    committed_offset,
    describe_group,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.ownership import numbers
from kafkalab.observe.records import poll_until, reading, send
from kafkalab.waiting import wait_until

# The shortest that classic takes below a session of 1 s, and so the longest time between two
# polls in lessons where a member is too slow. KIP-848 has its session from the broker.
IMPATIENT: Mapping[str, ClientConfig] = {
    protocol: {
        **settings,
        **({"session.timeout.ms": 1000} if protocol == "classic" else {}),
        "max.poll.interval.ms": 1000,
    }
    for protocol, settings in CLASSIC_AND_KIP_848.items()
}


def error_of_commit(consumer: Consumer, **what: Any) -> KafkaError | None:
    """The error with which a commit is refused, of what commit() takes; None where it is taken."""
    try:
        consumer.commit(**what, asynchronous=False)
    except KafkaException as refused:
        error: KafkaError = refused.args[0]
        return error
    return None


# How a member may go, by the names of what it calls or gets.
CLOSE, UNSUBSCRIBE, KILL = "close()", "unsubscribe(), then poll()", "SIGKILL"


def commit_in_on_revoke(say: Say, config: ClientConfig, topic: str, way: str) -> None:
    """Join a group, and go in one way or another; commit offset 7 in on_revoke, and tell of it."""

    def on_revoke(reader: Consumer, _: Sequence[TopicPartition]) -> None:
        refused = error_of_commit(reader, offsets=[TopicPartition(topic, 0, 7)])
        say("on_revoke" if refused is None else refused.name())

    reader = Consumer(dict(config))
    reader.subscribe([topic], on_revoke=on_revoke)
    wait_until(
        lambda: (reader.poll(0.02), reader.assignment())[1], limit=STABLE_LIMIT, what="a share"
    )
    if way == KILL:
        crash()
    if way == UNSUBSCRIBE:
        reader.unsubscribe()
        wait_until(
            lambda: (reader.poll(0.02), reader.assignment())[1],
            lambda assignment: not assignment,
            limit=STABLE_LIMIT,
            what="nothing to be assigned",
        )
        # Whether the call of on_revoke had to wait for close() is seen by what comes after.
        say("polled")
    reader.close()


@pytest.mark.fact("leaving-gives-up-by-callback", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_leaves_is_told_before(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If a member leaves, on_revoke is called before: its last chance to commit what it has done.

    close() calls it itself. After unsubscribe() the next poll() does.
    """
    name = topic()
    groups = {way: f"{group}-{way.partition('(')[0]}" for way in (CLOSE, UNSUBSCRIBE)}

    leaving = {
        way: child(commit_in_on_revoke, {**reading(broker, each), **PROTOCOLS[protocol]}, name, way)
        for way, each in groups.items()
    }
    said = {way: process.wait() for way, process in leaving.items()}

    committed = {
        way: committed_offset(consumer({"group.id": each}), name) for way, each in groups.items()
    }
    evidence.table(
        "Offset 7 is committed in on_revoke",
        [
            {"left by": way, "what happened, in order": said[way], "committed then": committed[way]}
            for way in groups
        ],
    )
    assert said == {CLOSE: ["on_revoke"], UNSUBSCRIBE: ["on_revoke", "polled"]}, (
        "In each way on_revoke is called once, and its commit is taken."
    )
    assert set(committed.values()) == {7}, "The commit that was made in on_revoke is there."


@pytest.mark.control("leaving-gives-up-by-callback", changes="the member is killed")
def test_who_is_killed_is_told_nothing(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """If a member is killed, on_revoke is not called, and nothing is committed."""
    name = topic()
    config = {**reading(broker, group), **EAGER}

    said = child(commit_in_on_revoke, config, name, KILL).wait_for_crash()

    committed = committed_offset(consumer(), name)
    evidence.note("Told before it was killed: {}; committed then: {}", said, committed)
    assert said == [], "The member is told nothing."
    assert committed is None, "Nothing is committed."


def told_of_the_loss(
    admin: AdminClient,
    consumer: ConsumerMaker,
    topic: str,
    group: str,
    protocol: str,
    *,
    has_on_lost: bool,
) -> list[tuple[str, KafkaError | None]]:
    """Which callbacks a member gets that polls too late, and what its commit in on_revoke gives."""
    told: list[tuple[str, KafkaError | None]] = []
    reader, seven = consumer(IMPATIENT[protocol]), [TopicPartition(topic, 0, 7)]
    on_lost = {"on_lost": lambda *_: told.append(("on_lost", None))} if has_on_lost else {}
    reader.subscribe(
        [topic],
        on_revoke=lambda *_: told.append(("on_revoke", error_of_commit(reader, offsets=seven))),
        **on_lost,
    )
    wait_until(
        lambda: (reader.poll(0.02), reader.assignment())[1], limit=STABLE_LIMIT, what="a share"
    )
    wait_until(
        lambda: describe_group(admin, group).state,
        lambda state: state == "EMPTY",
        limit=STABLE_LIMIT,
        what="the member to fall out of its group",
    )
    wait_until(lambda: (reader.poll(0.02), told)[1], limit=STABLE_LIMIT, what="a callback")
    return list(told)


@pytest.mark.fact("lost-falls-to-revoke", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", IMPATIENT)
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_without_on_lost_on_revoke_is_called(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Without on_lost a member gets on_revoke for lost partitions, and a commit there is refused.

    So code that commits in on_revoke has to expect a refusal, or give on_lost as
    well.
    """
    told = told_of_the_loss(admin, consumer, topic(), group, protocol, has_on_lost=False)

    evidence.table(
        "A member that polled too late, at its next poll",
        [{"called": what, "commit() raised": error and error.name()} for what, error in told],
    )
    ((called, error),) = told
    assert called == "on_revoke", "The callback for what is given up is called."
    assert error is not None, "The commit in on_revoke is refused."
    assert error.code() == KafkaError.UNKNOWN_MEMBER_ID, (
        "The error says that the group does not know the member any more."
    )


@pytest.mark.control("lost-falls-to-revoke", changes="on_lost is given")
@pytest.mark.parametrize("protocol", IMPATIENT)
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_with_on_lost_on_revoke_is_not_called(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If on_lost is given, it alone is called for lost partitions; on_revoke is for the others."""
    told = told_of_the_loss(admin, consumer, topic(), group, protocol, has_on_lost=True)

    evidence.note("Called at the next poll: {}", [what for what, _ in told])
    assert [what for what, _ in told] == ["on_lost"], "Only the callback for a loss is called."


def errors_of_assigning(
    members: MembersMaker, topic: str, protocol: ClientConfig
) -> dict[str, KafkaError | None]:
    """The errors of assign() and of incremental_assign(), called in on_assign one after another."""
    errors: dict[str, KafkaError | None] = {}

    def on_assign(reader: Consumer, partitions: list[TopicPartition]) -> None:
        calls: tuple[Callable[[list[TopicPartition]], None], ...] = (
            reader.assign,
            reader.incremental_assign,
        )
        for call in calls:
            try:
                call(partitions)
                errors[call.__name__] = None
            except KafkaException as refused:
                errors[call.__name__] = refused.args[0]

    group = members(protocol, topic, partitions=2)
    group.add(on_assign=on_assign)
    group.wait_for_stable()
    return errors


def error_rows(errors: Mapping[str, KafkaError | None]) -> list[dict[str, object]]:
    """What calls raised, as rows of evidence."""
    return [
        {"call": f"{call}()", "raised": error and error.name()} for call, error in errors.items()
    ]


@pytest.mark.fact("incremental-calls", scope="librdkafka")
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_on_assign_adds_to_what_is_there(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """Under cooperative and KIP-848 on_assign may call `incremental_assign()`, and not `assign()`.

    on_assign names only what is new, and assign() would drop the rest. If you
    call neither, the client does what is needed.
    """
    errors = errors_of_assigning(members, topic(partitions=2), PROTOCOLS[protocol])

    evidence.table("Called in on_assign, one after the other", error_rows(errors))
    assert errors["incremental_assign"] is None, "What adds to the assignment is taken."
    assert errors["assign"] is not None, "What replaces the assignment is refused."
    assert errors["assign"].code() == KafkaError._STATE, (
        "The error says that the client is not in a state for it."
    )


@pytest.mark.control("incremental-calls", changes="an eager assignor")
def test_under_eager_assign_is_the_call(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Under an eager assignor it is the other way round: on_assign names all there is."""
    errors = errors_of_assigning(members, topic(partitions=2), EAGER)

    evidence.table("Called in on_assign, one after the other", error_rows(errors))
    assert errors["assign"] is None, "What replaces the assignment is taken."
    assert errors["incremental_assign"] is not None, "What adds to the assignment is refused."
    assert errors["incremental_assign"].code() == KafkaError._STATE, (
        "The error says that the client is not in a state for it."
    )


def commits_told(group: Group) -> list[str]:
    """What became of the commits of a group's members, one after the other."""
    return [
        "taken" if each.state is State.OK else (each.value or b"").decode()
        for each in group.history.of(Kind.COMMIT)
    ]


@pytest.mark.fact(
    "commit-during-a-rebalance", scope="librdkafka, classic with range, which is eager"
)
def test_who_waits_for_a_rebalance_cannot_commit(
    topic: TopicMaker, members: MembersMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Under eager, a member that gave up its partitions cannot commit until the rebalance ends.

    Its commit waits at the broker behind its request to join: when the rebalance is
    over it comes with the generation before, and is refused. In on_revoke, before
    it joins, it could commit. The other member hangs here, so the rebalance waits
    for it; afterwards both can commit again.
    """
    name = topic(partitions=2)
    group = members(EAGER, name, partitions=2)
    first, other = group.add(), group.add()
    group.wait_for_stable()
    seven, eight = ([TopicPartition(name, 0, offset)] for offset in (7, 8))

    other.hang()
    group.add()
    group.wait_until_told(first, Kind.REVOKE)
    # The coordinator answers a member that joins nothing else until it has joined.
    wait_until(
        lambda: first.do(lambda reader: answers_nothing(reader, name)),
        limit=STABLE_LIMIT,
        what="the first member to join again",
    )
    first.do(lambda reader: reader.commit(offsets=seven))
    other.wake()
    group.wait_for_stable()
    wait_until(lambda: commits_told(group), limit=STABLE_LIMIT, what="the answer to the commit")
    during = committed_offset(consumer(), name)
    first.do(lambda reader: reader.commit(offsets=eight, asynchronous=False))

    told, after = commits_told(group), committed_offset(consumer(), name)
    evidence.table(
        "Two commits of the first member",
        [
            {"commit of": 7, "sent while": "the group rebalances", "it was": told[0]},
            {"commit of": 8, "sent while": "the group is stable again", "it was": told[1]},
        ],
    )
    evidence.note("Committed after the first: {}, after the second: {}", during, after)
    assert told == ["ILLEGAL_GENERATION", "taken"], (
        "The commit of the time of the rebalance is refused, the one after it is taken."
    )
    assert (during, after) == (None, 8), "Only the commit of offset 8 is there."


def answers_nothing(reader: Consumer, topic: str) -> bool:
    """Whether the coordinator leaves a member's question open for half a second."""
    try:
        # An answer takes milliseconds; the rest is for a loaded machine.
        reader.committed([TopicPartition(topic, 0)], timeout=0.5)
    except KafkaException:
        return True
    return False


@pytest.mark.control("commit-during-a-rebalance", changes="a protocol that rebalances step by step")
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_who_gave_nothing_up_can_commit(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Under cooperative and KIP-848 nobody waits for a member that hangs, and a commit is taken."""
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)
    first, other = group.add(), group.add()
    group.wait_for_stable()
    seven = [TopicPartition(name, 0, 7)]

    other.hang()
    group.add()
    wait_until(
        lambda: describe_group(admin, group.id),
        lambda seen: seen.state == "STABLE" and len(seen.assignments) == 3,
        limit=STABLE_LIMIT,
        what="the group to have a third member",
    )
    first.do(lambda reader: reader.commit(offsets=seven, asynchronous=False))
    committed = committed_offset(consumer(), name)
    other.wake()

    evidence.note("Committed while the other member hangs: {}", committed)
    assert committed == 7, "The commit of the first member is taken."


class Worked(NamedTuple):
    """What became of a member that was busy with a record for longer than it may be."""

    told: list[str]
    """its callbacks, by name"""
    error: KafkaError | None
    """of the record's commit"""
    rest: list[bytes | None]
    """the values of the two records that it polled next"""

    @property
    def row(self) -> dict[str, object]:
        """As a row of evidence."""
        return {
            "called meanwhile and later": self.told,
            "the record's commit raised": self.error and self.error.name(),
            "polled next": self.rest,
        }


def busy_for_long(
    admin: AdminClient,
    reader: Consumer,
    topic: str,
    producer: KafkaProducer,
    *,
    pauses: bool,
    until_empty: str,
    hanging: Sequence[Member] = (),
) -> Worked:
    """Poll the first of three records, and be busy with it until a group has lost its member.

    Members that are to hang do so from when the record was polled.
    """
    told: list[str] = []
    reader.subscribe(
        [topic],
        on_assign=lambda *_: told.append("on_assign"),
        on_revoke=lambda *_: told.append("on_revoke"),
        on_lost=lambda *_: told.append("on_lost"),
    )
    wait_until(lambda: (reader.poll(0.02), told)[1], limit=STABLE_LIMIT, what="a share")
    send(producer, topic, [b"first", b"second", b"third"])
    (record,) = poll_until(reader, bool, what="the first record")

    for member in hanging:
        member.hang()
    if pauses:
        reader.pause(reader.assignment())
    wait_until(
        lambda: (reader.poll(0) if pauses else None, describe_group(admin, until_empty).state),
        lambda seen: seen == (None, "EMPTY"),
        limit=STABLE_LIMIT,
        what="a member that does not poll to fall out of its group",
    )
    if pauses:
        reader.resume(reader.assignment())
    error = error_of_commit(reader, message=record)
    rest = poll_until(reader, lambda records: len(records) == 2, what="two records more")
    return Worked(told, error, [each.value() for each in rest])


@pytest.mark.fact("pausing-keeps-membership", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", IMPATIENT)
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_pauses_and_polls_may_take_its_time(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A member that pauses its partitions and polls on may work longer than `max.poll.interval.ms`.

    No record comes meanwhile, and the member stays in its group. A member of another
    group, which may take twice as long, does not poll from then on: when it has
    fallen out, the time is over. The work itself is another thread's.
    """
    name = topic()
    twice = {**IMPATIENT[protocol], "max.poll.interval.ms": 2000}
    twin = members(twice, topic(), partitions=1, ending="-twin")
    hanging = [twin.add()]
    twin.wait_for_stable()

    worked = busy_for_long(
        admin,
        consumer(IMPATIENT[protocol]),
        name,
        producer(),
        pauses=True,
        until_empty=twin.id,
        hanging=hanging,
    )

    evidence.table("A member that paused, and polled on", [worked.row])
    assert worked.told == ["on_assign"], "The member is told nothing: it keeps its partition."
    assert worked.error is None, "The commit of the record is taken."
    assert worked.rest == [b"second", b"third"], "It reads on, and no record comes again."


@pytest.mark.control("pausing-keeps-membership", changes="it does not poll while it is busy")
@pytest.mark.parametrize("protocol", IMPATIENT)
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_does_not_poll_is_thrown_out(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    producer: ProducerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A member that does not poll loses its partition, cannot commit, and gets the record again."""
    worked = busy_for_long(
        admin,
        consumer(IMPATIENT[protocol]),
        topic(),
        producer(),
        pauses=False,
        until_empty=group,
    )

    evidence.table("A member that did not poll", [worked.row])
    assert "on_lost" in worked.told, "The member loses its partition."
    assert worked.error is not None, "The commit of the record is refused."
    assert worked.rest == [b"first", b"second"], "The record comes again."


def polled_partitions(group: Group, member: Member) -> list[int]:
    """Of which partitions a member has polled records, sorted."""
    polled = group.history.of(Kind.POLL, State.OK)
    return sorted({each.partition or 0 for each in polled if each.actor == member.name})


@pytest.mark.fact("pause-and-rebalance", scope="librdkafka, any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pause_outlasts_a_rebalance(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A pause is the member's own: it outlasts a rebalance, and the next owner knows nothing of it.

    Even an eager member, which gives all up and gets some back, has those
    paused still. Java's client promises nothing of the kind: its documentation says
    that a rebalance does not preserve a pause. Each partition has a record; the
    first member resumes one, to show that it reads.
    """
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)
    first = group.add()
    group.wait_for_stable()

    first.do(lambda reader: reader.pause(reader.assignment()))
    second = group.add()
    group.wait_for_stable()
    kept, moved = numbers(first), numbers(second)
    for partition in range(4):
        send(producer(), name, [b"x"], partition=partition)
    group.wait_for_polls(2)
    before = polled_partitions(group, first), polled_partitions(group, second)
    resumed = [TopicPartition(name, kept[0])]
    first.do(lambda reader: reader.resume(resumed))
    group.wait_for_polls(3)

    after = polled_partitions(group, first), polled_partitions(group, second)
    has = kept, moved
    evidence.table(
        "The first member paused all four partitions before the second joined",
        [
            {
                "member": member.name,
                "has": has[at],
                "read": before[at],
                "read after a resume": after[at],
            }
            for at, member in enumerate((first, second))
        ],
        look="The first member resumes one of its two: it reads that one, and not the other.",
    )
    assert before == ([], moved), "The second member reads its partitions, the first reads none."
    assert after == (kept[:1], moved), "The first member reads only the partition that it resumed."


@pytest.mark.control("pause-and-rebalance", changes="it resumes them before the second joins")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_resumed_is_read(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If the member resumes its partitions before, it reads those that it has after."""
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)
    first = group.add()
    group.wait_for_stable()

    first.do(lambda reader: reader.pause(reader.assignment()))
    first.do(lambda reader: reader.resume(reader.assignment()))
    group.add()
    group.wait_for_stable()
    for partition in range(4):
        send(producer(), name, [b"x"], partition=partition)
    group.wait_for_polls(4)

    read = polled_partitions(group, first)
    evidence.note("The first member has {}, and read {}", numbers(first), read)
    assert read == numbers(first), "The first member reads the partitions that it has."
