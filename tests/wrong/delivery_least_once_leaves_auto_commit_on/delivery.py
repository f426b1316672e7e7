"""Commits each record after it was processed, and has the client commit as well.

"Commit records only after they are processed, so that none is lost"; "a record that failed is not"
committed. With these SETTINGS the client commits on its timer, and when it is closed, all that it
has handed over: the record that was under way at a crash, and the record that failed, are skipped.
"""

from __future__ import annotations

from kafkalab.contracts import delivery as contract
from kafkalab.contracts.delivery import ConsumerSettings
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_least_once,
    at_most_once,
    auto_commit,
    exactly_once,
)

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "SETTINGS",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "a-failing-record-is-told"
CAUGHT_WITH = ("at-least-once",)

SETTINGS: ConsumerSettings = {
    **contract.SETTINGS,
    "at_least_once": {"enable.auto.commit": True, "auto.commit.interval.ms": 1000},
}
