"""Find the Kafka that a command works on: the cluster that the user named, or the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from kafkalab.brokers.choose import starter_of
from kafkalab.brokers.distribution import pinned_version
from kafkalab.brokers.errors import BrokerError, ClusterRefuses, NoLab
from kafkalab.brokers.external import ExternalBackend, connect
from kafkalab.brokers.live import Labs
from kafkalab.config import Settings

# Seconds within which a restarted broker answers again.
GONE_AFTER = 5.0


@dataclass(frozen=True)
class Cluster:
    """A Kafka that answers."""

    properties: dict[str, Any]
    """the properties that each librdkafka client needs"""
    title: str
    """its description for the user"""
    version: str
    """the version of its Kafka; empty if unknown"""
    is_lab: bool
    java_properties: Path | None
    """a file with the properties that Java clients need besides the servers; None if none"""

    @property
    def bootstrap(self) -> str:
        """`host:port`, comma separated."""
        return str(self.properties["bootstrap.servers"])

    @property
    def impatient(self) -> dict[str, Any]:
        """The same properties for a client that gives up if no broker is left.

        A librdkafka client tries for ever; it reports only by a callback that all brokers are
        down. An exception from the callback comes out of the client's own call.
        """

        def give_up(error: KafkaError) -> None:
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                # If a broker was only restarted, it answers here, and the client goes on.
                AdminClient(self.properties).list_topics(timeout=GONE_AFTER)

        return {**self.properties, "error_cb": give_up}


def cluster_of(
    bootstrap: str | None,
    client_config: str | None,
    cache: str | None,
    kafka_version: str | None = None,
) -> Cluster:
    """The cluster that the options or the environment name, else the lab that is up.

    Raises:
        BrokerError: no lab is up, or the lab has another version than the user named, or the
            cluster does not answer.
    """
    settings = Settings.from_environment(
        bootstrap=bootstrap, client_config=client_config, cache=cache, kafka_version=kafka_version
    )
    if settings.bootstrap or settings.client_config:
        return _named(settings)
    lab = Labs(settings.cache).find()
    if lab is None:
        raise NoLab(
            "No lab is up, and no cluster was named.",
            suspect="the lab was ended, or another cache folder is in use.",
            remedy="start one with `kafkalab up`, or name yours with --bootstrap or --config.",
        )
    if settings.kafka_version and lab.mark.version != pinned_version(settings.kafka_version):
        raise NoLab(
            f"The lab that is up is Kafka {lab.mark.version}, not {settings.kafka_version}.",
            suspect="--kafka-version or KAFKALAB_KAFKA_VERSION is meant for another Kafka.",
            remedy="leave it out, or start another lab with `kafkalab down` and `kafkalab up`.",
        )
    broker = lab.attached(starter_of(lab, settings.cache))
    return Cluster(
        {**broker.client_properties(), "log_level": 0},
        f"the lab that is up at {broker.bootstrap}",
        lab.mark.version,
        is_lab=True,
        java_properties=None,
    )


def _named(settings: Settings) -> Cluster:
    backend = ExternalBackend(settings.bootstrap, settings.client_config, settings.kafka_version)
    properties = backend.properties
    _, nodes = connect(properties)
    return Cluster(
        {
            **properties.librdkafka,
            "bootstrap.servers": ",".join(nodes.values()),
            "log_level": 0,
        },
        backend.describe(),
        settings.kafka_version,
        is_lab=False,
        java_properties=settings.client_config,
    )


def refused(what: str, error: KafkaError) -> BrokerError:
    """The error for a request that Kafka refused, with Kafka's own reason."""
    return refused_by(what, f"{error.str().rstrip('.')} ({error.name()})", error.name())


def refused_by(what: str, why: str, code: str = "") -> BrokerError:
    """The error for a request that Kafka did not carry out, with a reason.

    Args:
        what: the request.
        why: the reason.
        code: the name of Kafka's error code; empty if there is none.
    """
    explained = f"; `kafkalab why {code}` explains the error" if code else ""
    return ClusterRefuses(
        f"Kafka did not do what it was asked for, {what}: {why}.",
        suspect="a name that does not exist, a missing right, or a broker that is gone.",
        remedy="`kafkalab topics list` shows what there is; `kafkalab ps` whether the lab is up"
        f"{explained}.",
    )
