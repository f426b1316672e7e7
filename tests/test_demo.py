"""The demo data: each key's records in their order, and the same for a seed."""

from __future__ import annotations

import json

import pytest

from kafkalab.demo import orders, user_events


@pytest.mark.parametrize(
    ("records", "keys", "per_key"),
    [(user_events(), 3, 10), (user_events(users=50, per_user=12), 50, 12), (orders(), 20, 10)],
    ids=["three users", "fifty users", "orders"],
)
def test_demo_data_has_its_keys_in_order(records: list[object], keys: int, per_key: int) -> None:
    """Each key has as many records as were asked for, numbered in their order."""
    seen: dict[str, list[int]] = {}
    for record in records:
        payload = json.loads(record.value)  # type: ignore[attr-defined]
        assert payload["key"] == record.key  # type: ignore[attr-defined]
        seen.setdefault(payload["key"], []).append(payload["sequence"])

    assert len(seen) == keys
    assert all(numbers == list(range(per_key)) for numbers in seen.values())


def test_demo_data_is_the_same_for_a_seed() -> None:
    """A seed stands for its data, and another seed for other data."""
    assert user_events(seed=7) == user_events(seed=7) != user_events(seed=8)
