"""Prints what a test observed: tables, bars of text, numbers and sentences."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kafkalab.cli import output
from kafkalab.learning_log.evidence import by_number
from kafkalab.learning_log.plots import duration, in_order
from kafkalab.readable import readable

INDENT = 2
# If there are more rows, those in the middle are left out: the last ones often show the result.
MOST_ROWS = 12
# If a test has several cases, these are printed for the first one only; the page has all.
PICTURES = ("shares", "timeline", "series")
# Columns: a bar is as wide as there is room, within these limits.
WIDEST_BAR, LEAST_BAR = 50, 10
BAR, NOBODY, SEVERAL, NAMELESS = "#", ".", "+", "*"
LETTERS = string.ascii_uppercase + string.ascii_lowercase
# From the lowest to the highest; digits are for a terminal whose encoding has no blocks.
BLOCKS, DIGITS = "▁▂▃▄▅▆▇█", "0123456789"
NOT_MEASURED = " "
# A cell with more lines is hard to read: then each row is printed as a block.
MOST_LINES_OF_A_CELL = 4
BETWEEN_COLUMNS = 2
# If a row has more gaps, only the shortest and the longest are printed.
MOST_GAPS = 4

Thing = TypeVar("Thing")


def show(cases: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print evidence, as tests record it.

    Args:
        cases: what each case of a test observed, by its name. The first case is shown whole,
            the others without pictures and without what was shown already.
    """
    shown: list[Mapping[str, Any]] = []
    for at, (name, items) in enumerate(cases.items()):
        fresh = [item for item in items if item not in shown]
        told = fresh if at == 0 else [item for item in fresh if item["kind"] not in PICTURES]
        if len(cases) > 1:
            the_same = "" if fresh else ": the same as above"
            output.line(f"case {name}{the_same}", style="dim", indent=INDENT)
        for item in told:
            SHOWN_BY[item["kind"]](item)
        if left := [item["title"] for item in fresh if item not in told]:
            output.line(f"{', '.join(left)}: in the learning log", style="dim", indent=INDENT)
        shown += told


def _title(item: Mapping[str, Any]) -> None:
    output.line(f"{item['title']}:", indent=INDENT)
    # Records of earlier versions do not say what to look at.
    if look := item.get("look"):
        output.line(look, style="italic", indent=2 * INDENT)


# Tables


def _table(item: Mapping[str, Any]) -> None:
    _title(item)
    cells = [[readable(_cell(value)) for value in row] for row in item["rows"]]
    names = [readable(name) for name in item["columns"]]
    head, left_out, tail = _ends(cells)
    widths = _widths([names, *head, *tail], output.width() - 2 * INDENT)
    if not cells:
        output.line("nothing", indent=2 * INDENT)
    elif widths:
        _grid(head, widths, names)
        _tell_left_out(left_out, "row")
        if tail:
            _grid(tail, widths)
    else:
        _blocks(names, head)
        _tell_left_out(left_out, "row")
        _blocks(names, tail)
    _tell_not_recorded(item["left_out"], "row")


def _grid(rows: Sequence[Sequence[str]], widths: Sequence[int], names: Sequence[str] = ()) -> None:
    """Rows in columns of these widths, below their names if there are any."""
    table = Table(
        box=None, pad_edge=False, padding=(0, BETWEEN_COLUMNS, 0, 0), show_header=bool(names)
    )
    for at, width in enumerate(widths):
        table.add_column(Text(names[at]) if names else "", header_style="dim", width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    output.picture(Padding(table, (0, 0, 0, 2 * INDENT), expand=False))


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column, so that all fit into the room; empty if cells would get too high.

    Cells are wrapped within their column if that is needed; no word is broken.
    """
    columns = list(zip(*rows, strict=True))
    # Letters of some alphabets take two columns.
    widths = [max(map(cell_len, column)) for column in columns]
    least = [max(map(cell_len, " ".join(column).split()), default=0) for column in columns]
    while sum(widths) + BETWEEN_COLUMNS * len(widths) > room:
        spare = [width - fewest for width, fewest in zip(widths, least, strict=True)]
        if not any(spare):
            return []
        widest = max(range(len(widths)), key=lambda at: widths[at] if spare[at] else 0)
        widths[widest] -= 1
    lines = (
        output.lines_of(cell, width)
        for column, width in zip(columns, widths, strict=True)
        for cell in column
        if cell_len(cell) > width
    )
    return widths if max(lines, default=1) <= MOST_LINES_OF_A_CELL else []


def _blocks(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print each row as lines of name and cell; the first column is the heading."""
    for row in rows:
        for at, (name, cell) in enumerate(zip(names, row, strict=True)):
            output.line(f"{name}: {cell}", indent=(2 if at == 0 else 3) * INDENT)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value) or "empty"


# Pictures


