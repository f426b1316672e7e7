"""What a test observed, recorded as data before it asserts."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

# A page must stay readable, and small enough to open at once.
LONGEST_TEXT = 400
MOST_ROWS = 200
MOST_SPANS = 200
# A picture is too narrow to show more points, and a reader cannot distinguish more lines.
MOST_POINTS = 500
MOST_LINES = 28

# Time and value; the value is None if nothing could be measured.
Point = tuple[float, float | None]

Field = str | Callable[[Any], object]
"""a field of an object: the name of an attribute or of a method, or a function of the object"""

# Offsets and timestamps are 64 bits wide; of larger integers only the size is shown.
HUGE = 2**64

NUMBERS = re.compile(r"(\d+)")


class Evidence:
    """Collects a test's observations; tests never write HTML or pictures.

    Each call turns its values into data that JSON can hold, so that a test's own objects
    never travel between processes.
    """

    def __init__(self, began: float = 0.0, names: Mapping[str, str] | None = None) -> None:
        """Args:
        began: when the test began, on the monotonic clock; all its times count from here.
        names: texts to show in place of the run's names, as `rename` takes them.
        """
        self.items: list[dict[str, Any]] = []
        self._began = began
        self._names = dict(names or {})

    def renamed(self, text: str) -> str:
        """The text with the names that it shows in place of the run's."""
        return renamed(text, self._names)

    def rename(self, names: Mapping[str, str]) -> None:
        """Show other names for these from now on, such as `orders` for a topic's long name.

        A name is replaced everywhere in what is recorded, also within the words of an error. If
        one name is the beginning of another, the longer one is replaced.
        """
        self._names.update(names)

    def since(self, time: float) -> float:
        """Seconds from the test's beginning to a time on the monotonic clock, for tables."""
        return round(time - self._began, 3)

    def table(
        self,
        title: str,
        rows: Collection[Any],
        columns: Sequence[str] | Mapping[str, Field] = (),
        *,
        look: str = "",
    ) -> None:
        """Record rows of equal columns.

        Args:
            title: what the table shows.
            rows: mappings, of which the first one's keys are the column heads; or any objects.
            columns: for objects, the names of the fields to show; or each column's head
                with its field: a name, or a function of the object.
            look: says in a sentence or two what to look at and what it shows; facts always
                have it.
        """
        shown = [_row(each, columns) if columns else each for each in rows]
        heads = list(shown[0]) if shown else []
        body = [[self._plain(row.get(head)) for head in heads] for row in shown[:MOST_ROWS]]
        left_out = max(0, len(shown) - MOST_ROWS)
        self.items.append(
            {
                "kind": "table",
                "title": self._plain(title),
                "look": self._plain(look),
                "columns": [self._name(head) for head in heads],
                "rows": body,
                "left_out": left_out,
            }
        )

    def shares(
        self,
        title: str,
        counts: Mapping[Any, int | Mapping[str, int]],
        *,
        look: str = "",
        place: str = "partition",
    ) -> None:
        """Record how many records each place got, such as each partition; shown as a picture.

        The count of a place may be split into parts, such as the keys. `place` is the word for
        the places.
        """
        parts = {
            self._name(place): {self._name(part): int(n) for part, n in count.items()}
            if isinstance(count, Mapping)
            else {"": int(count)}
            for place, count in counts.items()
        }
        self.items.append(
            {
                "kind": "shares",
                "title": self._plain(title),
                "look": self._plain(look),
                "counts": parts,
                "place": self._plain(place),
            }
        )

    def timeline(self, title: str, spans: Sequence[Mapping[str, Any]], *, look: str = "") -> None:
        """Record what held each row at which time, such as the member that owned a partition.

        A span has row, start, end and what; times are on the monotonic clock.
        """
        drawable = [span for span in map(self._span, spans[:MOST_SPANS]) if span is not None]
        self.items.append(
            {
                "kind": "timeline",
                "title": self._plain(title),
                "look": self._plain(look),
                "spans": drawable,
                "left_out": len(spans) - len(drawable),
            }
        )

    def series(
        self,
        title: str,
        series: Mapping[Any, Sequence[tuple[float, float | None]]],
        unit: str = "",
        *,
        look: str = "",
    ) -> None:
        """Record how values changed, as pairs of time and value; None breaks the line.

        Times are on the monotonic clock.
        """
        lines = {}
        left_out = 0
        for name, given in list(series.items())[:MOST_LINES]:
            points = [
                (time, _measured(value))
                for time, value in ((self._seconds(time), value) for time, value in given)
                if time is not None
            ]
            kept = _thinned(points)
            left_out += len(given) - len(points) + _values(points) - _values(kept)
            lines[self._name(name)] = [[time, value] for time, value in kept]
        self.items.append(
            {
                "kind": "series",
                "title": self._plain(title),
                "look": self._plain(look),
                "unit": self._plain(unit),
                "lines": lines,
                "lines_left_out": max(0, len(series) - MOST_LINES),
                "left_out": left_out,
            }
        )

    def number(self, name: str, value: float, unit: str = "") -> None:
        """Record one measured or counted value."""
        self.items.append(
            {
                "kind": "number",
                "name": self._plain(name),
                "value": self._plain(value),
                "unit": self._plain(unit),
            }
        )

    def note(self, text: str, *values: object) -> None:
        """Record a sentence, such as the words of an error; each `{}` in it is a value in words."""
        said = text.format(*map(in_words, values)) if values else text
        self.items.append({"kind": "note", "text": self._plain(said)})

    def _plain(self, value: object) -> str | int | float | bool | None:
        return plain(value, self._names)

    def _name(self, value: object) -> str:
        """The name of a place, a row or a line, as a text."""
        shown = self._plain(value)
        return shown if isinstance(shown, str) else in_words(value)

    def _span(self, span: Mapping[str, Any]) -> dict[str, Any] | None:
        """A span as data; None if its start or end is unknown."""
        start, end = self._seconds(span.get("start")), self._seconds(span.get("end"))
        if start is None or end is None or end < start:
            return None
        row, what = self._name(span.get("row")), self._name(span.get("what"))
        return {"row": row, "start": start, "end": end, "what": what}

    def _seconds(self, time: Any) -> float | None:
        """Seconds since the test began; None for a time that cannot be drawn."""
        measured = _measured(time)
        return None if measured is None else measured - self._began


