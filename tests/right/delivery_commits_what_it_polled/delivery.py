"""One record at a time, and commit() without arguments, which commits all that was polled."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks.delivery import IdempotentSink, auto_commit, exactly_once

__all__ = ["IdempotentSink", "at_least_once", "at_most_once", "auto_commit", "exactly_once"]


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            if (message := _next(consumer)) is not None:
                _commit(consumer)
                process(message)
                done += 1
    return done


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            if (message := _next(consumer)) is not None:
                process(message)
                _commit(consumer)
                done += 1
    return done


def _next(consumer: Consumer) -> Message | None:
    message = consumer.poll(0.1)
    if message is None:
        return None
    error = message.error()
    if error is None:
        return message
    if error.code() == KafkaError._PARTITION_EOF:
        return None
    raise KafkaException(error)


def _commit(consumer: Consumer) -> None:
    for each in consumer.commit(asynchronous=False) or ():
        if each.error is not None:
            raise KafkaException(each.error)
