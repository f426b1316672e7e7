"""Evidence is data: whatever a test saw, it comes out as JSON that any reader takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.learning_log.evidence import LONGEST_TEXT, MOST_ROWS, Evidence, plain


def through_json(value: object) -> Any:
    """A value as it comes out of a JSON file.

    Strictly JSON, in UTF-8, as the run's record is written: a page's
    JSON.parse and other languages take no NaN and no lone surrogate.
    """
    written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    return json.loads(written)


class Colour(Enum):
    RED = "red"


@dataclass
class Partition:
    number: int


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -1, 2**63, 0.5, "", "text", "Schlüssel", "日本語 🙂"],
    ids=repr,
)
def test_what_json_knows_stays_as_it_is(value: object) -> None:
    """Numbers stay numbers, so that a page can right-align and a later view can count."""
    assert plain(value) == value
    assert type(plain(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(b"key-1", "key-1", id="ASCII"),
        pytest.param("Schlüssel".encode(), "Schlüssel", id="UTF-8"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\xff\xfe", r"b'\xff\xfe'", id="not UTF-8"),
        pytest.param(b"\x00\x01", r"b'\x00\x01'", id="NUL"),
        pytest.param(b"\x1b[31mred", r"b'\x1b[31mred'", id="ANSI colour"),
        pytest.param(b"two\nlines", r"b'two\nlines'", id="line end"),
    ],
)
def test_bytes_are_text_or_unmistakably_bytes(value: bytes, shown: str) -> None:
    """Readable bytes read as text; binary ones as Python writes them."""
    assert plain(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param([1, 2], "[1, 2]", id="list"),
        pytest.param({"a": b"x"}, "{'a': b'x'}", id="dict"),
        pytest.param(Colour.RED, "Colour.RED", id="enum"),
        pytest.param(Partition(3), "Partition(number=3)", id="dataclass"),
        pytest.param(KeyError("topic"), "'topic'", id="exception"),
    ],
)
def test_any_other_object_is_its_text(value: object, shown: str) -> None:
    """No object of a client travels between processes."""
    assert plain(value) == shown


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("\x00", id="NUL"),
        pytest.param("\x1b[31mred", id="ANSI colour"),
        pytest.param("<script>", id="markup"),
        pytest.param("\u2028", id="line separator"),
        pytest.param(b"\xff" * 10_000, id="many bytes"),
        pytest.param("x" * 1_000_000, id="huge text"),
        pytest.param(2**64, id="big number"),
        pytest.param(10**5000, id="a number of 5000 digits"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("name\udcff", id="undecodable file name"),
    ],
)
def test_nothing_that_a_test_saw_breaks_the_record(value: object) -> None:
    """Whatever stands in a record or an answer, the evidence can be written and read."""
    evidence = Evidence()

    evidence.table("Seen", [{"value": value}])

    (table,) = through_json(evidence.items)
    assert table["rows"] == [[plain(value)]]


@pytest.mark.parametrize("length", [0, 1, LONGEST_TEXT], ids=["empty", "one", "the longest"])
def test_text_up_to_the_longest_is_whole(length: int) -> None:
    """What fits is not touched."""
    assert plain("x" * length) == "x" * length


def test_text_beyond_the_longest_is_cut() -> None:
    """One character more, and the text is cut."""
    shown = plain("x" * (LONGEST_TEXT + 1))

    assert shown == "x" * LONGEST_TEXT + f"... ({LONGEST_TEXT + 1} characters)"


@pytest.mark.parametrize(
    "make", [str, lambda text: text.encode(), lambda text: [text]], ids=["text", "bytes", "object"]
)
def test_long_text_is_cut_with_a_word(make: Any) -> None:
    """A cut text says that it was cut, and how long it was."""
    value = make("x" * 5000)
    whole = len(value if isinstance(value, str | bytes) else str(value))

    shown = plain(value)

    assert isinstance(shown, str)
    assert shown.endswith(f"x... ({whole} characters)")
    assert len(shown) < LONGEST_TEXT + 30


def test_a_table_has_the_first_rows_columns() -> None:
    """What a later row lacks is none; each cell is plain."""
    evidence = Evidence()

    evidence.table("Records", [{"offset": 0, "value": b"a"}, {"offset": 1}])

    assert evidence.items == [
        {
            "kind": "table",
            "title": "Records",
            "columns": ["offset", "value"],
            "rows": [[0, "a"], [1, None]],
            "left_out": 0,
        }
    ]


def test_a_table_without_rows_is_a_table() -> None:
    """That nothing was seen is evidence, too."""
    evidence = Evidence()

    evidence.table("Records", [])

    assert evidence.items[0]["columns"] == []
    assert evidence.items[0]["rows"] == []


@pytest.mark.parametrize(
    ("seen", "left_out"), [(MOST_ROWS, 0), (MOST_ROWS + 1, 1), (10_000, 10_000 - MOST_ROWS)]
)
def test_a_long_table_tells_how_much_it_leaves_out(seen: int, left_out: int) -> None:
    """A page stays small enough to open, and says that it is not all."""
    evidence = Evidence()

    evidence.table("Records", [{"offset": offset} for offset in range(seen)])

    assert len(evidence.items[0]["rows"]) == MOST_ROWS
    assert evidence.items[0]["left_out"] == left_out


def test_evidence_stands_in_the_order_of_its_recording() -> None:
    """A reader follows the test: table, number, note."""
    evidence = Evidence()

    evidence.table("Records", [{"offset": 0}])
    evidence.number("rebalance", 0.25, "s")
    evidence.note("The broker's answer: no")

    assert [item["kind"] for item in evidence.items] == ["table", "number", "note"]
    assert evidence.items[1] == {"kind": "number", "name": "rebalance", "value": 0.25, "unit": "s"}
    assert evidence.items[2] == {"kind": "note", "text": "The broker's answer: no"}


def test_evidence_is_what_was_seen_then() -> None:
    """A later change of the rows does not change what was recorded."""
    evidence = Evidence()
    rows = [{"members": ["a"]}]

    evidence.table("Group", rows)
    rows[0]["members"].append("b")

    assert evidence.items[0]["rows"] == [["['a']"]]


@given(st.text() | st.binary() | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp"])))
def test_any_text_or_bytes_can_be_recorded(value: str | bytes) -> None:
    """Keys and values of records are anything at all."""
    shown = plain(value)

    assert through_json(shown) == shown


@given(st.binary(max_size=LONGEST_TEXT // 8))
def test_bytes_are_never_ambiguous_to_a_terminal(value: bytes) -> None:
    """No control character of a record's bytes reaches a terminal or a page."""
    assert str(plain(value)).isprintable()
