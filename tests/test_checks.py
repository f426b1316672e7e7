"""Checkers: each finds its own violation in a bad history, and none in a good one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kafkalab.observe.checks import (
    Checked,
    NothingCompared,
    Violation,
    ascending,
    completeness,
    duplicates_in_log,
    inconsistent_offsets,
    nonmonotonic_poll,
    order_per_key,
    order_per_partition,
    poll_skip,
)
from kafkalab.observe.history import Event, Kind, State


class Row(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def row(
    partition: int,
    offset: int,
    key: bytes | None = b"k",
    value: bytes | None = b"1",
    topic: str = "orders",
) -> Row:
    return Row(topic, partition, offset, key, value)


def sent(
    state: State,
    partition: int,
    offset: int | None,
    key: bytes | None = b"k",
    value: bytes | None = b"1",
) -> Event:
    return Event(Kind.SEND, state, "p", "orders", partition, offset, key, value)


def poll(
    offset: int | None,
    *,
    partition: int = 0,
    actor: str = "a",
    epoch: int = 0,
    value: bytes = b"1",
    state: State = State.OK,
) -> Event:
    return Event(Kind.POLL, state, actor, "orders", partition, offset, b"k", value, epoch)


def log_of(*offsets: int) -> list[Row]:
    """A log of one partition with records at these offsets, each with a value of its own."""
    return [row(0, offset, value=b"%d" % offset) for offset in offsets]


def acknowledging(log: Sequence[Row]) -> list[Event]:
    """The sends that put these records there, all acknowledged."""
    return [sent(State.OK, each.partition, each.offset, each.key, each.value) for each in log]


def per_key(log: Sequence[Row]) -> Checked:
    """Order per key, where the producer wrote its number as the value."""
    return order_per_key(log, lambda each: int(each.value or b""))


def failing(check: Checked) -> list[tuple[str, str]]:
    """Name and place of each violation."""
    return [(violation.name, violation.where) for violation in check.violations]


# Bad histories, by name: what was checked, and the violation's name and place.
BAD: dict[str, tuple[Checked, str, str]] = {
    "a number goes back": (
        ascending([("x", 1), ("y", 1), ("x", 3), ("y", 2), ("x", 2)], name="disorder"),
        "disorder",
        "x",
    ),
    "a number comes twice": (ascending([("x", 1), ("x", 1)], name="disorder"), "disorder", "x"),
    "a step is too wide": (
        ascending([("x", 1), ("x", 2), ("x", 4)], name="gap", step=1),
        "gap",
        "x",
    ),
    "an offset goes back": (
        order_per_partition([row(0, 4), row(1, 7), row(0, 6), row(1, 5)]),
        "disorder in a partition",
        "orders-1",
    ),
    "a key's second record comes first": (
        per_key([row(0, 0, b"a", b"2"), row(0, 1, b"b", b"1"), row(0, 2, b"a", b"1")]),
        "disorder of a key",
        "key b'a' of orders",
    ),
    "a key's record comes twice": (
        per_key([row(0, 0, b"a", b"1"), row(0, 1, b"a", b"1")]),
        "disorder of a key",
        "key b'a' of orders",
    ),
    "a value stands twice in a partition": (
        duplicates_in_log([row(0, 0), row(0, 1)]),
        "duplicate in the log",
        "value b'1' of orders",
    ),
    "a value stands in two partitions": (
        duplicates_in_log([row(0, 0), row(1, 0)]),
        "duplicate in the log",
        "value b'1' of orders",
    ),
    "an offset brings another value": (
        inconsistent_offsets([poll(3, value=b"x"), poll(3, actor="b", value=b"y"), poll(4)]),
        "inconsistent offset",
        "orders-0",
    ),
    "an offset is passed over": (
        poll_skip([poll(0), poll(2)], log_of(0, 1, 2)),
        "poll skip",
        "orders-0 by a in epoch 0",
    ),
    "an offset is polled again": (
        nonmonotonic_poll([poll(0, epoch=2), poll(1, epoch=2), poll(1, epoch=2)]),
        "nonmonotonic poll",
        "orders-0 by a in epoch 2",
    ),
    "polls go back": (
        nonmonotonic_poll([poll(5, actor="b"), poll(3, actor="b")]),
        "nonmonotonic poll",
        "orders-0 by b in epoch 0",
    ),
    "an acknowledged record is gone": (
        completeness([sent(State.OK, 1, 7)], []),
        "lost write",
        "orders-1",
    ),
    "an acknowledged record stands at another offset": (
        completeness([sent(State.OK, 0, 7)], [row(0, 8)]),
        "lost write",
        "orders-0",
    ),
    "an acknowledged record stands in another partition": (
        completeness([sent(State.OK, 0, 7)], [row(1, 7)]),
        "lost write",
        "orders-0",
    ),
    "an acknowledged record lost its key": (
        completeness(
            [sent(State.OK, 0, 7, b"k"), sent(State.INFO, 0, None, None)], [row(0, 7, None)]
        ),
        "lost write",
        "orders-0",
    ),
    "a record acknowledged without an offset is gone": (
        completeness([sent(State.OK, 0, None)], [row(1, 0)]),
        "lost write",
        "orders-0",
    ),
    "a failed send is in the log": (
        completeness(
            [
                sent(State.OK, 0, 0),
                sent(State.INVOKE, 1, None, b"f"),
                sent(State.FAIL, 1, None, b"f"),
            ],
            [row(0, 0), row(1, 0, b"f")],
        ),
        "unexpected write",
        "orders-1",
    ),
    "a record in the log was sent by nobody": (
        completeness([sent(State.OK, 0, 0)], [row(0, 0), row(2, 0, value=b"2")]),
        "unknown record",
        "orders-2",
    ),
}


@pytest.mark.parametrize(("check", "name", "where"), BAD.values(), ids=BAD.keys())
def test_a_bad_history_shows_its_violation(check: Checked, name: str, where: str) -> None:
    """The one thing that is bad is found, named and placed, and nothing else is."""
    assert failing(check) == [(name, where)]


# Good histories, by name: what was checked, and how many items are compared in it.
GOOD: dict[str, tuple[Checked, int]] = {
    "numbers of two groups ascend": (
        ascending([("x", 1), ("y", 0), ("x", 5), ("y", 9)], name="disorder"),
        2,
    ),
    "a number may come twice": (
        ascending([("x", 1), ("x", 1), ("x", 2)], name="disorder", strictly=False),
        2,
    ),
    "steps of ten": (ascending([("x", 0), ("x", 10), ("x", 20)], name="gap", step=10), 2),
    "offsets with a gap": (order_per_partition([row(0, 0), row(1, 0), row(0, 5)]), 1),
    "two topics with the same offsets": (
        order_per_partition([row(0, 0), row(0, 0, topic="other"), row(0, 1)]),
        1,
    ),
    "disorder across keys": (
        per_key([row(0, 0, b"a", b"9"), row(0, 1, b"b", b"1"), row(0, 2, b"b", b"2")]),
        1,
    ),
    "disorder of records without a key": (
        per_key(
            [
                row(0, 0, None, b"2"),
                row(0, 1, None, b"1"),
                row(0, 2, b"a", b"1"),
                row(0, 3, b"a", b"2"),
            ]
        ),
        1,
    ),
    "disorder across topics": (
        per_key(
            [
                row(0, 0, b"a", b"5"),
                row(0, 0, b"a", b"1", topic="other"),
                row(0, 1, b"a", b"6"),
            ]
        ),
        1,
    ),
    "values stand once": (duplicates_in_log(log_of(0, 1, 2)), 3),
    "a record read twice from its offset": (duplicates_in_log([row(0, 0), row(0, 0)]), 1),
    "a value in two topics": (duplicates_in_log([row(0, 0), row(0, 0, topic="other")]), 2),
    "tombstones": (duplicates_in_log([row(0, 0), row(0, 1, value=None), row(0, 2, value=None)]), 1),
    "an offset polled by two members": (
        inconsistent_offsets([poll(3), poll(3, actor="b"), poll(4)]),
        2,
    ),
    "another partition has its own records": (
        inconsistent_offsets([poll(3), poll(3), poll(3, partition=1, value=b"2")]),
        2,
    ),
    "polls of a log with gaps": (poll_skip([poll(0), poll(3), poll(4)], log_of(0, 3, 4)), 2),
    "a skip between two members": (
        poll_skip([poll(0), poll(5, actor="b"), poll(1)], log_of(0, 1, 5)),
        1,
    ),
    "a skip between two epochs": (
        poll_skip([poll(0), poll(5, epoch=1), poll(6, epoch=1)], log_of(0, 1, 5, 6)),
        1,
    ),
    "a poll that goes back skips nothing": (poll_skip([poll(2), poll(0)], log_of(0, 1, 2)), 1),
    "two partitions polled in turn": (
        nonmonotonic_poll([poll(5), poll(0, partition=1), poll(6), poll(1, partition=1)]),
        2,
    ),
    "going back on purpose": (
        nonmonotonic_poll([poll(5), poll(6), poll(5, epoch=1)]),
        1,
    ),
    "acknowledged and there": (completeness(acknowledging(log_of(0, 1)), log_of(0, 1)), 2),
    "acknowledged without an offset and there": (
        completeness([sent(State.OK, 0, None)], [row(0, 9)]),
        1,
    ),
    "failed and not there": (
        completeness([sent(State.OK, 0, 0), sent(State.FAIL, 0, None, b"f")], [row(0, 0)]),
        1,
    ),
    "unknown and there": (
        completeness(
            [sent(State.OK, 0, 0), sent(State.INFO, 0, None, b"u")], [row(0, 0), row(0, 1, b"u")]
        ),
        1,
    ),
    "unknown and not there": (
        completeness([sent(State.OK, 0, 0), sent(State.INFO, 0, None, b"u")], [row(0, 0)]),
        1,
    ),
    "begun, never reported, and there": (
        completeness(
            [sent(State.OK, 0, 0), sent(State.INVOKE, 0, None, b"u")], [row(0, 0), row(0, 1, b"u")]
        ),
        1,
    ),
    "failed, then sent again with unknown outcome": (
        completeness(
            [
                sent(State.OK, 0, 0),
                sent(State.FAIL, 0, None, b"u"),
                sent(State.INFO, 0, None, b"u"),
            ],
            [row(0, 0), row(0, 1, b"u")],
        ),
        1,
    ),
    "failed, then sent again": (
        completeness([sent(State.FAIL, 0, None), sent(State.OK, 0, 3)], [row(0, 3)]),
        1,
    ),
}


@pytest.mark.parametrize(("check", "compared"), GOOD.values(), ids=GOOD.keys())
def test_a_good_history_passes(check: Checked, compared: int) -> None:
    """Nothing is found, and the items that were compared are counted."""
    assert check == Checked((), compared)
    check.require()


# Nothing to compare, by name.
VOID: dict[str, Checked] = {
    "no numbers": ascending([], name="disorder"),
    "one number a group": ascending([("x", 1), ("y", 2)], name="disorder"),
    "no log, per partition": order_per_partition([]),
    "no log, per key": per_key([]),
    "no keys": per_key([row(0, 0, None), row(0, 1, None)]),
    "no log, duplicates": duplicates_in_log([]),
    "no polls, offsets": inconsistent_offsets([]),
    "nothing polled twice": inconsistent_offsets([poll(0), poll(1)]),
    "no polls, skips": poll_skip([], log_of(0, 1)),
    "a log of nothing that was polled": poll_skip([poll(0), poll(1)], [row(0, 0, topic="other")]),
    "no polls, monotony": nonmonotonic_poll([]),
    "no sends": completeness([], []),
    "no send acknowledged": completeness([sent(State.INFO, 0, None)], [row(0, 0)]),
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
    log = [row(0, 5, value=b"x"), row(0, 6, value=b"y")]

    check = completeness([sent(State.OK, 0, 0), sent(State.OK, 0, 1)], log)

    assert len(check.violations) == 4
    assert check.names() == {"lost write", "unknown record"}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (BAD["a number goes back"][0], "expected more than 3 next, saw 2"),
        (BAD["a step is too wide"][0], "expected exactly 1 more than 2 next, saw 4"),
        (
            ascending([("x", 2), ("x", 1)], name="disorder", strictly=False),
            "expected at least 2 next, saw 1",
        ),
        (
            BAD["a value stands in two partitions"][0],
            "expected at one offset, seen at orders-0 offset 0, orders-1 offset 0",
        ),
        (
            BAD["an offset brings another value"][0],
            "expected one record at offset 3, "
            "saw key b'k' with value b'x' and key b'k' with value b'y'",
        ),
        (BAD["an offset is passed over"][0], "expected offset 1 after 0, saw 2"),
        (
            BAD["an acknowledged record is gone"][0],
            "expected at offset 7, as acknowledged, and not there: key b'k' with value b'1'",
        ),
        (
            BAD["a failed send is in the log"][0],
            "expected nowhere, since the send failed, seen at offset 0: key b'f' with value b'1'",
        ),
        (
            BAD["a record in the log was sent by nobody"][0],
            "expected nowhere, since nobody sent it, seen at offset 0: key b'k' with value b'2'",
        ),
    ],
)
def test_a_violation_tells_what_was_expected_and_seen(check: Checked, text: str) -> None:
    """Its text is one line for a reader who did not see the history."""
    assert [violation.text for violation in check.violations] == [text]


@pytest.mark.parametrize(
    "check", [inconsistent_offsets, nonmonotonic_poll, lambda events: poll_skip(events, log_of(7))]
)
def test_only_polls_that_brought_a_record_are_judged(
    check: Callable[[list[Event]], Checked],
) -> None:
    """Of a whole history, sends, commits, failed and empty polls are passed over."""
    commit = Event(Kind.COMMIT, State.OK, "a", "orders", 0, offset=7)
    others = [sent(State.OK, 0, 7), commit, poll(None), poll(7, state=State.FAIL)]

    assert check([*others, poll(7), *others]).compared == 0


def test_only_sends_are_acknowledged() -> None:
    """Of a whole history, completeness judges the sends: a poll sends nothing."""
    assert completeness([poll(3)], [row(0, 3)]).names() == {"unknown record"}


# Properties

groups = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(0, 50), unique=True).map(sorted), min_size=1
)


@st.composite
def interleaved(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Some ascending groups, interleaved in any way."""
    numbers = {group: list(values) for group, values in draw(groups).items()}
    turns = draw(st.permutations([group for group, values in numbers.items() for _ in values]))
    return [(group, numbers[group].pop(0)) for group in turns]


