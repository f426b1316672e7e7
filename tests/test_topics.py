"""Task 1.1's reference, beyond what its facts ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka.admin import AdminClient

from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.contracts.topics import Action, NotKnownEverywhere, TopicDefinition, TopicDescription
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


def test_a_topic_of_another_client_is_compared_once_it_is_known(
    real_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a topic exists already and no broker knows it yet, provisioning waits, and compares it."""
    looks = 0

    def learns_late(admin: AdminClient, names: Sequence[str]) -> list[TopicDescription]:
        nonlocal looks
        looks += 1
        if looks <= 2:
            return [TopicDescription(name, exists=False) for name in names]
        return describe_by(admin, names)

    describe_by = reference.describe_by
    monkeypatch.setattr(reference, "describe_by", learns_late)

    (result,) = Solutions(None).topics.provision(
        real_broker.client_properties(), [TopicDefinition("seen", 1)]
    )

    assert (result.action, result.error) == (Action.DRIFTED, "")
    assert [(each.defined, each.found) for each in result.drifts] == [("1", "3")]
