"""Checkers: pure functions that take what was recorded and return what is wrong with it.

A check of nothing always passes. So each checker says how many items it compared, or
refuses to compare nothing. A checker of events picks out those that it judges, so it
may be given a whole history.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Generic, NamedTuple, TypeVar

from kafkalab.contracts import Place
from kafkalab.contracts.partition_log import Checked, LogRecord, NothingCompared, Violation
from kafkalab.observe.history import Event, Kind, State

Value = TypeVar("Value", bound=Hashable)

# Polls


def duplicate_delivery(polls: Iterable[Event]) -> Checked:
    """No offset of a partition is polled more than once, by one member or several.

    It compares distinct offsets of partitions.

    Args:
        polls: the polls of one group, since each group gets every record.
    """
    pollers: dict[Place, Counter[str]] = defaultdict(Counter)
    for event, offset in _with_offset(polls, Kind.POLL):
        pollers[_where(event), offset][event.actor] += 1
    violations: list[Violation] = []
    for (where, offset), by in pollers.items():
        if by.total() > 1:
            whom = ", ".join(f"{times} by {actor}" for actor, times in by.items())
            text = f"expected offset {offset} once, saw it {by.total()} times: {whom}"
            violations.append(Violation("duplicate delivery", where, text))
    return Checked(tuple(violations), len(pollers))


def _with_offset(events: Iterable[Event], *kinds: Kind) -> Iterator[tuple[Event, int]]:
    """The successful events of these kinds that have an offset, each with its offset."""
    for event in events:
        if event.kind in kinds and event.state is State.OK and event.offset is not None:
            yield event, event.offset


# Ownership


class Span(NamedTuple):
    """A member's time with a partition."""

    begin: int
    """the position of the assignment in the history"""
    end: int
    """the position of the event that ended it; the history's length if none did"""
    assigned: Event
    ended: Event | None

    @property
    def fenced(self) -> bool:
        """Whether the group may have ended it before the member knew."""
        return self.ended is not None and self.ended.kind in (Kind.LOST, Kind.CRASH)

    def __str__(self) -> str:
        until = f"{self.ended.time:.3f} s" if self.ended else "the end"
        return f"{self.assigned.actor} from {self.assigned.time:.3f} s until {until}"


def spans(history: Sequence[Event]) -> list[Span]:
    """Which member owned which partition, and when, in the order of the assignments.

    A partition that is assigned to its owner again goes on with the same span.
    """
    begun: dict[tuple[str, str], int] = {}
    found: list[Span] = []
    for position, event in enumerate(history):
        if event.kind is Kind.ASSIGN and event.partition is not None:
            begun.setdefault((event.actor, _where(event)), position)
        elif event.kind in (Kind.REVOKE, Kind.LOST, Kind.CRASH):
            for actor, where in list(begun):
                # A crash names no partition: it ends all that its actor owned.
                if actor == event.actor and (event.kind is Kind.CRASH or where == _where(event)):
                    begin = begun.pop((actor, where))
                    found.append(Span(begin, position, history[begin], event))
    found += [Span(begin, len(history), history[begin], None) for begin in begun.values()]
    return sorted(found, key=lambda span: span.begin)


def exclusive_ownership(events: Iterable[Event]) -> Checked:
    """No two members of a group own a partition at the same time.

    A member owns it from its assignment until it is revoked or lost, or the member
    crashes, or until the end. A fenced member may believe that it owns a partition for a
    while after the group gave it to another. So a span that ends with a loss or a crash may
    overlap later ones. Judge, therefore, before a test kills members that it needs no
    longer, and after hanging members have got their on_lost. It compares assigned
    partitions.
    """
    # By time: events of other processes are recorded late.
    history = sorted(events, key=lambda event: event.time)
    owners: dict[str, list[Span]] = defaultdict(list)
    for span in spans(history):
        owners[_where(span.assigned)].append(span)
    violations = tuple(
        Violation("overlap", where, f"expected one owner at a time, saw {first} and {second}")
        for where, theirs in owners.items()
        for first, second in combinations(theirs, 2)
        if second.begin < first.end and not first.fenced
    )
    assigned = [e for e in history if e.kind is Kind.ASSIGN and e.partition is not None]
    return Checked(violations, len(assigned))


