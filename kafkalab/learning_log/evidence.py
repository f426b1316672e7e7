"""What a test observed, recorded as data before it asserts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# A page must stay readable, and small enough to open at once.
LONGEST_TEXT = 400
MOST_ROWS = 200


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
                "columns": columns,
                "rows": body,
                "left_out": left_out,
            }
        )

    def number(self, name: str, value: float, unit: str = "") -> None:
        """Record one measured or counted value."""
        self.items.append({"kind": "number", "name": name, "value": plain(value), "unit": unit})

    def note(self, text: str) -> None:
        """Record a sentence, such as the words of an error."""
        self.items.append({"kind": "note", "text": plain(text)})


def plain(value: object) -> str | int | float | bool | None:
    """A value as JSON takes it: bytes and objects as text, long text cut with a word.

    Bytes are shown as Python writes them, so that binary content stays
    unmistakable; UTF-8 without control characters is shown as text.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    text = _readable(value) if isinstance(value, bytes) else str(value)
    if len(text) > LONGEST_TEXT:
        return f"{text[:LONGEST_TEXT]}... ({len(text)} characters)"
    return text


def _readable(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return repr(value)
    return text if text.isprintable() else repr(value)
