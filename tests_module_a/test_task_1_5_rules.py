"""Task 1.5, the component: rules that hold for every processor, and for the sink.

They are kafkalab's own or, with `--kafkalab-solutions`, yours. What each strategy promises when
it fails stands in test_task_1_5_component.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, cast

import pytest
from confluent_kafka import (
    OFFSET_STORED,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from kafkalab.brokers import Broker
from kafkalab.contracts.delivery import Output
from kafkalab.fixtures import ChildStarter, ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.delivery_bench import (
    LAST,
    Gathered,
    Job,
    Overseen,
    Placed,
    SinkCrash,
    Sparse,
    crash_sinks,
)
from kafkalab.observe.groups import committed_offset, leave
from kafkalab.observe.records import Record, read_outputs, send
from kafkalab.observe.threads import InThread
from kafkalab.solutions import Solutions

STRATEGIES = ["at_most_once", "at_least_once", "auto_commit", "exactly_once"]

# Text, empty, binary, and none at all, which is a deletion.
VALUES = [b"0", None, b"", b"\xff\x00", LAST]

# Seconds after which a processor that has gone astray is stopped; a right one needs one or two.
ASTRAY = 15.0

JobMaker = Callable[..., Job]


@pytest.fixture
def job(
    broker: Broker, topic: TopicMaker, group: str, producer: ProducerMaker, solutions: Solutions
) -> JobMaker:
    """Makes jobs, `job("at_least_once")`: each with a group, a topic to write, and VALUES."""
    numbers = count(1)

    def make(
        strategy: str,
        *,
        values: Sequence[bytes | None] = VALUES,
        partitions: int = 1,
        **settings: object,
    ) -> Job:
        getattr(solutions.delivery, strategy)
        source, writer = topic(partitions=partitions), producer()
        for partition in range(partitions):
            keyed = [Record(value, b"key") for value in values[partition::partitions]]
            send(writer, source, keyed, partition=partition)
        return Job(
            solutions.delivery,
            strategy,
            broker.client_properties(),
            f"{group}-{next(numbers)}",
            source,
            copy=topic(),
            settings=settings,
        )

    return make


class Seen:
    """What a processor hands to the processing, and when it is to stop."""

    def __init__(self, *, fail_at: int | None = None, stay: int = 0) -> None:
        """Begin to look.

        Args:
            fail_at: after how many records the processing fails.
            stay: how many polls there are to be after the last record.
        """
        self.values: list[bytes | None] = []
        self._fail_at = fail_at
        self._stay = stay
        self._ends = time.monotonic() + ASTRAY

    def process(self, message: Message) -> bytes | None:
        """Take a record, or fail at it."""
        if len(self.values) == self._fail_at:
            raise LookupError("this record cannot be processed")
        self.values.append(message.value())
        return message.value()

    def has_last(self) -> bool:
        """Whether it is time to stop: the last record has come, or none comes any more."""
        if self.values[-1:] == [LAST]:
            self._stay -= 1
        return self._stay < 0 or time.monotonic() > self._ends


@pytest.mark.fact("an-empty-poll-ends-nothing", scope="the component delivery")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_empty_poll_ends_nothing(job: JobMaker, evidence: Evidence, strategy: str) -> None:
    """Only a stop ends a processor: polls that return nothing do not, nor does a partition's end.

    A processor that ends in the first quiet second is not restarted by anybody.
    """
    values = [b"0", b"1", LAST]
    work, seen = job(strategy, values=values, **{"enable.partition.eof": True}), Seen(stay=20)
    consumer: Any = Sparse(work.consumer())

    error = error_of(work, consumer, seen)

    leave(consumer)

    evidence.note("Five polls return nothing before each record, and then comes the end.")
    evidence.table("Processed", [{"value": each} for each in seen.values])
    assert error is None, "A partition's end is an event, and no error."
    assert seen.values == values, "Every record is processed, in order."


@pytest.mark.fact("a-deletion-is-processed", scope="the component delivery")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_deletion_is_processed(
    job: JobMaker, consumer: ConsumerMaker, evidence: Evidence, strategy: str
) -> None:
    """A record without a value is processed and committed like any other; so is an empty one.

    Passed over, a deletion never reaches those who keep a copy.
    """
    work, seen = job(strategy), Seen()

    work.run(work.consumer(), work.producer(), seen.process, seen.has_last)

    committed = committed_offset(consumer({"group.id": work.group}), work.source)
    copied = [(each.key(), each.value()) for each in read_outputs(consumer, work.copy)]
    evidence.table("Processed", [{"value": each} for each in seen.values])
    assert seen.values == VALUES, "Each record is processed with its value: null, empty or bytes."
    assert committed == len(VALUES), "The commit is the offset after the last record."
    assert copied == ([(b"key", each) for each in VALUES] if strategy == "exactly_once" else []), (
        "Exactly-once writes each output with its key and value as it is; the others write nothing."
    )


@pytest.mark.fact("a-stop-drops-nothing", scope="the component delivery")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_stop_drops_nothing(
    job: JobMaker, consumer: ConsumerMaker, evidence: Evidence, strategy: str
) -> None:
    """If it is time to stop, a processor polls no more, and commits no more than it processed.

    Under auto-commit a record that was polled and dropped is lost. A processor
    that looks too late, or polls for long, goes on with what others shall do.
    """
    work, seen, none, quiet = job(strategy), Seen(), Seen(), job(strategy, values=[])
    idling = Timed(quiet.consumer())
    first, second = Sparse(work.consumer(), 0), Sparse(work.consumer(), 0)

    idle = work.run(cast(Any, first), work.producer(), none.process, lambda: True)
    done = work.run(cast(Any, second), work.producer(), seen.process, lambda: len(second.given) > 1)
    quiet.run(cast(Any, idling), quiet.producer(), none.process, lambda: len(idling.polls) > 4)
    poll = median(idling.polls) if idling.polls else None

    given = [each.value() for each in second.given]
    committed = committed_offset(consumer({"group.id": work.group}), work.source)
    evidence.table("Stopped after two records", [{"polled": given, "processed": seen.values}])
    evidence.table("Polls without records", [{"polls": len(idling.polls), "seconds of one": poll}])
    assert (first.given, none.values, idle) == ([], [], 0), (
        "If it is time to stop from the beginning, nothing is polled or processed."
    )
    assert seen.values == given[: len(seen.values)], "What is processed was polled, in order."
    assert len(given) < len(VALUES), (
        f"{strategy} is told to stop while there are records left, and stops before the last one."
    )
    assert done == len(seen.values), "The processor returns how many records it has processed."
    assert committed == len(seen.values), (
        f"When {strategy} has stopped, as many records are committed as it processed: each record "
        f"that was polled is processed, or is not committed."
    )
    assert poll is not None, f"{strategy} polls until it is stopped, also if no record comes."
    # Of five the one in the middle: a loaded machine makes some longer, a rebalance some shorter.
    assert poll < 2, f"{strategy} polls for a short time, so that a stop is noticed soon."


def is_closed(consumer: Any) -> bool:
    """Whether a consumer is closed: then it refuses to poll."""
    try:
        consumer.poll(0)
    except RuntimeError:
        return True
    return False


# How a processor may end, as it reads after "After".
STOPPED, FAILED, CLIENT_FAILED = "a stop", "an error of the processing", "an error of the client"
REFUSED, NO_TRANSACTIONS = "a refused commit", "transactions that cannot be initialised"


@pytest.mark.fact("a-processor-closes-its-consumer", scope="the component delivery")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_processor_closes_its_consumer(
    job: JobMaker, producer: ProducerMaker, evidence: Evidence, strategy: str
) -> None:
    """However a processor ends, its consumer is closed: after a stop, and after any error.

    If it is not closed, its group waits for a whole session until others get
    its partitions.
    """
    endings = {
        STOPPED: (job(strategy), Seen()),
        FAILED: (job(strategy), Seen(fail_at=1)),
        CLIENT_FAILED: (job(strategy, **{"auto.offset.reset": "error"}), Seen()),
    }
    if strategy in ("at_most_once", "at_least_once"):
        endings[REFUSED] = job(strategy), Seen()
    if strategy == "exactly_once":
        endings[NO_TRANSACTIONS] = job(strategy), Seen()
    errors, closed = {}, {}

    def refuse(_: bool) -> None:
        raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))

    for ending, (work, seen) in endings.items():
        reader = work.consumer()
        given: Any = Overseen(reader, refuse) if ending == REFUSED else reader
        # Without a transactional.id a producer refuses to initialise transactions.
        writer = producer() if ending == NO_TRANSACTIONS else work.producer()
        errors[ending] = error_of(work, given, seen, writer)
        closed[ending] = is_closed(reader)
        leave(reader)

    evidence.table(
        "Closed",
        [
            {"after": ending, "error": errors[ending], "closed": is_so}
            for ending, is_so in closed.items()
        ],
    )
    assert errors[STOPPED] is None, "A stop ends the processor without an error."
    assert isinstance(errors[FAILED], LookupError), (
        "The error of the processing ends the processor."
    )
    for ending, is_so in closed.items():
        assert is_so, f"After {ending} the consumer is closed."


def error_of(work: Job, consumer: Any, seen: Seen, producer: Any = None) -> BaseException | None:
    """The error that ends a processor; None if it ends without one.

    Args:
        work: what it shall do.
        consumer: the client, or what stands in for it.
        seen: takes the records, and says when to stop.
        producer: for exactly_once; by default the job's own.

    Raises:
        NotImplementedError: the processor is not written yet.
    """
    writer = work.producer() if producer is None else producer
    running = InThread(work.call, consumer, writer, seen.process, seen.has_last)
    error = running.error()
    if isinstance(error, NotImplementedError):
        leave(consumer)
        raise error
    return error


@pytest.mark.fact("a-client-error-ends-it", scope="the component delivery")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_error_of_the_client_ends_a_processor(
    job: JobMaker, evidence: Evidence, strategy: str
) -> None:
    """If poll() hands over an error, the processor raises it as a KafkaException.

    Here the group has no commit, and its consumer is not to reset. A processor
    that passes over the error runs for weeks and does nothing.
    """
    work, seen = job(strategy, **{"auto.offset.reset": "error"}), Seen()

    reader = work.consumer()
    error = error_of(work, reader, seen)

    leave(reader)
    evidence.note("The processor ended with: {}", error)
    assert isinstance(error, KafkaException), "The processor ends with a KafkaException."
    assert error.args[0].code() == KafkaError._AUTO_OFFSET_RESET, "It is the client's own error."


# Codes with which a commit may be refused. After some of them the next commit may succeed.
REFUSALS = (
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
)


class Refuser:
    """Refuses what is to be committed, and knows how much was processed by then."""

    def __init__(self, code: int, seen: Seen) -> None:
        self.after: int | None = None
        """how many records had been processed; None before it refused"""
        self.code = code
        self.seen = seen

    def look(self, is_waited_for: bool) -> None:
        """Refuse the commit of a consumer, if its answer is waited for."""
        if is_waited_for:
            self.send_offsets_to_transaction()

    def send_offsets_to_transaction(self, *_: object, **__: object) -> None:
        """Refuse the first time; what comes later is accepted."""
        if self.after is None:
            self.after = len(self.seen.values)
            raise KafkaException(KafkaError(self.code))

    def __len__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        # What else a transactional producer does: it accepts all, and sends nothing.
        return lambda *_, **__: 0


@pytest.mark.fact("a-refused-commit-ends-it", scope="the component delivery")
@pytest.mark.parametrize("strategy", ["at_most_once", "at_least_once", "exactly_once"])
def test_a_refused_commit_ends_a_processor(
    job: JobMaker, evidence: Evidence, strategy: str
) -> None:
    """A refused commit ends the processor with Kafka's error, whatever the code.

    If it went on and relied on the next commit, it might work while others have
    its partitions; and if it is stopped then, there is no next commit.
    """
    work = job(strategy)
    refusers = [Refuser(code, Seen()) for code in REFUSALS]
    # All read before any of them commits.
    readers = [work.consumer() for _ in refusers]
    gathered = [Gathered(each, len(VALUES)) for each in readers]

    errors = [
        error_of(work, Overseen(records, each.look), each.seen, each)
        for records, each in zip(gathered, refusers, strict=True)
    ]

    for each in readers:
        leave(each)
    # At-least-once may leave its commits to the client: then it hears of no refusal.
    refused = [
        (KafkaError(each.code).name(), error, len(each.seen.values) - each.after)
        for each, error in zip(refusers, errors, strict=True)
        if each.after is not None
    ]
    evidence.table(
        "A commit is refused, once",
        [
            {"refused with": name, "the processor ended with": error, "processed later": later}
            for name, error, later in refused
        ],
    )
    if strategy != "at_least_once":
        assert len(refused) == len(REFUSALS), (
            f"For each record or batch {strategy} commits, and waits for the answer."
        )
    for name, error, later in refused:
        assert later == 0, f"After a commit was refused with {name}, no record is processed."
        assert isinstance(error, KafkaException), f"A commit refused with {name} is raised."
        assert error.args[0].name() == name, f"The error is the one of the commit: {name}."


@pytest.mark.fact("records-keep-the-order-of-polls", scope="the component delivery")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_records_keep_the_order_of_polls(
    job: JobMaker, consumer: ConsumerMaker, evidence: Evidence, strategy: str
) -> None:
    """Records are processed in the order in which they are polled, whatever their partitions.

    Here a poll for many records returns those of two partitions in turn.
    """
    values = [b"%d" % number for number in range(9)] + [LAST]
    work, seen = job(strategy, values=values, partitions=2), Seen()
    reader = work.consumer()
    reader.assign([TopicPartition(work.source, number, OFFSET_STORED) for number in (0, 1)])
    gathered: Any = Gathered(reader, len(values))

    work.run(gathered, work.producer(), seen.process, seen.has_last)

    copied = [each.value() for each in read_outputs(consumer, work.copy)]
    evidence.table("In order", [{"polled": values, "processed": seen.values}])
    assert seen.values == values, "What was polled first is processed first, in both partitions."
    assert copied == (values if strategy == "exactly_once" else []), (
        "Exactly-once writes the outputs in that order; the others write nothing."
    )


class Noted:
    """Stands for a client, and notes which of its methods are used, in their order."""

    def __init__(self, client: Any, used: list[str]) -> None:
        self._client = client
        self._used = used

    def __enter__(self) -> Noted:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def noted(*arguments: Any, **named: Any) -> Any:
            self._used.append(name)
            return method(*arguments, **named)

        return noted if callable(method) else method


class Timed(Noted):
    """Stands for a consumer, and notes how long each of its polls lasts."""

    def __init__(self, consumer: Consumer) -> None:
        super().__init__(consumer, [])
        self.polls: list[float] = []
        """seconds"""

    def poll(self, *arguments: Any, **named: Any) -> Any:
        """Poll for a record."""
        return self._timed(self._client.poll, *arguments, **named)

    def consume(self, *arguments: Any, **named: Any) -> Any:
        """Poll for several records."""
        return self._timed(self._client.consume, *arguments, **named)

    def _timed(self, poll: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        began = time.monotonic()
        try:
            return poll(*arguments, **named)
        finally:
            self.polls.append(time.monotonic() - began)


@pytest.mark.fact("exactly-once-initialises-first", scope="the component delivery")
def test_exactly_once_initialises_its_transactions_first(job: JobMaker, evidence: Evidence) -> None:
    """Exactly-once calls init_transactions() before it reads anything.

    That call ends what a killed predecessor has left open. Until then the group's
    commit may be pending: a consumer that reads asks for it, and gets no answer.
    The consumer itself commits nothing.
    """
    work, seen, used = job("exactly_once"), Seen(), list[str]()
    reader, writer = Noted(work.consumer(), used), Noted(work.producer(), used)

    error = error_of(work, reader, seen, writer)

    order = [each for each in used if each in ("init_transactions", "poll", "consume")]
    commits = [each for each in used if each == "commit"]
    evidence.note("The first calls: {}", order[:2])
    assert error is None, "The processor ends without an error when it is stopped."
    assert order[:1] == ["init_transactions"], (
        "The first call is init_transactions(): then comes the first poll for records."
    )
    assert order.count("init_transactions") == 1, "Transactions are initialised once."
    assert commits == [], "The consumer itself commits nothing: the transaction has the offsets."


@pytest.mark.fact("exactly-once-writes-every-output", scope="the component delivery")
def test_exactly_once_writes_every_output(
    job: JobMaker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Exactly-once writes all outputs of a record: none, one or several, with keys and values.

    They may go to several topics. The outputs may come from a generator.
    """
    work, other, seen = job("exactly_once", values=[b"3", b"0", b"1", LAST]), topic(), Seen()

    def outputs(message: Message) -> Iterator[Output]:
        value = seen.process(message) or b""
        for number in range(int(value) if value != LAST else 0):
            yield Output(work.copy, b"key-%d" % number, value)
            yield Output(other, None, None)

    done = solutions.delivery.exactly_once(
        work.consumer(), cast(Any, work.producer()), outputs, seen.has_last
    )

    written = [(each.key(), each.value()) for each in read_outputs(consumer, work.copy)]
    deleted = [(each.key(), each.value()) for each in read_outputs(consumer, other)]
    evidence.table("Written", [{"key": key, "value": value} for key, value in written])
    assert written == [(b"key-0", b"3"), (b"key-1", b"3"), (b"key-2", b"3"), (b"key-0", b"1")], (
        "Each output is written, in the order of the records, with its key and value."
    )
    assert deleted == [(None, None)] * 4, "Outputs without key and value are written, too."
    assert done == 4, "The processor returns how many records it has processed, and not outputs."


