"""Checkers: each finds its own violation in a bad history, and none in a good one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kafkalab.contracts.partition_log import Checked, NothingCompared, Violation
from kafkalab.observe.checks import (
    Rebalances,
    aborted_reads,
    activity_on_owned,
    ascending,
    committed_at_most_position,
    completeness,
    duplicate_delivery,
    duplicates_in_log,
    everything_seen,
    exact_copy,
    exclusive_ownership,
    inconsistent_offsets,
    nonmonotonic_poll,
    order_per_key,
    order_per_partition,
    poll_skip,
    rebalances,
    undelivered,
)
from kafkalab.observe.history import Event, Kind, State

# What ends a member's time with a partition.
ENDINGS = (Kind.REVOKE, Kind.LOST, Kind.CRASH)


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
    value: bytes | None = b"1",
    state: State = State.OK,
) -> Event:
    return Event(Kind.POLL, state, actor, "orders", partition, offset, b"k", value, epoch)


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


def log_of(*offsets: int) -> list[Row]:
    """A log of one partition with records at these offsets, each with a value of its own."""
    return [row(0, offset, value=b"%d" % offset) for offset in offsets]


def copy_of(*values: int, partition: int = 5) -> list[Row]:
    """A copy of one partition, with these values in this order and other keys."""
    return [
        row(partition, offset, b"c", b"%d" % value, topic="copy")
        for offset, value in enumerate(values)
    ]


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
    "an offset is polled by two members": (
        duplicate_delivery([poll(3), poll(4), poll(3, actor="b")]),
        "duplicate delivery",
        "orders-0",
    ),
    "an offset is polled twice by one member": (
        duplicate_delivery([poll(3), poll(3, partition=1), poll(3, partition=1, epoch=1)]),
        "duplicate delivery",
        "orders-1",
    ),
    "an acknowledged record is not polled": (
        undelivered(acknowledging(log_of(0, 1, 2)), [poll(0), poll(2, actor="b")]),
        "lost write",
        "orders-0",
    ),
    "an acknowledged record is polled in another partition only": (
        undelivered(acknowledging(log_of(0, 1)), [poll(1), poll(0, partition=1)]),
        "lost write",
        "orders-0",
    ),
    "a record was never polled": (
        everything_seen(log_of(0, 1), [poll(0)]),
        "never seen",
        "orders-0",
    ),
    "a record's offset was polled in another partition only": (
        everything_seen([row(1, 0)], [poll(0)]),
        "never seen",
        "orders-1",
    ),
    "an aborted value is polled": (
        aborted_reads([poll(0), poll(1, value=b"x")], [b"x", b"y"]),
        "aborted read",
        "orders-0",
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
    "offsets polled once": (
        duplicate_delivery([poll(0), poll(1, actor="b"), poll(0, partition=1)]),
        3,
    ),
    "acknowledged and polled": (
        undelivered(acknowledging(log_of(0, 1)), [poll(0), poll(1, actor="b")]),
        2,
    ),
    "acknowledged further on than polled": (
        undelivered(
            [*acknowledging(log_of(0, 1, 2)), sent(State.OK, 1, 0)], [poll(1), poll(0), poll(0)]
        ),
        2,
    ),
    "polled and never acknowledged": (
        undelivered(
            [
                sent(State.OK, 0, 0),
                sent(State.INFO, 0, 1),
                sent(State.FAIL, 0, 2),
                sent(State.OK, 0, None),
            ],
            [poll(0), poll(3)],
        ),
        1,
    ),
    "every record polled by somebody": (
        everything_seen(log_of(0, 4), [poll(4, actor="b"), poll(0), poll(0), poll(9)]),
        2,
    ),
    "none but committed values": (
        aborted_reads([poll(0), poll(1, value=None), poll(2)], [b"x"]),
        2,
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
    "no polls, duplicate delivery": duplicate_delivery([]),
    "no sends, delivery": undelivered([], [poll(0)]),
    "no polls, delivery": undelivered([sent(State.OK, 0, 0)], []),
    "a partition of which nothing was polled": undelivered(
        [sent(State.OK, 0, 0)], [poll(0, partition=1)]
    ),
    "no log, everything": everything_seen([], [poll(0)]),
    "no polls, aborted values": aborted_reads([], [b"x"]),
    "no aborted values": aborted_reads([poll(0)], []),
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
        (
            duplicate_delivery([poll(3), poll(3, actor="b"), poll(3)]),
            "expected offset 3 once, saw it 3 times: 2 by a, 1 by b",
        ),
        (
            BAD["an acknowledged record is not polled"][0],
            "expected a poll of offset 1, as acknowledged, saw none and one of 2: "
            "key b'k' with value b'1'",
        ),
        (BAD["a record was never polled"][0], "expected a poll of 1: key b'k' with value b'1'"),
        (
            BAD["an aborted value is polled"][0],
            "expected nowhere, since it was aborted, polled by a at offset 1: "
            "key b'k' with value b'x'",
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


@pytest.mark.parametrize(
    "check", [inconsistent_offsets, nonmonotonic_poll, lambda events: poll_skip(events, log_of(7))]
)
def test_only_polls_that_brought_a_record_are_judged(
    check: Callable[[list[Event]], Checked],
) -> None:
    """Of a whole history, sends, commits, failed and empty polls are passed over."""
    others = [sent(State.OK, 0, 7), commit(7), poll(None), poll(7, state=State.FAIL)]

    assert check([*others, poll(7), *others]).compared == 0


@pytest.mark.parametrize(
    "check", [duplicate_delivery, lambda events: aborted_reads(events, [b"other"])]
)
def test_one_poll_that_brought_a_record_is_all_that_is_judged(
    check: Callable[[list[Event]], Checked],
) -> None:
    """Of a whole history, sends, commits, failed and empty polls are passed over."""
    others = [sent(State.OK, 0, 7), commit(7), poll(None), poll(7, state=State.FAIL)]

    assert check([*others, poll(7), *others]) == Checked((), 1)


def test_what_was_not_polled_for_certain_is_not_seen() -> None:
    """Commits, sends and failed polls of an offset deliver nothing."""
    others = [sent(State.OK, 0, 0), commit(0), poll(0, state=State.FAIL)]

    assert everything_seen(log_of(0), others).names() == {"never seen"}
    assert undelivered(others, [*others, poll(1)]).names() == {"lost write"}


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


def test_rebalances_are_counted_by_callback() -> None:
    """Not by partition; an assignment or a revocation of nothing is one as well."""
    history = [
        *assign("b", time=1.0),
        *assign("a", 0, 1, 2, time=1.0),
        poll(0),
        *revoke("a", 1, 2, time=2.0),
        *assign("a", time=2.0),
        *assign("b", 1, 2, time=3.0),
        *crash("c", time=4.0),
        *lose("a", 0, time=5.0),
        *lose("a", time=5.5),
        *assign("b", 0, time=6.0),
    ]

    assert rebalances(history) == {
        "a": Rebalances(assigned=2, revoked=1, lost=2),
        "b": Rebalances(assigned=3, revoked=0, lost=0),
    }
    assert rebalances([]) == {}


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


@given(st.data(), st.lists(st.integers(0, 50), unique=True, min_size=2).map(sorted))
def test_any_record_that_is_not_polled_is_found(data: st.DataObject, offsets: list[int]) -> None:
    """In whichever order; an acknowledged one counts as lost unless nothing was polled after."""
    log = log_of(*offsets)
    left_out = data.draw(st.sampled_from(offsets))
    polls = [poll(offset) for offset in data.draw(st.permutations(offsets))]
    partial = [each for each in polls if each.offset != left_out]
    is_last = left_out == offsets[-1]

    assert everything_seen(log, polls) == Checked((), len(log))
    assert failing(everything_seen(log, partial)) == [("never seen", "orders-0")]
    assert undelivered(acknowledging(log), polls) == Checked((), len(log))
    lost = undelivered(acknowledging(log), partial)
    assert failing(lost) == ([] if is_last else [("lost write", "orders-0")])
    assert lost.compared == len(log) - is_last


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
