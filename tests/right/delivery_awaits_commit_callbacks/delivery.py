"""At-least-once commits asynchronously, a few records at a time, and waits for the callback."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import closing, suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from kafkalab.contracts import Place
from kafkalab.contracts import delivery as contract
from kafkalab.contracts.delivery import ConsumerSettings, Process, Stop
from kafkalab.tasks.delivery import IdempotentSink, at_most_once, auto_commit, exactly_once

__all__ = [
    "SETTINGS",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

BATCH = 10
POLL = 0.1
PATIENCE = 1.0

Answer = tuple[KafkaError | None, list[TopicPartition]]


class _Inbox(threading.local):
    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()


_inbox = _Inbox()


def _on_commit(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
    _inbox.answers.append((error, partitions))


SETTINGS: ConsumerSettings = {
    **contract.SETTINGS,
    "at_least_once": {**contract.SETTINGS["at_least_once"], "on_commit": _on_commit},
}


class Commits:
    """Collects what was processed, and commits it."""

    def __init__(self, consumer: Consumer) -> None:
        _inbox.answers.clear()
        self._consumer = consumer
        self._after: dict[Place, int] = {}
        self._deaf = False
        self.early: list[Message] = []

    def add(self, message: Message) -> None:
        place = message.topic() or "", message.partition() or 0
        self._after[place] = (message.offset() or 0) + 1

    def make(self) -> None:
        """Commit what was collected, and wait for the answer.

        Raises:
            KafkaException: the commit was refused.
        """
        after = dict(self._after)
        self._after.clear()
        if not after:
            return
        offsets = [TopicPartition(*place, offset) for place, offset in after.items()]
        if not self._deaf:
            self._consumer.commit(offsets=offsets, asynchronous=True)
            if self._is_answered(after):
                return
        self._consumer.commit(offsets=offsets, asynchronous=False)

    def _is_answered(self, after: dict[Place, int]) -> bool:
        # A pause outlasts a rebalance: what was paused is resumed, though it may have moved.
        paused = self._consumer.assignment()
        self._consumer.pause(paused)
        end = time.monotonic() + PATIENCE
        try:
            while not self.early and time.monotonic() < end:
                message = self._consumer.poll(0.01)
                if message is not None:
                    self.early.append(message)
                while _inbox.answers:
                    if _accepted(*_inbox.answers.popleft()) == after:
                        return True
        finally:
            self._consumer.resume(paused)
        self._deaf = not self.early
        return False


def _accepted(error: KafkaError | None, partitions: list[TopicPartition]) -> dict[Place, int]:
    for refused in (error, *(each.error for each in partitions)):
        if refused is not None:
            raise KafkaException(refused)
    return {(each.topic, each.partition): each.offset for each in partitions}


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        commits = Commits(consumer)
        try:
            while not stop():
                batch, commits.early = commits.early, []
                for message in batch or consumer.consume(BATCH, POLL):
                    if _is_record(message):
                        process(message)
                        done += 1
                        commits.add(message)
                commits.make()
        except BaseException:
            with suppress(KafkaException):
                commits.make()
            raise
    return done


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is None
