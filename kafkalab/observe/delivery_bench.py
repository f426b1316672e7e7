"""The bench for delivery: a processor fails while it handles a record, and a successor goes on.

A processor is any function that keeps the contract of task 1.5. A Job says what the
processor shall do, and how it shall fail. There are two ways to fail:

- It is killed. Its clients kill the process just before or just after they commit;
  its processing function kills the process just before or just after it processes.
- It is too slow. Processing takes so long that the group gives its partition to
  another member; then it goes on, as a zombie does.

A processor needs no code for this bench. The result is what both processors
processed, for the checkers.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from mmap import mmap
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from confluent_kafka import (
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaException,
    Producer,
    TopicPartition,
)

from kafkalab.clients import LAB_CONSUMER
from kafkalab.contracts import Place
from kafkalab.contracts.delivery import Delivery, Output
from kafkalab.observe.children import Child, Say, crash
from kafkalab.observe.groups import EAGER, committed_offset, leave
from kafkalab.observe.records import watermarks
from kafkalab.observe.threads import InThread
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Message

Name = TypeVar("Name", bound=Hashable)

BEFORE_COMMIT, AFTER_COMMIT = "killed before the commit", "killed after the commit"
BEFORE_PROCESSING, AFTER_PROCESSING = "killed before processing", "killed after processing"
CRASH_POINTS = (BEFORE_PROCESSING, AFTER_PROCESSING, BEFORE_COMMIT, AFTER_COMMIT)
WHEN_COMMITTED = "killed in processing, once the record has been committed"
"""for a client that commits by its clock"""
TOO_SLOW = "too slow, and replaced"

# The offset of the record that a processor handles when it fails.
IN_HAND = 2

# Settings with which a group replaces a slow member after a second. A classic client refuses a
# max.poll.interval.ms below its session.timeout.ms.
IMPATIENT: Mapping[str, Any] = {
    **EAGER,
    "session.timeout.ms": 1000,
    "max.poll.interval.ms": 1000,
    # The client would warn of what the bench does on purpose.
    "log_level": 0,
}

# The value of the last record: a processor that has processed it may stop.
LAST = b"last"

# Seconds that one poll waits.
SHORT_POLL = 0.1

# Seconds for what takes milliseconds on an idle machine.
BENCH_LIMIT = 30.0


@dataclass(frozen=True)
class Job:
    """What a processor shall do: one strategy, from one partition into a list, a topic or a sink.

    It is plain data, so that it can be sent to another process.
    """

    delivery: Delivery
    """the component"""
    strategy: str
    """such as `at_least_once`"""
    config: Mapping[str, Any]
    """client properties"""
    group: str
    """the group's name; each transactional.id begins with it"""
    source: str
    """the topic to read, which has one partition"""
    copy: str = ""
    """the topic to write, for exactly_once"""
    sink: Path | None = None
    """the file of an idempotent sink, if each record is to be processed into one"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """further settings of the consumer"""
    failure: str = ""
    """how it fails at record IN_HAND: one of CRASH_POINTS, WHEN_COMMITTED or TOO_SLOW"""

    def consumer(self, *, subscribe: bool = False) -> Consumer:
        """A consumer that begins at the committed offset, or at the start without a commit.

        Args:
            subscribe: join the group. Otherwise the partition is assigned, so that a
                successor need not wait until a dead member's session ends.
        """
        make = _Leaving if subscribe else Consumer
        consumer = make(
            {
                **self.config,
                **LAB_CONSUMER,
                "group.id": self.group,
                **self.delivery.SETTINGS[self.strategy],
                **self.settings,
            }
        )
        if subscribe:
            consumer.subscribe([self.source])
        else:
            consumer.assign([TopicPartition(self.source, 0, OFFSET_STORED)])
        return consumer

    def producer(self, instance: str = "") -> Producer | None:
        """A transactional producer, for exactly_once; it fences earlier ones of its instance."""
        if self.strategy != "exactly_once":
            return None
        producer = Producer({**self.config, "transactional.id": f"{self.group}{instance}"})
        # init_transactions() takes milliseconds with a connection, and half a second without.
        producer.list_topics(timeout=BENCH_LIMIT)
        return producer

    def is_done(self) -> Callable[[], bool]:
        """Return a check: has the group committed all that the source holds now?"""
        observer = Consumer({**self.config, "group.id": self.group, "enable.auto.commit": False})
        end = watermarks(observer, self.source)[1]
        return lambda: (committed_offset(observer, self.source) or 0) >= end

    def has_committed(self) -> bool:
        """Whether the group has committed record IN_HAND."""
        observer = Consumer({**self.config, "group.id": self.group, "enable.auto.commit": False})
        return (committed_offset(observer, self.source) or 0) > IN_HAND

    def run(
        self,
        consumer: Consumer,
        producer: Producer | None,
        process: Callable[[Message], bytes | None],
        stop: Callable[[], bool],
    ) -> int:
        """Run the processor until `stop` returns true, or an error ends it; return its result.

        With exactly_once, what `process` returns is written to the copy.
        """
        try:
            return self.call(consumer, producer, process, stop)
        except BaseException:
            # A subscribed consumer that is dropped without close() can hang for ever, and all of
            # Python with it (librdkafka #4041).
            leave(consumer)
            raise

    def call(
        self,
        consumer: Consumer,
        producer: Producer | None,
        process: Callable[[Message], bytes | None],
        stop: Callable[[], bool],
    ) -> int:
        """Call the processor as `run` does; if it fails, nothing is closed but by itself."""
        processor: Callable[..., int] = getattr(self.delivery, self.strategy)
        if self.strategy != "exactly_once":
            return processor(consumer, process, stop)

        def transform(message: Message) -> Iterator[Output]:
            yield Output(self.copy, message.key(), process(message))

        return processor(consumer, producer, transform, stop)


def run_failing(
    start: Callable[..., Child], jobs: Mapping[Name, Job]
) -> dict[Name, list[bytes | None]]:
    """Run processors that fail, and for each one a successor that does the rest.

    Args:
        start: starts a process, as the fixture `child` does.
        jobs: what they shall do, and how they fail. All run at the same time, so
            each needs a group of its own.

    Returns:
        For each job the values that were processed, in order, by both of them.

    Raises:
        ChildFailed: a processor ended with an error.
        Expired: a processor did not end, or was not replaced, within the limit.
        AssertionError: a processor ended before it was killed.
    """
    slow_jobs = {name: job for name, job in jobs.items() if job.failure == TOO_SLOW}
    killed_jobs = {name: job for name, job in jobs.items() if name not in slow_jobs}
    # The others are killed while the slow ones are slow, which saves time.
    slow = take_too_long(slow_jobs)
    values = _run_killed(start, killed_jobs)
    values |= {name: each.processed for name, each in replaced(slow_jobs, slow).items()}
    return {name: values[name] for name in jobs}


def _run_killed(
    start: Callable[..., Child], jobs: Mapping[Name, Job]
) -> dict[Name, list[bytes | None]]:
    killed = {name: start(_work, job) for name, job in jobs.items()}
    values = {name: list(each.wait(BENCH_LIMIT)) for name, each in killed.items()}
    for name, each in killed.items():
        job = jobs[name]
        # A processor may leave its commits to the client: then no call of commit() kills it.
        assert each.was_killed or job.failure in (BEFORE_COMMIT, AFTER_COMMIT), (
            f"{job.strategy} is {job.failure}, with record {IN_HAND} in hand: it ended before that"
        )
    successors = {name: start(_work, replace(job, failure="")) for name, job in jobs.items()}
    for name, each in successors.items():
        values[name] += each.wait(BENCH_LIMIT)
    return values


def _work(say: Say, job: Job) -> None:
    """The program of a process: run the processor, and crash where the job says."""
    hand = _Hand()
    consumer: Any = _Dying(job.consumer(), "commit", hand, job.failure)
    producer: Any = _Dying(job.producer(), "commit_transaction", hand, job.failure)
    sink = job.delivery.IdempotentSink(job.sink) if job.sink else None
    is_done = job.is_done()
    seen_last = False

    def process(message: Message) -> bytes | None:
        nonlocal seen_last
        in_hand = message.offset() == IN_HAND
        if in_hand and job.failure == WHEN_COMMITTED:
            wait_until(job.has_committed, limit=BENCH_LIMIT, what="the record to be committed")
            crash()
        if in_hand and job.failure == BEFORE_PROCESSING:
            crash()
        if sink is not None:
            sink.apply(message)
        say(message.value())
        seen_last = message.value() == LAST
        if in_hand and job.failure == AFTER_PROCESSING:
            crash()
        return message.value()

    job.run(consumer, producer, process, lambda: seen_last or is_done())


class Worker:
    """A processor in a thread, a member of its group, which can be held while it has a record."""

    def __init__(self, job: Job, *, instance: str = "", hold_at: int | None = None) -> None:
        """Join the group and begin.

        Args:
            job: what it shall do, until it is ended.
            instance: makes its transactional.id differ from those of others in its group.
            hold_at: after how many records to hold, while it handles the next one.
        """
        self.processed: list[bytes | None] = []
        """what it has finished; for exactly_once also what was aborted"""
        self.is_held = threading.Event()
        self._hold_at = hold_at
        self._goes_on, self._stops = threading.Event(), threading.Event()
        producer = job.producer(instance)
        # From here on it is a member: the group gives it partitions even before it polls. The
        # producer comes first, as to connect takes time: a component has to be called before it
        # has joined, or what it asks too early would be answered rightly.
        self._consumer = consumer = cast("_Leaving", job.consumer(subscribe=True))
        self._thread = InThread(job.run, consumer, producer, self._process, self._stops.is_set)

    def wait_until_held(self) -> None:
        """Wait until it is held at its record.

        Raises:
            Expired: it did not reach that record within BENCH_LIMIT.
            Exception: the error that ended it before.
        """
        what = f"record {self._hold_at} to be handed to the processing"
        self._thread.wait_until(self.is_held.is_set, limit=BENCH_LIMIT, what=what)

    def wait_until_through(self) -> None:
        """Wait until it has finished the last record.

        Raises:
            Expired: it did not within BENCH_LIMIT.
            Exception: the error that ended it before.
        """
        self._thread.wait_until(
            lambda: self.processed[-1:] == [LAST], limit=BENCH_LIMIT, what="the last record"
        )

    def go_on(self) -> None:
        """Let it go on with the record at which it is held."""
        self._goes_on.set()

    def end(self) -> BaseException | None:
        """Let it go on and stop after its current record; return the error that it raised.

        Raises:
            Expired: it did not end within THREAD_LIMIT.
        """
        self.dismiss()
        return self._thread.error()

    def was_refused(self) -> bool:
        """Whether Kafka refused a commit that it asked for."""
        return self._consumer.refused

    def dismiss(self) -> None:
        """Let it go on and stop after its current record; do not wait for that."""
        self._stops.set()
        self.go_on()

    def _process(self, message: Message) -> bytes | None:
        if len(self.processed) == self._hold_at and not self._goes_on.is_set():
            self.is_held.set()
            wait_until(self._goes_on.is_set, limit=BENCH_LIMIT, what="the slow processor to go on")
        self.processed.append(message.value())
        return message.value()


class Replacement(NamedTuple):
    """How a slow processor was replaced."""

    processed: list[bytes | None]
    """first by it, then by its heir, then by it again, after it was replaced"""
    error: BaseException | None
    """the error that ended the slow one; None without one"""
    refused: bool
    """whether Kafka refused a commit that the slow one asked for"""


def take_too_long(jobs: Mapping[Name, Job]) -> dict[Name, Worker]:
    """Start processors that take too long for record IN_HAND; on return each is held at it.

    Raises:
        Expired: one of them did not reach that record within BENCH_LIMIT.
        Exception: the error that ended one of them before.
    """
    slow = {
        name: Worker(replace(job, settings={**job.settings, **IMPATIENT}), hold_at=IN_HAND)
        for name, job in jobs.items()
    }
    try:
        for each in slow.values():
            each.wait_until_held()
    except BaseException:
        for each in slow.values():
            each.dismiss()
        raise
    return slow


def replaced(jobs: Mapping[Name, Job], slow: Mapping[Name, Worker]) -> dict[Name, Replacement]:
    """Replace each slow processor, and then let it finish the record that it holds.

    Its heir is another instance in the same group, and runs until the slow one has ended.

    Raises:
        Expired: a slow processor was not replaced within BENCH_LIMIT.
        Exception: what an heir raised.
    """
    before = {name: list(each.processed) for name, each in slow.items()}
    heirs = {name: Worker(job, instance="-heir") for name, job in jobs.items()}
    for heir in heirs.values():
        heir.wait_until_through()
    errors = {name: each.end() for name, each in slow.items()}
    for each in heirs.values():
        error = each.end()
        if error is not None:
            raise error
    return {
        name: Replacement(
            before[name] + heirs[name].processed + each.processed[len(before[name]) :],
            errors[name],
            each.was_refused(),
        )
        for name, each in slow.items()
    }


class _Leaving(Consumer):
    """A member of a group whose `close()` cannot hang in a rebalance (see `leave`)."""

    refused = False
    """whether a commit was refused"""

    def commit(self, *args: Any, **kwargs: Any) -> Any:
        """Commit as the client does, and note a refusal."""
        try:
            return super().commit(*args, **kwargs)
        except KafkaException:
            self.refused = True
            raise

    def close(self) -> None:
        # super(), because leave() calls close(), which would be this method again.
        leave(cast("Consumer", super()))


@dataclass
class _Hand:
    """Whether the processor has been given record IN_HAND."""

    holds: bool = False


class _Dying:
    """A client that kills its process before or after it commits record IN_HAND."""

    def __init__(self, client: Any, commits: str, hand: _Hand, failure: str) -> None:
        self._client = client
        self._commits = commits
        self._hand = hand
        self._failure = failure

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        message = self._client.poll(*args, **kwargs)
        self._look([message] if message else [])
        return message

    def consume(self, *args: Any, **kwargs: Any) -> Any:
        messages = self._client.consume(*args, **kwargs)
        self._look(messages)
        return messages

    def __enter__(self) -> _Dying:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._deadly(found) if name == self._commits else found

    def _look(self, messages: Sequence[Message]) -> None:
        if any(each.offset() == IN_HAND for each in messages):
            self._hand.holds = True

    def _deadly(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any, **kwargs: Any) -> Any:
            is_in_it = self._hand.holds and _covers_in_hand(*args, **kwargs)
            if is_in_it and self._failure == BEFORE_COMMIT:
                crash()
            result = commit(*args, **kwargs)
            if is_in_it and self._failure == AFTER_COMMIT:
                crash()
            return result

        return dying


def _covers_in_hand(
    message: Any = None, offsets: Sequence[TopicPartition] | None = None, *_: Any, **__: Any
) -> bool:
    """Whether a commit with these arguments includes record IN_HAND.

    A batch that holds the record may be committed record by record. A commit that names
    nothing, and the commit of a transaction, are of all that was polled.
    """
    # The first argument of a transaction's commit is a limit.
    if message is not None and not isinstance(message, int | float):
        return bool(message.offset() >= IN_HAND)
    return offsets is None or any(each.offset > IN_HAND for each in offsets)


class Sparse:
    """A consumer that returns nothing at first, and between any two records."""

    def __init__(self, consumer: Consumer, polls: int = 5) -> None:
        """Take a consumer.

        Args:
            consumer: the client.
            polls: how many polls return nothing before each record.
        """
        self.given: list[Message] = []
        """the records that it has handed over"""
        self._consumer = consumer
        self._polls = polls
        self._empty = 0

    def poll(self, timeout: float = -1) -> Message | None:
        """Return a record or an event, or nothing."""
        return next(iter(self.consume(1, timeout)), None)

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Return one record or event at most; a poll is one of many, so it never waits long."""
        del num_messages, timeout
        if self._empty < self._polls:
            self._empty += 1
            return []
        found = self._consumer.consume(1, SHORT_POLL)
        if found:
            self._empty = 0
        self.given += [each for each in found if each.error() is None]
        return found

    def __enter__(self) -> Sparse:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


