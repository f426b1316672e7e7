"""A client's own counters: librdkafka's statistics, as far as lessons need them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Producer

# The client emits statistics on a timer, and hands them over in poll().
INTERVAL_MS = 50
STATISTICS_LIMIT = 20.0


class Statistics:
    """Receives a client's statistics; each emission is the client's whole state at that time."""

    def __init__(self) -> None:
        self._emissions: list[str] = []

    def settings(self) -> dict[str, Any]:
        """The settings with which a client sends its statistics to this object."""
        return {"statistics.interval.ms": INTERVAL_MS, "stats_cb": self._emissions.append}

    def produce_requests(self, producer: Producer) -> int:
        """How many Produce requests a producer has sent, after all that it had to send.

        Raises:
            Expired: no statistics came within STATISTICS_LIMIT.
        """
        self._emissions.clear()
        wait_until(
            lambda: (producer.poll(0.05), len(self._emissions))[1],
            # The first may have been on its way before this call.
            lambda emitted: emitted >= 2,
            limit=STATISTICS_LIMIT,
            what="the client's statistics",
        )
        brokers = json.loads(self._emissions[-1])["brokers"].values()
        return sum(broker["req"].get("Produce", 0) for broker in brokers)
