"""Writes each value as base64, also one that is text."""

from __future__ import annotations

import base64
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
    "CAUGHT_BY",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "json-round-trips"


def to_json(record: LogRecord) -> str:
    value = record.value
    data = json.loads(right.to_json(record))
    data["value"] = None if value is None else {"base64": base64.b64encode(value).decode()}
    return json.dumps(data)
