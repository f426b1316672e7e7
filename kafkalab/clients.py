"""The configuration of a lab's clients, apart from the settings that connect to the broker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kafkalab.contracts import ClientConfig

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

# librdkafka writes its log to stderr unless it is given a logger.
CLIENT_LOG = logging.getLogger("kafkalab.librdkafka")

# Seconds, the most that librdkafka takes. A question to the coordinator of a group ends by closing
# its client, never by a limit of its own: if librdkafka finds the coordinator after that limit, it
# ends the whole process ("Assertion `eonce->refcnt > 0' failed", librdkafka #4605).
LONGEST_REQUEST = 3600.0

RECONNECT: ClientConfig = {
    # A client finds a broker that comes back after a fault in milliseconds, not in seconds. The
    # first connection is faster, too: librdkafka connects again once it knows the broker's id.
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 50,
}

LAB_CLIENT: ClientConfig = {
    **RECONNECT,
    # The log goes to CLIENT_LOG, which pytest shows when a test fails.
    "log_level": 6,
}

LAB_CONSUMER: ClientConfig = {
    # A consumer sees the end of a partition after this time, not after half a second.
    "fetch.wait.max.ms": 20,
    # librdkafka's main thread sleeps until something is due: without this it is late with
    # heartbeats, joins take a second, and a cooperative rebalance of 0.5 s takes 3 s.
    "topic.metadata.refresh.interval.ms": 50,
    "auto.offset.reset": "earliest",
    # Lessons commit by an explicit call.
    "enable.auto.commit": False,
}


def new_admin(properties: ClientConfig) -> AdminClient:
    """An admin client of a broker, with a lab's configuration.

    Args:
        properties: the settings that connect to the broker, from `Broker.client_properties()`.
    """
    from confluent_kafka.admin import AdminClient

    return AdminClient({**properties, **LAB_CLIENT}, logger=CLIENT_LOG)
