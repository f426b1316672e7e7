"""Task 1.1: what is a topic made of, and what may change?

Write `topics.py` with two functions: `provision` creates topics from definitions, and
`describe` reports what the broker has.

Provisioning runs again and again, at every deployment, against topics that hold data.
So it reports what it found, creates what is missing, and never destroys anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from kafkalab.contracts import ClientConfig

REQUEST_LIMIT = 30.0
"""Seconds for one request to the cluster; librdkafka's own limit is a minute."""


@dataclass(frozen=True)
class TopicDefinition:
    """What a topic should be."""

    name: str
    partitions: int = 1
    replicas: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    """the topic's own settings; all others are the broker's defaults"""


class Action(StrEnum):
    """What provisioning did with one topic."""

    CREATED = "created"
    """it was not there"""
    UNCHANGED = "unchanged"
    """it is as defined"""
    GROWN = "grown"
    """it got partitions"""
    DRIFTED = "drifted"
    """it is not as defined, and nothing was done about it"""
    FAILED = "failed"
    """the broker refused to create it, or to add partitions"""


@dataclass(frozen=True)
class Drift:
    """One difference between a definition and the broker."""

    what: str
    """`partitions`, or the name of a setting"""
    defined: str | None
    """as text, such as "3"; None: the definition leaves the setting to its default"""
    found: str | None
    """as text; None: the topic leaves the setting to its default"""


@dataclass(frozen=True)
class Provisioned:
    """The result for one definition."""

    name: str
    action: Action
    drifts: tuple[Drift, ...] = ()
    """every difference that is left, in any order"""
    error: str = ""
    """if it failed: the broker's error, its name (`KafkaError.name()`) and its text"""


@dataclass(frozen=True)
class PartitionDescription:
    """One partition as the broker has it. Brokers are named by their ids."""

    id: int
    """counted from 0"""
    leader: int | None
    """None while there is none"""
    replicas: tuple[int, ...]
    """in the broker's order"""
    in_sync: tuple[int, ...]


@dataclass(frozen=True)
class TopicDescription:
    """A topic as the broker has it; for an unknown one `exists` is False, and the rest is empty."""

    name: str
    exists: bool
    partitions: tuple[PartitionDescription, ...] = ()
    """by their ids, ascending"""
    settings: Mapping[str, str] = field(default_factory=dict)
    """the topic's own settings (source DYNAMIC_TOPIC_CONFIG), without defaults"""


class NotKnownEverywhere(Exception):
    """A topic was created or grown, and a broker did not learn of it within REQUEST_LIMIT."""


class Topics(Protocol):
    """What `topics.py` has to offer."""

    def provision(
        self, config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
    ) -> list[Provisioned]:
        """Create the topics that are missing, and report how the others differ.

        - A topic that is missing is created as defined: CREATED.
        - A topic that is there is compared: UNCHANGED, or DRIFTED with each difference.
          It keeps its records, settings and id: it is never deleted and created again.
          The comparison covers the number of partitions, and the topic's own settings: those
          that are defined, and those that the topic has and the definition does not. Replicas
          are not compared.
        - With `grow`, a topic that has fewer partitions than defined gets the missing ones:
          GROWN, with the differences that are left, those in settings. Kafka cannot take
          partitions away: a topic with more than defined is DRIFTED.
        - A topic that the broker refuses, for an illegal name or more replicas than brokers
          for example, is FAILED with the broker's error. The other topics are not affected.
        - A topic that another client created meanwhile is compared like any that was there.
        - Topics that are not defined are not touched.

        On return every broker of the cluster knows every created and grown partition, with
        its leader: a client may ask any of them. The broker's answer to a creation does not
        mean that, only that the controller has decided.

        Args:
            config: how to reach the cluster.
            definitions: the topics, each name once.
            grow: whether to add partitions. That moves keys to other partitions, so it is
                done only on request.

        Returns:
            One result for each definition, in their order.

        Raises:
            ValueError: a name is defined twice; nothing was done then.
            KafkaException: the cluster cannot be reached.
            NotKnownEverywhere: see that class.
        """
        ...

    def describe(self, config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
        """Describe what the broker has under these names, now.

        This creates nothing, even if the broker lets clients create topics by asking for them.

        Args:
            config: how to reach the cluster.
            names: of topics, each once; some may be unknown. A name that no topic can have
                is unknown too.

        Returns:
            One description for each name, in their order.

        Raises:
            KafkaException: the cluster cannot be reached, or refused to answer. That is not
                the same as an unknown topic.
        """
        ...
