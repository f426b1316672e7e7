"""Kafka's own tools in the help of `kafkalab`; they are run by `kafkalab.kafka_tools`."""

from __future__ import annotations

from kafkalab.brokers.tools import TOOLS

HELP = (
    "Kafka's own tools run as they are, on the lab that is up: kafkalab kafka-topics --list. "
    f"There are {', '.join(TOOLS)}."
)
