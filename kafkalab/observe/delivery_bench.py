"""The bench of delivery: a processor fails with a record in hand, and another goes on for it.

A processor is any that keeps the contract of task 1.5; a Job says what it is to do,
and how it is to fail. It is killed: the clients that it is given kill its process
just before or just after they commit, and so does the processing that it is given.
Or it is too slow: its processing takes so long for the record that its group
replaces it, and then it goes on, as a zombie does. No processor has to know that it
is tested. What comes back is what was processed, by both of them, for the checkers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from confluent_kafka import OFFSET_STORED, Consumer, Producer, TopicPartition

from kafkalab.clients import LAB_CONSUMER
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
WHEN_COMMITTED = "killed in processing, once somebody has committed the record"
"""for a client that commits by its clock"""
TOO_SLOW = "too slow, and replaced"

# The offset of the record that is in hand when a processor fails.
IN_HAND = 2

# How long a slow processor may take for a record until its group gives its partition to
# another; a classic client takes none below its session.
IMPATIENT: Mapping[str, Any] = {
    **EAGER,
    "session.timeout.ms": 1000,
    "max.poll.interval.ms": 1000,
    # The client warns of what happens here on purpose.
    "log_level": 0,
}

# The value of the last record: who has processed it may stop.
LAST = b"last"

# Seconds for what takes milliseconds on an idle machine.
BENCH_LIMIT = 30.0


@dataclass(frozen=True)
class Job:
    """What a processor is to do: one strategy, from one partition into a list, a topic or a sink.

    It is data, so that a process can be told of it.
    """

    delivery: Delivery
    """the component"""
    strategy: str
    """such as `at_least_once`"""
    config: Mapping[str, Any]
    """client properties"""
    group: str
    """the group; an instance's transactional id begins with it"""
    source: str
    """the topic to read, of one partition"""
    copy: str = ""
    """the topic to write, for exactly_once"""
    sink: Path | None = None
    """the file of an idempotent sink, which then is the processing"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """more for the consumer"""
    failure: str = ""
    """how it fails with the record in hand: one of CRASH_POINTS, WHEN_COMMITTED or TOO_SLOW"""

    def consumer(self, *, subscribe: bool = False) -> Consumer:
        """A consumer that stands at the committed offset, or at the start where there is none.

        It is assigned its partition, so that a successor need not wait for a
        dead one's session to end; or it subscribes.
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
        """A transactional producer, for exactly_once; it fences the instance's one before it."""
        if self.strategy != "exactly_once":
            return None
        producer = Producer({**self.config, "transactional.id": f"{self.group}{instance}"})
        # Once it is connected init_transactions() takes milliseconds, and else half a second.
        producer.list_topics(timeout=BENCH_LIMIT)
        return producer

    def is_done(self) -> Callable[[], bool]:
        """Tells whether the group has committed all that was in the source at the beginning."""
        observer = Consumer({**self.config, "group.id": self.group, "enable.auto.commit": False})
        end = watermarks(observer, self.source)[1]
        return lambda: (committed_offset(observer, self.source) or 0) >= end

    def has_committed(self) -> bool:
        """Whether the group has committed the record in hand."""
        observer = Consumer({**self.config, "group.id": self.group, "enable.auto.commit": False})
        return (committed_offset(observer, self.source) or 0) > IN_HAND

    def run(
        self,
        consumer: Consumer,
        producer: Producer | None,
        process: Callable[[Message], bytes | None],
        stop: Callable[[], bool],
    ) -> None:
        """Run the processor until it is told to stop, or something ends it.

        What `process` returns is what exactly_once writes.
        """
        try:
            self._run(consumer, producer, process, stop)
        except BaseException:
            # One that subscribed, and was dropped before it was closed, can hang for ever, with
            # all of Python (librdkafka #4041).
            leave(consumer)
            raise

    def _run(
        self,
        consumer: Consumer,
        producer: Producer | None,
        process: Callable[[Message], bytes | None],
        stop: Callable[[], bool],
    ) -> None:
        processor = getattr(self.delivery, self.strategy)
        if self.strategy != "exactly_once":
            processor(consumer, process, stop)
            return

        def transform(message: Message) -> Iterator[Output]:
            yield Output(self.copy, message.key(), process(message))

        processor(consumer, producer, transform, stop)


