"""Shows the names of headers as they are, without escapes.

"The line has printable characters only": a name may be any text, such as one with a line end or an
escape sequence. Here such a header makes two lines of one, or clears the reader's screen.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from kafkalab.contracts.partition_log import LogRecord
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

CAUGHT_BY = "a-line-tells-everything"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 150


def log_line(record: LogRecord) -> str:
    headers = "; ".join(f"{name}={shown(value)}" for name, value in record.headers)
    place = f"{record.topic}/{record.partition}@{record.offset}"
    time = when(record.timestamp_ms)
    return f"{place} {time} {shown(record.key)} -> {shown(record.value)} [{headers}]"


def when(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return "without-time"
    try:
        date = EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return str(timestamp_ms)
    return date.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def shown(content: bytes | None) -> str:
    if content is None:
        return "none"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        short, size = "x" + content[:LONGEST].hex(), len(content)
    else:
        short, size = quoted(text[:LONGEST]), len(text)
    return short if size <= LONGEST else f"{short} ({len(content)} bytes)"


def quoted(text: str) -> str:
    return "'" + "".join(map(escaped, text)) + "'"


def escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\u{{{ord(character):x}}}"
