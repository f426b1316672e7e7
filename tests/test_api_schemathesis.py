"""What the OpenAPI document says holds, whatever is asked: on a real broker, by schemathesis.

The stream is tested in test_api: an endless answer would hang it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from group_site import site
from hypothesis import HealthCheck, Phase, settings
from serving import Served, served

from kafkalab.brokers.cluster import Cluster
from kafkalab.web.app import create_app
from kafkalab.web.safety import Door

schemathesis = pytest.importorskip("schemathesis")

# Calls of each operation: fifty take half a minute, KAFKALAB_CALLS=500 is for a change of the
# API.
CALLS = int(os.environ.get("KAFKALAB_CALLS", "50"))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with site(tmp_path_factory.mktemp("fuzz")) as here, served(here, "--allow-foreign") as server:
        server.ask("POST", "/api/kafka/topics/provision", json={})
        yield server


def document() -> dict[str, Any]:
    """What the server tells of itself; it needs no Kafka for that."""
    nobody = Cluster({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, "", "", True, None)
    return create_app(nobody, Door("127.0.0.1")).openapi()


# Kafka refuses what no schema can tell: a setting that it does not know, more replicas than there
# are brokers, fewer partitions than before.
config = schemathesis.config.SchemathesisConfig.from_dict(
    {"checks": {"positive_data_acceptance": {"enabled": False}}}
)
schema = schemathesis.openapi.from_dict(document(), config=config).exclude(path="/api/kafka/events")


@schema.parametrize()
@settings(
    max_examples=CALLS,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_each_answer_is_as_the_document_says(case, api: Served) -> None:
    """No fault of the server's, no status, type or body that is not in the document."""
    case.call_and_validate(base_url=api.url, timeout=60)
    assert api.process.poll() is None, "the server goes on"
