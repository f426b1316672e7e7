"""Task 1.1's reference, beyond what its facts ask for."""

from __future__ import annotations

import pytest

from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.contracts.topics import NotKnownEverywhere, TopicDefinition
from kafkalab.solutions import Solutions
from kafkalab.tasks import topics as reference


def test_a_broker_that_never_learns_is_told(
    real_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for the brokers ends within its limit, with the contract's own error."""
    monkeypatch.setattr(reference, "REQUEST_LIMIT", 2.0)
    monkeypatch.setattr(reference, "_knows_all", lambda *_: False)

    with pytest.raises(NotKnownEverywhere, match=r"^waited 2\.\d s for each of .* to know new;"):
        Solutions(None).topics.provision(real_broker.client_properties(), [TopicDefinition("new")])