@pytest.mark.fact("exactly-once-commits-without-output", scope="the component delivery")
def test_exactly_once_commits_without_output(
    job: JobMaker, consumer: ConsumerMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Exactly-once commits the offsets of records that have no output, too.

    If it did not, a processor that filters records would read the same ones again
    after each start, and its group would seem to be behind for ever.
    """
    works = {"no record": job("exactly_once"), "the first record": job("exactly_once")}
    done = {}

    for has_output, work in works.items():
        seen = Seen()

        def first_only(
            message: Message, seen: Seen = seen, copy: str = work.copy, whose: str = has_output
        ) -> list[Output]:
            seen.process(message)
            is_it = whose == "the first record" and len(seen.values) == 1
            return [Output(copy, None, b"output")] if is_it else []

        done[has_output] = solutions.delivery.exactly_once(
            work.consumer(), cast(Any, work.producer()), first_only, seen.has_last
        )

    committed = {
        each: committed_offset(consumer({"group.id": work.group}), work.source)
        for each, work in works.items()
    }
    written = {
        each: [row.value() for row in read_outputs(consumer, work.copy)]
        for each, work in works.items()
    }
    evidence.table(
        f"Of {len(VALUES)} records",
        [
            {"with output": each, "written": written[each], "committed": committed[each]}
            for each in works
        ],
    )
    assert written == {"no record": [], "the first record": [b"output"]}, (
        "What is written are the outputs, and no more."
    )
    assert committed == dict.fromkeys(works, len(VALUES)), (
        "The commit is the offset after the last record, though that has no output."
    )
    assert done == dict.fromkeys(works, len(VALUES)), "Records without output are counted, too."


@pytest.mark.fact("exactly-once-goes-back-everywhere", scope="the component delivery")
def test_exactly_once_goes_back_in_every_partition(
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """After an abort exactly-once reads again, and then commits, every partition of every topic.

    A transaction may have records of several. The broker refuses the first
    output, once: it is too large for its topic.
    """
    sources, copy = [topic(partitions=2), topic()], topic(settings={"max.message.bytes": "1000"})
    places = [(sources[0], 0), (sources[0], 1), (sources[1], 0)]
    for at, (name, partition) in enumerate(places):
        send(producer(), name, [b"%d-%d" % (at, number) for number in (0, 1)], partition=partition)
    settings = solutions.delivery.SETTINGS["exactly_once"]
    reader = consumer({"group.id": group, "auto.offset.reset": "earliest", **settings})
    reader.assign([TopicPartition(*place, OFFSET_STORED) for place in places])
    gathered, tried, ends = Gathered(reader, 6), [], time.monotonic() + ASTRAY

    def too_large_at_first(message: Message) -> Iterator[Output]:
        tried.append(message.value())
        yield Output(copy, None, b"x" * 2_000 if len(tried) == 1 else message.value())

    observer = consumer({"group.id": group})

    def is_done() -> bool:
        seen = [committed_offset(observer, *place) for place in places]
        return seen == [2, 2, 2] or time.monotonic() > ends

    writer = producer({"transactional.id": group})
    done = solutions.delivery.exactly_once(cast(Any, gathered), writer, too_large_at_first, is_done)

    written = sorted(each.value() or b"" for each in read_outputs(consumer, copy))
    committed = [committed_offset(observer, *place) for place in places]
    evidence.table("After an abort", [{"tried": tried, "written": written}])
    assert written == [b"%d-%d" % (at, number) for at in range(3) for number in (0, 1)], (
        "Each record of each partition is in the output once."
    )
    assert committed == [2, 2, 2], "Each partition's commit is the offset after its last record."
    assert done == 6, "Only records of transactions that were committed are counted."


@pytest.mark.fact("sink-tells-places-apart", scope="the component delivery")
def test_the_sink_tells_places_apart(
    solutions: Solutions, evidence: Evidence, tmp_path: Path
) -> None:
    """The sink knows a record by topic, partition and offset, and keeps its value as it is.

    Null, empty and binary are three values. Partition 11 of t and partition 1 of
    t1 are two places. Each file is a sink of its own.
    """
    records = [
        Placed("1t", 1, 0, b"same"),
        Placed("s", 0, 0, b"same"),
        Placed("t", 0, 0, b"same"),
        Placed("t", 0, 2, None),
        Placed("t", 0, 10, b""),
        Placed("t", 1, 0, b"same"),
        Placed("t", 1, 1, b"\xff\x00"),
        Placed("t", 1, 10, b"partition 1, offset 10"),
        Placed("t", 2, 0, b"same"),
        Placed("t", 11, 0, b"partition 11, offset 0"),
        Placed("t1", 1, 0, b"same"),
    ]
    sink = solutions.delivery.IdempotentSink(tmp_path / "effects")

    applied = [sink.apply(cast(Any, each)) for each in records[::-1]]
    again = [sink.apply(cast(Any, each)) for each in records]
    not_closed = InThread(sink.close).error()
    reopened = solutions.delivery.IdempotentSink(tmp_path / "effects")
    values = reopened.values()
    reopened.close()
    other = solutions.delivery.IdempotentSink(tmp_path / "other")
    none = other.values()
    other.close()

    evidence.table(
        "Applied",
        [{"record": each, "value kept": value} for each, value in zip(records, values, strict=True)]
        if len(values) == len(records)
        else [{"values": values}],
    )
    assert not_closed is None, "Another thread than the one that opened the sink may close it."
    passed_over = [each[:3] for each, had in zip(records[::-1], applied, strict=True) if not had]
    assert passed_over == [], (
        f"Each of the {len(records)} records has an effect, by its topic, partition and offset "
        f"together, whatever their order; these had none (topic, partition, offset)."
    )
    assert again == [False] * len(records), "None of them has an effect again."
    assert values == [each.content for each in records], (
        "The values stand in the order of topic, partition and offset, the last two as numbers, "
        "and as they were: null, empty or bytes."
    )
    assert none == [], "Another file is another sink."


@pytest.mark.fact("sink-outlives-crashes", scope="the component delivery")
def test_the_sink_outlives_crashes(
    child: ChildStarter, solutions: Solutions, evidence: Evidence, tmp_path: Path
) -> None:
    """Wherever the sink is killed, it has a record's effect and its note, or neither of them.

    With the note alone the effect is lost for good; with the effect alone it
    comes twice. The sink is killed at each of its steps, opened again, and used.
    """
    # Asked for here already: a process of its own could not skip the test.
    _ = solutions.delivery.IdempotentSink
    kept = [Placed("s", 0, 0, b"s"), Placed("t", 0, 1, None), Placed("t", 0, 10, b"")]
    without = [each.content for each in kept]
    record, later = Placed("t", 0, 2, b"struck"), Placed("t", 0, 11, b"later")
    whole = [b"s", None, b"struck", b""]

    crashes: list[SinkCrash] = child(
        crash_sinks, solutions.delivery, tmp_path, kept, record, later
    ).wait()

    evidence.table(
        "Killed while it applied a record, and opened again",
        [
            {
                "before apply() returned": not returned,
                "times": len(here),
                "had neither": sum(each.found == without and each.applied for each in here),
                "had both": sum(each.found == whole and not each.applied for each in here),
            }
            for returned in (False, True)
            for here in [[each for each in crashes if each.returned is returned]]
        ],
        look="Each crash is in one of the last two columns.",
    )
    assert crashes, "The sink takes steps, at which it can be killed."
    for each in crashes:
        at = f"Killed at step {each.step}:"
        assert not each.error, f"{at} the sink cannot be used again: {each.error}."
        assert each.found in (without, whole), (
            f"{at} the file still has all that was applied before, and the new effect or not."
        )
        assert each.found == whole or not each.returned, (
            f"{at} apply() had returned, and its effect is not in the file."
        )
        assert each.applied or each.found == whole, (
            f"{at} the record counts as applied, and its effect is lost: write both in one step."
        )
        assert each.found == without or not each.applied, (
            f"{at} the effect is there and comes again: write it and its note in one step."
        )
        assert each.then == [*whole, b"later"], (
            f"{at} of what was applied after that, the file does not have each effect once."
        )
