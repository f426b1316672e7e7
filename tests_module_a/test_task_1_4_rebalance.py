"""Task 1.4: who owns what, when does it move, and what does moving cost?

These are facts about Kafka: they use plain clients and hold whatever you write. More
follow in the modules test_task_1_4_moving.py, test_task_1_4_members.py,
test_task_1_4_callbacks.py, test_task_1_4_joining.py and test_task_1_4_lag.py, and those
about the component in test_task_1_4_component.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as KafkaProducer
from confluent_kafka.admin import AdminClient

from kafkalab.clients import LAB_CONSUMER
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ConsumerMaker, JavaStarter, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import committed_at_most_position, exclusive_ownership, spans
from kafkalab.observe.groups import (
    CLASSIC_AND_KIP_848,
    COOPERATIVE,
    EAGER,
    KIP_848,
    PROTOCOLS,
    STABLE_LIMIT,
    Group,
    GroupDescription,
    describe_group,
    type_of,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.java_client import (
    GIVEN,
    QUICK,
    ROUND_ROBIN,
    TAKEN,
    JavaClient,
    member_command,
)
from kafkalab.observe.lag import COMMITS_OFTEN, flowing, lag_lines, sampled_lag, wait_until_calm
from kafkalab.observe.ownership import (
    MEMBERS_HAVE,
    WHO_WAS_TOLD,
    numbers,
    owned_spans,
    shares,
    told_rows,
)
from kafkalab.observe.records import SENTINEL, send
from kafkalab.observe.topics import grow
from kafkalab.waiting import wait_until

# Who owns what


def owners(*described: GroupDescription) -> dict[int, int]:
    """How many members own each partition."""
    return Counter(
        partition for each in described for member in each.assignments for _, partition in member
    )


def owner_rows(*described: GroupDescription) -> list[dict[str, object]]:
    """How many members own each partition, as rows of evidence."""
    return [{"partition": each, "owners": count} for each, count in owners(*described).items()]


def ownerless(group: Group) -> list[float]:
    """For how many seconds a partition that was given up had no owner, each time."""
    owned = sorted(spans(list(group.history)), key=lambda each: each.assigned.place)
    return [
        after.assigned.time - before.ended.time
        for before, after in pairwise(owned)
        if before.ended is not None and before.assigned.place == after.assigned.place
    ]


@pytest.mark.fact(
    "one-owner-per-partition",
    scope="any assignor, classic and KIP-848; members that poll in time",
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_partition_has_one_owner(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """In a group a partition never has two owners; once the group is stable, each has one.

    While partitions move they have no owner, under every protocol: for a fraction
    of a second here, for up to some seconds with the heartbeats of the defaults
    (every 3 s in a classic group, every 5 s under KIP-848).
    """
    name = topic(partitions=5)
    group = members(PROTOCOLS[protocol], name, partitions=5)

    group.add()
    group.wait_for_stable()
    group.add()
    described = group.wait_for_stable()

    gaps = ownerless(group)
    longest = round(max(gaps, default=0) * 1000, 1)
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence.since))
    evidence.note(MEMBERS_HAVE, shares(described))
    evidence.note("Partitions that changed their owner, or were given back: {}", len(gaps))
    evidence.number("the longest time that one had no owner", longest, "ms")
    assert owners(described) == dict.fromkeys(range(5), 1), (
        "Once the group is stable, each partition has one owner."
    )
    assert min(gaps) > 0, "A partition that is given up has no owner until it is assigned again."
    exclusive_ownership(group.history).require()


@pytest.mark.control("one-owner-per-partition", changes="the two members are of different groups")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_between_groups_partitions_are_shared(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """Groups know nothing of each other: each partition has one owner in each group."""
    name = topic(partitions=5)
    groups = [members(PROTOCOLS[protocol], name, partitions=5, ending=f"-{n}") for n in range(2)]

    for group in groups:
        group.add()
    described = [group.wait_for_stable() for group in groups]

    evidence.table("Owners of each partition", owner_rows(*described))
    assert owners(*described) == dict.fromkeys(range(5), 2), (
        "Each partition has two owners, one in each group."
    )


def step_rows(steps: Sequence[Sequence[int]]) -> list[dict[str, object]]:
    """A group's partitions as members come and go, as rows of evidence."""
    happened = ("member-1 joined", "member-2 joined", "member-3 joined", "member-2 closed")
    return [
        {"after": what, "partitions of each member": step}
        for what, step in zip(happened, steps, strict=True)
    ]


