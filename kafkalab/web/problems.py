"""Errors as problem+json (RFC 9457), with Kafka's error and the fact that explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from kafkalab.brokers.errors import BrokerError
from kafkalab.contracts.partition_log import ReadFailed
from kafkalab.contracts.rebalance import LagUnknown
from kafkalab.contracts.topics import NotKnownEverywhere
from kafkalab.observe.group_looks import UnknownGroup
from kafkalab.observe.topics import LEGAL_NAME
from kafkalab.readable import readable, shortened
from kafkalab.waiting import Expired

MEDIA_TYPE = "application/problem+json"

# Seconds after which it is worth asking again: a broker starts in one.
RETRY_AFTER = 2

LONGEST_DETAIL = 500
MOST_ERRORS = 20

# Kafka accepts any name. Here a slash would end the part of the path, and control characters
# cannot be read.
GROUP_NAME = r"^[^/\x00-\x1f\x7f]+$"

PATTERNS = {
    LEGAL_NAME: "a topic's name has letters, digits, dots, underscores and hyphens only",
    GROUP_NAME: "a group's name has no slash here, and no control characters",
}
"""what each pattern of the OpenAPI document demands, in words"""

NO_JSON = "The body is not JSON: send an object, as /docs shows it."

GONE = "BROKER_GONE"
"""the code if Kafka does not answer, and so gives no code"""

STATUS = {
    "UNKNOWN_TOPIC_OR_PART": 404,
    "_UNKNOWN_TOPIC": 404,
    "_UNKNOWN_PARTITION": 404,
    "GROUP_ID_NOT_FOUND": 404,
    "TOPIC_ALREADY_EXISTS": 409,
    "NON_EMPTY_GROUP": 409,
    "MSG_SIZE_TOO_LARGE": 413,
    "TOPIC_EXCEPTION": 422,
    "INVALID_PARTITIONS": 422,
    "INVALID_REPLICATION_FACTOR": 422,
    "INVALID_REPLICA_ASSIGNMENT": 422,
    "INVALID_CONFIG": 422,
    "INVALID_GROUP_ID": 422,
    "INVALID_REQUEST": 422,
    "POLICY_VIOLATION": 422,
    "TOPIC_AUTHORIZATION_FAILED": 403,
    "GROUP_AUTHORIZATION_FAILED": 403,
    "CLUSTER_AUTHORIZATION_FAILED": 403,
}
"""HTTP's status for each error of Kafka; all others become 503: Kafka cannot do it now"""

FACTS = {
    "UNKNOWN_TOPIC_OR_PART": "unknown-topic-is-reported",
    "TOPIC_ALREADY_EXISTS": "duplicate-create-changes-nothing",
    "INVALID_PARTITIONS": "partitions-only-grow",
    "INVALID_REPLICATION_FACTOR": "replication-needs-brokers",
    "INVALID_CONFIG": "override-or-default",
    "MSG_SIZE_TOO_LARGE": "oversize-fails-at-once",
    "_MSG_TIMED_OUT": "publish-gives-up-within-its-limit",
    "_PURGE_QUEUE": "publish-gives-up-within-its-limit",
    "_PURGE_INFLIGHT": "publish-gives-up-within-its-limit",
    "GROUP_ID_NOT_FOUND": "lag-unknown-is-not-zero",
}
"""the slugs of the facts that explain Kafka's errors"""


class Fact(BaseModel):
    """A fact of Module A that explains the error."""

    slug: str
    command: str = Field(description="the command that shows it on a real broker")


class Invalid(BaseModel):
    """One value of a request that is not valid."""

    where: str = Field(description="as in body.name or query.limit")
    message: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="a URI that names the kind; about:blank if the title is enough")
    title: str
    status: int
    detail: str = Field(description="what happened, and what to do, in a sentence or two")
    code: str | None = Field(description="Kafka's name of the error; null if it is none of Kafka's")
    fact: Fact | None
    errors: list[Invalid] = Field(description="the values of the request that are not valid")


