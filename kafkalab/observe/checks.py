"""Checkers: pure functions from what was recorded to the violations that it shows.

Each says how many items it compared, since a check of nothing passes easily. A
checker of events picks out those that it judges, so it may be given a whole
history.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol, TypeVar

from kafkalab.contracts import Place
from kafkalab.contracts.partition_log import Checked, Violation
from kafkalab.observe.history import Event, Kind, State


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
    seen: dict[Place, list[str]] = defaultdict(list)
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
    existing: dict[Place, set[int]] = defaultdict(set)
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


def duplicate_delivery(polls: Iterable[Event]) -> Checked:
    """No offset of a partition is polled more than once, by whomever.

    Distinct offsets of partitions are what is compared.

    Args:
        polls: the polls of one group, since each group gets every record.
    """
    pollers: dict[Place, Counter[str]] = defaultdict(Counter)
    for event, offset in _records_of(polls):
        pollers[_where(event), offset][event.actor] += 1
    violations: list[Violation] = []
    for (where, offset), by in pollers.items():
        if by.total() > 1:
            whom = ", ".join(f"{times} by {actor}" for actor, times in by.items())
            text = f"expected offset {offset} once, saw it {by.total()} times: {whom}"
            violations.append(Violation("duplicate delivery", where, text))
    return Checked(tuple(violations), len(pollers))


def undelivered(sends: Iterable[Event], polls: Iterable[Event]) -> Checked:
    """Whatever was acknowledged is polled, up to the last offset polled of its partition.

    Those sends are what is compared; what stands further on may still be polled. Only for
    topics that are read from the beginning, and from which nothing was removed meanwhile.

    Args:
        sends: the sends, in any state; if the polls pass over aborted transactions,
            without theirs.
        polls: the polls, of whichever members.
    """
    seen = _seen(polls)
    last: dict[str, int] = {}
    for where, offset in seen:
        last[where] = max(offset, last.get(where, offset))
    due = [
        (event, offset)
        for event, offset in _with_offset(sends, Kind.SEND)
        if offset <= last.get(_where(event), -1)
    ]
    violations = tuple(
        Violation(
            "lost write",
            _where(event),
            f"expected a poll of offset {offset}, as acknowledged, "
            f"saw none and one of {last[_where(event)]}: {_shown(event)}",
        )
        for event, offset in due
        if (_where(event), offset) not in seen
    )
    return Checked(violations, len(due))


def everything_seen(log: Sequence[LogRow], polls: Iterable[Event]) -> Checked:
    """Every record of the log is polled by somebody; for use once all had time to be.

    The records of the log are what is compared.

    Args:
        log: what could be polled, read with the isolation level of the polls.
        polls: the polls, of whichever members, up to the end of a final drain.
    """
    seen = _seen(polls)
    violations = tuple(
        Violation("never seen", _where(row), f"expected a poll of {row.offset}: {_shown(row)}")
        for row in log
        if (_where(row), row.offset) not in seen
    )
    return Checked(violations, len(log))


def aborted_reads(polls: Iterable[Event], aborted: Collection[bytes]) -> Checked:
    """No poll brings a value that was written only in aborted transactions: one of `aborted`.

    Polls with a value are what is compared; none, where nothing was aborted, since
    nothing could have been caught.
    """
    unwanted = frozenset(aborted)
    valued = [event for event, _ in _records_of(polls) if unwanted and event.value is not None]
    violations = tuple(
        Violation(
            "aborted read",
            _where(event),
            "expected nowhere, since it was aborted, "
            f"polled by {event.actor} at offset {event.offset}: {_shown(event)}",
        )
        for event in valued
        if event.value in unwanted
    )
    return Checked(violations, len(valued))


def _seen(polls: Iterable[Event]) -> set[Place]:
    """Partitions and offsets that were polled."""
    return {(_where(event), offset) for event, offset in _records_of(polls)}


def _records_of(events: Iterable[Event]) -> Iterator[tuple[Event, int]]:
    """The polls that brought a record, each with the record's offset."""
    return _with_offset(events, Kind.POLL)


def _with_offset(events: Iterable[Event], *kinds: Kind) -> Iterator[tuple[Event, int]]:
    """What came about of these kinds and has an offset, each with its offset."""
    for event in events:
        if event.kind in kinds and event.state is State.OK and event.offset is not None:
            yield event, event.offset


def _ownership(event: Event) -> _Ownership:
    return _Ownership(*event.place, event.actor, event.epoch)


# Ownership


class _Span(NamedTuple):
    """A member's time with a partition."""

    begin: int
    """the position of the assignment in the history"""
    end: int
    """the position of what ended it; that behind the last event, if nothing did"""
    assigned: Event
    ended: Event | None

    @property
    def fenced(self) -> bool:
        """Whether the group may have ended it before the member knew."""
        return self.ended is not None and self.ended.kind in (Kind.LOST, Kind.CRASH)

    def __str__(self) -> str:
        until = f"{self.ended.time:.3f} s" if self.ended else "the end"
        return f"{self.assigned.actor} from {self.assigned.time:.3f} s until {until}"


