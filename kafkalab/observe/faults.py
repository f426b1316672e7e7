"""Faults, made on purpose and at an exact point: a processor that is killed with a record in hand.

The clients that a processor is given kill its process just before or just
after they commit, and so does the processing that it is given. So no processor
has to know that it is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import OFFSET_STORED, Consumer, Producer, TopicPartition

from kafkalab.fixtures import LAB_CONSUMER
from kafkalab.observe.children import Child, Say, crash
from kafkalab.observe.groups import committed_offset, leave
from kafkalab.observe.records import watermarks
from kafkalab.observe.waiting import wait_until
from kafkalab.solutions import Component, Solutions
from kafkalab.tasks.delivery import Output

if TYPE_CHECKING:
    from confluent_kafka import Message

BEFORE_COMMIT, AFTER_COMMIT = "before the commit", "after the commit"
BEFORE_PROCESSING, AFTER_PROCESSING = "before processing", "after processing"
CRASH_POINTS = (BEFORE_PROCESSING, AFTER_PROCESSING, BEFORE_COMMIT, AFTER_COMMIT)
WHEN_COMMITTED = "in processing, once somebody has committed the record"
"""for a client that commits by its clock"""

# The offset of the record that is in hand when a processor is killed.
IN_HAND = 2

# The value of the last record: who has processed it may stop.
LAST = b"last"

# Seconds for what takes milliseconds on an idle machine.
FAULT_LIMIT = 30.0


@dataclass(frozen=True)
class Job:
    """What a processor is to do: one strategy, from one partition into a list, a topic or a sink.

    It is data, so that a process can be told of it.
    """

    folder: Path
    """of the components"""
    strategy: str
    """such as `at_least_once`"""
    config: Mapping[str, Any]
    """client properties"""
    group: str
    """the group; also the transactional id"""
    source: str
    """the topic to read, of one partition"""
    copy: str = ""
    """the topic to write, for exactly_once"""
    sink: Path | None = None
    """the file of an idempotent sink, which then is the processing"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """more for the consumer"""

    @property
    def delivery(self) -> Component:
        """The component."""
        return Solutions(self.folder).delivery

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

    def producer(self) -> Producer | None:
        """A transactional producer, for exactly_once; it fences the one before it."""
        if self.strategy != "exactly_once":
            return None
        producer = Producer({**self.config, "transactional.id": self.group})
        # Once it is connected init_transactions() takes milliseconds, and else half a second.
        producer.list_topics(timeout=FAULT_LIMIT)
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
        processor = getattr(self.delivery, self.strategy)
        if self.strategy != "exactly_once":
            processor(consumer, process, stop)
            return

        def transform(message: Message) -> Iterator[Output]:
            yield Output(self.copy, message.key(), process(message))

        processor(consumer, producer, transform, stop)


def run_killed(
    start: Callable[..., Child], jobs: Mapping[str, Job]
) -> dict[str, list[bytes | None]]:
    """Run processors that are killed, and for each a successor that goes on with its work.

    Args:
        start: starts a process, as the fixture `child` does.
        jobs: for each point at which a processor is to be killed its job. All
            run at the same time, so each must have a group of its own.

    Returns:
        For each point the values that were processed, those of the killed one first.

    Raises:
        ChildFailed: a processor ended with an error.
        Expired: a processor did not end within the limit.
        AssertionError: a processor did not come to the point where it is killed.
    """
    killed = {point: start(_work, job, point) for point, job in jobs.items()}
    values = {point: list(each.wait(FAULT_LIMIT)) for point, each in killed.items()}
    for point, each in killed.items():
        assert each.was_killed, f"{jobs[point].strategy} ended and never came {point}"
    successors = {point: start(_work, job, None) for point, job in jobs.items()}
    for point, each in successors.items():
        values[point] += each.wait(FAULT_LIMIT)
    return values


def _work(say: Say, job: Job, point: str | None) -> None:
    """The program of a process: run the processor, and die at the point."""
    hand = _Hand()
    consumer: Any = _Dying(job.consumer(), "commit", hand, point)
    producer: Any = _Dying(job.producer(), "commit_transaction", hand, point)
    sink = job.delivery.IdempotentSink(job.sink) if job.sink else None
    is_done = job.is_done()
    seen_last = False

    def process(message: Message) -> bytes | None:
        nonlocal seen_last
        in_hand = message.offset() == IN_HAND
        if in_hand and point == WHEN_COMMITTED:
            wait_until(job.has_committed, limit=FAULT_LIMIT, what="the record to be committed")
            crash()
        if in_hand and point == BEFORE_PROCESSING:
            crash()
        if sink is not None:
            sink.apply(message)
        say(message.value())
        seen_last = message.value() == LAST
        if in_hand and point == AFTER_PROCESSING:
            crash()
        return message.value()

    job.run(consumer, producer, process, lambda: seen_last or is_done())


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

    def __init__(self, client: Any, commits: str, hand: _Hand, point: str | None) -> None:
        self._client = client
        self._commits = commits
        self._hand = hand
        self._point = point

    def poll(self, *args: Any) -> Any:
        message = self._client.poll(*args)
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
            if self._hand.holds and self._point == BEFORE_COMMIT:
                crash()
            result = commit(*args, **kwargs)
            if self._hand.holds and self._point == AFTER_COMMIT:
                crash()
            return result

        return dying
