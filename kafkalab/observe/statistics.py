"""What a client counts of itself: librdkafka's statistics, as far as lessons need them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Producer

# Statistics are emitted by the client itself, on a timer and out of poll().
INTERVAL_MS = 50
STATISTICS_LIMIT = 20.0


class Statistics:
    """Receives a client's statistics; each emission is the whole state at one moment."""

    def __init__(self) -> None:
        self._emissions: list[str] = []

    def settings(self) -> dict[str, Any]:
        """The settings by which a client tells its statistics to this object."""
        return {"statistics.interval.ms": INTERVAL_MS, "stats_cb": self._emissions.append}

    def produce_requests(self, producer: Producer) -> int:
        """How many Produce requests a producer has sent, after all that it had to send.

        Raises:
            Expired: no statistics came within STATISTICS_LIMIT.
        """
        self._emissions.clear()
        wait_until(
            lambda: (producer.poll(0.05), len(self._emissions))[1],
            # The first may have been on its way before this was asked.
            lambda emitted: emitted >= 2,
            limit=STATISTICS_LIMIT,
            what="the client's statistics",
        )
        brokers = json.loads(self._emissions[-1])["brokers"].values()
        return sum(broker["req"].get("Produce", 0) for broker in brokers)
