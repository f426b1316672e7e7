"""Publishes in a `with` block of its own class, and knows each record by its callback.

Right: every promise of the contract is kept. What differs from the reference: reports are made
from the record that was handed over, not from the client's message, keys are encoded before they
are sent, and after the limit no record is handed over any more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import (
    PUBLISH_LIMIT,
    Distribution,
    KeyedRecord,
    PublishFailed,
    Report,
)
from kafkalab.tasks import routing as right
from kafkalab.tasks.routing import crc32_partition, murmur2_partition

__all__ = [
    "crc32_partition",
    "distribution",
    "murmur2_partition",
    "publish",
]

GIVE_UP_LIMIT = 5.0
GLANCE = 0.2


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    with _Publication(config, limit) as publication:
        for record in records:
            publication.add(record)
            if one_by_one:
                publication.flush()
    if any(report.error is not None for report in publication.reports):
        raise PublishFailed(publication.reports)
    return publication.reports


class _Publication:
    """Records on their way, and the reports that came; all of them at the end of the block."""

    def __init__(self, config: ClientConfig, limit: float) -> None:
        self.reports: list[Report] = []
        self._producer = Producer(dict(config))
        self._deadline = time.monotonic() + limit

    def __enter__(self) -> _Publication:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()
            if len(self._producer):
                self._producer.purge()
                self._producer.flush(GIVE_UP_LIMIT)

    def add(self, record: KeyedRecord) -> None:
        key = right.encode_key(record.key)
        told = partial(_tell, self.reports, record.topic, key)
        try:
            while not self._hand_over(record, key, told):
                self._producer.poll(min(GLANCE, self._left()))
        except KafkaException as refused:
            told(refused.args[0], None)
        self._producer.poll(0)

    def flush(self) -> None:
        self._producer.flush(self._left())

    def _hand_over(self, record: KeyedRecord, key: bytes | None, told: Any) -> bool:
        if not self._left():
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        headers: Any = list(record.headers) or None
        try:
            self._producer.produce(
                record.topic, value=record.value, key=key, on_delivery=told, headers=headers
            )
        except BufferError:
            return False
        return True

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())


def _tell(
    reports: list[Report], topic: str, key: bytes | None, error: KafkaError | None, message: Any
) -> None:
    if error is not None:
        reports.append(Report(topic, key, None, None, None, error))
        return
    timestamp_ms = message.timestamp()[1]
    reports.append(Report(topic, key, message.partition(), message.offset(), timestamp_ms))


def distribution(partitions_of_records: Iterable[int], partitions: int) -> Distribution:
    if partitions < 1:
        raise ValueError(f"a topic has at least one partition, not {partitions}")
    counted = Counter(partitions_of_records)
    if outside := counted.keys() - range(partitions):
        raise ValueError(f"not among 0 to {partitions - 1}: {sorted(outside)}")
    return Distribution(tuple(counted[each] for each in range(partitions)))
