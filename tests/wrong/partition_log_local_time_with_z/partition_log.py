"""Shows the local time, and calls it UTC.

log_line: "The time is a date of the calendar in UTC, as in 2024-01-01T00:00:00.000Z". On a
machine that is not in UTC all times are hours off, and the Z says that they are not.
"""

from __future__ import annotations

from datetime import datetime

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

CAUGHT_BY = "a-line-shows-any-time"
CAUGHT_WITH = ("Asia/Kolkata",)


def log_line(record: LogRecord) -> str:
    headers = ", ".join(
        f"{right._quoted(name)}: {right._shown(value)}" for name, value in record.headers
    )
    return (
        f"{record.topic}-{record.partition} @{record.offset} {_time(record.timestamp_ms)} "
        f"key={right._shown(record.key)} value={right._shown(record.value)} headers=[{headers}]"
    )


def _time(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return "no-timestamp"
    try:
        when = datetime.fromtimestamp(timestamp_ms / 1000)
    except (OverflowError, ValueError, OSError):
        return f"{timestamp_ms}ms"
    return f"{when.isoformat(timespec='milliseconds')}Z"
