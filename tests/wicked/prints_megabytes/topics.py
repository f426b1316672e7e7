"""Prints megabytes in colours, and creates nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    for _ in range(200_000):
        print("\x1b[31mall of it, in red\x1b[0m and once more in full length", flush=False)
    raise ValueError("after all that")
