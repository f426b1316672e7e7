"""Waits for ever, inside the client, when it is imported."""

from confluent_kafka import Consumer

Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "none", "log_level": 0}).list_topics()