def run_failing(
    start: Callable[..., Child], jobs: Mapping[Name, Job]
) -> dict[Name, list[bytes | None]]:
    """Run processors that fail, and for each a successor that does what is left.

    Args:
        start: starts a process, as the fixture `child` does.
        jobs: what they are to do, and how they fail. All run at the same time, so
            each must have a group of its own.

    Returns:
        For each job the values that were processed, in order, by both of them.

    Raises:
        ChildFailed: a processor ended with an error.
        Expired: a processor did not end, or was not replaced, within the limit.
        AssertionError: a processor did not come to the point where it is killed.
    """
    slow_jobs = {name: job for name, job in jobs.items() if job.failure == TOO_SLOW}
    killed_jobs = {name: job for name, job in jobs.items() if name not in slow_jobs}
    # The slow ones take their time, in which the others are killed.
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
        assert each.was_killed, f"{job.strategy} ended and was never {job.failure}"
    successors = {name: start(_work, replace(job, failure="")) for name, job in jobs.items()}
    for name, each in successors.items():
        values[name] += each.wait(BENCH_LIMIT)
    return values


def _work(say: Say, job: Job) -> None:
    """The program of a process: run the processor, and die when it is to be killed."""
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
    """A processor in a thread, a member of its group, which can be held with a record in hand."""

    def __init__(self, job: Job, *, instance: str = "", hold_at: int | None = None) -> None:
        """Join the group and begin.

        Args:
            job: what it is to do, until it is ended.
            instance: tells its transactional id from those of others of its group.
            hold_at: after how many records to hold, with the next one in hand.
        """
        self.processed: list[bytes | None] = []
        """what it has finished; for exactly_once also what was taken back"""
        self.is_held = threading.Event()
        self._hold_at = hold_at
        self._goes_on, self._stops = threading.Event(), threading.Event()
        # From here on it is a member: even unpolled it would be given partitions.
        consumer = job.consumer(subscribe=True)
        producer = job.producer(instance)
        self._thread = InThread(job.run, consumer, producer, self._process, self._stops.is_set)

    def wait_until_held(self) -> None:
        """Wait until it has the record in hand.

        Raises:
            Expired: it did not come to that record within BENCH_LIMIT.
            Exception: what ended it before.
        """
        what = f"record {self._hold_at} to be in hand"
        self._thread.wait_until(self.is_held.is_set, limit=BENCH_LIMIT, what=what)

    def wait_until_through(self) -> None:
        """Wait until it has finished the last record.

        Raises:
            Expired: it did not within BENCH_LIMIT.
            Exception: what ended it before.
        """
        self._thread.wait_until(
            lambda: self.processed[-1:] == [LAST], limit=BENCH_LIMIT, what="the last record"
        )

    def go_on(self) -> None:
        """Hold no longer."""
        self._goes_on.set()

    def end(self) -> BaseException | None:
        """Go on, and stop after the record in hand; return what it raised.

        Raises:
            Expired: it did not end within THREAD_LIMIT.
        """
        self.dismiss()
        return self._thread.error()

    def dismiss(self) -> None:
        """Have it go on, and stop after the record in hand; nobody waits for it."""
        self._stops.set()
        self.go_on()

    def _process(self, message: Message) -> bytes | None:
        if len(self.processed) == self._hold_at and not self._goes_on.is_set():
            self.is_held.set()
            wait_until(self._goes_on.is_set, limit=BENCH_LIMIT, what="the slow one to go on")
        self.processed.append(message.value())
        return message.value()


class Replacement(NamedTuple):
    """How a slow processor was replaced."""

    processed: list[bytes | None]
    """by it and by its heir; what it did before it was replaced, what the heir did, and the rest"""
    error: BaseException | None
    """what the slow one ended with"""


def take_too_long(jobs: Mapping[Name, Job]) -> dict[Name, Worker]:
    """Start processors that take too long for a record; on return each has it in hand.

    Raises:
        Expired: one of them did not come to that record within BENCH_LIMIT.
        Exception: what ended one of them before.
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
    """Have each slow processor replaced, and then let it finish the record that it has in hand.

    Its heir is another instance of the same group, and lives on until the slow one has ended.

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
        )
        for name, each in slow.items()
    }


class _Leaving(Consumer):
    """A member of a group whose `close()` cannot hang, whatever it was told last (see `leave`)."""

    def close(self) -> None:
        # As what it is without this method, which else would be called again.
        leave(cast("Consumer", super()))


@dataclass
class _Hand:
    """Whether the record in whose middle a processor is killed was handed to it."""

    holds: bool = False


class _Dying:
    """A client that kills its process before or after it commits the record in hand."""

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

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._deadly(found) if name == self._commits else found

    def _look(self, messages: Sequence[Message]) -> None:
        if any(each.offset() == IN_HAND for each in messages):
            self._hand.holds = True

    def _deadly(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any, **kwargs: Any) -> Any:
            if self._hand.holds and self._failure == BEFORE_COMMIT:
                crash()
            result = commit(*args, **kwargs)
            if self._hand.holds and self._failure == AFTER_COMMIT:
                crash()
            return result

        return dying
