"""Pictures show what they are given, and break nothing."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from kafkalab.learning_log.alike import as_drawn, colours_of
from kafkalab.learning_log.evidence import Evidence
from kafkalab.learning_log.evidence_html import evidence_html
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.plots import COLOURS, LONGEST_TOLD, STROKES, series, shares, timeline

NAMES = ["<script>", "$x^2$", "a & b", "東京", "🦊", "_hidden", "]]>"]


def texts(picture: str) -> list[str]:
    """All texts of a picture; it must be well-formed to be read at all."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]


def span(row: str, start: float, end: float, what: str) -> dict[str, Any]:
    return {"row": row, "start": start, "end": end, "what": what}


def bars(picture: str) -> list[tuple[float, float, float, float]]:
    """The coloured bars of a timeline: left, right, top, bottom."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    found = []
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        # Marks of the legend have no white edge.
        if "stroke: #ffffff" in path.get("style", ""):
            numbers = [float(each) for each in re.findall(r"-?[\d.]+", path.get("d", ""))]
            across, down = numbers[0::2], numbers[1::2]
            found.append((min(across), max(across), min(down), max(down)))
    return sorted(found)


def label(picture: str) -> str:
    return ElementTree.fromstring(picture).get("aria-label", "")  # noqa: S314 - our own picture


def test_shares_tell_counts_in_figures_and_words() -> None:
    """Each place has its count, and the whole stands in words for who cannot see it."""
    picture = shares("Thirty records", {"0": {"a": 10}, "1": {"b": 10, "c": 10}, "2": {}})

    shown = texts(picture)
    assert {"10", "20", "0"} <= {each.strip() for each in shown}
    assert not any("%" in each for each in shown), "places with parts need not be one whole"
    assert {"a", "b", "c"} <= set(shown), "the parts are named"
    assert label(picture) == (
        "Thirty records. Records of each partition: 0: 10 (10 of a), "
        "1: 20 (10 of b and 10 of c), 2: 0."
    )


def test_undivided_shares_tell_counts_alone() -> None:
    """Where there are no parts, none are told, but each place's share of the whole is."""
    picture = shares("Three records", {"0": {"": 1}, "1": {"": 2}}, place="group")

    assert {"1 (33%)", "2 (67%)"} <= {each.strip() for each in texts(picture)}

    assert label(picture) == "Three records. Records of each group: 0: 1, 1: 2."


def test_many_parts_become_others() -> None:
    """More parts than colours go together, and none is lost."""
    picture = shares("Many", {"0": {f"key-{n}": 1 for n in range(20)}, "1": {"key-0": 5}})

    shown = texts(picture)
    assert "others" in shown
    assert "14 of others" in label(picture), "in words too"
    assert {"20", "5"} <= {each.strip() for each in shown}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_as_text(name: str) -> None:
    """Names are data: markup, formulas and foreign letters stand there as they are."""
    picture = shares(name, {name: {name: 1}, "1": {"other": 1}})

    assert name in texts(picture), "the name is there as text"
    assert "<script>" not in picture


def test_nothing_is_shown_as_nothing() -> None:
    """No records make empty bars, and no error."""
    assert "0 (0%)" in {each.strip() for each in texts(shares("None", {"0": {}, "1": {}}))}


def test_shares_name_parts_in_the_legend() -> None:
    """A part's name stands in the legend, even where matplotlib would hide it."""
    assert "_hidden" in texts(shares("Names", {"0": {"_hidden": 1, "other": 1}}))


def test_a_timeline_tells_who_held_each_row_and_for_how_long_nobody() -> None:
    """Names in the legend, the gap's length above it, and all of it in words."""
    picture = timeline(
        "Owners",
        [
            span("orders-0", 0, 0.4, "member 1"),
            span("orders-0", 0.445, 1, "member 2"),
            span("orders-1", 0, 0.7, "member 1"),
            span("orders-1", 0.705, 1, "member 2"),
        ],
    )

    shown = texts(picture)
    assert {"orders-0", "orders-1", "member 1", "member 2", "seconds"} <= set(shown)
    assert [each for each in shown if each.endswith(" ms")] == ["45 ms"], "5 ms are too short"
    assert label(picture) == (
        "Owners. orders-0: member 1 from 0 to 0.4 s, member 2 from 0.445 to 1 s. "
        "orders-1: member 1 from 0 to 0.7 s, member 2 from 0.705 to 1 s."
    )


