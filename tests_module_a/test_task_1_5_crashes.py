"""Task 1.5: what is lost, and what comes twice, when a process crashes?

A crash is a process that is killed (SIGKILL). What it had processed is what it
had told before, line by line. The next process of its group begins where the
group's last commit says.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kafkalab.brokers import Broker
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ChildStarter, ConsumerMaker, JavaStarter, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import Fate, fate_of
from kafkalab.observe.children import Say, crash
from kafkalab.observe.groups import committed_offset
from kafkalab.observe.records import (
    KNOWS_ENDS,
    SENTINEL,
    TEN,
    Record,
    error_of,
    events_until,
    next_record,
    poll_until,
    read_on,
    read_to_sentinel,
    reading,
    send,
    take,
    wait_for_error,
)
from kafkalab.waiting import wait_until

CrashMaker = Callable[..., Fate[bytes]]


@pytest.fixture
def crash_of(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
) -> CrashMaker:
    """Has a program read ten records until it crashes, and then another reader of its group.

    `crash_of(commit_then_process, taken=8, crash_after=3)` gives the fate of the ten.
    """

    def read_ten(
        program: Callable[..., None],
        *,
        settings: ClientConfig | None = None,
        next_reader: ClientConfig | None = None,
        **how: object,
    ) -> Fate[bytes]:
        name = topic()
        send(producer(), name, [*TEN, SENTINEL])
        config = reading(broker, group) | dict(settings or {})
        before = child(program, config, name, **how).wait_for_crash()
        after = read_on(consumer(next_reader), name)
        return fate_of(TEN, before, after)

    return read_ten


def process_then_commit(
    say: Say, config: ClientConfig, topic: str, commit_every: int, crash_after: int
) -> None:
    """At least once: process record by record, commit after every so many; crash after so many."""
    reader = Consumer(dict(config))
    for number, record in enumerate(records_of(reader, topic), 1):
        say(record.value())
        if number == crash_after:
            crash()
        if number % commit_every == 0:
            reader.commit(message=record, asynchronous=False)


def records_of(reader: Consumer, topic: str) -> Iterator[Message]:
    """The records of partition 0 one by one, from the group's commit to the sentinel."""
    reader.assign([TopicPartition(topic, 0)])
    while (record := next_record(reader)).value() != SENTINEL:
        yield record


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


@pytest.mark.fact("at-most-once-loses", scope="any client")
def test_at_most_once_loses(
    crash_of: CrashMaker,
    evidence: Evidence,
) -> None:
    """If you commit first and process then, a crash loses what was committed and not yet processed.

    Eight records are committed and three processed, so five are lost. None
    comes twice.
    """
    taken, processed = 8, 3

    fate = crash_of(commit_then_process, taken=taken, crash_after=processed)

    evidence.table(
        "Eight committed, three processed, a crash",
        [fate.row],
        look="The records that were committed and not processed do not come again.",
    )
    assert fate.lost == TEN[processed:taken], (
        "Eight are committed and three processed, so five are lost."
    )
    assert fate.repeated == [], "No record comes twice."


@pytest.mark.control("at-most-once-loses", changes="processing comes before the commit")
def test_processing_first_loses_nothing(
    crash_of: CrashMaker,
    evidence: Evidence,
) -> None:
    """If you process first and commit then, a crash after three records repeats three."""
    processed = 3

    fate = crash_of(process_then_commit, commit_every=8, crash_after=processed)

    evidence.table("None committed, three processed, a crash", [fate.row])
    assert fate.lost == [], "No record is lost."
    assert fate.repeated == TEN[:processed], (
        "Three are processed and none committed, so three come again."
    )


@pytest.mark.fact("at-least-once-repeats", scope="any client")
def test_at_least_once_repeats(
    crash_of: CrashMaker,
    evidence: Evidence,
) -> None:
    """If you process first and commit then, a crash repeats what was processed and not committed.

    With a commit after every eighth record, a crash after the seventh repeats
    seven. None is lost.
    """
    processed = 7

    fate = crash_of(process_then_commit, commit_every=8, crash_after=processed)

    evidence.table(
        "A commit for eight, a crash after seven",
        [fate.row],
        look="The records that were processed and not committed come again.",
    )
    assert fate.repeated == TEN[:processed], (
        "Seven are processed and none committed, so seven come again."
    )
    assert fate.lost == [], "No record is lost."


@pytest.mark.control("at-least-once-repeats", changes="each record is committed by itself")
def test_a_commit_for_each_record_repeats_one(
    crash_of: CrashMaker,
    evidence: Evidence,
) -> None:
    """If you commit each record, a crash repeats at most one: the one not committed yet."""
    processed = 7

    fate = crash_of(process_then_commit, commit_every=1, crash_after=processed)

    evidence.table("A commit for each, a crash after seven", [fate.row])
    assert fate.repeated == TEN[processed - 1 : processed], (
        "Seven are processed and six committed, so one comes again."
    )
    assert fate.lost == [], "No record is lost."


# Milliseconds from one auto-commit to the next, of both clients.
EVERY_MS = 50