def _row(shown: object, columns: Sequence[str] | Mapping[str, Field]) -> dict[str, object]:
    """An object as a row: for each column its head, and the field's value."""
    fields = columns if isinstance(columns, Mapping) else {_head(name): name for name in columns}
    return {head: _field(shown, field) for head, field in fields.items()}


def _field(shown: object, field: Field) -> object:
    if not isinstance(field, str):
        return field(shown)
    value = getattr(shown, field)
    # The client's messages have methods for fields.
    return value() if callable(value) else value


def _head(name: str) -> str:
    return name.replace("_", " ")


def plain(
    value: object, names: Mapping[str, str] = MappingProxyType({})
) -> str | int | float | bool | None:
    """A value that JSON can hold: bytes and objects become words, and a long text is cut.

    Numbers that JSON does not know (not a number, infinity, huge ones) become text. `names`
    are replaced as in `Evidence.rename`.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return in_words(value)
    if isinstance(value, int) and abs(value) < HUGE:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    # An empty value is shown as empty, not as two quotation marks.
    text = "" if isinstance(value, str | bytes) and not value else in_words(value)
    text = renamed(text, names)
    if len(text) > LONGEST_TEXT:
        return f"{text[:LONGEST_TEXT]}... ({len(text)} characters)"
    return text


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with each of the names replaced; where two match, by the longer one."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text


def in_words(value: object) -> str:
    """A value in words, for a reader who knows no Python: `[]` is "nothing", `[b"a"]` is "a".

    Texts stay as they are. Bytes become text if they are UTF-8 without control characters, else
    hexadecimal digits.
    """
    try:
        text = _worded(value)
    except Exception as error:  # noqa: BLE001 - whatever an observed object does, the test goes on
        return f"a {type(value).__name__} that cannot be shown ({type(error).__name__})"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _worded(value: object) -> str:
    if isinstance(value, str) and not isinstance(value, Enum):
        return value or '""'
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name
    if isinstance(value, int) and abs(value) >= HUGE:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, bytes | bytearray | memoryview):
        return _readable(bytes(value)) or '""'
    if named := _named(value):
        return _listed(f"{in_words(name)}: {in_words(each)}" for name, each in named.items())
    if isinstance(value, set | frozenset):
        return _listed(sorted(map(in_words, value), key=by_number))
    if isinstance(value, Collection):
        nested = any(_is_many(each) for each in value)
        return _listed(map(in_words, value), "; " if nested else ", ")
    return _of_the_client(value)


def _named(value: Any) -> Mapping[Any, object]:
    """The named parts of a mapping, dataclass or named tuple; empty for other values."""
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else {}


def _listed(texts: Iterable[str], mark: str = ", ") -> str:
    return mark.join(texts) or "nothing"


def _is_many(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes)


def _of_the_client(value: object) -> str:
    """An object of Kafka's client in words; any other object as `str` shows it."""
    # A test that has an object of the client has imported it.
    client = sys.modules.get("confluent_kafka")
    if client is None:
        return str(value)
    if isinstance(value, client.KafkaException) and value.args:
        return in_words(value.args[0])
    if isinstance(value, client.KafkaError):
        return f"{value.name()}: {value.str()}"
    if isinstance(value, client.TopicPartition):
        offset = f" at offset {value.offset}" if value.offset >= 0 else ""
        return f"{value.topic}-{value.partition}{offset}"
    return str(value)


def by_number(name: str) -> list[tuple[bool, int, str]]:
    """The sort key that puts names in the order that a reader expects: 2 before 10."""
    parts = [part for part in NUMBERS.split(name) if part]
    digits = [part.lstrip("0") if part.isdecimal() else None for part in parts]
    # The number with more digits is the larger one; Python's `int` takes 4,300 digits at most.
    return [
        (False, 0, part) if digit is None else (True, len(digit), digit)
        for part, digit in zip(parts, digits, strict=True)
    ]


def _readable(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return text if text.isprintable() else repr(text)


def _measured(value: Any) -> float | None:
    """A number that can be drawn; None for infinite and huge ones, and for other values."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < HUGE else None


def _thinned(points: list[Point]) -> list[Point]:
    """At most MOST_POINTS values, evenly chosen, with the highest one; breaks of the line stay."""
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
