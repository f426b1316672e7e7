"""Shows the headers by their names, and not in their order."""

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
    return right.log_line(record._replace(headers=tuple(sorted(record.headers, key=str))))
