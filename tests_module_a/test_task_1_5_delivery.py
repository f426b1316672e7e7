"""Task 1.5: what is lost, what comes twice, and who promises what?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge the processors and the
sink, kafkalab's own or, with `--kafkalab-solutions`, yours.

A crash is a process that is killed (SIGKILL). What it had processed is what it
had told before, line by line. The next process of its group begins where the
group's last commit says.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker
from kafkalab.clients import LAB_CONSUMER
from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import LogRecord
from kafkalab.fixtures import (
    ChildStarter,
    ConsumerMaker,
    JavaStarter,
    MembersMaker,
    ProducerMaker,
    TopicMaker,
)
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import Fate, exact_copy, fate_of
from kafkalab.observe.children import Child, Say, crash
from kafkalab.observe.delivery_bench import (
    AFTER_COMMIT,
    AFTER_PROCESSING,
    BEFORE_COMMIT,
    BEFORE_PROCESSING,
    CRASH_POINTS,
    LAST,
    TOO_SLOW,
    WHEN_COMMITTED,
    Job,
    Worker,
    replaced,
    run_failing,
    take_too_long,
)
from kafkalab.observe.groups import (
    COOPERATIVE,
    EAGER,
    KIP_848,
    Group,
    committed_offset,
    describe_group,
    join,
    leave,
)
from kafkalab.observe.lag import lag_of
from kafkalab.observe.records import (
    KNOWS_ENDS,
    Record,
    end_transaction,
    error_of,
    events_until,
    init_transactions,
    poll_until,
    read,
    send,
    values_until,
    wait_for_end,
    wait_for_error,
    watermarks,
)
from kafkalab.observe.threads import InThread
from kafkalab.observe.topics import refusal
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until

# Written last: when it was read, all that was written before it was read, or never will be.
SENTINEL = b"sentinel"

TEN = [b"%d" % number for number in range(10)]

# More than a pipe holds: who is to print one of these waits in the middle of it.
BIG, BIGGER = b"3" * 200_000, b"4" * 200_000
# Milliseconds from one auto-commit to the next, of both clients.
EVERY_MS = 50


# What a commit says


@pytest.mark.fact("commit-is-the-next-offset", scope="any client")
def test_a_commit_is_the_next_offset(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A commit names the next offset to be read: `commit(message)` stores one more."""
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
    assert (last.offset(), committed) == (3, 4), "the offset of the record, plus one"
    assert after[0] == b"4", "the next process begins with the record after it"


