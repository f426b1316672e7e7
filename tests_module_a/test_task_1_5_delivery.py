"""Task 1.5: what is lost, what comes twice, and who promises what?

These are facts about Kafka: they use plain clients and hold whatever you write. More
follow in test_task_1_5_crashes.py and test_task_1_5_transactions.py, and those about the
component in test_task_1_5_component.py.
"""

from __future__ import annotations

import struct
import sys
import time

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ChildStarter, ConsumerMaker, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.children import Say, crash
from kafkalab.observe.groups import (
    CLASSIC_AND_KIP_848,
    EAGER,
    committed_offset,
    describe_group,
    join,
    leave,
)
from kafkalab.observe.records import (
    SENTINEL,
    TEN,
    poll_until,
    read_on,
    read_to_sentinel,
    reading,
    refused_by,
    send,
    take,
    watermarks,
)
from kafkalab.observe.topics import refusal
from kafkalab.waiting import wait_until


@pytest.mark.fact(
    "commit-is-the-next-offset", scope="any client; commit(message) is confluent-kafka's"
)
def test_a_commit_is_the_next_offset(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A commit names the next offset to read: `commit(message)` commits its offset plus one."""
    name, reader = topic(), consumer()
    send(producer(), name, [*TEN, SENTINEL])
    last = take(reader, name, 4)[-1]

    reader.commit(message=last, asynchronous=False)

    committed, after = committed_offset(consumer(), name), read_on(consumer(), name)
    evidence.table(
        "Committed",
        [
            {
                "offset of the last record read": last.offset(),
                "committed": committed,
                "first record of the next process": after[0],
            }
        ],
        look="The commit is one more than the record's offset, and is the next to be read.",
    )
    assert (last.offset(), committed) == (3, 4), "The commit is the record's offset plus one."
    assert after[0] == b"4", "The next process begins with the record after it."


@pytest.mark.control(
    "commit-is-the-next-offset", changes="the commit names the record's own offset"
)
def test_committing_the_offset_of_a_record_repeats_it(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If you commit the last record's own offset instead of the next one, that record repeats."""
    name, reader = topic(), consumer()
    send(producer(), name, [*TEN, SENTINEL])
    last = take(reader, name, 4)[-1]

    reader.commit(offsets=[TopicPartition(name, 0, 3)], asynchronous=False)

    committed, after = committed_offset(consumer(), name), read_on(consumer(), name)
    evidence.table(
        "Committed",
        [
            {
                "offset of the last record read": last.offset(),
                "committed": committed,
                "first record of the next process": after[0],
            }
        ],
        look="The commit is the record's own offset, so that record is read again.",
    )
    assert (last.offset(), committed) == (3, 3), "The commit is the record's own offset."
    assert after[0] == last.value() == b"3", "The next process begins with that record again."


@pytest.mark.fact(
    "commit-is-asynchronous", scope="confluent-kafka, whose commit() does not wait by default"
)
def test_a_commit_is_asynchronous(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`commit()` returns before the broker has answered; only `on_commit` reports a refusal.

    `on_commit` is called in `poll()`, consume() or close(), and not before. The
    consumer that commits is no member of the group, so the broker refuses it.
    """
    name, member, told = topic(), consumer(), []
    outsider = consumer({"on_commit": lambda error, _: told.append(error)})
    join([member], name, partitions=1)

    started = time.monotonic()
    returned = outsider.commit(offsets=[TopicPartition(name, 0, 1)])
    milliseconds = (time.monotonic() - started) * 1000
    # When a later question is answered the commit was, too: they go over one connection.
    committed_offset(outsider, name)
    told_by_then = list(told)
    wait_until(lambda: (outsider.poll(0.02), told)[1], limit=20, what="the call of on_commit")

    evidence.table(
        "One commit(), which the broker refuses",
        [
            {
                "commit() took ms": round(milliseconds, 3),
                "it returned": returned,
                "on_commit was told when the broker had answered": told_by_then,
                "on_commit was told in a later poll()": told,
            }
        ],
    )
    assert returned is None, "commit() raises nothing, and returns nothing."
    assert told_by_then == [], "Nothing is known of the answer until poll() is called."
    assert [each.code() for each in told] == [KafkaError.UNKNOWN_MEMBER_ID], (
        "on_commit tells that the commit was refused."
    )


@pytest.mark.control("commit-is-asynchronous", changes="asynchronous=False")
def test_a_synchronous_commit_waits_for_the_answer(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`commit(asynchronous=False)` waits for the answer: it raises, or returns the offsets."""
    name, member, outsider = topic(), consumer(), consumer()
    join([member], name, partitions=1)
    wanted = [TopicPartition(name, 0, 1)]

    with pytest.raises(KafkaException) as refused:
        outsider.commit(offsets=wanted, asynchronous=False)
    done = member.commit(offsets=wanted, asynchronous=False)

    evidence.note("commit(asynchronous=False) by no member raised {}", refused.value.args[0])
    evidence.note("commit(asynchronous=False) by a member returned {}", done)
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID, (
        "A refused commit raises the broker's error."
    )
    assert [(each.topic, each.offset) for each in done] == [(name, 1)], (
        "A commit that is taken returns the committed offset."
    )


def commit_at(reader: Consumer, topic: str, offset: int) -> int | None:
    """Commit an offset of partition 0; what the group has committed then."""
    reader.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    return committed_offset(reader, topic)


@pytest.mark.fact("commits-can-go-back", scope="any client, commits that name their offsets")
def test_commits_can_go_back(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The last commit counts, not the highest: after a lower one records come again.

    If several threads finish records out of order, one that commits late can
    undo what the others committed.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [*TEN, SENTINEL])
    take(reader, name, 10)

    high = commit_at(reader, name, 8)
    low = commit_at(reader, name, 7)

    after = read_on(consumer(), name)
    evidence.table(
        "Committed",
        [{"first": high, "then": low, "read by the next process": after}],
        look="Compare the two commits with the first record that the next process reads.",
    )
    assert (high, low) == (8, 7), "The broker takes the lower commit, too."
    assert after == [b"7", b"8", b"9"], "The next process begins at the lower commit."


@pytest.mark.control("commits-can-go-back", changes="a consumer reads on that runs already")
def test_a_running_consumer_goes_on(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A running consumer goes on at its position: it reads the commit only when it is assigned."""
    name, reader, writer = topic(), consumer(), producer()
    send(writer, name, TEN)
    take(reader, name, 10)

    high = commit_at(reader, name, 8)
    low = commit_at(reader, name, 7)
    send(writer, name, [SENTINEL])

    after = read_to_sentinel(reader)
    evidence.table(
        "Committed", [{"first": high, "then": low, "read on by the running consumer": after}]
    )
    assert (high, low) == (8, 7), "The broker takes the lower commit, too."
    assert after == [], "To the running consumer nothing comes again."


@pytest.mark.control("commits-can-go-back", changes="the lower offset is stored, and not named")
def test_a_stored_offset_does_not_go_below_the_commit(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If the stored offset is below the last commit, `commit()` has nothing to commit.

    Before the commit the offset that was stored last counts, and not the
    highest.
    """
    name, reader = topic(), consumer({"enable.auto.offset.store": False})
    send(producer(), name, TEN)
    take(reader, name, 10)

    stored = [9, 8]
    for offset in stored:
        reader.store_offsets(offsets=[TopicPartition(name, 0, offset)])
    reader.commit(asynchronous=False)
    high, lower = committed_offset(consumer(), name), 7
    reader.store_offsets(offsets=[TopicPartition(name, 0, lower)])
    (error,) = refused_by(lambda: reader.commit(asynchronous=False))

    committed = committed_offset(consumer(), name)
    evidence.table(
        "The offsets that were stored, one after the other, and what is committed after commit()",
        [
            {"stored": stored, "committed then": high},
            {"stored": [lower], "committed then": committed},
        ],
    )
    evidence.note("The second commit() raised {}", error)
    assert high == 8, "Of two stored offsets the last one is committed."
    assert error.code() == KafkaError._NO_OFFSET, "The lower stored offset is nothing to commit."
    assert committed == 8, "The commit stays as it was."


# Where groups keep what they commit.
OFFSETS = "__consumer_offsets"


def names(*texts: str) -> bytes:
    """Texts as Kafka writes them: the length in two bytes, then the text."""
    return b"".join(struct.pack(">h", len(text)) + text.encode() for text in texts)


def commits_in_the_log(reader: Consumer, group: str, topic: str, last: str) -> list[int]:
    """The offsets that a group committed for a topic, as its records say, up to those of `last`.

    The reader begins where it was assigned. A key is a version, then group, topic and partition; a
    value is a version, then the offset, and more.
    """
    records = poll_until(
        reader,
        lambda records: any(names(last, topic) in (each.key() or b"") for each in records),
        what=f"a record of the group {last}",
    )
    mine = struct.pack(">h", 1) + names(group, topic) + struct.pack(">i", 0)
    found = [each.value() or b"" for each in records if each.key() == mine]
    return [int(struct.unpack_from(">hq", value)[1]) for value in found]


def reader_of_commits(consumer: ConsumerMaker, group: str) -> Consumer:
    """A reader of what is committed from now on."""
    reader = consumer({"group.id": f"{group}-reader"})
    partitions = reader.list_topics(OFFSETS, timeout=20).topics[OFFSETS].partitions
    reader.assign(
        [TopicPartition(OFFSETS, each, watermarks(reader, OFFSETS, each)[1]) for each in partitions]
    )
    return reader


@pytest.mark.fact("offsets-are-records", scope="any client; Kafka's present format")
@pytest.mark.needs("private_broker")
def test_a_commit_is_a_record(
    topic: TopicMaker, consumer: ConsumerMaker, group: str, evidence: Evidence
) -> None:
    """A commit is a record in the topic `__consumer_offsets`, whose key is group, topic, partition.

    The topic is compacted: of each group and partition the last commit stays. So
    a commit costs what a record costs.
    """
    name, reader = topic(), reader_of_commits(consumer, group)

    for offset in (3, 7):
        commit_at(consumer(), name, offset)
    commit_at(consumer({"group.id": f"{group}-last"}), name, 0)

    seen = commits_in_the_log(reader, group, name, last=f"{group}-last")
    evidence.note("Offsets in the values of the group's records in {}: {}", OFFSETS, seen)
    assert seen == [3, 7], "There is a record of each of the two commits, with its offset."


@pytest.mark.control("offsets-are-records", changes="it reads, and does not commit")
@pytest.mark.needs("private_broker")
def test_without_a_commit_there_is_no_record(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Reading writes nothing: without a commit the group has no record there."""
    name, reader = topic(), reader_of_commits(consumer, group)

    send(producer(), name, TEN)
    take(consumer(), name, 10)
    commit_at(consumer({"group.id": f"{group}-last"}), name, 0)

    seen = commits_in_the_log(reader, group, name, last=f"{group}-last")
    evidence.note("Offsets in the values of the group's records in {}: {}", OFFSETS, seen)
    assert seen == [], "The group has no record there."


def committed_text(observer: Consumer, topic: str) -> str | None:
    """The text that a group's commit of partition 0 carries."""
    (place,) = observer.committed([TopicPartition(topic, 0)], timeout=20)
    text: str | None = place.metadata
    return text


@pytest.mark.fact("commit-metadata", scope="any client")
def test_a_commit_carries_a_text(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A commit can carry a text of your own, which the group's next process gets with the offset.

    It can name the process that committed, for example. It is refused if it is longer than
    the broker's `offset.metadata.max.bytes`, 4096 by default.
    """
    name, reader = topic(), consumer()

    reader.commit(offsets=[TopicPartition(name, 0, 7, "by host-1")], asynchronous=False)
    text = committed_text(consumer(), name)
    long = [TopicPartition(name, 0, 8, "x" * 10_000)]
    (refused,) = refused_by(lambda: reader.commit(offsets=long, asynchronous=False))

    committed = committed_offset(consumer(), name)
    evidence.note("The text that another consumer of the group got with the commit: {}", text)
    evidence.note("A commit of 8 with a text of 10000 bytes: {}; committed: {}", refused, committed)
    assert text == "by host-1", "The next process gets the text."
    assert refused.code() == KafkaError.OFFSET_METADATA_TOO_LARGE, "The long text is refused."
    assert committed == 7, "With the text its offset is refused, too."


@pytest.mark.control("commit-metadata", changes="the next commit has no text")
def test_the_next_commit_takes_the_text_away(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A commit without a text has none, even if the one before it had."""
    name, reader = topic(), consumer()

    reader.commit(offsets=[TopicPartition(name, 0, 7, "by host-1")], asynchronous=False)
    reader.commit(offsets=[TopicPartition(name, 0, 8)], asynchronous=False)

    text = committed_text(consumer(), name)
    evidence.note("The text of the second commit: {}", text)
    assert not text, "The second commit carries no text."


def told_by(
    *, raised: KafkaError | None = None, answer: KafkaError | None = None
) -> dict[str, object]:
    """What an admin's call told, as a row of evidence; where it raised there is no answer."""
    return {
        "result() raised": raised and raised.name(),
        "the partition's .error": answer and answer.name(),
    }


def reset_offset(admin: AdminClient, group: str, topic: str, offset: int) -> TopicPartition:
    """Set a group's committed offset; the answer for the partition, which may carry an error."""
    request = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])]
    answer = admin.alter_consumer_group_offsets(request)[group].result(20)
    place: TopicPartition = answer.topic_partitions[0]
    return place


@pytest.mark.fact("reset-needs-an-empty-group", scope="confluent-kafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_a_reset_needs_an_empty_group(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """An admin's reset of a group with members is refused; confluent-kafka raises nothing.

    If you do not look at each partition's `.error`, you think that it was done.
    """
    name, member = topic(), consumer(CLASSIC_AND_KIP_848[protocol])
    join([member], name, partitions=1)

    place = reset_offset(admin, group, name, 2)
    deletion = refusal(admin.delete_consumer_groups([group])[group])

    committed = committed_offset(consumer(), name)
    evidence.table(
        "What an admin client asked for, while the group has a member",
        [
            {"call": "alter_consumer_group_offsets()", **told_by(answer=place.error)},
            {"call": "delete_consumer_groups()", **told_by(raised=deletion)},
        ],
        look="What result() raises, and what stands in the answer's .error, are two things.",
    )
    evidence.note("The group's committed offset then: {}", committed)
    assert place.error is not None, (
        "The partition in the answer carries an error, and nothing was raised."
    )
    assert place.error.code() == KafkaError.UNKNOWN_MEMBER_ID, (
        "The error says that the group does not know this member."
    )
    assert committed is None, "Nothing is committed."
    assert deletion is not None, "The deletion of the group is refused, too."
    assert deletion.code() == KafkaError.NON_EMPTY_GROUP, (
        "The deletion's error says that the group is not empty."
    )


@pytest.mark.control("reset-needs-an-empty-group", changes="the member has left")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_an_empty_group_can_be_reset(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If a group's members have left, an admin can reset it."""
    name, member = topic(), consumer(CLASSIC_AND_KIP_848[protocol])
    join([member], name, partitions=1)
    leave(member)

    place = reset_offset(admin, group, name, 2)

    committed = committed_offset(consumer(), name)
    evidence.table("alter_consumer_group_offsets()", [told_by(answer=place.error)])
    evidence.note("The group's committed offset then: {}", committed)
    assert place.error is None, "The admin's request is granted for the partition."
    assert committed == 2, "The group's commit is the admin's 2."


@pytest.mark.control("reset-needs-an-empty-group", changes="the reader assigns, and is no member")
def test_a_group_of_readers_that_assign_can_be_reset(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """If a reader assigns its partitions itself, an admin can reset its group while it runs."""
    name, reader = topic(), consumer()
    send(producer(), name, TEN)
    take(reader, name, 4)
    reader.commit(asynchronous=False)

    place = reset_offset(admin, group, name, 2)

    committed = committed_offset(consumer(), name)
    evidence.table("alter_consumer_group_offsets()", [told_by(answer=place.error)])
    evidence.note("The group's committed offset then: {}", committed)
    assert place.error is None, "The admin's request is granted for the partition."
    assert committed == 2, "The group's commit is the admin's 2, and not the reader's 4."


def commit_and_leave(consumer: ConsumerMaker, protocol: str, topic: str) -> None:
    """Join the test's group as its one member, commit offset 5, and leave."""
    member = consumer(CLASSIC_AND_KIP_848[protocol])
    join([member], topic, partitions=1)
    member.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    leave(member)


@pytest.mark.fact("deleting-a-group-forgets", scope="any admin client, classic and KIP-848")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_deleting_a_group_forgets_its_commits(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """If you delete a group, its commits are gone, and `auto.offset.reset` decides anew.

    Only a group without members can be deleted.
    """
    name, observer = topic(), consumer()
    commit_and_leave(consumer, protocol, name)
    before = committed_offset(observer, name)

    admin.delete_consumer_groups([group])[group].result(20)

    after, state = committed_offset(observer, name), describe_group(admin, group).state
    evidence.table("The group's committed offset", [{"before": before, "after": after}])
    evidence.note("The group then: {}", state)
    assert before == 5, "Before the deletion the group's commit is there."
    assert after is None, "After the deletion there is no commit."
    assert state == "DEAD", "There is no such group any more."


@pytest.mark.control("deleting-a-group-forgets", changes="its last member leaves, and that is all")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_an_empty_group_remembers(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: str,
) -> None:
    """A group without members is still there, with its commits."""
    name, observer = topic(), consumer()

    commit_and_leave(consumer, protocol, name)

    after, state = committed_offset(observer, name), describe_group(admin, group).state
    evidence.note("The group: {}; its committed offset: {}", state, after)
    assert state == "EMPTY", "The group is there, and has no member."
    assert after == 5, "Its commit is there."


GROUPS_TO_EXPIRE = {
    "stays": "its member stays",
    "left": "its member has left",
    "assigns": "no member: its reader assigned, and polls",
}


@pytest.mark.fact("offsets-expire", scope="Kafka >= 2.1, offsets.retention.minutes=1")
@pytest.mark.slow
# Retention is set in minutes: the shortest is one.
@pytest.mark.timeout(180)
@pytest.mark.cluster(
    settings={
        "offsets.retention.minutes": "1",
        "offsets.retention.check.interval.ms": "500",
    }
)
def test_offsets_expire(
    private_broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    members: MembersMaker,
    evidence: Evidence,
) -> None:
    """The commits of a group without members expire after `offsets.retention.minutes`.

    By default that is a week: a long outage or a holiday can last as long, and
    then `auto.offset.reset` decides. A live member keeps its group's commits, of the
    topics that it has subscribed to. A reader that only assigns is no member, so
    each of its commits expires while it reads, if it makes no later one.
    """
    name = topic()
    group = members(EAGER, name, partitions=1)
    member = group.add()
    group.wait_for_stable()
    ids = {"stays": group.id, "left": f"{group.id}-left", "assigns": f"{group.id}-assigns"}
    leaving, assigned = (consumer({"group.id": ids[who]}) for who in ("left", "assigns"))
    join([leaving], name, partitions=1)
    assigned.assign([TopicPartition(name, 0, 0)])
    observers = {who: consumer({"group.id": each}) for who, each in ids.items()}

    # The one that stays commits first: were it to expire as well, it would be the first to go.
    five, started = [TopicPartition(name, 0, 5)], time.monotonic()
    member.do(lambda reader: reader.commit(offsets=five, asynchronous=False))
    for each in (leaving, assigned):
        each.commit(offsets=five, asynchronous=False)
    leave(leaving)
    at_first = {who: committed_offset(each, name) for who, each in observers.items()}
    wait_until(
        lambda: (
            assigned.poll(0.1),
            [committed_offset(observers[who], name) for who in ("left", "assigns")],
        )[1],
        lambda commits: commits == [None, None],
        limit=150,
        what="the commits of groups without members to expire",
        interval=0.5,
    )

    in_the_end = {who: committed_offset(each, name) for who, each in observers.items()}
    evidence.table(
        f"Kafka {private_broker.version}: the offset that each group has committed",
        [
            {"group": which, "at first": at_first[who], "in the end": in_the_end[who]}
            for who, which in GROUPS_TO_EXPIRE.items()
        ],
    )
    evidence.number("from the commits to the last look", round(time.monotonic() - started, 1), "s")
    assert at_first == {"stays": 5, "left": 5, "assigns": 5}, (
        "At first all three groups have their commit."
    )
    assert in_the_end == {"stays": 5, "left": None, "assigns": None}, (
        "In the end only the group with a member has its commit."
    )


def read_and_end(say: Say, config: ClientConfig, topic: str, way: str) -> None:
    """Read ten records as a member, commit the first four, and end in one way or another."""
    reader = Consumer(dict(config))
    reader.subscribe([topic])
    records = poll_until(reader, lambda records: len(records) == 10, what="ten records")
    reader.commit(message=records[3], asynchronous=False)
    say(len(records))
    if way == "close":
        reader.close()
    if way == "sys.exit":
        sys.exit()
    if way == "SIGKILL":
        crash()


def between_ticks(broker: Broker, group: str) -> dict[str, object]:
    """The same with auto-commit, at an interval longer than the test."""
    return reading(broker, group) | {
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 60_000,
    }


@pytest.mark.fact("closing-is-part-of-the-promise", scope="librdkafka, enable.auto.commit=true")
def test_leaving_without_close_commits_nothing(
    admin: AdminClient,
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """If a process ends without `close()`, it commits nothing more and stays a member of its group.

    What it had committed before stands, whether auto-commit's timer did it or, as
    here, the code. Its partitions wait until its session ends, after 45 s by
    default.
    """
    name, ways = topic(), ("return", "sys.exit", "SIGKILL")
    send(producer(), name, TEN)
    groups = {way: f"{group}-{way}" for way in ways}

    processes = [
        child(read_and_end, between_ticks(broker, each), name, way) for way, each in groups.items()
    ]
    said = [process.wait() for process in processes]

    rows = [
        {
            "ended by": way,
            "committed": committed_offset(consumer({"group.id": each}), name),
            "members": len(describe_group(admin, each).assignments),
        }
        for way, each in groups.items()
    ]
    evidence.table(
        "Ten records read, the first four of them committed, then the end",
        rows,
        look="However the process ended, nothing more is committed, and the group still counts it"
        " as a member.",
    )
    assert said == [[10]] * 3, "Each process has read ten records."
    assert [row["committed"] for row in rows] == [4] * 3, (
        "The commit of the first four stands, and no process has committed more."
    )
    assert [row["members"] for row in rows] == [1] * 3, "Each group still counts its member."


@pytest.mark.control("closing-is-part-of-the-promise", changes="it closes its consumer")
def test_closing_commits_and_leaves(
    admin: AdminClient,
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """`close()` commits what poll() has given, and leaves the group at once."""
    name = topic()
    send(producer(), name, TEN)

    said = child(read_and_end, between_ticks(broker, group), name, "close").wait()

    committed, described = committed_offset(consumer(), name), describe_group(admin, group)
    evidence.table(
        "Ten records read, the first four of them committed, then close",
        [{"committed": committed, "members": len(described.assignments)}],
    )
    assert said == [10], "The process has read ten records."
    assert committed == 10, "All ten records are committed."
    assert described.state == "EMPTY", "The group is empty, and its partitions are free for others."