class Gathered:
    """A consumer that has records of all its partitions at its first poll, and hands out many.

    The partitions take turns: first the first record of each, then the second of each.
    """

    def __init__(self, consumer: Any, count: int) -> None:
        """Wait for records.

        Args:
            consumer: the client, with its partitions.
            count: how many records there are.

        Raises:
            Expired: they did not come within BENCH_LIMIT.
        """
        self._consumer = consumer
        self._ready: list[Message] = []
        self._paused: set[Place] = set()
        self._next: dict[Place, int] = {}

        def read() -> int:
            self._ready += [
                each for each in consumer.consume(count, SHORT_POLL) if not each.error()
            ]
            return len(self._ready)

        wait_until(read, lambda seen: seen == count, limit=BENCH_LIMIT, what=f"{count} records")
        self._ready.sort(key=lambda each: (each.offset() or 0, _place_of(each)))

    def poll(self, timeout: float = -1) -> Message | None:
        """Return the next record."""
        return next(iter(self.consume(1, timeout)), None)

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Return records that are there, and then what the client has."""
        free = [each for each in self._ready if _place_of(each) not in self._paused]
        taken = free[:num_messages]
        self._ready = [each for each in self._ready if not any(each is one for one in taken)]
        handed = taken or self._consumer.consume(num_messages, timeout)
        records = [each for each in handed if not each.error()]
        self._next |= {_place_of(each): (each.offset() or 0) + 1 for each in records}
        return handed

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Return the offsets after the records that were handed out."""
        return [
            TopicPartition(*place, self._next.get(place, OFFSET_INVALID))
            for place in ((each.topic, each.partition) for each in partitions)
        ]

    def commit(
        self,
        message: Message | None = None,
        offsets: Sequence[TopicPartition] | None = None,
        asynchronous: bool = True,
    ) -> Any:
        """Commit what is named, or else all that was handed out."""
        if message is not None:
            return self._consumer.commit(message=message, asynchronous=asynchronous)
        if offsets is None:
            offsets = [TopicPartition(*place, after) for place, after in self._next.items()]
        return self._consumer.commit(offsets=list(offsets), asynchronous=asynchronous)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out nothing of these partitions until they are resumed."""
        self._paused |= {(each.topic, each.partition) for each in partitions}
        self._consumer.pause(list(partitions))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out records of these partitions again."""
        self._paused -= {(each.topic, each.partition) for each in partitions}
        self._consumer.resume(list(partitions))

    def seek(self, partition: TopicPartition) -> None:
        """Go back, or on; records of the partition that are ready are dropped."""
        place = (partition.topic, partition.partition)
        self._ready = [each for each in self._ready if _place_of(each) != place]
        self._next[place] = partition.offset
        self._consumer.seek(partition)

    def __enter__(self) -> Gathered:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def _place_of(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0


class Overseen:
    """A consumer whose commits are looked at before they are made."""

    def __init__(self, consumer: Any, look: Callable[[bool], None]) -> None:
        """Take a consumer.

        Args:
            consumer: the client, or what stands in for it.
            look: called before each commit, with whether its answer is waited for; an error that
                it raises is raised in place of the commit.
        """
        self._consumer = consumer
        self._look = look

    def commit(
        self,
        message: Message | None = None,
        offsets: list[TopicPartition] | None = None,
        asynchronous: bool = True,
    ) -> Any:
        """Commit as the client does, after a look."""
        self._look(not asynchronous)
        given = {"message": message, "offsets": offsets}
        named = {name: value for name, value in given.items() if value is not None}
        return self._consumer.commit(**named, asynchronous=asynchronous)

    def __enter__(self) -> Overseen:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


class Placed(NamedTuple):
    """A record as far as a sink asks."""

    of: str
    number: int
    at: int
    content: bytes | None

    def topic(self) -> str:
        """The name of its topic."""
        return self.of

    def partition(self) -> int:
        """The number of its partition."""
        return self.number

    def offset(self) -> int:
        """Its offset."""
        return self.at

    def value(self) -> bytes | None:
        """Its value."""
        return self.content

    def key(self) -> bytes | None:
        """Its key; all have the same."""
        return b"key"

    def timestamp(self) -> tuple[int, int]:
        """Its time: none."""
        return TIMESTAMP_NOT_AVAILABLE, 0

    def headers(self) -> None:
        """Its headers: none."""

    def error(self) -> None:
        """No error: it is a record."""


class SinkCrash(NamedTuple):
    """What a sink has that was killed while it was open, and what it does then."""

    step: int
    """at which of its steps it was killed"""
    returned: bool
    """whether apply() had returned before"""
    found: Sequence[bytes | None] = ()
    """the values that it has when it is opened again"""
    applied: bool = False
    """what apply() of the same record returns then"""
    then: Sequence[bytes | None] = ()
    """the values that it has after that and one more record, when it is opened once more"""
    error: str = ""
    """what it raised after it was killed; empty if nothing"""


# Crashes of one sink at most; one that takes more steps is killed at some of them.
MOST_CRASHES = 200


def crash_sinks(
    say: Say, delivery: Delivery, folder: Path, kept: Sequence[Any], record: Any, later: Any
) -> None:
    """The program of a process: kill a sink at each step, and open what it left.

    A step is a line of the sink's module, or a call of a function in C, also by what the module
    calls. A sink is opened, applies one record, and is closed; each is killed in a process of its
    own.

    Args:
        say: sends a SinkCrash for each.
        delivery: the component.
        folder: an empty folder for the files.
        kept: the records that the sink has applied before.
        record: the one that it applies.
        later: the one that it applies after it was killed and opened again.
    """
    start, whole = folder / "start", folder / "whole"
    start.mkdir()
    sink = delivery.IdempotentSink(start / FILE)
    module = type(sink).__module__
    for each in kept:
        sink.apply(each)
    sink.close()
    shutil.copytree(start, whole)
    steps = _Steps(module)
    steps.count(lambda: _use_sink(delivery, whole / FILE, record, mmap(-1, 1)))
    for step in range(1, steps.taken + 1, 1 + steps.taken // MOST_CRASHES):
        here = folder / f"{step}"
        shutil.copytree(start, here)
        has_returned = _kill_sink(delivery, here / FILE, record, _Steps(module, step))
        what = SinkCrash(step, has_returned)
        try:
            say(_opened_again(delivery, here / FILE, record, later, what))
        except Exception as error:  # noqa: BLE001 - the test tells it
            say(what._replace(error=f"{type(error).__name__}: {error}"))


# The name of a sink's file.
FILE = "effects"


def _use_sink(delivery: Delivery, path: Path, record: Any, has_returned: mmap) -> None:
    sink = delivery.IdempotentSink(path)
    sink.apply(record)
    has_returned[0] = 1
    sink.close()


def _kill_sink(delivery: Delivery, path: Path, record: Any, steps: _Steps) -> bool:
    """Whether apply() had returned when the sink was killed at its step."""
    # Both processes have this byte.
    has_returned = mmap(-1, 1)
    process = os.fork()
    if process == 0:
        # Whatever happens, this copy of the process does not go on with the caller's work.
        with suppress(BaseException):
            steps.count(lambda: _use_sink(delivery, path, record, has_returned))
        crash()
    os.waitpid(process, 0)
    return has_returned[0] == 1


def _opened_again(
    delivery: Delivery, path: Path, record: Any, later: Any, what: SinkCrash
) -> SinkCrash:
    sink = delivery.IdempotentSink(path)
    found, applied = sink.values(), sink.apply(record)
    sink.apply(later)
    sink.close()
    sink = delivery.IdempotentSink(path)
    then = sink.values()
    sink.close()
    return what._replace(found=found, applied=applied, then=then)


class _Steps:
    """Counts the steps that a module's code takes, and may crash at one of them."""

    def __init__(self, module: str, crash_at: int = 0) -> None:
        self.taken = 0
        self._module = module
        self._crash_at = crash_at
        self._depth = 0

    def count(self, work: Callable[[], None]) -> None:
        """Do work, and count its steps."""
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        try:
            work()
        finally:
            sys.settrace(None)
            sys.setprofile(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and self._is_own(frame):
            self._take()
        return self._trace

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        # Only code in C changes a file. It may be called by Python's own modules, for this one.
        if event == "c_call" and self._depth:
            self._take()
        elif event in ("call", "return") and self._is_own(frame):
            self._depth += 1 if event == "call" else -1

    def _is_own(self, frame: FrameType) -> bool:
        return frame.f_globals.get("__name__") == self._module

    def _take(self) -> None:
        self.taken += 1
        if self.taken == self._crash_at:
            crash()