def _spans(history: Sequence[Event]) -> Iterator[_Span]:
    """Who owned which partition when; one that is assigned to its owner again stays its own."""
    begun: dict[tuple[str, str], int] = {}
    for position, event in enumerate(history):
        if event.kind is Kind.ASSIGN and event.partition is not None:
            begun.setdefault((event.actor, _where(event)), position)
        elif event.kind in (Kind.REVOKE, Kind.LOST, Kind.CRASH):
            for actor, where in list(begun):
                # A crash names no partition: it ends all that its actor owned.
                if actor == event.actor and (event.kind is Kind.CRASH or where == _where(event)):
                    begin = begun.pop((actor, where))
                    yield _Span(begin, position, history[begin], event)
    for begin in begun.values():
        yield _Span(begin, len(history), history[begin], None)


def exclusive_ownership(events: Iterable[Event]) -> Checked:
    """No two members of a group own a partition at the same time.

    A member owns it from its assignment until it is revoked or lost, or the member
    crashes, or else until the end. One that was fenced may believe in its partition for
    a while after the group gave it to another: what ends with a loss or a crash may reach
    into what began later. So judge before members are killed for being no longer needed,
    and after those that hang have heard of their loss. Assigned partitions are what is
    compared.
    """
    # By the clock: what happened in other processes is recorded late.
    history = sorted(events, key=lambda event: event.time)
    owners: dict[str, list[_Span]] = defaultdict(list)
    for span in sorted(_spans(history), key=lambda span: span.begin):
        owners[_where(span.assigned)].append(span)
    violations = tuple(
        Violation("overlap", where, f"expected one owner at a time, saw {first} and {second}")
        for where, spans in owners.items()
        for first, second in combinations(spans, 2)
        if second.begin < first.end and not first.fenced
    )
    assigned = [e for e in history if e.kind is Kind.ASSIGN and e.partition is not None]
    return Checked(violations, len(assigned))


def activity_on_owned(events: Iterable[Event]) -> Checked:
    """Members poll and commit what they own at that moment, in the order recorded.

    Polls of records and successful commits are what is compared, of those actors that were
    ever assigned something, or nothing; others chose their partitions themselves.
    """
    history = list(events)
    members = {event.actor for event in history if event.kind is Kind.ASSIGN}
    owned: dict[str, list[_Span]] = defaultdict(list)
    for span in _spans(history):
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
    """A commit goes no further than to the next offset after all that its actor polled there.

    It may stay behind, and who polled nothing of a partition may commit 0. Successful
    commits are what is compared. Not for topics with transactions: clients commit the
    offset after a transaction's marker, which nobody polls (librdkafka #2539).
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


@dataclass(frozen=True)
class Rebalances:
    """How often a member was told of a change: callbacks are counted, not partitions."""

    assigned: int
    revoked: int
    lost: int


def rebalances(events: Iterable[Event]) -> dict[str, Rebalances]:
    """How often each member was assigned, revoked and lost partitions, or none.

    What happened to a member at the same time belongs to one callback. Members to which
    nothing of this happened are left out.
    """
    told = (Kind.ASSIGN, Kind.REVOKE, Kind.LOST)
    callbacks = {(event.actor, event.kind, event.time) for event in events if event.kind in told}
    often = Counter((actor, kind) for actor, kind, _ in callbacks)
    return {
        member: Rebalances(*(often[member, kind] for kind in told))
        for member in sorted({actor for actor, _ in often})
    }


# Copies


def exact_copy(source: Sequence[LogRow], copy: Sequence[LogRow]) -> Checked:
    """The values of the copy are those of the source, each once and in the order of its key.

    - not copied: a value of the source is not in the copy.
    - copied more than once: a value of the source is in the copy again.
    - never in the source: a value is in the copy and not in the source.
    - copied out of order: of two values with one key in the source, the later one comes
      first in the copy. A value's first place there counts; no key, no order.

    Rows of the source are what is compared, by value: topics, partitions and keys of the
    copy may be others.

    Args:
        source: records in the order read, each with a value of its own.
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
    for where, before, position in _neighbours(rows):
        if position < before:
            first, second = source[position].value, source[before].value
            text = f"expected {first!r} before {second!r}, saw it after"
            violations.append(Violation("copied out of order", where, text))
    return Checked(tuple(violations), len(source))


# Words


def _where(item: Event | LogRow) -> str:
    return f"{item.topic}-{item.partition}"


def _by(event: Event) -> str:
    return f"{_where(event)} by {event.actor}"


def _content(item: Event | LogRow) -> tuple[str, bytes | None, bytes | None]:
    """What a record is known by, whatever its place: topic, key and value."""
    return item.topic, item.key, item.value


def _shown(item: Event | LogRow) -> str:
    return f"key {item.key!r} with value {item.value!r}"
