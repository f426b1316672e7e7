"""Task 1.4: who joins a group, with what, and when?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from kafkalab.brokers import Broker
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ConsumerMaker, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import (
    CLASSIC_AND_KIP_848,
    COOPERATIVE,
    EAGER,
    KIP_848,
    PROTOCOLS,
    STABLE_LIMIT,
    Group,
    committed_offset,
    describe_group,
    type_of,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.ownership import shares
from kafkalab.observe.records import TEN, error_of, events_until, send, take
from kafkalab.observe.topics import ADMIN_LIMIT
from kafkalab.waiting import wait_until


def second_comes(admin: AdminClient, group: Group, settings: ClientConfig) -> dict[str, object]:
    """What comes of a second member with these settings: its error, or the share of each."""
    group.add()
    group.wait_for_stable()
    group.add(settings)

    def seen() -> tuple[set[bytes | None], list[int]]:
        # The client tries again and again.
        errors = {each.value for each in group.history.of(Kind.POLL, State.FAIL)}
        return errors, shares(describe_group(admin, group.id))

    errors, has = wait_until(
        seen,
        lambda seen: bool(seen[0]) or seen[1] == [1, 1],
        limit=STABLE_LIMIT,
        what="an error, or two members with a partition each",
    )
    return {"group": type_of(admin, group.id), "errors": list(errors), "partitions of each": has}


@pytest.mark.fact("assignors-must-agree", scope="librdkafka, classic")
def test_classic_members_need_an_assignor_in_common(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that has no assignor in common with a classic group is refused.

    So an assignor is changed by two rolling deployments: the first one names
    both, where the client can.
    """
    name = topic(partitions=2)
    group = members(EAGER, name, partitions=2)

    seen = second_comes(admin, group, COOPERATIVE)

    evidence.table("The first member has range, the second comes with cooperative-sticky", [seen])
    assert seen["errors"] == [b"INCONSISTENT_GROUP_PROTOCOL"], (
        "The second member gets an error: its protocol does not fit the group's."
    )
    assert seen["partitions of each"] == [2], "The first member keeps both partitions."


