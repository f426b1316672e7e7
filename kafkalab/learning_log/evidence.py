"""What a test observed, recorded as data before it asserts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

# A page must stay readable, and small enough to open at once.
LONGEST_TEXT = 400
MOST_ROWS = 200
MOST_SPANS = 200
# A picture is not wide enough to show more points, nor can more lines be told apart.
MOST_POINTS = 500
MOST_LINES = 28

# When and how much; none where nothing could be measured.
Point = tuple[float, float | None]

# Offsets and timestamps are 64 bits wide; what is beyond is shown by its size.
HUGE = 2**64


class Evidence:
    """Collects a test's observations; tests never write HTML or pictures.

    Everything is turned into JSON-safe data in the call itself, so that
    nothing that a test holds can break the transport between processes.
    """

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def table(self, title: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Record rows of equal columns, the first row's keys being the column heads."""
        columns = list(rows[0]) if rows else []
        body = [[plain(row.get(column)) for column in columns] for row in rows[:MOST_ROWS]]
        left_out = max(0, len(rows) - MOST_ROWS)
        self.items.append(
            {
                "kind": "table",
                "title": title,
                "columns": [str(plain(column)) for column in columns],
                "rows": body,
                "left_out": left_out,
            }
        )

    def shares(self, title: str, counts: Mapping[Any, int | Mapping[str, int]]) -> None:
        """Record how much each place got, such as records per partition; shown as a picture.

        A place's count may be split by what it consists of, such as the keys.
        """
        parts = {
            str(plain(place)): {str(plain(part)): int(n) for part, n in count.items()}
            if isinstance(count, Mapping)
            else {"": int(count)}
            for place, count in counts.items()
        }
        self.items.append({"kind": "shares", "title": plain(title), "counts": parts})

    def timeline(self, title: str, spans: Sequence[Mapping[str, Any]]) -> None:
        """Record what held each row from when to when, such as the member that owned a partition.

        A span has row, start, end and what; times are seconds since the scenario's start.
        """
        drawable = [span for span in map(_span, spans[:MOST_SPANS]) if span is not None]
        self.items.append(
            {
                "kind": "timeline",
                "title": plain(title),
                "spans": drawable,
                "left_out": len(spans) - len(drawable),
            }
        )

    def series(
        self,
        title: str,
        series: Mapping[Any, Sequence[tuple[float, float | None]]],
        unit: str = "",
    ) -> None:
        """Record values as they changed, as pairs of seconds and value; none breaks the line."""
        lines = {}
        left_out = 0
        for name, given in list(series.items())[:MOST_LINES]:
            points = [
                (time, _measured(value))
                for time, value in ((_measured(time), value) for time, value in given)
                if time is not None
            ]
            kept = _thinned(points)
            left_out += len(given) - len(points) + _values(points) - _values(kept)
            lines[str(plain(name))] = [[time, value] for time, value in kept]
        self.items.append(
            {
                "kind": "series",
                "title": plain(title),
                "unit": plain(unit),
                "lines": lines,
                "lines_left_out": max(0, len(series) - MOST_LINES),
                "left_out": left_out,
            }
        )

    def number(self, name: str, value: float, unit: str = "") -> None:
        """Record one measured or counted value."""
        self.items.append(
            {"kind": "number", "name": plain(name), "value": plain(value), "unit": plain(unit)}
        )

    def note(self, text: str) -> None:
        """Record a sentence, such as the words of an error."""
        self.items.append({"kind": "note", "text": plain(text)})


def plain(value: object) -> str | int | float | bool | None:
    """A value as JSON takes it: bytes and objects as text, long text cut with a word.

    Bytes are shown as Python writes them, so that binary content stays
    unmistakable; UTF-8 without control characters is shown as text. Numbers
    that JSON does not know (not a number, infinity, huge ones) become text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < HUGE:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    text = _as_text(value)
    if len(text) > LONGEST_TEXT:
        return f"{text[:LONGEST_TEXT]}... ({len(text)} characters)"
    return text


def _as_text(value: object) -> str:
    if isinstance(value, int):
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, bytes | bytearray | memoryview):
        return _readable(bytes(value))
    try:
        text = str(value)
    except Exception as error:  # noqa: BLE001 - whatever an observed object does, the test goes on
        return f"a {type(value).__name__} that cannot be shown ({type(error).__name__})"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _readable(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return repr(value)
    return text if text.isprintable() else repr(value)


def _span(span: Mapping[str, Any]) -> dict[str, Any] | None:
    """A span as data; none if there is no telling where it starts or ends."""
    start, end = _measured(span.get("start")), _measured(span.get("end"))
    if start is None or end is None or end < start:
        return None
    row, what = str(plain(span.get("row"))), str(plain(span.get("what")))
    return {"row": row, "start": start, "end": end, "what": what}


def _measured(value: Any) -> float | None:
    """A number that can be drawn; none for infinite and huge ones, and for what is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < HUGE else None


def _thinned(points: list[Point]) -> list[Point]:
    """At most MOST_POINTS values: evenly chosen, and the highest; what was broken stays broken."""
    if len(points) <= MOST_POINTS:
        return points
    values = [at for at, (_, value) in enumerate(points) if value is not None]
    if len(values) > MOST_POINTS:
        highest = max(values, key=lambda at: points[at][1] or 0)
        steps = MOST_POINTS - 2
        even = (values[step * (len(values) - 1) // steps] for step in range(steps + 1))
        values = sorted({*even, highest})
    kept = []
    after = 0
    for at in values:
        kept += [point for point in points[after:at] if point[1] is None][:1]
        kept.append(points[at])
        after = at + 1
    return kept


def _values(points: list[Point]) -> int:
    return sum(value is not None for _, value in points)
