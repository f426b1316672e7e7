"""What clients did and saw, as data: recorded while a test runs, judged afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kafkalab.contracts import Place

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, TopicPartition


class Kind(StrEnum):
    """What a client did, or what happened to it."""

    POLL = "poll"
    COMMIT = "commit"
    ASSIGN = "assign"
    REVOKE = "revoke"
    LOST = "lost"
    CRASH = "crash"


class State(StrEnum):
    """The outcome. INFO means unknown: a commit whose reply was lost may have been stored."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


@dataclass(frozen=True)
class Event:
    """One thing that one client did or saw."""

    kind: Kind
    state: State
    actor: str
    """the name of the member"""
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
    key: bytes | None = None
    value: bytes | None = None
    time: float = 0.0
    """seconds on the monotonic clock, which all processes of a machine share"""
    generation: int | None = None
    """The group's generation (classic) or the member's epoch (KIP-848), if it is known."""

    @property
    def place(self) -> Place:
        """Topic and partition.

        Raises:
            ValueError: the event has no partition.
        """
        if self.partition is None:
            raise ValueError(f"no partition is known of {self}")
        return self.topic, self.partition


class History:
    """Events in the order recorded; clients in several threads may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def of(self, kind: Kind, *states: State) -> list[Event]:
        """The events of this kind, in these states; without states, in any."""
        return [
            event for event in self if event.kind is kind and (not states or event.state in states)
        ]

    def __len__(self) -> int:
        with self._lock:
            return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        """Iterate over what is recorded now; what is added meanwhile is left out."""
        with self._lock:
            return iter(tuple(self._events))


def polled(
    actor: str,
    message: Message,
    *,
    time: float = 0.0,
    generation: int | None = None,
) -> Event:
    """The event of a poll that returned this record."""
    return Event(
        Kind.POLL,
        State.OK,
        actor,
        topic=message.topic() or "",
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        time=time,
        generation=generation,
    )


def poll_failed(
    actor: str, error: KafkaError, *, time: float = 0.0, generation: int | None = None
) -> Event:
    """The event of a poll that returned an error; its name stands as the value."""
    name = error.name().encode()
    return Event(Kind.POLL, State.FAIL, actor, value=name, time=time, generation=generation)


def committed(
    actor: str,
    error: KafkaError | None,
    place: TopicPartition | None,
    *,
    time: float = 0.0,
    generation: int | None = None,
) -> Event:
    """The event of a commit that has ended: ok, fail, or info if it may have been stored.

    Args:
        actor: the name of the member that committed.
        error: why it was refused; its name stands as the value.
        place: the partition and the offset; None where the client does not name it.
        time: when it ended, in seconds on the monotonic clock.
        generation: that of the member, if it is known.
    """
    return Event(
        Kind.COMMIT,
        _state_of_commit(error),
        actor,
        topic=place.topic if place else "",
        partition=place.partition if place else None,
        offset=place.offset if place else None,
        value=None if error is None else error.name().encode(),
        time=time,
        generation=generation,
    )


def _state_of_commit(error: KafkaError | None) -> State:
    from confluent_kafka import KafkaError

    if error is None:
        return State.OK
    # The request was on its way, and no answer came.
    open_ended = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT}
    return State.INFO if error.code() in open_ended else State.FAIL
