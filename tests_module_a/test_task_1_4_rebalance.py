"""Task 1.4: who owns what, when does it move, and what does moving cost?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge the rebalance listener and
the lag, kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Producer as KafkaProducer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from kafkalab.brokers import Broker, Termination
from kafkalab.clients import LAB_CONSUMER
from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import Change, LagUnknown, Listener, PartitionLag
from kafkalab.fixtures import (
    ConsumerMaker,
    JavaStarter,
    MembersMaker,
    ProducerMaker,
    TopicMaker,
)
from kafkalab.learning_log.evidence import Evidence
from kafkalab.librdkafka import librdkafka_defaults
from kafkalab.observe.checks import (
    activity_on_owned,
    committed_at_most_position,
    duplicate_delivery,
    exclusive_ownership,
    spans,
)
from kafkalab.observe.groups import (
    COOPERATIVE,
    EAGER,
    KIP_848,
    PROTOCOLS,
    Group,
    GroupDescription,
    Member,
    commit_offset,
    committed_offset,
    describe_group,
    generation_of,
)
from kafkalab.observe.history import Event, Kind, State
from kafkalab.observe.java_client import JavaClient
from kafkalab.observe.lag import Sample, lag_of, sampled_lag
from kafkalab.observe.records import init_transactions, poll_until, send, wait_for_end
from kafkalab.observe.threads import repeated
from kafkalab.observe.topics import ADMIN_LIMIT, grow, refusal
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until

# Written last: when it was read, all that was written before it was read, or never will be.
SENTINEL = b"sentinel"

# Seconds after which the group misses a member that it does not hear of: where a test waits for
# that (KIP-848 has it from the broker), and one that never ends in a test.
SESSION, LONG_SESSION = 1.0, 30.0

# Seconds. Rebalances take half a second, and sessions end after two; the rest is for load.
LIMIT = 30.0

# The two ways in which a group treats members; how much a rebalance moves does not matter here.
CLASSIC_AND_KIP_848 = {"classic": EAGER, "KIP-848": KIP_848}


# Who owns what


@pytest.mark.fact("one-owner-per-partition", scope="any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_partition_has_one_owner(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """In a group each partition has one owner, at any time, and no partition is left out."""
    name = topic(partitions=5)
    group = members(PROTOCOLS[protocol], name, partitions=5)

    group.add()
    group.add()
    described = group.wait_for_stable()

    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence))
    evidence.note(MEMBERS_HAVE, shares(described))
    assert owners(described) == dict.fromkeys(range(5), 1), "each has one owner"
    exclusive_ownership(group.history).require()


@pytest.mark.control("one-owner-per-partition", changes="the two members are of different groups")
def test_between_groups_partitions_are_shared(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Groups know nothing of each other: each partition has an owner in each of them."""
    name = topic(partitions=5)
    groups = [members(KIP_848, name, partitions=5, ending=f"-{n}") for n in range(2)]

    for group in groups:
        group.add()
    described = [group.wait_for_stable() for group in groups]

    evidence.table("Owners of each partition", owner_rows(*described))
    assert owners(*described) == dict.fromkeys(range(5), 2)


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
    """Whenever a member comes or goes, partitions move until all are owned once again.

    Nobody moves them by hand: start a second process with the same group.id and
    it has its share. While nobody owns a partition its lag rises.
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
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence))
    evidence.timeline(
        "Who owned what",
        ownership(group),
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
    assert steps == [[3], [1, 2], [1, 1, 1], [1, 2]], "shared as evenly as it goes"
    exclusive_ownership(group.history).require()
    committed_at_most_position(group.history).require()


@pytest.mark.control("one-two-three-two", changes="the new member is of another group")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_a_member_of_another_group_moves_nothing(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """A member of another group moves nothing, though it reads the same topic."""
    name = topic(partitions=3)
    group = members(CLASSIC_AND_KIP_848[protocol], name, partitions=3)
    other = members(CLASSIC_AND_KIP_848[protocol], name, partitions=3, ending="-other")
    group.add()
    group.add()
    before, heard = group.wait_for_stable(), len(group.history)

    other.add()
    joined = other.wait_for_stable()

    after = group.wait_for_stable()
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence))
    evidence.table(
        "How many partitions each member had when a member of the other group came",
        [
            {"group": "this one", "before": shares(before), "after": shares(after)},
            {"group": "the other one", "before": "no member", "after": shares(joined)},
        ],
    )
    evidence.note("Callbacks in this group after that: {}", len(group.history) - heard)
    assert shares(joined) == [3], "it came, and reads everything"
    assert after == before, "but here all is as before"
    assert len(group.history) == heard, "and nobody was told anything"


@pytest.mark.fact("more-members-than-partitions", scope="librdkafka, any assignor")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_member_too_many_is_idle(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """A member too many gets nothing and is idle: a partition is never split.

    It is no waste: it takes over when another one goes.
    """
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)

    for _ in range(3):
        group.add()
    described = group.wait_for_stable()

    evidence.table(
        WHO_WAS_TOLD,
        told_rows(group, evidence),
        look="Add up what each member was told to assign and to revoke: one of them has nothing.",
    )
    evidence.note(MEMBERS_HAVE, shares(described))
    assert shares(described) == [0, 1, 1], "three members, two partitions"


@pytest.mark.control("more-members-than-partitions", changes="the topic grows")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_the_idle_member_works_when_the_topic_grows(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """When the topic grows the idle member gets a partition: nobody is idle any more."""
    name = topic(partitions=2)
    group = members(CLASSIC_AND_KIP_848[protocol], name, partitions=2)
    for _ in range(3):
        group.add()
    group.wait_for_stable()

    grow(admin, name, 3)
    group.partitions = 3
    described = group.wait_for_stable()

    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence))
    evidence.note(MEMBERS_HAVE, shares(described))
    assert shares(described) == [1, 1, 1]


@pytest.mark.fact("range-against-roundrobin", scope="classic; range is the default")
def test_range_gives_the_first_member_more_of_each_topic(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """The range assignor divides topic by topic, so the first member has more of each.

    With many topics of few partitions this adds up: one member works, another is idle.
    """
    names = topic(partitions=3), topic(partitions=3)
    evidence.rename(dict(zip(names, ("orders", "payments"), strict=True)))
    group = members(EAGER, *names, partitions=6)

    group.add()
    group.add()
    described = group.wait_for_stable()

    evidence.table(
        "Who has what",
        assignment_rows(described),
        look="Count the partitions of each member, and those of each topic that it has.",
    )
    assert shares(described) == [2, 4], "two of three partitions, of both topics"


@pytest.mark.control("range-against-roundrobin", changes="another assignor")
@pytest.mark.parametrize("assignor", ["roundrobin", "cooperative-sticky", "KIP-848"])
def test_other_assignors_share_evenly(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, assignor: str
) -> None:
    """Other assignors deal the partitions of all topics out together: as many to each."""
    names = topic(partitions=3), topic(partitions=3)
    evidence.rename(dict(zip(names, ("orders", "payments"), strict=True)))
    group = members(ASSIGNORS[assignor], *names, partitions=6)

    group.add()
    group.add()
    described = group.wait_for_stable()

    evidence.table(
        "Who has what", assignment_rows(described), look="Both members have as many partitions."
    )
    assert shares(described) == [3, 3]


@pytest.mark.fact("partitions-bound-parallelism", scope="any assignor, classic and KIP-848")
def test_more_members_than_partitions_are_no_faster(
    topic: TopicMaker, members: MembersMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """The partitions bound how many members can work: a fourth adds nothing to three.

    All is done when the busiest member is done, and its work is what counts here.
    """
    name = topic(partitions=3)

    done = work_of_groups(members, producer(), name, partitions=3)

    evidence.shares(
        "Records of each member",
        shares_picture(done),
        place="group",
        look="Each bar is a group's twelve records, each colour a member's part of them. The "
        "largest part is as large with four members as with three: the fourth has none.",
    )
    assert done[1] == [12], "one has all the work"
    assert done[3] == [4, 4, 4], "each of three has a third"
    assert done[4] == [0, 4, 4, 4], "the busiest of four has as much"


@pytest.mark.control("partitions-bound-parallelism", changes="the topic has four partitions")
def test_with_a_partition_more_the_fourth_member_helps(
    topic: TopicMaker, members: MembersMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With a fourth partition the fourth member helps: the busiest of four has half as much."""
    name = topic(partitions=4)

    done = work_of_groups(members, producer(), name, partitions=4)

    evidence.shares(
        "Records of each member",
        shares_picture(done),
        place="group",
        look="Each bar is a group's twelve records, each colour a member's part of them. With "
        "three members the largest part is 6, with four it is 3.",
    )
    assert done[3] == [3, 3, 6], "of three members one has two partitions"
    assert done[4] == [3, 3, 3, 3], "of four nobody has"


