"""Reads a line without a time or headers as a record that has none.

from_json: "ValueError: the line is not of that form: not JSON, other JSON, or something is
missing." A line that another tool wrote, or that lost its headers on the way, becomes a record
that was never in the log.
"""

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
    try:
        data = json.loads(line)
        headers = data.get("headers") or ()
        return LogRecord(
            data["topic"],
            data["partition"],
            data["offset"],
            right._from_json(data["key"]),
            right._from_json(data["value"]),
            data.get("timestamp_ms"),
            tuple((name, right._from_json(value)) for name, value in headers),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a record as to_json writes it: {line[:100]}") from error
