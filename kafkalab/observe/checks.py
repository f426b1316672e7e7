"""Checkers: pure functions from what was recorded to the violations that it shows.

Each says how many items it compared, since a check of nothing passes easily. A
checker of events picks out those that it judges, so it may be given a whole
history.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from kafkalab.observe.history import Event, Kind, State

# A message must stay readable, however much went wrong.
MOST_SHOWN = 5


class NothingCompared(Exception):
    """A checker found nothing to compare.

    Not an AssertionError: it says nothing about Kafka, so the fact is invalid,
    neither passed nor refuted.
    """


@dataclass(frozen=True)
class Violation:
    """One thing that must not be, and was seen."""

    name: str
    """such as `lost write`"""
    where: str
    """such as `orders-0` or `key b'user-1' of orders`"""
    text: str
    """one line that says what was expected and what was seen"""

    def __str__(self) -> str:
        return f"{self.name}, {self.where}: {self.text}"


@dataclass(frozen=True)
class Checked:
    """What a checker found, and among how many items."""

    violations: tuple[Violation, ...]
    compared: int

    def names(self) -> set[str]:
        """The names of the violations, each once."""
        return {violation.name for violation in self.violations}

    def require(self) -> None:
        """Require that something was compared and that all of it was as it should be.

        Raises:
            NothingCompared: there was nothing to compare.
            AssertionError: there are violations; the text shows the first MOST_SHOWN.
        """
        if self.compared == 0:
            raise NothingCompared("the check found nothing to compare, so it proves nothing")
        if self.violations:
            shown = [str(violation) for violation in self.violations[:MOST_SHOWN]]
            count = f"violations: {len(self.violations)}, compared: {self.compared}"
            raise AssertionError("\n".join([count, *shown]))


class LogRow(Protocol):
    """A record as it stands in the log, read by an observer."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


Row = TypeVar("Row", bound=LogRow)
Group = TypeVar("Group", bound=Hashable)


class _Ownership(NamedTuple):
    """One member's time with one partition: within it, polls follow one another."""

    topic: str
    partition: int
    actor: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition} by {self.actor} in epoch {self.epoch}"


# Order


def ascending(
    rows: Iterable[tuple[Hashable, int]],
    *,
    name: str,
    strictly: bool = True,
    step: int | None = None,
) -> Checked:
    """Whether the numbers ascend within each group; neighbours of a group are compared.

    Args:
        rows: (group, number) in the order seen. A violation is where its group is,
            as text.
        name: what a violation is called.
        strictly: whether a number may not come twice in a row.
        step: by how much exactly each number exceeds the one before; `strictly`
            then adds nothing.
    """
    wanted, fits = _rule(strictly, step)
    pairs = list(_neighbours(rows))
    violations = tuple(
        Violation(name, str(group), f"expected {wanted} {before} next, saw {number}")
        for group, before, number in pairs
        if not fits(number - before)
    )
    return Checked(violations, len(pairs))


def _rule(strictly: bool, step: int | None) -> tuple[str, Callable[[int], bool]]:
    """What is wanted of a number beside the one before, in words and of their difference."""
    if step is not None:
        return f"exactly {step} more than", lambda gain: gain == step
    if strictly:
        return "more than", lambda gain: gain > 0
    return "at least", lambda gain: gain >= 0


def _neighbours(rows: Iterable[tuple[Group, int]]) -> Iterator[tuple[Group, int, int]]:
    """(group, the number before, number) for each number but the first of its group."""
    latest: dict[Group, int] = {}
    for group, number in rows:
        if group in latest:
            yield group, latest[group], number
        latest[group] = number


def order_per_partition(log: Sequence[LogRow]) -> Checked:
    """Offsets ascend within each partition, in the order read; gaps are fine."""
    rows = ((_where(row), row.offset) for row in log)
    return ascending(rows, name="disorder in a partition")


def order_per_key(log: Sequence[Row], sequence: Callable[[Row], int]) -> Checked:
    """The producer's own numbers ascend within each key of a topic, in the order read.

    Records without a key are passed over: they have no order among themselves.

    Args:
        log: records in the order read.
        sequence: the number that the producer gave a record.
    """
    rows = (
        (f"key {row.key!r} of {row.topic}", sequence(row)) for row in log if row.key is not None
    )
    return ascending(rows, name="disorder of a key")


# The log


def duplicates_in_log(log: Sequence[LogRow]) -> Checked:
    """No value stands at two offsets of a topic; every record is sent with a value of its own.

    A record read twice from one offset counts once: that is duplicate delivery.
    Tombstones are passed over: they have no value.
    """
    offsets: dict[tuple[str, bytes], set[tuple[int, int]]] = defaultdict(set)
    for row in log:
        if row.value is not None:
            offsets[row.topic, row.value].add((row.partition, row.offset))
    violations = tuple(
        Violation(
            "duplicate in the log",
            f"value {value!r} of {topic}",
            "expected at one offset, seen at "
            + ", ".join(f"{topic}-{partition} offset {offset}" for partition, offset in sorted(at)),
        )
        for (topic, value), at in offsets.items()
        if len(at) > 1
    )
    return Checked(violations, sum(map(len, offsets.values())))


