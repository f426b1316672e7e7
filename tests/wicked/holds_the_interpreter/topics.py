"""Counts for ever inside one call that lets no other Python code run, nor a signal be handled."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    return sum(itertools.repeat(0))
