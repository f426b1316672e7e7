"""Demo data: the topics of a shop, and what happens in them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

from kafkalab.contracts.routing import KeyedRecord
from kafkalab.contracts.topics import TopicDefinition

DEMO_TOPICS = (
    TopicDefinition("user-events", partitions=3, settings={"retention.ms": "604800000"}),
    TopicDefinition("orders", partitions=6, settings={"min.insync.replicas": "1"}),
    TopicDefinition("payments", partitions=4),
    TopicDefinition("customers", partitions=2, settings={"cleanup.policy": "compact"}),
    TopicDefinition("audit-log", partitions=1, settings={"retention.ms": "-1"}),
)
"""Five topics of a shop: events, orders, payments, a compacted table, a log kept for ever."""

ACTIONS = ("view", "search", "add-to-cart", "checkout")
CITIES = ("Lisbon", "Kraków", "München", "São Paulo", "東京")


def user_events(
    *, users: int = 3, per_user: int = 10, seed: int = 1, topic: str = "user-events"
) -> list[KeyedRecord]:
    """Events of a shop's users, keyed by user; by default 30 records in 3 keys.

    Each value is JSON with the user's own `sequence`, counted from 0. The events of
    different users are mixed; the events of each user stay in order.
    """
    dice = random.Random(seed)
    return [
        _record(
            topic,
            f"user-{user}",
            sequence,
            action=dice.choice(ACTIONS),
            city=dice.choice(CITIES),
            page=f"/product/{dice.randrange(1000)}",
        )
        for user, sequence in _interleaved(users, per_user, dice)
    ]


def orders(
    *, count: int = 20, per_order: int = 10, seed: int = 1, topic: str = "orders"
) -> list[KeyedRecord]:
    """The steps of orders, keyed by order; each value is JSON with the order's `sequence`."""
    dice = random.Random(seed)
    return [
        _record(
            topic,
            f"order-{1000 + number}",
            sequence,
            status="created" if sequence == 0 else f"step {sequence}",
            amount=round(dice.uniform(5, 500), 2),
            currency="EUR",
        )
        for number, sequence in _interleaved(count, per_order, dice)
    ]


def _interleaved(keys: int, per_key: int, dice: random.Random) -> Iterable[tuple[int, int]]:
    turns = [key for key in range(keys) for _ in range(per_key)]
    dice.shuffle(turns)
    next_number = [0] * keys
    for key in turns:
        yield key, next_number[key]
        next_number[key] += 1


def _record(topic: str, key: str, sequence: int, **payload: object) -> KeyedRecord:
    value = json.dumps({"key": key, "sequence": sequence, **payload}, ensure_ascii=False)
    return KeyedRecord(topic, key, value.encode("utf-8"))
