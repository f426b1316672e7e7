"""The stream: records as they come, topics and groups as they change."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from kafkalab.contracts import Place
from kafkalab.web.given import MOST_TOPICS, GroupName, OnHub, OnKafka, TopicName
from kafkalab.web.problems import responses
from kafkalab.web.stream import Message, Reader, as_json

router = APIRouter(prefix="/api/kafka", tags=["events"])

# Seconds after which a stream without events sends a comment, as a sign of life.
HEARTBEAT = 10.0

MOST_GROUPS = 8
POSITION = re.compile(r"(\d{1,10})=(\d{1,19})")


class Opened:
    """A stream that has joined."""

    def __init__(self, reader: Reader, first: list[Message]) -> None:
        self.reader = reader
        self.first = first


async def _opened(
    hub: OnHub,
    topic: Annotated[
        list[TopicName] | None, Query(max_length=MOST_TOPICS, description="topics to read")
    ] = None,
    group: Annotated[
        list[GroupName] | None, Query(max_length=MOST_GROUPS, description="groups to watch")
    ] = None,
    from_: Annotated[
        str,
        Query(
            alias="from",
            pattern=r"^newest(-[0-9]{1,3})?$",
            description="newest, or newest-50: begin with the last 50 records of each partition",
        ),
    ] = "newest",
    last_event_id: Annotated[
        str | None, Header(max_length=60_000, description="goes on where an earlier stream ended")
    ] = None,
) -> AsyncIterator[Opened]:
    reader = Reader(topic or (), group or ())
    back = int(from_.partition("-")[2] or 0)
    last = positions_of(last_event_id or "")
    try:
        first = await run_in_threadpool(hub.join, reader, back, last)
        yield Opened(reader, first)
    finally:
        hub.leave(reader)


@router.get("/events", response_class=EventSourceResponse, responses=responses())
async def stream_events(
    kafka: OnKafka, opened: Annotated[Opened, Depends(_opened)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: hello, topics, records, group, change, gone, back.

    The id of an event is the stream's position: a stream with it as Last-Event-ID goes on there.
    """
    reader = opened.reader
    hello = {"cluster": kafka.cluster.title, "server_time": time.time()}
    yield ServerSentEvent(event="hello", raw_data=as_json(hello), id=id_of(reader.positions))
    messages: list[Message] | None = opened.first
    while messages is not None:
        for each in messages:
            reader.positions.update(each.ends or {})
            id_ = id_of(reader.positions) if each.ends else None
            yield ServerSentEvent(event=each.event, raw_data=each.data, id=id_)
        messages = await reader.next(HEARTBEAT)
        if messages == []:
            yield ServerSentEvent(comment="still here")


def id_of(positions: dict[Place, int]) -> str:
    """A stream's position: `orders:0=12,1=40;payments:0=3`."""
    topics: dict[str, list[str]] = {}
    for (topic, partition), offset in sorted(positions.items()):
        topics.setdefault(topic, []).append(f"{partition}={offset}")
    return ";".join(f"{topic}:{','.join(each)}" for topic, each in topics.items())


def positions_of(id_: str) -> dict[Place, int]:
    """Read what `id_of` wrote; leave out what cannot be read."""
    found: dict[Place, int] = {}
    for part in id_.split(";"):
        topic, _, rest = part.partition(":")
        for each in rest.split(","):
            if read := POSITION.fullmatch(each):
                found[topic, int(read[1])] = int(read[2])
    return found
