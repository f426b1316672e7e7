"""Task 1.4: who is a member of a group, and for how long?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from operator import itemgetter
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from kafkalab.brokers import Broker
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ConsumerMaker, JavaStarter, MembersMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.librdkafka import librdkafka_defaults
from kafkalab.observe.groups import (
    CLASSIC_AND_KIP_848,
    EAGER,
    KIP_848,
    PROTOCOLS,
    STABLE_LIMIT,
    Group,
    Member,
    committed_offset,
    describe_group,
)
from kafkalab.observe.history import Kind, State
from kafkalab.observe.java_client import GIVEN, QUICK, RANGE, TAKEN, JavaClient, member_command
from kafkalab.observe.ownership import (
    BY_NUMBER,
    WHO_WAS_TOLD,
    group_rows,
    numbers,
    shares,
    times_told,
    told_of,
    told_rows,
)
from kafkalab.observe.topics import ADMIN_LIMIT, refusal
from kafkalab.waiting import wait_until

# Seconds after which the group misses a member that it does not hear of: where a test waits for
# that (KIP-848 has it from the broker), and one that never ends in a test.
SESSION, LONG_SESSION = 1.0, 30.0


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


def broker_setting(admin: AdminClient, broker: Broker, name: str) -> ConfigEntry:
    """A setting of a broker, with its source."""
    resource = ConfigResource(ResourceType.BROKER, str(broker.node_ids[0]))
    asked = admin.describe_configs([resource], request_timeout=ADMIN_LIMIT)
    entry: ConfigEntry = asked[resource].result(ADMIN_LIMIT)[name]
    return entry


@pytest.mark.fact("real-groups-are-patient", scope="librdkafka 2, classic")
def test_a_real_group_is_patient(evidence: Evidence) -> None:
    """By default a dead member is removed after 45 s, a slow one after 5 minutes without a poll.

    Heartbeats go every 3 s, and with the next one a classic member hears of a
    rebalance. The default assignor is range, which is eager.
    """
    defaults = librdkafka_defaults()

    evidence.table(
        "librdkafka, and what its documentation says that a property limits",
        [{"property": p, "default": defaults[p], "what it is": s} for p, s in PATIENCE.items()],
    )
    assert defaults["session.timeout.ms"] == "45000", "By default a session lasts 45 s."
    assert defaults["heartbeat.interval.ms"] == "3000", "By default a heartbeat goes every 3 s."
    assert defaults["max.poll.interval.ms"] == "300000", (
        "By default 5 minutes may pass between two polls."
    )
    assert defaults["partition.assignment.strategy"].split(",")[0] == "range", (
        "By default the first assignor is range."
    )


@pytest.mark.control("real-groups-are-patient", changes="the settings of this lab")
@pytest.mark.needs("quick_heartbeats")
def test_the_groups_of_this_lab_are_not(
    broker: Broker, admin: AdminClient, evidence: Evidence
) -> None:
    """The groups of this lab are not patient: the lab sets shorter sessions and heartbeats."""
    defaults = librdkafka_defaults()

    session = broker_setting(admin, broker, "group.consumer.session.timeout.ms")

    source = ConfigSource(session.source).name
    lab = {**defaults, **EAGER}
    rows = [{"property": p, "default": defaults[p], "lab": lab[p]} for p in PATIENCE]
    evidence.table("Classic members of this lab", rows)
    evidence.table("KIP-848", [{"property": session.name, "lab": session.value, "from": source}])
    assert EAGER["session.timeout.ms"] < int(defaults["session.timeout.ms"]), (
        "The lab's classic sessions are shorter than the default."
    )
    assert EAGER["heartbeat.interval.ms"] < int(defaults["heartbeat.interval.ms"]), (
        "The lab's classic heartbeats come sooner than by default."
    )
    assert int(session.value or 0) < int(defaults["session.timeout.ms"]), (
        "The lab's KIP-848 sessions are shorter than the client's default."
    )
    assert source != "DEFAULT_CONFIG", "The broker's session is set by the lab, and is no default."


@pytest.mark.fact("heartbeats-are-not-polls", scope="librdkafka, classic and KIP-848")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_a_member_that_does_not_poll_is_still_a_member(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that does not poll stays a member after its session: its client sends heartbeats.

    A thread of the client sends them, even if your own code is busy or stuck, up to
    `max.poll.interval.ms`. A killed process sends none: one is killed beside it, and
    when its group has removed it, a session has ended.
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
        limit=STABLE_LIMIT,
        what="the killed to be missed",
    )

    seen = {each: describe_group(admin, group.id) for each, group in hanging.items()}
    evidence.table("Groups whose member hangs, once the killed are missed", group_rows(seen))
    evidence.table("Groups whose member was killed, at the same time", group_rows(missed))
    assert {each.state for each in seen.values()} == {"STABLE"}, (
        "The groups whose member hangs are still stable."
    )
    assert [shares(each) for each in seen.values()] == [[2], [2]], (
        "Each member that hangs still owns both partitions."
    )
    assert {each.state for each in missed.values()} == {"EMPTY"}, (
        "The groups whose member was killed are empty."
    )


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
    # A broker may refuse so short a session; its own is longer then.
    if refused is not None and refused.code() != KafkaError.INVALID_CONFIG:
        raise KafkaException(refused)


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


@pytest.mark.fact("leaving-or-dying", scope="librdkafka, dynamic members, classic and KIP-848")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_leaves_hands_over_at_once(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence, protocol: str
) -> None:
    """If a member closes, the others get its partitions long before its session could end.

    They hear of it with their next heartbeat: within 3 s by default in a classic
    group, within 5 s under KIP-848.
    """
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
    assert seconds < LONG_SESSION / 2, (
        "The partitions are taken over long before a session could end."
    )


@pytest.mark.control("leaving-or-dying", changes="it is killed, and its session is 1 s")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_dies_keeps_its_partitions_for_a_session(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If a member is killed, it keeps its partitions until its session ends; nobody reads them."""
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
    assert min(seconds.values()) > SESSION / 2, (
        "Nobody takes the partitions over before the dead member's session can end."
    )


