"""Task 1.5: what is lost, what comes twice, and who promises what?

Write `delivery.py` with four processors and a sink. A processor reads record after record, and
hands each to the processing. What it promises depends only on when it commits.
`at_most_once`, `at_least_once` and `exactly_once` keep a promise each; `auto_commit` promises
nothing, and is there for comparison. With an `IdempotentSink`, at-least-once is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, Producer

Process = Callable[["Message"], None]
"""Processes a record: its effect in the world outside of Kafka."""

Stop = Callable[[], bool]
"""Called between two records; returns whether it is time to stop."""


class Output(NamedTuple):
    """A record to write."""

    topic: str
    key: bytes | None
    value: bytes | None


Transform = Callable[["Message"], Iterable[Output]]
"""Returns the outputs to write for a record: none, one or several."""

ConsumerSettings = Mapping[str, Mapping[str, Any]]
"""The settings that the consumer of each processor needs, by the processor's name."""

SETTINGS: ConsumerSettings = {
    "at_most_once": {"enable.auto.commit": False},
    "at_least_once": {"enable.auto.commit": False},
    "exactly_once": {"enable.auto.commit": False, "isolation.level": "read_committed"},
    "auto_commit": {"enable.auto.commit": True},
}


class Sink(Protocol):
    """What an IdempotentSink can do: it applies the effect of each record once, in a file.

    It identifies a record by topic, partition and offset, which are the same each time that the
    record is read. Two records with the same content both have an effect. The effect of a record,
    and the note that it was applied, are stored together: a crash at any time, even SIGKILL,
    leaves both or neither.
    """

    def apply(self, message: Message, /) -> bool:
        """Apply a record; return whether it had an effect. A repeated record has none.

        Its effect is its value, which may be None. On return the effect is in the file.
        """
        ...

    def values(self) -> list[bytes | None]:
        """The values of all effects, by topic, partition and offset."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Delivery(Protocol):
    """What `delivery.py` has to offer.

    These rules hold for all processors:

    - The consumer was made with SETTINGS; it has its partitions, or has subscribed and will
      get them. The processor takes it over: it reads with `poll` or `consume`, and closes the
      consumer at the end, after a stop and after an error. Consumer and producer may be
      stand-ins that have the client's methods.
    - Records are processed one by one, in the order in which they are polled. A deletion,
      whose value is None, is a record like any other.
    - `stop` is called before each poll for records, and each poll is short, for example 0.1
      seconds and never more than one, so that a stop is noticed soon. A record that was polled
      is still processed, or at least not committed.
      Only a stop ends a processor without an error: an empty poll does not, nor does the event
      for the end of a partition, nor a rebalance.
    - An error event of the client is raised as a KafkaException. An error that the processing
      raises ends the processor with that same error: a record that fails is reported, and never
      skipped.
    - A refused commit is raised as a KafkaException, and no further record is processed: in
      this way a processor learns that it was replaced, and that another one has its partitions.
      The docstring of exactly_once says what that one does about a refusal.
    """

    SETTINGS: ConsumerSettings
    """A component need not have it: then the contract's SETTINGS are used."""

    def IdempotentSink(self, path: Path) -> Sink:  # noqa: N802
        """Open a sink's file, with all that was applied, or create it. This is a class.

        The format of the file is up to you. Only one process has it open at a time. The thread
        that closes it need not be the one that opened it.
        """
        ...

    def at_most_once(self, consumer: Consumer, process: Process, stop: Stop) -> int:
        """Commit each record before it is processed, so that none comes twice.

        For each record, `consumer.commit` commits the offset after it, and is answered
        (`asynchronous=False`) before `process` is called. A crash in between loses one record,
        and no other. A record whose processing fails is committed already.

        Args:
            consumer: with its partitions; see Delivery.
            process: processes a record.
            stop: called between two records.

        Returns:
            How many records were processed.

        Raises:
            KafkaException: Kafka refused something.
            Exception: any error that `process` raised.
        """
        ...

    def at_least_once(self, consumer: Consumer, process: Process, stop: Stop) -> int:
        """Commit records only after they are processed, so that none is lost.

        How it commits is up to you: each record or some at a time, with an answer that is
        waited for, or by offsets that are stored for the client's own commit (SETTINGS of your
        own say so). A crash repeats what was processed since the last commit, so few at a time
        are better. When the processor has stopped, or the processing of a record failed, all
        that was processed is committed; a record that failed is not.

        Arguments, result and errors are those of `at_most_once`.
        """
        ...

    def auto_commit(self, consumer: Consumer, process: Process, stop: Stop) -> int:
        """Leave the commits to the client, which makes them on a timer.

        The client commits what it has handed over, processed or not. So a crash may lose
        records, and may repeat others. The processor itself commits nothing. It takes one record
        at a time from the client, so that at most one record was handed over and not processed.

        Arguments, result and errors are those of `at_most_once`.
        """
        ...

    def exactly_once(
        self, consumer: Consumer, producer: Producer, transform: Transform, stop: Stop
    ) -> int:
        """Write the outputs and commit the inputs in one transaction: both happen, or neither.

        This holds inside of Kafka, for readers of committed records: they see each output once,
        wherever the processor is killed. A transaction takes the records of one poll, for
        example 100 at most: each transaction costs two round trips.

        - The transaction gets the offsets after its records, with the consumer's group
          metadata. The consumer itself commits nothing.
        - A transaction that has to be aborted (`KafkaError.txn_requires_abort()`), for example
          because the broker refused an output, is aborted. Then its records are read again and
          tried again, until they succeed. An abort takes back what was written, but does not
          move the consumer back. After a refusal `produce()` accepts no further output, and
          fails with the code `_STATE`: that transaction, too, has to be aborted.
        - Any other error of a transaction is raised, for example when a later producer with
          the same `transactional.id` has fenced this one.
        - When `transform` raises, the transaction is aborted first.

        Args:
            consumer: as for `at_most_once`.
            producer: with a `transactional.id` of its own. Its transactions are not
                initialised yet: do that first, before you read anything.
            transform: returns the outputs of a record; all of them are written, in the order of
                the records.
            stop: called between two transactions.

        Returns:
            How many records were processed in transactions that were committed.

        Raises:
            KafkaException: Kafka refused something for good.
            BufferError: the client's queue is full.
            Exception: any error that `transform` raised.
        """
        ...
