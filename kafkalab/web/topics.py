"""Topics: list, show, create, grow, delete, provision, and their settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from confluent_kafka.admin import AdminClient, ConfigSource, OffsetSpec, PartitionMetadata
from fastapi import APIRouter, Query, Response
from pydantic import Field

from kafkalab.contracts import Place
from kafkalab.contracts.topics import (
    Action,
    Drift,
    PartitionDescription,
    Provisioned,
    TopicDefinition,
    TopicDescription,
)
from kafkalab.demo import DEMO_TOPICS
from kafkalab.observe.topics import (
    grow,
    is_internal,
    names_of,
    settings_of,
    wait_until_leaders_answer,
)
from kafkalab.readable import shortened
from kafkalab.tasks.rebalance import log_offsets_by
from kafkalab.tasks.routing import crc32_partition, murmur2_partition
from kafkalab.tasks.topics import describe_by, provision, what_would_be
from kafkalab.waiting import wait_until
from kafkalab.web.clients import ANSWER_LIMIT, Kafka
from kafkalab.web.given import OnHub, OnKafka, Strict, TopicInPath, TopicName, Whole
from kafkalab.web.problems import Problem, refused, responses

MOST_PARTITIONS = 1000
"""of a topic that is created or grown here: a laptop's broker opens files for each"""
MOST_REPLICAS = 10_000
"""that librdkafka accepts"""
MOST_DEFINITIONS = 100
MOST_SETTINGS = 100
MOST_KEYS = 100

Count = Annotated[Whole, Field(ge=1, le=MOST_PARTITIONS)]
SettingName = Annotated[str, Field(min_length=1, max_length=200)]
SettingValue = Annotated[str, Field(max_length=10_000)]
Settings = Annotated[
    dict[SettingName, SettingValue], Field(max_length=MOST_SETTINGS, default_factory=dict)
]

router = APIRouter(prefix="/api/kafka/topics", tags=["topics"])


class TopicRow(Strict):
    """A topic in the list."""

    name: str
    partitions: int
    replicas: int
    settings: dict[str, str] = Field(description="its own; all others are the broker's defaults")
    may_change: bool


class Partition(Strict):
    """One partition, as the broker describes it."""

    id: int
    leader: int | None = Field(description="the broker's id; null while there is none")
    replicas: list[int]
    in_sync: list[int]
    start: int | None = Field(description="the log's first offset; null if no leader answers")
    end: int | None = Field(
        description="the offset after the last one that readers of committed records get. "
        "End minus start is not the number of records: compaction and transactions leave gaps."
    )


class Topic(Strict):
    """A topic, as the broker describes it."""

    name: str
    partitions: list[Partition]
    settings: dict[str, str]
    may_change: bool


class Definition(Strict):
    """What a topic should be."""

    name: TopicName
    partitions: Count = 1
    replicas: Annotated[Whole, Field(ge=1, le=MOST_REPLICAS)] = 1
    settings: Settings

    def definition(self) -> TopicDefinition:
        """The definition in the shape that the tasks take."""
        return TopicDefinition(self.name, self.partitions, self.replicas, self.settings)


class Provisioning(Strict):
    """Topics that should exist."""

    definitions: Annotated[list[Definition], Field(max_length=MOST_DEFINITIONS)] | None = Field(
        None, description="null: the five topics of the demo, a shop"
    )
    grow: bool = Field(
        False, strict=True, description="add partitions that are missing: keys move to others"
    )
    dry_run: bool = Field(False, strict=True, description="say what would be done, and do nothing")


class DriftFound(Strict):
    """One difference between a definition and the broker."""

    what: str
    defined: str | None
    found: str | None


class Outcome(Strict):
    """What was done about one definition; with dry_run, what would be done."""

    name: str
    action: Action
    drifts: list[DriftFound]
    error: str


class Growth(Strict):
    """How many partitions a topic shall have, and the keys to check for a move."""

    count: Count
    keys: Annotated[
        list[Annotated[str, Field(max_length=1000)]],
        Field(
            max_length=MOST_KEYS,
            default_factory=list,
            description="the answer says where each belongs before and after",
        ),
    ]


class Moved(Strict):
    """Where a key belongs before and after a topic grew: [before, after]."""

    key: str
    crc32: tuple[int, int]
    murmur2: tuple[int, int]