AUTO_COMMIT = {"enable.auto.commit": True}


def at_crash_row(taken: int, processed: int, committed: int | None) -> dict[str, object]:
    """How far a process had come when it crashed, as a row of evidence."""
    return {
        "records processed": processed,
        "polled, not yet processed": taken,
        "offset committed": committed,
    }


def hold_the_next(
    say: Say, config: ClientConfig, topic: str, taken: int, processed: int, committed: int | None
) -> None:
    """Process some of the records taken; then crash, as soon as so much is committed."""
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


@pytest.mark.fact(
    "auto-commit-can-lose", scope="librdkafka; Java's poll() commits what it gave before"
)
@pytest.mark.parametrize(
    ("taken", "processed", "every_ms", "committed", "lost", "repeated"),
    [
        (1, 4, EVERY_MS, 5, [b"4"], []),
        (10, 0, EVERY_MS, 10, TEN, []),
        (1, 5, 60_000, None, [], TEN[:5]),
    ],
    ids=["one polled", "ten polled", "before the timer"],
)
def test_auto_commit_can_lose(
    crash_of: CrashMaker,
    evidence: Evidence,
    taken: int,
    processed: int,
    every_ms: int,
    committed: int | None,
    lost: list[bytes],
    repeated: list[bytes],
) -> None:
    """With librdkafka's auto-commit a crash can lose records, and it can repeat records.

    So it promises neither at-most-once nor at-least-once. A record counts as read
    when poll() has given it, processed or not. If the timer ticks before it is
    processed, a crash loses it; what was processed since the last tick comes again.
    """
    commits_by_itself = AUTO_COMMIT | {"auto.commit.interval.ms": every_ms}
    at_crash = {"taken": taken, "processed": processed, "committed": committed}

    fate = crash_of(hold_the_next, settings=commits_by_itself, **at_crash)

    evidence.table(
        "At the crash, and what became of the records",
        [at_crash_row(taken, processed, committed) | fate.row],
    )
    assert fate.lost == lost, "What was committed and not processed is lost."
    assert fate.repeated == repeated, "What was processed and not committed comes again."


@pytest.mark.control(
    "auto-commit-can-lose", changes="offsets are stored when a record is processed"
)
def test_auto_commit_of_stored_offsets_loses_nothing(
    crash_of: CrashMaker,
    evidence: Evidence,
) -> None:
    """With `enable.auto.offset.store=false` and `store_offsets()` auto-commit is at-least-once."""
    stores = {"auto.commit.interval.ms": EVERY_MS, "enable.auto.offset.store": False}
    at_crash = {"taken": 1, "processed": 4, "committed": 4}

    fate = crash_of(hold_the_next, settings=AUTO_COMMIT | stores, **at_crash)

    evidence.table(
        "At the crash, and what became of the records", [at_crash_row(1, 4, 4) | fate.row]
    )
    assert fate.lost == [], (
        "The record that was polled and not processed comes again, and is not lost."
    )
    assert fate.repeated == [], "Nothing comes twice, as all that was processed was committed."


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
    """Kill a reader at its fifth record, librdkafka's and Java's; what became of each.

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
    # All the time Java's client waits at its fifth record, and its interval passes many times.
    pythons = child(hold_the_next, config, name, 1, 4, committed).wait_for_crash()
    javas_commit = committed_offset(observer, name)
    java.kill()

    if any(each["name"] == "offsets_committed" for each in java.heard):
        raise RuntimeError("the tool committed, and not the client")
    python = fate_of(all_of_them, pythons, read_on(consumer(), name))
    after = read_on(consumer({"group.id": javas_group}), name)
    javas = [each["value"].encode() for each in told]
    return (committed, python), (javas_commit, fate_of(all_of_them, javas, after))


Crashed = tuple[int | None, Fate[bytes]]


# More than a pipe holds: a program that prints one of these waits in the middle of it.
BIG, BIGGER = b"3" * 200_000, b"4" * 200_000


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


@pytest.mark.fact(
    "javas-auto-commit-waits-for-poll", scope="both clients with auto-commit; Java's is classic"
)
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
    """At a crash auto-commit of librdkafka's client can lose the current record; Java's cannot.

    librdkafka commits in the background what poll() has given. Java's client
    commits in poll(), and only what earlier calls of poll() gave. It can lose
    records as well if other threads process them while yours polls on.
    """
    python, java = killed_in_both(broker, topic, producer, consumer, child, java_client, group, {})

    evidence.table(
        "Killed before the fifth record is processed; auto-commit each 50 ms",
        in_both_rows(python, java),
        look="librdkafka had committed the fifth record as well, Java only those before it.",
    )
    assert python[1].lost == [BIGGER], (
        "librdkafka's client loses the record that was committed and not processed."
    )
    assert java[0] == 4, "Java's client has committed only the four records before it."
    assert java[1].lost == [], "Java's client loses nothing."


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
        "Killed before the fifth record is processed; auto-commit each 50 ms",
        in_both_rows(python, java),
    )
    assert python[1].lost == java[1].lost == [], "Neither client loses a record."


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
    was not. error stops the consumer with an error.
    """
    name, writer = topic(), producer()
    send(writer, name, TEN)
    before = child(
        process_then_commit, reading(broker, group), name, commit_every=8, crash_after=3
    ).wait_for_crash()
    readers = {
        reset: consumer({**KNOWS_ENDS, "auto.offset.reset": reset})
        for reset in ("earliest", "latest", "error")
    }
    for reader in readers.values():
        reader.assign([TopicPartition(name, 0)])

    # When latest has reported the end it has begun; what is written now is new to it.
    *early, _ = events_until(
        readers["latest"],
        lambda events: bool(events) and error_of(events[-1]) is not None,
        what="the end",
    )
    send(writer, name, [SENTINEL])

    after = {reset: read_to_sentinel(readers[reset]) for reset in ("earliest", "latest")}
    after["latest"] = [*(each.value() or b"" for each in early), *after["latest"]]
    told = wait_for_error(readers["error"], KafkaError._AUTO_OFFSET_RESET)
    fates = {reset: fate_of(TEN, before, values) for reset, values in after.items()}
    evidence.table(
        "Three of ten processed before the crash",
        [{"auto.offset.reset": r} | fate.row for r, fate in fates.items()],
    )
    evidence.note("With error, poll() gives an error: {}", told)
    assert fates["earliest"] == Fate(lost=[], repeated=TEN[:3]), (
        "With earliest the three processed records come again."
    )
    assert fates["latest"] == Fate(lost=TEN[3:], repeated=[]), (
        "With latest the seven records that were not processed are lost."
    )