@pytest.mark.control(
    "commit-is-the-next-offset", changes="the commit names the record's own offset"
)
def test_committing_the_offset_of_a_record_repeats_it(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Who commits the offset of the last record, and not the next one, gets that record again."""
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
    assert (last.offset(), committed) == (3, 3), "the offset of the record"
    assert after[0] == last.value() == b"3", "the record comes again"


@pytest.mark.fact("commit-is-asynchronous", scope="librdkafka, whose commit() does not wait")
def test_a_commit_is_asynchronous(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`commit()` returns before the broker has answered; only `on_commit` tells of a refusal.

    And `on_commit` is called by `poll()` alone. The one who commits here is no
    member of the group, so the broker refuses it.
    """
    name, member, told = topic(), consumer(), []
    outsider = consumer({"on_commit": lambda error, _: told.append(error)})
    join([member], name, partitions=1)

    started = time.monotonic()
    returned = outsider.commit(offsets=[TopicPartition(name, 0, 1)])
    milliseconds = (time.monotonic() - started) * 1000
    told_at_return = list(told)
    wait_until(lambda: (outsider.poll(0.02), told)[1], limit=20, what="the call of on_commit")

    evidence.table(
        "One commit(), which the broker refuses",
        [
            {
                "commit() took ms": round(milliseconds, 3),
                "it returned": returned,
                "on_commit was told by then": told_at_return,
                "on_commit was told in a later poll()": told,
            }
        ],
    )
    assert returned is None, "no error was raised, and nothing was returned"
    assert told_at_return == [], "nothing was known when it returned"
    assert [each.code() for each in told] == [KafkaError.UNKNOWN_MEMBER_ID], "it was refused"


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

    evidence.table(
        "One commit(asynchronous=False) each",
        [
            {"by": "no member", "raised": refused.value.args[0].name(), "returned": None},
            {"by": "a member", "raised": None, "returned": done},
        ],
    )
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID
    assert [(each.topic, each.offset) for each in done] == [(name, 1)]


@pytest.mark.fact("commits-can-go-back", scope="any client, commits that name their offsets")
def test_commits_can_go_back(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The last commit counts, not the highest: a lower one after it makes records come again.

    Where several threads finish records out of order, one that commits late can
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
    assert (high, low) == (8, 7), "the broker takes the lower one as well"
    assert after == [b"7", b"8", b"9"], "the next process begins there"


@pytest.mark.control(
    "commits-can-go-back", changes="who reads on is the consumer that runs already"
)
def test_a_running_consumer_goes_on(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A consumer that runs goes on at its position: it asked for the commit at its assignment."""
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
    assert (high, low) == (8, 7)
    assert after == [], "nothing comes again"


@pytest.mark.control("commits-can-go-back", changes="the lower offset is stored, and not named")
def test_a_stored_offset_does_not_go_below_the_commit(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`commit()` of what is stored does not go below the consumer's last commit: it has nothing.

    Until then the last one stored counts, and not the highest.
    """
    name, reader = topic(), consumer({"enable.auto.offset.store": False})
    send(producer(), name, TEN)
    take(reader, name, 10)

    for offset in (9, 8):
        reader.store_offsets(offsets=[TopicPartition(name, 0, offset)])
    reader.commit(asynchronous=False)
    high = committed_offset(consumer(), name)
    reader.store_offsets(offsets=[TopicPartition(name, 0, 7)])
    (error,) = refused_by(lambda: reader.commit(asynchronous=False))

    committed = committed_offset(consumer(), name)
    evidence.table(
        "Stored, and committed by commit()",
        [
            {"stored": "9, then 8", "commit() raised": None, "committed then": high},
            {"stored": "7", "commit() raised": error.name(), "committed then": committed},
        ],
    )
    assert high == 8, "of two stored the last one"
    assert error.code() == KafkaError._NO_OFFSET, "7 is nothing to be committed"
    assert committed == 8, "and the commit stays"


@pytest.mark.fact("reset-needs-an-empty-group", scope="any admin client, classic groups")
def test_a_reset_needs_an_empty_group(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """An admin's reset of a group with members is refused: partition by partition, without raising.

    Who does not look at each partition's `.error` takes it for done.
    """
    name, member = topic(), consumer()
    join([member], name, partitions=1)

    place = reset_offset(admin, group, name, 2)
    deletion = refusal(admin.delete_consumer_groups([group])[group])

    committed = committed_offset(consumer(), name)
    evidence.table(
        "What an admin client asked for, while the classic group has a member",
        [
            {"call": "alter_consumer_group_offsets()", **told_by(answer=place.error)},
            {"call": "delete_consumer_groups()", **told_by(raised=deletion)},
        ],
        look="What result() raises, and what stands in the answer's .error, are two things.",
    )
    evidence.note("The group's committed offset then: {}", committed)
    assert place.error is not None, "the partition carries an error, which nobody raised"
    assert place.error.code() == KafkaError.UNKNOWN_MEMBER_ID
    assert committed is None, "nothing was committed"
    assert deletion is not None, "nor can the group be deleted"
    assert deletion.code() == KafkaError.NON_EMPTY_GROUP


@pytest.mark.control("reset-needs-an-empty-group", changes="the member has left")
def test_an_empty_group_can_be_reset(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Once its members have left, a group can be reset."""
    name, member = topic(), consumer()
    join([member], name, partitions=1)
    leave(member)

    place = reset_offset(admin, group, name, 2)

    committed = committed_offset(consumer(), name)
    evidence.table("alter_consumer_group_offsets()", [told_by(answer=place.error)])
    evidence.note("The group's committed offset then: {}", committed)
    assert place.error is None
    assert committed == 2


@pytest.mark.control("reset-needs-an-empty-group", changes="the reader assigns, and is no member")
def test_a_group_of_readers_that_assign_can_be_reset(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """A reader that assigns its partitions itself is no obstacle: its group is reset as it runs."""
    name, reader = topic(), consumer()
    send(producer(), name, TEN)
    take(reader, name, 4)
    reader.commit(asynchronous=False)

    place = reset_offset(admin, group, name, 2)

    committed = committed_offset(consumer(), name)
    evidence.table("alter_consumer_group_offsets()", [told_by(answer=place.error)])
    evidence.note("The group's committed offset then: {}", committed)
    assert place.error is None
    assert committed == 2, "not the 4 that the reader committed"


@pytest.mark.fact("offsets-expire", scope="Kafka >= 2.1, offsets.retention.minutes=1")
@pytest.mark.slow
# Retention is told in minutes: the shortest is one.
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
    """Commits of a group without members expire after `offsets.retention.minutes`.

    By default that is a week, which a long outage or a long holiday can take;
    then `auto.offset.reset` decides. A live member keeps its group's commits, but
    a reader that only assigns is no member: its commits expire while it reads.
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
    assert at_first == {"stays": 5, "left": 5, "assigns": 5}
    assert in_the_end == {"stays": 5, "left": None, "assigns": None}, "only a member keeps them"


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
    """A process that ends without `close()` commits nothing, however it ends, and stays a member.

    Its partitions wait until its session is over: 45 s by default.
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
        "Ten records read, then the end",
        rows,
        look="However the process ended, nothing is committed, and the group still counts it"
        " as a member.",
    )
    assert said == [[10]] * 3, "each had read ten records"
    assert [row["committed"] for row in rows] == [None] * 3, "none had committed any"
    assert [row["members"] for row in rows] == [1] * 3, "the group takes each for alive"


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
    """`close()` commits what was handed over, and leaves the group at once."""
    name = topic()
    send(producer(), name, TEN)

    said = child(read_and_end, between_ticks(broker, group), name, "close").wait()

    committed, described = committed_offset(consumer(), name), describe_group(admin, group)
    evidence.table(
        "Ten records read, then close",
        [{"committed": committed, "members": len(described.assignments)}],
    )
    assert said == [10], "it had read ten records"
    assert committed == 10, "all were committed"
    assert described.state == "EMPTY", "and the partitions are free for others"


# What a crash costs


@pytest.mark.fact("at-most-once-loses", scope="any client")
def test_at_most_once_loses(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """Commit first, process then: at a crash exactly what was committed and not processed is lost.

    Eight are committed, three processed: five are lost. None comes twice.
    """
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])

    before = killed(child(commit_then_process, reading(broker, group), name, 8, 3))
    after = read_on(consumer(), name)

    fate = fate_of(TEN, before, after)
    evidence.table(
        "Eight committed, three processed, a crash",
        [fate_row(fate)],
        look="The records that were committed and not processed are lost for good.",
    )
    assert fate.lost == TEN[3:8], "eight committed less three processed: five are lost"
    assert fate.repeated == [], "none comes twice"


@pytest.mark.control("at-most-once-loses", changes="processing comes before the commit")
def test_processing_first_loses_nothing(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """Process first, commit then: a crash after three of eight loses none and repeats three."""
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])

    before = killed(child(process_then_commit, reading(broker, group), name, 8, 3))
    after = read_on(consumer(), name)

    fate = fate_of(TEN, before, after)
    evidence.table("None committed, three processed, a crash", [fate_row(fate)])
    assert fate.lost == [], "none is lost"
    assert fate.repeated == TEN[:3], "three processed less none committed: three come again"


@pytest.mark.fact("at-least-once-repeats", scope="any client")
def test_at_least_once_repeats(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """Process first, commit then: at a crash exactly what was processed and not committed repeats.

    With a commit after every eighth record, a crash after the seventh repeats
    seven. None is lost.
    """
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])

    before = killed(child(process_then_commit, reading(broker, group), name, 8, 7))
    after = read_on(consumer(), name)

    fate = fate_of(TEN, before, after)
    evidence.table(
        "A commit for eight, a crash after seven",
        [fate_row(fate)],
        look="The records that were processed and not committed come again.",
    )
    assert fate.repeated == TEN[:7], "seven processed less none committed: seven come again"
    assert fate.lost == [], "none is lost"


@pytest.mark.control("at-least-once-repeats", changes="each record is committed by itself")
def test_a_commit_for_each_record_repeats_one(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """With a commit for each record a crash repeats one at most: the one that it fell upon."""
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])

    before = killed(child(process_then_commit, reading(broker, group), name, 1, 7))
    after = read_on(consumer(), name)

    fate = fate_of(TEN, before, after)
    evidence.table("A commit for each, a crash after seven", [fate_row(fate)])
    assert fate.repeated == [b"6"], "seven processed less six committed: one comes again"
    assert fate.lost == [], "none is lost"


@pytest.mark.fact(
    "auto-commit-can-lose", scope="librdkafka; Java's poll() commits what it gave last"
)
@pytest.mark.parametrize(
    ("taken", "processed", "every_ms", "committed", "lost", "repeated"),
    [
        (1, 4, 50, 5, [b"4"], []),
        (10, 0, 50, 10, TEN, []),
        (1, 5, 60_000, None, [], TEN[:5]),
    ],
    ids=["one in hand", "ten in hand", "before the timer"],
)
def test_auto_commit_can_lose(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    taken: int,
    processed: int,
    every_ms: int,
    committed: int | None,
    lost: list[bytes],
    repeated: list[bytes],
) -> None:
    """Auto-commit is neither at-most-once nor at-least-once: a crash can lose, and can repeat.

    A record counts as read when it is handed over, processed or not. Those in
    hand when the timer ticks are lost at a crash; those processed since the last
    tick come again.
    """
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])
    config = reading(broker, group) | AUTO_COMMIT | {"auto.commit.interval.ms": every_ms}

    before = killed(child(hold_the_next, config, name, taken, processed, committed))
    after = read_on(consumer(), name)

    fate = fate_of(TEN, before, after)
    at_crash = at_crash_row(processed, taken, committed)
    evidence.table("At the crash, and what became of the records", [at_crash | fate_row(fate)])
    assert fate.lost == lost, "committed and not processed"
    assert fate.repeated == repeated, "processed and not committed"


@pytest.mark.control(
    "auto-commit-can-lose", changes="offsets are stored when a record is processed"
)
def test_auto_commit_of_stored_offsets_loses_nothing(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """With `enable.auto.offset.store=false` and `store_offsets()` auto-commit is at-least-once."""
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])
    stored = AUTO_COMMIT | {"auto.commit.interval.ms": 50, "enable.auto.offset.store": False}
    config = reading(broker, group) | stored

    before = killed(child(hold_the_next, config, name, 1, 4, 4))
    after = read_on(consumer(), name)

    fate = fate_of(TEN, before, after)
    at_crash = at_crash_row(4, 1, 4)
    evidence.table("At the crash, and what became of the records", [at_crash | fate_row(fate)])
    assert fate.lost == [], "the record in hand comes again"
    assert fate.repeated == [], "all that was processed was committed"


@pytest.mark.fact("javas-auto-commit-waits-for-poll", scope="both clients with auto-commit")
@pytest.mark.needs("jars")
def test_javas_auto_commit_loses_nothing_in_hand(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    java_client: JavaStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """At a crash auto-commit loses the record in hand of librdkafka's client, and none of Java's.

    librdkafka commits beside your code, what poll() has handed over; Java's
    client commits in poll(), and only what earlier calls gave.
    """
    python, java = killed_in_both(broker, topic, producer, consumer, child, java_client, group, {})

    evidence.table(
        "Killed with the fifth record in hand, auto-commit each 50 ms",
        in_both_rows(python, java),
        look="librdkafka had committed the record in hand as well, Java only those before it.",
    )
    assert python[1].lost == [BIGGER], "committed and not processed"
    assert java[0] == 4, "Java's client did not commit what was in hand"
    assert java[1].lost == [], "so nothing is lost"


@pytest.mark.control(
    "javas-auto-commit-waits-for-poll", changes="librdkafka stores offsets of what is processed"
)
@pytest.mark.needs("jars")
def test_with_stored_offsets_neither_loses(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    java_client: JavaStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """With `enable.auto.offset.store=false` librdkafka's client loses nothing either."""
    stores = {"enable.auto.offset.store": False}
    python, java = killed_in_both(
        broker, topic, producer, consumer, child, java_client, group, stores
    )

    evidence.table(
        "Killed with the fifth record in hand, auto-commit each 50 ms", in_both_rows(python, java)
    )
    assert python[1].lost == java[1].lost == [], "neither loses the record in hand"


@pytest.mark.fact("reset-decides-the-first-read", scope="librdkafka's names; Java's none is error")
def test_reset_decides_after_a_crash_before_the_first_commit(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """After a crash before the first commit `auto.offset.reset` decides what is lost or repeated.

    earliest repeats all that was processed. latest, the default, loses all that
    was not. error stops, and tells.
    """
    name, writer = topic(), producer()
    send(writer, name, TEN)
    before = killed(child(process_then_commit, reading(broker, group), name, 8, 3))
    readers = {
        reset: consumer({**KNOWS_ENDS, "auto.offset.reset": reset})
        for reset in ("earliest", "latest", "error")
    }
    for reader in readers.values():
        reader.assign([TopicPartition(name, 0)])

    # When latest has reported the end it has begun; what is written now is new to it.
    wait_for_error(readers["latest"], KafkaError._PARTITION_EOF)
    send(writer, name, [SENTINEL])

    after = {reset: read_to_sentinel(readers[reset]) for reset in ("earliest", "latest")}
    told = wait_for_error(readers["error"], KafkaError._AUTO_OFFSET_RESET)
    fates = {reset: fate_of(TEN, before, values) for reset, values in after.items()}
    evidence.table(
        "Three of ten processed before the crash",
        [{"auto.offset.reset": r} | fate_row(fate) for r, fate in fates.items()],
    )
    evidence.note("With error, poll() gives an error: {}", told)
    assert fates["earliest"] == Fate(lost=[], repeated=TEN[:3]), "three of ten come again"
    assert fates["latest"] == Fate(lost=TEN[3:], repeated=[]), "seven of ten are lost"


@pytest.mark.control("reset-decides-the-first-read", changes="the crash is after the first commit")
@pytest.mark.parametrize("reset", ["earliest", "latest", "error"])
def test_after_the_first_commit_reset_is_not_asked(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    reset: str,
) -> None:
    """After the first commit the reset is not asked: none is lost, whatever it says."""
    name = topic()
    send(producer(), name, [*TEN, SENTINEL])

    before = killed(child(process_then_commit, reading(broker, group), name, 2, 3))
    after = read_on(consumer({"auto.offset.reset": reset}), name)

    fate = fate_of(TEN, before, after)
    evidence.table(
        "Three of ten processed before the crash, two committed",
        [{"auto.offset.reset": reset} | fate_row(fate)],
    )
    assert fate == Fate(lost=[], repeated=[b"2"]), "the one that was not committed comes again"


@pytest.mark.fact("dedupe-makes-effectively-once", scope="any sink that knows a key")
def test_a_sink_that_knows_keys_counts_once(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    tmp_path: Path,
) -> None:
    """At-least-once into a sink that refuses a key it has makes each record count once.

    The key must stay the same through every repeat: a name of the record's own,
    not the time or a number drawn anew.
    """
    name, sink = topic(), tmp_path / "payments.db"
    prepare(sink, "CREATE TABLE payments (key TEXT PRIMARY KEY, amount INTEGER)")
    send(producer(), name, [*payments(), SENTINEL])

    before = killed(child(pay, reading(broker, group), name, sink, 9))
    after = child(pay, reading(broker, group), name, sink, None).wait()

    fate, total = fate_of(TEN, before, after), total_of(sink)
    evidence.table(
        "Payments of 0 to 9, which are 45 in all", [fate_row(fate) | {"total in the table": total}]
    )
    assert fate.repeated == TEN[6:9], "nine processed less six committed: three came again"
    assert total == 45, "and changed nothing"


@pytest.mark.control("dedupe-makes-effectively-once", changes="the sink does not look at the key")
def test_a_sink_without_keys_counts_repeats(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    tmp_path: Path,
) -> None:
    """A sink that takes whatever comes counts the repeated records twice: 6 + 7 + 8 too much."""
    name, sink = topic(), tmp_path / "payments.db"
    prepare(sink, "CREATE TABLE payments (key TEXT, amount INTEGER)")
    send(producer(), name, [*payments(), SENTINEL])

    before = killed(child(pay, reading(broker, group), name, sink, 9))
    after = child(pay, reading(broker, group), name, sink, None).wait()

    fate, total = fate_of(TEN, before, after), total_of(sink)
    evidence.table(
        "Payments of 0 to 9, which are 45 in all", [fate_row(fate) | {"total in the table": total}]
    )
    assert fate.repeated == TEN[6:9], "nine processed less six committed: three came again"
    assert total == 45 + 6 + 7 + 8, "and were counted twice"


# What a transaction promises


@pytest.mark.fact("aborted-is-hidden", scope="read_committed: librdkafka's default, not Java's")
def test_aborted_records_are_hidden(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A reader with `isolation.level=read_committed` never sees records of aborted transactions.

    They stay in the log; the reader leaves them out.
    """
    name = topic()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a"])
    transaction(writer, name, [b"aborted"], ends_well=False)
    send(producer(), name, [SENTINEL])

    reader = consumer({"isolation.level": "read_committed"})

    seen = polled_before_the_last(reader, name, evidence)
    assert seen == [b"a"], "what was committed, and nothing else"


@pytest.mark.control("aborted-is-hidden", changes="isolation.level=read_uncommitted")
def test_read_uncommitted_sees_aborted_records(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A reader with `isolation.level=read_uncommitted` sees records of aborted transactions."""
    name = topic()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a"])
    transaction(writer, name, [b"aborted"], ends_well=False)
    send(producer(), name, [SENTINEL])

    reader = consumer({"isolation.level": "read_uncommitted"})

    seen = polled_before_the_last(reader, name, evidence)
    assert seen == [b"a", b"aborted"]


@pytest.mark.fact("open-transaction-holds-back", scope="read_committed, any client")
def test_an_open_transaction_holds_back_what_follows(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """An open transaction holds back whatever follows it in the partition, of other producers too.

    A reader of committed records comes to the last stable offset, and takes it
    for the end. One producer that hangs stops all such readers.
    """
    name = topic()
    writer = transactional(producer, name)
    writer.begin_transaction()
    send(writer, name, [b"in a transaction"])
    send(producer(), name, [b"plain"])
    reader, other = consumer(KNOWS_ENDS), consumer({"isolation.level": "read_uncommitted"})

    reader.assign([TopicPartition(name, 0, 0)])
    (event,) = events_until(reader, bool, what="a record, or the end")

    stable, end = watermarks(reader, name)[1], watermarks(other, name)[1]
    evidence.table(
        "The end of the partition, as a consumer sees it",
        [
            {"isolation.level": "read_committed", "end": stable},
            {"isolation.level": "read_uncommitted", "end": end},
        ],
    )
    evidence.note("The first thing that read_committed gets: {}", error_of(event) or "a record")
    error = error_of(event)
    assert error is not None, "no record came"
    assert error.code() == KafkaError._PARTITION_EOF, "but an end"
    assert (event.offset(), stable, end) == (0, 0, 2), "before the two records that are there"


@pytest.mark.control("open-transaction-holds-back", changes="the transaction is committed")
def test_a_commit_shows_what_was_held_back(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With the commit both show: the record of the transaction, and what followed it."""
    name, reader = topic(), consumer()
    writer = transactional(producer, name)
    writer.begin_transaction()
    send(writer, name, [b"in a transaction"])
    send(producer(), name, [b"plain"])

    writer.commit_transaction(20)
    seen = [each.value() for each in take(reader, name, 2)]

    evidence.note("Read with read_committed: {}", seen)
    assert seen == [b"in a transaction", b"plain"], "in the order of the log"


@pytest.mark.fact("markers-take-offsets", scope="librdkafka")
def test_markers_take_offsets(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The end of a transaction takes an offset: who has read all and commits it still lags by one.

    So lag that stays at one can mean that nothing is left to be read.
    """
    name, reader = topic(), consumer()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a", b"b", b"c"])
    end = wait_for_end(consumer(), name, 4)

    last = take(reader, name, 3)[-1]
    reader.commit(message=last, asynchronous=False)

    lag = lag_of(consumer(), [(name, 0)])[name, 0]
    evidence.table(
        "Three records, and the commit marker, which takes one offset",
        [{"end offset": end, "offset of the last record": last.offset(), "lag": lag}],
        look="The last record has offset 2, and yet the end is 4: the marker that ends the "
        "transaction has offset 3.",
    )
    assert (last.offset(), end) == (2, 4), "offset 3 is the marker of the commit"
    assert lag == 1, "the marker, which nobody ever reads"


@pytest.mark.control("markers-take-offsets", changes="the reader polls once more before it commits")
def test_one_more_poll_passes_the_marker(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Who polls on passes the marker, and commits its position: no lag is left."""
    name, reader = topic(), consumer()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a", b"b", b"c"])
    wait_for_end(consumer(), name, 4)
    take(reader, name, 3)

    wait_until(
        lambda: (reader.poll(0.02), position_of(reader, name))[1],
        lambda position: position == 4,
        limit=20,
        what="the position to pass the marker",
    )
    reader.commit(asynchronous=False)

    lag = lag_of(consumer(), [(name, 0)])[name, 0]
    evidence.note("The lag: {}", lag)
    assert lag == 0


@pytest.mark.fact("timeout-aborts", scope="librdkafka, transaction.timeout.ms=1000")
@pytest.mark.needs("quick_aborts")
def test_a_transaction_that_takes_too_long_is_aborted(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The broker aborts a transaction that takes longer than its timeout, and fences its producer.

    The timeout is the producer's `transaction.timeout.ms`, a minute by default.
    A producer that comes too late cannot go on: it needs a successor.
    """
    name = topic()
    writer = transactional(producer, name, {"transaction.timeout.ms": 1000})
    writer.begin_transaction()
    send(writer, name, [b"too late"])

    started = time.monotonic()
    wait_for_end(consumer(), name, 2)
    seconds = time.monotonic() - started

    refused = refused_by(lambda: writer.commit_transaction(20), lambda: writer.flush(20))
    send(producer(), name, [SENTINEL])
    seen = read_on(consumer(), name)
    evidence.number("the broker had written the abort marker after", round(seconds, 2), "s")
    evidence.note("commit_transaction() raised {}", refused[0])
    evidence.note("Read before the record that was sent last: {}", seen)
    assert refused[0].code() == KafkaError._FENCED, "the commit is refused"
    assert seen == [], "and what was sent is not there"


@pytest.mark.control("timeout-aborts", changes="the commit comes in time")
def test_a_transaction_in_time_is_committed(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A transaction that ends in time is committed."""
    name = topic()
    writer = transactional(producer, name, {"transaction.timeout.ms": 30_000})
    writer.begin_transaction()
    send(writer, name, [b"in time"])

    writer.commit_transaction(20)

    send(producer(), name, [SENTINEL])
    seen = read_on(consumer(), name)
    evidence.note("Read before the record that was sent last: {}", seen)
    assert seen == [b"in time"]


@pytest.mark.fact("zombie-is-fenced", scope="librdkafka's name of the error")
def test_a_zombie_is_fenced(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A second producer with the same `transactional.id` fences the first: nothing it does counts.

    The first may be a process that was taken for dead. Its open transaction is
    aborted, and it learns at its next flush, begin or commit that it is fenced.
    """
    name = topic()
    zombie = transactional(producer, name)
    zombie.begin_transaction()
    send(zombie, name, [b"zombie"])

    second = transactional(producer, name)
    zombie.produce(name, b"zombie again")
    refused = refused_by(
        lambda: zombie.flush(20), lambda: zombie.commit_transaction(20), zombie.begin_transaction
    )

    transaction(second, name, [b"second", SENTINEL])
    seen = read_on(consumer(), name)
    calls = ("flush()", "commit_transaction()", "begin_transaction()")
    evidence.table(
        "The calls in their order",
        [
            {"producer": "second", "call": "init_transactions()", "raised": None},
            {"producer": "first", "call": "produce()", "raised": None},
            *(
                {"producer": "first", "call": call, "raised": error.name()}
                for call, error in zip(calls, refused, strict=True)
            ),
        ],
    )
    evidence.note("Read before the record that was sent last: {}", seen)
    assert {each.code() for each in refused} == {KafkaError._FENCED}, "each call tells it"
    assert seen == [b"second"], "nothing of the first is there"


@pytest.mark.control("zombie-is-fenced", changes="the second producer has another transactional.id")
def test_another_transactional_id_lives_beside_it(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Two producers with different `transactional.id` live side by side: both commit."""
    name = topic()
    first = transactional(producer, name)
    first.begin_transaction()
    send(first, name, [b"first"])

    second = transactional(producer, f"{name}-second")
    first.produce(name, b"first again")
    first.flush(20)
    first.commit_transaction(20)

    transaction(second, name, [b"second", SENTINEL])
    seen = read_on(consumer(), name)
    evidence.note("Read before the record that was sent last: {}", seen)
    assert seen == [b"first", b"first again", b"second"]


# What exactly-once takes


@pytest.mark.fact("abort-does-not-rewind", scope="any client")
def test_an_abort_does_not_rewind(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """An abort takes back the commit, but not the position: who simply goes on loses the records.

    What was read for the aborted transaction is behind the consumer, and the
    next transaction commits past it.
    """
    source, target = topic(), topic()
    send(producer(), source, TEN)
    reader, writer = consumer(), transactional(producer, target)
    reader.assign([TopicPartition(source, 0)])
    copy_one_by_one(reader, writer, target, [True, True, True, False])
    position, committed = position_of(reader, source), committed_offset(consumer(), source)

    copy_one_by_one(reader, writer, target, [True] * 6)

    copied = [each.value() for each in read_settled(consumer, target, 0)]
    after = committed_offset(consumer(), source)
    evidence.table(
        "After the abort of record 3, and no seek()",
        [{"position": position, "offset committed": committed}],
    )
    evidence.table(
        "After six more records", [{"records in the copy": copied, "offset committed": after}]
    )
    assert (position, committed) == (4, 3), "the offsets were taken back, the position was not"
    assert copied == [*TEN[:3], *TEN[4:]], "record 3 is missing in the copy"
    assert after == 10, "and committed as done"


@pytest.mark.control("abort-does-not-rewind", changes="the consumer seeks to the committed offset")
def test_seeking_after_an_abort_loses_nothing(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Who seeks to the committed offset after an abort copies every record once."""
    source, target = topic(), topic()
    send(producer(), source, TEN)
    reader, writer = consumer(), transactional(producer, target)
    reader.assign([TopicPartition(source, 0)])
    copy_one_by_one(reader, writer, target, [True, True, True, False])

    reader.seek(TopicPartition(source, 0, committed_offset(reader, source) or 0))
    copy_one_by_one(reader, writer, target, [True] * 7)

    copied = [each.value() for each in read_settled(consumer, target, 0)]
    evidence.table("At the end", [{"records in the copy": copied}])
    assert copied == TEN, "each record once"


@pytest.mark.fact("exactly-once-copies-exactly", scope="read, process, write, all in Kafka")
def test_exactly_once_copies_exactly(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """With the offsets in the transaction a copy is exact, wherever the process is killed.

    What was written and how far it was read count together or not at all. This
    holds from Kafka to Kafka, for readers of committed records.
    """
    source, target = topic(partitions=2), topic(partitions=2)
    for partition in (0, 1):
        send(producer(), source, orders(partition), partition=partition)
    points = tuple(WHEN_KILLED)
    config = reading(broker, group)

    said = [
        killed(child(copy_in_transactions, config, source, target, "within", point))
        for point in points
    ]
    said.append(child(copy_in_transactions, config, source, target, "within", None).wait())

    original, copied = read(consumer(), source, 0, 1), read_settled(consumer, target, 0, 1)
    copies = by_partition(copied)
    rows = [
        {
            "killed in its second transaction": when,
            "records polled": values,
            "how many": len(values),
        }
        for when, values in zip((*WHEN_KILLED.values(), "never"), said, strict=True)
    ]
    evidence.table(
        "Five processes, one after the other (record 0-3 is number 3 of partition 0)",
        rows,
        look="Each row is a process that was killed at another step; it polled what the one"
        " before had not committed.",
    )
    evidence.table(
        "The copy",
        [{"partition": p, "records": v, "how many": len(v)} for p, v in copies.items()],
        look="Compare with the records that were polled, some of them twice.",
    )
    taken_up, there = sum(map(len, said)), sum(map(len, copies.values()))
    evidence.note("Polled in all: {}; in the copy: {}", taken_up, there)
    assert sum(map(len, said)) == 12 + 3 * 2, "three of the four crashes undid two records"
    assert copies == by_partition(original), "the same values, in order, each once"
    exact_copy(log_records(original), log_records(copied)).require()


@pytest.mark.control("exactly-once-copies-exactly", changes="offsets are committed by themselves")
@pytest.mark.parametrize(
    ("offsets", "point", "lost", "repeated"),
    [("before", "produced", 2, 0), ("after", "committed", 0, 2)],
    ids=["before the transaction", "after the transaction"],
)
def test_offsets_outside_the_transaction_lose_or_repeat(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    offsets: str,
    point: str,
    lost: int,
    repeated: int,
) -> None:
    """Offsets committed outside the transaction make a crash lose its records, or copy them twice.

    Committed before it, they say that records are done which the crash undoes.
    Committed after it, they may never be.
    """
    source, target = topic(partitions=2), topic(partitions=2)
    for partition in (0, 1):
        send(producer(), source, orders(partition), partition=partition)
    config = reading(broker, group)

    in_hand = killed(child(copy_in_transactions, config, source, target, offsets, point))[2:]
    child(copy_in_transactions, config, source, target, offsets, None).wait()

    original, copied = read(consumer(), source, 0, 1), read_settled(consumer, target, 0, 1)
    fate = fate_of(values_of(original), values_of(copied))
    evidence.table(
        f"The copy; the process was killed {WHEN_KILLED[point]}, its offsets were to be committed "
        f"{offsets} the transaction",
        [{"records of its second transaction": in_hand} | fate_row(fate)],
    )
    assert (len(fate.lost), len(fate.repeated)) == (lost, repeated)
    assert sorted(fate.lost + fate.repeated) == sorted(in_hand), "those of the transaction"


@pytest.mark.fact("stale-generation-in-a-transaction", scope="classic and KIP-848")
@pytest.mark.parametrize(
    "protocol", [EAGER, COOPERATIVE, KIP_848], ids=["eager", "cooperative", "KIP-848"]
)
def test_offsets_of_a_stale_generation_are_refused(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: ClientConfig,
) -> None:
    """Offsets of a partition that moved are refused if they come with the group's metadata of old.

    So two processes cannot both copy the records of that partition.
    """
    name = topic(partitions=2)
    group, writer = members(protocol, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert errors["moved"] == KafkaError.ILLEGAL_GENERATION


@pytest.mark.control("stale-generation-in-a-transaction", changes="the metadata is fresh")
@pytest.mark.parametrize(
    "protocol", [EAGER, COOPERATIVE, KIP_848], ids=["eager", "cooperative", "KIP-848"]
)
def test_offsets_of_the_present_generation_are_taken(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: ClientConfig,
) -> None:
    """Offsets with the group's metadata of now are taken: ask for it in each transaction."""
    name = topic(partitions=2)
    group, writer = members(protocol, name, partitions=2), transactional(producer, name)
    first = group.add()
    group.wait_for_stable()
    second = group.add()
    group.wait_for_stable()
    fresh = first.do(lambda reader: reader.consumer_group_metadata())

    errors = {
        "kept": send_offsets(writer, first.assignment, fresh),
        "moved": send_offsets(writer, second.assignment, fresh),
    }

    evidence.table(
        f"{kind_of(broker, group)}: offsets sent with metadata from after member-2 joined",
        sent_rows(errors),
    )
    assert errors == {"kept": None, "moved": None}


@pytest.mark.fact("old-metadata-for-what-stayed", scope="KIP-848 with KIP-1251", versions=">=4.3")
def test_old_metadata_is_good_for_what_stayed(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
) -> None:
    """A KIP-848 group takes offsets with metadata of old for a partition that stayed in its place.

    The broker remembers since which epoch a member has each partition, so a
    transaction in flight outlives a rebalance that takes nothing away from it.
    """
    name = topic(partitions=2)
    group, writer = members(KIP_848, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert errors == {"kept": None, "moved": KafkaError.ILLEGAL_GENERATION}


@pytest.mark.control("old-metadata-for-what-stayed", changes="the group is classic")
@pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE], ids=["eager", "cooperative"])
def test_classic_groups_refuse_old_metadata_altogether(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: ClientConfig,
) -> None:
    """A classic group refuses all offsets with metadata of old, wherever the partition is now."""
    name = topic(partitions=2)
    group, writer = members(protocol, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert set(errors.values()) == {KafkaError.ILLEGAL_GENERATION}


@pytest.mark.fact("old-metadata-before-kip-1251", scope="KIP-848", versions="<4.3")
def test_old_metadata_is_good_for_nothing_before_kip_1251(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
) -> None:
    """Before KIP-1251 a KIP-848 group refuses all offsets with metadata of old.

    The broker compares the member's epoch and knows no epoch of a partition: a
    rebalance ends every transaction that is in flight.
    """
    name = topic(partitions=2)
    group, writer = members(KIP_848, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert set(errors.values()) == {KafkaError.ILLEGAL_GENERATION}


# The component: three processors, a fourth to compare, and an idempotent sink


@pytest.mark.fact("at-most-once-never-repeats", scope="the component delivery")
def test_at_most_once_never_repeats(job: JobMaker, child: ChildStarter, evidence: Evidence) -> None:
    """At-most-once repeats no record, wherever it is killed; it loses the one in hand.

    The record was committed before it was processed: the successor begins after it.
    """
    processed = run_failing(
        child, {point: job("at_most_once", failure=point) for point in CRASH_POINTS}
    )

    evidence.table(
        "With record 2 in hand",
        matrix("at_most_once", processed),
        look="In the column repeated there is only 0; in lost there is not.",
    )
    assert repeated(processed) == NEVER, "none came twice"
    assert lost(processed) == {
        **NEVER,
        AFTER_COMMIT: [b"2"],
        BEFORE_PROCESSING: [b"2"],
    }, "lost was only what was committed and not processed"


@pytest.mark.fact("at-least-once-never-loses", scope="the component delivery")
def test_at_least_once_never_loses(job: JobMaker, child: ChildStarter, evidence: Evidence) -> None:
    """At-least-once loses no record, wherever it is killed; it repeats what it had not committed.

    The record was processed before it was committed: the successor begins with it.
    """
    processed = run_failing(
        child, {point: job("at_least_once", failure=point) for point in CRASH_POINTS}
    )

    evidence.table(
        "With record 2 in hand",
        matrix("at_least_once", processed),
        look="In the column lost there is only 0; in repeated there is not.",
    )
    assert lost(processed) == NEVER, "none is missing"
    assert repeated(processed) == {
        **NEVER,
        AFTER_PROCESSING: [b"2"],
        BEFORE_COMMIT: [b"2"],
    }, "repeated was only what was processed and not committed"


@pytest.mark.fact("at-least-once-outlives-a-rebalance", scope="the component delivery")
@pytest.mark.parametrize("protocol", [EAGER, KIP_848], ids=["eager", "KIP-848"])
def test_at_least_once_loses_nothing_at_a_rebalance(
    admin: AdminClient,
    job: JobMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: Mapping[str, Any],
) -> None:
    """When partitions move between two at-least-once processors, no record is lost.

    The second comes while the first is at work; what that has in hand is
    committed, or comes again.
    """
    values = [b"%d" % number for number in range(40)]
    work = job("at_least_once", records=values, partitions=2, settings=protocol)
    observer = consumer({"group.id": work.group})

    first = Worker(work, hold_at=5)
    first.wait_until_held()
    second = Worker(work)
    wait_until(
        lambda: len(describe_group(admin, work.group).assignments) == 2,
        limit=20,
        what="the second to have joined",
    )
    first.go_on()
    wait_until(
        lambda: [committed_offset(observer, work.source, partition) for partition in (0, 1)],
        lambda committed: committed == [20, 20],
        limit=20,
        what="all to be committed",
    )
    errors = first.end(), second.end()

    evidence.table(
        "Processed",
        [{"by the first": len(first.processed), "by the second": len(second.processed)}],
    )
    assert {*first.processed, *second.processed} == set(values), "what was committed was processed"
    assert errors == (None, None), "and both went on through the rebalance"


@pytest.mark.fact("too-slow-is-replaced", scope="the component delivery, classic")
@pytest.mark.needs("short_sessions")
def test_who_is_too_slow_finishes_the_record_in_hand_and_no_other(
    topic: TopicMaker, job: JobMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A processor that was too slow, and replaced, finishes the record in hand and no other.

    The partition is another's by then, who began at the commit. So at-least-once
    does that record twice, at-most-once does it late, behind those that follow
    it, and what exactly-once wrote is taken back.
    """
    strategies = "at_most_once", "at_least_once", "exactly_once"
    jobs = {strategy: job(strategy, copy=topic()) for strategy in strategies}

    slow = take_too_long(jobs)
    replacements = replaced(jobs, slow)

    processed = {strategy: each.processed for strategy, each in replacements.items()}
    copied = read(consumer(), jobs["exactly_once"].copy)
    processed["exactly_once"] = [each.value() for each in copied]
    rows = [failure_row(strategy, TOO_SLOW, seen) for strategy, seen in processed.items()]
    evidence.table("With record 2 in hand", rows)
    told = replacements["at_least_once"].error
    evidence.note("At-least-once ended with: {}", told)
    assert not any(lost(processed).values()), "none is missing"
    assert repeated(processed) == {
        "at_most_once": [],
        "at_least_once": [b"2"],
        "exactly_once": [],
    }, "repeated was only what was processed and not committed"
    assert isinstance(told, KafkaException), "its commit was refused, and it told so"


@pytest.mark.fact("exactly-once-outlives-crashes", scope="the component delivery")
def test_exactly_once_outlives_crashes(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    evidence: Evidence,
) -> None:
    """Exactly-once writes each output once, wherever it is killed: offsets travel with outputs.

    A reader of committed records sees a copy, whole and in order.
    """
    jobs = {point: job("exactly_once", failure=point, copy=topic()) for point in CRASH_POINTS}

    run_failing(child, jobs)

    reader = consumer()
    written = {point: log_records(read(reader, each.copy)) for point, each in jobs.items()}
    values = {point: [each.value for each in rows] for point, rows in written.items()}
    evidence.table(
        "With record 2 in hand",
        matrix("exactly_once", values),
        look="Both columns, lost and repeated, have only 0.",
    )
    for point, each in jobs.items():
        exact_copy(log_records(read(reader, each.source)), written[point]).require()


@pytest.mark.fact("exactly-once-rewinds-after-an-abort", scope="the component delivery")
def test_exactly_once_rewinds_after_an_abort(
    topic: TopicMaker,
    job: JobMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """After an abort exactly-once reads the same records again: an abort alone does not rewind.

    Here the broker refuses the first output, once: it is too large for its topic.
    """
    copy, tried = topic(settings={"max.message.bytes": "1000"}), []
    work = job("exactly_once", copy=copy)

    def too_large_at_first(message: Message) -> bytes | None:
        tried.append(message.value())
        if len(tried) > 1:
            return message.value()
        send(producer(), work.source, [b"later"])
        return b"x" * 2_000

    is_done = work.is_done()

    def is_done_or_past_it() -> bool:
        # Whoever does not go back comes to the later record, and would wait for ever then.
        return is_done() or (tried[-1:] == [b"later"] and tried.count(b"0") == 1)

    work.run(work.consumer(), work.producer(), too_large_at_first, is_done_or_past_it)

    written = [each.value() for each in read(consumer(), copy)]
    evidence.table("After an abort", [{"tried": tried, "written": written}])
    assert tried.count(b"0") > 1, "the first was tried again"
    assert [each for each in written if each != b"later"] == RECORDS, "and each is there once"


@pytest.mark.fact("exactly-once-ends-when-fenced", scope="the component delivery")
def test_exactly_once_ends_when_it_is_fenced(
    topic: TopicMaker, job: JobMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A processor that was replaced ends with an error, and nothing that it writes is seen.

    Such a zombie was thought dead: it hung, and another did its work.
    """
    work = job("exactly_once", copy=topic())
    at_work, go_on = threading.Event(), threading.Event()

    def hang(message: Message) -> bytes | None:
        at_work.set()
        go_on.wait(30)
        return message.value()

    zombie = InThread(work.run, work.consumer(), work.producer(), hang, work.is_done())
    zombie.wait_until(at_work.is_set, limit=20, what="its work")
    work.run(work.consumer(), work.producer(), Message.value, work.is_done())
    go_on.set()
    error = zombie.error()

    written = [each.value() for each in read(consumer(), work.copy)]
    evidence.note("The zombie ended with: {}", error)
    evidence.table("Written", [{"values": written}])
    assert isinstance(error, KafkaException), "the zombie was told, and told it"
    assert written == RECORDS, "each is there once"


@pytest.mark.fact("auto-commit-promises-neither", scope="the component delivery")
def test_auto_commit_promises_neither(
    job: JobMaker, child: ChildStarter, evidence: Evidence
) -> None:
    """Auto-commit loses what is in hand if its clock strikes, and repeats the rest if it does not.

    It commits what was handed over, done or not.
    """
    clocks = {WHEN_COMMITTED: 10, BEFORE_PROCESSING: 600_000}
    jobs = {
        point: job("auto_commit", failure=point, settings={"auto.commit.interval.ms": clock})
        for point, clock in clocks.items()
    }

    processed = run_failing(child, jobs)

    evidence.table(
        "With record 2 in hand",
        matrix("auto_commit", processed),
        look="One failure loses, another repeats: it depends on when the timer commits.",
    )
    assert lost(processed) == {WHEN_COMMITTED: [b"2"], BEFORE_PROCESSING: []}, "it was not done"
    assert repeated(processed) == {WHEN_COMMITTED: [], BEFORE_PROCESSING: [b"0", b"1"]}


@pytest.mark.fact("sink-counts-each-effect-once", scope="the component delivery")
def test_the_sink_counts_each_effect_once(
    job: JobMaker, child: ChildStarter, solutions: Solutions, evidence: Evidence, tmp_path: Path
) -> None:
    """The sink applies each record once, through repeats and its own restart.

    With it at-least-once is enough. Two records of the same content are two
    effects: what tells them apart is their place in the log.
    """
    records = [b"a", b"b", b"a", b"b", LAST]
    work = job(
        "at_least_once", failure=AFTER_PROCESSING, records=records, sink=tmp_path / "effects"
    )

    delivered = run_failing(child, {"the only one": work})["the only one"]

    sink = solutions.delivery.IdempotentSink(tmp_path / "effects")
    applied = sink.values()
    sink.close()
    evidence.table("Killed with record 2 in hand", [{"delivered": delivered, "applied": applied}])
    assert delivered == [b"a", b"b", b"a", b"a", b"b", LAST], "the record in hand came twice"
    assert applied == records, "and each was applied once"


@pytest.mark.fact("a-failing-record-is-told", scope="the component delivery")
@pytest.mark.parametrize(
    ("strategy", "committed"),
    [("at_most_once", 3), ("at_least_once", 2), ("exactly_once", None)],
    ids=["at-most-once", "at-least-once", "exactly-once"],
)
def test_a_failing_record_is_told(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    strategy: str,
    committed: int | None,
) -> None:
    """A record that fails in its processing ends the processor with that error.

    To skip it would be to commit over it: nobody would ever read it again.
    """
    work = job(strategy, copy=topic())

    def fail_at_2(message: Message) -> bytes | None:
        if message.value() == b"2":
            raise Poison
        return message.value()

    with pytest.raises(Poison):
        work.run(work.consumer(), work.producer(), fail_at_2, work.is_done())

    seen = committed_offset(consumer({"group.id": work.group}), work.source)
    written = [each.value() for each in read(consumer(), work.copy)]
    evidence.table("Failed at record 2", [{"committed": seen, "written": written}])
    assert seen == committed, "committed as the strategy promises, and no further"
    assert written == [], "of an aborted transaction nothing is seen"


@pytest.mark.fact("a-processor-stops-and-leaves", scope="the component delivery")
@pytest.mark.parametrize("strategy", ["at_most_once", "at_least_once", "exactly_once"])
def test_a_processor_stops_and_leaves(
    admin: AdminClient,
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    strategy: str,
) -> None:
    """Told to stop, a processor has committed all that it did, and leaves the group."""
    work = job(strategy, copy=topic())
    seen: list[bytes | None] = []

    def process(message: Message) -> bytes | None:
        seen.append(message.value())
        return message.value()

    work.run(work.consumer(subscribe=True), work.producer(), process, lambda: seen[-1:] == [LAST])

    described = describe_group(admin, work.group)
    committed = committed_offset(consumer({"group.id": work.group}), work.source)
    evidence.table("Afterwards", [{"group": described.state, "committed": committed}])
    assert seen == RECORDS, "each was processed once, in order"
    assert committed == len(RECORDS), "the next offset: nothing comes again, nothing is left out"
    assert described.assignments == (), "the group has no member any more"


@pytest.mark.fact("delivery-in-one-table", scope="the component delivery, classic")
@pytest.mark.needs("short_sessions")
def test_delivery_in_one_table(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    evidence: Evidence,
) -> None:
    """What is lost or repeated follows from the strategy, and from where the failure falls.

    Exactly-once does neither, inside of Kafka. Auto-commit's clock stands still
    here: it was made to strike elsewhere.
    """
    failures = {
        "at_most_once": (*CRASH_POINTS, TOO_SLOW),
        "at_least_once": (*CRASH_POINTS, TOO_SLOW),
        "auto_commit": (BEFORE_PROCESSING, AFTER_PROCESSING, TOO_SLOW),
        "exactly_once": (*CRASH_POINTS, TOO_SLOW),
    }
    still = {"auto.commit.interval.ms": 600_000}
    jobs = {
        (strategy, failure): job(strategy, failure=failure, copy=topic(), settings=still)
        for strategy, each in failures.items()
        for failure in each
    }

    processed = run_failing(child, jobs)

    reader = consumer()
    copies = {name: job.copy for name, job in jobs.items() if job.strategy == "exactly_once"}
    processed |= {
        name: [each.value() for each in read(reader, copy)] for name, copy in copies.items()
    }
    rows = [failure_row(strategy, failure, seen) for (strategy, failure), seen in processed.items()]
    evidence.table(
        "With record 2 of 6 in hand",
        rows,
        look="Read by strategy: at-most-once repeats nothing, at-least-once loses nothing, "
        "exactly-once neither.",
    )
    seen = {(row["strategy"], row["failure"]): (row["lost"], row["repeated"]) for row in rows}
    assert seen == {
        ("at-most-once", BEFORE_PROCESSING): (1, 0),
        ("at-most-once", AFTER_PROCESSING): (0, 0),
        ("at-most-once", BEFORE_COMMIT): (0, 0),
        ("at-most-once", AFTER_COMMIT): (1, 0),
        ("at-most-once", TOO_SLOW): (0, 0),
        ("at-least-once", BEFORE_PROCESSING): (0, 0),
        ("at-least-once", AFTER_PROCESSING): (0, 1),
        ("at-least-once", BEFORE_COMMIT): (0, 1),
        ("at-least-once", AFTER_COMMIT): (0, 0),
        ("at-least-once", TOO_SLOW): (0, 1),
        ("auto-commit", BEFORE_PROCESSING): (0, 2),
        ("auto-commit", AFTER_PROCESSING): (0, 3),
        ("auto-commit", TOO_SLOW): (0, 3),
        **{("exactly-once", point): (0, 0) for point in (*CRASH_POINTS, TOO_SLOW)},
    }, "strategy and failure: how many were lost, how many repeated"


# What the tests above share

AUTO_COMMIT = {"enable.auto.commit": True}

# Where copy_in_transactions crashes, and what stands in the evidence for it.
WHEN_KILLED = {
    "begun": "after the begin",
    "produced": "after the flush",
    "offsets sent": "after the offsets were sent",
    "committed": "after the commit",
}

GROUPS_TO_EXPIRE = {
    "stays": "its member stays",
    "left": "its member has left",
    "assigns": "no member: its reader assigned, and polls",
}


def fate_row(fate: Fate[bytes]) -> dict[str, object]:
    """What a crash did to the records, as a row of evidence: which were lost, which repeated."""
    return {"records lost": fate.lost, "records repeated": fate.repeated}


def at_crash_row(processed: int, in_hand: int, committed: int | None) -> dict[str, object]:
    """How far a process had come when it crashed, as a row of evidence."""
    return {
        "records processed": processed,
        "polled, not yet processed": in_hand,
        "offset committed": committed,
    }


# Processes that crash. Each tells what it has processed; what was told is done.


def commit_then_process(
    say: Say, config: ClientConfig, topic: str, taken: int, crash_after: int
) -> None:
    """At most once: take records, commit them, process them; crash after so many."""
    reader = Consumer(dict(config))
    records = take(reader, topic, taken)
    reader.commit(asynchronous=False)
    for number, record in enumerate(records, 1):
        say(record.value())
        if number == crash_after:
            crash()


def process_then_commit(
    say: Say, config: ClientConfig, topic: str, every: int, crash_after: int
) -> None:
    """At least once: process record by record, commit after every so many; crash after so many."""
    reader = Consumer(dict(config))
    for number, record in enumerate(records_of(reader, topic), 1):
        say(record.value())
        if number == crash_after:
            crash()
        if number % every == 0:
            reader.commit(message=record, asynchronous=False)


def hold_the_next(
    say: Say, config: ClientConfig, topic: str, taken: int, processed: int, committed: int | None
) -> None:
    """Process some of the records taken; with the next in hand, crash when so much is committed."""
    reader = Consumer(dict(config))
    reader.assign([TopicPartition(topic, 0)])
    stores = config.get("enable.auto.offset.store") is False
    numbers = count(1)
    while True:
        for record in poll_until(reader, lambda got: len(got) == taken, what="records"):
            if next(numbers) > processed:
                wait_until(
                    lambda: committed_offset(reader, topic),
                    lambda offset: offset == committed,
                    limit=20,
                    what=f"the commit of {committed}",
                )
                crash()
            say(record.value())
            if stores:
                reader.store_offsets(record)


def pay(say: Say, config: ClientConfig, topic: str, sink: Path, crash_after: int | None) -> None:
    """At least once: book each record, commit after every six; crash after so many, or end."""
    reader = Consumer(dict(config))
    with closing(sqlite3.connect(sink, isolation_level=None)) as payments:
        for number, record in enumerate(records_of(reader, topic), 1):
            row = ((record.key() or b"").decode(), int(record.value() or b""))
            payments.execute("INSERT OR IGNORE INTO payments VALUES (?, ?)", row)
            say(record.value())
            if number == crash_after:
                crash()
            if number % 6 == 0:
                reader.commit(message=record, asynchronous=False)


def read_and_end(say: Say, config: ClientConfig, topic: str, way: str) -> None:
    """Read ten records as a member of the group, and end in one way or another."""
    reader = Consumer(dict(config))
    reader.subscribe([topic])
    say(len(poll_until(reader, lambda records: len(records) == 10, what="ten records")))
    if way == "close":
        reader.close()
    if way == "sys.exit":
        sys.exit()
    if way == "SIGKILL":
        crash()


def copy_in_transactions(
    say: Say, config: ClientConfig, source: str, target: str, offsets: str, crash_when: str | None
) -> None:
    """Copy two partitions of six records each, two records a transaction.

    Args:
        say: told of each record that is taken up.
        config: a consumer's; the transactional id is its group's name.
        source: where the records are.
        target: where they go, to the same partition.
        offsets: when they are committed: within the transaction, before it, or after it.
        crash_when: at which point of its second transaction to crash, if at all.
    """
    of_consumers = {*LAB_CONSUMER, "group.id"}
    client = {name: value for name, value in config.items() if name not in of_consumers}
    writer = Producer({**client, "transactional.id": config["group.id"]})
    # First this, which ends what a process before it left open, then where that one came to.
    init_transactions(writer)
    reader = Consumer(dict(config))
    places = reader.committed([TopicPartition(source, each) for each in (0, 1)], timeout=20)
    for place in places:
        place.offset = max(place.offset, 0)
    left = 12 - sum(place.offset for place in places)
    reader.assign(places)

    def reached(number: int, point: str) -> None:
        if (number, point) == (2, crash_when):
            crash()

    for number in range(1, left // 2 + 1):
        records = poll_until(reader, lambda polled: len(polled) == 2, what="two records")
        for record in records:
            say(record.value())
        following = next_offsets(records)
        if offsets == "before":
            reader.commit(offsets=following, asynchronous=False)
        writer.begin_transaction()
        reached(number, "begun")
        for record in records:
            writer.produce(target, record.value(), record.key(), partition=record.partition() or 0)
        writer.flush(20)
        reached(number, "produced")
        if offsets == "within":
            writer.send_offsets_to_transaction(following, reader.consumer_group_metadata(), 20)
        reached(number, "offsets sent")
        writer.commit_transaction(20)
        reached(number, "committed")
        if offsets == "after":
            reader.commit(offsets=following, asynchronous=False)


# Clients, and what is done with them.


def reading(broker: Broker, group: str) -> dict[str, object]:
    """The settings of a consumer of a group, for a process that makes its own."""
    return {**broker.client_properties(), **LAB_CONSUMER, "group.id": group}


def between_ticks(broker: Broker, group: str) -> dict[str, object]:
    """The same with auto-commit, whose timer does not come to tick."""
    return reading(broker, group) | AUTO_COMMIT | {"auto.commit.interval.ms": 60_000}


def killed(process: Child) -> list[bytes]:
    """Wait until a process has crashed; return what it had processed."""
    said = process.wait()
    if not process.was_killed:
        raise RuntimeError(f"the process failed before its crash; it had said {said}")
    return said


Crashed = tuple[int | None, Fate[bytes]]
"""what a reader's group had committed when it was killed, and what became of the records"""


def killed_in_both(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    java_client: JavaStarter,
    group: str,
    settings: ClientConfig,
) -> tuple[Crashed, Crashed]:
    """Kill a reader with the fifth record in hand, librdkafka's and Java's; what became of each.

    Java's is held by that record: it is longer than the pipe that it is to be printed to, and
    nobody reads on. librdkafka's waits in its own code for the commit that is to be expected.
    Both take the records one by one.
    """
    name, all_of_them = topic(), [*TEN[:3], BIG, BIGGER, *TEN[5:]]
    send(producer(), name, [*all_of_them, SENTINEL])
    javas_group, quick = f"{group}-java", {"auto.commit.interval.ms": EVERY_MS}
    java = java_client(
        *("kafka-verifiable-consumer", "--topic", name, "--group-id", javas_group),
        *("--enable-autocommit", "--verbose"),
        settings=quick | {"max.poll.records": 1},
    )
    observer = consumer({"group.id": javas_group})
    java.wait_for("record_data", 3)
    held = time.monotonic()
    wait_until(lambda: time.monotonic() - held > 4 * EVERY_MS / 1000, limit=20, what="the interval")
    # The fourth is printed, and the next poll() commits it and gives the fifth.
    told = java.wait_for("record_data", 4)
    wait_until(
        lambda: committed_offset(observer, name),
        lambda offset: offset == 4,
        limit=20,
        what="Java's commit of 4",
    )

    committed = 4 if settings else 5
    config = reading(broker, group) | AUTO_COMMIT | quick | dict(settings)
    # As long as this takes Java's record is in hand, and its interval over many times.
    pythons = killed(child(hold_the_next, config, name, 1, 4, committed))
    javas_commit = committed_offset(observer, name)
    java.kill()

    if any(each["name"] == "offsets_committed" for each in java.heard):
        raise RuntimeError("the tool committed, and not the client")
    python = fate_of(all_of_them, pythons, read_on(consumer(), name))
    after = read_on(consumer({"group.id": javas_group}), name)
    javas = [each["value"].encode() for each in told]
    return (committed, python), (javas_commit, fate_of(all_of_them, javas, after))


def in_both_rows(python: Crashed, java: Crashed) -> list[dict[str, object]]:
    """What became of the records of both clients, as rows of evidence."""
    (pythons, of_python), (javas, of_java) = python, java
    return [
        {"what": "offset committed", "librdkafka": pythons, "Java": javas},
        {
            "what": "records lost",
            "librdkafka": len(of_python.lost),
            "Java": len(of_java.lost),
        },
        {
            "what": "records repeated",
            "librdkafka": len(of_python.repeated),
            "Java": len(of_java.repeated),
        },
    ]


def take(reader: Consumer, topic: str, count: int) -> list[Message]:
    """So many records of partition 0, from where the group's commit says."""
    reader.assign([TopicPartition(topic, 0)])
    return poll_until(reader, lambda records: len(records) == count, what=f"{count} records")


def records_of(reader: Consumer, topic: str) -> Iterator[Message]:
    """The records of partition 0 one by one, from the group's commit to the sentinel."""
    reader.assign([TopicPartition(topic, 0)])
    while (record := next_record(reader)).value() != SENTINEL:
        yield record


def read_to_sentinel(reader: Consumer) -> list[bytes]:
    """The values that a reader gets before the sentinel."""
    return [value or b"" for value in values_until(reader, SENTINEL)]


def next_record(reader: Consumer) -> Message:
    """The next record, whenever it comes."""
    (record,) = poll_until(reader, bool, what="the next record")
    return record


def read_on(reader: Consumer, topic: str) -> list[bytes]:
    """What the next process of a group reads: from its commit to the sentinel."""
    reader.assign([TopicPartition(topic, 0)])
    return read_to_sentinel(reader)


def polled_before_the_last(reader: Consumer, topic: str, evidence: Evidence) -> list[bytes | None]:
    """The values of all that poll() gives before the sentinel, errors too; goes into evidence."""
    reader.assign([TopicPartition(topic, 0)])
    events = events_until(
        reader, lambda got: bool(got) and got[-1].value() == SENTINEL, what="the last record"
    )[:-1]
    evidence.table(
        "All that poll() gave, errors too, before the record that was sent last",
        [{"offset": e.offset(), "value": e.value(), "error": error_of(e)} for e in events],
    )
    return [each.value() for each in events]


def position_of(reader: Consumer, topic: str) -> int:
    """The offset that a consumer reads next from partition 0."""
    (place,) = reader.position([TopicPartition(topic, 0)])
    return place.offset


def commit_at(reader: Consumer, topic: str, offset: int) -> int | None:
    """Commit an offset of partition 0; what the group has committed then."""
    reader.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    return committed_offset(reader, topic)


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


def transactional(
    producer: ProducerMaker, name: str, settings: ClientConfig | None = None
) -> Producer:
    """A producer with this transactional id, ready to begin."""
    writer = producer({"transactional.id": name, **(settings or {})})
    init_transactions(writer)
    return writer


def transaction(
    writer: Producer, topic: str, values: Sequence[bytes], *, ends_well: bool = True
) -> None:
    """Send values in a transaction, and commit it, or abort it."""
    writer.begin_transaction()
    # An abort before all is sent would write nothing.
    send(writer, topic, values)
    end_transaction(writer, ends_well=ends_well)


def copy_one_by_one(reader: Consumer, writer: Producer, target: str, ends: Sequence[bool]) -> None:
    """Copy a record for each end: in a transaction with its offset, which ends well or not."""
    for ends_well in ends:
        record = next_record(reader)
        writer.begin_transaction()
        send(writer, target, [record.value() or b""])
        writer.send_offsets_to_transaction(
            next_offsets([record]), reader.consumer_group_metadata(), 20
        )
        end_transaction(writer, ends_well=ends_well)


def next_offsets(records: Sequence[Message]) -> list[TopicPartition]:
    """For each partition the offset after the last of these records."""
    following = {
        (each.topic() or "", each.partition() or 0): (each.offset() or 0) + 1 for each in records
    }
    return [TopicPartition(*place, offset) for place, offset in following.items()]


def send_offsets(
    writer: Producer, places: Iterable[tuple[str, int]], metadata: object
) -> KafkaError | None:
    """Send an offset of each place in a transaction of its own; the error, if it is refused."""
    writer.begin_transaction()
    offsets = [TopicPartition(*place, 1) for place in places]
    try:
        writer.send_offsets_to_transaction(offsets, metadata, 20)
    except KafkaException as refused:
        writer.abort_transaction(20)
        error: KafkaError = refused.args[0]
        return error
    writer.commit_transaction(20)
    return None


def errors_with_old_metadata(
    broker: Broker, group: Group, writer: Producer, evidence: Evidence
) -> dict[str, int | None]:
    """What the broker says to metadata from before a second member came.

    The code of the error, or None, for the partition that the first member
    kept, and for the one that moved to the second.
    """
    first = group.add()
    group.wait_for_stable()
    old = first.do(lambda reader: reader.consumer_group_metadata())
    second = group.add()
    group.wait_for_stable()
    errors = {
        "kept": send_offsets(writer, first.assignment, old),
        "moved": send_offsets(writer, second.assignment, old),
    }
    evidence.table(
        f"{kind_of(broker, group)}: offsets sent with metadata from before member-2 joined",
        sent_rows(errors),
    )
    return {each: None if error is None else error.code() for each, error in errors.items()}


def kind_of(broker: Broker, group: Group) -> str:
    """The version of Kafka and the kind of a group, as captions have them."""
    assignor = group.settings.get("partition.assignment.strategy")
    kind = f"a classic group ({assignor})" if assignor else "a KIP-848 group"
    return f"Kafka {broker.version}, {kind}"


def sent_rows(errors: Mapping[str, KafkaError | None]) -> list[dict[str, object]]:
    """What came of offsets that were sent to a transaction, as rows of evidence."""
    return [
        {
            "offset of": f"the partition that was {which}",
            "send_offsets_to_transaction() raised": error and error.name(),
        }
        for which, error in errors.items()
    ]


def refused_by(*calls: Callable[[], object]) -> list[KafkaError]:
    """The error that each of the calls raises."""
    errors = []
    for call in calls:
        with pytest.raises(KafkaException) as refused:
            call()
        errors.append(refused.value.args[0])
    return errors


def read_settled(consumer: ConsumerMaker, topic: str, *partitions: int) -> list[Message]:
    """The committed records, once no transaction is open any more: markers come late."""
    stable, latest = consumer(), consumer({"isolation.level": "read_uncommitted"})
    wait_until(
        lambda: [
            (watermarks(stable, topic, each), watermarks(latest, topic, each))
            for each in partitions
        ],
        lambda ends: all(committed == written for committed, written in ends),
        limit=20,
        what=f"the last transaction in {topic} to end",
    )
    return read(stable, topic, *partitions)


# Records.


def payments() -> list[Record]:
    """Ten payments, of 0 to 9, each with a key of its own."""
    return [Record(value, b"payment-" + value) for value in TEN]


def orders(partition: int) -> list[Record]:
    """Six records of one partition, of one key."""
    key = b"order-%d" % partition
    return [Record(b"%d-%d" % (partition, number), key) for number in range(6)]


def values_of(records: Iterable[Message]) -> list[bytes]:
    """Their values, in order."""
    return [each.value() or b"" for each in records]


def by_partition(records: Sequence[Message]) -> dict[int, list[bytes]]:
    """For each partition its values, in order."""
    return {
        partition: values_of(each for each in records if each.partition() == partition)
        for partition in (0, 1)
    }


def log_records(records: Sequence[Message]) -> list[LogRecord]:
    """The records as the checkers take them."""
    return [
        LogRecord(
            each.topic() or "",
            each.partition() or 0,
            each.offset() or 0,
            each.key(),
            each.value(),
            None,
        )
        for each in records
    ]


def prepare(sink: Path, statement: str) -> None:
    """Make the sink's table."""
    with closing(sqlite3.connect(sink)) as database:
        database.execute(statement)


def total_of(sink: Path) -> int:
    """The sum of all payments."""
    with closing(sqlite3.connect(sink)) as database:
        (total,) = database.execute("SELECT sum(amount) FROM payments").fetchone()
    return int(total)


RECORDS = [b"0", b"1", b"2", b"3", b"4", LAST]
NEVER: dict[str, list[bytes | None]] = {point: [] for point in CRASH_POINTS}

JobMaker = Callable[..., Job]


class Poison(Exception):
    """What a record does that cannot be processed."""


@pytest.fixture
def job(
    broker: Broker, topic: TopicMaker, group: str, producer: ProducerMaker, solutions: Solutions
) -> JobMaker:
    """Makes jobs, `job("at_least_once")`: each with a group of its own, and six records to read."""
    numbers = count(1)

    def make(
        strategy: str,
        *,
        records: Sequence[bytes] = RECORDS,
        partitions: int = 1,
        settings: ClientConfig | None = None,
        **more: Any,
    ) -> Job:
        # Asked for here already: a process of its own could not skip the test.
        getattr(solutions.delivery, strategy)
        source, writer = topic(partitions=partitions), producer()
        for partition in range(partitions):
            # Of one key, so that a copy has an order to keep.
            keyed = [Record(value, b"key") for value in records[partition::partitions]]
            send(writer, source, keyed, partition=partition)
        name = f"{group}-{next(numbers)}"
        config = broker.client_properties()
        return Job(
            solutions.delivery, strategy, config, name, source, settings=settings or {}, **more
        )

    return make


def lost(processed: Mapping[str, Sequence[bytes | None]]) -> dict[str, list[bytes | None]]:
    """For each point the records that were never processed."""
    return {point: fate_of(RECORDS, seen).lost for point, seen in processed.items()}


def repeated(processed: Mapping[str, Sequence[bytes | None]]) -> dict[str, list[bytes | None]]:
    """For each point the records that came again, each as often as it did."""
    return {point: fate_of(RECORDS, seen).repeated for point, seen in processed.items()}


def matrix(
    strategy: str, processed: Mapping[str, Sequence[bytes | None]]
) -> list[dict[str, object]]:
    """What came of a strategy as rows of evidence, one for each failure."""
    return [failure_row(strategy, failure, seen) for failure, seen in processed.items()]


def failure_row(strategy: str, failure: str, seen: Sequence[bytes | None]) -> dict[str, object]:
    """What came of a strategy at a failure, as a row of evidence."""
    fate = fate_of(RECORDS, seen)
    return {
        "strategy": strategy.replace("_", "-"),
        "failure": failure,
        "lost": len(fate.lost),
        "repeated": len(fate.repeated),
        "processed": " ".join((value or b"").decode() for value in seen),
    }
