"""How a lab's clients are configured, beside what reaches the broker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkalab.contracts import ClientConfig

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

# librdkafka writes its log to stderr unless it is given a logger.
CLIENT_LOG = logging.getLogger("kafkalab.librdkafka")

LAB_CLIENT: ClientConfig = {
    # A broker that comes back after a fault is found within this, not after seconds.
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 50,
    # Into CLIENT_LOG, which pytest shows when a test fails.
    "log_level": 6,
}

LAB_CONSUMER: ClientConfig = {
    # The end of a partition is seen after this, not after half a second.
    "fetch.wait.max.ms": 20,
    # librdkafka's main thread sleeps until something is due: without this it is late with
    # heartbeats, joins take a second, and a cooperative rebalance of 0.5 s takes 3 s.
    "topic.metadata.refresh.interval.ms": 50,
    "auto.offset.reset": "earliest",
    # Lessons commit when they mean to.
    "enable.auto.commit": False,
}


def new_admin(properties: ClientConfig) -> AdminClient:
    """An admin client of a broker, as a lab configures it.

    Args:
        properties: what reaches the broker, as `Broker.client_properties()` gives it.
    """
    from confluent_kafka.admin import AdminClient

    return AdminClient({**properties, **LAB_CLIENT}, logger=CLIENT_LOG)
