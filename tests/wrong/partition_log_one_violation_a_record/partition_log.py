"""Reports a record that breaks both orders once only, as disorder in its partition.

"A violation for each record that is out of order: two if both orders are broken." Here the disorder
of its key is not reported, and a record that came twice looks like a matter of one partition.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from kafkalab.contracts.partition_log import Checked, LogRecord, Violation, sequence_of
from kafkalab.tasks.partition_log import follow, from_json, log_line, progress, read_to_end, to_json

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
    last: dict[Hashable, int] = {}
    violations: list[Violation] = []
    compared = 0

    def ascends(where: Hashable, number: int) -> bool:
        nonlocal compared
        before = last.get(where)
        last[where] = number
        compared += before is not None
        return before is None or number > before

    for record in records:
        place = f"{record.topic}-{record.partition}"
        key = f"key {record.key!r} of {record.topic}"
        in_partition = ascends((record.topic, record.partition), record.offset)
        of_key = record.key is None or ascends((record.topic, record.key), sequence(record))
        if not in_partition:
            text = f"{record.offset} came after an offset that is not less"
            violations.append(Violation("disorder in a partition", place, text))
        elif not of_key:
            text = f"{record.offset} has a number that is not greater than the one before it"
            violations.append(Violation("disorder of a key", key, text))
    return Checked(tuple(violations), compared)
