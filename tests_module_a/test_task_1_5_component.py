"""Task 1.5, the component: three processors, a fourth to compare, and an idempotent sink.

They are kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_STORED, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ChildStarter, ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import exact_copy, fate_of
from kafkalab.observe.delivery_bench import (
    AFTER_COMMIT,
    AFTER_PROCESSING,
    BEFORE_COMMIT,
    BEFORE_PROCESSING,
    CRASH_POINTS,
    LAST,
    TOO_SLOW,
    WHEN_COMMITTED,
    Gathered,
    Job,
    Overseen,
    Worker,
    replaced,
    run_failing,
    take_too_long,
)
from kafkalab.observe.groups import EAGER, KIP_848, committed_offset, describe_group
from kafkalab.observe.records import Record, log_records, read, read_outputs, send
from kafkalab.observe.refusals import must_raise
from kafkalab.observe.threads import InThread
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until

RECORDS = [b"0", b"1", b"2", b"3", b"4", LAST]

# How often the broker refuses an output; nobody should count that far.
REFUSALS = 5

JobMaker = Callable[..., Job]


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


@pytest.mark.fact("at-most-once-never-repeats", scope="the component delivery")
def test_at_most_once_never_repeats(job: JobMaker, child: ChildStarter, evidence: Evidence) -> None:
    """At-most-once never repeats a record, wherever the processor is killed; it may lose one.

    The lost record was committed and not yet processed, and the next processor
    starts after it.
    """
    processed = run_failing(
        child, {point: job("at_most_once", failure=point) for point in CRASH_POINTS}
    )

    evidence.table(
        "A failure while record 2 is processed",
        matrix("at_most_once", processed),
        look="In the column repeated there is only 0; in lost there is not.",
    )
    fates = {failure: fate_of(RECORDS, seen) for failure, seen in processed.items()}
    repeated = {point: fate.repeated for point, fate in fates.items() if fate.repeated}
    assert repeated == {}, "At-most-once processes no record twice, wherever it is killed."
    lost = {point: fate.lost for point, fate in fates.items()}
    assert lost[BEFORE_PROCESSING] == [b"2"], (
        "Record 2 was committed before it was processed: killed in between, it is lost."
    )
    # With a commit that is answered later, the process may die before the broker has it.
    assert lost[AFTER_COMMIT] in ([], [b"2"]), "Killed after the commit, only record 2 may be lost."
    assert lost[AFTER_PROCESSING] == lost[BEFORE_COMMIT] == [], (
        "Nothing is lost of what was processed, or not committed yet."
    )


@pytest.mark.fact("at-least-once-never-loses", scope="the component delivery")
def test_at_least_once_never_loses(job: JobMaker, child: ChildStarter, evidence: Evidence) -> None:
    """At-least-once never loses a record, wherever the processor is killed; it may repeat some.

    What repeats was processed and not yet committed, and the next processor
    starts with it.
    """
    processed = run_failing(
        child, {point: job("at_least_once", failure=point) for point in CRASH_POINTS}
    )

    evidence.table(
        "A failure while record 2 is processed",
        matrix("at_least_once", processed),
        look="In the column lost there is only 0; in repeated there is not.",
    )
    fates = {failure: fate_of(RECORDS, seen) for failure, seen in processed.items()}
    lost = {point: fate.lost for point, fate in fates.items() if fate.lost}
    assert lost == {}, "At-least-once loses no record, wherever it is killed."
    assert b"2" in fates[AFTER_PROCESSING].repeated, (
        "Record 2 was processed and could not be committed yet, so it comes again."
    )


@pytest.mark.fact("at-least-once-outlives-a-rebalance", scope="the component delivery")
@pytest.mark.parametrize("protocol", [EAGER, KIP_848], ids=["eager", "KIP-848"])
def test_at_least_once_loses_nothing_at_a_rebalance(
    admin: AdminClient,
    job: JobMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: Mapping[str, Any],
) -> None:
    """If partitions move between two at-least-once processors, no record is lost.

    The second processor joins while the first is at work. The first one's
    current record is committed, or comes again.
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
    assert {*first.processed, *second.processed} == set(values), (
        "Every record that was committed was processed, by one of the two."
    )
    assert errors == (None, None), "Both processors go on through the rebalance without an error."


