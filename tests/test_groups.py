"""Members of a group: what they do is recorded, what their own code raises is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.clients import LAB_CLIENT, LAB_CONSUMER
from kafkalab.observe.groups import EAGER, KIP_848, Group, describe_group
from kafkalab.observe.history import Kind, State
from kafkalab.observe.records import send
from kafkalab.waiting import Expired, wait_until

# Seconds for what takes milliseconds on an idle machine.
LIMIT = 20.0


@pytest.fixture
def admin(real_broker: EmbeddedBroker) -> AdminClient:
    return AdminClient(real_broker.client_properties())


@pytest.fixture
def group(real_broker: EmbeddedBroker, admin: AdminClient) -> Iterator[Group]:
    """A group on the topic `seen`, without members yet."""
    config = {**real_broker.client_properties(), **LAB_CLIENT, **LAB_CONSUMER, **EAGER}
    group = Group(admin, "some-group", ["seen"], 3, config)
    yield group
    group.close()


@pytest.fixture
def send_to_seen(real_broker: EmbeddedBroker) -> Callable[[], None]:
    """Writes a record to partition 0 of the topic `seen`."""

    def write() -> None:
        send(Producer({**real_broker.client_properties(), **LAB_CLIENT}), "seen", [b"x"])

    return write


def refused_commit(consumer: Consumer, _: list[TopicPartition]) -> None:
    """A commit of a topic that there is not: the client raises the broker's refusal."""
    consumer.commit(offsets=[TopicPartition("no-such-topic", 0, 1)], asynchronous=False)


def test_what_a_listener_raises_ends_its_member_and_is_told(
    group: Group, admin: AdminClient
) -> None:
    """An error in a callback is raised where the member is closed, and the member has left."""
    member = group.add(on_revoke=refused_commit)
    group.wait_for_stable()

    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        group.remove(member)

    assert describe_group(admin, group.id).assignments == ()


def test_what_a_listener_raises_is_told_to_who_waits(group: Group) -> None:
    """An error in a callback is raised where the group is waited for: it may never be stable."""
    group.add(on_assign=refused_commit)

    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        group.wait_for_stable()


def test_when_the_lesson_is_over_listeners_are_told_nothing(
    group: Group, admin: AdminClient
) -> None:
    """Members that are dismissed leave without a word to their own code, which could fail now."""
    told: list[str] = []
    for _ in range(2):
        group.add(on_revoke=lambda *_: told.append("revoked"))
    group.wait_for_stable()
    # The first may have given something up to the second.
    before = list(told)

    group.close()

    assert told == before
    assert describe_group(admin, group.id).assignments == ()


def commits(group: Group) -> list[tuple[State, int | None, int | None, bytes | None]]:
    """The commits in the history: state, partition, offset, and the error's name."""
    return [(e.state, e.partition, e.offset, e.value) for e in group.history.of(Kind.COMMIT)]


def test_commits_are_recorded_whoever_waits_for_them(group: Group) -> None:
    """Those that are waited for, those that are not, and those that are refused, with the reason.

    Each has the member's generation.
    """
    member = group.add()
    group.wait_for_stable()
    known, unknown = TopicPartition("seen", 1, 5), TopicPartition("no-such-topic", 0, 1)

    member.do(lambda consumer: consumer.commit(offsets=[known], asynchronous=False))
    member.do(lambda consumer: consumer.commit(offsets=[TopicPartition("seen", 2, 6)]))
    wait_until(lambda: commits(group), lambda seen: len(seen) == 2, limit=LIMIT, what="the answer")
    with pytest.raises(KafkaException):
        member.do(lambda consumer: consumer.commit(offsets=[unknown], asynchronous=False))

    assert commits(group) == [
        (State.OK, 1, 5, None),
        (State.OK, 2, 6, None),
        (State.FAIL, 0, 1, b"UNKNOWN_TOPIC_OR_PART"),
    ]
    assert {event.generation for event in group.history} == {1}


def test_commits_of_the_clock_are_recorded(
    real_broker: EmbeddedBroker, admin: AdminClient, send_to_seen: Callable[[], None]
) -> None:
    """What the client commits by itself is recorded as well, as it is told of it."""
    often = {"enable.auto.commit": True, "auto.commit.interval.ms": 20}
    config = {**real_broker.client_properties(), **LAB_CLIENT, **LAB_CONSUMER, **KIP_848, **often}
    group = Group(admin, "by-the-clock", ["seen"], 3, config)
    group.add()
    group.wait_for_stable()

    send_to_seen()
    seen = wait_until(lambda: commits(group), bool, limit=LIMIT, what="a commit")
    group.close()

    assert seen[0] == (State.OK, 0, 1, None)


def test_a_bounced_member_begins_anew(group: Group) -> None:
    """While the block runs it is gone; then it joins again, by the same name."""
    bounced, other = group.add(), group.add()
    group.wait_for_stable()

    with group.bounce(bounced):
        alone = group.wait_for_stable()
    both = group.wait_for_stable()

    assert [len(each) for each in alone.assignments] == [3]
    assert sorted(len(each) for each in both.assignments) == [1, 2]
    assert len(bounced.assignment) + len(other.assignment) == 3
    assert {event.actor for event in group.history} == {bounced.name, other.name}


def test_a_group_that_does_not_settle_is_told_in_words(
    real_broker: EmbeddedBroker, admin: AdminClient
) -> None:
    """What was awaited, and who owns how many: whoever changed one number finds the other."""
    topic = NewTopic("of-two", num_partitions=2, replication_factor=1)
    admin.create_topics([topic])["of-two"].result(LIMIT)
    config = {**real_broker.client_properties(), **LAB_CLIENT, **LAB_CONSUMER, **EAGER}
    group = Group(admin, "unsettled", ["of-two"], 3, config)
    group.add()
    try:
        with pytest.raises(Expired) as told:
            group.wait_for_stable(limit=8.0)
    finally:
        group.close()

    assert re.fullmatch(
        r"waited \d\.\d s for unsettled to be stable, all 3 partitions owned by 1 member; "
        r"last seen: STABLE, owned were 2 by 1 member",
        str(told.value),
    ), told.value