@pytest.mark.fact("one-two-three-two", scope="any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_group_shares_anew_when_members_come_and_go(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Whenever a member joins or leaves, partitions move until each partition has an owner again.

    You need not move them: start another consumer with the same group.id, and
    it gets its share.
    """
    name = topic(partitions=3)
    places = [(name, partition) for partition in range(3)]
    group = members(PROTOCOLS[protocol], name, partitions=3, **COMMITS_OFTEN)

    with flowing(producer(), name, 3), sampled_lag(consumer(), places) as samples:
        group.add()
        steps = [shares(group.wait_for_stable())]
        second = group.add()
        steps.append(shares(group.wait_for_stable()))
        group.add()
        steps.append(shares(group.wait_for_stable()))
        group.remove(second)
        steps.append(shares(group.wait_for_stable()))
        wait_until_calm(samples)

    evidence.table("How many partitions each member had, the fewest first", step_rows(steps))
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence.since))
    evidence.timeline(
        "Who owned what",
        owned_spans(group),
        look="Follow a row from left to right: where its colour changes, another member owns the "
        "partition. Where the row is empty, nobody reads it.",
    )
    evidence.series(
        "Lag",
        lag_lines(samples),
        unit="records",
        look="The same seconds as above. A partition's lag rises while its row is empty, and falls "
        "once it has an owner again.",
    )
    assert steps == [[3], [1, 2], [1, 1, 1], [1, 2]], (
        "After each change the members share the three partitions as evenly as they can."
    )
    exclusive_ownership(group.history).require()
    committed_at_most_position(group.history).require()


@pytest.mark.control("one-two-three-two", changes="the new member is of another group")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_a_member_of_another_group_moves_nothing(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A member of another group moves nothing, though it reads the same topic."""
    name = topic(partitions=3)
    group = members(CLASSIC_AND_KIP_848[protocol], name, partitions=3)
    other = members(CLASSIC_AND_KIP_848[protocol], name, partitions=3, ending="-other")
    group.add()
    group.add()
    before, heard = group.wait_for_stable(), len(group.history)
    nobody = describe_group(admin, other.id)

    other.add()
    joined = other.wait_for_stable()

    after = group.wait_for_stable()
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence.since))
    evidence.table(
        "How many partitions each member had when a member of the other group came",
        [
            {"group": "this one", "before": shares(before), "after": shares(after)},
            {"group": "the other one", "before": shares(nobody), "after": shares(joined)},
        ],
    )
    evidence.note("Callbacks in this group after that: {}", len(group.history) - heard)
    assert shares(joined) == [3], "The member of the other group gets all three partitions."
    assert after == before, "In this group everybody owns what they owned before."
    assert len(group.history) == heard, "In this group nobody is told anything."


@pytest.mark.fact("more-members-than-partitions", scope="librdkafka, any assignor")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_member_too_many_is_idle(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """If a group has more members than partitions, one is idle: a partition is never split.

    If another member leaves, the idle one takes over.
    """
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)

    for _ in range(3):
        group.add()
    described = group.wait_for_stable()

    evidence.table(
        WHO_WAS_TOLD,
        told_rows(group, evidence.since),
        look="Add up what each member was told to assign and to revoke: one of them has nothing.",
    )
    evidence.note(MEMBERS_HAVE, shares(described))
    assert shares(described) == [0, 1, 1], (
        "Of three members two have a partition, and one has none."
    )


