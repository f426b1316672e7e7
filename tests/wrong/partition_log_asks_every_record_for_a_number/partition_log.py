"""Asks each record for its number, also one without a key.

"Records without a key have no order by number": they need not have one, and the check dies of the
first that has none.
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
    numbers = {id(each): sequence(each) for each in records}
    return right.check_order(records, lambda each: numbers[id(each)])