@pytest.mark.control("assignors-must-agree", changes="the second one names range as well")
def test_one_assignor_in_common_is_enough(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If one of the second member's assignors is the group's, it joins, and the group uses that."""
    name = topic(partitions=2)
    group = members(EAGER, name, partitions=2)

    both = {"partition.assignment.strategy": "roundrobin,range"}
    seen = second_comes(admin, group, both)

    evidence.table("The first member has range, the second roundrobin and range", [seen])
    assert seen["partitions of each"] == [1, 1], "Both members have a partition."
    assert seen["group"] == "CLASSIC/range", "The group's assignor is the common one."


@pytest.mark.control("assignors-must-agree", changes="group.protocol=consumer")
def test_under_kip_848_nobody_has_to_agree(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Under KIP-848 the broker assigns: members that name different assignors need not agree."""
    name = topic(partitions=2)
    ranged = {**KIP_848, "group.remote.assignor": "range"}
    group = members(ranged, name, partitions=2)

    seen = second_comes(admin, group, {"group.remote.assignor": "uniform"})

    evidence.table("The first member names range, the second uniform", [seen])
    assert seen["partitions of each"] == [1, 1], "Both members have a partition."


# A broker's own default, in seconds; the broker of a lab does not wait.
DELAY = 3.0


def seconds_to_share(members: MembersMaker, topic: str, protocol: str) -> tuple[float, float]:
    """How long the first member of a group waits for its partitions, and then a second one."""
    group = members(CLASSIC_AND_KIP_848[protocol], topic, partitions=2)
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        group.add()
        group.wait_for_stable()
        told = max(each.time for each in group.history.of(Kind.ASSIGN))
        seconds.append(round(told - began, 2))
    first, second = seconds
    return first, second


@pytest.mark.fact("the-first-join-waits", scope="classic, group.initial.rebalance.delay.ms=3000")
@pytest.mark.cluster(settings={"group.initial.rebalance.delay.ms": "3000"})
def test_the_first_member_waits_for_others(
    private_broker: Broker, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """The first member of an empty classic group waits for 3 s, in case that more come.

    So a service that starts shares its partitions once, and not once for each of
    its members. The broker's `group.initial.rebalance.delay.ms` is 3 s by default.
    """
    first, second = seconds_to_share(members, topic(partitions=2), "classic")

    evidence.table(
        f"Kafka {private_broker.version}: seconds from the start of a member to its partitions",
        [{"of the first": first, "of the second": second}],
    )
    # Not to the millisecond: the broker's clock is not ours.
    assert first > DELAY * 0.9, "The first member waits for the whole delay."
    assert second < first, "The second member does not wait so long."


@pytest.mark.control("the-first-join-waits", changes="group.protocol=consumer")
@pytest.mark.cluster(settings={"group.initial.rebalance.delay.ms": "3000"})
def test_under_kip_848_the_first_member_does_not_wait(
    private_broker: Broker, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Under KIP-848 the first member has its partitions at once: sharing anew costs little."""
    first, second = seconds_to_share(members, topic(partitions=2), "KIP-848")

    evidence.table(
        f"Kafka {private_broker.version}: seconds from the start of a member to its partitions",
        [{"of the first": first, "of the second": second}],
    )
    # A tenth of a second is usual; the rest is for a loaded machine.
    assert first < DELAY * 0.9, "The first member does not wait for the delay."


def error_of_joining(reader: Consumer, topic: str) -> KafkaError | None:
    """The error with which a group refuses a member; None if it gets partitions."""
    reader.subscribe([topic])
    events = events_until(
        reader,
        lambda events: bool(events) or bool(reader.assignment()),
        what="an error, or partitions",
    )
    return error_of(next(iter(events), None))


def session_bounds(admin: AdminClient, broker: Broker) -> tuple[int, int]:
    """The shortest and the longest session that a broker takes of classic members, in ms."""
    resource = ConfigResource(ResourceType.BROKER, str(broker.node_ids[0]))
    settings = admin.describe_configs([resource], request_timeout=ADMIN_LIMIT)[resource]
    found = settings.result(ADMIN_LIMIT)
    shortest, longest = (
        int(found[f"group.{which}.session.timeout.ms"].value) for which in ("min", "max")
    )
    return shortest, longest


def error_of_session(consumer: ConsumerMaker, topic: str, session: int) -> KafkaError | None:
    """The error with which a classic group refuses a member for its session, if it does."""
    settings: Mapping[str, Any] = {
        "group.id": f"{topic}-{session}",
        "session.timeout.ms": session,
        # Three of these fit into a session, and no fewer.
        "heartbeat.interval.ms": min(session // 3, 1000) or 1,
        "max.poll.interval.ms": max(session, 300_000),
    }
    return error_of_joining(consumer({"group.protocol": "classic", **settings}), topic)


@pytest.mark.fact("session-within-bounds", scope="librdkafka, classic")
@pytest.mark.needs("broker_settings")
def test_a_session_lies_within_the_brokers_bounds(
    admin: AdminClient,
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If a member's session is shorter or longer than the broker allows, it cannot join.

    By default `group.min.session.timeout.ms` is 6 s, and the longest half an
    hour.
    """
    name, (shortest, longest) = topic(), session_bounds(admin, broker)

    refused = {each: error_of_session(consumer, name, each) for each in (shortest - 1, longest + 1)}

    evidence.note("The broker takes sessions from {} to {} ms", shortest, longest)
    evidence.table(
        "What poll() gives to a member with such a session",
        [{"session.timeout.ms": each, "error": error} for each, error in refused.items()],
    )
    for error in refused.values():
        assert error is not None, "The member gets no partition, but an error."
        assert error.code() == KafkaError.INVALID_SESSION_TIMEOUT, (
            "The error says that the session is not valid."
        )


@pytest.mark.control("session-within-bounds", changes="the session is just as short, or as long")
@pytest.mark.needs("broker_settings")
def test_a_session_at_the_bound_is_taken(
    admin: AdminClient,
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If the session is the shortest or the longest that the broker allows, the member joins."""
    name, (shortest, longest) = topic(), session_bounds(admin, broker)

    errors = {each: error_of_session(consumer, name, each) for each in (shortest, longest)}

    evidence.table(
        "What poll() gives to a member with such a session",
        [{"session.timeout.ms": each, "error": error} for each, error in errors.items()],
    )
    assert set(errors.values()) == {None}, "Both members get the partition of their group."


# Two settings, since there are two protocols.
AT_MOST_TWO = {"group.max.size": "2", "group.consumer.max.size": "2"}


@pytest.mark.fact("a-full-group", scope="librdkafka's errors; group.max.size=2")
@pytest.mark.cluster(settings=AT_MOST_TWO)
def test_a_full_group_takes_nobody(
    private_broker: Broker,
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If a group has as many members as the broker allows, the next one is refused.

    `group.max.size` and `group.consumer.max.size` bound a classic group and a
    KIP-848 one; by default there is hardly a limit. Under KIP-848 the error is
    fatal to the client.
    """
    name, errors = topic(partitions=3), {}

    for protocol, settings in CLASSIC_AND_KIP_848.items():
        group = members(settings, name, partitions=3, ending=f"-{protocol}")
        group.add()
        group.add()
        group.wait_for_stable()
        errors[protocol] = error_of_joining(consumer({**settings, "group.id": group.id}), name)

    evidence.table(
        f"Kafka {private_broker.version}: what poll() gives to a third member",
        [{"protocol": protocol, "error": error} for protocol, error in errors.items()],
    )
    codes = {protocol: error and error.code() for protocol, error in errors.items()}
    assert codes["classic"] == KafkaError.GROUP_MAX_SIZE_REACHED, (
        "The error says that a classic group is full."
    )
    assert codes["KIP-848"] == KafkaError._FATAL, (
        "Under KIP-848 the third member gets a fatal error."
    )


@pytest.mark.control("a-full-group", changes="one of the two members has left")
@pytest.mark.cluster(settings=AT_MOST_TWO)
def test_when_one_leaves_another_may_join(
    private_broker: Broker,
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If one of the members leaves, the next one gets its place."""
    name, errors = topic(partitions=3), {}

    for protocol, settings in CLASSIC_AND_KIP_848.items():
        group = members(settings, name, partitions=3, ending=f"-{protocol}")
        group.add()
        leaver = group.add()
        group.wait_for_stable()
        group.remove(leaver)
        group.wait_for_stable()
        errors[protocol] = error_of_joining(consumer({**settings, "group.id": group.id}), name)

    evidence.table(
        f"Kafka {private_broker.version}: what poll() gives to a third member",
        [{"protocol": protocol, "error": error} for protocol, error in errors.items()],
    )
    assert set(errors.values()) == {None}, "The third member joins, and gets partitions."


def shared_by(
    consumer: ConsumerMaker, protocol: ClientConfig, subscriptions: Sequence[Sequence[str]]
) -> list[Counter[str]]:
    """How many partitions of each topic the members of a group have, once five are shared."""
    readers = [consumer(protocol) for _ in subscriptions]
    for reader, topics in zip(readers, subscriptions, strict=True):
        reader.subscribe(list(topics))

    def poll_each() -> list[Counter[str]]:
        for reader in readers:
            reader.poll(0.02)
        return [Counter(each.topic for each in reader.assignment()) for reader in readers]

    return wait_until(
        poll_each,
        lambda shared: all(shared) and sum(map(Counter.total, shared)) == 5,
        limit=STABLE_LIMIT,
        what="both members to have partitions, together all five",
    )


@pytest.mark.fact("different-subscriptions", scope="librdkafka, any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_member_gets_only_what_it_subscribed(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence, protocol: str
) -> None:
    """Members of a group may subscribe to different topics: each gets partitions of its own only.

    So the shares can be as uneven as the topics. Two services that have the same
    group.id by mistake share a group in this way, and nobody sees it.
    """
    orders, payments = topic(partitions=4), topic(partitions=1)
    evidence.rename({orders: "orders", payments: "payments"})

    shared = shared_by(consumer, PROTOCOLS[protocol], [[orders], [payments]])

    evidence.table(
        "How many partitions each member has",
        [
            {"subscribed to": subscribed, "of orders": has[orders], "of payments": has[payments]}
            for subscribed, has in zip((orders, payments), shared, strict=True)
        ],
    )
    assert shared == [{orders: 4}, {payments: 1}], (
        "One member has all four partitions of its topic, the other has the one of its own."
    )


@pytest.mark.control("different-subscriptions", changes="both subscribe to both topics")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_alike_subscriptions_are_shared_evenly(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence, protocol: str
) -> None:
    """If both subscribe to both topics, they share the five partitions as evenly as they can."""
    orders, payments = topic(partitions=4), topic(partitions=1)
    evidence.rename({orders: "orders", payments: "payments"})

    shared = shared_by(consumer, PROTOCOLS[protocol], [[orders, payments]] * 2)

    evidence.table(
        "How many partitions each member has",
        [{"of orders": has[orders], "of payments": has[payments]} for has in shared],
    )
    assert sorted(map(Counter.total, shared)) == [2, 3], "One member has two, the other three."


@pytest.mark.fact("assigned-twice", scope="any client")
def test_who_assigns_shares_with_nobody(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """If two consumers with one group.id assign() the same partition, both read every record.

    Nobody divides for them: they are no members. They share the group's commit,
    and the later one of the two counts.
    """
    name, readers = topic(), [consumer(), consumer()]
    send(producer(), name, TEN)

    read = [[each.value() for each in take(reader, name, 10)] for reader in readers]
    for reader, offset in zip(readers, (10, 4), strict=True):
        reader.commit(offsets=[TopicPartition(name, 0, offset)], asynchronous=False)

    members, committed = (
        describe_group(admin, group).assignments,
        committed_offset(consumer(), name),
    )
    evidence.table(
        "Two consumers, one group.id, one partition of ten records",
        [{"consumer": n, "records read": len(values)} for n, values in enumerate(read, 1)],
    )
    evidence.note("Members of the group: {}", len(members))
    evidence.note("The first commits 10, then the second commits 4; committed then: {}", committed)
    assert read == [TEN, TEN], "Each of the two reads all ten records."
    assert members == (), "The group has no member."
    assert committed == 4, "The later commit counts."


@pytest.mark.control("assigned-twice", changes="they subscribe")
def test_who_subscribes_shares(
    topic: TopicMaker, producer: ProducerMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If they subscribe, the one partition has one of the two for its owner, which reads all."""
    name = topic()
    group = members(EAGER, name, partitions=1)
    both = [group.add(), group.add()]
    group.wait_for_stable()

    send(producer(), name, TEN)
    group.wait_for_polls(10)

    read = Counter(each.actor for each in group.history.of(Kind.POLL, State.OK))
    evidence.table(
        "Two members, one partition of ten records",
        [{"member": each.name, "records read": read[each.name]} for each in both],
    )
    assert sorted(read[each.name] for each in both) == [0, 10], "Only one of the two reads records."
