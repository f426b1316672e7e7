"""Task 1.3: what does a group remember, and where does its reader begin?"""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import (
    CLASSIC_AND_KIP_848,
    EAGER,
    KIP_848,
    PROTOCOLS,
    OnRebalance,
    commit_offset,
    committed_offset,
    describe_group,
    join,
)
from kafkalab.observe.records import (
    KNOWS_ENDS,
    SENTINEL,
    TEN,
    error_of,
    events_until,
    poll_until,
    position_of,
    send,
    values_to_end,
    values_until,
    wait_for_error,
    watermarks,
)
from kafkalab.waiting import wait_until

# What a group remembers


AUTO_COMMIT = {"enable.auto.commit": True, "auto.commit.interval.ms": 20}


@pytest.mark.fact("position-is-not-committed", scope="any client, enable.auto.commit=false")
def test_reading_moves_the_position_and_commits_nothing(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Reading moves the consumer's position, and leaves the group's commit as it is.

    After a crash the group goes on at the commit, not at the position; without a
    commit `auto.offset.reset` decides.
    """
    name, reader = topic(), consumer()
    twin = consumer({**AUTO_COMMIT, "group.id": f"{group}-twin"})
    send(producer(), name, [b"a", b"b", b"c"])

    for each in (reader, twin):
        each.assign([TopicPartition(name, 0, 0)])
        poll_until(each, lambda records: len(records) == 3, what="three records")

    # A twin that began later has committed: were it for time alone, the reader would have, too.
    wait_until(
        lambda: committed_offset(twin, name),
        lambda offset: offset == 3,
        limit=20,
        what="the twin's timer to commit",
    )

    position, committed = position_of(reader, name), committed_offset(reader, name)
    evidence.table(
        "After reading three",
        [{"position": position, "committed": committed}],
        look="The position has moved on, and there is no commit: after a crash now "
        "auto.offset.reset would decide where the group begins.",
    )
    assert position == 3, "The position is the next record to read."
    assert committed is None, "Nothing is committed: there is no commit, which is not 0."


@pytest.mark.control("position-is-not-committed", changes="the consumer commits")
def test_after_a_commit_both_agree(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """After a commit the committed offset is the consumer's position."""
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])
    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")

    reader.commit(asynchronous=False)

    position, committed = position_of(reader, name), committed_offset(reader, name)
    evidence.table("After the commit", [{"position": position, "committed": committed}])
    assert position == committed == 3, "Position and commit are both 3."


