"""What several routers share: the server's parts, types of names, and bytes as JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kafkalab.observe.topics import LEGAL_NAME, LONGEST_NAME
from kafkalab.web.clients import Kafka
from kafkalab.web.members import Members
from kafkalab.web.problems import GROUP_NAME
from kafkalab.web.stream import Hub

MOST_TOPICS = 16
"""in one stream, or of one consumer"""

TopicName = Annotated[str, Field(pattern=LEGAL_NAME, min_length=1, max_length=LONGEST_NAME)]
TopicInPath = Annotated[str, Path(pattern=LEGAL_NAME, min_length=1, max_length=LONGEST_NAME)]

GroupName = Annotated[str, Field(pattern=GROUP_NAME, min_length=1, max_length=LONGEST_NAME)]
GroupInPath = Annotated[str, Path(pattern=GROUP_NAME, min_length=1, max_length=LONGEST_NAME)]

PartitionInQuery = Annotated[int, Query(ge=0, le=2**31 - 1)]


def _kafka(request: Request) -> Kafka:
    found: Kafka = request.app.state.kafka
    return found


def _members(request: Request) -> Members:
    found: Members = request.app.state.members
    return found


def _hub(request: Request) -> Hub:
    found: Hub = request.app.state.hub
    return found


OnKafka = Annotated[Kafka, Depends(_kafka)]
OwnMembers = Annotated[Members, Depends(_members)]
OnHub = Annotated[Hub, Depends(_hub)]


class Strict(BaseModel):
    """A body, or a part of one, without any unknown field."""

    model_config = ConfigDict(extra="forbid")


def _no_text(given: object) -> object:
    if isinstance(given, str | bool):
        raise ValueError("this is not a number")
    return given


Whole = Annotated[int, BeforeValidator(_no_text)]
"""an integer as in JSON Schema: 3 and 3.0, but not "3", which pydantic would accept"""


class Text(Strict):
    """Bytes that are UTF-8."""

    text: str

    def content(self) -> bytes:
        """The bytes."""
        return self.text.encode("utf-8")


def _base64(given: str) -> str:
    try:
        base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("this is not base64") from error
    return given


class Base64(Strict):
    """Bytes that are not UTF-8, or that are not meant as text."""

    base64: Annotated[
        str,
        Field(pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"),
        AfterValidator(_base64),
    ]

    def content(self) -> bytes:
        """The bytes."""
        return base64.b64decode(self.base64, validate=True)


Content = Text | Base64
"""bytes as `kafkalab.tasks.partition_log.to_json` writes them; null means no bytes"""

Header = tuple[str, Content | None]


def content_of(given: Text | Base64 | None) -> bytes | None:
    """The bytes; None for null."""
    return None if given is None else given.content()