def _shares(item: Mapping[str, Any]) -> None:
    """Print a bar for each place: a letter for each part; without parts, the share of the total."""
    _title(item)
    places = item["counts"]
    counts = {place: sum(places[place].values()) for place in in_order(places)}
    whole, most = sum(counts.values()), max(counts.values(), default=0)
    letters = _letters(part for parts in places.values() for part in parts if part)
    margin = _margin(counts)
    # The count is printed beside the bar, as in "1000 (100%)".
    told = {
        place: str(count) if letters else f"{count} ({count / whole if whole else 0:.0%})"
        for place, count in counts.items()
    }
    room = _room(2 * INDENT + margin + max(map(len, told.values()), default=0) + 1)

    def show_one(place: str) -> None:
        parts = {part: places[place][part] for part in sorted(places[place], key=by_number)}
        held = [(part, n) for part, n in parts.items() if n]
        signs = [(letters.get(part, NAMELESS) if part else BAR, n) for part, n in held]
        bar = _bar(signs, -(-counts[place] * room // most) if most else 0)
        _row(place, f"{bar} {told[place]}".strip(), margin)
        if named := ", ".join(f"{part} {n}" for part, n in held if part):
            output.line(named, style="dim", indent=2 * INDENT + margin)

    _each_of(list(counts), "row", show_one)
    _legend(item, letters)


def _timeline(item: Mapping[str, Any]) -> None:
    """Print a line for each row: a letter for what held it, a dot for a time without an owner."""
    _title(item)
    spans = item["spans"]
    if not spans:
        output.line("nothing", indent=2 * INDENT)
        return
    rows = in_order(dict.fromkeys(span["row"] for span in spans))
    letters = _letters(span["what"] for span in spans)
    margin = _margin(rows)
    room = _room(2 * INDENT + margin)
    first = min(0.0, *(span["start"] for span in spans))
    last = max(span["end"] for span in spans)
    signs: set[str] = set()
    gaps: dict[str, list[float]] = {}

    def show_one(row: str) -> None:
        held = [span for span in spans if span["row"] == row]
        parts = _signs(held, letters, first, last)
        signs.update(sign for sign, _ in parts)
        # Only gaps between two owners count, not the time before the first or after the last.
        if between := [seconds for sign, seconds in parts[1:-1] if sign == NOBODY]:
            gaps[row] = between
        _row(row, _bar(parts, room), margin)

    _each_of(rows, "row", show_one)
    output.line(f"from {first:.3g} to {last:.3g} s", style="dim", indent=2 * INDENT)
    _legend(item, letters)
    if SEVERAL in signs:
        output.line("several at once", style="dim", indent=2 * INDENT, mark=f"{SEVERAL}  ")
    if NOBODY in signs:
        told = "; ".join(f"{row} for {_lengths(each)}" for row, each in gaps.items())
        between = f"; between two owners: {told}" if told else ""
        output.line(f"no owner{between}", style="dim", indent=2 * INDENT, mark=f"{NOBODY}  ")
    _tell_not_recorded(item["left_out"], "span")


def _signs(
    spans: Sequence[Mapping[str, Any]], letters: Mapping[str, str], first: float, last: float
) -> list[tuple[str, float]]:
    """The signs for what held a row, in the order of time, each with its seconds."""
    edges = sorted({first, last, *(span[edge] for span in spans for edge in ("start", "end"))})
    found: list[tuple[str, float]] = []
    for start, end in zip(edges, [*edges[1:], None], strict=True):
        # A span of 0 s is shown, too: it was only too short for the clock.
        found += [
            (letters.get(span["what"], NAMELESS), 0.0)
            for span in spans
            if span["start"] == span["end"] == start
        ]
        if end is not None:
            held = {span["what"] for span in spans if span["start"] <= start < end <= span["end"]}
            found.append((_sign(held, letters), end - start))
    merged: list[tuple[str, float]] = []
    for sign, seconds in found:
        before = merged.pop()[1] if merged and merged[-1][0] == sign else 0.0
        merged.append((sign, before + seconds))
    return merged


def _sign(held: set[str], letters: Mapping[str, str]) -> str:
    if len(held) > 1:
        return SEVERAL
    return letters.get(next(iter(held)), NAMELESS) if held else NOBODY


def _lengths(gaps: Sequence[float]) -> str:
    if len(gaps) > MOST_GAPS:
        return f"{duration(min(gaps))} to {duration(max(gaps))}, {len(gaps)} times"
    return " and ".join(map(duration, gaps))


def _series(item: Mapping[str, Any]) -> None:
    """Print a row of blocks for each line, all in one scale, and its figures below."""
    _title(item)
    lines = item["lines"]
    points = [point for each in lines.values() for point in each]
    times = [time for time, _ in points] or [0.0]
    values = [value for _, value in points if value is not None] or [0.0]
    margin = _margin(lines)
    room = _room(2 * INDENT + margin)

    def show_one(name: str) -> None:
        measured = [value for _, value in lines[name] if value is not None]
        told = "no value"
        if measured:
            told = f"first {measured[0]:.6g}, highest {max(measured):.6g}, last {measured[-1]:.6g}"
            told = f"{told} {item['unit']}".rstrip()
            clock, scale = (min(times), max(times)), (min(0.0, *values), max(values))
            _row(name, _spark(lines[name], clock, scale, room), margin)
            output.line(told, style="dim", indent=2 * INDENT + margin)
        else:
            _row(name, told, margin)

    _each_of(in_order(lines), "line", show_one)
    if len(set(times)) > 1:
        seconds = f"from {min(times):.3g} to {max(times):.3g} s"
        output.line(seconds, style="dim", indent=2 * INDENT)
    _tell_not_recorded(item["lines_left_out"], "line")


def _spark(
    points: Sequence[Sequence[float]],
    clock: tuple[float, float],
    scale: tuple[float, float],
    room: int,
) -> str:
    """A block for the highest value in each step of time; without a value, the last one stays."""
    signs = BLOCKS if output.can_show(BLOCKS) else DIGITS
    step = (clock[1] - clock[0]) / room or 1.0
    moments: dict[int, list[float | None]] = {}
    for time, value in points:
        moments.setdefault(min(room - 1, int((time - clock[0]) / step)), []).append(value)
    cells = []
    now: float | None = None
    for at in range(max(moments) + 1):
        given = moments.get(at, [now])
        measured = [value for value in given if value is not None]
        now = given[-1]
        part = (max(measured) - scale[0]) / (scale[1] - scale[0] or 1.0) if measured else 0.0
        cells.append(signs[round(part * (len(signs) - 1))] if measured else NOT_MEASURED)
    return "".join(cells)


# What pictures have in common


def _letters(names: Iterable[str]) -> dict[str, str]:
    """A letter for each name, in the order of the names."""
    return dict(zip(sorted(set(names), key=by_number), LETTERS, strict=False))


def _bar(parts: Sequence[tuple[str, float]], room: int) -> str:
    """Signs side by side, each as wide as its share of the total, but at least one column.

    If there are more parts than room, the bar gets longer.
    """
    whole = sum(size for _, size in parts) or 1.0
    length = max(room, len(parts))
    bar, reached = "", 0.0
    for at, (sign, size) in enumerate(parts):
        reached += size
        end = max(len(bar) + 1, round(reached / whole * length))
        end = min(end, length - (len(parts) - 1 - at))
        bar += sign * (end - len(bar))
    return bar


def _legend(item: Mapping[str, Any], letters: Mapping[str, str]) -> None:
    """Print what the letters stand for; the page has colours instead."""
    if not letters:
        return
    head, left_out, tail = _ends([f"{letter} {name}" for name, letter in letters.items()])
    more = [f"{left_out} more, in the learning log"] if left_out else []
    output.line(", ".join([*head, *more, *tail]), style="dim", indent=2 * INDENT, mark="letters: ")
    if "colour" in item.get("look", ""):
        where = "if the caption speaks of a colour, look at the letter"
        output.line(where, style="dim", indent=2 * INDENT)


def _margin(names: Iterable[str]) -> int:
    """How many columns the names on the left of the bars take."""
    longest = max((len(readable(name)) for name in names), default=0)
    return min(longest + 2, output.width() // 2)


def _row(name: str, bar: str, margin: int) -> None:
    """Print a bar beside its name, or below it if the name is too long."""
    name = readable(name)
    if len(name) + 2 <= margin:
        output.line(bar, indent=2 * INDENT, mark=f"{name:<{margin}}")
    else:
        output.line(name, indent=2 * INDENT)
        output.line(bar, indent=2 * INDENT + margin)


def _room(beside: int) -> int:
    return max(LEAST_BAR, min(WIDEST_BAR, output.width() - beside - 1))


def _number(item: Mapping[str, Any]) -> None:
    output.line(f"{item['name']}: {item['value']} {item['unit']}".rstrip(), indent=INDENT)


def _note(item: Mapping[str, Any]) -> None:
    output.line(str(item["text"]), indent=INDENT)


# What is left out


def _ends(things: Sequence[Thing]) -> tuple[Sequence[Thing], int, Sequence[Thing]]:
    """The first things, how many are left out after them, and the last; if few, all are first."""
    if len(things) <= MOST_ROWS:
        return things, 0, []
    half = MOST_ROWS // 2
    return things[:half], len(things) - MOST_ROWS, things[-half:]


def _each_of(names: Sequence[str], thing: str, show_one: Callable[[str], None]) -> None:
    head, left_out, tail = _ends(names)
    for name in head:
        show_one(name)
    _tell_left_out(left_out, thing)
    for name in tail:
        show_one(name)


def _tell_left_out(count: int, thing: str) -> None:
    if count > 0:
        more = f"... {count} more {thing}{'s' if count > 1 else ''}, in the learning log"
        output.line(more, style="dim", indent=2 * INDENT)


def _tell_not_recorded(count: int, thing: str) -> None:
    if count > 0:
        more = f"and {count} more {thing}{'s' if count > 1 else ''}, which were not recorded"
        output.line(more, style="dim", indent=2 * INDENT)


SHOWN_BY = {
    "table": _table,
    "shares": _shares,
    "timeline": _timeline,
    "series": _series,
    "number": _number,
    "note": _note,
}
"""for each kind of evidence, the function that prints it"""
