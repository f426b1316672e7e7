"""Checkers: each finds its own violation in a bad history, and none in a good one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.contracts.partition_log import Checked, LogRecord, NothingCompared, Violation
from kafkalab.observe.checks import (
    Fate,
    activity_on_owned,
    committed_at_most_position,
    duplicate_delivery,
    exact_copy,
    exclusive_ownership,
    fate_of,
)
from kafkalab.observe.history import Event, Kind, State

# What ends a member's time with a partition.
ENDINGS = (Kind.REVOKE, Kind.LOST, Kind.CRASH)


def row(
    partition: int,
    offset: int,
    key: bytes | None = b"k",
    value: bytes | None = b"1",
    topic: str = "orders",
) -> LogRecord:
    return LogRecord(topic, partition, offset, key, value, None)


def poll(
    offset: int | None,
    *,
    partition: int = 0,
    actor: str = "a",
    state: State = State.OK,
) -> Event:
    return Event(Kind.POLL, state, actor, "orders", partition, offset, b"k", b"1")


def commit(offset: int, *, partition: int = 0, actor: str = "a", state: State = State.OK) -> Event:
    return Event(Kind.COMMIT, state, actor, "orders", partition, offset)


def told(kind: Kind, actor: str, *partitions: int, time: float = 0.0) -> list[Event]:
    """What is recorded of one callback, or of a crash."""
    if not partitions:
        return [Event(kind, State.OK, actor, time=time)]
    return [Event(kind, State.OK, actor, "orders", each, time=time) for each in partitions]


def assign(actor: str, *partitions: int, time: float = 0.0) -> list[Event]:
    return told(Kind.ASSIGN, actor, *partitions, time=time)


def revoke(actor: str, *partitions: int, time: float = 0.0) -> list[Event]:
    return told(Kind.REVOKE, actor, *partitions, time=time)


def lose(actor: str, *partitions: int, time: float = 0.0) -> list[Event]:
    return told(Kind.LOST, actor, *partitions, time=time)


def crash(actor: str, time: float = 0.0) -> list[Event]:
    return told(Kind.CRASH, actor, time=time)


def log_of(*offsets: int) -> list[LogRecord]:
    """A log of one partition with records at these offsets, each with a value of its own."""
    return [row(0, offset, value=b"%d" % offset) for offset in offsets]


def copy_of(*values: int, partition: int = 5) -> list[LogRecord]:
    """A copy of one partition, with these values in this order and other keys."""
    return [
        row(partition, offset, b"c", b"%d" % value, topic="copy")
        for offset, value in enumerate(values)
    ]


def failing(check: Checked) -> list[tuple[str, str]]:
    """Name and place of each violation."""
    return [(violation.name, violation.where) for violation in check.violations]


# Bad histories, by name: what was checked, and the violation's name and place.
BAD: dict[str, tuple[Checked, str, str]] = {
    "an offset is polled by two members": (
        duplicate_delivery([poll(3), poll(4), poll(3, actor="b")]),
        "duplicate delivery",
        "orders-0",
    ),
    "an offset is polled twice by one member": (
        duplicate_delivery([poll(3), poll(3, partition=1), poll(3, partition=1)]),
        "duplicate delivery",
        "orders-1",
    ),
    "a partition is assigned to a second member": (
        exclusive_ownership([*assign("a", 0, 1), *revoke("a", 0), *assign("b", 0, 1)]),
        "overlap",
        "orders-1",
    ),
    "a partition is revoked after another got it": (
        exclusive_ownership([*assign("a", 0), *assign("b", 0), *revoke("a", 0)]),
        "overlap",
        "orders-0",
    ),
    "the second owner is fenced, not the first": (
        exclusive_ownership([*assign("a", 0), *assign("b", 0), *lose("b", 0), *revoke("a", 0)]),
        "overlap",
        "orders-0",
    ),
    "an owner gets back what it lost while another has it": (
        exclusive_ownership([*assign("a", 0), *lose("a", 0), *assign("b", 0), *assign("a", 0)]),
        "overlap",
        "orders-0",
    ),
    "another comes and goes before an owner is assigned its own again": (
        exclusive_ownership(
            [*assign("a", 0), *assign("b", 0), *revoke("b", 0), *assign("a", 0), *revoke("a", 0)]
        ),
        "overlap",
        "orders-0",
    ),
    "a revocation of nothing leaves what is owned": (
        exclusive_ownership([*assign("a", 0), *revoke("a"), *assign("b", 0)]),
        "overlap",
        "orders-0",
    ),
    "a crash of another ends nothing": (
        exclusive_ownership([*assign("a", 0), *crash("c"), *assign("b", 0)]),
        "overlap",
        "orders-0",
    ),
    "an overlap is recorded late": (
        exclusive_ownership(
            [*assign("a", 0, time=1), *revoke("a", 0, time=3), *assign("b", 0, time=2)]
        ),
        "overlap",
        "orders-0",
    ),
    "a poll before the assignment": (
        activity_on_owned([poll(0), *assign("a", 0), poll(1)]),
        "activity without ownership",
        "orders-0 by a",
    ),
    "a poll after the revocation": (
        activity_on_owned([*assign("a", 0), poll(0), *revoke("a", 0), poll(1)]),
        "activity without ownership",
        "orders-0 by a",
    ),
    "a commit after the loss": (
        activity_on_owned([*assign("a", 0), poll(0), *lose("a", 0), commit(1)]),
        "activity without ownership",
        "orders-0 by a",
    ),
    "a poll after the crash": (
        activity_on_owned([*assign("a", 0, 1), *crash("a"), poll(0, partition=1)]),
        "activity without ownership",
        "orders-1 by a",
    ),
    "a commit of a partition that another owns": (
        activity_on_owned([*assign("a", 0), *assign("b", 1), commit(1, actor="b")]),
        "activity without ownership",
        "orders-0 by b",
    ),
    "a poll by a member to which nothing was assigned": (
        activity_on_owned([*assign("a"), poll(0)]),
        "activity without ownership",
        "orders-0 by a",
    ),
    "a commit passes over a record": (
        committed_at_most_position([poll(0), poll(1), commit(3)]),
        "commit beyond the position",
        "orders-0 by a",
    ),
    "a commit comes before its poll": (
        committed_at_most_position([poll(0), commit(2), poll(1), commit(2)]),
        "commit beyond the position",
        "orders-0 by a",
    ),
    "a commit of what another polled": (
        committed_at_most_position([poll(0), commit(1, actor="b")]),
        "commit beyond the position",
        "orders-0 by b",
    ),
    "a commit of what was polled of another partition": (
        committed_at_most_position([poll(0), commit(1), commit(1, partition=1)]),
        "commit beyond the position",
        "orders-1 by a",
    ),
    "a value is not copied": (
        exact_copy(log_of(1, 2, 3), copy_of(1, 3)),
        "not copied",
        "orders-0",
    ),
    "a value is copied again": (
        exact_copy(log_of(1, 2, 3), copy_of(1, 2, 3, 1)),
        "copied more than once",
        "value b'1'",
    ),
    "a value comes from nowhere": (
        exact_copy(log_of(1, 2), copy_of(1, 7, 2, 7)),
        "never in the source",
        "value b'7'",
    ),
    "two values of a key change places": (
        exact_copy([*log_of(1, 2, 3), row(0, 4, b"b", b"4")], copy_of(1, 3, 4, 2)),
        "copied out of order",
        "key b'k' of orders",
    ),
}


@pytest.mark.parametrize(("check", "name", "where"), BAD.values(), ids=BAD.keys())
def test_a_bad_history_shows_its_violation(check: Checked, name: str, where: str) -> None:
    """The one thing that is bad is found, named and placed, and nothing else is."""
    assert failing(check) == [(name, where)]


# Good histories, by name: what was checked, and how many items are compared in it.
GOOD: dict[str, tuple[Checked, int]] = {
    "offsets polled once": (
        duplicate_delivery([poll(0), poll(1, actor="b"), poll(0, partition=1)]),
        3,
    ),
    "a partition goes from one to the other": (
        exclusive_ownership(
            [*assign("a", 0, 1), *revoke("a", 1), *assign("b", 1), *assign("c"), *revoke("c")]
        ),
        3,
    ),
    "the same partition of two topics": (
        exclusive_ownership(
            [*assign("a", 0), Event(Kind.ASSIGN, State.OK, "b", "other", partition=0)]
        ),
        2,
    ),
    "a partition is assigned to its owner again": (
        exclusive_ownership([*assign("a", 0), *assign("a", 0), *revoke("a", 0), *assign("b", 0)]),
        3,
    ),
    "a partition comes back": (
        exclusive_ownership(
            [*assign("a", 0), *revoke("a", 0), *assign("b", 0), *revoke("b", 0), *assign("a", 0)]
        ),
        3,
    ),
    "an owner learns late of its loss": (
        exclusive_ownership(
            [*assign("a", 0), *assign("b", 0), *revoke("b", 0), *assign("c", 0), *lose("a", 0)]
        ),
        3,
    ),
    "an owner is killed after it was given up": (
        exclusive_ownership([*assign("a", 0), *assign("b", 0), *crash("a")]),
        2,
    ),
    "a crash ends all that was owned": (
        exclusive_ownership([*assign("a", 0, 1), *crash("a"), *assign("b", 0, 1)]),
        4,
    ),
    "a revocation is recorded late": (
        exclusive_ownership(
            [*assign("a", 0, time=1), *assign("b", 0, time=3), *revoke("a", 0, time=2)]
        ),
        2,
    ),
    "polls and commits of what is owned": (
        activity_on_owned(
            [*assign("a", 0, 1), poll(0), poll(0, partition=1), commit(1), *revoke("a", 0, 1)]
        ),
        3,
    ),
    "polls of what comes back": (
        activity_on_owned(
            [*assign("a", 0), poll(0), *revoke("a", 0), *assign("a", 0), poll(1), *crash("a")]
        ),
        2,
    ),
    "a poll before the owner is assigned its own again": (
        activity_on_owned([*assign("a", 0), poll(0), *assign("a", 0), poll(1), *revoke("a", 0)]),
        2,
    ),
    "a poll by a fenced owner that does not know yet": (
        activity_on_owned([*assign("a", 0), *assign("b", 0), poll(0), *lose("a", 0)]),
        1,
    ),
    "polls by one that is no member": (
        activity_on_owned([poll(0, actor="b"), *assign("a", 0), poll(0), commit(1, actor="b")]),
        1,
    ),
    "activity that failed": (
        activity_on_owned(
            [
                *assign("a", 0),
                poll(0),
                *revoke("a", 0),
                commit(1, state=State.FAIL),
                poll(1, state=State.FAIL),
                poll(None),
            ]
        ),
        1,
    ),
    "commits at and before the position": (
        committed_at_most_position([poll(4), commit(5), commit(3), poll(2), commit(5)]),
        3,
    ),
    "a commit of 0 where nothing was polled": (
        committed_at_most_position([commit(0), poll(0, partition=1)]),
        1,
    ),
    "a commit too far that failed": (
        committed_at_most_position([poll(0), commit(1), commit(9, state=State.FAIL)]),
        1,
    ),
    "a copy with other keys": (exact_copy(log_of(1, 2, 3), copy_of(1, 2, 3)), 3),
    "a copy in the order of each key": (
        exact_copy([row(0, 0, b"a", b"1"), row(0, 1, b"b", b"2")], copy_of(2, 1)),
        2,
    ),
    "a copy of records without a key": (
        exact_copy([row(0, 0, None, b"1"), row(0, 1, None, b"2")], copy_of(2, 1)),
        2,
    ),
}


@pytest.mark.parametrize(("check", "compared"), GOOD.values(), ids=GOOD.keys())
def test_a_good_history_passes(check: Checked, compared: int) -> None:
    """Nothing is found, and the items that were compared are counted."""
    assert check == Checked((), compared)
    check.require()


# Nothing to compare, by name.
VOID: dict[str, Checked] = {
    "no polls, duplicate delivery": duplicate_delivery([]),
    "no assignment": exclusive_ownership([]),
    "an assignment of nothing": exclusive_ownership([*assign("a"), *lose("a"), *crash("a")]),
    "no activity": activity_on_owned([]),
    "no activity of a member": activity_on_owned([*assign("a", 0), poll(0, actor="b")]),
    "no commits": committed_at_most_position([poll(0)]),
    "no history of commits": committed_at_most_position([]),
    "nothing to copy": exact_copy([], []),
}


@pytest.mark.parametrize("check", VOID.values(), ids=VOID.keys())
def test_a_check_of_nothing_does_not_pass(check: Checked) -> None:
    """It raises NothingCompared, which is no AssertionError and so refutes nothing."""
    assert check == Checked((), compared=0)
    with pytest.raises(NothingCompared) as nothing:
        check.require()
    assert not isinstance(nothing.value, AssertionError)


def test_violations_fail_the_expectation() -> None:
    """The first five are listed, and how many there are among how many compared."""
    violations = tuple(Violation("poll skip", f"orders-{n}", "saw it") for n in range(7))

    with pytest.raises(AssertionError) as failed:
        Checked(violations, compared=20).require()

    assert str(failed.value).splitlines() == [
        "violations: 7, compared: 20",
        *[f"poll skip, orders-{n}: saw it" for n in range(5)],
    ]


def test_names_are_told_once() -> None:
    """What kinds of violations there are, however many of each."""
    check = exact_copy(log_of(1, 2), copy_of(8, 9))

    assert len(check.violations) == 4
    assert check.names() == {"not copied", "never in the source"}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (
            duplicate_delivery([poll(3), poll(3, actor="b"), poll(3)]),
            "expected offset 3 once, saw it 3 times: 2 by a, 1 by b",
        ),
        (
            BAD["an overlap is recorded late"][0],
            "expected one owner at a time, "
            "saw a from 1.000 s until 3.000 s and b from 2.000 s until the end",
        ),
        (
            BAD["a commit after the loss"][0],
            "expected none, saw a commit of offset 1 at 0.000 s",
        ),
        (
            BAD["a commit passes over a record"][0],
            "expected at most 2, the next offset after its polls, saw 3",
        ),
        (BAD["a value is not copied"][0], "expected a copy of offset 2, saw none"),
        (
            BAD["a value is copied again"][0],
            "expected once in the copy, seen at copy-5 offset 0, copy-5 offset 3",
        ),
        (
            BAD["a value comes from nowhere"][0],
            "expected nowhere in the copy, seen at copy-5 offset 1, copy-5 offset 3",
        ),
        (BAD["two values of a key change places"][0], "expected b'2' before b'3', saw it after"),
    ],
)
def test_a_violation_tells_what_was_expected_and_seen(check: Checked, text: str) -> None:
    """Its text is one line for a reader who did not see the history."""
    assert [violation.text for violation in check.violations] == [text]


def test_only_polls_that_brought_a_record_deliver() -> None:
    """Of a whole history, commits, failed and empty polls are passed over."""
    others = [commit(7), poll(None), poll(7, state=State.FAIL)]

    assert duplicate_delivery([*others, poll(7), *others]) == Checked((), 1)


def test_each_pair_of_owners_is_an_overlap() -> None:
    """Three at a time are three overlaps, among as many assignments."""
    check = exclusive_ownership([*assign("a", 0), *assign("b", 0), *assign("c", 0)])

    assert failing(check) == [("overlap", "orders-0")] * 3
    assert check.compared == 3


def test_values_of_a_source_must_differ() -> None:
    """Two records with one value cannot be told apart in the copy, so nothing is said of it."""
    with pytest.raises(ValueError, match="stands in the source twice"):
        exact_copy([row(0, 0), row(0, 1)], copy_of(1, 1))


def test_all_that_is_wrong_with_a_copy_is_told() -> None:
    """One copy may be wrong in each way; the source alone is what is compared."""
    check = exact_copy(log_of(1, 2, 3), copy_of(3, 2, 2, 7))

    assert failing(check) == [
        ("not copied", "orders-0"),
        ("copied more than once", "value b'2'"),
        ("never in the source", "value b'7'"),
        ("copied out of order", "key b'k' of orders"),
    ]
    assert check.compared == 3
    assert exact_copy([], copy_of(7)).compared == 0


def test_what_is_not_processed_is_lost_and_what_is_processed_again_is_repeated() -> None:
    """Each repetition counts, and so does one of a value that nobody sent."""
    fate = fate_of([1, 2, 3, 4], [4, 2, 9], [2, 9, 2])

    assert fate == Fate(lost=[1, 3], repeated=[2, 2, 9])


def test_all_that_is_processed_once_is_neither_lost_nor_repeated() -> None:
    """By whomever, and in any order."""
    assert fate_of([1, 2, 3], [3], [], [1, 2]) == Fate([], [])


def test_nothing_is_said_of_records_that_nobody_sent() -> None:
    """To lose none of no records is easy, so it is no proof."""
    with pytest.raises(NothingCompared):
        fate_of([], [1])


# Properties


@st.composite
def handed_on(draw: st.DrawFn) -> list[Event]:
    """One partition that goes from member to member: each polls and commits, then is revoked,
    fenced or killed before the next begins.
    """
    members = draw(st.lists(st.sampled_from("abc"), min_size=2, max_size=6))
    events: list[Event] = []
    for time, (before, member) in enumerate(pairwise(["", *members])):
        if member != before:
            end = draw(st.sampled_from([revoke, lose, lambda actor, _, time: crash(actor, time)]))
            offset = 10 * time
            events += assign(member, 0, time=time + 0.1)
            events += [replace(poll(offset, actor=member), time=time + 0.2)]
            events += [replace(commit(offset + 1, actor=member), time=time + 0.3)]
            events += end(member, 0, time=time + 0.4)
    return events


def positions_of(history: Sequence[Event], *kinds: Kind) -> list[int]:
    return [position for position, event in enumerate(history) if event.kind in kinds]


@given(handed_on())
def test_a_partition_that_is_handed_on_has_one_owner(history: list[Event]) -> None:
    """However it was given up each time, nothing is wrong with what its owners did."""
    owners = len(positions_of(history, Kind.ASSIGN))

    assert exclusive_ownership(history) == Checked((), owners)
    assert activity_on_owned(history) == Checked((), 2 * owners)
    assert committed_at_most_position(history) == Checked((), owners)
    assert duplicate_delivery(history) == Checked((), owners)


@given(st.data(), handed_on())
def test_an_owner_that_never_gives_up_overlaps_with_all_that_follow(
    data: st.DataObject, history: list[Event]
) -> None:
    """Wherever a second owner comes in for good, it has one overlap with each later owner."""
    position = data.draw(st.integers(0, len(history)))
    # Between its neighbours; the clock decides, wherever it is recorded.
    time = history[position - 1].time + 0.05 if position else 0.0
    recorded = data.draw(st.integers(0, len(history)))
    inserted = [*history[:recorded], *assign("z", 0, time=time), *history[recorded:]]
    later = len(positions_of(history[position:], Kind.ASSIGN))
    # Whoever owns it at that moment overlaps too, unless it is fenced afterwards.
    current = [event for event in history[position:] if event.kind in ENDINGS][:1]
    owned = bool(history[:position]) and history[position - 1].kind not in ENDINGS
    overlaps = later + (owned and current[0].kind is Kind.REVOKE)

    check = exclusive_ownership(inserted)

    assert failing(check) == [("overlap", "orders-0")] * overlaps


@given(st.data(), handed_on())
def test_activity_that_comes_too_late_is_found(data: st.DataObject, history: list[Event]) -> None:
    """A poll or commit that is moved behind the end of its owner's time is one violation."""
    moved = data.draw(st.sampled_from(positions_of(history, Kind.POLL, Kind.COMMIT)))
    end = next(at for at in positions_of(history, *ENDINGS) if at > moved)
    late = [*history[:moved], *history[moved + 1 : end + 1], history[moved], *history[end + 1 :]]

    check = activity_on_owned(late)

    assert failing(check) == [("activity without ownership", f"orders-0 by {history[moved].actor}")]


