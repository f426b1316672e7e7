"""Shows a value in full, however long it is."""

from __future__ import annotations

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

CAUGHT_BY = "a-long-value-is-cut"


def log_line(record: LogRecord) -> str:
    return (
        f"{record.topic}-{record.partition} @{record.offset} {record.timestamp_ms} "
        f"key={record.key!r} value={record.value!r} headers={record.headers!r}"
    )