def drawn_item(**item: Any) -> dict[str, Any]:
    return {"title": "T", "unit": "", **item}


def owners(*names: str) -> dict[str, Any]:
    return drawn_item(kind="timeline", spans=[span("p0", 1, 2, name) for name in names])


def lag(*names: str) -> dict[str, Any]:
    return drawn_item(kind="series", lines={name: [[0.5, 1], [4, 2]] for name in names})


def counts(*names: str) -> dict[str, Any]:
    return drawn_item(kind="shares", counts={"0": dict.fromkeys(names, 1)})


def test_a_name_has_one_colour_in_all_pictures_of_a_test() -> None:
    """And two names have two, so that a member is not taken for a partition."""
    colours = colours_of([lag("p0", "p1", "p2"), owners("m1", "m3"), counts("m1", "m2", "p0")])

    names = ["m1", "m2", "m3", "p0", "p1", "p2"]
    assert len({colours[name] for name in names}) == 6
    assert max(colours[name] for name in names) < COLOURS.index("#999999"), "grey is the others'"


def test_a_name_keeps_its_colour_where_others_are_missing() -> None:
    """It follows from the name's own number: fact and control need not know of each other."""
    one = colours_of([owners("m1", "m3"), lag("p0", "p1")])
    other = colours_of([owners("m1", "m2", "m3"), lag("p0", "p1", "p2")])

    assert one.items() <= other.items()


def test_with_more_names_than_colours_no_two_of_a_picture_share_one() -> None:
    """As far as that goes: lines differ by their strokes as well."""
    members, partitions = [f"m{n}" for n in range(5)], [f"p{n}" for n in range(28)]

    colours = colours_of([owners(*members), counts("k1", "k2", "k3", "k4"), lag(*partitions)])

    assert len({colours[name] for name in members}) == 5
    assert len({colours[f"k{n}"] for n in range(1, 5)}) == 4
    assert len({colours[name] for name in partitions}) == 28


def test_pictures_with_a_clock_show_the_same_seconds_at_the_same_place(tmp_path: Path) -> None:
    """One stands above the other: what happened at once is in one line, from the same zero."""
    above, below, apart = as_drawn([owners("m1"), lag("p0"), counts("a")])
    timeline_, series_ = Pictures(tmp_path).of(above), Pictures(tmp_path).of(below)

    assert above["clock"] == below["clock"] == [0.0, 4.0]
    assert "clock" not in apart
    assert len(axis(timeline_)) > 3
    assert axis(timeline_) == axis(series_), "the same ticks at the same places"


