"""Shows the local time, and calls it UTC."""

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
    line = right.log_line(record)
    if record.timestamp_ms is None or record.timestamp_ms > 2**48:
        return line
    local = datetime.fromtimestamp(record.timestamp_ms / 1000)
    before = right.log_line(record._replace(timestamp_ms=None))
    shown = f"{local.isoformat(timespec='milliseconds')}Z"
    return before.replace("no-timestamp", shown)