@given(st.data(), st.lists(st.integers(), unique=True, min_size=1))
def test_any_record_that_is_lost_or_repeated_is_found(data: st.DataObject, sent: list[int]) -> None:
    """Wherever one process ended and the next began, one dropped is lost, one more is repeated."""
    one = data.draw(st.sampled_from(sent))
    at = data.draw(st.integers(0, len(sent)))
    before, after = sent[:at], sent[at:]
    left = [[value for value in each if value != one] for each in (before, after)]

    assert fate_of(sent, before, after) == Fate([], [])
    assert fate_of(sent, *left) == Fate([one], [])
    assert fate_of(sent, before, [one], after) == Fate([], [one])


@given(st.data(), st.integers(1, 20))
def test_any_change_to_a_copy_is_found(data: st.DataObject, size: int) -> None:
    """Of one key, every order but the source's is found; so is a drop, and a second copy."""
    values = list(range(size))
    source = log_of(*values)
    order = data.draw(st.permutations(values))
    one = data.draw(st.sampled_from(values))

    shuffled = exact_copy(source, copy_of(*order))
    dropped = exact_copy(source, copy_of(*[value for value in values if value != one]))
    repeated = exact_copy(source, copy_of(*values, one))

    assert exact_copy(source, copy_of(*values)) == Checked((), size)
    assert shuffled.names() == (set() if order == values else {"copied out of order"})
    assert failing(dropped) == [("not copied", "orders-0")]
    assert failing(repeated) == [("copied more than once", f"value b'{one}'")]
