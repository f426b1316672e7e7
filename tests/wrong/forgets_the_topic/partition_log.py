"""Tells partitions and keys apart, and no topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kafkalab.contracts.partition_log import Checked, LogRecord, sequence_of
from kafkalab.tasks import partition_log as right
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
    return right.check_order([each._replace(topic="t") for each in records], sequence)