def activity_on_owned(events: Iterable[Event]) -> Checked:
    """Members poll and commit only what they own at that time, in the order recorded.

    It compares polls of records and successful commits of those actors that had an
    on_assign, even an empty one; others chose their partitions themselves.
    """
    history = list(events)
    members = {event.actor for event in history if event.kind is Kind.ASSIGN}
    owned: dict[str, list[Span]] = defaultdict(list)
    for span in spans(history):
        owned[_by(span.assigned)].append(span)
    acts = [
        (position, event)
        for position, event in enumerate(history)
        if event.actor in members and any(_with_offset([event], Kind.POLL, Kind.COMMIT))
    ]
    violations = tuple(
        Violation(
            "activity without ownership",
            _by(event),
            f"expected none, saw a {event.kind} of offset {event.offset} at {event.time:.3f} s",
        )
        for position, event in acts
        if not any(span.begin < position < span.end for span in owned[_by(event)])
    )
    return Checked(violations, len(acts))


def committed_at_most_position(events: Iterable[Event]) -> Checked:
    """A commit is at most the next offset after all that its actor polled in the partition.

    It may be lower, and an actor that polled nothing of a partition may commit 0. It
    compares successful commits. Do not use it for topics with transactions: clients commit
    the offset after a transaction's marker, which they never poll (librdkafka #2539).
    """
    following: dict[str, int] = {}
    violations: list[Violation] = []
    commits = 0
    for event, offset in _with_offset(events, Kind.POLL, Kind.COMMIT):
        position = following.get(_by(event), 0)
        if event.kind is Kind.POLL:
            following[_by(event)] = max(position, offset + 1)
            continue
        commits += 1
        if offset > position:
            text = f"expected at most {position}, the next offset after its polls, saw {offset}"
            violations.append(Violation("commit beyond the position", _by(event), text))
    return Checked(tuple(violations), commits)


# Copies


def exact_copy(source: Sequence[LogRecord], copy: Sequence[LogRecord]) -> Checked:
    """The values of the copy are those of the source, each once and in the order of its key.

    - not copied: a value of the source is not in the copy.
    - copied more than once: a value of the source is in the copy again.
    - never in the source: a value is in the copy and not in the source.
    - copied out of order: of two values with one key in the source, the later one comes
      first in the copy. A value's first place there counts. Records without a key have no
      order.

    It compares the rows of the source by value: topics, partitions and keys of the copy may
    differ.

    Args:
        source: records in the order read, each with a different value.
        copy: records in the order read.

    Raises:
        ValueError: a value stands in the source twice, so copies cannot be told apart.
    """
    positions = {row.value: position for position, row in enumerate(source)}
    if len(positions) < len(source):
        raise ValueError("a value stands in the source twice")
    copies: dict[bytes | None, list[str]] = defaultdict(list)
    for row in copy:
        copies[row.value].append(f"{_where(row)} offset {row.offset}")
    violations = [
        Violation("not copied", _where(row), f"expected a copy of offset {row.offset}, saw none")
        for row in source
        if row.value not in copies
    ]
    for value, places in copies.items():
        where, at = f"value {value!r}", ", ".join(places)
        if value not in positions:
            text = f"expected nowhere in the copy, seen at {at}"
            violations.append(Violation("never in the source", where, text))
        elif len(places) > 1:
            text = f"expected once in the copy, seen at {at}"
            violations.append(Violation("copied more than once", where, text))
    copied = [source[positions[value]] for value in copies if value in positions]
    keyed = [row for row in copied if row.key is not None]
    rows = ((f"key {row.key!r} of {row.topic}", positions[row.value]) for row in keyed)
    latest: dict[str, int] = {}
    for where, position in rows:
        before = latest.get(where, position)
        latest[where] = position
        if position < before:
            first, second = source[position].value, source[before].value
            text = f"expected {first!r} before {second!r}, saw it after"
            violations.append(Violation("copied out of order", where, text))
    return Checked(tuple(violations), len(source))


# Loss and repetition


class Fate(NamedTuple, Generic[Value]):
    """What became of the records that were sent."""

    lost: list[Value]
    """never processed, in the order sent"""
    repeated: list[Value]
    """processed again: each value once for each repetition, in the order first processed"""

    @property
    def row(self) -> dict[str, object]:
        """As a row of evidence."""
        return {"records lost": self.lost, "records repeated": self.repeated}


def fate_of(sent: Sequence[Value], *processed: Iterable[Value]) -> Fate[Value]:
    """What was lost or repeated of records that have different values.

    Args:
        sent: their values.
        processed: the values that were processed, in order; one list for each processor.

    Raises:
        NothingCompared: nothing was sent.
    """
    if not sent:
        raise NothingCompared("nothing was sent, so nothing can be lost")
    times = Counter(value for each in processed for value in each)
    return Fate(
        lost=[value for value in sent if value not in times],
        repeated=list((times - Counter(set(times))).elements()),
    )


# Words


def _where(item: Event | LogRecord) -> str:
    return f"{item.topic}-{item.partition}"


def _by(event: Event) -> str:
    return f"{_where(event)} by {event.actor}"
