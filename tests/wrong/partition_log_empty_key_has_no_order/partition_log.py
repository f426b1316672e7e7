"""Leaves the records with an empty key out of the order by key.

LogRecord.key: "None means no key; an empty key is a key", and check_order lets only "records
without a key" out. Records with the key b"" all go to one partition and have an order; when it is
broken, the check does not see it.
"""

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
            before = latest.get((name, where))
            latest[name, where] = number
            if before is None:
                continue
            compared += 1
            if number <= before:
                text = f"expected more than {before} next, saw {number}"
                violations.append(Violation(name, where, text))
    return Checked(tuple(violations), compared)


def _numbers(
    record: LogRecord, sequence: Callable[[LogRecord], int]
) -> Iterator[tuple[str, str, int]]:
    yield "disorder in a partition", f"{record.topic}-{record.partition}", record.offset
    if record.key:
        yield "disorder of a key", f"key {record.key!r} of {record.topic}", sequence(record)
