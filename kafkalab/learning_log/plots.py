"""Evidence as pictures: SVG for a page, drawn by pytest's controller only, not by its workers."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from kafkalab.learning_log.evidence import NUMBERS, by_number
from kafkalab.readable import readable, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# People with colour blindness can distinguish them (Okabe and Ito).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")
# A reader cannot distinguish more parts than there are colours: the smallest are shown as one.
OTHERS = "others"

# If there are more lines than colours, lines of one colour differ by their stroke.
STROKES = ("-", "--", ":", "-.")

# The colour of text and axes; `_lean` replaces it by the colour of the page's own text, so that
# pictures can be read on a light and on a dark page.
INK = "#000000"

# Inches, of 72 points each: as wide as a column of text, and still readable on a phone; a bar is
# as high as a line of text.
WIDTH, BAR = 5.0, 0.28
# Beside the axes: room for ticks and a label under them, and a little above and on the right.
BOTTOM, EDGE = 0.5, 0.12
# In inches: a timeline's row, with room for a duration above its bar; a legend's line; a letter.
ROW, LINE, LETTER = 0.36, 0.19, 0.075
LINES_HEIGHT = 2.2

# Parts of a timeline's whole length: the thinnest bar that can be seen, and the shortest gap whose
# length is written.
THINNEST, NOTABLE = 0.005, 0.01
BAR_OF_ROW = 0.56

# Letters of a name in a picture; spans of a row, and letters in all, of the picture's description.
LONGEST_NAME, MOST_TOLD, LONGEST_TOLD = 40, 4, 1500

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
BLANKS = re.compile(r"\s+")
FONTS = re.compile(r" font-family: [^;]*;")

# Whole numbers, without a factor such as 1e6, which matplotlib would write over the legend.
TICK = "{x:.10g}"

LEGEND = {"fontsize": 9, "frameon": False, "handlelength": 1, "borderaxespad": 0}


def coloured_names(item: Mapping[str, Any]) -> list[str]:
    """The names that have a colour of their own in the picture of an evidence item."""
    if item["kind"] == "series":
        return in_order(item["lines"])
    if item["kind"] == "shares":
        return _largest_parts(item["counts"])
    return _largest_parts(_seconds_by_row(item["spans"]))


def times_in(item: Mapping[str, Any]) -> list[float]:
    """The times of an evidence item, in seconds; empty if it has no time axis."""
    if item["kind"] == "timeline":
        return [span[edge] for span in item["spans"] for edge in ("start", "end")]
    lines = item["lines"].values() if item["kind"] == "series" else ()
    return [point[0] for points in lines for point in points]


def room_beside(item: Mapping[str, Any]) -> float:
    """How many inches the picture of an item with a time axis needs on the left of its axes."""
    if item["kind"] == "timeline":
        return _beside(span["row"] for span in item["spans"])
    values = (point[1] for points in item["lines"].values() for point in points)
    highest = max((value for value in values if value is not None), key=abs, default=0)
    return _beside([f"{highest:.4g}"]) + LINE


def shares(
    title: str,
    counts: Mapping[str, Mapping[str, int]],
    *,
    place: str = "partition",
    colours: Mapping[str, int] | None = None,
) -> Markup:
    """A bar for each place, divided by its parts, with its count.

    If there are no parts, the place's share of the total is written beside its count. With parts
    it is not: then the places may be different experiments, whose sum means nothing.
    `place` is the word for the places; `colours` has the index in COLOURS for each part.
    """
    counts = {name: counts[name] for name in in_order(counts)}
    parts = _largest_parts(counts)
    slots = _slots(parts, colours)
    total = sum(sum(each.values()) for each in counts.values())
    beside = _beside(counts) + LINE
    columns, lines = _legend_size(parts, beside) if len(parts) > 1 else (1, 0)
    figure, axes = _empty(BAR * max(1, len(counts)), beside, lines)
    handles = []
    started = [0] * len(counts)
    for part in parts:
        widths = [_of(part, parts, each) for each in counts.values()]
        colour = COLOURS[slots[part] % len(COLOURS)]
        handles.append(axes.barh(range(len(counts)), widths, left=started, color=colour))
        started = [before + width for before, width in zip(started, widths, strict=True)]
    for at, count in enumerate(started):
        share = f" ({count / total if total else 0:.0%})" if len(parts) <= 1 else ""
        axes.annotate(
            f"{count}{share}",
            (count, at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(counts)), labels=map(_short, counts), fontsize=9)
    axes.set_ylabel(_short(place), fontsize=9)
    axes.set_xlabel("records", fontsize=9)
    # No ticks: each bar has its count beside it.
    axes.set_xticks([])
    axes.set_xlim(0, max([*started, 1]) * 1.2)
    axes.invert_yaxis()
    if len(parts) > 1:
        _legend(axes, handles, parts, columns)
    told = ", ".join(f"{name}: {_divided(each, parts)}" for name, each in counts.items())
    return _svg(figure, f"{title}. Records of each {place}: {told}.")


def timeline(
    title: str,
    spans: Sequence[Mapping[str, Any]],
    *,
    colours: Mapping[str, int] | None = None,
    clock: tuple[float, float] | None = None,
    beside: float = 0.0,
) -> Markup:
    """A bar for each span in its row, coloured by what held the row; gaps have their length.

    Args:
        title: what it shows, in words.
        spans: as `Evidence.timeline` records them.
        colours: the index in COLOURS for each name.
        clock: the first and the last second that it shows; None for those of the spans.
        beside: inches on the left of the axes, at least.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for span in sorted(spans, key=lambda each: (each["start"], each["end"])):
        rows.setdefault(span["row"], []).append(span)
    rows = {row: rows[row] for row in in_order(dict.fromkeys(span["row"] for span in spans))}
    parts = _largest_parts(_seconds_by_row(spans))
    slots = _slots(parts, colours)
    shades = {part: COLOURS[slots[part] % len(COLOURS)] for part in parts}
    first = min([0.0, *(span["start"] for span in spans)])
    last = max([first, *(span["end"] for span in spans)])
    first, last = clock or (first, last)
    whole = last - first or 1.0

    beside = max(beside, _beside(rows))
    columns, lines = _legend_size(parts, beside)
    figure, axes = _empty(ROW * max(1, len(rows)), beside, lines)
    for at, held in enumerate(rows.values()):
        _bars(axes, at, held, shades, whole)
        _gaps(axes, at, held, (first, whole), inches=WIDTH - beside - EDGE)
    axes.set_yticks(range(len(rows)), labels=map(_short, rows), fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.7)
    _seconds(axes, first, whole)
    _legend(axes, [_patch(shades[part]) for part in parts], parts, columns)
    if not rows:
        _nothing(axes)
    told = ". ".join(f"{row}: {_told(held)}" for row, held in rows.items())
    return _svg(figure, f"{title}. {told or 'Nothing was recorded'}.")


