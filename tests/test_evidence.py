"""Evidence is data: whatever a test saw, it comes out as JSON that any reader takes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.learning_log.evidence import (
    LONGEST_TEXT,
    MOST_LINES,
    MOST_POINTS,
    MOST_ROWS,
    MOST_SPANS,
    Evidence,
    by_number,
    plain,
)
from kafkalab.observe.records import DeliveryReport


def through_json(value: object) -> Any:
    """A value as it comes out of a JSON file.

    Strictly JSON, in UTF-8, as the run's record is written: a page's
    JSON.parse and other languages take no NaN and no lone surrogate.
    """
    written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    return json.loads(written)


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


@dataclass
class Partition:
    number: int


class Place(NamedTuple):
    topic: str
    partition: int


class Broken:
    def __str__(self) -> str:
        raise RuntimeError


UNKNOWN = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, "no such topic")


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
        pytest.param(b"\xff\xfe", "0xfffe", id="not UTF-8"),
        pytest.param(b"\x00\x01", r"'\x00\x01'", id="NUL"),
        pytest.param(b"\x1b[31mred", r"'\x1b[31mred'", id="ANSI colour"),
        pytest.param(b"two\nlines", r"'two\nlines'", id="line end"),
    ],
)
def test_bytes_are_text_or_unmistakably_bytes(value: bytes, shown: str) -> None:
    """Readable bytes read as text; binary ones as hexadecimal digits, with no Python in it."""
    assert plain(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param([], "nothing", id="no list"),
        pytest.param({}, "nothing", id="no dict"),
        pytest.param(set(), "nothing", id="no set"),
        pytest.param([1, 2], "1, 2", id="list"),
        pytest.param((b"a", None, True, ""), 'a, none, yes, ""', id="tuple"),
        pytest.param([[3], [1, 2], []], "3; 1, 2; nothing", id="lists in a list"),
        pytest.param({10, 2}, "2, 10", id="set"),
        pytest.param({"a": b"x", 0: []}, "a: x, 0: nothing", id="dict"),
        pytest.param({"a": 1}.keys(), "a", id="keys"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param(Number.ONE, "ONE", id="enum of numbers"),
        pytest.param((Colour.RED, 2), "red, 2", id="enum in a tuple"),
        pytest.param(Partition(3), "number: 3", id="dataclass"),
        pytest.param(Place("t", 3), "topic: t, partition: 3", id="named tuple"),
        pytest.param(KeyError("topic"), "'topic'", id="exception"),
        pytest.param(UNKNOWN, "UNKNOWN_TOPIC_OR_PART: no such topic", id="error"),
        pytest.param(KafkaException(UNKNOWN), "UNKNOWN_TOPIC_OR_PART: no such topic", id="raised"),
        pytest.param([TopicPartition("t", 1)], "t-1", id="partition"),
        pytest.param(TopicPartition("t", 1, 7), "t-1 at offset 7", id="place"),
        pytest.param(Broken(), "a Broken that cannot be shown (RuntimeError)", id="broken"),
    ],
)
def test_any_other_object_is_told_in_words(value: object, shown: str) -> None:
    """No object of a client travels between processes, and a reader needs to know no Python."""
    assert plain(value) == shown


def test_a_list_that_holds_itself_breaks_nothing() -> None:
    """Whatever an observed object does, the test goes on."""
    endless: list[object] = []
    endless.append(endless)

    assert "cannot be shown (RecursionError)" in str(plain(endless))


def test_names_are_in_the_order_of_their_numbers() -> None:
    """As a reader counts: 2 comes before 10, whatever letters stand around it."""
    names = ["p10", "p2", "p1", "q0", "p02", "p" + "9" * 5000, "p"]

    assert sorted(names, key=by_number) == ["p", "p1", "p2", "p02", "p10", names[5], "q0"]


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

    shown = plain(value)

    assert isinstance(shown, str)
    assert shown.endswith("x... (5000 characters)")
    assert len(shown) < LONGEST_TEXT + 30


def test_a_table_takes_objects_and_the_names_of_their_fields() -> None:
    """A test needs no function of its own to make rows."""
    reports = [DeliveryReport(b"k", None, 1, 7, 12, None)]
    evidence = Evidence()

    evidence.table("By name", reports, ("partition", "timestamp_ms"))
    evidence.table("With heads", reports, {"at": "offset", "is null": lambda r: r.value is None})

    by_name, with_heads = evidence.items
    assert (by_name["columns"], by_name["rows"]) == (["partition", "timestamp ms"], [[1, 12]])
    assert (with_heads["columns"], with_heads["rows"]) == (["at", "is null"], [[7, True]])


def test_a_table_has_the_first_rows_columns() -> None:
    """What a later row lacks is none; each cell is plain."""
    evidence = Evidence()

    evidence.table("Records", [{"offset": 0, "value": b"a"}, {"offset": 1}])

    assert evidence.items == [
        {
            "kind": "table",
            "title": "Records",
            "look": "",
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


def test_a_timeline_is_its_spans() -> None:
    """Names are plain, whatever they were; times are seconds."""
    evidence = Evidence()

    spans = [{"row": Partition(3), "start": 0, "end": 0.5, "what": b"\xff"}]
    evidence.timeline("Owners", spans, look="At the gap.")

    assert through_json(evidence.items) == [
        {
            "kind": "timeline",
            "title": "Owners",
            "look": "At the gap.",
            "spans": [{"row": "number: 3", "start": 0.0, "end": 0.5, "what": "0xff"}],
            "left_out": 0,
        }
    ]


@pytest.mark.parametrize(
    "times",
    [
        pytest.param({"start": math.nan, "end": 1}, id="no number"),
        pytest.param({"start": 0, "end": math.inf}, id="infinity"),
        pytest.param({"start": 0, "end": 10**400}, id="huge"),
        pytest.param({"start": 0, "end": None}, id="none"),
        pytest.param({"start": 0}, id="no end"),
        pytest.param({"start": 2, "end": 1}, id="backwards"),
        pytest.param({"start": "early", "end": 1}, id="text"),
    ],
)
def test_a_span_that_cannot_be_drawn_is_left_out_and_told(times: dict[str, Any]) -> None:
    """A test does not fail by its evidence, and nothing is lost in silence."""
    evidence = Evidence()

    evidence.timeline(
        "T", [{"row": "0", "what": "a", **times}, {"row": "0", "start": 0, "end": 1, "what": "b"}]
    )

    (timeline,) = through_json(evidence.items)
    assert [span["what"] for span in timeline["spans"]] == ["b"]
    assert timeline["left_out"] == 1


@pytest.mark.parametrize(("seen", "left_out"), [(0, 0), (MOST_SPANS, 0), (MOST_SPANS + 3, 3)])
def test_a_long_timeline_tells_how_much_it_leaves_out(seen: int, left_out: int) -> None:
    """As a table does."""
    evidence = Evidence()

    evidence.timeline("T", [{"row": 0, "start": n, "end": n, "what": "a"} for n in range(seen)])

    assert len(evidence.items[0]["spans"]) == seen - left_out
    assert evidence.items[0]["left_out"] == left_out


def test_series_are_their_points() -> None:
    """What could not be measured is none; a point without a time is left out and told."""
    evidence = Evidence()

    evidence.series(
        "Lag", {0: [(0, 1), (1, None), (2, math.nan), (3, math.inf), (math.nan, 7)]}, "records"
    )

    assert through_json(evidence.items) == [
        {
            "kind": "series",
            "title": "Lag",
            "look": "",
            "unit": "records",
            "lines": {"0": [[0.0, 1.0], [1.0, None], [2.0, None], [3.0, None]]},
            "lines_left_out": 0,
            "left_out": 1,
        }
    ]


def test_all_times_of_a_test_count_from_its_beginning() -> None:
    """Spans, points and cells are given on the monotonic clock: one zero for all of them."""
    evidence = Evidence(began=100.0)

    evidence.timeline("T", [{"row": 0, "start": 101, "end": 102.5, "what": "a"}])
    evidence.series("S", {0: [(101, 1), (102.5, 2)]})

    timeline, series = evidence.items
    assert [timeline["spans"][0][edge] for edge in ("start", "end")] == [1.0, 2.5]
    assert [time for time, _ in series["lines"]["0"]] == [1.0, 2.5]
    assert evidence.since(101.23456) == 1.235


def test_values_of_a_note_are_in_words() -> None:
    """Braces of a note without values are its own."""
    evidence = Evidence()

    evidence.note("Read: {}, then {}", [], [b"a", b"b"])
    evidence.note("{braces}")

    assert [item["text"] for item in evidence.items] == ["Read: nothing, then a, b", "{braces}"]


@pytest.mark.parametrize("seen", [0, 1, MOST_POINTS, MOST_POINTS + 1, 10_000])
def test_a_long_series_is_thinned_and_says_so(seen: int) -> None:
    """First, last and highest point stay; the others are chosen evenly."""
    evidence = Evidence()
    points = [(n / 10, 120 if n == seen // 3 else n % 7) for n in range(seen)]

    evidence.series("Lag", {"0": points})

    (item,) = through_json(evidence.items)
    kept = [tuple(point) for point in item["lines"]["0"]]
    # The highest may be among the evenly chosen ones.
    assert min(seen, MOST_POINTS - 1) <= len(kept) <= MOST_POINTS
    assert item["left_out"] == seen - len(kept)
    assert kept == sorted(set(kept) & set(points))
    if seen:
        assert {points[0], points[-1], points[seen // 3]} <= set(kept)
    times = [time for time, _ in kept]
    widest = max((b - a for a, b in pairwise(times)), default=0)
    assert widest <= seen / (MOST_POINTS - 2) / 10 + 0.11, "no hole"


def test_a_thinned_series_stays_broken() -> None:
    """A line across a time without measurement would be a lie."""
    evidence = Evidence()
    points = [(n, None if n in (5001, 5002) else 1) for n in range(10_000)]

    evidence.series("Lag", {"0": points, "nothing": [(n, None) for n in range(10_000)]})

    (item,) = through_json(evidence.items)
    assert [point for point in item["lines"]["0"] if point[1] is None] == [[5001, None]]
    assert item["lines"]["nothing"] == []
    assert item["left_out"] == 9_998 - (len(item["lines"]["0"]) - 1)


def test_more_lines_than_can_be_told_apart_are_told() -> None:
    """The first ones are kept."""
    evidence = Evidence()

    evidence.series("Lag", {n: [(0, n)] for n in range(MOST_LINES + 2)})

    assert list(evidence.items[0]["lines"]) == [str(n) for n in range(MOST_LINES)]
    assert evidence.items[0]["lines_left_out"] == 2


def test_pictures_can_be_empty() -> None:
    """That nothing was seen is evidence, too."""
    evidence = Evidence()

    evidence.timeline("T", [])
    evidence.series("S", {})
    evidence.series("S", {"0": []})

    assert [item.get("spans", item.get("lines")) for item in evidence.items] == [[], {}, {"0": []}]


@given(st.text() | st.binary(), st.floats() | st.integers() | st.none())
def test_any_name_and_number_can_be_a_picture(name: str | bytes, number: Any) -> None:
    """Hostile names and impossible times are data, too."""
    evidence = Evidence()

    evidence.timeline(str(name), [{"row": name, "start": number, "end": number, "what": name}])
    evidence.series(str(name), {name: [(0, number), (number, 0)]}, str(name))

    assert through_json(evidence.items) == evidence.items


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

    assert evidence.items[0]["rows"] == [["a"]]


@given(st.text() | st.binary() | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp"])))
def test_any_text_or_bytes_can_be_recorded(value: str | bytes) -> None:
    """Keys and values of records are anything at all."""
    shown = plain(value)

    assert through_json(shown) == shown


@given(st.binary(max_size=LONGEST_TEXT // 8))
def test_bytes_are_never_ambiguous_to_a_terminal(value: bytes) -> None:
    """No control character of a record's bytes reaches a terminal or a page."""
    assert str(plain(value)).isprintable()


