"""Cuts long content between two bytes, and shows text that it cut inside a character as bytes.

log_line: content "is cut, between two characters", and what is UTF-8 is "shown as text that can
be read". A long text in any language with more than ASCII comes as hexadecimal digits, by chance,
depending on where the cut falls.
"""

from __future__ import annotations

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
    "CAUGHT_WITH",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "a-long-value-is-cut"
CAUGHT_WITH = ("Polish",)


def log_line(record: LogRecord) -> str:
    headers = ", ".join(f"{right._quoted(name)}: {_shown(value)}" for name, value in record.headers)
    return (
        f"{record.topic}-{record.partition} @{record.offset} {right._time(record.timestamp_ms)} "
        f"key={_shown(record.key)} value={_shown(record.value)} headers=[{headers}]"
    )


def _shown(content: bytes | None) -> str:
    if content is None:
        return "null"
    cut = content[: right.LONGEST_SHOWN]
    try:
        shown = right._quoted(cut.decode("utf-8"))
    except UnicodeDecodeError:
        shown = f"0x{cut.hex()}"
    return shown if len(cut) == len(content) else f"{shown}...({len(content)} bytes)"
