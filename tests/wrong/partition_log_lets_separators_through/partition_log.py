"""Escapes control characters only, and shows the separators of Unicode as they are.

log_line: "The line has printable characters only (`str.isprintable`)". A value with U+2028 breaks
the line in editors and in `splitlines`, and one with a no-break space looks like one with a
space.
"""

from __future__ import annotations

import unicodedata

from kafkalab.contracts.partition_log import LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    from_json,
    progress,
    read_to_end,
    to_json,
)

__all__ = [
    "CAUGHT_BY",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "a-line-is-unmistakable"


def log_line(record: LogRecord) -> str:
    headers = ", ".join(f"{_quoted(name)}: {_shown(value)}" for name, value in record.headers)
    return (
        f"{record.topic}-{record.partition} @{record.offset} {right._time(record.timestamp_ms)} "
        f"key={_shown(record.key)} value={_shown(record.value)} headers=[{headers}]"
    )


def _shown(content: bytes | None) -> str:
    if content is None:
        return "null"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return right._shown(content)
    shown = _quoted(text[: right.LONGEST_SHOWN])
    return shown if len(text) <= right.LONGEST_SHOWN else f"{shown}...({len(content)} bytes)"


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if unicodedata.category(character).startswith("C"):
        return character.encode("unicode_escape").decode("ascii")
    return character
