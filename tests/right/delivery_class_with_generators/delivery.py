"""A class owns the consumer and generates the records; the sink appends lines of JSON to a file."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kafkalab.contracts.delivery import Process, Stop, Transform

__all__ = [
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

LIMIT = 30.0


@dataclass
class Reader:
    consumer: Consumer
    stop: Stop
    done: int = 0

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.consumer.close()

    def records(self) -> Iterator[Message]:
        while not self.stop():
            message = self.consumer.poll(0.1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield message
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    with Reader(consumer, stop) as reader:
        for message in _committed(consumer, reader.records()):
            process(message)
            reader.done += 1
    return reader.done


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    with Reader(consumer, stop) as reader:
        for _ in _committed(consumer, _processed(process, reader.records())):
            reader.done += 1
    return reader.done


def _committed(consumer: Consumer, messages: Iterable[Message]) -> Iterator[Message]:
    for message in messages:
        consumer.commit(offsets=[_after(message)], asynchronous=False)
        yield message


def _processed(process: Process, messages: Iterable[Message]) -> Iterator[Message]:
    for message in messages:
        process(message)
        yield message


def auto_commit(consumer: Consumer, process: Process, stop: Stop) -> int:
    with Reader(consumer, stop) as reader:
        for message in reader.records():
            process(message)
            reader.done += 1
    return reader.done


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    with Reader(consumer, stop) as reader:
        producer.init_transactions(LIMIT)
        for message in reader.records():
            reader.done += _transact(consumer, producer, transform, message)
    return reader.done


def _transact(
    consumer: Consumer, producer: Producer, transform: Transform, message: Message
) -> bool:
    after = _after(message)
    producer.begin_transaction()
    try:
        outputs = tuple(transform(message))
    except BaseException:
        producer.abort_transaction(LIMIT)
        raise
    try:
        for output in outputs:
            producer.produce(**output._asdict())
        group = consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction([after], group, LIMIT)
        producer.commit_transaction(LIMIT)
    except KafkaException as error:
        if not error.args[0].txn_requires_abort() and error.args[0].code() != KafkaError._STATE:
            raise
        producer.abort_transaction(LIMIT)
        consumer.seek(TopicPartition(after.topic, after.partition, after.offset - 1))
        return False
    return True


def _after(message: Message) -> TopicPartition:
    offset = (message.offset() or 0) + 1
    return TopicPartition(message.topic() or "", message.partition() or 0, offset)


class IdempotentSink:
    def __init__(self, path: Path) -> None:
        self._effects: dict[tuple[str, int, int], bytes | None] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        whole = 0
        with os.fdopen(os.dup(self._file), "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                topic, partition, offset, text = json.loads(line)
                value = None if text is None else b64decode(text)
                self._effects[topic, partition, offset] = value
                whole += len(line)
        os.ftruncate(self._file, whole)
        os.lseek(self._file, whole, os.SEEK_SET)

    def apply(self, message: Message) -> bool:
        key = message.topic() or "", message.partition() or 0, message.offset() or 0
        if key in self._effects:
            return False
        value = message.value()
        text = None if value is None else b64encode(value).decode()
        rest = json.dumps([*key, text]).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)
        self._effects[key] = value
        return True

    def values(self) -> list[bytes | None]:
        return [self._effects[key] for key in sorted(self._effects)]

    def close(self) -> None:
        os.close(self._file)