def axis(picture: str) -> list[tuple[str, float]]:
    """The ticks of the seconds, and where they are."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    found = []
    for each in root.iter("{http://www.w3.org/2000/svg}text"):
        place = re.search(r"translate\(([\d.]+) ([\d.]+)\)", each.get("transform", ""))
        across = place[1] if place else each.get("x", "")
        if re.fullmatch(r"[\d.]+", each.text or "") and "middle" in each.get("style", ""):
            found.append((each.text or "", float(across)))
    return found


def test_rows_and_lines_are_in_the_order_of_their_numbers() -> None:
    """2 comes before 10, whichever was seen first; other names stay in the order they came in."""
    names = ["p10", "p2", "p0", "p1"]

    rows = texts(timeline("T", [span(name, 0, 1, "a") for name in names]))
    lines = texts(series("S", {name: [[0, 1], [1, 1]] for name in names}))
    places = texts(shares("S", {name: {"": 1} for name in names}))
    parts = texts(shares("S", {"0": dict.fromkeys(names, 1)}))
    steps = texts(shares("S", {"later": {"": 1}, "before": {"": 1}}))

    for shown in (rows, lines, places, parts):
        assert [each for each in shown if each in names] == ["p0", "p1", "p2", "p10"]
    assert [each for each in steps if each in ("later", "before")] == ["later", "before"]


def test_shares_say_what_the_places_are() -> None:
    """They are partitions, unless they are said to be something else."""
    picture = shares("Work", {"1 member": {"a": 12}}, place="group")

    assert "group" in texts(picture)
    assert "Records of each group: 1 member: 12." in label(picture)


def test_a_gap_is_empty() -> None:
    """Between two bars of a row there is nothing, as wide as the time without an owner."""
    (_, left, *_), (right, end, *_) = bars(
        timeline("Owners", [span("0", 0, 0.4, "a"), span("0", 0.5, 1, "b")])
    )

    assert (right - left) / (end - right) == pytest.approx(0.1 / 0.5, rel=0.01)


@pytest.mark.parametrize("edge", ["left", "right"])
def test_how_long_a_gap_is_stands_within_the_axes(edge: str) -> None:
    """Also where the gap is at their very edge."""
    ends = {"left": (0.001, 0.021), "right": (0.979, 0.999)}[edge]
    picture = timeline("Owners", [span("0", 0, ends[0], "a"), span("0", ends[1], 1, "b")])

    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    (word,) = [each for each in root.iter() if each.text == "20 ms"]
    middle = float(word.get("x", ""))
    drawn = bars(picture)
    left, right = min(each[0] for each in drawn), max(each[1] for each in drawn)
    # Points of 72 to the inch; a letter of 8 points is about 5 wide.
    assert left + 12 <= middle <= right - 12


def test_the_shortest_span_is_visible() -> None:
    """A member that owned a partition for a moment did own it."""
    short, _ = bars(timeline("Owners", [span("0", 0, 1e-9, "a"), span("0", 10, 1000, "b")]))

    assert short[1] - short[0] > 1, "wider than a point"


def test_overlapping_spans_stand_one_above_the_other() -> None:
    """Two owners at once are what such a picture is there to show: none hides the other."""
    one, other = bars(timeline("Owners", [span("0", 0, 1, "a"), span("0", 0.4, 0.6, "b")]))

    assert one[3] <= other[2] or other[3] <= one[2]


def test_a_short_span_is_not_hidden_by_a_long_one() -> None:
    """A handover shorter than can be seen is no overlap, and both bars are seen."""
    drawn = bars(timeline("Owners", [span("0", 0, 0.5, "a"), span("0", 0.4999, 1, "b")]))

    assert drawn[0][2:] == drawn[1][2:], "in one line"


def test_words_of_a_timeline_are_limited() -> None:
    """Nobody listens to hundreds of spans."""
    spans = [span(f"row {n % 50}", n, n + 1, "x" * 100) for n in range(200)]

    assert len(label(timeline("Many", spans))) < LONGEST_TOLD + 30
    assert label(timeline("Ten", spans[:1] * 10)).endswith(", and 6 more.")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_in_a_timeline_is_shown_as_text(name: str) -> None:
    """Rows and owners are data, too: in the row, in the legend, and in the words."""
    picture = timeline(name, [span(name, 0, 1, name), span("1", 0, 1, "other")])

    assert texts(picture).count(name) == 2, "as a row and in the legend"
    assert label(picture).startswith(f"{name}. {name}: {name} from 0 to 1 s")
    assert "<script>" not in picture


def test_series_tell_lines_in_figures_and_words() -> None:
    """Each line has its name, the axes their units, and the words tell the extremes."""
    lines: dict[str, list[list[float | None]]] = {
        "orders-0": [[0, 1], [1, 120], [2, None], [3, 7]],
        "orders-1": [[0, None]],
    }

    picture = series("Lag", lines, "records")

    assert {"orders-0", "orders-1", "records", "seconds"} <= set(texts(picture))
    assert label(picture) == (
        "Lag. orders-0: first 1, highest 120, last 7 records. orders-1: no value."
    )


def paths(picture: str, colour: str) -> list[str]:
    """What is drawn in a colour inside the axes."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    return [
        each.get("d", "")
        for each in root.iter("{http://www.w3.org/2000/svg}path")
        if f"stroke: {colour}" in each.get("style", "") and each.get("clip-path")
    ]


