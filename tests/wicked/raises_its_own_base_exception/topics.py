"""Raises what `except Exception` does not catch."""

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
    raise type("Wicked", (BaseException,), {})("catch me")