def completeness(sends: Iterable[Event], log: Sequence[LogRow]) -> Checked:
    """Whatever was acknowledged stands in the log, and whatever stands there was sent.

    - lost write: an acknowledged record is not in the log at its partition and
      offset; one that was acknowledged without an offset may be at any.
    - unexpected write: a record is in the log whose sends all failed for certain.
    - unknown record: a record is in the log that nobody sent.

    A send of unknown outcome may be in the log or not. Acknowledged sends are
    what is compared. Only for topics from which nothing was removed meanwhile.

    Args:
        sends: the sends, in any state; a record is known by its key and value.
        log: all records of the topics sent to, those of aborted transactions too.
    """
    sent = [event for event in sends if event.kind is Kind.SEND]
    confirmed = [event for event in sent if event.state is State.OK]
    standing = {
        (row.topic, row.partition, offset, row.key, row.value)
        for row in log
        for offset in (row.offset, None)
    }
    lost = [
        Violation(
            "lost write",
            _where(event),
            f"expected at offset {event.offset}, as acknowledged, and not there: {_shown(event)}",
        )
        for event in confirmed
        if (event.topic, event.partition, event.offset, event.key, event.value) not in standing
    ]
    known = {_content(event) for event in sent}
    possible = {_content(event) for event in sent if event.state in (State.OK, State.INFO)}
    failed = {_content(event) for event in sent if event.state is State.FAIL} - possible
    unexpected = [
        Violation(
            "unexpected write",
            _where(row),
            f"expected nowhere, since the send failed, seen at offset {row.offset}: {_shown(row)}",
        )
        for row in log
        if _content(row) in failed
    ]
    unknown = [
        Violation(
            "unknown record",
            _where(row),
            f"expected nowhere, since nobody sent it, seen at offset {row.offset}: {_shown(row)}",
        )
        for row in log
        if _content(row) not in known
    ]
    return Checked((*lost, *unexpected, *unknown), len(confirmed))


# Polls


def inconsistent_offsets(polls: Iterable[Event]) -> Checked:
    """An offset, polled again by whomever, brings the same key and value.

    Polls of offsets that were polled more than once are what is compared.
    """
    seen: dict[tuple[str, int], list[str]] = defaultdict(list)
    for event, offset in _records_of(polls):
        seen[_where(event), offset].append(_shown(event))
    again = {place: contents for place, contents in seen.items() if len(contents) > 1}
    violations = tuple(
        Violation(
            "inconsistent offset",
            where,
            f"expected one record at offset {offset}, saw {' and '.join(dict.fromkeys(contents))}",
        )
        for (where, offset), contents in again.items()
        if len(set(contents)) > 1
    )
    return Checked(violations, sum(map(len, again.values())))


def nonmonotonic_poll(polls: Iterable[Event]) -> Checked:
    """Within one ownership epoch each polled offset is greater than the one before."""
    rows = ((_ownership(event), offset) for event, offset in _records_of(polls))
    return ascending(rows, name="nonmonotonic poll")


def poll_skip(polls: Iterable[Event], log: Sequence[LogRow]) -> Checked:
    """Within one ownership epoch no record of the log is left out between two polls.

    Gaps in the log itself, from compaction and transaction markers, are fine.
    Neighbouring polls are compared in those partitions of which the log has records.

    Args:
        polls: the polls, in the order made.
        log: what could be polled, read with the isolation level of the polls.
    """
    existing: dict[tuple[str, int], set[int]] = defaultdict(set)
    for row in log:
        existing[row.topic, row.partition].add(row.offset)
    offsets = {place: sorted(numbers) for place, numbers in existing.items()}
    rows = (
        (_ownership(event), offset)
        for event, offset in _records_of(polls)
        if event.place in offsets
    )
    pairs = list(_neighbours(rows))
    violations: list[Violation] = []
    for owner, before, offset in pairs:
        there = offsets[owner.topic, owner.partition]
        skipped = there[bisect_right(there, before) : bisect_left(there, offset)]
        if skipped:
            text = f"expected offset {skipped[0]} after {before}, saw {offset}"
            violations.append(Violation("poll skip", str(owner), text))
    return Checked(tuple(violations), len(pairs))


def _records_of(events: Iterable[Event]) -> Iterator[tuple[Event, int]]:
    """The polls that brought a record, each with the record's offset."""
    for event in events:
        if event.kind is Kind.POLL and event.state is State.OK and event.offset is not None:
            yield event, event.offset


def _ownership(event: Event) -> _Ownership:
    return _Ownership(*event.place, event.actor, event.epoch)


# Words


def _where(item: Event | LogRow) -> str:
    return f"{item.topic}-{item.partition}"


def _content(item: Event | LogRow) -> tuple[str, bytes | None, bytes | None]:
    """What a record is known by, whatever its place: topic, key and value."""
    return item.topic, item.key, item.value


def _shown(item: Event | LogRow) -> str:
    return f"key {item.key!r} with value {item.value!r}"
