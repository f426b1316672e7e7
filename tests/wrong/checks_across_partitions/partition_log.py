"""Demands that offsets ascend over all that was read, as if a topic were one log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kafkalab.contracts.partition_log import Checked, LogRecord, sequence_of
from kafkalab.observe.checks import ascending, order_per_key
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
    offsets = ascending(((each.topic, each.offset) for each in records), name="disorder in a topic")
    keys = order_per_key(records, sequence)
    return Checked(offsets.violations + keys.violations, offsets.compared + keys.compared)
