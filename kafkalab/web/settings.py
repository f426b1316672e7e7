"""The topics' own settings, as they were a few seconds ago."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.tasks.topics import own_settings

# Seconds after which the settings are fetched again.
FRESH = 5.0


class OwnSettings:
    """Answers at once for known topics, and fetches their settings again in the background.

    A broker returns all settings of a topic, with the defaults. For 200 topics that takes half
    a second, which is too long for a list of topics.
    """

    def __init__(self, admin: AdminClient) -> None:
        """Begin without any settings.

        Args:
            admin: fetches them.
        """
        self._admin = admin
        self._known: dict[str, Mapping[str, str]] = {}
        self._asked = -math.inf
        self._lock = threading.Lock()

    def of(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """The own settings of each topic; topics that do not exist are left out.

        Raises:
            KafkaException: Kafka does not answer.
        """
        if time.monotonic() - self._asked > FRESH and self._known:
            self._asked = time.monotonic()
            threading.Thread(target=self._refresh, args=(list(names),), daemon=True).start()
        if any(name not in self._known for name in names):
            with self._lock:
                missing = [name for name in names if name not in self._known]
                self._known |= own_settings(self._admin, missing)
        known = self._known
        return {name: dict(known[name]) for name in names if name in known}

    def forget(self, name: str) -> None:
        """Fetch a topic's settings again at its next listing: it was deleted, or created."""
        with self._lock:
            self._known.pop(name, None)

    def _refresh(self, names: Sequence[str]) -> None:
        try:
            found = own_settings(self._admin, names)
        except KafkaException:
            # The next request for the list reports that Kafka does not answer.
            return
        with self._lock:
            self._known = dict(found)
