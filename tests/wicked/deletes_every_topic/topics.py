"""Deletes every topic that it finds, for seconds, and creates nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    admin, ends = AdminClient(dict(config)), time.monotonic() + 8
    while time.monotonic() < ends:
        if names := [name for name in admin.list_topics(timeout=10).topics if name[:2] != "__"]:
            admin.delete_topics(names)
        threading.Event().wait(0.05)
    return []
