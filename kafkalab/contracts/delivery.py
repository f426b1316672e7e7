"""Task 1.5: what is lost, what comes twice, and who promises what?

Write `delivery.py` with four processors and a sink. A processor reads record after record, and
hands each to the processing. What it promises lies in one thing only: when it commits.
`at_most_once`, `at_least_once` and `exactly_once` keep a promise each; `auto_commit` promises
nothing, and stands there to be compared. `IdempotentSink` makes at-least-once enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, Producer

Process = Callable[["Message"], None]
"""Does what is to be done with a record: the effect in the world outside of Kafka."""

Stop = Callable[[], bool]
"""Asked between two records: whether it is time to stop."""


class Output(NamedTuple):
    """A record to be written."""

    topic: str
    key: bytes | None
    value: bytes | None


Transform = Callable[["Message"], Iterable[Output]]
"""Makes of a record those to be written for it: none, one or several."""

ConsumerSettings = Mapping[str, Mapping[str, Any]]
"""For each processor, by its name, what its consumer must be told."""

SETTINGS: ConsumerSettings = {
    "at_most_once": {"enable.auto.commit": False},
    "at_least_once": {"enable.auto.commit": False},
    "exactly_once": {"enable.auto.commit": False, "isolation.level": "read_committed"},
    "auto_commit": {"enable.auto.commit": True},
}


class Sink(Protocol):
    """What an IdempotentSink can do: it applies the effect of each record once, in a file.

    A record is known by topic, partition and offset, which stay the same each time that it is
    read; of two records with the same content both have an effect. Effect and knowledge are
    kept together: a crash at any moment, SIGKILL too, leaves both or neither.
    """

    def apply(self, message: Message, /) -> bool:
        """Apply a record; return whether it had an effect, which a repeated one has not.

        Its effect is its value, which may be None. On return it is in the file.
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

    All processors have in common:

    - The consumer that they are given was made with SETTINGS; it has its partitions, or has
      subscribed and will get them. A processor takes it over, reads from it by `poll` or
      `consume`, and closes it at the end, whatever ends it: a stop, or an error. Consumer and
      producer may be stand-ins that have the client's methods.
    - Records are processed one by one, in the order in which they are polled. A deletion,
      whose value is None, is a record like any other.
    - `stop` is asked before each look for records, and looks are short, 0.1 seconds say, so
      that a stop is noticed soon. A record that was polled is still processed. Nothing else
      ends a processor well: a poll that brings nothing does not, nor does the event that tells
      the end of a partition, nor a rebalance.
    - An error event of the client is raised as a KafkaException. What the processing raises
      ends the processor with that same error: a record that fails is told, and not passed
      over.
    - A refused commit is raised as a KafkaException, and no further record is processed: that
      is how a processor learns that it was replaced, and another has its partitions. What
      exactly_once does about a refusal is said there.
    """

    SETTINGS: ConsumerSettings
    """A component need not have it: then the contract's SETTINGS are taken."""

    def IdempotentSink(self, path: Path) -> Sink:  # noqa: N802
        """Open a sink's file, with all that was applied, or begin it: a class.

        What the file holds is yours. One process has it open at a time. The thread that
        closes it need not be the one that opened it.
        """
        ...

    def at_most_once(self, consumer: Consumer, process: Process, stop: Stop) -> int:
        """Commit each record before it is processed, so that none comes twice.

        Record by record: `consumer.commit` of the offset after it has been answered
        (`asynchronous=False`) before `process` is called. A crash in between loses one record;
        no other is lost. A record that fails in the processing is committed already.

        Args:
            consumer: with its partitions; see Delivery.
            process: what to do with a record.
            stop: asked between two records.

        Returns:
            How many records were processed.

        Raises:
            KafkaException: Kafka refused something.
            Exception: whatever `process` raised.
        """
        ...

    def at_least_once(self, consumer: Consumer, process: Process, stop: Stop) -> int:
        """Commit each record when it is processed, so that none is lost.

        Record by record: `consumer.commit` of the offset after it has been answered
        (`asynchronous=False`) before the next record is processed. A crash in between repeats
        one record. What was processed is committed when the processor has stopped; what failed
        is not.

        Arguments, result and errors are those of `at_most_once`.
        """
        ...

    def auto_commit(self, consumer: Consumer, process: Process, stop: Stop) -> int:
        """Leave the commits to the client, which makes them by its clock.

        It commits what it has handed over, processed or not, so a crash may lose records and
        may repeat others. The processor itself commits nothing, and takes one record at a time
        from the client, so that of those handed over one at most is not processed.

        Arguments, result and errors are those of `at_most_once`.
        """
        ...

    def exactly_once(
        self, consumer: Consumer, producer: Producer, transform: Transform, stop: Stop
    ) -> int:
        """Write the outputs and commit the inputs in one transaction: both happen, or neither.

        It holds inside of Kafka, for readers of committed records: they see each output once,
        wherever the processor is killed. A transaction takes the records that one look brought,
        100 at most, say: each transaction costs two round trips.

        - The offsets that are sent to the transaction are those after its records, with the
          consumer's group metadata; nothing is committed by the consumer itself.
        - Where a transaction has to be aborted (`KafkaError.txn_requires_abort()`), because
          the broker refused an output for instance, it is, and its records are read again and
          tried again, until they are through. An abort takes back what was written, but not
          where the consumer stands. After a refusal `produce()` takes no further output, and
          says so by the code `_STATE`: that, too, is a transaction to be aborted.
        - Any other error of a transaction, as when a later producer of the same
          `transactional.id` has fenced this one, is raised.
        - When `transform` raises, the transaction is aborted first.

        Args:
            consumer: as for `at_most_once`.
            producer: with a `transactional.id` of its own. Its transactions are not
                initialised yet: that comes first, before anything is read.
            transform: makes the outputs of a record; all of them are written, in the order of
                the records.
            stop: asked between two transactions.

        Returns:
            How many records were processed in transactions that were committed.

        Raises:
            KafkaException: Kafka refused something for good.
            Exception: whatever `transform` raised.
        """
        ...
