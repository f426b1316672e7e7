"""Deletes the topics that it is to read, and then reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import check_order, follow, from_json, log_line, progress, to_json

__all__ = ["check_order", "follow", "from_json", "log_line", "progress", "read_to_end", "to_json"]


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    admin = AdminClient({name: config[name] for name in config if name.startswith("bootstrap")})
    for future in admin.delete_topics(list(topics)).values():
        future.result()
    yield from right.read_to_end(config, topics, limit=limit)
