"""Demands that offsets ascend over all that was read, as if a topic were one log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kafkalab.contracts.partition_log import Checked, LogRecord, sequence_of
from kafkalab.tasks import partition_log as right
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

CAUGHT_BY = "order-is-checked-where-it-holds"


def check_order(
    records: Sequence[LogRecord], sequence: Callable[[LogRecord], int] = sequence_of
) -> Checked:
    as_one_log = [each._replace(partition=0) for each in records]
    return right.check_order(as_one_log, sequence)
