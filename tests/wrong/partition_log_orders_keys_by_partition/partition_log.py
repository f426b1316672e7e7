"""Compares the numbers of a key only within a partition.

"Each is compared with the one of that key read just before it, in any partition." A topic grows,
keys move, and an older record is read after a newer one: just this disorder is not found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kafkalab.contracts.partition_log import Checked, LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    follow,
    from_json,
    log_line,
    progress,
    read_to_end,
    sequence_of,
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
    by_partition: dict[tuple[str, int], list[LogRecord]] = {}
    for each in records:
        by_partition.setdefault((each.topic, each.partition), []).append(each)
    checked = [right.check_order(each, sequence) for each in by_partition.values()]
    return Checked(
        tuple(violation for each in checked for violation in each.violations),
        sum(each.compared for each in checked),
    )