class Grown(Strict):
    """A topic that has grown."""

    name: str
    before: int
    partitions: int
    moved: list[Moved] = Field(
        description="one for each key named; records that are in the log stay where they are"
    )


class Setting(Strict):
    """One setting of a topic."""

    name: str
    value: str | None = Field(description="null if it is secret")
    source: str = Field(description="as in DYNAMIC_TOPIC_CONFIG: the topic's own")
    is_default: bool
    is_read_only: bool
    is_secret: bool


@router.get("", responses=responses())
def list_topics(
    kafka: OnKafka,
    internal: Annotated[bool, Query(description="with Kafka's own topics")] = False,
) -> list[TopicRow]:
    """All topics, sorted by name; settings are as they were some seconds ago."""
    return rows_of(kafka, internal=internal)


@router.post("", status_code=201, responses=responses(404, 409))
def create_topic(asked: Definition, kafka: OnKafka, hub: OnHub, response: Response) -> Topic:
    """Create a topic; if it exists already, it stays as it is, and the answer is 409."""
    kafka.require_may_change(asked.name)
    (done,) = provision(kafka.writing, [asked.definition()])
    kafka.settings.forget(asked.name)
    if done.action in (Action.UNCHANGED, Action.DRIFTED):
        raise Problem(
            409,
            f"There is a topic {shortened(asked.name, 60)} already, and it stays as it is: "
            f"{_drifts(done.drifts) or 'it is as you define it'}.",
            code="TOPIC_ALREADY_EXISTS",
        )
    _require_done(done)
    wait_until_leaders_answer(kafka.admin, asked.name, asked.partitions)
    hub.look_soon()
    response.headers["Location"] = f"/api/kafka/topics/{asked.name}"
    return _topic(kafka, known(kafka, asked.name))


@router.post("/provision", responses=responses())
def provision_topics(asked: Provisioning, kafka: OnKafka, hub: OnHub) -> list[Outcome]:
    """Create the topics that are missing, and show how the others differ from their definition."""
    definitions = (
        list(DEMO_TOPICS)
        if asked.definitions is None
        else [each.definition() for each in asked.definitions]
    )
    names = [each.name for each in definitions]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Problem(422, f"Defined twice: {', '.join(twice)}. Define each name once.")
    for name in names:
        kafka.require_may_change(name)
    done = (
        what_would_be(kafka.admin, definitions, grow=asked.grow)
        if asked.dry_run
        else provision(kafka.writing, definitions, grow=asked.grow)
    )
    hub.look_soon()
    return [_outcome(each) for each in done]


@router.get("/{name}", responses=responses(404))
def show_topic(name: TopicInPath, kafka: OnKafka) -> Topic:
    """A topic with its partitions, and the start and end of each log."""
    return _topic(kafka, known(kafka, name))


@router.delete("/{name}", status_code=204, responses=responses(404))
def delete_topic(name: TopicInPath, kafka: OnKafka, hub: OnHub) -> None:
    """Delete a topic with all its records; when the answer comes, it is gone."""
    kafka.require_may_change(name)
    known(kafka, name)
    asked = kafka.admin.delete_topics(
        [name], operation_timeout=ANSWER_LIMIT, request_timeout=ANSWER_LIMIT
    )
    asked[name].result()
    kafka.settings.forget(name)
    wait_until(
        lambda: name not in names_of(kafka.admin, limit=ANSWER_LIMIT),
        limit=ANSWER_LIMIT,
        what=f"{name} to be gone",
    )
    hub.look_soon()


@router.get("/{name}/partitions", responses=responses(404))
def list_partitions(name: TopicInPath, kafka: OnKafka) -> list[Partition]:
    """The partitions of a topic, and the start and end of each log."""
    return _partitions(kafka.admin, known(kafka, name))


@router.patch("/{name}/partitions", responses=responses(404))
def grow_topic(name: TopicInPath, asked: Growth, kafka: OnKafka, hub: OnHub) -> Grown:
    """Grow a topic: keys move to other partitions, and Kafka cannot undo it."""
    kafka.require_may_change(name)
    before = len(known(kafka, name).partitions)
    grow(kafka.admin, name, asked.count)
    wait_until_leaders_answer(kafka.admin, name, asked.count)
    hub.look_soon()
    moved = [
        Moved(
            key=key,
            crc32=(crc32_partition(key, before), crc32_partition(key, asked.count)),
            murmur2=(murmur2_partition(key, before), murmur2_partition(key, asked.count)),
        )
        for key in asked.keys
    ]
    return Grown(name=name, before=before, partitions=asked.count, moved=moved)


