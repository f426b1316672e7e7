"""The Kafka that a command works on: the cluster that was named, or the lab that is up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from kafkalab.brokers.choose import starter_of
from kafkalab.brokers.distribution import pinned_version
from kafkalab.brokers.errors import BrokerError, ClusterRefuses, NoLab
from kafkalab.brokers.external import ExternalBackend, connect
from kafkalab.brokers.live import Labs
from kafkalab.cli import output
from kafkalab.config import Settings


@dataclass(frozen=True)
class Cluster:
    """A Kafka that answers."""

    properties: dict[str, Any]
    """what each client of librdkafka needs"""
    title: str
    """what it is, as it is told to the user"""
    version: str
    """of its Kafka; empty where nobody told"""
    is_lab: bool
    java_properties: Path | None
    """a file with what each client of Java's needs, beside the servers; None where it needs none"""

    @property
    def bootstrap(self) -> str:
        """`host:port`, comma separated."""
        return str(self.properties["bootstrap.servers"])


def cluster_of(
    bootstrap: str | None,
    client_config: str | None,
    cache: str | None,
    kafka_version: str | None = None,
) -> Cluster:
    """The cluster that the options, or the environment, name; without one the lab that is up.

    Raises:
        BrokerError: no lab is up, or it is of another version than was asked for, or the cluster
            does not answer.
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
            suspect="it was ended, or another cache folder is in use.",
            remedy="start one with `kafkalab up`, or name yours with --bootstrap or --config.",
        )
    if settings.kafka_version and lab.mark.version != pinned_version(settings.kafka_version):
        raise NoLab(
            f"The lab that is up is Kafka {lab.mark.version}, not {settings.kafka_version}.",
            suspect="--kafka-version or KAFKALAB_KAFKA_VERSION is meant for another.",
            remedy="leave it out, or start another with `kafkalab down` and `kafkalab up`.",
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


@contextlib.contextmanager
def one_line(what: str) -> Iterator[None]:
    """Tell in one line what Kafka has refused in the block; a reader that went away is no error.

    Args:
        what: was tried, as in "to read orders".

    Raises:
        BrokerError: Kafka refused it, or does not answer.
        SystemExit: whoever read the output has left.
    """
    try:
        yield
    except KafkaException as error:
        raise refused(what, error) from error
    except BrokenPipeError:
        output.end_with_the_pipe()


def refused(what: str, error: KafkaException) -> BrokerError:
    """What Kafka said, as one line."""
    told = error.args[0]
    text = told.str() if hasattr(told, "str") else str(told)
    name = f" ({told.name()})" if hasattr(told, "name") else ""
    return refused_by(what, f"{text.rstrip('.')}{name}")


def refused_by(what: str, why: str) -> BrokerError:
    """That something was not done, as one line."""
    return ClusterRefuses(
        f"Kafka did not do what it was asked for, {what}: {why}.",
        suspect="a name that is not there, a right that is missing, or a broker that is gone.",
        remedy="`kafkalab topics list` shows what there is; `kafkalab ps` whether the lab is up.",
    )