@given(interleaved())
def test_an_interleaving_of_ascending_groups_is_in_order(rows: list[tuple[str, int]]) -> None:
    """However groups take turns, each alone decides; all but the first of each are compared."""
    check = ascending(rows, name="disorder")

    assert check == Checked((), len(rows) - len({group for group, _ in rows}))


@given(st.data(), interleaved())
def test_two_neighbours_that_change_places_are_found(
    data: st.DataObject, rows: list[tuple[str, int]]
) -> None:
    """Wherever its groups take turns, one swap within a group is one violation there."""
    log = [row("abc".index(group), offset) for group, offset in rows]
    at = [[n for n, each in enumerate(log) if each.partition == p] for p in range(3)]
    neighbours = [pair for positions in at for pair in pairwise(positions)]
    assume(neighbours)
    first, second = data.draw(st.sampled_from(neighbours))
    log[first], log[second] = log[second], log[first]

    check = order_per_partition(log)

    assert failing(check) == [("disorder in a partition", f"orders-{log[first].partition}")]


@given(st.data(), st.lists(st.integers(0, 50), unique=True, min_size=1).map(sorted))
def test_any_acknowledged_record_that_goes_is_found(
    data: st.DataObject, offsets: list[int]
) -> None:
    """Removing one record from a complete log is one lost write."""
    log = log_of(*offsets)
    gone = data.draw(st.sampled_from(log))

    check = completeness(acknowledging(log), [each for each in log if each != gone])

    assert completeness(acknowledging(log), log) == Checked((), len(log))
    assert failing(check) == [("lost write", "orders-0")]
    assert f"offset {gone.offset}," in check.violations[0].text


@given(st.data(), st.lists(st.integers(0, 50), unique=True, min_size=3).map(sorted))
def test_any_record_left_out_between_two_polls_is_found(
    data: st.DataObject, offsets: list[int]
) -> None:
    """Whatever gaps a log has, polling all of it skips nothing and leaving out one does."""
    left_out = data.draw(st.sampled_from(offsets[1:-1]))
    polls = [poll(offset) for offset in offsets]

    check = poll_skip([each for each in polls if each.offset != left_out], log_of(*offsets))

    assert poll_skip(polls, log_of(*offsets)) == Checked((), len(offsets) - 1)
    assert failing(check) == [("poll skip", "orders-0 by a in epoch 0")]
    assert f"expected offset {left_out} " in check.violations[0].text