@pytest.mark.fact("too-slow-is-replaced", scope="the component delivery, classic")
@pytest.mark.needs("short_sessions")
def test_who_is_too_slow_is_replaced_and_ends(
    topic: TopicMaker, job: JobMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a processor is too slow and is replaced, nothing is lost, and a refused commit ends it.

    By then another processor owns the partition, and has started at the commit.
    Under at-least-once the current record is processed twice. Under at-most-once
    it is processed late, after those that follow it. What exactly-once writes is
    aborted.
    """
    strategies = "at_most_once", "at_least_once", "exactly_once"
    jobs = {strategy: job(strategy, copy=topic()) for strategy in strategies}

    slow = take_too_long(jobs)
    replacements = replaced(jobs, slow)

    processed = {strategy: each.processed for strategy, each in replacements.items()}
    copied = read_outputs(consumer, jobs["exactly_once"].copy)
    processed["exactly_once"] = [each.value() for each in copied]
    rows = [failure_row(strategy, TOO_SLOW, seen) for strategy, seen in processed.items()]
    evidence.table("A failure while record 2 is processed", rows)
    error, refused = replacements["at_least_once"].error, replacements["at_least_once"].refused
    evidence.note("At-least-once ended with: {}", error)
    fates = {failure: fate_of(RECORDS, seen) for failure, seen in processed.items()}
    lost = {strategy: fate.lost for strategy, fate in fates.items() if fate.lost}
    assert lost == {}, (
        "When a slow processor was replaced, the group's other member reads and processes what is "
        "left: no record is lost. Exactly-once sends the group metadata that the consumer has now: "
        "by it the broker refuses the offsets of a member that was replaced."
    )
    assert fates["at_most_once"].repeated == fates["exactly_once"].repeated == [], (
        "At-most-once and exactly-once repeat no record."
    )
    assert b"2" in fates["at_least_once"].repeated, (
        "At-least-once repeats the record that was processed and not yet committed."
    )
    # A processor that leaves its commits to the client may hear of nothing.
    if refused:
        assert isinstance(error, KafkaException), (
            "If Kafka refuses its commit, the slow processor ends with that error."
        )


@pytest.mark.fact("exactly-once-outlives-crashes", scope="the component delivery")
def test_exactly_once_outlives_crashes(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    evidence: Evidence,
) -> None:
    """Exactly-once writes each output once, wherever the processor is killed.

    Outputs and offsets are committed together. A reader of committed records
    sees a copy that is whole and in order.
    """
    jobs = {point: job("exactly_once", failure=point, copy=topic()) for point in CRASH_POINTS}

    run_failing(child, jobs)

    reader = consumer()
    written = {
        point: log_records(read_outputs(consumer, each.copy)) for point, each in jobs.items()
    }
    values = {point: [each.value for each in rows] for point, rows in written.items()}
    evidence.table(
        "A failure while record 2 is processed",
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
    """After an abort exactly-once reads the same records again: it must seek, an abort does not.

    Here the broker refuses the first output five times: it is too large for its
    topic. The processor tries until it succeeds, however often that is.
    """
    copy, tried = topic(settings={"max.message.bytes": "1000"}), []
    work = job("exactly_once", copy=copy)

    def too_large_at_first(message: Message) -> bytes | None:
        tried.append(message.value())
        if message.value() != b"0" or tried.count(b"0") > REFUSALS:
            return message.value()
        if len(tried) == 1:
            send(producer(), work.source, [b"later"])
        return b"x" * 2_000

    is_done = work.is_done()

    def is_done_or_past_it() -> bool:
        # A processor that does not go back comes to the later record, and would wait for ever then.
        return is_done() or (tried[-1:] == [b"later"] and tried.count(b"0") == 1)

    running = InThread(
        work.run, work.consumer(), work.producer(), too_large_at_first, is_done_or_past_it
    )
    error = running.error()

    written = [each.value() for each in read_outputs(consumer, copy)]
    evidence.table(
        "After five aborts",
        [{"tried, the first record": tried.count(b"0"), "written": written}],
    )
    aborts = tried.count(b"0")
    assert not isinstance(error, KafkaException), (
        f"After {aborts} aborts the processor tries again, and does not end with: {error}."
    )
    if error is not None:
        raise error
    assert tried.count(b"0") > 1, (
        "After the abort the first record is read and tried again, though the group has no commit."
    )
    assert [each for each in written if each != b"later"] == RECORDS, (
        "Each record is in the output once."
    )


@pytest.mark.fact("exactly-once-ends-when-fenced", scope="the component delivery")
def test_exactly_once_ends_when_it_is_fenced(
    topic: TopicMaker, job: JobMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a processor was replaced, it ends with an error, and nothing that it writes is seen.

    Such a processor is called a zombie: it hung, and another one was started in
    its place.
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

    written = [each.value() for each in read_outputs(consumer, work.copy)]
    evidence.note("The zombie ended with: {}", error)
    evidence.table("Written", [{"values": written}])
    assert isinstance(error, KafkaException), (
        "The processor that was replaced ends with Kafka's error."
    )
    assert written == RECORDS, "Each record is in the output once."


@pytest.mark.fact("auto-commit-promises-neither", scope="the component delivery")
def test_auto_commit_promises_neither(
    job: JobMaker, child: ChildStarter, evidence: Evidence
) -> None:
    """Auto-commit loses the current record if it runs in time, and repeats records if it does not.

    It commits what poll() has given, processed or not.
    """
    clocks = {WHEN_COMMITTED: 10, BEFORE_PROCESSING: 600_000}
    jobs = {
        point: job("auto_commit", failure=point, settings={"auto.commit.interval.ms": clock})
        for point, clock in clocks.items()
    }

    processed = run_failing(child, jobs)

    evidence.table(
        "A failure while record 2 is processed",
        matrix("auto_commit", processed),
        look="One failure loses, another repeats: it depends on when the timer commits.",
    )
    fates = {failure: fate_of(RECORDS, seen) for failure, seen in processed.items()}
    assert {point: fate.lost for point, fate in fates.items()} == {
        WHEN_COMMITTED: [b"2"],
        BEFORE_PROCESSING: [],
    }, "If auto-commit runs in time, the record that is not processed yet is lost."
    assert {point: fate.repeated for point, fate in fates.items()} == {
        WHEN_COMMITTED: [],
        BEFORE_PROCESSING: [b"0", b"1"],
    }, (
        "What was processed since the client's timer last committed comes again: auto_commit "
        "itself commits nothing."
    )


@pytest.mark.fact("auto-commit-is-left-to-the-client", scope="the component delivery")
def test_auto_commit_is_left_to_the_client(
    job: JobMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Under auto-commit the processor itself commits nothing, also at its end: the client does.

    A commit of its own may be refused, and waits for an answer.
    """
    work = job("auto_commit")
    seen: list[bytes | None] = []
    commits: list[int] = []
    overseen: Any = Overseen(work.consumer(), lambda _: commits.append(len(seen)))

    def process(message: Message) -> bytes | None:
        seen.append(message.value())
        return None

    work.run(overseen, None, process, lambda: seen[-1:] == [LAST])

    committed = committed_offset(consumer({"group.id": work.group}), work.source)
    evidence.table(
        "Afterwards", [{"commits of the processor": len(commits), "committed": committed}]
    )
    assert commits == [], (
        f"After records {commits} the processor called commit(): it leaves that to the client."
    )
    assert committed == len(RECORDS), "When the client is closed, it commits what it handed over."


@pytest.mark.fact("sink-counts-each-effect-once", scope="the component delivery")
def test_the_sink_counts_each_effect_once(
    job: JobMaker, child: ChildStarter, solutions: Solutions, evidence: Evidence, tmp_path: Path
) -> None:
    """The sink applies each record once, even if records repeat and the sink itself restarts.

    With such a sink at-least-once is enough. Two records of the same content
    are two effects: their places in the log tell them apart.
    """
    records = [b"a", b"b", b"a", b"b", LAST]
    work = job(
        "at_least_once", failure=AFTER_PROCESSING, records=records, sink=tmp_path / "effects"
    )

    delivered = run_failing(child, {"the only one": work})["the only one"]

    sink = solutions.delivery.IdempotentSink(tmp_path / "effects")
    applied = sink.values()
    sink.close()
    evidence.table(
        "Killed after record 2 was applied, before its commit",
        [{"delivered": delivered, "applied": applied}],
    )
    assert len(delivered) > len(records), "The record that was not committed is delivered twice."
    assert applied == records, "Each record is applied once."


class Poison(Exception):
    """What a record does that cannot be processed."""


@pytest.mark.fact("a-failing-record-is-told", scope="the component delivery")
@pytest.mark.parametrize(
    ("strategy", "committed"),
    [
        ("at_most_once", ((2, 1),)),
        ("at_least_once", ((1, 1),)),
        ("exactly_once", ((None, None), (1, None), (1, 1))),
    ],
    ids=["at-most-once", "at-least-once", "exactly-once"],
)
def test_a_failing_record_is_told(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    strategy: str,
    committed: tuple[tuple[int | None, int | None], ...],
) -> None:
    """If the processing of a record fails, the processor ends with that error, at once.

    If it went on, it would commit past the record, and nobody would read it
    again. If it tried again, what was done before the failure would be done twice.
    What exactly-once has done in transactions before that stays done. Records 0
    and 2 are of one partition, and record 1 is of another.
    """
    work, tried = job(strategy, copy=topic(), partitions=2), []
    reader = work.consumer()
    reader.assign([TopicPartition(work.source, number, OFFSET_STORED) for number in (0, 1)])
    gathered: Any = Gathered(reader, len(RECORDS))

    def fail_at_2(message: Message) -> bytes | None:
        tried.append(message.value())
        if message.value() == b"2":
            raise Poison
        return message.value()

    with must_raise(
        Poison,
        sentence=f"{strategy} ends with the error that the processing of record 2 raises (Poison): "
        f"a record that fails is not skipped.",
    ):
        work.run(gathered, work.producer(), fail_at_2, work.is_done())

    observer = consumer({"group.id": work.group})
    seen = committed_offset(observer, work.source, 0), committed_offset(observer, work.source, 1)
    written = [each.value() for each in read_outputs(consumer, work.copy)]
    evidence.table(
        "Failed at record 2",
        [
            {
                "tried": tried,
                "committed, partition 0": seen[0],
                "partition 1": seen[1],
                "written": written,
            }
        ],
    )
    assert tried.count(b"2") == 1, "Record 2 is handed to the processing once, and not again."
    assert seen in committed, (
        f"When record 2 has failed {strategy} has committed what its promise says, in each of the "
        f"two partitions: all before record 2, and record 2 itself only if it is at-most-once."
    )
    done = sum(each or 0 for each in seen)
    wanted = RECORDS[:done] if strategy == "exactly_once" else []
    assert written == wanted, (
        "A reader of committed records sees nothing of an aborted transaction."
    )


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
    """If a processor has to stop, it commits all that it did, and leaves the group.

    It has records of two partitions; each partition has a commit of its own.
    """
    work = job(strategy, copy=topic(), partitions=2)
    seen: list[bytes | None] = []

    def process(message: Message) -> bytes | None:
        seen.append(message.value())
        return message.value()

    def has_all() -> bool:
        return len(seen) >= len(RECORDS)

    work.run(work.consumer(subscribe=True), work.producer(), process, has_all)

    described, observer = describe_group(admin, work.group), consumer({"group.id": work.group})
    committed = [committed_offset(observer, work.source, number) for number in (0, 1)]
    evidence.table("Afterwards", [{"group": described.state, "committed": committed}])
    by_partition = [[each for each in seen if each in RECORDS[number::2]] for number in (0, 1)]
    assert by_partition == [RECORDS[0::2], RECORDS[1::2]], (
        "Each record is processed once, those of a partition in order."
    )
    assert committed == [3, 3], "Each partition's commit is the offset after its last record."
    assert described.assignments == (), "The group has no member any more."


# How many records kafkalab's own component loses and repeats; it commits each record by itself.
FATES = {
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
}


@pytest.mark.fact("delivery-in-one-table", scope="the component delivery, classic")
@pytest.mark.needs("short_sessions")
def test_delivery_in_one_table(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """What is lost or repeated depends on the strategy, and on when the failure comes.

    Exactly-once loses and repeats nothing, as long as all is in Kafka. Here
    auto-commit never runs in time; what it does then is another fact.
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

    copies = {name: job.copy for name, job in jobs.items() if job.strategy == "exactly_once"}
    processed |= {
        name: [each.value() for each in read_outputs(consumer, copy)]
        for name, copy in copies.items()
    }
    rows = [failure_row(strategy, failure, seen) for (strategy, failure), seen in processed.items()]
    evidence.table(
        "A failure while record 2 of 6 is processed",
        rows,
        look="Read by strategy: at-most-once repeats nothing, at-least-once loses nothing, "
        "exactly-once neither.",
    )
    seen = {
        (str(row["strategy"]), failure): (row["lost"], row["repeated"])
        for (_, failure), row in zip(processed, rows, strict=True)
    }
    for (strategy, failure), (lost, repeated) in seen.items():
        # Only a record that was committed and not processed is lost, by at-most-once.
        may_lose = strategy == "at-most-once" and failure in (BEFORE_PROCESSING, AFTER_COMMIT)
        if not may_lose:
            assert lost == 0, f"Where {strategy} is {failure}, no record is lost."
        may_repeat = strategy in ("at-least-once", "auto-commit")
        if not may_repeat:
            assert repeated == 0, f"Where {strategy} is {failure}, no record repeats."
    # Another component may commit some records at a time: then more come again.
    if solutions.are_kafkalabs:
        assert seen == FATES, (
            "Each strategy loses and repeats, at each failure, as many records as it promises."
        )