@pytest.mark.control("more-members-than-partitions", changes="the topic grows")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_idle_member_works_when_the_topic_grows(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If the topic grows, the idle member gets a partition, and nobody is idle any more."""
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)
    for _ in range(3):
        group.add()
    group.wait_for_stable()

    grow(admin, name, 3)
    group.partitions = 3
    described = group.wait_for_stable()

    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence.since))
    evidence.note(MEMBERS_HAVE, shares(described))
    assert shares(described) == [1, 1, 1], "Each of the three members has a partition."


def assignment_rows(described: GroupDescription) -> list[dict[str, object]]:
    """Who has what, as rows of evidence."""
    return [
        {
            "member": number,
            "partitions": [f"{topic}-{partition}" for topic, partition in sorted(each)],
            "how many": len(each),
        }
        for number, each in enumerate(described.assignments, 1)
    ]


@pytest.mark.fact("range-against-roundrobin", scope="classic; range is the default")
def test_range_gives_the_first_member_more_of_each_topic(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """The range assignor divides each topic by itself: the first member gets what is left over.

    The first is the one whose member id comes first; the id begins with the
    `client.id`. If there are many topics of few partitions, this adds up: one
    member works, and another is idle.
    """
    names = topic(partitions=3), topic(partitions=3)
    evidence.rename(dict(zip(names, ("orders", "payments"), strict=True)))
    group = members(EAGER, *names, partitions=6)

    second = group.add({"client.id": "b"})
    first = group.add({"client.id": "a"})
    group.wait_for_stable()

    has = {each: Counter(name for name, _ in each.assignment) for each in (first, second)}
    evidence.table(
        "How many partitions of each topic a member has, the first in the order of ids above",
        [
            {"client.id": which, **{name: has[member][name] for name in names}}
            for which, member in (("a", first), ("b", second))
        ],
        look="Compare the columns: it is the same member that has more, although it came later.",
    )
    assert has[first] == dict.fromkeys(names, 2), (
        "The first member has two of the three partitions in both topics."
    )
    assert has[second] == dict.fromkeys(names, 1), "The second member has one in both topics."


ASSIGNORS: Mapping[str, Mapping[str, Any]] = {
    "roundrobin": {**EAGER, "partition.assignment.strategy": "roundrobin"},
    "cooperative-sticky": COOPERATIVE,
    "KIP-848": KIP_848,
}


@pytest.mark.control("range-against-roundrobin", changes="another assignor")
@pytest.mark.parametrize("assignor", ["roundrobin", "cooperative-sticky", "KIP-848"])
def test_other_assignors_share_evenly(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, assignor: str
) -> None:
    """Other assignors deal out the partitions of all topics together, as many to each member."""
    names = topic(partitions=3), topic(partitions=3)
    evidence.rename(dict(zip(names, ("orders", "payments"), strict=True)))
    group = members(ASSIGNORS[assignor], *names, partitions=6)

    group.add()
    group.add()
    described = group.wait_for_stable()

    evidence.table(
        "Who has what", assignment_rows(described), look="Both members have as many partitions."
    )
    assert shares(described) == [3, 3], "Each of the two members has three partitions."


def work_of_groups(
    members: MembersMaker,
    protocol: ClientConfig,
    producer: KafkaProducer,
    topic: str,
    partitions: int,
) -> dict[int, list[int]]:
    """How many of twelve records each member gets, in groups of one, three and four members."""
    groups = {
        size: members(protocol, topic, partitions=partitions, ending=f"-{size}")
        for size in (1, 3, 4)
    }
    names = {size: [group.add().name for _ in range(size)] for size, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    for partition in range(partitions):
        send(producer, topic, [b"x"] * (12 // partitions), partition=partition)
    for group in groups.values():
        group.wait_for_polls(12)

    polled = {
        size: Counter(each.actor for each in group.history.of(Kind.POLL, State.OK))
        for size, group in groups.items()
    }
    return {size: sorted(polled[size][name] for name in names[size]) for size in groups}


def shares_picture(done: Mapping[int, Sequence[int]]) -> dict[str, dict[str, int]]:
    """For each group the work of each member."""
    return {
        f"{size} member{'s' * (size > 1)}": {
            f"member {at}": count for at, count in enumerate(counts, 1)
        }
        for size, counts in done.items()
    }


@pytest.mark.fact("partitions-bound-parallelism", scope="any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_more_members_than_partitions_are_no_faster(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Partitions limit how many members can work: a fourth adds nothing to three.

    The work is done when the busiest member is done, so its share is what
    counts.
    """
    name = topic(partitions=3)

    done = work_of_groups(members, PROTOCOLS[protocol], producer(), name, partitions=3)

    evidence.shares(
        "Records of each member",
        shares_picture(done),
        place="group",
        look="Each bar is a group's twelve records, each colour a member's part of them. The "
        "largest part is as large with four members as with three: the fourth has none.",
    )
    assert done[1] == [12], "One member alone does all the work."
    assert done[3] == [4, 4, 4], "Each of three members does a third."
    assert done[4] == [0, 4, 4, 4], (
        "The busiest of four members does as much as the busiest of three."
    )


@pytest.mark.control("partitions-bound-parallelism", changes="the topic has four partitions")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_a_partition_more_the_fourth_member_helps(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """With a fourth partition a fourth member helps: the busiest has half as much as with three."""
    name = topic(partitions=4)

    done = work_of_groups(members, PROTOCOLS[protocol], producer(), name, partitions=4)

    evidence.shares(
        "Records of each member",
        shares_picture(done),
        place="group",
        look="Each bar is a group's twelve records, each colour a member's part of them. With "
        "three members the largest part is 6, with four it is 3.",
    )
    assert done[3] == [3, 3, 6], (
        "One of three members has two partitions, and does half of the work."
    )
    assert done[4] == [3, 3, 3, 3], "No member of four does more than a quarter."


# How often a member looks for changes of its topics, by default.
LOOKS = "topic.metadata.refresh.interval.ms"

SELDOM = {LOOKS: 300_000}


def looks_row(group: Group) -> dict[str, object]:
    """How often the members of a group look for changes of their topics, as a row of evidence."""
    return {
        "group.protocol": group.settings["group.protocol"],
        LOOKS: {**LAB_CONSUMER, **group.settings}[LOOKS],
    }


@pytest.mark.fact("new-partitions-reach-the-group", scope="librdkafka")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_new_partitions_reach_the_group(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If a topic grows, the group that reads it gets the new partitions without a restart.

    A classic member finds them when it asks for metadata again, every 5 minutes
    by default and every 50 ms here. Under KIP-848 the broker knows of them, and
    assigns them.
    """
    name = topic(partitions=1)
    refresh = {} if protocol != "KIP-848" else SELDOM
    group = members({**PROTOCOLS[protocol], **refresh}, name, partitions=1)
    group.add()
    group.wait_for_stable()

    grow(admin, name, 3)
    group.partitions = 3
    described = group.wait_for_stable()

    evidence.table("How often the client looks at the metadata", [looks_row(group)])
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence.since))
    evidence.note(MEMBERS_HAVE, shares(described))
    assert shares(described) == [3], "The one member has all three partitions."


@pytest.mark.control(
    "new-partitions-reach-the-group", changes="a classic member looks every 5 minutes"
)
def test_who_seldom_looks_does_not_see_new_partitions(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
) -> None:
    """With the default of 5 minutes a classic member reads on without the new partitions.

    A KIP-848 group beside it has them already.
    """
    name = topic(partitions=1)
    settings = {**EAGER, **SELDOM, "session.timeout.ms": 30_000}
    group = members(settings, name, partitions=1)
    other = members({**KIP_848, **SELDOM}, name, partitions=1, ending="-other")
    for each in (group, other):
        each.add()
        each.wait_for_stable()

    grow(admin, name, 3)
    other.partitions = 3
    elsewhere = other.wait_for_stable()
    send(producer(), name, [SENTINEL])
    group.wait_for_polls(1)

    here = group.wait_for_stable()
    evidence.table(
        "After the topic grew from one partition to three",
        [
            looks_row(each) | {"partitions of the member": shares(described)}
            for each, described in ((other, elsewhere), (group, here))
        ],
    )
    assert shares(elsewhere) == [3], "The KIP-848 group has all three partitions."
    assert shares(here) == [1], "The classic group has one partition, which it goes on reading."


def polled_from_a_new_partition(
    admin: AdminClient, group: Group, topic: str, producer: KafkaProducer
) -> list[bytes | None]:
    """Grow a topic while its reader is busy, write `early`, let it poll; write `late`s to it.

    What the group polled, up to the first `late`.
    """
    member = group.add()
    group.wait_for_stable()
    member.hang()
    grow(admin, topic, 2)
    send(producer, topic, [b"early"], partition=1)
    member.wake()
    group.partitions = 2
    group.wait_for_stable()

    def polled() -> list[bytes | None]:
        # With latest the client asks for the end of the log soon, not at once.
        send(producer, topic, [b"late"], partition=1)
        return [each.value for each in group.history.of(Kind.POLL, State.OK)]

    values = wait_until(
        polled, lambda seen: b"late" in seen, limit=STABLE_LIMIT, what="a late record"
    )
    return values[: values.index(b"late") + 1]


@pytest.mark.fact("latest-misses-new-partitions", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_latest_misses_the_first_records_of_a_new_partition(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """With `auto.offset.reset=latest` a group skips what is in a new partition before it has it.

    Producers can find a new partition before its readers do, and there is no commit
    for it yet. latest is the default.
    """
    name = topic()
    settings = {**CLASSIC_AND_KIP_848[protocol], "auto.offset.reset": "latest"}
    group = members(settings, name, partitions=1)

    polled = polled_from_a_new_partition(admin, group, name, producer())

    evidence.note("Polled from the new partition, in which early is written before: {}", polled)
    assert polled == [b"late"], "The record that was there before the group had it is not read."


@pytest.mark.control("latest-misses-new-partitions", changes="auto.offset.reset=earliest")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_earliest_reads_a_new_partition_from_its_start(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """With earliest the group reads a new partition from its start."""
    name = topic()
    settings = {**CLASSIC_AND_KIP_848[protocol], "auto.offset.reset": "earliest"}
    group = members(settings, name, partitions=1)

    polled = polled_from_a_new_partition(admin, group, name, producer())

    evidence.note("Polled from the new partition, in which early is written before: {}", polled)
    assert polled == [b"early", b"late"], "The record that was there before is read as well."


def topics_of(described: GroupDescription) -> set[str]:
    """The topics of which members have partitions."""
    return {topic for member in described.assignments for topic, _ in member}


@pytest.mark.fact("regex-differs", scope="librdkafka; KIP-848 with a broker's RE2/J")
def test_a_pattern_means_a_prefix_or_the_whole_name(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """To librdkafka's classic member `^x-` means all topics that begin so, under KIP-848 none.

    librdkafka looks for the pattern in the name; Java's classic client compares the
    whole name. Under KIP-848 the broker does so, and no error says that none
    matches.
    """
    prefixed, other = topic(ending="-one"), topic()
    evidence.rename({prefixed.removesuffix("one"): "x-", other: "y"})
    patterns = f"^{prefixed.removesuffix('one')}", f"^{other}$"
    classic = members(EAGER, *patterns, partitions=2)
    modern = members(KIP_848, *patterns, partitions=1, ending="-848")

    for group in (classic, modern):
        group.add()
    seen = {"classic": classic.wait_for_stable(), "KIP-848": modern.wait_for_stable()}

    topics = {protocol: topics_of(described) for protocol, described in seen.items()}
    evidence.table(
        "Topics of which the member has partitions", [{"subscribed to": patterns, **topics}]
    )
    assert topics["classic"] == {prefixed, other}, "Under classic both patterns match."
    # The patterns are one to the broker: when one has matched, both were looked for.
    assert topics["KIP-848"] == {other}, (
        "Under KIP-848 only the pattern of a whole name matches, and the prefix does not."
    )


@pytest.mark.control("regex-differs", changes="the pattern goes on to the end, as in ^x-.*")
def test_a_pattern_to_the_end_means_the_same_to_both(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A pattern that covers the whole name, such as `^x-.*`, matches under both protocols."""
    prefixed, other = topic(ending="-one"), topic()
    evidence.rename({prefixed.removesuffix("one"): "x-", other: "y"})
    patterns = f"^{prefixed.removesuffix('one')}.*", f"^{other}$"
    classic = members(EAGER, *patterns, partitions=2)
    modern = members(KIP_848, *patterns, partitions=2, ending="-848")

    for group in (classic, modern):
        group.add()
    seen = {"classic": classic.wait_for_stable(), "KIP-848": modern.wait_for_stable()}

    topics = {protocol: topics_of(described) for protocol, described in seen.items()}
    evidence.table(
        "Topics of which the member has partitions", [{"subscribed to": patterns, **topics}]
    )
    assert topics["classic"] == topics["KIP-848"] == {prefixed, other}, (
        "Both patterns match under both protocols."
    )


# Who decides


# What KIP-848 took from clients and gave to the broker.
OF_THE_CLIENT: Mapping[str, Any] = {
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 500,
    "partition.assignment.strategy": "roundrobin",
}


def refusal_of(make: ConsumerMaker, settings: Mapping[str, Any]) -> KafkaError:
    """The error with which a client refuses its settings."""
    with pytest.raises(KafkaException) as refused:
        make(settings)
    error: KafkaError = refused.value.args[0]
    return error


@pytest.mark.fact("server-side-assignment", scope="librdkafka; Kafka >= 4.0")
def test_under_kip_848_the_broker_decides(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Under KIP-848 the broker assigns: a client does not start with settings of its own for it.

    Session and heartbeat are settings of the group at the broker. A client may
    only name one of the broker's assignors, by `group.remote.assignor`.
    """
    name = topic(partitions=2)
    group = members(KIP_848, name, partitions=2)
    group.add()
    group.wait_for_stable()
    named = members(KIP_848, name, partitions=2, ending="-named")
    named.add({"group.remote.assignor": "range"})
    named.wait_for_stable()

    refused = {
        setting: refusal_of(consumer, {"group.protocol": "consumer", setting: value})
        for setting, value in OF_THE_CLIENT.items()
    }

    kinds = [type_of(admin, each.id) for each in (group, named)]
    evidence.note("A group with group.protocol=consumer: {}", kinds[0])
    evidence.note("One whose member has group.remote.assignor=range: {}", kinds[1])
    evidence.table(
        "Creating a consumer with group.protocol=consumer and one setting more",
        [{"setting": s, "error": e} for s, e in refused.items()],
    )
    assert kinds[0] == "CONSUMER/uniform", "The group's assignor is the broker's."
    assert kinds[1] == "CONSUMER/range", "A member may name another of the broker's assignors."
    assert {error.code() for error in refused.values()} == {KafkaError._INVALID_ARG}, (
        "Each of the settings is refused as an invalid argument."
    )


@pytest.mark.control("server-side-assignment", changes="group.protocol=classic")
def test_under_classic_the_client_decides(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A classic client may bring these settings: one of the members assigns, with its assignor."""
    name = topic(partitions=2)
    group = members({"group.protocol": "classic", **OF_THE_CLIENT}, name, partitions=2)

    group.add()
    group.wait_for_stable()

    evidence.note(
        "A group with group.protocol=classic, {}: {}", OF_THE_CLIENT, type_of(admin, group.id)
    )
    assert type_of(admin, group.id) == "CLASSIC/roundrobin", "The group's assignor is the client's."


@pytest.mark.fact("group-upgrades-itself", scope="Kafka >= 4.0, its default migration policy")
def test_a_group_becomes_what_its_members_are(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """The first KIP-848 member turns a classic group into its kind; the last to go turns it back.

    So a service moves to KIP-848 by a rolling deployment, and can go back.
    """
    name = topic(partitions=4)
    group = members(KIP_848, name, partitions=4)

    group.add(EAGER)
    steps = [(shares(group.wait_for_stable()), type_of(admin, group.id))]
    modern = group.add()
    steps.append((shares(group.wait_for_stable()), type_of(admin, group.id)))
    group.remove(modern)
    steps.append((shares(group.wait_for_stable()), type_of(admin, group.id)))

    members_then = ("one classic", "one classic, one KIP-848", "one classic")
    evidence.table(
        "Step by step",
        [
            {"members": which, "partitions of each": s, "group": kind}
            for which, (s, kind) in zip(members_then, steps, strict=True)
        ],
    )
    assert [kind for _, kind in steps] == ["CLASSIC/range", "CONSUMER/uniform", "CLASSIC/range"], (
        "The group turns into a KIP-848 group and back into a classic one."
    )
    assert [share for share, _ in steps] == [[4], [2, 2], [4]], (
        "All partitions are owned at each step."
    )


@pytest.mark.control("group-upgrades-itself", changes="the second member is classic too")
def test_a_group_of_classic_members_stays_classic(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If all members are classic, the group stays classic."""
    name = topic(partitions=4)
    group = members(KIP_848, name, partitions=4)

    group.add(EAGER)
    group.add(EAGER)
    group.wait_for_stable()

    evidence.note("The group: {}", type_of(admin, group.id))
    assert type_of(admin, group.id) == "CLASSIC/range", (
        "The group is classic, with the client's assignor."
    )


def shared_by_two(admin: AdminClient, group: Group) -> GroupDescription:
    """A group once two members have all of its four partitions."""
    return wait_until(
        lambda: describe_group(admin, group.id),
        lambda seen: seen.state == "STABLE" and shares(seen) == [2, 2],
        limit=STABLE_LIMIT,
        what="two members with two partitions each",
    )


def share_of(java: JavaClient) -> list[int]:
    """The partitions that Java's member has by its own account: those given, less those taken."""
    has = Counter(java.partitions(GIVEN)) - Counter(java.partitions(TAKEN))
    return sorted(has.elements())


@pytest.mark.fact("both-clients-in-one-group", scope="Kafka >= 4.0; both clients")
@pytest.mark.needs("jars")
def test_under_kip_848_both_clients_share_a_group(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    java_client: JavaStarter,
    evidence: Evidence,
) -> None:
    """Under KIP-848 the broker gives partitions to members of Java and of librdkafka alike.

    No client assigns, so no client has to know the other's assignors.
    """
    name = topic(partitions=4)
    group = members(KIP_848, name, partitions=4)
    java = java_client(*member_command(group.id, name), "--group-protocol", "consumer")

    python = group.add()

    seen = shared_by_two(admin, group)
    python_has, java_has = wait_until(
        lambda: (numbers(python), share_of(java)),
        lambda has: [len(each) for each in has] == [2, 2],
        limit=STABLE_LIMIT,
        what="both members to know their share",
    )
    kind = type_of(admin, group.id)
    evidence.table(
        "One group, a member of each client",
        [{"group": kind, "librdkafka": python_has, "Java": java_has}],
        look="Two partitions each; the group's assignor is the broker's.",
    )
    assert shares(seen) == [2, 2], "Each client has two of the four partitions."
    assert sorted(python_has + java_has) == [0, 1, 2, 3], "No partition is with both clients."
    assert kind == "CONSUMER/uniform", "The group's assignor is the broker's."


@pytest.mark.control("both-clients-in-one-group", changes="group.protocol=classic")
@pytest.mark.needs("jars")
def test_under_classic_one_of_the_clients_divides(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    java_client: JavaStarter,
    evidence: Evidence,
) -> None:
    """Under classic one client assigns, with an assignor that all members name: here roundrobin."""
    name = topic(partitions=4)
    group = members({**EAGER, "partition.assignment.strategy": "roundrobin"}, name, partitions=4)
    java = java_client(*member_command(group.id, name, ROUND_ROBIN), settings=QUICK)

    group.add()

    seen = shared_by_two(admin, group)
    java.wait_for(GIVEN)
    kind = type_of(admin, group.id)
    evidence.table("One group, a member of each client", [{"group": kind, "each": shares(seen)}])
    assert shares(seen) == [2, 2], "Each client has two of the four partitions."
    assert kind == "CLASSIC/roundrobin", "The group's assignor is the clients'."
