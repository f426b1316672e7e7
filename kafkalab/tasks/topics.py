"""Task 1.1: provision topics from definitions, and describe what the broker has.

Provisioning runs again and again, at every deployment, against topics that hold
data. So it reports what it found, creates what is missing, and never destroys anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import (
    REQUEST_LIMIT,
    Action,
    Drift,
    NotKnownEverywhere,
    PartitionDescription,
    Provisioned,
    TopicDefinition,
    TopicDescription,
)
from kafkalab.waiting import Expired, wait_until


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    """Create the topics that are missing, and report how the others differ.

    Topics that are not defined are not touched. On return every broker of the
    cluster knows every created and grown partition, with its leader.

    Args:
        config: how to reach the cluster.
        definitions: the topics, each name once.
        grow: add partitions to topics that have fewer than defined. Growing moves
            keys to other partitions, so it is done only on request. Kafka cannot
            take partitions away.

    Returns:
        One result for each definition, in their order.

    Raises:
        ValueError: a name is defined twice.
        KafkaException: the cluster cannot be reached.
        NotKnownEverywhere: a broker did not learn of a topic within REQUEST_LIMIT.
    """
    names = [definition.name for definition in definitions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"defined twice: {', '.join(twice)}")
    admin = AdminClient(dict(config))
    found = {description.name: description for description in describe_by(admin, names)}
    missing = [each for each in definitions if not found[each.name].exists]
    results = {each.name: each for each in _create(admin, missing)}
    for definition in definitions:
        description = found[definition.name]
        if not description.exists and _lost_a_race(results[definition.name]):
            description = _once_known(admin, definition.name)
        if description.exists:
            results[definition.name] = _compare(admin, definition, description, grow=grow)
    _wait_until_known_everywhere(admin, config, definitions, results)
    return [results[definition.name] for definition in definitions]


def what_would_be(
    admin: AdminClient, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    """What `provision` would do with each definition; this does nothing.

    Raises:
        KafkaException: the cluster cannot be reached.
    """
    planned = []
    found = describe_by(admin, [each.name for each in definitions])
    for definition, topic in zip(definitions, found, strict=True):
        drifts = drifts_of(definition, topic) if topic.exists else ()
        action = Action.DRIFTED if drifts else Action.UNCHANGED
        if not topic.exists:
            action = Action.CREATED
        elif grow and len(topic.partitions) < definition.partitions:
            action = Action.GROWN
            drifts = tuple(each for each in drifts if each.what != "partitions")
        planned.append(Provisioned(definition.name, action, drifts))
    return planned


def describe(config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
    """Describe what the broker has under these names, in their order; this creates nothing.

    Raises:
        KafkaException: the cluster cannot be reached.
    """
    return describe_by(AdminClient(dict(config)), names)


def describe_by(admin: AdminClient, names: Sequence[str]) -> list[TopicDescription]:
    """Describe as `describe` does, by an existing client."""
    if not names:
        return []
    asked = admin.describe_topics(TopicCollection(list(names)), request_timeout=REQUEST_LIMIT)
    known = {name: topic for name, future in asked.items() if (topic := _if_known(future))}
    settings = own_settings(admin, list(known))
    return [
        TopicDescription(
            name,
            exists=True,
            partitions=tuple(_partition(each) for each in known[name].partitions),
            settings=settings[name],
        )
        # A topic that is being deleted can be known to one answer and not to the next.
        if name in known and name in settings
        else TopicDescription(name, exists=False)
        for name in names
    ]


def _if_known(future: Future[Any]) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        # TOPIC_EXCEPTION: no topic can have that name, so none has.
        absent = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION)
        if error.args[0].code() in absent:
            return None
        raise


def _partition(info: Any) -> PartitionDescription:
    return PartitionDescription(
        id=info.id,
        leader=info.leader.id if info.leader is not None else None,
        replicas=tuple(node.id for node in info.replicas),
        in_sync=tuple(node.id for node in info.isr),
    )


def own_settings(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The own settings of each topic; topics that do not exist are left out."""
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    asked = admin.describe_configs(resources, request_timeout=REQUEST_LIMIT)
    return {
        resource.name: {
            entry.name: entry.value
            for entry in entries.values()
            if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
        }
        for resource, future in asked.items()
        if (entries := _if_known(future)) is not None
    }