@pytest.mark.control("reset-decides-the-first-read", changes="the crash is after the first commit")
@pytest.mark.parametrize("reset", ["earliest", "latest", "error"])
def test_after_the_first_commit_reset_is_not_asked(
    crash_of: CrashMaker,
    evidence: Evidence,
    reset: str,
) -> None:
    """After the first commit `auto.offset.reset` plays no part: no record is lost."""
    resets = {"auto.offset.reset": reset}

    fate = crash_of(process_then_commit, commit_every=2, crash_after=3, next_reader=resets)

    evidence.table(
        "Three of ten processed before the crash, two committed",
        [{"auto.offset.reset": reset} | fate.row],
    )
    assert fate == Fate(lost=[], repeated=[b"2"]), (
        "Only the record that was not committed comes again."
    )


def pay(say: Say, config: ClientConfig, topic: str, sink: Path, crash_after: int = 0) -> None:
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


Payer = Callable[[str], tuple[Fate[bytes], int]]


@pytest.fixture
def pay_into(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    child: ChildStarter,
    group: str,
    tmp_path: Path,
) -> Payer:
    """Has payments of 0 to 9 booked in a table, by a process that crashes, and then by another.

    `pay_into("key TEXT, amount INTEGER")` gives the fate of the ten, and the total in the table.
    """

    def pay_ten(columns: str) -> tuple[Fate[bytes], int]:
        name, sink = topic(), tmp_path / "payments.db"
        with closing(sqlite3.connect(sink)) as database:
            database.execute(f"CREATE TABLE payments ({columns})")
        send(producer(), name, [*(Record(each, b"payment-" + each) for each in TEN), SENTINEL])
        before = child(pay, reading(broker, group), name, sink, crash_after=9).wait_for_crash()
        after = child(pay, reading(broker, group), name, sink).wait()
        with closing(sqlite3.connect(sink)) as database:
            (total,) = database.execute("SELECT sum(amount) FROM payments").fetchone()
        return fate_of(TEN, before, after), int(total)

    return pay_ten


@pytest.mark.fact("dedupe-makes-effectively-once", scope="any sink that knows a key")
def test_a_sink_that_knows_keys_counts_once(pay_into: Payer, evidence: Evidence) -> None:
    """If a sink refuses a key that it already has, at-least-once makes each record count once.

    The key must be the same each time the record comes: a name of the record's
    own, and not the time or a new random number.
    """
    fate, total = pay_into("key TEXT PRIMARY KEY, amount INTEGER")

    evidence.table(
        "Payments of 0 to 9, which are 45 in all", [fate.row | {"total in the table": total}]
    )
    assert fate.repeated == TEN[6:9], "Nine are processed and six committed, so three come again."
    assert total == 45, "The repeated payments change nothing in the total."


@pytest.mark.control("dedupe-makes-effectively-once", changes="the sink does not look at the key")
def test_a_sink_without_keys_counts_repeats(pay_into: Payer, evidence: Evidence) -> None:
    """If a sink takes whatever comes, repeated records count twice: 6 + 7 + 8 too much."""
    fate, total = pay_into("key TEXT, amount INTEGER")

    evidence.table(
        "Payments of 0 to 9, which are 45 in all", [fate.row | {"total in the table": total}]
    )
    assert fate.repeated == TEN[6:9], "Nine are processed and six committed, so three come again."
    assert total == 45 + 6 + 7 + 8, "The repeated payments are counted twice."