# What a slow member may take between two polls; classic takes none below the session.
SHORT_INTERVAL = {"max.poll.interval.ms": 1000}


def own_row(what: str, member: Member, evidence: Evidence) -> dict[str, Any]:
    """What a member takes for its own now, as a row among those of what it was told."""
    own = sorted(partition for _, partition in member.assignment)
    return {
        "seconds": evidence.since(time.monotonic()),
        "member": member.name,
        "what happened": f"{what}, and believes it owns",
        BY_NUMBER: own,
    }


@pytest.mark.fact(
    "slow-processing-loses-partitions",
    scope="librdkafka, dynamic members, classic and KIP-848",
)
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_polls_too_seldom_loses_its_partitions(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If a member polls later than `max.poll.interval.ms`, the others get its partitions.

    It learns of that at its next poll, by on_lost. Until then it takes them for
    its own, and so does its code that is still busy with a record. The other
    member has the same interval and polls in time, so it loses nothing.
    """
    name = topic(partitions=2)
    groups = impatient_groups(CLASSIC_AND_KIP_848, members, name)
    slow = {protocol: group.add(SHORT_INTERVAL) for protocol, group in groups.items()}
    quick = {protocol: group.add(SHORT_INTERVAL) for protocol, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    happened = {protocol: [own_row("hangs", member, evidence)] for protocol, member in slow.items()}
    for protocol, member in slow.items():
        groups[protocol].hang(member)
    after = {protocol: group.wait_for_stable() for protocol, group in groups.items()}
    believed = {protocol: len(member.assignment) for protocol, member in slow.items()}
    for protocol, member in slow.items():
        happened[protocol].append(own_row("polls again", member, evidence))
        member.wake()
        groups[protocol].wait_until_told(member, Kind.LOST)

    lost = {
        protocol: [len(told_of(group, each[protocol], Kind.LOST)) for each in (slow, quick)]
        for protocol, group in groups.items()
    }
    evidence.table(
        "The groups when the other member has taken over, and the first still hangs",
        group_rows(after),
    )
    for protocol, rows in happened.items():
        rows += told_rows(groups[protocol], evidence.since)
        evidence.table(
            f"{protocol}. {WHO_WAS_TOLD}",
            sorted(rows, key=itemgetter("seconds")),
            look="Where a member hangs and where it polls again, the partitions are those that it "
            "takes for its own. Assign, revoke and lost are its callbacks.",
        )
    assert [shares(each) for each in after.values()] == [[2], [2]], (
        "The quick member has all partitions."
    )
    assert set(believed.values()) == {1}, "The slow member still believes in its one partition."
    assert set(map(tuple, lost.values())) == {(1, 0)}, (
        "At its next poll the slow member learns of its loss; the quick member lost nothing."
    )


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


@pytest.mark.fact(
    "stale-commit-is-refused", scope="librdkafka, dynamic members, classic and KIP-848"
)
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_who_was_thrown_out_cannot_commit(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """A member that has fallen out of its group cannot commit, even before it knows of that.

    Here it polls too late: its client leaves the group, and its code does not know.
    Otherwise it would move the commit of the member that owns its partitions now.
    """
    name = topic(partitions=2)
    groups = impatient_groups(CLASSIC_AND_KIP_848, members, name)
    slow = {protocol: group.add(SHORT_INTERVAL) for protocol, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    for protocol, member in slow.items():
        groups[protocol].hang(member)
    for group in groups.values():
        group.add()
        group.wait_for_stable()
    refused = {protocol: refused_commit(member, name) for protocol, member in slow.items()}

    evidence.table(
        "Its commit of offset 7, before it polls again",
        [{"protocol": p, "raised": e.name()} for p, e in refused.items()],
    )
    assert {error.code() for error in refused.values()} == {KafkaError.UNKNOWN_MEMBER_ID}, (
        "The commit is refused, as the group does not know the member any more."
    )


@pytest.mark.control("stale-commit-is-refused", changes="the member polled in time")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_the_owner_can_commit(
    topic: TopicMaker, members: MembersMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If the member polls in time, it can commit for its partition."""
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
    assert committed == dict.fromkeys(groups, 7), "The owner's commit of offset 7 is there."


@pytest.mark.control(
    "stale-commit-is-refused", changes="it gave the partition up in a rebalance, and is a member"
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_gave_a_partition_up_can_still_commit(
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """After an ordinary rebalance a commit for a partition that moved to another member is taken.

    So a member that processes on in the background, and commits late, moves the
    commit of the new owner back.
    """
    name = topic(partitions=2)
    group = members(PROTOCOLS[protocol], name, partitions=2)
    first = group.add()
    group.wait_for_stable()
    second = group.add()
    group.wait_for_stable()
    ((_, moved),) = second.assignment

    first.do(commits(name, moved, 7))

    given_up = told_of(group, first, Kind.REVOKE)
    committed = committed_offset(consumer(), name, moved)
    evidence.table(
        "Offset 7 is committed by the member that gave the partition up",
        [{"partition": moved, "given up": given_up, "committed then": committed}],
    )
    assert moved in given_up, "The partition was the first member's, which gave it up."
    assert committed == 7, "The first member's commit of offset 7 is there."


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

    The owner does not learn of it. At the next start the group goes on at that
    commit.
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
    assert foreign not in numbers(first), "The member that commits does not own the partition."
    assert committed == 7, (
        "The commit of offset 7 is there, though another member owns the partition."
    )


@pytest.mark.control("nobody-checks-ownership", changes="the consumer that commits is no member")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_an_outsider_may_not_commit(
    topic: TopicMaker,
    members: MembersMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If a group has members, a consumer that is none of them cannot commit for it."""
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
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID, (
        "The commit is refused, as the group does not know its sender."
    )
    assert committed is None, "Nothing is committed."


STATIC = {"group.instance.id": "one"}


class Restart(NamedTuple):
    """The restart of one of two members."""

    before: list[int]
    """its partitions"""
    after: list[int]
    told: int
    """how often the other member was told something"""


def restart_one_of_two(
    static: Mapping[str, Group], dynamic: Mapping[str, Group]
) -> tuple[dict[str, Restart], dict[str, Restart]]:
    """In each group restart one of two members: with an id in the static ones, without elsewhere.

    It is away until the other member of each dynamic group has learned of it.
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


RESTARTS: Mapping[str, Callable[[tuple[str, Restart]], object]] = {
    "protocol": lambda each: each[0],
    "partition that it had before, by number": lambda each: each[1].before,
    "partition that it has after": lambda each: each[1].after,
    "callbacks of the other member": lambda each: each[1].told,
}


def patient_groups(
    admin: AdminClient, members: MembersMaker, topic: str, ending: str
) -> dict[str, Group]:
    """A group for each protocol, with sessions that outlast the test."""
    groups = groups_of(PROTOCOLS, members, topic, ending)
    for group in groups.values():
        set_session(admin, group, LONG_SESSION)
    return groups


@pytest.mark.fact("static-membership", scope="librdkafka, any assignor, classic and KIP-848")
def test_a_static_member_restarts_unnoticed(
    admin: AdminClient, topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If a member with a `group.instance.id` restarts within its session, nothing moves.

    Its partitions wait for it, and nobody reads them meanwhile. So a rolling
    deployment moves nothing. Without an id the other member gets its
    partitions, and gives them back.
    """
    name = topic(partitions=2)
    static, dynamic = (
        patient_groups(admin, members, name, ending=f"-{kind}") for kind in ("static", "dynamic")
    )

    restarts, others = restart_one_of_two(static, dynamic)

    evidence.table(
        "A member with an id closes, and starts again",
        restarts.items(),
        RESTARTS,
        look="The other member is told nothing: no rebalance.",
    )
    evidence.table(
        "A member without an id closes, and starts again",
        others.items(),
        RESTARTS,
        look="The other member is told of the leaving and of the coming back.",
    )
    assert all(each.after == each.before for each in restarts.values()), (
        "The member has its partition back."
    )
    assert {each.told for each in restarts.values()} == {0}, "The other member is told nothing."
    assert min(each.told for each in others.values()) >= 2, (
        "Without an id the other member is told of the leaving and of the coming back."
    )


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
        limit=STABLE_LIMIT,
        what="an error of one of the two",
    )

    which = {old.name: "the one that had the id first", new.name: "the one that came with it later"}
    evidence.table(
        "Errors that poll() gave",
        [{"member": which[each.actor], "error": each.value} for each in thrown_out],
    )
    expected = {"classic": old, "KIP-848": new}[protocol]
    assert [(each.actor, each.value) for each in thrown_out] == [(expected.name, b"_FATAL")], (
        "One member gets a fatal error: the old one under classic, the new one under KIP-848."
    )


def seconds_to_hand_over(
    protocols: Mapping[str, Mapping[str, Any]],
    members: MembersMaker,
    topic: str,
    identity: ClientConfig,
) -> dict[str, float]:
    """How long the partition of a member that closes has nobody; its session is SESSION."""
    ending = "-static" if identity else "-dynamic"
    groups = impatient_groups(protocols, members, topic, ending)
    leavers = {protocol: group.add(identity) for protocol, group in groups.items()}
    heirs = {protocol: group.add() for protocol, group in groups.items()}
    for group in groups.values():
        group.wait_for_stable()

    closed = {}
    for protocol, group in groups.items():
        closed[protocol] = time.monotonic()
        group.remove(leavers[protocol])
    for group in groups.values():
        group.wait_for_stable()
    return {
        each: round(last_assignment(groups[each], heirs[each]) - closed[each], 3) for each in groups
    }


@pytest.mark.fact("static-member-gone", scope="librdkafka, any assignor, classic and KIP-848")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_a_static_member_that_stays_away_keeps_its_partitions(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """If a static member closes and stays away, nobody reads its partitions for a session.

    The group cannot know that it does not come back: that is the price of a
    restart that nobody notices.
    """
    name = topic(partitions=2)

    seconds = seconds_to_hand_over(PROTOCOLS, members, name, STATIC)

    evidence.table(
        f"A member with an id closes; its session is {SESSION:.0f} s",
        [{"protocol": p, "taken over after seconds": s} for p, s in seconds.items()],
    )
    # The session counts from the last heartbeat, which can be 150 ms old, or more under load.
    assert min(seconds.values()) > SESSION / 2, (
        "Nobody takes the partition over before the session can end."
    )


@pytest.mark.control("static-member-gone", changes="no group.instance.id")
@pytest.mark.needs("short_sessions", "quick_heartbeats")
def test_a_dynamic_member_that_closes_hands_over(
    topic: TopicMaker, members: MembersMaker, evidence: Evidence
) -> None:
    """Without an id the partition is taken over at once, while that of a static member waits."""
    name = topic(partitions=2)

    dynamic = seconds_to_hand_over(PROTOCOLS, members, name, {})
    static = seconds_to_hand_over(PROTOCOLS, members, name, STATIC)

    evidence.table(
        f"Taken over after so many seconds; the session is {SESSION:.0f} s",
        [{"protocol": p, "without an id": dynamic[p], "with one": static[p]} for p in PROTOCOLS],
    )
    assert max(dynamic.values()) < min(static.values()), (
        "Each partition of a member without an id is taken over sooner than those of a static one."
    )


def restarted_in_both(
    members: MembersMaker, java_client: JavaStarter, topic: str, identity: ClientConfig
) -> tuple[Restart, Restart]:
    """Restart one of two members of a group, once of librdkafka's client and once of Java's."""
    group = members(EAGER, topic, partitions=2, **{"session.timeout.ms": int(LONG_SESSION * 1000)})
    other_member = member_command(f"{group.id}-java", topic, RANGE)
    own = [f"--{key.replace('.', '-')}={value}" for key, value in identity.items()]
    java, java_other = (java_client(*other_member, *more, settings=QUICK) for more in (own, []))
    first, other = group.add(identity), group.add()
    group.wait_for_stable()
    java_before = wait_until(
        lambda: (last_told(java), last_told(java_other)),
        lambda seen: sorted(seen[0] + seen[1]) == [0, 1] and len(seen[0]) == 1,
        limit=STABLE_LIMIT,
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
                limit=STABLE_LIMIT,
                what="Java's other member to be told",
            )
        java = java_client(*other_member, *own, settings=QUICK)
    group.wait_for_stable()
    java_after = wait_until(
        lambda: last_told(java),
        lambda seen: len(seen) == 1,
        limit=STABLE_LIMIT,
        what="Java's member to be back",
    )
    return (
        Restart(before, numbers(first), times_told(group, other) - heard),
        Restart(java_before, java_after, lines_told(java_other) - java_heard),
    )


def last_told(java: JavaClient) -> list[int]:
    """The partitions that Java's client was given last, where it has an assignor that is eager."""
    return java.partitions(GIVEN, since=len(java.named(GIVEN)) - 1)


def lines_told(java: JavaClient) -> int:
    """How often Java's client was told of a change."""
    return len(java.named(GIVEN)) + len(java.named(TAKEN))


@pytest.mark.fact("javas-static-member-too", scope="classic, both clients")
@pytest.mark.needs("jars")
def test_a_static_member_of_java_restarts_unnoticed(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """If a static member of Java's client restarts, nothing moves, as with librdkafka's.

    There is a group for each client, and in both the other member hears of
    nothing.
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
        assert seen.after == seen.before, "The member has its partition back."
        assert seen.told == 0, "The other member is told nothing."


@pytest.mark.control("javas-static-member-too", changes="no group.instance.id")
@pytest.mark.needs("jars")
def test_without_an_id_a_restart_is_noticed_by_both(
    topic: TopicMaker, members: MembersMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """Without an id a restart is a leaving and a joining, and moves partitions twice."""
    name = topic(partitions=2)

    python, java = restarted_in_both(members, java_client, name, {})

    evidence.table(
        "A member without an id closes, and starts again",
        [{"what": "callbacks of the other", "librdkafka": python.told, "Java": java.told}],
    )
    assert min(python.told, java.told) >= 2, (
        "The other member is told of the leaving and of the coming back, by both clients."
    )
