"""Compares each record with the highest before it, not with the one just before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kafkalab.contracts.partition_log import Checked, LogRecord, Violation, sequence_of
from kafkalab.tasks.partition_log import (
    follow,
    from_json,
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

CAUGHT_BY = "the-order-check-names-what-broke"


def check_order(
    records: Sequence[LogRecord], sequence: Callable[[LogRecord], int] = sequence_of
) -> Checked:
    latest: dict[tuple[str, str], int] = {}
    violations: list[Violation] = []
    compared = 0
    for record in records:
        for name, where, number in _numbers(record, sequence):
            before = latest.setdefault((name, where), number - 1)
            latest[name, where] = max(before, number)
            if number <= before:
                text = f"expected more than {before} next, saw {number}"
                violations.append(Violation(name, where, text))
            compared += 1
    return Checked(tuple(violations), compared - len(latest))


def _numbers(
    record: LogRecord, sequence: Callable[[LogRecord], int]
) -> Iterator[tuple[str, str, int]]:
    yield "disorder in a partition", f"{record.topic}-{record.partition}", record.offset
    if record.key is not None:
        yield "disorder of a key", f"key {record.key!r} of {record.topic}", sequence(record)
