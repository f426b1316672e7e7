"""Another client sees what kafkalab says it sees: kcat, where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.contracts.routing import KeyedRecord
from kafkalab.demo import user_events
from kafkalab.solutions import Solutions

pytestmark = pytest.mark.skipif(
    shutil.which("kcat") is None, reason="kcat is not installed: apt-get install kcat"
)

REFERENCE = Solutions(None)

# kcat reads 30 records in a moment; on a loaded machine it may take some seconds.
KCAT_LIMIT = 60


def kcat(real_broker: EmbeddedBroker, *arguments: str, text: str = "") -> str:
    """What kcat prints."""
    command = ["kcat", "-b", real_broker.bootstrap, "-q", *arguments]
    ended = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=KCAT_LIMIT, check=True
    )
    return ended.stdout


def test_kcat_reads_the_same_log(real_broker: EmbeddedBroker) -> None:
    """What the publisher wrote and the reader reads, kcat reads too: place, key and value."""
    config = real_broker.client_properties()
    REFERENCE.routing.publish(config, user_events(topic="seen"))

    ours = {
        (each.partition, each.offset, each.key, each.value)
        for each in REFERENCE.partition_log.read_to_end(config, ["seen"])
    }

    rows = [
        json.loads(line) for line in kcat(real_broker, "-C", "-t", "seen", "-e", "-J").splitlines()
    ]
    theirs = {
        (row["partition"], row["offset"], row["key"].encode(), row["payload"].encode())
        for row in rows
    }
    assert len(theirs) == 30
    assert ours == theirs


def test_kcat_places_keys_as_predicted(real_broker: EmbeddedBroker) -> None:
    """Keys that kcat publishes are where the partition function says, as the publisher's are."""
    keys = [f"user-{number}" for number in range(50)]
    config = real_broker.client_properties()

    kcat(real_broker, "-P", "-t", "seen", "-K", ":", text="".join(f"{key}:kcat\n" for key in keys))
    REFERENCE.routing.publish(config, [KeyedRecord("seen", key, b"publish") for key in keys])

    places: dict[str, set[int]] = {}
    for each in REFERENCE.partition_log.read_to_end(config, ["seen"]):
        places.setdefault((each.key or b"").decode(), set()).add(each.partition)
    assert places == {key: {REFERENCE.routing.crc32_partition(key, 3)} for key in keys}
