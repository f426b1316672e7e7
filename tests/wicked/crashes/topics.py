"""Reads memory that is not its own."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    ctypes.string_at(0)