def series(
    title: str,
    lines: Mapping[str, Sequence[Sequence[float | None]]],
    unit: str = "",
    *,
    colours: Mapping[str, int] | None = None,
    clock: tuple[float, float] | None = None,
    beside: float = 0.0,
) -> Markup:
    """A line for each name, broken where nothing was measured.

    `colours`, `clock` and `beside` are those of a timeline; names that share a colour differ
    by their stroke.
    """
    lines = {name: lines[name] for name in in_order(lines)}
    slots = _slots(list(lines), colours)
    measured = [point[1] for points in lines.values() for point in points if point[1] is not None]
    item = {"kind": "series", "lines": lines}
    beside = max(beside, room_beside(item))
    columns, height = _legend_size(list(lines), beside)
    figure, axes = _empty(LINES_HEIGHT, beside, height)
    handles = []
    for name, points in lines.items():
        colour = COLOURS[slots[name] % len(COLOURS)]
        stroke = STROKES[slots[name] // len(COLOURS) % len(STROKES)]
        across: list[Any] = [point[0] for point in points]
        values = [float("nan") if point[1] is None else point[1] for point in points]
        handles += axes.plot(across, values, stroke, color=colour, linewidth=1.5)
        axes.plot(*_lonely(points), ".", color=colour)
    if measured and min(measured) >= 0:
        # The axis begins a little below zero, so that a line at zero is not cut.
        axes.set_ylim(-0.02 * (max(measured) or 1), (max(measured) or 1) * 1.05)
    axes.set_ylabel(_short(unit), fontsize=9)
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(TICK)
    times = times_in(item) or [0.0]
    first, last = clock or (min(times), max(times))
    _seconds(axes, first, last - first or 1.0)
    # Long enough to show which stroke it is.
    _legend(axes, handles, list(lines), columns, handlelength=2.2)
    if not measured:
        _nothing(axes)
    told = ". ".join(f"{name}: {_extremes(points, unit)}" for name, points in lines.items())
    return _svg(figure, f"{title}. {told or 'Nothing was recorded'}.")


def _bars(
    axes: Axes,
    at: int,
    spans: Sequence[Mapping[str, Any]],
    colours: Mapping[str, str],
    whole: float,
) -> None:
    """The bars of one row; bars that overlap in time are drawn one above the other."""
    ends: list[float] = []
    placed = []
    for span in spans:
        # An overlap that is shorter than the thinnest bar could not be seen.
        free = (lane for lane, end in enumerate(ends) if end <= span["start"] + whole * THINNEST)
        lane = next(free, len(ends))
        if lane == len(ends):
            ends.append(span["end"])
        ends[lane] = max(ends[lane], span["end"])
        placed.append((span, lane))
    height = BAR_OF_ROW / len(ends)
    # The shortest are drawn last, so that no long one hides them.
    for span, lane in sorted(placed, key=lambda each: each[0]["start"] - each[0]["end"]):
        axes.barh(
            at - BAR_OF_ROW / 2 + lane * height,
            max(span["end"] - span["start"], whole * THINNEST),
            left=span["start"],
            height=height,
            align="edge",
            color=colours.get(span["what"], COLOURS[-1]),
            edgecolor="white",
            linewidth=0.4,
        )


def _gaps(
    axes: Axes,
    at: int,
    spans: Sequence[Mapping[str, Any]],
    seconds: tuple[float, float],
    inches: float,
) -> None:
    """Write the length of each notable gap above it, if there is room.

    `seconds` are the axes' first second and how many they show; no text goes beyond them.
    """
    first, whole = seconds
    held_until = spans[0]["end"]
    free_from = spans[0]["start"]
    for span in spans[1:]:
        gap = span["start"] - held_until
        if gap > whole * NOTABLE:
            middle, text = held_until + gap / 2, duration(gap)
            half = len(text) * LETTER * 0.45 / inches * whole
            middle = max(first + half, min(middle, first + whole - half))
            if middle - half >= free_from:
                axes.text(
                    middle,
                    at - BAR_OF_ROW / 2 - 0.04,
                    text,
                    ha="center",
                    va="bottom",
                    fontsize=8,
                )
                free_from = middle + half
        held_until = max(held_until, span["end"])


def duration(seconds: float) -> str:
    """A length of time as pictures show it: 3.3 ms, 45 ms, 1.25 s."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2g} ms"


def _seconds_by_row(spans: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """How long each thing held each row."""
    rows: dict[str, dict[str, float]] = {}
    for span in spans:
        seconds = rows.setdefault(span["row"], {})
        seconds[span["what"]] = seconds.get(span["what"], 0) + span["end"] - span["start"]
    return rows


def in_order(names: Iterable[str]) -> list[str]:
    """Names sorted by number, 2 before 10, if they differ only in it; else in the given order."""
    given = list(names)
    alike = len({NUMBERS.sub("", name) for name in given}) == 1
    return sorted(given, key=by_number) if alike else given


def _slots(names: Sequence[str], colours: Mapping[str, int] | None) -> Mapping[str, int]:
    """The colour's index for each name; a name without one gets its place in the list."""
    given = colours or {}
    return {name: given.get(name, at) for at, name in enumerate(names)}


def _told(spans: Sequence[Mapping[str, Any]]) -> str:
    """The spans of a row in words."""
    told = [
        f"{span['what']} from {span['start']:.4g} to {span['end']:.4g} s"
        for span in spans[:MOST_TOLD]
    ]
    if len(spans) > MOST_TOLD:
        told.append(f"and {len(spans) - MOST_TOLD} more")
    return ", ".join(told)


def _extremes(points: Sequence[Sequence[float | None]], unit: str) -> str:
    """A line in words."""
    values = [point[1] for point in points if point[1] is not None]
    if not values:
        return "no value"
    told = f"first {values[0]:.6g}, highest {max(values):.6g}, last {values[-1]:.6g}"
    return f"{told} {unit}".rstrip()


def _lonely(points: Sequence[Sequence[float | None]]) -> tuple[list[Any], list[Any]]:
    """The points without a neighbour, which no line would show."""
    values = [None, *(point[1] for point in points), None]
    lonely = [
        point
        for before, point, after in zip(values, points, values[2:], strict=False)
        if before is None and point[1] is not None and after is None
    ]
    return [point[0] for point in lonely], [point[1] for point in lonely]


def _largest_parts(counts: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The parts by name; if there are more than colours, the smallest are OTHERS."""
    sizes: dict[str, float] = {}
    for each in counts.values():
        for part, count in each.items():
            sizes[part] = sizes.get(part, 0) + count
    if len(sizes) <= len(COLOURS):
        return sorted(sizes, key=by_number)
    largest = sorted(sizes, key=lambda part: -sizes[part])[: len(COLOURS) - 1]
    return [*sorted(largest, key=by_number), OTHERS]


def _of(part: str, parts: list[str], counts: Mapping[str, int]) -> int:
    if part == OTHERS and part not in counts:
        return sum(count for name, count in counts.items() if name not in parts)
    return counts.get(part, 0)


def _divided(counts: Mapping[str, int], parts: list[str]) -> str:
    """The records of one place in words, and how many of them each part has."""
    sizes = {part: _of(part, parts, counts) for part in parts} if len(parts) > 1 else {}
    told = " and ".join(f"{size} of {part}" for part, size in sizes.items() if size)
    total = str(sum(counts.values()))
    return f"{total} ({told})" if told else total


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)


def _legend_size(names: Sequence[str], beside: float) -> tuple[int, int]:
    """The columns and lines of a legend that is as wide as the axes."""
    if not names:
        return 1, 0
    # With the coloured mark before each name, and the gap after it.
    column = _beside(names) + 0.3
    columns = min(len(names), max(1, int((WIDTH - beside) / column)))
    return columns, -(-len(names) // columns)


def _legend(
    axes: Axes, handles: Sequence[Any], names: Sequence[str], columns: int, **style: Any
) -> None:
    if names:
        labels = [_short(name) for name in names]
        style = {**LEGEND, "loc": "lower left", "bbox_to_anchor": (0, 1), **style}
        axes.legend(handles, labels, ncols=columns, **style)


def _beside(names: Iterable[str]) -> float:
    """About how many inches the names of the ticks need on the left of the axes."""
    return max((len(_short(name)) for name in names), default=0) * LETTER + 0.25


def _short(name: str) -> str:
    """A name, cut to the length that a picture has room for."""
    name = readable(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _seconds(axes: Axes, first: float, whole: float) -> None:
    axes.set_xlim(first, first + whole * (1 + THINNEST))
    axes.set_xlabel("seconds", fontsize=9)
    axes.xaxis.set_major_formatter(TICK)


def _nothing(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(
        0.5,
        0.5,
        "nothing was recorded",
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=9,
    )


def _empty(inside: float, beside: float, lines: int) -> tuple[Figure, Axes]:
    """A figure with axes of that height, room on their left, and room for a legend above.

    All places are computed here, as matplotlib's own layout takes longer than the drawing.
    """
    _prepare()
    from matplotlib.figure import Figure

    height = inside + BOTTOM + LINE * lines + EDGE
    figure = Figure(figsize=(WIDTH, height))
    across = (beside / WIDTH, 1 - (beside + EDGE) / WIDTH)
    axes = figure.add_axes((across[0], BOTTOM / height, across[1], inside / height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    return figure, axes


@cache
def _prepare() -> None:
    import matplotlib

    # Text stays text instead of shapes, so that programs can read it; a dollar sign begins no
    # formula.
    matplotlib.rcParams.update({"svg.fonttype": "none", "text.parse_math": False})
    # Without prefixes: a page reads the SVG as HTML, which has no namespaces.
    ElementTree.register_namespace("", SVG.strip("{}"))


def _svg(figure: Figure, told: str) -> Markup:
    """The picture, with a description in words for readers who cannot see it."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # It warns of letters that its own font lacks; the browser draws them with another font.
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return Markup('<div class="picture" role="img" aria-label="{}">{}</div>').format(
        shortened(readable(told), LONGEST_TOLD),
        Markup(_lean(buffer.getvalue())),  # noqa: S704 - a tree of elements escapes its texts
    )


def _lean(svg: str) -> str:
    """The same picture in half the size, with the page's own text colour and font."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib's
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{SVG}metadata" or child.find(f"{SVG}style") is not None:
                parent.remove(child)
    for element in root.iter():
        element.tail = None
        if element.tag != f"{SVG}text":
            element.text = None
        if element.tag == f"{SVG}g":
            element.attrib.pop("id", None)
        if target := element.attrib.pop(f"{XLINK}href", ""):
            element.set("href", target)
        if path := element.get("d"):
            element.set("d", BLANKS.sub(" ", path).strip())
        if style := element.get("style"):
            element.set("style", FONTS.sub("", style).replace(INK, "currentColor"))
    root.set("fill", "currentColor")
    (whole,) = _without_bare_groups(root)
    return ElementTree.tostring(whole, encoding="unicode")


def _without_bare_groups(element: ElementTree.Element) -> list[ElementTree.Element]:
    """The element; for a group without attributes, its children instead."""
    element[:] = [each for child in element for each in _without_bare_groups(child)]
    is_bare = element.tag == f"{SVG}g" and not element.attrib
    return list(element) if is_bare else [element]
