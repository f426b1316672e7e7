"""Never returns, in a process that is to be killed."""

from __future__ import annotations

import threading
from typing import Any

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, auto_commit, exactly_once

__all__ = ["IdempotentSink", "at_least_once", "at_most_once", "auto_commit", "exactly_once"]


def at_most_once(consumer: Any, process: Process, stop: Stop) -> int:
    threading.Event().wait()
    return 0
