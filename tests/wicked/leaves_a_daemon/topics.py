"""Leaves a process of its own behind, in a session of its own, and creates nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            threading.Event().wait()
        os._exit(0)
    os.wait()
    return []
