"""What a test observed, in a terminal: tables, bars of text, numbers and sentences."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kafkalab.cli import output
from kafkalab.readable import readable

INDENT = 2
# The learning log shows the others.
MOST_ROWS = 12
IN_A_LINE = ("number", "note")
# A bar is as wide as there is room, and no wider than can be taken in.
WIDEST_BAR, LEAST_BAR = 50, 10
BAR, GAP = "#", "."


def show(cases: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print evidence, as tests record it.

    Args:
        cases: what each case of a test observed, by its name. Of a test with several, the
            first is shown whole; of the others what is said in a line.
    """
    shown: list[Mapping[str, Any]] = []
    for at, (name, items) in enumerate(cases.items()):
        fresh = [item for item in items if item not in shown]
        told = fresh if at == 0 else [item for item in fresh if item["kind"] in IN_A_LINE]
        if len(cases) > 1:
            left_out = ", in the learning log" if fresh and not told else ""
            output.line(f"case {name}{left_out}", style="dim", indent=INDENT)
        for item in told:
            SHOWN_BY[item["kind"]](item)
        shown += told


def _title(item: Mapping[str, Any]) -> None:
    output.line(f"{item['title']}:", indent=INDENT)
    # What to look at: records of earlier versions have none.
    if look := item.get("look"):
        output.line(look, style="italic", indent=2 * INDENT)


def _table(item: Mapping[str, Any]) -> None:
    _title(item)
    cells = [[_cell(value) for value in row] for row in item["rows"]]
    rows = cells[:MOST_ROWS]
    if not rows:
        output.line("nothing", indent=2 * INDENT)
    elif _width([item["columns"], *rows]) + 2 * INDENT <= output.width():
        output.picture(Padding(_grid(item["columns"], rows), (0, 0, 0, 2 * INDENT), expand=False))
    else:
        # Columns of a letter each would be read by nobody.
        for row in rows:
            pairs = zip(item["columns"], row, strict=True)
            output.line(", ".join(f"{name} {cell}" for name, cell in pairs), indent=2 * INDENT)
    _tell_left_out(len(cells) - len(rows) + item["left_out"], "row")


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(Text(readable(name)), header_style="dim")
    for row in rows:
        table.add_row(*(Text(readable(cell)) for cell in row))
    return table


def _width(rows: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, map(readable, column))) + 2 for column in zip(*rows, strict=True))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value) or "empty"


def _shares(item: Mapping[str, Any]) -> None:
    _title(item)
    counts = {place: sum(parts.values()) for place, parts in item["counts"].items()}
    whole, most = sum(counts.values()), max(counts.values(), default=0)
    margin = max(map(len, counts), default=0) + 2
    # Beside the bar stands its count, as in "1000 (100%)".
    room = _room(2 * INDENT + margin + len(f" {most} (100%)"))
    for place, count in list(counts.items())[:MOST_ROWS]:
        bar = BAR * (-(-count * room // most) if most else 0)
        share = f"{count / whole:.0%}" if whole else "0%"
        mark = f"{place:<{margin}}"
        output.line(f"{bar} {count} ({share})".strip(), indent=2 * INDENT, mark=mark)
        if named := {part: n for part, n in item["counts"][place].items() if part}:
            text = ", ".join(f"{part} {n}" for part, n in named.items())
            output.line(text, style="dim", indent=2 * INDENT + margin)
    _tell_left_out(len(counts) - MOST_ROWS, "row")


def _timeline(item: Mapping[str, Any]) -> None:
    """A letter stands for what held the row, a dot for nothing."""
    _title(item)
    spans = item["spans"]
    if not spans:
        output.line("nothing", indent=2 * INDENT)
        return
    rows = list(dict.fromkeys(span["row"] for span in spans))
    holders = dict.fromkeys(span["what"] for span in spans)
    letters = dict(zip(holders, string.ascii_uppercase + string.ascii_lowercase, strict=False))
    margin = min(max(map(len, rows)) + 2, output.width() // 2)
    room = _room(2 * INDENT + margin)
    first = min(0.0, *(span["start"] for span in spans))
    last = max(span["end"] for span in spans)
    for row in rows[:MOST_ROWS]:
        held = [span for span in spans if span["row"] == row]
        bar = _bar(held, letters, first, (last - first) / room or 1.0, room)
        if len(row) + 2 <= margin:
            output.line(bar, indent=2 * INDENT, mark=f"{row:<{margin}}")
        else:
            output.line(row, indent=2 * INDENT)
            output.line(bar, indent=2 * INDENT + margin)
    output.line(f"from {first:.3g} to {last:.3g} s", style="dim", indent=2 * INDENT)
    for what, letter in letters.items():
        output.line(what, style="dim", indent=2 * INDENT, mark=f"{letter}  ")
    _tell_left_out(len(rows) - MOST_ROWS, "row")
    _tell_left_out(item["left_out"], "span")


def _bar(
    spans: Sequence[Mapping[str, Any]],
    letters: Mapping[str, str],
    first: float,
    step: float,
    room: int,
) -> str:
    cells = [GAP] * room
    # The shortest come last, so that no long one hides them.
    for span in sorted(spans, key=lambda each: each["start"] - each["end"]):
        start = min(room - 1, int((span["start"] - first) / step))
        end = max(start + 1, min(room, round((span["end"] - first) / step)))
        cells[start:end] = letters.get(span["what"], "*") * (end - start)
    return "".join(cells)


def _series(item: Mapping[str, Any]) -> None:
    _title(item)
    for name, points in list(item["lines"].items())[:MOST_ROWS]:
        values = [value for _, value in points if value is not None]
        told = "no value"
        if values:
            told = f"first {values[0]:.6g}, highest {max(values):.6g}, last {values[-1]:.6g}"
        output.line(f"{told} {item['unit']}".rstrip(), indent=2 * INDENT, mark=f"{name}  ")
    left_out = len(item["lines"]) - MOST_ROWS + item["lines_left_out"]
    _tell_left_out(left_out, "line")


def _number(item: Mapping[str, Any]) -> None:
    output.line(f"{item['name']}: {item['value']} {item['unit']}".rstrip(), indent=INDENT)


def _note(item: Mapping[str, Any]) -> None:
    output.line(str(item["text"]), indent=INDENT)


def _room(beside: int) -> int:
    return max(LEAST_BAR, min(WIDEST_BAR, output.width() - beside - 1))


def _tell_left_out(count: int, thing: str) -> None:
    if count > 0:
        more = f"and {count} {thing}{'s' if count > 1 else ''} more, in the learning log"
        output.line(more, style="dim", indent=2 * INDENT)


SHOWN_BY = {
    "table": _table,
    "shares": _shares,
    "timeline": _timeline,
    "series": _series,
    "number": _number,
    "note": _note,
}
"""for each kind of evidence, what prints it"""
