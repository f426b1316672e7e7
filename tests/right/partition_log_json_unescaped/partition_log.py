"""Writes text as it is, and escapes only what JSON demands: files have no line ends there."""

from __future__ import annotations

import json

from kafkalab.contracts.partition_log import LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    from_json,
    log_line,
    progress,
    read_to_end,
)

__all__ = [
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]


def to_json(record: LogRecord) -> str:
    return json.dumps(right.as_data(record), ensure_ascii=False)
