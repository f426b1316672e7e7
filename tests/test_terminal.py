"""Reasons as they are told to people who read no Python."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError

from kafkalab.learning_log.comparison import MOST_OF_A_SIDE, Comparison
from kafkalab.learning_log.wording import why

LONG = "x" * 1000


@pytest.mark.parametrize(
    ("op", "sides", "told"),
    [
        ("==", (1, 2), ["seen:     1", "expected: 2"]),
        ("!=", ("a", "a"), ["seen:     'a'", "expected: anything but 'a'"]),
        ("<=", (5, 3), ["seen:     5", "expected: at most 3"]),
        ("in", ("a", ["b"]), ["seen:     ['b']", "expected: 'a' in it"]),
        (
            "<=",
            ({"a", "b"}, {"b"}),
            ["seen:     {'b'}", "expected: all of {'a', 'b'}", "differs:  'a' is missing"],
        ),
        (
            "==",
            ({"b", "c"}, {"a", "b"}),
            [
                "seen:     {'b', 'c'}",
                "expected: {'a', 'b'}",
                "differs:  'a' is missing",
                "differs:  'c' is too much",
            ],
        ),
        (
            "==",
            ({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}),
            [
                "seen:     {'a': 1, 'b': 2}",
                "expected: {'a': 1, 'b': 3, 'c': 4}",
                "differs:  at 'b': seen 2, expected 3",
                "differs:  at 'c': 4 is missing",
            ],
        ),
        (
            "==",
            ([1, 2, 3], [1]),
            [
                "seen:     [1, 2, 3]",
                "expected: [1]",
                "differs:  2 is too much",
                "differs:  3 is too much",
            ],
        ),
        (
            "in",
            ("ended", ("failed", "stopped")),
            ["seen:     'ended'", "expected: 'failed' or 'stopped'"],
        ),
    ],
    ids=["values", "not equal", "at most", "in", "subset", "sets", "mappings", "lists", "allowed"],
)
def test_a_comparison_tells_both_sides(op: str, sides: tuple[Any, Any], told: list[str]) -> None:
    """What was seen, what was expected, and each item that differs, with its value."""
    assert Comparison(op, *sides).told()[1:] == told


def test_an_error_of_the_client_is_told_beside_none() -> None:
    """confluent-kafka fails when its error is compared with None by ==: it is not."""
    error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)

    *_, differs = Comparison("==", [error], [None]).told()

    assert differs.startswith("differs:  at 0: seen KafkaError{code=")
    assert differs.endswith(", expected None")


def test_long_sides_show_where_they_differ() -> None:
    """Two sides with the same start and end are cut to the part that differs, in each."""
    _, seen, expected = Comparison("==", f"{LONG}a{LONG}", f"{LONG}b{LONG}").told()

    assert "xax" in seen
    assert "xbx" in expected
    assert len(seen) < MOST_OF_A_SIDE + 20


def test_many_differences_are_counted() -> None:
    """The first three are told, and how many more there are."""
    *_, last = Comparison("==", [1] * 9, [2] * 9).told()

    assert last == "differs:  at 2: seen 1, expected 2; and 6 more"


class Silent:
    """A learner's class whose repr fails."""

    def __repr__(self) -> str:
        raise LookupError("no repr")


def test_a_value_without_a_repr_is_told_by_its_type() -> None:
    """What a learner's class does in its repr does not hide the comparison."""
    _, seen, expected = Comparison("==", Silent(), None).told()

    assert seen == "seen:     a Silent whose repr raises LookupError"
    assert expected == "expected: None"


def test_the_runs_names_are_replaced_before_a_text_is_cut() -> None:
    """A topic's name in a run is as long as half a line."""
    _, seen, _ = Comparison("==", LONG, "b", lambda text: text.replace(LONG, "topic-1")).told()

    assert seen == "seen:     'topic-1'"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("It is.\nassert seen == expected\n  seen:     1\n  expected: 2\n  ", ["1", "2"]),
        ("It is.\nassert False\n +  where False = all(<generator object f>)", []),
        ("It is.\nassert not True\n +  where True = any(<generator object f>)", []),
        ("It is.\nassert True == False", []),
        ("It is.\nassert not ['a']", ["['a']", "nothing"]),
        (
            "It is.\nassert False\n +  where False = isinstance(OSError('a, b'), KafkaException)",
            ["OSError('a, b')", "a KafkaException"],
        ),
    ],
    ids=["comparison", "all", "any", "truth values", "not empty", "type"],
)
def test_a_reason_tells_what_was_seen_or_nothing(reason: str, told: list[str]) -> None:
    """A bare truth value says nothing, and is left out; a value that is not empty is shown."""
    first, *rest = why(reason)

    assert first == "expected: It is."
    assert [line.partition(":")[2].strip() for line in rest] == told
