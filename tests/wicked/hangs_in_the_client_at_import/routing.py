"""Waits for ever, inside the client, when it is imported."""

import os
from pathlib import Path

from confluent_kafka import Consumer

# Each import leaves a line, so that the test can count them.
with (Path(os.environ["WICKED_RUN"]) / "imports").open("a", encoding="utf-8") as imports:
    imports.write("routing\n")

settings = {"bootstrap.servers": "127.0.0.1:1", "group.id": "none", "log_level": 0}

Consumer(settings).list_topics()
