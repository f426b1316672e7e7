"""Writes bytes that are no text as text nevertheless, with a sign in place of what was there."""

from __future__ import annotations

import json

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
    headers = [(name, as_text(value)) for name, value in record.headers]
    texts = {"key": as_text(record.key), "value": as_text(record.value), "headers": headers}
    return json.dumps({**record._asdict(), **texts})


def from_json(line: str) -> LogRecord:
    data = json.loads(line)
    headers = tuple((name, as_bytes(value)) for name, value in data["headers"])
    contents = {"key": as_bytes(data["key"]), "value": as_bytes(data["value"])}
    return LogRecord(**{**data, **contents, "headers": headers})


def as_text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace")


def as_bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8")
