"""The app: its routers, its guard, and what it opens and closes."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Response
from fastapi.staticfiles import StaticFiles
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from kafkalab import __version__
from kafkalab.brokers.cluster import Cluster
from kafkalab.web import events, groups, problems, records, scenarios, topics
from kafkalab.web.clients import Kafka
from kafkalab.web.given import OnKafka, Strict
from kafkalab.web.members import SETTINGS, Members
from kafkalab.web.problems import ProblemDetails, responses
from kafkalab.web.safety import COOKIE, Door, Guard
from kafkalab.web.stream import Hub
from kafkalab.web.topics import rows_of

# A machine may have another type for .js, and a browser runs no script that is plain text.
mimetypes.add_type("text/javascript", ".js")

STATIC = Path(__file__).parent / "static"

router = APIRouter()


class ClusterSeen(Strict):
    """The cluster that the server works on."""

    title: str
    version: str = Field(description="its Kafka's version; empty if unknown")
    bootstrap: str
    is_lab: bool
    may_change: str = Field(description="all, or the prefix of the names that may be changed")
    protocols: list[Literal["eager", "cooperative", "kip848"]]


class Token(Strict):
    """The token with which the server was started."""

    token: Annotated[str, Field(max_length=1000)]


@router.get("/api/kafka/cluster", tags=["cluster"], responses=responses())
def show_cluster(kafka: OnKafka) -> ClusterSeen:
    """The cluster that the server works on, and what may be changed there."""
    cluster = kafka.cluster
    return ClusterSeen.model_validate(
        {
            "title": cluster.title,
            "version": cluster.version,
            "bootstrap": cluster.bootstrap,
            "is_lab": cluster.is_lab,
            "may_change": kafka.prefix or "all",
            "protocols": list(SETTINGS),
        }
    )


def create_app(
    cluster: Cluster, door: Door, *, prefix: str = "", allow_foreign: bool = False
) -> FastAPI:
    """Make the app for a cluster.

    Args:
        cluster: the cluster.
        door: decides which requests may come in.
        prefix: on a cluster that is not the lab's own, only names that begin with it may be
            changed.
        allow_foreign: whether all may be changed there.
    """
    kafka = Kafka(cluster, prefix=prefix, allow_foreign=allow_foreign)
    members = Members(kafka)
    hub = Hub(kafka, members, lambda: [each.model_dump() for each in rows_of(kafka)])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.start()
        try:
            yield
        finally:
            await run_in_threadpool(_close, hub, members, kafka)

    app = FastAPI(
        title="kafkalab",
        summary="Apache Kafka's topics, records and consumer groups.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # A client that is generated from the document gets functions of these names.
        generate_unique_id_function=lambda route: route.name,
        # Nothing collects it here.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.kafka, app.state.members, app.state.hub = kafka, members, hub
    for each in (
        router,
        topics.router,
        records.router,
        groups.router,
        events.router,
        scenarios.router,
    ):
        app.include_router(each)
    _add_session(app, door)
    _add_pages(app)
    problems.install(app)
    app.add_middleware(Guard, door=door)
    document = app.openapi

    def openapi() -> dict[str, Any]:
        found = document()
        if "ProblemDetails" not in found["components"]["schemas"]:
            _complete(found, has_token=bool(door.token))
        return found

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
    return app


def _close(hub: Hub, members: Members, kafka: Kafka) -> None:
    members.close()
    hub.close()
    kafka.close()


def _complete(document: dict[str, Any], *, has_token: bool) -> None:
    """Add to the OpenAPI document what FastAPI does not know."""
    components = document["components"]
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"].update(schema.pop("$defs"))
    components["schemas"]["ProblemDetails"] = schema
    if has_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]


def _add_session(app: FastAPI, door: Door) -> None:
    @app.post("/api/session", status_code=204, tags=["session"], responses=responses())
    def open_session(asked: Token, response: Response) -> None:
        """Exchange the token for a cookie, which a page and its stream send by themselves."""
        if door.token:
            secret = door.open_session(asked.token)
            response.set_cookie(COOKIE, secret, httponly=True, samesite="strict")


def _add_pages(app: FastAPI) -> None:
    def page(name: str) -> FileResponse:
        return FileResponse(STATIC / name, headers={"Cache-Control": "no-cache"})

    @app.get("/", include_in_schema=False)
    def explorer() -> FileResponse:
        return page("index.html")

    @app.get("/docs", include_in_schema=False)
    def docs() -> FileResponse:
        return page("docs.html")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> FileResponse:
        return page("icon.svg")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