@pytest.mark.fact("reset-only-without-a-commit", scope="librdkafka's names; Java's none is error")
def test_without_a_commit_reset_decides(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Without a commit `auto.offset.reset` decides where a group begins.

    earliest means at the start; latest, the default, at the end. With error the
    group does not begin, and the consumer gets an error.
    """
    name, writer = topic(), producer()
    send(writer, name, [b"a", b"b"])
    readers = {
        reset: consumer({**KNOWS_ENDS, "group.id": f"{group}-{reset}", "auto.offset.reset": reset})
        for reset in ("earliest", "latest", "error")
    }
    for reader in readers.values():
        reader.subscribe([name])

    # When latest has reported the end it has begun; what is written now is new to it.
    early = values_to_end(readers["latest"])
    send(writer, name, [SENTINEL])

    seen = {reset: values_until(readers[reset], SENTINEL) for reset in ("earliest", "latest")}
    seen["latest"] = [*early, *seen["latest"]]
    told = wait_for_error(readers["error"], KafkaError._AUTO_OFFSET_RESET)
    evidence.table(
        "Read before the record that was sent when latest had begun",
        [{"auto.offset.reset": r, "values": v} for r, v in seen.items()],
        look="The values were in the log before the groups came.",
    )
    evidence.note("With error, poll() gives an error: {}", told)
    assert seen == {"earliest": [b"a", b"b"], "latest": []}, (
        "With earliest the group begins at the start, with latest at the end."
    )


@pytest.mark.control("reset-only-without-a-commit", changes="the group has committed offset 1")
@pytest.mark.parametrize("reset", ["earliest", "latest", "error"])
def test_with_a_commit_reset_is_not_asked(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    reset: str,
) -> None:
    """With a commit the group goes on at the commit, whatever `auto.offset.reset` says."""
    name, reader = topic(), consumer({"auto.offset.reset": reset})
    send(producer(), name, [b"a", b"b", SENTINEL])
    commit_offset(admin, group, name, 1)

    reader.subscribe([name])

    seen = values_until(reader, SENTINEL)
    evidence.note(
        "With {} and offset 1 committed, read before the record that was sent last: {}", reset, seen
    )
    assert seen == [b"b"], "The group goes on at its commit, offset 1."


def read_from_commit(reader: Consumer, topic: str) -> list[bytes | None]:
    """The values that a group's only member reads, up to the end of the log."""
    reader.subscribe([topic])
    return values_to_end(reader)


@pytest.mark.fact("commit-outside-the-log-resets", scope="any client")
@pytest.mark.parametrize(
    ("commit", "reset", "values"),
    [(999, "earliest", [b"c", b"d"]), (1, "latest", [])],
    ids=["beyond the end", "below the start"],
)
def test_a_commit_outside_the_log_resets(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    commit: int,
    reset: str,
    values: list[bytes],
) -> None:
    """A commit outside the log is accepted, and then counts as none: `auto.offset.reset` decides.

    Retention can delete what a commit points to. With `latest` the group then
    jumps to the end without a word, past all that it has not read.
    """
    name, reader = topic(), consumer({**KNOWS_ENDS, "auto.offset.reset": reset})
    send(producer(), name, [b"a", b"b", b"c", b"d"])
    next(iter(admin.delete_records([TopicPartition(name, 0, 2)]).values())).result(20)
    commit_offset(admin, group, name, commit)

    seen = read_from_commit(reader, name)

    log, committed = watermarks(reader, name), committed_offset(reader, name)
    evidence.table(
        "A group begins to read; enable.auto.commit=false",
        [
            {
                "start and end of the log": log,
                "auto.offset.reset": reset,
                "values read": seen,
                "committed when they were read": committed,
            }
        ],
        look="Compare where reading began with what was committed.",
    )
    assert seen == values, "The group begins where auto.offset.reset says."
    assert committed == commit, "The commit stays until the next one."


@pytest.mark.control(
    "commit-outside-the-log-resets", changes="the commit is exactly at the end, or at the start"
)
@pytest.mark.parametrize(
    ("commit", "reset", "values"),
    [(4, "earliest", []), (2, "latest", [b"c", b"d"])],
    ids=["at the end", "at the start"],
)
def test_a_commit_at_the_edge_does_not_reset(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    commit: int,
    reset: str,
    values: list[bytes],
) -> None:
    """A commit exactly at the start or at the end is inside the log: the group goes on there."""
    name, reader = topic(), consumer({**KNOWS_ENDS, "auto.offset.reset": reset})
    send(producer(), name, [b"a", b"b", b"c", b"d"])
    next(iter(admin.delete_records([TopicPartition(name, 0, 2)]).values())).result(20)
    commit_offset(admin, group, name, commit)

    seen = read_from_commit(reader, name)

    log, committed = watermarks(reader, name), committed_offset(reader, name)
    evidence.table(
        "A group begins to read; enable.auto.commit=false",
        [
            {
                "start and end of the log": log,
                "auto.offset.reset": reset,
                "values read": seen,
                "committed when they were read": committed,
            }
        ],
    )
    assert seen == values, "The group begins at its commit."


@pytest.mark.fact("assign-joins-no-group", scope="any client")
def test_assign_joins_no_group(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """`assign()` makes no member of the group, and yet the consumer may commit for it.

    It may do so as long as the group has no member. No rebalance moves its
    partitions, and it moves nobody else's.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b"])

    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 2, what="two records")
    reader.commit(asynchronous=False)

    described = describe_group(admin, group)
    evidence.table("The group", [{"state": described.state, "members": len(described.assignments)}])
    assert described.assignments == (), "The group has no member."
    assert committed_offset(consumer(), name) == 2, "The group has a commit."


@pytest.mark.control("assign-joins-no-group", changes="another consumer subscribes")
def test_subscribe_makes_a_member(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """`subscribe()` makes a member; while the group has one, an outsider may not commit."""
    name, member, outsider = topic(), consumer(), consumer()
    join([member], name, partitions=1)
    send(producer(), name, [b"a"])

    described = describe_group(admin, group)
    with pytest.raises(KafkaException) as refused:
        outsider.commit(offsets=[TopicPartition(name, 0, 1)], asynchronous=False)

    evidence.table("The group", [{"state": described.state, "members": len(described.assignments)}])
    evidence.note(
        "commit() by a second consumer, which did not subscribe: {}", refused.value.args[0]
    )
    assert described.assignments == (((name, 0),),), (
        "The group has one member, with the one partition."
    )
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID, (
        "The outsider's commit is refused, as the group does not know it."
    )


@pytest.mark.fact("callbacks-wait-for-poll", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_callbacks_wait_for_poll(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """After `subscribe()` a member gets partitions by itself, but learns of them only in `poll()`.

    To the group it owns them, so no other member reads them, while its own code
    knows nothing of it yet.
    """
    name, reader = topic(partitions=3), consumer(CLASSIC_AND_KIP_848[protocol])
    assigned: list[int] = []

    reader.subscribe([name], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    described = wait_until(
        lambda: describe_group(admin, group),
        lambda seen: seen.state == "STABLE" and [len(each) for each in seen.assignments] == [3],
        limit=30,
        what="the group to be stable, its member with three partitions",
    )

    evidence.table(
        "After subscribe(), without a poll()",
        [
            {
                "state of the group": described.state,
                "partitions of its member": [len(each) for each in described.assignments],
                "calls of on_assign": len(assigned),
            }
        ],
    )
    assert assigned == [], "No callback has come."
    assert reader.assignment() == [], "The consumer knows of no partition."


@pytest.mark.control("callbacks-wait-for-poll", changes="the member polls")
def test_polling_brings_the_callback(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """poll() calls back with all partitions of the member."""
    name, reader = topic(partitions=3), consumer()
    assigned: list[int] = []

    reader.subscribe([name], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    events_until(reader, lambda _: bool(assigned), what="the callback")

    evidence.note("After polling, partitions of each call of on_assign: {}", assigned)
    assert assigned == [3], "The callback has all three partitions."


def errors_until_sentinel(reader: Consumer) -> list[KafkaError]:
    """The errors that a consumer polls before the sentinel of a topic that is there."""
    events = events_until(
        reader,
        lambda seen: bool(seen) and seen[-1].value() == SENTINEL,
        what="the known topic's record",
    )
    return [error for each in events if (error := error_of(each))]


@pytest.mark.fact("unknown-topic-is-reported", scope="librdkafka, classic")
def test_subscribing_to_an_unknown_topic_is_reported(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """In a classic group, if you subscribe to an unknown topic, `poll()` gives an error event.

    It is an event among records: code that looks only at values misses it.
    """
    unknown, known, reader = topic.name(), topic(), consumer(EAGER)
    send(producer(), known, [SENTINEL])

    reader.subscribe([unknown, known])
    told = errors_until_sentinel(reader)

    evidence.rename({unknown: "missing", known: "known"})
    evidence.table(
        "Errors that poll() gave before the record of topic known; topic missing does not exist",
        [{"group.protocol": "classic", "errors": told}],
    )
    assert {each.code() for each in told} == {KafkaError.UNKNOWN_TOPIC_OR_PART}, (
        "An event comes that is an error: the topic is unknown."
    )


@pytest.mark.control("unknown-topic-is-reported", changes="group.protocol=consumer, KIP-848")
def test_a_group_of_kip_848_says_nothing_of_an_unknown_topic(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Under KIP-848 nothing is said: the known topic's records come, and no error before them."""
    unknown, known, reader = topic.name(), topic(), consumer(KIP_848)
    send(producer(), known, [SENTINEL])

    reader.subscribe([unknown, known])
    told = errors_until_sentinel(reader)

    evidence.rename({unknown: "missing", known: "known"})
    evidence.table(
        "Errors that poll() gave before the record of topic known; topic missing does not exist",
        [{"group.protocol": "consumer", "errors": told}],
    )
    assert told == [], "No event is an error."


@pytest.mark.control("unknown-topic-is-reported", changes="the topics are assigned")
def test_assigning_an_unknown_topic_is_not_reported(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If you assign a topic that does not exist, no error comes before another topic's records."""
    unknown, known, reader = topic.name(), topic(), consumer(EAGER)
    send(producer(), known, [SENTINEL])

    reader.assign([TopicPartition(unknown, 0, 0), TopicPartition(known, 0, 0)])
    told = errors_until_sentinel(reader)

    evidence.rename({unknown: "missing", known: "known"})
    evidence.table(
        "Errors that poll() gave before the record of topic known; topic missing does not exist",
        [{"assigned": [unknown, known], "errors": told}],
    )
    assert told == [], "No event is an error."


def on_assign_from(offset: int, protocol: ClientConfig) -> OnRebalance:
    """What a member does that keeps its offsets elsewhere: it assigns with an offset of its own."""

    def on_assign(reader: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            each.offset = offset
        # Where members keep what stays, only what comes is assigned.
        is_eager = protocol == EAGER
        (reader.assign if is_eager else reader.incremental_assign)(partitions)

    return on_assign


@pytest.mark.fact("own-offsets-on-assign", scope="librdkafka, in three protocols")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_offsets_of_ones_own_are_assigned_in_on_assign(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A member that assigns with offsets of its own, in `on_assign`, begins there.

    The group's commit is not asked. So a result and its offset can be stored
    together, in one transaction of a database; the group only divides the
    partitions.
    """
    name, reader, mine = topic(), consumer(PROTOCOLS[protocol]), 3
    send(producer(), name, [b"%d" % number for number in range(5)])
    send(producer(), name, [SENTINEL])
    commit_offset(admin, group, name, 1)

    reader.subscribe([name], on_assign=on_assign_from(mine, PROTOCOLS[protocol]))

    seen = values_until(reader, SENTINEL)
    evidence.table(
        "A member reads 0 to 4, its values being their offsets",
        [
            {
                "the group has committed": committed_offset(consumer(), name),
                "assigned with": mine,
                "read": seen,
            }
        ],
    )
    assert seen == [b"3", b"4"], "The member begins at the offset that it gave itself."


@pytest.mark.control("own-offsets-on-assign", changes="there is no on_assign")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_on_assign_the_groups_offset_counts(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Without `on_assign` a member begins at its group's commit."""
    name, reader = topic(), consumer(PROTOCOLS[protocol])
    send(producer(), name, [b"%d" % number for number in range(5)])
    send(producer(), name, [SENTINEL])
    commit_offset(admin, group, name, 1)

    reader.subscribe([name])

    seen = values_until(reader, SENTINEL)
    evidence.table(
        "A member reads 0 to 4, its values being their offsets",
        [{"the group has committed": committed_offset(consumer(), name), "read": seen}],
    )
    assert seen == [b"1", b"2", b"3", b"4"], "The member begins at the commit of the group."


# Only close() commits: a timer of an hour does not in between.
COMMITS_AT_THE_END = {"enable.auto.commit": True, "auto.commit.interval.ms": 3_600_000}


@pytest.mark.fact("consume-hands-over-in-bulk", scope="librdkafka, enable.auto.commit=true")
def test_what_consume_takes_counts_as_handed_over(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """All records that `consume(n)` returns count as handed over at once, processed or not.

    With auto-commit all of them are committed. If you stop in the middle of the
    list, you have skipped the rest.
    """
    name, reader = topic(), consumer(COMMITS_AT_THE_END)
    send(producer(), name, TEN)

    reader.assign([TopicPartition(name, 0, 0)])
    taken = reader.consume(10, timeout=20)
    processed = [each.value() for each in taken[:3]]
    reader.close()

    committed = committed_offset(consumer(), name)
    evidence.table(
        "Ten records, of which the consumer processes three before it closes",
        [{"returned": len(taken), "processed": processed, "committed": committed}],
        look="The commit says that all that was returned is done.",
    )
    assert len(taken) == 10, "One call returns all ten records."
    assert committed == 10, "All ten are committed, though three were processed."


@pytest.mark.control("consume-hands-over-in-bulk", changes="poll(), one record at a time")
def test_poll_hands_over_one_by_one(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """What `poll()` has returned counts as handed over, one record at a time, and no more."""
    name, reader = topic(), consumer(COMMITS_AT_THE_END)
    send(producer(), name, TEN)

    reader.assign([TopicPartition(name, 0, 0)])
    taken = poll_until(reader, lambda records: len(records) == 3, what="three records")
    processed = [each.value() for each in taken]
    reader.close()

    committed = committed_offset(consumer(), name)
    evidence.table(
        "Ten records, of which the consumer processes three before it closes",
        [{"returned": len(taken), "processed": processed, "committed": committed}],
    )
    assert committed == 3, "Only the three that were processed are committed."