def test_none_breaks_a_line() -> None:
    """Where nothing was measured, nothing is drawn."""
    broken = series("Lag", {"0": [[0, 1], [1, 2], [2, None], [3, 4], [4, 9]]})
    whole = series("Lag", {"0": [[0, 1], [1, 2], [3, 4], [4, 9]]})

    assert [path.count("M") for path in paths(broken, COLOURS[0])] == [2]
    assert [path.count("M") for path in paths(whole, COLOURS[0])] == [1]


def test_a_point_between_breaks_is_visible() -> None:
    """A lonely value has no line, but it was measured: it is a dot."""
    alone = series("Lag", {"0": [[0, None], [1, 2], [2, None]]})
    none = series("Lag", {"0": [[0, None], [1, None], [2, None]]})

    assert f"fill: {COLOURS[0]}" in alone
    assert f"fill: {COLOURS[0]}" not in none


def test_more_lines_than_colours_differ_by_stroke() -> None:
    """No two lines look the same, up to as many as evidence records."""
    many = len(COLOURS) * len(STROKES)

    picture = series("Lag", {f"line {n}": [[0, n], [1, n]] for n in range(many)})

    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    styles = {
        each.get("style", "")
        for each in root.iter("{http://www.w3.org/2000/svg}path")
        if each.get("clip-path") and "stroke-opacity" not in each.get("style", "")
    }
    assert len(styles) == many
    assert {f"line {n}" for n in range(many)} <= set(texts(picture))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_series_is_shown_as_text(name: str) -> None:
    """Names and units are data."""
    picture = series(name, {name: [[0, 1], [1, 2]]}, name)

    assert texts(picture).count(name) == 2, "in the legend and as the unit"
    assert "<script>" not in picture


@pytest.mark.parametrize(
    "name", ["\x00", "\x1b[31m", "two\nlines", "\ufffe", "\u202e", "x" * 400, ""], ids=repr
)
def test_what_cannot_be_drawn_breaks_no_picture(name: str) -> None:
    """Control characters are no XML, and a long name leaves room for the bars."""
    (bar, *_) = bars(timeline(name, [span(name, 0, 1, name)]))

    assert bar[1] - bar[0] > 100
    assert "seconds" in texts(series(name, {name: [[0, 1], [1, 2]]}, name))


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(lambda: timeline("None", []), id="timeline"),
        pytest.param(lambda: series("None", {}), id="series"),
        pytest.param(lambda: series("None", {"0": []}), id="a line without points"),
    ],
)
def test_an_empty_picture_says_so(picture: Any) -> None:
    """That nothing was recorded is told, and is no error."""
    assert "nothing was recorded" in texts(picture())


@pytest.mark.parametrize(
    "number", [math.nan, math.inf, -math.inf, 10**400, 2**63, -1, 1e-300], ids=repr
)
def test_any_number_can_be_drawn(number: float, tmp_path: Path) -> None:
    """Whatever was measured, evidence and picture get along."""
    evidence = Evidence()

    evidence.timeline("T", [span("0", 0, number, "a"), span("0", number, number, "b")])
    evidence.series("S", {"0": [(0, number), (number, 0), (number, number)]}, "s")

    for item in evidence.items:
        ElementTree.fromstring(evidence_html([item], Pictures(tmp_path)))  # noqa: S314 - our own


def test_the_page_tells_what_a_picture_leaves_out(tmp_path: Path) -> None:
    """A picture that is not all says so."""
    evidence = Evidence()

    evidence.timeline("T", [span("0", n, n + 1, "a") for n in range(201)])
    evidence.series("S", {f"{n}": [(0, 1)] for n in range(30)})
    evidence.series("S", {"0": [(0, 1)]})

    timelines, lines, whole = (evidence_html([item], Pictures(tmp_path)) for item in evidence.items)
    assert "<p>Left out of the picture: 1 span</p>" in timelines
    assert "<p>Left out of the picture: 2 lines</p>" in lines
    assert "Left out" not in whole
