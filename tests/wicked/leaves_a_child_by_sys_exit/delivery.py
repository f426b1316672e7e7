"""Leaves its process by sys.exit, as a script does."""

from __future__ import annotations

import sys
from typing import Any

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, auto_commit, exactly_once

__all__ = ["IdempotentSink", "at_least_once", "at_most_once", "auto_commit", "exactly_once"]


def at_most_once(consumer: Any, process: Process, stop: Stop) -> int:
    sys.exit(0)