def _create(admin: AdminClient, definitions: Sequence[TopicDefinition]) -> list[Provisioned]:
    if not definitions:
        return []
    new = [
        NewTopic(each.name, each.partitions, each.replicas, config=dict(each.settings))
        for each in definitions
    ]
    asked = admin.create_topics(new, operation_timeout=REQUEST_LIMIT, request_timeout=REQUEST_LIMIT)
    return [_outcome(name, future, Action.CREATED) for name, future in asked.items()]


def _outcome(name: str, future: Future[Any], action: Action) -> Provisioned:
    """The result of one future. A future that is not read hides its failure, so each is read."""
    try:
        future.result()
    except KafkaException as error:
        return Provisioned(name, Action.FAILED, error=_text(error))
    return Provisioned(name, action)


def _text(error: KafkaException) -> str:
    return f"{error.args[0].name()}: {error.args[0].str()}"


def _lost_a_race(result: Provisioned) -> bool:
    return result.error.startswith("TOPIC_ALREADY_EXISTS")


def _once_known(admin: AdminClient, name: str) -> TopicDescription:
    """Describe a topic that the controller has: the broker that is asked may learn of it later.

    If it is not known within REQUEST_LIMIT, it was deleted meanwhile: it does not exist.
    """
    try:
        return wait_until(
            lambda: describe_by(admin, [name])[0],
            lambda seen: seen.exists,
            limit=REQUEST_LIMIT,
            what=f"{name} to be known",
        )
    except Expired:
        return TopicDescription(name, exists=False)


def _compare(
    admin: AdminClient, definition: TopicDefinition, found: TopicDescription, *, grow: bool
) -> Provisioned:
    drifts = drifts_of(definition, found)
    has_fewer = len(found.partitions) < definition.partitions
    if grow and has_fewer:
        asked = admin.create_partitions(
            [NewPartitions(definition.name, definition.partitions)],
            operation_timeout=REQUEST_LIMIT,
            request_timeout=REQUEST_LIMIT,
        )
        grown = _outcome(definition.name, asked[definition.name], Action.GROWN)
        if grown.action is Action.GROWN:
            drifts = tuple(drift for drift in drifts if drift.what != "partitions")
        return Provisioned(grown.name, grown.action, drifts, grown.error)
    return Provisioned(definition.name, Action.DRIFTED if drifts else Action.UNCHANGED, drifts)


def drifts_of(definition: TopicDefinition, found: TopicDescription) -> tuple[Drift, ...]:
    """Each difference between a definition and the existing topic; replicas do not count."""
    drifts = []
    if len(found.partitions) != definition.partitions:
        drifts.append(Drift("partitions", str(definition.partitions), str(len(found.partitions))))
    for name in sorted({*definition.settings, *found.settings}):
        defined, has = definition.settings.get(name), found.settings.get(name)
        if defined != has:
            drifts.append(Drift(name, defined, has))
    return tuple(drifts)


def _wait_until_known_everywhere(
    admin: AdminClient,
    config: ClientConfig,
    definitions: Sequence[TopicDefinition],
    results: Mapping[str, Provisioned],
) -> None:
    """Ask until each broker knows the changed topics: they learn of them one after another.

    A client may ask any broker that it is connected to. So each request comes from a
    new client, and the answer names the broker that gave it.
    """
    changed = {
        each.name: each.partitions
        for each in definitions
        if results[each.name].action in (Action.CREATED, Action.GROWN)
    }
    if not changed:
        return
    cluster = admin.describe_cluster(request_timeout=REQUEST_LIMIT).result()
    brokers = {f"{node.host}:{node.port}" for node in cluster.nodes}
    knowing: set[str] = set()

    def ask_one_more() -> set[str]:
        metadata = AdminClient(dict(config)).list_topics(timeout=REQUEST_LIMIT)
        if _knows_all(metadata, changed):
            # librdkafka writes host:port/id, with sasl_ssl:// before it if it is not plaintext.
            address = (metadata.orig_broker_name or "").rpartition("/")[0]
            knowing.add(address.rpartition("://")[2])
        return knowing

    try:
        wait_until(
            ask_one_more,
            brokers.issubset,
            limit=REQUEST_LIMIT,
            what=f"each of {', '.join(brokers)} to know {', '.join(changed)}",
        )
    except Expired as expired:
        raise NotKnownEverywhere(str(expired)) from expired


def _knows_all(metadata: ClusterMetadata, changed: Mapping[str, int]) -> bool:
    # From the list of all topics: to ask for one by name can create it.
    topics = metadata.topics
    return all(
        name in topics
        and len(topics[name].partitions) >= partitions
        and all(partition.leader >= 0 for partition in topics[name].partitions.values())
        for name, partitions in changed.items()
    )
