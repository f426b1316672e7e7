"""Task 1.4: what does it cost when partitions move?"""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka import Producer as KafkaProducer
from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ConsumerMaker, JavaStarter, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import activity_on_owned, duplicate_delivery
from kafkalab.observe.groups import (
    COOPERATIVE,
    EAGER,
    PROTOCOLS,
    STABLE_LIMIT,
    Group,
    describe_group,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.java_client import (
    COOPERATIVE_STICKY,
    GIVEN,
    QUICK,
    RANGE,
    TAKEN,
    member_command,
)
from kafkalab.observe.lag import (
    CALM,
    COMMITS_OFTEN,
    RATE,
    flowing,
    highest_lag,
    lag_lines,
    longest_pause,
    sampled_lag,
    wait_for_a_sample,
    wait_until_calm,
)
from kafkalab.observe.ownership import WHO_WAS_TOLD, numbers, owned_spans, told_of, told_rows
from kafkalab.observe.records import SENTINEL, send
from kafkalab.waiting import wait_until


@pytest.mark.fact("eager-stops-the-world", scope="classic with range, which is eager")
def test_under_eager_everything_is_given_up(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Under an eager assignor a rebalance takes all partitions from all, also those that stay.

    Meanwhile nothing is processed.
    """
    name = topic(partitions=4)
    group = members(EAGER, name, partitions=4)
    first = group.add()
    group.wait_for_stable()

    second = group.add()
    group.wait_for_stable()

    evidence.table(
        WHO_WAS_TOLD,
        told_rows(group, evidence.since),
        look="The first member is told to revoke all four, and gets two of them back.",
    )
    evidence.timeline(
        "Who owned what",
        owned_spans(group),
        look="All four rows end at once when the second member joins. Two of them come back to the "
        "member that had them: they were given up for nothing.",
    )
    assert told_of(group, first, Kind.REVOKE) == [0, 1, 2, 3], (
        "The first member gives up all four partitions."
    )
    assert told_of(group, first, Kind.ASSIGN) == [0, 0, 1, 1, 2, 3], (
        "The first member gets two of the four back."
    )
    assert told_of(group, second, Kind.ASSIGN) == [2, 3], "The second member gets the other two."


@pytest.mark.control("eager-stops-the-world", changes="a protocol that rebalances step by step")
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_only_what_moves_is_given_up(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """Under cooperative and KIP-848 a member gives up only what moves, and keeps the rest."""
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)
    first = group.add()
    group.wait_for_stable()

    second = group.add()
    group.wait_for_stable()

    evidence.table(
        WHO_WAS_TOLD,
        told_rows(group, evidence.since),
        look="The first member is told to revoke only the two that move. A row with nothing is a "
        "callback in a rebalance that brings its member nothing new.",
    )
    evidence.timeline(
        "Who owned what",
        owned_spans(group),
        look="Two rows keep their colour without a gap: their owner never gave them up. Only the "
        "two that move change hands.",
    )
    moved = told_of(group, second, Kind.ASSIGN)
    assert len(moved) == 2, "Two of the four partitions move to the second member."
    assert told_of(group, first, Kind.REVOKE) == moved, (
        "The first member gives up only the two that move."
    )
    assert told_of(group, first, Kind.ASSIGN) == [0, 1, 2, 3], (
        "The first member is given no partition again."
    )


class Joined(NamedTuple):
    """What a member gave up when a second one joined, and who had what then."""

    taken: list[int]
    """from the first"""
    second: list[int]
    """what the second has"""


def joined_by_a_second(
    members: MembersMaker, java_client: JavaStarter, topic: str, protocol: ClientConfig, java: str
) -> tuple[Joined, Joined]:
    """Have a second member join a group, once of librdkafka's client and once of Java's."""
    group = members(protocol, topic, partitions=4)
    member = member_command(f"{group.id}-java", topic, java)
    javas = [java_client(*member, settings=QUICK)]
    first = group.add()
    group.wait_for_stable()
    javas[0].wait_for(GIVEN)
    javas.append(java_client(*member, settings=QUICK))
    second = group.add()
    group.wait_for_stable()
    moved = wait_until(
        lambda: javas[1].partitions(GIVEN),
        lambda got: len(got) == 2,
        limit=STABLE_LIMIT,
        what="the second member of Java's to have its share",
    )
    python = Joined(told_of(group, first, Kind.REVOKE), told_of(group, second, Kind.ASSIGN))
    return python, Joined(javas[0].partitions(TAKEN), moved)


def joined_rows(python: Joined, java: Joined) -> list[dict[str, object]]:
    """What became of both groups, as rows of evidence."""
    return [
        {"what": "given up by the first", "librdkafka": python.taken, "Java": java.taken},
        {"what": "what the second has", "librdkafka": python.second, "Java": java.second},
    ]


@pytest.mark.fact("java-gives-up-as-much", scope="classic; both clients with the same assignor")
@pytest.mark.needs("jars")
def test_java_gives_up_all_under_eager(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """What a rebalance takes depends on the assignor, not on the client: eager takes all from both.

    Which half the second member gets is chance: Java's members are sorted by
    ids that are random.
    """
    name = topic(partitions=4)

    python, java = joined_by_a_second(members, java_client, name, EAGER, RANGE)

    evidence.table(
        "A second member joins, of the same client as the first",
        joined_rows(python, java),
        look="Both columns begin the same: all four are given up, two of them for nothing.",
    )
    for seen in (python, java):
        assert seen.taken == [0, 1, 2, 3], "The first member gives up all four partitions."
        assert len(seen.second) == 2, "The second member gets two of them."


@pytest.mark.control("java-gives-up-as-much", changes="cooperative-sticky in place of range")
@pytest.mark.needs("jars")
def test_java_gives_up_what_moves_under_cooperative(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """Under cooperative-sticky both clients give up only what moves."""
    name = topic(partitions=4)

    python, java = joined_by_a_second(members, java_client, name, COOPERATIVE, COOPERATIVE_STICKY)

    evidence.table(
        "A second member joins, of the same client as the first", joined_rows(python, java)
    )
    for seen in (python, java):
        assert len(seen.second) == 2, "The second member gets two partitions."
        assert seen.taken == seen.second, "The first member gives up only those two."


# To ask for the generation with each of hundreds of records would hold up all other threads.
IN_A_STREAM: ClientConfig = {"tells_generation": False}


def third_member_joins(
    group: Group, topic: str, producer: KafkaProducer, observer: Consumer
) -> Spike:
    """Let a third member join two that read a stream of records; one hands over slowly.

    It is the one that has most partitions, so that the third gets one of these.
    """
    slow: set[int] = set()
    hand_overs: list[tuple[float, float]] = []
    partitions = range(group.partitions)
    places = [(topic, partition) for partition in partitions]
    with (
        flowing(producer, topic, len(places)) as arrived,
        sampled_lag(observer, places) as samples,
    ):

        def hand_over(number: int, *_: object) -> None:
            if number not in slow:
                return
            began, before = time.monotonic(), Counter(arrived)
            wait_until(
                lambda: min((Counter(arrived) - before)[each] for each in partitions) >= HAND_OVER,
                limit=STABLE_LIMIT,
                what="the member to finish its work",
            )
            wait_for_a_sample(samples)
            hand_overs.append((began, time.monotonic()))

        pair = [
            group.add(on_revoke=partial(hand_over, number), **IN_A_STREAM) for number in range(2)
        ]
        group.wait_for_stable()
        wait_until_calm(samples)
        joined = time.monotonic()
        slow.add(max(range(2), key=lambda number: len(pair[number].assignment)))
        group.add(**IN_A_STREAM)
        group.wait_for_stable()
        wait_until_calm(samples)

    gave_up = {event.actor for event in group.history.of(Kind.REVOKE) if event.time > joined}
    kept = {
        partition for each in pair if each.name not in gave_up for _, partition in each.assignment
    }
    ((began, ended),) = hand_overs
    polled = Counter(
        each.partition
        for each in group.history.of(Kind.POLL, State.OK)
        if began < each.time < ended
    )
    return Spike(
        ended - began,
        {each: longest_pause(group.polled_at(each), joined) for each in partitions},
        {each: highest_lag(samples, (topic, each), joined) for each in partitions},
        {each: polled[each] for each in partitions},
        kept,
        lag_lines(samples),
    )


class Spike(NamedTuple):
    """What a rebalance with one slow hand-over cost, partition by partition."""

    hand_over: float
    """the time that the slow member took to hand over, in seconds"""
    silence: dict[int, float]
    """the longest time without a record, in seconds"""
    peak: dict[int, int]
    """the highest lag"""
    meanwhile: dict[int, int]
    """how many records were polled while the slow member was handing over"""
    innocent: set[int]
    """the partitions of members that gave nothing up"""
    lag: dict[str, list[tuple[float, float | None]]]
    """lag over time"""

    @property
    def rows(self) -> list[dict[str, object]]:
        """As rows of evidence."""
        return [
            {
                "partition": each,
                "longest time without a record, in s": round(self.silence[each], 3),
                "highest lag": self.peak[each],
                "polled in the time of the hand-over": self.meanwhile[each],
                "its owner gave up nothing": each in self.innocent,
            }
            for each in sorted(self.silence)
        ]


# How many records come while a member gives partitions up, as one does that finishes its work
# first.
HAND_OVER = 120


@pytest.mark.fact("the-lag-spike", scope="classic with range, which is eager")
def test_under_eager_lag_jumps_everywhere(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Under an eager assignor one slow hand-over stops every partition, and lag jumps everywhere.

    One member finishes its work first, which takes 0.6 s. In that time 120 records
    come to each partition; the other gives up at once, and waits for it.
    """
    name = topic(partitions=3)
    group = members(EAGER, name, partitions=3, **COMMITS_OFTEN)

    spike = third_member_joins(group, name, producer(), consumer())

    evidence.table("From when the third member joined", spike.rows)
    evidence.series(
        "Lag, also of the time before the third member joined",
        spike.lag,
        unit="records",
        look="All lines rise together and fall together: nobody reads any partition until the "
        "slow member has handed over.",
    )
    evidence.timeline(
        "Who owned what",
        owned_spans(group),
        look="The same seconds as above. The row of the quick member breaks early: it gave up at "
        "once, and had to wait for the slow one.",
    )
    assert spike.innocent == set(), "Every member gives its partitions up."
    # The quick member can hear of the rebalance a heartbeat later than the slow one.
    assert min(spike.silence.values()) > spike.hand_over / 2, (
        "Every partition stands still while one member hands over."
    )
    assert min(spike.peak.values()) > 2 * CALM, "The lag of every partition jumps."


@pytest.mark.control("the-lag-spike", changes="a protocol that rebalances step by step")
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_what_does_not_move_flows_on(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Under cooperative and KIP-848 the partition of a member that gives up nothing is read on.

    The member that gives a partition up has one thread, which is busy with
    that, so its other partition stands still, too.
    """
    name = topic(partitions=3)
    group = members(PROTOCOLS[protocol], name, partitions=3, **COMMITS_OFTEN)

    spike = third_member_joins(group, name, producer(), consumer())

    evidence.table("From when the third member joined", spike.rows)
    evidence.series(
        "Lag, also of the time before the third member joined",
        spike.lag,
        unit="records",
        look="One line stays low: its partition is read all the time. The two others rise while "
        "their owner hands one of them over.",
    )
    evidence.timeline(
        "Who owned what",
        owned_spans(group),
        look="The same seconds as above. Where the rise ends only one row changes its colour. "
        "Its owner was handing over, and read nothing of its other partition meanwhile.",
    )
    (innocent,) = spike.innocent
    others = set(range(3)) - {innocent}
    assert min(spike.silence[each] for each in others) >= spike.hand_over, (
        "The partitions of the member that hands over stand still."
    )
    assert min(spike.peak[each] for each in others) > 2 * CALM, "The lag of these partitions jumps."
    assert spike.meanwhile[innocent] > 0, (
        "The partition of the other member is read while these stand still."
    )


SLOW = b"slow"
"""the value of a record that takes its member long"""


class Meanwhile(NamedTuple):
    """What a group did while one of its members was busy with a record, and a third one joined."""

    seconds: float
    """how long the member was busy from the joining on"""
    busy: list[int]
    """the partitions of that member"""
    polled: dict[int, int]
    """of each partition, how many records were polled since the other had given up its own"""

    @property
    def rows(self) -> list[dict[str, object]]:
        """As rows of evidence."""
        return [
            {
                "partition": partition,
                "its member is busy": partition in self.busy,
                "records polled meanwhile": count,
            }
            for partition, count in self.polled.items()
        ]


def third_joins_while_one_is_busy(
    admin: AdminClient, group: Group, topic: str, producer: KafkaProducer
) -> Meanwhile:
    """Let a third member join two that read a stream, while one of them is busy with one record.

    It is the one that has two partitions, so that the third gets one of these.
    """
    taken, done = threading.Event(), threading.Event()

    def work(_: Consumer, message: Message) -> None:
        if message.value() == SLOW:
            taken.set()
            done.wait(STABLE_LIMIT)

    with flowing(producer, topic, 3) as arrived:
        pair = [group.add(handle=work, **IN_A_STREAM) for _ in range(2)]
        group.wait_for_stable()
        other, busy = sorted(pair, key=lambda member: len(member.assignment))
        busy_with = numbers(busy)
        producer.produce(topic, SLOW, partition=busy_with[0])
        wait_until(taken.is_set, limit=STABLE_LIMIT, what="the member to be busy")
        joined = time.monotonic()
        group.add(handle=work, **IN_A_STREAM)
        wait_until(
            lambda: len(describe_group(admin, group.id).assignments),
            lambda members: members == 3,
            limit=STABLE_LIMIT,
            what="the group to know its third member",
        )
        # A second's worth; the other member hears of the third with its next heartbeat.
        enough = len(arrived) + 3 * RATE
        wait_until(lambda: len(arrived) >= enough, limit=STABLE_LIMIT, what="a second's records")
        back = time.monotonic()
        done.set()
        group.wait_for_stable()

    told = [each.time for each in group.history.of(Kind.REVOKE) if each.actor == other.name]
    since = max([joined, *(time for time in told if time < back)])
    return Meanwhile(
        back - joined,
        busy_with,
        {
            partition: sum(since < time < back for time in group.polled_at(partition))
            for partition in range(3)
        },
    )


@pytest.mark.fact("one-slow-member-holds-up-all", scope="classic with range, which is eager")
def test_one_slow_member_holds_up_all(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
) -> None:
    """If one member is busy with a record while another joins, an eager group reads nothing.

    The others have given up their partitions, and wait for the one that does not
    poll: for as long as its work takes, up to its `max.poll.interval.ms`, 5 minutes
    by default.
    """
    name = topic(partitions=3)
    group = members(EAGER, name, partitions=3)

    meanwhile = third_joins_while_one_is_busy(admin, group, name, producer())

    evidence.number("one member was busy after the joining for", round(meanwhile.seconds, 2), "s")
    evidence.table("From when the other member gave up until the busy one was back", meanwhile.rows)
    evidence.timeline(
        "Who owned what",
        owned_spans(group),
        look="One row is empty for a long time: its owner gave it up at once, and waited for the "
        "other two rows, whose owner was busy.",
    )
    assert meanwhile.polled == dict.fromkeys(range(3), 0), (
        "While one member is busy, no record of any partition is read."
    )


@pytest.mark.control(
    "one-slow-member-holds-up-all", changes="a protocol that rebalances step by step"
)
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_the_others_read_on(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Under cooperative and KIP-848 only the busy member's partitions wait, the others are read."""
    name = topic(partitions=3)
    group = members(PROTOCOLS[protocol], name, partitions=3)

    meanwhile = third_joins_while_one_is_busy(admin, group, name, producer())

    evidence.number("one member was busy after the joining for", round(meanwhile.seconds, 2), "s")
    evidence.table("From the joining until the busy one was back", meanwhile.rows)
    others = set(range(3)) - set(meanwhile.busy)
    assert {meanwhile.polled[each] for each in meanwhile.busy} == {0}, (
        "The partitions of the busy member stand still."
    )
    assert min(meanwhile.polled[each] for each in others) > 0, (
        "The partition of the other member is read all the time."
    )


def commit_position(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """Commit what was read of these partitions, where anything was."""
    read = [each for each in consumer.position(partitions) if each.offset >= 0]
    if read:
        consumer.commit(offsets=read, asynchronous=False)


def hand_over_halfway(group: Group, topic: str, producer: KafkaProducer, **told: Any) -> None:
    """Let one member read ten records of each of four partitions, and then a second one join."""
    group.add(**told)
    group.wait_for_stable()
    for partition in range(4):
        send(producer, topic, [b"%d" % number for number in range(10)], partition=partition)
    group.wait_for_polls(40)

    group.add(**told)
    group.wait_for_stable()
    for partition in range(4):
        send(producer, topic, [SENTINEL], partition=partition)
    group.wait_for_polls(4, SENTINEL)


@pytest.mark.fact("commit-on-revoke", scope="librdkafka, enable.auto.commit=false")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_committing_on_revoke_avoids_duplicates(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If a member commits before it gives a partition up, none of its records comes twice.

    In on_revoke it still owns the partition: it is the last moment to commit.
    """
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)

    hand_over_halfway(group, name, producer(), on_revoke=commit_position)

    checked = duplicate_delivery(group.history)
    # The sentinels are the test's own, and no part of the lesson.
    lesson = [each for each in group.history.of(Kind.POLL) if each.value != SENTINEL]
    evidence.table(
        "Before and after the second member joined",
        [duplicate_delivery(lesson)],
        {"records sent": "compared", "of them read twice": lambda each: len(each.violations)},
    )
    assert checked.compared == 44, (
        "40 records are read, and a sentinel in each of the four partitions."
    )
    checked.require()
    activity_on_owned(group.history).require()


@pytest.mark.control("commit-on-revoke", changes="nothing is committed on revoke")
@pytest.mark.parametrize(
    ("protocol", "repeated"),
    [("eager", 40), ("cooperative", 20), ("KIP-848", 20)],
    ids=["eager", "cooperative", "KIP-848"],
)
def test_without_a_commit_what_moves_comes_again(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
    repeated: int,
) -> None:
    """Without that commit records come again: all of them under eager, else those of what moves.

    The new owner starts at the last commit, and under eager so does the old
    one.
    """
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)

    hand_over_halfway(group, name, producer())

    checked = duplicate_delivery(group.history)
    # The sentinels are the test's own, and no part of the lesson.
    lesson = [each for each in group.history.of(Kind.POLL) if each.value != SENTINEL]
    evidence.table(
        "Before and after the second member joined",
        [duplicate_delivery(lesson)],
        {"records sent": "compared", "of them read twice": lambda each: len(each.violations)},
    )
    assert len(checked.violations) == repeated, f"{repeated} of the 40 records come again."


# Auto-commit whose timer never ticks in a test.
AUTO_COMMIT = {"enable.auto.commit": True, "auto.commit.interval.ms": 60_000}


@pytest.mark.fact("auto-commit-commits-on-revoke", scope="librdkafka")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_auto_commit_commits_when_partitions_go(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """With auto-commit the client commits before it gives partitions up: nothing comes twice.

    It commits all that poll() has given, whether it was processed or not. Its
    timer would have done so in a minute only.
    """
    name = topic(partitions=4)
    group = members({**PROTOCOLS[protocol], **AUTO_COMMIT}, name, partitions=4)

    hand_over_halfway(group, name, producer())

    # The sentinels are the test's own, and no part of the lesson.
    lesson = [each for each in group.history.of(Kind.POLL) if each.value != SENTINEL]
    checked = duplicate_delivery(lesson)
    evidence.table(
        "Before and after the second member joined",
        [checked],
        {"records sent": "compared", "of them read twice": lambda each: len(each.violations)},
    )
    assert checked.compared == 40, "All 40 records are read."
    assert checked.violations == (), "No record is read twice."


@pytest.mark.control("auto-commit-commits-on-revoke", changes="enable.auto.commit=false")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_auto_commit_records_come_again(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Without auto-commit all the records of a partition that changes its owner come again."""
    name = topic(partitions=4)
    manual = {**AUTO_COMMIT, "enable.auto.commit": False}
    group = members({**PROTOCOLS[protocol], **manual}, name, partitions=4)

    hand_over_halfway(group, name, producer())

    # The sentinels are the test's own, and no part of the lesson.
    lesson = [each for each in group.history.of(Kind.POLL) if each.value != SENTINEL]
    checked = duplicate_delivery(lesson)
    evidence.table(
        "Before and after the second member joined",
        [checked],
        {"records sent": "compared", "of them read twice": lambda each: len(each.violations)},
    )
    assert len(checked.violations) >= 20, "At least the records of the two that move come again."
