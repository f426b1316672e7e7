"""Stops its own process, as Ctrl-Z does."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)
