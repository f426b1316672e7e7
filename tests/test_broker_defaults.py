"""The tables of the guides that have defaults of the broker say what a broker has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)

from kafkalab.brokers import Broker
from kafkalab.observe.topics import ADMIN_LIMIT

GUIDES = Path(__file__).parents[1] / "docs" / "guides"
HEAD = "| setting | the broker's default | what it is |"
ROW = re.compile(r"\| `(?P<setting>[^`]+)` \| `(?P<default>[^`]+)` \|")


def rows_of(guide: Path) -> Iterator[tuple[str, str]]:
    """The settings and defaults in each table of that head."""
    for table in guide.read_text("utf-8").split(HEAD)[1:]:
        for row in table.partition("\n\n")[0].splitlines()[2:]:
            found = ROW.match(row)
            assert found, row
            yield found["setting"], found["default"]


def default_of(entry: ConfigEntry) -> str | None:
    """The default of a setting, which the lab's own value may hide."""
    each = [entry, *entry.synonyms.values()]
    (default,) = {
        str(one.value) for one in each if ConfigSource(one.source) is ConfigSource.DEFAULT_CONFIG
    }
    return default


@pytest.mark.parametrize("name", ["1_4_rebalance", "1_5_delivery"])
def test_a_table_has_the_brokers_defaults(name: str, broker: Broker, admin: AdminClient) -> None:
    """Whatever the lab sets."""
    resource = ConfigResource(ResourceType.BROKER, str(broker.node_ids[0]))
    asked = admin.describe_configs([resource], request_timeout=ADMIN_LIMIT)
    settings = asked[resource].result(ADMIN_LIMIT)

    rows = list(rows_of(GUIDES / f"{name}.md"))

    assert len(rows) > 3, "The guide has such a table."
    assert rows == [(setting, default_of(settings[setting])) for setting, _ in rows]
