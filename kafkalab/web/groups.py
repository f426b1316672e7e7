"""Consumer groups: list, show, lag, timeline, and members of the server's own."""

from __future__ import annotations

from typing import Annotated, Literal

from confluent_kafka import KafkaError, KafkaException
from fastapi import APIRouter, Response
from pydantic import Field

from kafkalab.observe.group_looks import Look, Onlooker
from kafkalab.web.clients import ANSWER_LIMIT, Kafka
from kafkalab.web.given import (
    MOST_TOPICS,
    GroupInPath,
    OnHub,
    OnKafka,
    OwnMembers,
    Strict,
    TopicName,
)
from kafkalab.web.members import Protocol
from kafkalab.web.problems import responses
from kafkalab.web.stream import look_as_data
from kafkalab.web.topics import known

router = APIRouter(prefix="/api/kafka/groups", tags=["groups"])

AT_ONCE = 200
"""groups that are described in one request"""


class GroupRow(Strict):
    """A group in the list."""

    group: str
    state: str = Field(description="as in STABLE or EMPTY")
    protocol: str = Field(description="classic, or consumer, the protocol of KIP-848")
    members: int


class MemberSeen(Strict):
    """A member as the coordinator describes it."""

    name: str = Field(description="its client.id")
    id: str
    partitions: list[tuple[str, int]]


class PartitionOfGroup(Strict):
    """A group's offsets in one partition."""

    topic: str
    partition: int
    start: int | None
    committed: int | None = Field(description="null if nothing is committed, which is not 0")
    end: int | None
    lag: int | None = Field(
        description="offsets from the commit to the end. Offsets of transaction markers and of "
        "compacted records count too. null if nothing is committed"
    )


class GroupSeen(Strict):
    """A group at one point in time."""

    group: str
    state: str = Field(description="as in STABLE or EMPTY; DEAD if there is no such group")
    protocol: str
    assignor: str
    members: list[MemberSeen]
    partitions: list[PartitionOfGroup]
    time: float = Field(description="seconds since the epoch, by the server's clock")


class Lag(Strict):
    """How far a group is behind, in offsets."""

    group: str
    unit: Literal["offsets"] = Field(description="offsets, not records: there may be gaps")
    total: int | None = Field(description="over the partitions whose lag is known; null if none is")
    partitions: list[PartitionOfGroup]


class ChangeSeen(Strict):
    """A change of one of the server's own members."""

    group: str
    time: float
    member: str
    kind: str = Field(description="assign, revoke, lost, join or leave")
    partitions: list[tuple[str, int]]


class Timeline(Strict):
    """The past of a group, as far back as the server keeps it."""

    group: str
    events: list[ChangeSeen]
    looks: list[GroupSeen] = Field(description="taken while a stream watched the group")


class NewMember(Strict):
    """A consumer of the server's own."""

    topics: Annotated[list[TopicName], Field(min_length=1, max_length=MOST_TOPICS)]
    protocol: Protocol = "cooperative"
    pace: Annotated[
        float | None,
        Field(
            ge=0.5, le=100_000, strict=True, description="records a second; null: as fast as it can"
        ),
    ] = None


class MemberStarted(Strict):
    """A consumer that was started; it joins in the background."""

    group: str
    name: str = Field(description="its client.id, which names it in the group too")
    topics: list[str]
    protocol: Protocol
    pace: float | None


@router.get("", responses=responses())
def list_groups(kafka: OnKafka) -> list[GroupRow]:
    """All consumer groups, sorted by name, without their lag: ask for that group by group."""
    listed = kafka.admin.list_consumer_groups(request_timeout=ANSWER_LIMIT).result()
    if listed.errors:
        # A list that lacks the groups of one coordinator would look complete.
        raise KafkaException(listed.errors[0])
    names = sorted(each.group_id for each in listed.valid)
    rows = []
    with kafka.coordinators() as coordinators:
        for first in range(0, len(names), AT_ONCE):
            described = coordinators.describe(names[first : first + AT_ONCE], ANSWER_LIMIT)
            rows += [
                GroupRow(
                    group=name,
                    state=each.state.name,
                    protocol=each.type.name.lower(),
                    members=len(each.members),
                )
                for name, each in described.items()
                # A group that has gone since the listing, or is no consumer group, is left out.
                if not isinstance(each, KafkaError)
            ]
    return rows


@router.get("/{group}", responses=responses(404))
def show_group(group: GroupInPath, kafka: OnKafka) -> GroupSeen:
    """A group's members with their partitions, and its offsets in each."""
    return GroupSeen.model_validate(look_as_data(group, _look(kafka, group)))


@router.get("/{group}/lag", responses=responses(404))
def show_lag(group: GroupInPath, kafka: OnKafka) -> Lag:
    """How far a group is behind, in offsets, partition by partition."""
    look = _look(kafka, group)
    rows = look_as_data(group, look)["partitions"]
    partitions = [PartitionOfGroup.model_validate(each) for each in rows]
    return Lag(group=group, unit="offsets", total=look.lag, partitions=partitions)


@router.get("/{group}/timeline", responses=responses())
def show_timeline(group: GroupInPath, hub: OnHub) -> Timeline:
    """What the server saw of a group while a stream watched it or it had the server's members."""
    past = hub.past_of(group)
    return Timeline(
        group=group,
        events=[ChangeSeen.model_validate(each) for each in tuple(past.changes)],
        looks=[GroupSeen.model_validate(each) for each in tuple(past.looks)],
    )


@router.post("/{group}/members", status_code=201, responses=responses(404, 409))
def start_member(
    group: GroupInPath, asked: NewMember, kafka: OnKafka, members: OwnMembers, response: Response
) -> MemberStarted:
    """Start a consumer: it joins the group, reads, and commits what it has read."""
    kafka.require_may_change(group)
    topics = list(dict.fromkeys(asked.topics))
    partitions = sum(len(known(kafka, topic).partitions) for topic in topics)
    name = members.add(group, topics, partitions, asked.protocol, asked.pace)
    response.headers["Location"] = f"/api/kafka/groups/{group}/members/{name}"
    return MemberStarted(
        group=group, name=name, topics=topics, protocol=asked.protocol, pace=asked.pace
    )


@router.delete("/{group}/members/{name}", status_code=204, responses=responses(404))
def stop_member(group: GroupInPath, name: GroupInPath, members: OwnMembers) -> None:
    """Let one of the server's own consumers leave, as close() does."""
    members.remove(group, name)


def _look(kafka: Kafka, group: str) -> Look:
    return Onlooker(kafka.config, group, limit=ANSWER_LIMIT).look()
