"""Task 1.5: what is lost, what comes twice, and who promises what?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge the processors and the
sink, kafkalab's own or, with `--solutions`, yours.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, Message
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker
from kafkalab.fixtures import ChildStarter, ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import exact_copy
from kafkalab.observe.faults import (
    AFTER_COMMIT,
    AFTER_PROCESSING,
    BEFORE_COMMIT,
    BEFORE_PROCESSING,
    CRASH_POINTS,
    LAST,
    WHEN_COMMITTED,
    InThread,
    Job,
    run_killed,
)
from kafkalab.observe.groups import EAGER, KIP_848, committed_offset, describe_group
from kafkalab.observe.records import read, send
from kafkalab.observe.waiting import wait_until
from kafkalab.solutions import Solutions
from kafkalab.tasks.partition_log import LogRecord

# The component: three processors, a fourth to compare, and an idempotent sink


@pytest.mark.fact("at-most-once-never-repeats", scope="the component delivery")
def test_at_most_once_never_repeats(job: JobMaker, child: ChildStarter, evidence: Evidence) -> None:
    """At-most-once repeats no record, wherever it is killed; it loses the one in hand.

    The record was committed before it was processed: the successor begins after it.
    """
    processed = run_killed(child, {point: job("at_most_once") for point in CRASH_POINTS})

    evidence.table("Killed with record 2 in hand", matrix("at-most-once", processed))
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
    processed = run_killed(child, {point: job("at_least_once") for point in CRASH_POINTS})

    evidence.table("Killed with record 2 in hand", matrix("at-least-once", processed))
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
    first, second = Worker(work), Worker(work)
    observer = consumer({"group.id": work.group})

    first.start(hold_at=5)
    wait_until(lambda: len(first.seen) == 5, limit=20, what="the first to be at work")
    second.start()
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
        "Processed", [{"by the first": len(first.seen), "by the second": len(second.seen)}]
    )
    assert {*first.seen, *second.seen} == set(values), "what was committed was processed"
    assert errors == (None, None), "and both went on through the rebalance"


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
    jobs = {point: job("exactly_once", copy=topic()) for point in CRASH_POINTS}

    run_killed(child, jobs)

    reader = consumer()
    written = {point: as_rows(read(reader, each.copy)) for point, each in jobs.items()}
    values = {point: [each.value for each in rows] for point, rows in written.items()}
    evidence.table("Killed with record 2 in hand", matrix("exactly-once", values))
    for point, each in jobs.items():
        exact_copy(as_rows(read(reader, each.source)), written[point]).require()


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
        # Whoever does not go back, goes on with this one.
        send(producer(), work.source, [b"later"])
        return b"x" * 2_000

    work.run(work.consumer(), work.producer(), too_large_at_first, work.is_done())

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
    wait_until(at_work.is_set, limit=20, what="the first to be at work")
    work.run(work.consumer(), work.producer(), Message.value, work.is_done())
    go_on.set()
    error = zombie.error()

    written = [each.value() for each in read(consumer(), work.copy)]
    evidence.note(f"The zombie ended with: {error}")
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
    strikes = job("auto_commit", settings={"auto.commit.interval.ms": 10})
    strikes_later = job("auto_commit", settings={"auto.commit.interval.ms": 600_000})

    processed = run_killed(child, {WHEN_COMMITTED: strikes, BEFORE_PROCESSING: strikes_later})

    evidence.table("Killed with record 2 in hand", matrix("auto-commit", processed))
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
    work = job("at_least_once", records=records, sink=tmp_path / "effects")

    delivered = run_killed(child, {AFTER_PROCESSING: work})[AFTER_PROCESSING]

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


@pytest.mark.fact("delivery-in-one-table", scope="the component delivery")
def test_delivery_in_one_table(
    topic: TopicMaker,
    job: JobMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    evidence: Evidence,
) -> None:
    """What is lost or repeated follows from where it is killed, and from the strategy.

    Exactly-once does neither, inside of Kafka. Auto-commit's clock stands still
    here: it was made to strike elsewhere.
    """
    still = {"auto.commit.interval.ms": 600_000}
    copied = {point: job("exactly_once", copy=topic()) for point in CRASH_POINTS}

    processed = {
        "at-most-once": run_killed(child, {p: job("at_most_once") for p in CRASH_POINTS}),
        "at-least-once": run_killed(child, {p: job("at_least_once") for p in CRASH_POINTS}),
        "auto-commit": run_killed(
            child,
            {p: job("auto_commit", settings=still) for p in (BEFORE_PROCESSING, AFTER_PROCESSING)},
        ),
        "exactly-once": run_killed(child, copied),
    }

    reader = consumer()
    processed["exactly-once"] = {
        point: [each.value() for each in read(reader, work.copy)] for point, work in copied.items()
    }
    rows = [row for strategy, each in processed.items() for row in matrix(strategy, each)]
    evidence.table("Killed with record 2 of 6 in hand", rows)
    seen = {(row["strategy"], row["killed"]): (row["lost"], row["repeated"]) for row in rows}
    assert seen == {
        ("at-most-once", BEFORE_PROCESSING): (1, 0),
        ("at-most-once", AFTER_PROCESSING): (0, 0),
        ("at-most-once", BEFORE_COMMIT): (0, 0),
        ("at-most-once", AFTER_COMMIT): (1, 0),
        ("at-least-once", BEFORE_PROCESSING): (0, 0),
        ("at-least-once", AFTER_PROCESSING): (0, 1),
        ("at-least-once", BEFORE_COMMIT): (0, 1),
        ("at-least-once", AFTER_COMMIT): (0, 0),
        ("auto-commit", BEFORE_PROCESSING): (0, 2),
        ("auto-commit", AFTER_PROCESSING): (0, 3),
        **{("exactly-once", point): (0, 0) for point in CRASH_POINTS},
    }, "strategy and place of the crash: how many were lost, how many repeated"


# What the tests above share

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
        strategy: str, *, records: Sequence[bytes] = RECORDS, partitions: int = 1, **more: Any
    ) -> Job:
        source, writer = topic(partitions=partitions), producer()
        for partition in range(partitions):
            send(writer, source, records[partition::partitions], partition=partition)
        name = f"{group}-{next(numbers)}"
        return Job(solutions.folder, strategy, broker.client_properties(), name, source, **more)

    return make


class Worker:
    """An at-least-once processor in a thread, which can be held with a record in hand."""

    def __init__(self, job: Job) -> None:
        self.seen: list[bytes | None] = []
        self._job = job
        self._held, self._done = threading.Event(), threading.Event()

    def start(self, hold_at: int = 0) -> None:
        """Begin; hold when so many records were processed, until `go_on`."""

        def process(message: Message) -> bytes | None:
            self.seen.append(message.value())
            if len(self.seen) == hold_at:
                self._held.wait(30)
            return None

        # From here on it is a member: even unpolled it would be given partitions.
        consumer = self._job.consumer(subscribe=True)
        self._thread = InThread(self._job.run, consumer, None, process, self._done.is_set)

    def go_on(self) -> None:
        """Hold no longer."""
        self._held.set()

    def end(self) -> BaseException | None:
        """Stop; return what it raised."""
        self._held.set()
        self._done.set()
        return self._thread.error()


def lost(processed: Mapping[str, Sequence[bytes | None]]) -> dict[str, list[bytes | None]]:
    """For each point the records that were never processed."""
    return {point: [r for r in RECORDS if r not in seen] for point, seen in processed.items()}


def repeated(processed: Mapping[str, Sequence[bytes | None]]) -> dict[str, list[bytes | None]]:
    """For each point the records that came again, each as often as it did."""
    return {
        point: sorted((Counter(seen) - Counter(set(seen))).elements(), key=str)
        for point, seen in processed.items()
    }


def matrix(
    strategy: str, processed: Mapping[str, Sequence[bytes | None]]
) -> list[dict[str, object]]:
    """What came of a strategy as rows of evidence, one for each point."""
    missing, again = lost(processed), repeated(processed)
    return [
        {
            "strategy": strategy,
            "killed": point,
            "lost": len(missing[point]),
            "repeated": len(again[point]),
            "processed": seen,
        }
        for point, seen in processed.items()
    ]


def as_rows(messages: Sequence[Message]) -> list[LogRecord]:
    """Records as the checkers take them."""
    return [
        LogRecord(m.topic() or "", m.partition() or 0, m.offset() or 0, m.key(), m.value(), None)
        for m in messages
    ]
