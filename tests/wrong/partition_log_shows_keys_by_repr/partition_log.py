"""Shows a key as Python writes it, so that no other alphabet can be read."""

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
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "a-line-tells-everything"


def log_line(record: LogRecord) -> str:
    line = right.log_line(record._replace(key=None))
    return line if record.key is None else line.replace("key=null", f"key={record.key!r}", 1)
