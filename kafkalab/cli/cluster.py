"""The Kafka that a command works on: the cluster that was named, or the lab that is up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.brokers.choose import starter_of
from kafkalab.brokers.distribution import pinned_version
from kafkalab.brokers.errors import BrokerError, ClusterRefuses, NoLab
from kafkalab.brokers.external import ExternalBackend, connect
from kafkalab.brokers.live import Labs
from kafkalab.cli import output
from kafkalab.config import Settings

# Seconds in which a broker that is restarted answers again.
GONE_AFTER = 5.0


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

    @property
    def impatient(self) -> dict[str, Any]:
        """The same properties for a client that gives up where no broker is left.

        A client of librdkafka tries for ever, and tells that all brokers are down by a callback
        alone. What that raises comes out of the client's own call.
        """

        def give_up(error: KafkaError) -> None:
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                # One that was restarted answers again: then it goes on.
                AdminClient(self.properties).list_topics(timeout=GONE_AFTER)

        return {**self.properties, "error_cb": give_up}


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
        raise refused(what, error.args[0]) from error
    except KafkaError as error:  # type: ignore[misc]  # its stubs call it no exception
        # What a callback raises comes out of the client's call as what it was made of.
        raise refused(what, error) from error
    except BrokenPipeError:
        output.end_with_the_pipe()


def refused(what: str, error: KafkaError) -> BrokerError:
    """What Kafka said, as one line."""
    return refused_by(what, f"{error.str().rstrip('.')} ({error.name()})")


def refused_by(what: str, why: str) -> BrokerError:
    """That something was not done, as one line."""
    return ClusterRefuses(
        f"Kafka did not do what it was asked for, {what}: {why}.",
        suspect="a name that is not there, a right that is missing, or a broker that is gone.",
        remedy="`kafkalab topics list` shows what there is; `kafkalab ps` whether the lab is up.",
    )