@pytest.mark.fact("new-partitions-reach-the-group", scope="librdkafka")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_new_partitions_reach_the_group(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """When a topic grows its group takes the new partitions in, without a restart.

    A classic member finds them with its next look at the metadata, every 5
    minutes by default and every 50 ms here. Under KIP-848 the broker knows.
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
    evidence.table(WHO_WAS_TOLD, told_rows(group, evidence))
    evidence.note(MEMBERS_HAVE, shares(described))
    assert shares(described) == [3]


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
    """With the default of 5 minutes a classic member reads on and misses the new partitions.

    A group beside it, under KIP-848, has them already.
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
    wait_until_polled(group, 1)

    here = group.wait_for_stable()
    evidence.table(
        "After the topic grew from one partition to three",
        [
            looks_row(each) | {"partitions of the member": shares(described)}
            for each, described in ((other, elsewhere), (group, here))
        ],
    )
    assert shares(elsewhere) == [3], "the other group has three"
    assert shares(here) == [1], "this one has one, and reads it"


@pytest.mark.fact("regex-differs", scope="librdkafka; KIP-848 with a broker's RE2/J")
def test_a_pattern_means_a_prefix_or_the_whole_name(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Subscribed to `^x-`, a classic member reads all of that prefix, under KIP-848 nothing at all.

    Classic clients look for the pattern in the name; under KIP-848 the broker
    compares the whole name, and no error tells that none fits.
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
    assert topics["classic"] == {prefixed, other}
    # The patterns are one to the broker: when one has matched, both were looked for.
    assert topics["KIP-848"] == {other}, "the pattern of a whole name fits, the prefix does not"


@pytest.mark.control("regex-differs", changes="the pattern goes on to the end, as in ^x-.*")
def test_a_pattern_to_the_end_means_the_same_to_both(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A pattern that goes on to the end of the name, such as `^x-.*`, fits under both."""
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
    assert topics["classic"] == topics["KIP-848"] == {prefixed, other}


# Who decides


@pytest.mark.fact("server-side-assignment", scope="librdkafka; Kafka >= 4.0")
def test_under_kip_848_the_broker_decides(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Under KIP-848 the broker assigns: a client that brings settings for it is refused.

    Session, heartbeat and assignor are the group's, and set at the broker.
    """
    name = topic(partitions=2)
    group = members(KIP_848, name, partitions=2)
    group.add()
    group.wait_for_stable()

    refused = {
        setting: refusal_of(consumer, {"group.protocol": "consumer", setting: value})
        for setting, value in OF_THE_CLIENT.items()
    }

    evidence.note("A group with group.protocol=consumer: {}", type_of(admin, group))
    evidence.table(
        "Creating a consumer with group.protocol=consumer and one setting more",
        [{"setting": s, "error": e} for s, e in refused.items()],
    )
    assert type_of(admin, group) == "CONSUMER/uniform", "the broker's assignor"
    assert {error.code() for error in refused.values()} == {KafkaError._INVALID_ARG}


@pytest.mark.control("server-side-assignment", changes="group.protocol=classic")
def test_under_classic_the_client_decides(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A classic client may bring all of them: one of the members assigns, with its assignor."""
    name = topic(partitions=2)
    group = members({"group.protocol": "classic", **OF_THE_CLIENT}, name, partitions=2)

    group.add()
    group.wait_for_stable()

    evidence.note(
        "A group with group.protocol=classic, {}: {}", OF_THE_CLIENT, type_of(admin, group)
    )
    assert type_of(admin, group) == "CLASSIC/roundrobin", "the client's assignor"


@pytest.mark.fact("group-upgrades-itself", scope="Kafka >= 4.0")
def test_a_group_becomes_what_its_members_are(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """The first KIP-848 member turns a classic group into its kind, the last one turns it back.

    So a service moves to KIP-848 by a rolling deployment, and may change its mind.
    """
    name = topic(partitions=4)
    group = members(KIP_848, name, partitions=4)

    group.add(EAGER)
    steps = [(shares(group.wait_for_stable()), type_of(admin, group))]
    modern = group.add()
    steps.append((shares(group.wait_for_stable()), type_of(admin, group)))
    group.remove(modern)
    steps.append((shares(group.wait_for_stable()), type_of(admin, group)))

    members_then = ("one classic", "one classic, one KIP-848", "one classic")
    evidence.table(
        "Step by step",
        [
            {"members": which, "partitions of each": s, "group": kind}
            for which, (s, kind) in zip(members_then, steps, strict=True)
        ],
    )
    assert [kind for _, kind in steps] == ["CLASSIC/range", "CONSUMER/uniform", "CLASSIC/range"]
    assert [share for share, _ in steps] == [[4], [2, 2], [4]], "all is owned at each step"


@pytest.mark.control("group-upgrades-itself", changes="the second member is classic too")
def test_a_group_of_classic_members_stays_classic(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A group of classic members stays classic, whatever the broker could do."""
    name = topic(partitions=4)
    group = members(KIP_848, name, partitions=4)

    group.add(EAGER)
    group.add(EAGER)
    group.wait_for_stable()

    evidence.note("The group: {}", type_of(admin, group))
    assert type_of(admin, group) == "CLASSIC/range"


@pytest.mark.fact("both-clients-in-one-group", scope="Kafka >= 4.0; both clients")
@pytest.mark.needs("jars")
def test_under_kip_848_both_clients_share_a_group(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    java_client: JavaStarter,
    evidence: Evidence,
) -> None:
    """Under KIP-848 the broker shares partitions out to members of Java and librdkafka alike.

    Neither of them divides, so neither has to know the other's assignors.
    """
    name = topic(partitions=4)
    group = members(KIP_848, name, partitions=4)
    java = java_client(*java_member(group, name), "--group-protocol", "consumer")

    python = group.add()

    seen = shared_by_two(admin, group)
    python_has, java_has = numbers(python), partitions_told(java, GIVEN)
    kind = type_of(admin, group)
    evidence.table(
        "One group, a member of each client",
        [{"group": kind, "librdkafka": python_has, "Java": java_has[-2:]}],
        look="Two partitions each; the group's assignor is the broker's.",
    )
    assert shares(seen) == [2, 2], "each has half"
    assert kind == "CONSUMER/uniform", "the broker's assignor"


@pytest.mark.control("both-clients-in-one-group", changes="group.protocol=classic")
@pytest.mark.needs("jars")
def test_under_classic_one_of_the_clients_divides(
    admin: AdminClient,
    topic: TopicMaker,
    members: MembersMaker,
    java_client: JavaStarter,
    evidence: Evidence,
) -> None:
    """Under classic a client divides, with an assignor that all members name: here round robin."""
    name = topic(partitions=4)
    group = members({**EAGER, ASSIGNOR: "roundrobin"}, name, partitions=4)
    java = java_client(*java_member(group, name, ROUND_ROBIN), settings=QUICK)

    group.add()

    seen = shared_by_two(admin, group)
    java.wait_for(GIVEN)
    kind = type_of(admin, group)
    evidence.table("One group, a member of each client", [{"group": kind, "each": shares(seen)}])
    assert shares(seen) == [2, 2], "each has half"
    assert kind == "CLASSIC/roundrobin", "the clients' assignor"


# What moving costs


@pytest.mark.fact("java-gives-up-as-much", scope="classic; both clients with the same assignor")
@pytest.mark.needs("jars")
def test_java_gives_up_all_under_eager(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """What a rebalance takes follows from the assignor, not the client: eager takes all of both.

    Which half the second one gets is chance: Java's members are sorted by ids that are drawn.
    """
    name = topic(partitions=4)

    python, java = joined_by_a_second(members, java_client, name, EAGER, RANGE)

    evidence.table(
        "A second member joins, of the same client as the first",
        joined_rows(python, java),
        look="Both columns begin the same: all four are given up, two of them for nothing.",
    )
    for seen in (python, java):
        assert seen.taken == [0, 1, 2, 3], "all was taken"
        assert len(seen.second) == 2, "half of it moved"


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
        assert len(seen.second) == 2, "half of it moved"
        assert seen.taken == seen.second, "and that alone was taken"


@pytest.mark.fact("eager-stops-the-world", scope="classic, range and roundrobin")
def test_under_eager_everything_is_given_up(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Under an eager assignor a rebalance takes everything from everybody, to give most of it back.

    Nothing is processed meanwhile: the more members, the longer.
    """
    name = topic(partitions=4)
    group = members(EAGER, name, partitions=4)
    first = group.add()
    group.wait_for_stable()

    second = group.add()
    group.wait_for_stable()

    evidence.table(
        WHO_WAS_TOLD,
        told_rows(group, evidence),
        look="The first member is told to revoke all four, and gets two of them back.",
    )
    evidence.timeline(
        "Who owned what",
        ownership(group),
        look="All four rows end at once when the second member joins. Two of them come back to the "
        "member that had them: they were given up for nothing.",
    )
    assert told_of(group, first, Kind.REVOKE) == [0, 1, 2, 3], "all was taken"
    assert told_of(group, first, Kind.ASSIGN) == [0, 0, 1, 1, 2, 3], "half of it was given back"
    assert told_of(group, second, Kind.ASSIGN) == [2, 3], "half of it moved"


@pytest.mark.control("eager-stops-the-world", changes="a protocol that rebalances step by step")
@pytest.mark.parametrize("protocol", ["cooperative", "KIP-848"])
def test_only_what_moves_is_given_up(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """Under cooperative and KIP-848 a member gives up only what moves, and works on meanwhile."""
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)
    first = group.add()
    group.wait_for_stable()

    second = group.add()
    group.wait_for_stable()

    evidence.table(
        WHO_WAS_TOLD,
        told_rows(group, evidence),
        look="The first member is told to revoke only the two that move. Cooperative does so"
        " in two rounds, hence the rows with nothing.",
    )
    evidence.timeline(
        "Who owned what",
        ownership(group),
        look="Two rows keep their colour without a gap: their owner never gave them up. Only the "
        "two that move change hands.",
    )
    moved = told_of(group, second, Kind.ASSIGN)
    assert len(moved) == 2, "half of it moved"
    assert told_of(group, first, Kind.REVOKE) == moved, "and that alone was taken"
    assert told_of(group, first, Kind.ASSIGN) == [0, 1, 2, 3], "nothing was given again"


@pytest.mark.fact("the-lag-spike", scope="classic, range and roundrobin")
def test_under_eager_lag_jumps_everywhere(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Under an eager assignor one slow hand-over stops every partition, and lag jumps everywhere.

    Each member takes 0.6 s to give up, in which 120 records come to each
    partition, as one does that finishes its work first. All wait for the slowest.
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
        "slowest member has handed over.",
    )
    evidence.timeline(
        "Who owned what",
        ownership(group),
        look="The same seconds as above. All rows break at once, where the rise ends: until then "
        "their owners were handing over, and read nothing.",
    )
    assert spike.innocent == set(), "everybody gave up"
    assert min(spike.silence.values()) >= spike.hand_over, "every partition stood still"
    assert min(spike.peak.values()) > 2 * CALM, "and its lag jumped"


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
    """Under cooperative and KIP-848 the partition of a member that gives up nothing flows on.

    The others of the member that does give up stand still: its one thread is
    busy handing over.
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
        ownership(group),
        look="The same seconds as above. Where the rise ends only one row changes its colour. "
        "Its owner was handing over, and read nothing of its other partition meanwhile.",
    )
    (innocent,) = spike.innocent
    others = set(range(3)) - {innocent}
    assert min(spike.silence[each] for each in others) >= spike.hand_over, "these stood still"
    assert min(spike.peak[each] for each in others) > 2 * CALM, "and their lag jumped"
    assert spike.meanwhile[innocent] > 0, "this one was read while the others stood still"


@pytest.mark.fact("commit-on-revoke", scope="librdkafka, enable.auto.commit=false")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_committing_on_revoke_avoids_duplicates(
    topic: TopicMaker,
    members: MembersMaker,
    producer: ProducerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A member that commits before it gives a partition up hands over exactly: nothing comes twice.

    The callback of the revocation is the last moment: it still owns the partition.
    """
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)

    hand_over_halfway(group, name, producer(), on_revoke=commit_position)

    checked = duplicate_delivery(group.history)
    evidence.table("Before and after the second member joined", poll_rows(group))
    assert checked.compared == 44, "40 records, and a sentinel in each partition"
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
    """Without that commit what is taken away comes again: under eager everything, else what moves.

    The new owner starts at the last commit, and so does the old one under eager.
    """
    name = topic(partitions=4)
    group = members(PROTOCOLS[protocol], name, partitions=4)

    hand_over_halfway(group, name, producer())

    checked = duplicate_delivery(group.history)
    evidence.table("Before and after the second member joined", poll_rows(group))
    assert len(checked.violations) == repeated, "of 40 records"


# Who is a member, and how long


@pytest.mark.fact("real-groups-are-patient", scope="librdkafka 2")
def test_a_real_group_is_patient(evidence: Evidence) -> None:
    """By default a dead member is missed after 45 s, and a slow one may take 5 minutes for a poll.

    Heartbeats go every 3 s, and a classic member hears of a rebalance with the
    next one. The assignor is range, which is eager.
    """
    defaults = librdkafka_defaults()

    evidence.table(
        "librdkafka, and what its documentation says that a property limits",
        [{"property": p, "default": defaults[p], "what it is": s} for p, s in PATIENCE.items()],
    )
    assert defaults["session.timeout.ms"] == "45000"
    assert defaults["heartbeat.interval.ms"] == "3000"
    assert defaults["max.poll.interval.ms"] == "300000"
    assert defaults["partition.assignment.strategy"].split(",")[0] == "range"


@pytest.mark.control("real-groups-are-patient", changes="the settings of this lab")
@pytest.mark.needs("quick_heartbeats")
def test_the_groups_of_this_lab_are_not(
    broker: Broker, admin: AdminClient, evidence: Evidence
) -> None:
    """The groups of this lab are not: it lowers sessions and heartbeats, at clients and broker."""
    defaults = librdkafka_defaults()

    session = broker_setting(admin, broker, "group.consumer.session.timeout.ms")

    source = ConfigSource(session.source).name
    lab = {**defaults, **EAGER}
    rows = [{"property": p, "default": defaults[p], "lab": lab[p]} for p in PATIENCE]
    evidence.table("Classic members of this lab", rows)
    evidence.table("KIP-848", [{"property": session.name, "lab": session.value, "from": source}])
    assert EAGER["session.timeout.ms"] < int(defaults["session.timeout.ms"])
    assert EAGER["heartbeat.interval.ms"] < int(defaults["heartbeat.interval.ms"])
    assert int(session.value or 0) < int(defaults["session.timeout.ms"])
    assert source != "DEFAULT_CONFIG", "somebody set it"


@pytest.mark.fact("heartbeats-are-not-polls", scope="librdkafka, classic and KIP-848")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_a_member_that_does_not_poll_is_still_a_member(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that does not poll is still a member when its session is over: heartbeats go on.

    A thread of the client sends them, however busy or stuck your own code is. A
    process that is killed sends none: beside it one is, and when its group misses
    it the session is over.
    """
    name = topic(partitions=2)
    hanging = impatient_groups(CLASSIC_AND_KIP_848, members, name, ending="-hanging")
    killed = impatient_groups(CLASSIC_AND_KIP_848, members, name, ending="-killed")
    stuck = [group.add() for group in hanging.values()]
    doomed = [group.add_process() for group in killed.values()]
    for group in (*hanging.values(), *killed.values()):
        group.wait_for_stable()

    for member in stuck:
        member.hang()
    for group, process in zip(killed.values(), doomed, strict=True):
        group.crash(process)
    missed = wait_until(
        lambda: {each: describe_group(admin, group.id) for each, group in killed.items()},
        lambda groups: all(each.assignments == () for each in groups.values()),
        limit=LIMIT,
        what="the killed to be missed",
    )

    seen = {each: describe_group(admin, group.id) for each, group in hanging.items()}
    evidence.table("Groups whose member hangs, once the killed are missed", group_rows(seen))
    evidence.table("Groups whose member was killed, at the same time", group_rows(missed))
    assert {each.state for each in seen.values()} == {"STABLE"}
    assert [shares(each) for each in seen.values()] == [[2], [2]], "each still owns everything"
    assert {each.state for each in missed.values()} == {"EMPTY"}, "the killed own nothing"


@pytest.mark.fact("leaving-or-dying", scope="librdkafka, any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_leaves_hands_over_at_once(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """A member that closes hands its partitions over at once; nobody waits for its session."""
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)
    set_session(admin, group, LONG_SESSION)
    leaver, heir = group.add(), group.add()
    group.wait_for_stable()

    closed = time.monotonic()
    group.remove(leaver)
    group.wait_for_stable()

    seconds = last_assignment(group, heir) - closed
    evidence.table(
        "Taken over after a close()",
        [{"session in seconds": LONG_SESSION, "taken over after seconds": round(seconds, 3)}],
    )
    # A fifth of a second is usual; half a session leaves room for any load.
    assert seconds < LONG_SESSION / 2, "the session played no part"


@pytest.mark.control("leaving-or-dying", changes="it is killed, and its session is 1 s")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_dies_keeps_its_partitions_for_a_session(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that is killed keeps its partitions until its session ends; nobody reads them."""
    name = topic(partitions=2)
    groups = impatient_groups(PROTOCOLS, members, name)
    processes = {protocol: group.add_process() for protocol, group in groups.items()}
    heirs = {protocol: group.add() for protocol, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    for protocol, group in groups.items():
        group.crash(processes[protocol])
    for group in groups.values():
        group.wait_for_stable()

    seconds = {
        each: last_assignment(groups[each], heirs[each]) - crashed_at(groups[each])
        for each in groups
    }
    evidence.table(
        "Taken over after a kill; the session is short, so that nobody waits for half a minute",
        [
            {
                "protocol": p,
                "session in seconds": SESSION,
                "taken over after seconds": round(s, 3),
            }
            for p, s in seconds.items()
        ],
        look="About the session timeout of one second: nobody reads its partitions until then.",
    )
    # The session counts from the last heartbeat, which can be 150 ms old, or more under load.
    assert min(seconds.values()) > SESSION / 2, "nobody knew before that it was dead"


@pytest.mark.fact("slow-processing-loses-partitions", scope="librdkafka, classic and KIP-848")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_polls_too_seldom_loses_its_partitions(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that polls later than `max.poll.interval.ms` loses its partitions to the others.

    It is not told until its next poll, by on_lost. Until then it believes in
    them, and so does its code that is still busy with a record. The other one
    has the same interval and polls in time: it loses nothing.
    """
    name = topic(partitions=2)
    groups = impatient_groups(CLASSIC_AND_KIP_848, members, name)
    slow = {protocol: group.add(SHORT_INTERVAL) for protocol, group in groups.items()}
    quick = {protocol: group.add(SHORT_INTERVAL) for protocol, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    happened = {protocol: [own_row("hangs", member, evidence)] for protocol, member in slow.items()}
    stop_polling(groups, slow)
    after = {protocol: group.wait_for_stable() for protocol, group in groups.items()}
    believed = {protocol: len(member.assignment) for protocol, member in slow.items()}
    for protocol, member in slow.items():
        happened[protocol].append(own_row("polls again", member, evidence))
        member.wake()
        wait_for_kind(groups[protocol], member, Kind.LOST)

    lost = {
        protocol: [len(told_of(group, each[protocol], Kind.LOST)) for each in (slow, quick)]
        for protocol, group in groups.items()
    }
    evidence.table(
        "The groups when the other member has taken over, and the first still hangs",
        group_rows(after),
    )
    for protocol, rows in happened.items():
        rows += told_rows(groups[protocol], evidence)
        evidence.table(
            f"{protocol}. {WHO_WAS_TOLD}",
            sorted(rows, key=itemgetter("seconds")),
            look="Where a member hangs and where it polls again, the partitions are those that it "
            "takes for its own. Assign, revoke and lost are its callbacks.",
        )
    assert [shares(each) for each in after.values()] == [[2], [2]], "the quick one has all"
    assert set(believed.values()) == {1}, "the slow one believed in what it had"
    assert set(map(tuple, lost.values())) == {(1, 0)}, (
        "then it was told; the quick one lost nothing"
    )


@pytest.mark.fact("stale-commit-is-refused", scope="librdkafka, classic and KIP-848")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_lost_its_partitions_cannot_commit(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that lost its partitions cannot commit, even before it knows of the loss.

    Else it would set back, or forward, the one who works there now.
    """
    name = topic(partitions=2)
    groups = impatient_groups(CLASSIC_AND_KIP_848, members, name)
    slow = {protocol: group.add(SHORT_INTERVAL) for protocol, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    stop_polling(groups, slow)
    for group in groups.values():
        group.add()
        group.wait_for_stable()
    refused = {protocol: refused_commit(member, name) for protocol, member in slow.items()}

    evidence.table(
        "Its commit of offset 7, before it polls again",
        [{"protocol": p, "raised": e.name()} for p, e in refused.items()],
    )
    assert {error.code() for error in refused.values()} == {KafkaError.UNKNOWN_MEMBER_ID}


@pytest.mark.control("stale-commit-is-refused", changes="the member polled in time")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_the_owner_can_commit(
    topic: TopicMaker, members: MembersMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The owner can commit."""
    name = topic(partitions=2)
    groups = impatient_groups(CLASSIC_AND_KIP_848, members, name)
    for group in groups.values():
        owner = group.add(SHORT_INTERVAL)
        group.wait_for_stable()
        owner.do(commits(name, 0, 7))

    committed = {
        protocol: committed_offset(consumer({"group.id": group.id}), name)
        for protocol, group in groups.items()
    }
    evidence.table("Committed by the owner", [committed])
    assert committed == dict.fromkeys(groups, 7)


@pytest.mark.fact("nobody-checks-ownership", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_a_member_may_commit_what_another_owns(
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A member may commit for a partition that another member owns: only membership is checked.

    The owner is not told. The commit counts at the next start.
    """
    name = topic(partitions=2)
    group = members(CLASSIC_AND_KIP_848[protocol], name, partitions=2)
    first, second = group.add(), group.add()
    group.wait_for_stable()
    ((_, foreign),) = second.assignment

    first.do(commits(name, foreign, 7))

    committed = committed_offset(consumer(), name, foreign)
    evidence.table(
        "Offset 7 is committed for a partition",
        [
            {
                "partition": foreign,
                "its owner": second.name,
                "who commits": first.name,
                "committed then": committed,
            }
        ],
    )
    assert committed == 7


@pytest.mark.control("nobody-checks-ownership", changes="the one who commits is no member")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_an_outsider_may_not_commit(
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """An outsider may not commit while the group has members."""
    name = topic(partitions=2)
    group = members(CLASSIC_AND_KIP_848[protocol], name, partitions=2)
    group.add()
    group.wait_for_stable()

    with pytest.raises(KafkaException) as refused:
        commits(name, 0, 7)(consumer())

    committed = committed_offset(consumer(), name)
    evidence.note(
        "commit() of offset 7 by a consumer that never joined: {}; committed then: {}",
        refused.value.args[0],
        committed,
    )
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID
    assert committed is None, "nothing was committed"


@pytest.mark.fact("static-membership", scope="librdkafka, any assignor, classic and KIP-848")
def test_a_static_member_restarts_unnoticed(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member with a `group.instance.id` that restarts in its session disturbs nobody.

    Its partitions wait for it, and nobody reads them meanwhile: a rolling
    deployment moves nothing. Without an id a restart is a leaving and a joining:
    the other takes over, and gives up again.
    """
    name = topic(partitions=2)
    static, dynamic = (
        patient_groups(admin, members, name, ending=f"-{kind}") for kind in ("static", "dynamic")
    )

    restarts, others = restart_one_of_two(static, dynamic)

    evidence.table(
        "A member with an id closes, and starts again",
        restart_rows(restarts),
        look="The other member is told nothing: no rebalance.",
    )
    evidence.table(
        "A member without an id closes, and starts again",
        restart_rows(others),
        look="The other member is told of the leaving and of the coming back.",
    )
    assert all(each.after == each.before for each in restarts.values()), "it has its partition back"
    assert {each.told for each in restarts.values()} == {0}, "the other was told nothing"
    assert min(each.told for each in others.values()) >= 2, "without an id it was told of both"


@pytest.mark.control("static-membership", changes="the member that has the id still lives")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_an_id_is_for_one_member(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """Two members cannot share an id: classic throws the old one out, KIP-848 the new one."""
    name = topic(partitions=2)
    group = members(CLASSIC_AND_KIP_848[protocol], name, partitions=2, **STATIC)
    old = group.add()
    group.wait_for_stable()

    new = group.add()
    thrown_out = wait_until(
        lambda: group.history.of(Kind.POLL, State.FAIL),
        limit=LIMIT,
        what="an error of one of the two",
    )

    which = {old.name: "the one that had the id first", new.name: "the one that came with it later"}
    evidence.table(
        "Errors that poll() gave",
        [{"member": which[each.actor], "error": each.value} for each in thrown_out],
    )
    expected = {"classic": old, "KIP-848": new}[protocol]
    assert [(each.actor, each.value) for each in thrown_out] == [(expected.name, b"_FATAL")]


@pytest.mark.fact("javas-static-member-too", scope="classic, both clients")
@pytest.mark.needs("jars")
def test_a_static_member_of_java_restarts_unnoticed(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """A static member of Java's client closes and comes back unnoticed, as librdkafka's does.

    Each group is of one client; its other member is told nothing.
    """
    name = topic(partitions=2)

    python, java = restarted_in_both(members, java_client, name, STATIC)

    evidence.table(
        "A member with an id closes, and starts again",
        [
            {"what": "its partition before", "librdkafka": python.before, "Java": java.before},
            {"what": "its partition after", "librdkafka": python.after, "Java": java.after},
            {"what": "callbacks of the other", "librdkafka": python.told, "Java": java.told},
        ],
        look="The other member is told nothing, whichever client it is.",
    )
    for seen in (python, java):
        assert seen.after == seen.before, "it has its partition back"
        assert seen.told == 0, "the other was told nothing"


@pytest.mark.control("javas-static-member-too", changes="no group.instance.id")
@pytest.mark.needs("jars")
def test_without_an_id_a_restart_is_noticed_by_both(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """Without an id a restart is a leaving and a joining, and the other member is told of both."""
    name = topic(partitions=2)

    python, java = restarted_in_both(members, java_client, name, {})

    evidence.table(
        "A member without an id closes, and starts again",
        [{"what": "callbacks of the other", "librdkafka": python.told, "Java": java.told}],
    )
    assert min(python.told, java.told) >= 2, "it was told of the leaving, and of the coming back"


# How far behind


@pytest.mark.fact("lag-is-end-minus-committed", scope="any client")
def test_lag_is_the_end_minus_the_commit(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Lag is the end of the log minus the committed offset: only a commit lowers it.

    What was read and not committed counts as not done.
    """
    name, reader, observer = topic(), consumer(), consumer()
    commit_offset(admin, group, name, 0)

    send(producer(), name, [b"a", b"b", b"c"])
    produced = lag_of(observer, [(name, 0)])
    reader.assign([TopicPartition(name, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")
    polled = lag_of(observer, [(name, 0)])
    reader.commit(asynchronous=False)
    committed = lag_of(observer, [(name, 0)])

    lags = [each[name, 0] for each in (produced, polled, committed)]
    steps = ("three records written", "all three polled", "commit() called")
    evidence.table(
        "Lag, step by step",
        [{"after": step, "lag": lag} for step, lag in zip(steps, lags, strict=True)],
    )
    assert lags == [3, 3, 0], "reading alone lowers nothing"


@pytest.mark.control("lag-is-end-minus-committed", changes="the group has no commit")
def test_without_a_commit_there_is_no_lag(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Without a commit lag is undefined: the client gives -1001 for the offset, which is none."""
    name, observer = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])

    (answer,) = observer.committed([TopicPartition(name, 0)], timeout=20)
    lag = lag_of(observer, [(name, 0)])[name, 0]

    evidence.table(
        "Without a commit",
        [{"committed": f"none, for which the client gives {answer.offset}", "lag": lag}],
    )
    assert answer.offset == OFFSET_INVALID == -1001, "a sign, and no number to count with"
    assert lag is None, "none, which is neither 0 nor 1004"


@pytest.mark.fact("lag-under-a-transaction", scope="librdkafka, whose default is read_committed")
def test_an_open_transaction_hides_records_from_the_lag(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """An open transaction hides its records, and all after them, from a read_committed lag.

    So a lag of 0 does not say that nothing is there.
    """
    name, writer = topic(), producer({"transactional.id": topic.name()})
    commit_offset(admin, group, name, 0)
    send(producer(), name, [b"a", b"b"])

    init_transactions(writer)
    writer.begin_transaction()
    send(writer, name, [b"open"] * 7)

    lag = lag_by_isolation(consumer, name)
    evidence.table(
        "Lag while the transaction is open",
        [lag],
        look="A reader of committed records sees a smaller lag than there are records.",
    )
    writer.abort_transaction(20)
    assert lag == {"read_committed": 2, "read_uncommitted": 9}


@pytest.mark.control("lag-under-a-transaction", changes="the transaction is committed")
def test_after_the_commit_both_see_the_same_lag(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """After the commit both see the same lag, and it counts the marker too: lag is offsets."""
    name, writer = topic(), producer({"transactional.id": topic.name()})
    commit_offset(admin, group, name, 0)
    send(producer(), name, [b"a", b"b"])
    init_transactions(writer)
    writer.begin_transaction()
    send(writer, name, [b"open"] * 7)

    writer.commit_transaction(20)
    wait_for_end(consumer(), name, 10)

    lag = lag_by_isolation(consumer, name)
    evidence.table("Lag after the commit (the commit marker takes one offset)", [lag])
    assert lag == {"read_committed": 10, "read_uncommitted": 10}, "nine records and a marker"


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
    group, listeners = members(PROTOCOLS[protocol], name, partitions=4), Listeners(solutions)

    first = listeners.join(group)
    group.wait_for_stable()
    listeners.join(group)
    group.wait_for_stable()
    group.remove(first)
    group.wait_for_stable()

    evidence.table("The listener's log", change_rows(listeners.changes, evidence))
    logged = [(each.member, each.kind, sorted(each.partitions)) for each in listeners.changes]
    assert logged == told_by_callback(group), "each callback once, with its partitions, in order"
    times = [each.time for each in listeners.changes]
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
    group, listeners = members(PROTOCOLS[protocol], name, partitions=2), Listeners(solutions)
    listeners.join(group)
    group.wait_for_stable()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b", b"c"], partition=partition)
    wait_until_polled(group, 6)

    listeners.join(group)
    group.wait_for_stable()
    for partition in (0, 1):
        send(producer(), name, [b"last"], partition=partition)
    wait_until_polled(group, 2, b"last")

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
    group = members(EAGER, name, partitions=2)
    member = group.add()
    group.wait_for_stable()
    send(producer(), name, [b"a", b"b", b"c"])
    wait_until_polled(group, 3)
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
    with pytest.raises(LagUnknown) as unknown:
        solutions.rebalance.lag(config, group, [name], limit=0.5)

    evidence.note("With the broker: {}; without it: {}", lags(known), unknown.value)
    assert lags(known) == {0: 0}, "while the broker was there, it was known"


# What the tests above share

ASSIGNORS: Mapping[str, Mapping[str, Any]] = {
    "roundrobin": {**EAGER, "partition.assignment.strategy": "roundrobin"},
    "cooperative-sticky": COOPERATIVE,
    "KIP-848": KIP_848,
}

# How often a member looks for changes of its topics, by default.
LOOKS = "topic.metadata.refresh.interval.ms"
SELDOM = {LOOKS: 300_000}

# What KIP-848 took from clients and gave to the broker.
OF_THE_CLIENT: Mapping[str, Any] = {
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 500,
    "partition.assignment.strategy": "roundrobin",
}

# From librdkafka's CONFIGURATION.md, in fewer words.
PATIENCE = {
    "session.timeout.ms": "so long without a heartbeat, and the broker removes the member, as one "
    "that was killed: it sends none",
    "heartbeat.interval.ms": "time from one heartbeat to the next; the client sends them in the "
    "background, whether its code polls or not",
    "max.poll.interval.ms": "so long without a poll(), and the client leaves the group, though it "
    "lives and has sent heartbeats",
    "partition.assignment.strategy": "assignors of the classic protocol, the preferred one first",
}

# What a slow member may take between two polls; classic takes none below the session.
SHORT_INTERVAL = {"max.poll.interval.ms": 1000}

# Records a second for each partition; and how many come while a member gives partitions up, as
# one does that finishes its work first.
RATE, HAND_OVER = 200, 120
# Lag of a group that follows: what comes between two commits.
CALM = 20
COMMITS_OFTEN = {"enable.auto.commit": True, "auto.commit.interval.ms": 50}

STATIC = {"group.instance.id": "one"}

# What Java's client says when partitions come and go, its assignors, and a heartbeat with which it
# learns of a rebalance as soon as librdkafka does.
GIVEN, TAKEN = "partitions_assigned", "partitions_revoked"
OF_JAVA = "org.apache.kafka.clients.consumer."
RANGE = f"{OF_JAVA}RangeAssignor"
ROUND_ROBIN = f"{OF_JAVA}RoundRobinAssignor"
COOPERATIVE_STICKY = f"{OF_JAVA}CooperativeStickyAssignor"
QUICK = {"heartbeat.interval.ms": 200}
ASSIGNOR = "partition.assignment.strategy"

WHO_WAS_TOLD = (
    "Who was told what: on_assign adds partitions, on_revoke takes them away; a member that was "
    "told nothing has no row"
)
# What that table does not show: those that were told nothing.
MEMBERS_HAVE = "Partitions of each member, the fewest first, as the coordinator tells: {}"

# A column that has partitions, and not how many they are.
BY_NUMBER = "partitions, by number"
# What becomes of a member's ownership, and what the member's code is called then.
CALLBACKS = {
    Kind.ASSIGN: "on_assign",
    Kind.REVOKE: "on_revoke",
    Kind.LOST: "on_lost",
    Kind.CRASH: "is killed",
}


def shares(described: GroupDescription) -> list[int]:
    """How many partitions the members have, the fewest first."""
    return sorted(len(each) for each in described.assignments)


def owners(*described: GroupDescription) -> dict[int, int]:
    """How many members own each partition."""
    return Counter(
        partition for each in described for member in each.assignments for _, partition in member
    )


def owner_rows(*described: GroupDescription) -> list[dict[str, object]]:
    """How many members own each partition, as rows of evidence."""
    return [{"partition": each, "owners": count} for each, count in owners(*described).items()]


def topics_of(described: GroupDescription) -> set[str]:
    """The topics of which members have partitions."""
    return {topic for member in described.assignments for topic, _ in member}


def type_of(admin: AdminClient, group: Group) -> str:
    """A group's type and assignor, as its coordinator tells them."""
    asked = admin.describe_consumer_groups([group.id], request_timeout=ADMIN_LIMIT)
    described = asked[group.id].result(ADMIN_LIMIT)
    return f"{described.type.name}/{described.partition_assignor}"


def told_of(group: Group, member: Member, kind: Kind) -> list[int]:
    """The partitions that a member was told of, sorted; what was told twice stands there twice."""
    return sorted(
        each.partition
        for each in group.history.of(kind)
        if each.actor == member.name and each.partition is not None
    )


def callbacks(group: Group) -> list[list[Event]]:
    """What happened to the members' ownership; what one callback told is together."""
    told: dict[tuple[str, Kind, float], list[Event]] = {}
    for each in group.history:
        if each.kind in CALLBACKS:
            told.setdefault((each.actor, each.kind, each.time), []).append(each)
    return sorted(told.values(), key=lambda events: events[0].time)


def told_rows(group: Group, evidence: Evidence) -> list[dict[str, Any]]:
    """What the members were told, as rows of evidence."""
    return [
        {
            "seconds": evidence.since(first.time),
            "member": first.actor,
            "what happened": CALLBACKS[first.kind],
            BY_NUMBER: [each.partition for each in (first, *more) if each.topic],
        }
        for first, *more in callbacks(group)
    ]


def looks_row(group: Group) -> dict[str, object]:
    """How often the members of a group look for changes of their topics, as a row of evidence."""
    return {
        "group.protocol": group.settings["group.protocol"],
        LOOKS: {**LAB_CONSUMER, **group.settings}[LOOKS],
    }


def own_row(what: str, member: Member, evidence: Evidence) -> dict[str, Any]:
    """What a member takes for its own now, as a row among those of what it was told."""
    own = sorted(partition for _, partition in member.assignment)
    return {
        "seconds": evidence.since(time.monotonic()),
        "member": member.name,
        "what happened": f"{what}, and believes it owns",
        BY_NUMBER: own,
    }


def step_rows(steps: Sequence[Sequence[int]]) -> list[dict[str, object]]:
    """A group's partitions as members come and go, as rows of evidence."""
    happened = ("member-1 joined", "member-2 joined", "member-3 joined", "member-2 closed")
    return [
        {"after": what, "partitions of each member": step}
        for what, step in zip(happened, steps, strict=True)
    ]


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


def group_rows(described: Mapping[str, GroupDescription]) -> list[dict[str, object]]:
    """Groups as rows of evidence."""
    return [
        {
            "protocol": protocol,
            "state": each.state,
            "members": len(each.assignments),
            "partitions in all": sum(shares(each)),
        }
        for protocol, each in described.items()
    ]


def ownership(group: Group) -> list[dict[str, object]]:
    """Who owned which partition from when to when, as spans of a picture."""
    events = list(group.history)
    return [
        {
            "row": f"partition {each.assigned.partition}",
            "start": each.assigned.time,
            "end": each.ended.time if each.ended else events[-1].time,
            "what": each.assigned.actor,
        }
        for each in spans(events)
    ]


def groups_of(
    protocols: Mapping[str, Mapping[str, Any]], members: MembersMaker, topic: str, ending: str
) -> dict[str, Group]:
    """A group for each protocol, side by side, so that they wait together."""
    return {
        protocol: members(settings, topic, partitions=2, ending=f"{ending}-{protocol}")
        for protocol, settings in protocols.items()
    }


def impatient_groups(
    protocols: Mapping[str, Mapping[str, Any]], members: MembersMaker, topic: str, ending: str = ""
) -> dict[str, Group]:
    """A group for each protocol, with SESSION, which under KIP-848 the broker has."""
    classic = {"session.timeout.ms": int(SESSION * 1000)}
    impatient = {
        protocol: settings if settings is KIP_848 else {**settings, **classic}
        for protocol, settings in protocols.items()
    }
    return groups_of(impatient, members, topic, ending)


def work_of_groups(
    members: MembersMaker, producer: KafkaProducer, topic: str, partitions: int
) -> dict[int, list[int]]:
    """How many of twelve records each member gets, in groups of one, three and four members."""
    groups = {
        size: members(KIP_848, topic, partitions=partitions, ending=f"-{size}")
        for size in (1, 3, 4)
    }
    names = {size: [group.add().name for _ in range(size)] for size, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    for partition in range(partitions):
        send(producer, topic, [b"x"] * (12 // partitions), partition=partition)
    for group in groups.values():
        wait_until_polled(group, 12)

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


def wait_until_polled(group: Group, count: int, value: bytes | None = None) -> None:
    """Wait until the members have polled so many records, or so many of that value."""
    wait_until(
        lambda: sum(
            value is None or each.value == value for each in group.history.of(Kind.POLL, State.OK)
        ),
        lambda polled: polled == count,
        limit=LIMIT,
        what=f"{count} records to be polled",
    )


def wait_for_kind(group: Group, member: Member, kind: Kind) -> None:
    """Wait until a member was told so."""
    wait_until(
        lambda: [each for each in group.history.of(kind) if each.actor == member.name],
        bool,
        limit=LIMIT,
        what=f"{member.name} to be told: {kind}",
    )


def stop_polling(groups: Mapping[str, Group], slow: Mapping[str, Member]) -> None:
    """Let one member of each group hang; the group is expected to go on without it."""
    for protocol, member in slow.items():
        member.hang()
        groups[protocol].forget(member)


def commits(topic: str, partition: int, offset: int) -> Callable[[Consumer], None]:
    """A commit of that offset, to be done by a consumer."""

    def commit(consumer: Consumer) -> None:
        consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)

    return commit


def refused_commit(member: Member, topic: str) -> KafkaError:
    """The error with which a member's commit is refused."""
    with pytest.raises(KafkaException) as refused:
        member.do(commits(topic, 0, 7))
    error: KafkaError = refused.value.args[0]
    return error


def refusal_of(make: ConsumerMaker, settings: Mapping[str, Any]) -> KafkaError:
    """The error with which a client refuses its settings."""
    with pytest.raises(KafkaException) as refused:
        make(settings)
    error: KafkaError = refused.value.args[0]
    return error


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
    wait_until_polled(group, 40)

    group.add(**told)
    group.wait_for_stable()
    for partition in range(4):
        send(producer, topic, [SENTINEL], partition=partition)
    wait_until_polled(group, 4, SENTINEL)


def poll_rows(group: Group) -> list[dict[str, object]]:
    """How many records were polled, and how many of them twice, as rows of evidence."""
    # Sentinels are the test's own, and no part of the lesson.
    polls = [each for each in group.history.of(Kind.POLL) if each.value != SENTINEL]
    checked = duplicate_delivery(polls)
    return [{"records sent": checked.compared, "of them read twice": len(checked.violations)}]


def set_session(admin: AdminClient, group: Group, seconds: float) -> None:
    """Give a group another session, before its members come; KIP-848 has it at the broker."""
    milliseconds = int(seconds * 1000)
    if group.settings["group.protocol"] == "classic":
        group.settings["session.timeout.ms"] = milliseconds
        return
    entry = ConfigEntry(
        "consumer.session.timeout.ms",
        str(milliseconds),
        incremental_operation=AlterConfigOpType.SET,
    )
    resource = ConfigResource(ResourceType.GROUP, group.id, incremental_configs=[entry])
    refused = refusal(admin.incremental_alter_configs([resource])[resource])
    # A broker that takes no session so short has longer ones.
    if refused is not None and refused.code() != KafkaError.INVALID_CONFIG:
        raise KafkaException(refused)


def broker_setting(admin: AdminClient, broker: Broker, name: str) -> ConfigEntry:
    """A setting of a broker, with its source."""
    resource = ConfigResource(ResourceType.BROKER, str(broker.node_ids[0]))
    asked = admin.describe_configs([resource], request_timeout=ADMIN_LIMIT)
    entry: ConfigEntry = asked[resource].result(ADMIN_LIMIT)[name]
    return entry


def last_assignment(group: Group, member: Member) -> float:
    """When a member was assigned partitions for the last time."""
    return max(
        each.time
        for each in group.history.of(Kind.ASSIGN)
        if each.actor == member.name and each.partition is not None
    )


def crashed_at(group: Group) -> float:
    """When the group's member was killed."""
    (event,) = group.history.of(Kind.CRASH)
    return event.time


class Restart(NamedTuple):
    """The restart of one of two members."""

    before: list[int]
    """its partitions"""
    after: list[int]
    told: int
    """how often the other member was told something"""


def patient_groups(
    admin: AdminClient, members: MembersMaker, topic: str, ending: str
) -> dict[str, Group]:
    """A group for each protocol, with sessions that outlast the test."""
    groups = groups_of(PROTOCOLS, members, topic, ending)
    for group in groups.values():
        set_session(admin, group, LONG_SESSION)
    return groups


def restart_one_of_two(
    static: Mapping[str, Group], dynamic: Mapping[str, Group]
) -> tuple[dict[str, Restart], dict[str, Restart]]:
    """In each group restart one of two members: with an id in the static ones, without elsewhere.

    It is away until the other member of each dynamic group was told so.
    """
    groups = [*static.values(), *dynamic.values()]
    identities = [STATIC] * len(static) + [{}] * len(dynamic)
    firsts = [group.add(each) for group, each in zip(groups, identities, strict=True)]
    others = [group.add() for group in groups]
    for group in groups:
        group.wait_for_stable()
    before = [numbers(first) for first in firsts]
    heard = [times_told(*each) for each in zip(groups, others, strict=True)]

    with ExitStack() as restarting:
        for group, first in zip(groups, firsts, strict=True):
            restarting.enter_context(group.bounce(first))
        for group in dynamic.values():
            group.wait_for_stable()
    for group in groups:
        group.wait_for_stable()

    told = [times_told(*each) for each in zip(groups, others, strict=True)]
    restarts = [
        Restart(partitions, numbers(first), now - then)
        for partitions, first, now, then in zip(before, firsts, told, heard, strict=True)
    ]
    return (
        dict(zip(static, restarts[: len(static)], strict=True)),
        dict(zip(dynamic, restarts[len(static) :], strict=True)),
    )


def restart_rows(restarts: Mapping[str, Restart]) -> list[dict[str, object]]:
    """Restarts as rows of evidence."""
    return [
        {
            "protocol": p,
            "partition that it had before, by number": e.before,
            "partition that it has after": e.after,
            "callbacks of the other member": e.told,
        }
        for p, e in restarts.items()
    ]


def java_member(group: Group, topic: str, strategy: str = "", ending: str = "") -> list[str]:
    """The command line of a member of Java's client, in a group or in one of its own.

    Args:
        group: whose name it bears.
        topic: what it reads.
        strategy: the class of its assignor; empty under KIP-848.
        ending: of the group's name, where it is a group of Java's alone.
    """
    chosen = ["--assignment-strategy", strategy] if strategy else []
    name = f"{group.id}{ending}"
    return ["kafka-verifiable-consumer", "--topic", topic, "--group-id", name, *chosen]


def partitions_told(java: JavaClient, name: str, since: int = 0) -> list[int]:
    """The partitions of all lines of a name, sorted; what was told twice stands there twice.

    Args:
        java: who told.
        name: GIVEN or TAKEN.
        since: how many lines are left out.
    """
    lines = java.named(name)[since:]
    return sorted(each["partition"] for line in lines for each in line["partitions"])


def lines_told(java: JavaClient) -> int:
    """How often Java's client was told of a change."""
    return len(java.named(GIVEN)) + len(java.named(TAKEN))


def shared_by_two(admin: AdminClient, group: Group) -> GroupDescription:
    """A group once two members have all of its four partitions."""
    return wait_until(
        lambda: describe_group(admin, group.id),
        lambda seen: seen.state == "STABLE" and shares(seen) == [2, 2],
        limit=LIMIT,
        what="two members with two partitions each",
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
    member = java_member(group, topic, java, "-java")
    javas = [java_client(*member, settings=QUICK)]
    first = group.add()
    group.wait_for_stable()
    javas[0].wait_for(GIVEN)
    javas.append(java_client(*member, settings=QUICK))
    second = group.add()
    group.wait_for_stable()
    moved = wait_until(
        lambda: partitions_told(javas[1], GIVEN),
        lambda got: len(got) == 2,
        limit=LIMIT,
        what="the second member of Java's to have its share",
    )
    python = Joined(told_of(group, first, Kind.REVOKE), told_of(group, second, Kind.ASSIGN))
    return python, Joined(partitions_told(javas[0], TAKEN), moved)


def joined_rows(python: Joined, java: Joined) -> list[dict[str, object]]:
    """What became of both groups, as rows of evidence."""
    return [
        {"what": "given up by the first", "librdkafka": python.taken, "Java": java.taken},
        {"what": "what the second has", "librdkafka": python.second, "Java": java.second},
    ]


def restarted_in_both(
    members: MembersMaker, java_client: JavaStarter, topic: str, identity: ClientConfig
) -> tuple[Restart, Restart]:
    """Restart one of two members of a group, once of librdkafka's client and once of Java's."""
    group = members(EAGER, topic, partitions=2, **{"session.timeout.ms": int(LONG_SESSION * 1000)})
    other_member = java_member(group, topic, RANGE, "-java")
    own = [f"--{key.replace('.', '-')}={value}" for key, value in identity.items()]
    java, java_other = (java_client(*other_member, *more, settings=QUICK) for more in (own, []))
    first, other = group.add(identity), group.add()
    group.wait_for_stable()
    java_before = wait_until(
        lambda: (last_told(java), last_told(java_other)),
        lambda seen: sorted(seen[0] + seen[1]) == [0, 1] and len(seen[0]) == 1,
        limit=LIMIT,
        what="Java's members to share",
    )[0]
    before, heard, java_heard = numbers(first), times_told(group, other), lines_told(java_other)

    java.close()
    with group.bounce(first):
        if not identity:
            group.wait_for_stable()
            wait_until(
                lambda: lines_told(java_other),
                lambda told: told >= java_heard + 2,
                limit=LIMIT,
                what="Java's other member to be told",
            )
        java = java_client(*other_member, *own, settings=QUICK)
    group.wait_for_stable()
    java_after = wait_until(
        lambda: last_told(java),
        lambda seen: len(seen) == 1,
        limit=LIMIT,
        what="Java's member to be back",
    )
    return (
        Restart(before, numbers(first), times_told(group, other) - heard),
        Restart(java_before, java_after, lines_told(java_other) - java_heard),
    )


def last_told(java: JavaClient) -> list[int]:
    """The partitions that Java's client was given last, where it has an assignor that is eager."""
    return partitions_told(java, GIVEN, since=len(java.named(GIVEN)) - 1)


def numbers(member: Member) -> list[int]:
    """The partitions that a member has."""
    return sorted(partition for _, partition in member.assignment)


def times_told(group: Group, member: Member) -> int:
    """How often a member was told of a change."""
    return sum(told[0].actor == member.name for told in callbacks(group))


def lag_by_isolation(consumer: ConsumerMaker, topic: str) -> dict[str, int | None]:
    """The lag of partition 0 as readers of committed records see it, and as others do."""
    return {
        level: lag_of(consumer({"isolation.level": level}), [(topic, 0)])[topic, 0]
        for level in ("read_committed", "read_uncommitted")
    }


class Spike(NamedTuple):
    """What a rebalance with slow hand-overs cost, partition by partition."""

    hand_over: float
    """the shortest time that a member took to hand over, in seconds"""
    silence: dict[int, float]
    """the longest time without a record, in seconds"""
    peak: dict[int, int]
    """the highest lag"""
    meanwhile: dict[int, int]
    """how many records were polled while all who gave up were handing over"""
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
                "polled in the time of the hand-overs": self.meanwhile[each],
                "its owner gave up nothing": each in self.innocent,
            }
            for each in sorted(self.silence)
        ]


def third_member_joins(
    group: Group, topic: str, producer: KafkaProducer, observer: Consumer
) -> Spike:
    """Let a third member join two that read a stream of records and hand over slowly."""
    joining = threading.Event()
    hand_overs: list[tuple[float, float]] = []
    places = [(topic, partition) for partition in range(3)]
    with flowing(producer, topic, 3) as arrived, sampled_lag(observer, places) as samples:

        def hand_over(*_: object) -> None:
            if not joining.is_set():
                return
            began, before = time.monotonic(), Counter(arrived)
            wait_until(
                lambda: min((Counter(arrived) - before)[each] for each in range(3)) >= HAND_OVER,
                limit=LIMIT,
                what="the member to finish its work",
            )
            wait_for_a_sample(samples)
            hand_overs.append((began, time.monotonic()))

        pair = [group.add(on_revoke=hand_over) for _ in range(2)]
        group.wait_for_stable()
        wait_until_calm(samples)
        joined = time.monotonic()
        joining.set()
        group.add(on_revoke=hand_over)
        group.wait_for_stable()
        wait_until_calm(samples)

    gave_up = {event.actor for event in group.history.of(Kind.REVOKE) if event.time > joined}
    kept = {
        partition for each in pair if each.name not in gave_up for _, partition in each.assignment
    }
    began, ended = max(began for began, _ in hand_overs), min(ended for _, ended in hand_overs)
    polled = Counter(
        each.partition
        for each in group.history.of(Kind.POLL, State.OK)
        if began < each.time < ended
    )
    return Spike(
        min(ended - began for began, ended in hand_overs),
        {partition: longest_silence(group, partition, joined) for partition in range(3)},
        {partition: highest(samples, (topic, partition), joined) for partition in range(3)},
        {partition: polled[partition] for partition in range(3)},
        kept,
        lag_lines(samples),
    )


@contextmanager
def flowing(producer: KafkaProducer, topic: str, partitions: int) -> Iterator[list[int | None]]:
    """Write RATE records a second to each partition in the background, while the block runs.

    Yields:
        For each record that has arrived its partition; more are added meanwhile.
    """
    arrived: list[int | None] = []

    def write() -> None:
        for partition in range(partitions):
            producer.produce(
                topic,
                b"x",
                partition=partition,
                on_delivery=lambda _, message: arrived.append(message.partition()),
            )
        producer.poll(0)

    with repeated(write, every=1 / RATE, what="the stream"):
        yield arrived


def wait_for_a_sample(samples: list[Sample]) -> None:
    """Wait until a sample has been taken that began after now."""
    # The next one may be under way.
    enough = len(samples) + 2
    wait_until(
        lambda: len(samples), lambda count: count >= enough, limit=LIMIT, what="a sample of the lag"
    )


def wait_until_calm(samples: list[Sample]) -> None:
    """Wait until a new sample tells that the lag of each partition is low."""
    wait_for_a_sample(samples)
    wait_until(
        lambda: samples[-1].lag.values(),
        lambda lags: all(lag is not None and lag < CALM for lag in lags),
        limit=LIMIT,
        what=f"the lag to be below {CALM}",
    )


def lag_lines(
    samples: Sequence[Sample],
) -> dict[str, list[tuple[float, float | None]]]:
    """The lag of each partition over time."""
    return {
        f"partition {place[1]}": [(each.time, each.lag[place]) for each in samples]
        for place in samples[0].lag
    }


def longest_silence(group: Group, partition: int, since: float) -> float:
    """The longest time since then in which no member polled a record of that partition."""
    times = [
        each.time for each in group.history.of(Kind.POLL, State.OK) if each.partition == partition
    ]
    # Its last record may have been polled before.
    return max(later - max(earlier, since) for earlier, later in pairwise(times))


def highest(samples: Sequence[Sample], place: tuple[str, int], since: float) -> int:
    """The highest lag of that partition."""
    return max(each.lag[place] or 0 for each in samples if each.time >= since)


class Listeners:
    """The component's listeners, one for each member that joins with one, and their common log."""

    def __init__(self, solutions: Solutions) -> None:
        self.changes: list[Change] = []
        self.made: list[Listener] = []
        self._solutions = solutions

    def join(self, group: Group) -> Member:
        """Add a member to the group that has a listener, and processes what it polls."""
        name = f"member-{len(self.made) + 1}"
        listener = self._solutions.rebalance.RebalanceListener(name, self.changes)
        self.made.append(listener)
        return group.add(
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


def told_by_callback(group: Group) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """What the members were told, callback by callback: member, kind, partitions."""
    return [
        (
            first.actor,
            first.kind.value,
            sorted(each.place for each in (first, *more) if each.partition is not None),
        )
        for first, *more in callbacks(group)
    ]


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
