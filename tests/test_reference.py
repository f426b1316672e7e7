"""What kafkalab's own components do in trouble that no fact asks of a learner."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kafkalab.contracts.delivery import Output, Transform
from kafkalab.contracts.rebalance import ASSIGN, LOST, REVOKE, Change, Gap
from kafkalab.tasks.delivery import exactly_once
from kafkalab.tasks.rebalance import RebalanceListener, ownerless


def record(offset: int) -> Any:
    """A record of t-0, as far as components look at it."""
    message = Mock(spec=Message)
    message.topic.return_value, message.partition.return_value = "t", 0
    message.offset.return_value, message.error.return_value = offset, None
    return message


def consumer_of(records: list[Any]) -> Any:
    """A consumer that hands the records over in one batch."""
    consumer = Mock(spec=Consumer)
    consumer.consume.side_effect = [records, []]
    return consumer


def stops_after(looks: int) -> Callable[[], bool]:
    """A stop that comes after so many looks."""
    left = iter([False] * looks)
    return lambda: next(left, True)


def refusal(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


def test_the_transforms_error_outlives_a_failing_abort() -> None:
    """The caller sees the error of the transform, with a word about the abort."""
    producer = Mock(spec=Producer)
    producer.abort_transaction.side_effect = refusal(KafkaError._FENCED)

    def fails(_: Message) -> list[Output]:
        raise ZeroDivisionError("by the transform")

    with pytest.raises(ZeroDivisionError) as raised:
        exactly_once(consumer_of([record(0)]), producer, fails, stops_after(1))

    assert "could not be aborted" in raised.value.__notes__[0]


def test_a_full_queue_is_waited_out() -> None:
    """A transaction with more outputs than the producer's queue holds is written whole."""
    producer = Mock(spec=Producer)
    producer.produce.side_effect = [None, BufferError("Local: Queue full"), None]
    writes: Transform = lambda _: [Output("out", None, b"a"), Output("out", None, b"b")]  # noqa: E731

    done = exactly_once(consumer_of([record(0)]), producer, writes, stops_after(1))

    assert done == 1
    assert [call.args[1] for call in producer.produce.call_args_list] == [b"a", b"b", b"b"]
    producer.commit_transaction.assert_called_once()


def test_a_commit_that_is_refused_for_one_partition_is_raised() -> None:
    """The client raises only if all are refused: one of two stands in the answer.

    It gives the partitions up all the same, and so does the listener.
    """
    changes: list[Change] = []
    listener, consumer = RebalanceListener("anna", changes), Mock(spec=Consumer)
    listener.on_assign(consumer, [TopicPartition("t", 0)])
    listener.processed(record(4))
    gone = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    consumer.commit.return_value = [SimpleNamespace(error=None), SimpleNamespace(error=gone)]

    with pytest.raises(KafkaException) as raised:
        listener.on_revoke(consumer, [TopicPartition("t", 0)])

    assert raised.value.args[0] is gone
    assert (listener.owned, [each.kind for each in changes]) == (set(), [ASSIGN, REVOKE])


def test_a_removed_member_does_not_hide_a_later_gap() -> None:
    """Anna was removed; Bert gave the partition up before Cleo got it, and Anna learns last."""
    place = (("t", 0),)
    changes = [
        Change("anna", ASSIGN, place, 1.0),
        Change("bert", ASSIGN, place, 2.0),
        Change("bert", REVOKE, place, 3.0),
        Change("cleo", ASSIGN, place, 4.0),
        Change("anna", LOST, place, 5.0),
    ]

    assert ownerless(changes) == [Gap("t", 0, 3.0, 4.0)]
