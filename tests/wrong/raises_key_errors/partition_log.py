"""Lets out what Python raises where something is missing."""

from __future__ import annotations

import json

from kafkalab.contracts.partition_log import LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    log_line,
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

CAUGHT_BY = "other-json-is-refused"


def from_json(line: str) -> LogRecord:
    data = json.loads(line)
    assert set(data) >= set(LogRecord._fields)
    return right.from_json(line)