# Names of the run


def test_a_name_is_shown_as_it_is_called() -> None:
    """Wherever a name stands: in titles, rows, the words of an error, pictures and notes."""
    evidence = Evidence(began=0.0, names={"run-test-": "topic-"})
    evidence.rename({"run-test-1": "orders", "run-test-1-copy": "copy"})
    error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, "run-test-1-copy is unknown")

    evidence.table(
        "run-test-1", [{"run-test-2": ["run-test-1", "run-test-1-copy"], "error": error}]
    )
    evidence.shares("Records", {"run-test-1": {"run-test-2": 1}})
    evidence.timeline("Owners", [{"row": "run-test-1", "start": 0, "end": 1, "what": "run-test-2"}])
    evidence.series("Lag", {"run-test-1-0": [(0.0, 1)]})
    evidence.note("{} and run-test-3", b"run-test-1")

    table, shares, timeline, series, note = evidence.items
    assert table["title"] == "orders"
    assert table["columns"] == ["topic-2", "error"]
    assert table["rows"] == [["orders, copy", "UNKNOWN_TOPIC_OR_PART: copy is unknown"]]
    assert shares["counts"] == {"orders": {"topic-2": 1}}
    assert (timeline["spans"][0]["row"], timeline["spans"][0]["what"]) == ("orders", "topic-2")
    assert list(series["lines"]) == ["orders-0"]
    assert note["text"] == "orders and topic-3"


def test_a_text_with_long_names_is_cut_as_it_is_shown() -> None:
    """What is readable once the names are short is not cut for the long ones."""
    evidence = Evidence()
    evidence.rename({"long" * 100: "orders"})

    evidence.note("There is no " + "long" * 100)

    assert evidence.items[0]["text"] == "There is no orders"