class Problem(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Iterable[Invalid] = (),
    ) -> None:
        """A problem.

        Args:
            status: HTTP's status.
            detail: what happened and what to do, in a sentence or two.
            code: Kafka's name of the error.
            headers: headers of the answer.
            errors: the values of the request that are not valid.
        """
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.details = ProblemDetails(
            type="about:blank" if code is None else f"urn:kafka:error:{code}",
            title=HTTPStatus(status).phrase,
            status=status,
            detail=shortened(readable(detail), LONGEST_DETAIL),
            code=code,
            fact=fact_of(code),
            errors=list(errors),
        )

    def response(self) -> JSONResponse:
        """The problem as an HTTP answer."""
        return JSONResponse(
            self.details.model_dump(), self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


def fact_of(code: str | None) -> Fact | None:
    """The fact that explains an error of Kafka's; None if no fact does."""
    slug = FACTS.get(code or "")
    return None if slug is None else Fact(slug=slug, command=f"pytest -k {slug.replace('-', '_')}")


def refused(code: str, text: str) -> Problem:
    """The problem for a request that Kafka refused, or cannot do now.

    Args:
        code: the error's name, as `KafkaError.name()` returns it.
        text: the error's text.
    """
    status = STATUS.get(code)
    if status is not None:
        return Problem(status, f"Kafka refused it: {text.rstrip('.')}.", code=code)
    return gone(text, code)


def gone(text: str, code: str = GONE) -> Problem:
    """The problem that Kafka does not answer, or cannot do it now."""
    return Problem(
        503,
        f"Kafka does not do it now: {text.rstrip('.')}. Ask again in a few seconds; "
        "`kafkalab ps` shows whether the lab is up.",
        code=code,
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def of_kafka(error: KafkaError) -> Problem:
    """The problem for an error that the client has reported."""
    return refused(error.name(), error.str())


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that an operation may answer with, for the OpenAPI document.

    They include those that every operation may answer with.
    """
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({400, 401, 403, 413, 415, 422, 503, *statuses})
    }


def install(app: FastAPI) -> None:
    """Make the app answer each error with a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(KafkaException, _of_kafka)
    app.add_exception_handler(UnknownGroup, _of_group)
    for kind in (ReadFailed, LagUnknown, NotKnownEverywhere, Expired, BrokerError, TimeoutError):
        app.add_exception_handler(kind, _of_silence)
    app.add_exception_handler(Exception, _of_fault)


def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail, headers = error.detail, dict(error.headers or {})
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}: /docs shows what there is."
    elif error.status_code == 405:
        allowed = ", ".join(_methods_at(request)) or (error.headers or {}).get("Allow", "")
        headers["Allow"] = allowed
        detail = f"{request.url.path} does not take {request.method}; it takes {allowed}."
    elif error.status_code == 400:
        # FastAPI does not say what is wrong with a body that it cannot read.
        detail = NO_JSON
    return Problem(error.status_code, detail, headers=headers).response()


def _methods_at(request: Request) -> list[str]:
    """The methods that a path takes; Starlette names only one of its operations."""
    path, paths = request.url.path, request.app.openapi()["paths"]
    found = (
        [path] if path in paths else [each for each in paths if compile_path(each)[0].match(path)]
    )
    return sorted(method.upper() for each in found for method in paths[each])


def _in_words(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, in words instead of a pattern."""
    if error["type"] == "string_pattern_mismatch":
        pattern = (error.get("ctx") or {}).get("pattern", "")
        return PATTERNS.get(pattern, "it is not of the form that /docs shows")
    return shortened(readable(str(error["msg"])), 200)


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Problem(400, NO_JSON).response()
    has_body = int(request.headers.get("content-length") or 0) > 0
    media = request.headers.get("content-type", "")
    if has_body and not media.partition(";")[0].strip().lower().endswith("json"):
        return Problem(
            415, "The body must be JSON: send Content-Type: application/json."
        ).response()
    errors = [
        Invalid(
            where=shortened(readable(".".join(map(str, each["loc"]))), 200),
            message=_in_words(each),
        )
        for each in found[:MOST_ERRORS]
    ]
    told = "; ".join(f"{each.where}: {each.message}" for each in errors[:3])
    return Problem(422, f"The request is not valid: {told}.", errors=errors).response()


def _of_kafka(_: Request, error: Exception) -> JSONResponse:
    return of_kafka(error.args[0]).response()


def _of_group(_: Request, error: Exception) -> JSONResponse:
    return unknown_group(str(error)).response()


def unknown_group(name: str) -> Problem:
    """The problem that there is no group of that name."""
    return Problem(
        404,
        f"There is no consumer group {shortened(name, 60)}: GET /api/kafka/groups lists them.",
        code="GROUP_ID_NOT_FOUND",
    )


def _of_silence(_: Request, error: Exception) -> JSONResponse:
    return gone(str(error) or "it was silent for too long").response()


def _of_fault(_: Request, error: Exception) -> JSONResponse:
    # The error's text may hold anything; it is in the server's own log only.
    return Problem(
        500, f"A fault in the server ({type(error).__name__}): its log says more."
    ).response()