@router.get("/{name}/configuration", responses=responses(404))
def show_configuration(name: TopicInPath, kafka: OnKafka) -> list[Setting]:
    """All settings of a topic: its own, and the defaults with their source."""
    known(kafka, name)
    return [
        Setting(
            name=each.name,
            value=None if each.is_sensitive else each.value,
            source=ConfigSource(each.source).name,
            is_default=ConfigSource(each.source) is not ConfigSource.DYNAMIC_TOPIC_CONFIG,
            is_read_only=bool(each.is_read_only),
            is_secret=bool(each.is_sensitive),
        )
        for _, each in sorted(settings_of(kafka.admin, name).items())
    ]


def rows_of(kafka: Kafka, *, internal: bool = False) -> list[TopicRow]:
    """The topics as the list has them, sorted by name.

    Raises:
        KafkaException: Kafka does not answer.
    """
    listed = kafka.admin.list_topics(timeout=ANSWER_LIMIT).topics
    names = sorted(name for name in listed if internal or not is_internal(name))
    settings = kafka.settings.of(names)
    return [
        TopicRow(
            name=name,
            partitions=len(listed[name].partitions),
            replicas=_replicas(listed[name].partitions.values()),
            settings=settings[name],
            may_change=kafka.may_change(name),
        )
        for name in names
        # A topic that is being deleted has no settings any more.
        if name in settings
    ]


def _replicas(partitions: Iterable[PartitionMetadata]) -> int:
    return max((len(each.replicas) for each in partitions), default=0)


def known(kafka: Kafka, name: str) -> TopicDescription:
    """The topic of that name.

    Raises:
        Problem: there is no such topic.
        KafkaException: Kafka does not answer.
    """
    # From the list of all topics: to ask for one by name can create it.
    names = names_of(kafka.admin, limit=ANSWER_LIMIT)
    if name in names:
        (found,) = describe_by(kafka.admin, [name])
        if found.exists:
            return found
    raise Problem(
        404,
        f"There is no topic {shortened(name, 60)}: GET /api/kafka/topics lists them, "
        "POST creates one.",
        code="UNKNOWN_TOPIC_OR_PART",
    )


def _topic(kafka: Kafka, found: TopicDescription) -> Topic:
    return Topic(
        name=found.name,
        partitions=_partitions(kafka.admin, found),
        settings=dict(found.settings),
        may_change=kafka.may_change(found.name),
    )


def _partitions(admin: AdminClient, found: TopicDescription) -> list[Partition]:
    places = [(found.name, each.id) for each in found.partitions]
    starts = log_offsets_by(admin, places, OffsetSpec.earliest(), ANSWER_LIMIT)  # type: ignore[no-untyped-call]
    ends = log_offsets_by(admin, places, OffsetSpec.latest(), ANSWER_LIMIT)  # type: ignore[no-untyped-call]
    return [_partition(each, starts, ends, (found.name, each.id)) for each in found.partitions]


def _partition(
    each: PartitionDescription,
    starts: dict[Place, int | None],
    ends: dict[Place, int | None],
    place: Place,
) -> Partition:
    return Partition(
        id=each.id,
        leader=each.leader,
        replicas=list(each.replicas),
        in_sync=list(each.in_sync),
        start=starts[place],
        end=ends[place],
    )


def _outcome(done: Provisioned) -> Outcome:
    drifts = [
        DriftFound(what=each.what, defined=each.defined, found=each.found) for each in done.drifts
    ]
    return Outcome(name=done.name, action=done.action, drifts=drifts, error=done.error)


def _require_done(done: Provisioned) -> None:
    if done.action is Action.FAILED:
        code, _, text = done.error.partition(": ")
        raise refused(code, text)


def _drifts(drifts: Sequence[Drift]) -> str:
    return "; ".join(
        f"{each.what} is {each.found or 'the default'}, defined is {each.defined or 'the default'}"
        for each in drifts
    )
