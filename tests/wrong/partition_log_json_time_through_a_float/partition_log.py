"""Writes the time as a date, and reads it back by a float of seconds that is cut.

"`from_json` makes an equal record of it." Here many times near 1970 and in distant years come back
a millisecond too early: 1.001 s times 1000 is a little less than 1001, and `int` cuts it.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from kafkalab.contracts.partition_log import LogRecord
from kafkalab.tasks.partition_log import check_order, follow, log_line, progress, read_to_end

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
    data = record._asdict()
    data["key"], data["value"] = packed(record.key), packed(record.value)
    data["headers"] = [[name, packed(value)] for name, value in record.headers]
    data["timestamp_ms"] = date_of(record.timestamp_ms)
    return json.dumps(data)


def from_json(line: str) -> LogRecord:
    try:
        data = json.loads(line)
        return LogRecord(
            data["topic"],
            data["partition"],
            data["offset"],
            unpacked(data["key"]),
            unpacked(data["value"]),
            time_of(data["timestamp_ms"]),
            tuple((name, unpacked(value)) for name, value in data["headers"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"this is no record: {line[:100]}") from error


def date_of(timestamp_ms: int | None) -> str | int | None:
    if timestamp_ms is None:
        return None
    try:
        date = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return timestamp_ms
    return date.isoformat(timespec="milliseconds")


def time_of(date: str | int | None) -> int | None:
    if date is None or isinstance(date, int):
        return date
    return int(datetime.fromisoformat(date).timestamp() * 1000)


def packed(content: bytes | None) -> dict[str, str] | None:
    if content is None:
        return None
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def unpacked(data: Any) -> bytes | None:
    if data is None:
        return None
    if "text" in data:
        return str(data["text"]).encode()
    return base64.b64decode(data["base64"], validate=True)
