"""The explorer as tests visit it: a server in this process, and a browser's tabs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from kafkalab.brokers.cluster import Cluster
from kafkalab.waiting import wait_until
from kafkalab.web.app import create_app
from kafkalab.web.safety import Door

# A page is drawn in milliseconds, a group stands in seconds; the rest is for a loaded machine.
LIMIT = 30.0
MILLISECONDS = LIMIT * 1000

EVENTS = "/api/kafka/events"


Seen = TypeVar("Seen")


def until(look: Callable[[], Seen], holds: Callable[[Seen], bool] = bool, *, what: str) -> Seen:
    """Look at the page again and again until it holds; return what was seen then."""
    return wait_until(look, holds, limit=LIMIT, what=what)


class Watchman:
    """Counts the streams that are open, and holds requests when it is told to."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.streams = 0
        self.most = 0
        self._held: dict[tuple[str, str], threading.Event] = {}

    def hold(self, method: str, path: str) -> Callable[[], None]:
        """Hold requests from now on, before they reach the server; return what lets them go."""
        released = self._held[method, path] = threading.Event()
        return released.set

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            released = self._held.get((scope["method"], scope["path"]))
            if released is not None:
                assert await run_in_threadpool(released.wait, LIMIT), "nobody let it go"
        is_stream = scope["type"] == "http" and scope["path"] == EVENTS
        self.streams += is_stream
        self.most = max(self.most, self.streams)
        try:
            await self.app(scope, receive, send)
        finally:
            self.streams -= is_stream


class Site:
    """A server on a port of its own, in a thread."""

    def __init__(self, bootstrap: str, *, port: int = 0, token: str = "", prefix: str = "") -> None:
        """Listen.

        Args:
            bootstrap: of its Kafka.
            port: any that is free, if it is 0.
            token: is demanded, if it is not empty.
            prefix: what names that may be changed begin with; empty: the Kafka is a lab.
        """
        properties = {"bootstrap.servers": bootstrap}
        cluster = Cluster(properties, "a lab", "4.4.0", not prefix, None)
        self.app: FastAPI = create_app(cluster, Door("127.0.0.1", token), prefix=prefix)
        self.watchman = Watchman(self.app)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}/"
        self._server = uvicorn.Server(
            uvicorn.Config(self.watchman, log_level="warning", timeout_graceful_shutdown=5)
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), daemon=True
        )
        self._thread.start()
        wait_until(lambda: self._server.started, limit=LIMIT, what="the server to listen")

    def close(self) -> None:
        """End the server; its port is free on return."""
        self.app.state.hub.end_streams()
        self._server.should_exit = True
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the server ends"
        self._listener.close()


class Tab:
    """A tab in the browser, with all that the browser had to say of it."""

    def __init__(self, context: Any, site: Site, **state: object) -> None:
        self.said: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(MILLISECONDS)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.site = site
        self.go(**state)

    def go(self, **state: object) -> None:
        """Open the explorer at an address, and wait until it is filled."""
        told = "&".join(f"{name}={quote(str(value))}" for name, value in state.items())
        self.page.goto(f"{self.site.address}#{told}")
        self.page.locator("body.ready").wait_for()

    def publish(self, key: str, partitioner: str = "consistent_random") -> str:
        """Publish one record, and return what is said of where it landed."""
        if self.page.get_by_label("How many").is_visible():
            self.page.get_by_label("How many").select_option("1")
        self.page.get_by_label("Key", exact=True).fill(key)
        self.page.get_by_label("Partitioner").select_option(partitioner)
        told = self.page.locator(".publish .result")
        before = told.text_content()
        self.page.get_by_role("button", name="Publish").click()
        until(told.text_content, lambda text: text not in ("", before), what="where it landed")
        return str(told.text_content())

    def publish_many(self, how_many: str) -> None:
        """Publish one of the lots that the page offers."""
        page = self.page
        if not page.get_by_label("How many").is_visible():
            page.get_by_text("More: how many").click()
        page.get_by_label("How many").select_option(how_many)
        page.get_by_role("button", name="Publish").click()
        page.locator(".publish .result", has_text="landed").wait_for()

    def lane(self, partition: int) -> Any:
        """The row of a partition."""
        return self.page.locator(f'.partition[data-partition="{partition}"]')

    def offsets(self, partition: int) -> list[str]:
        """The offsets that are drawn in a partition's row, as text."""
        found = self.lane(partition).locator(".cell .offset").all_text_contents()
        return sorted(found, key=lambda text: int(text.split(" ")[0].replace(",", "")))

    def add_consumer(self) -> None:
        """Add a consumer, and wait until the page shows one more."""
        before = self.members.count()
        self.page.get_by_role("button", name="Add a consumer").click()
        until(
            lambda: (
                self.members.count(),
                self.page.locator("#status").inner_text(),
                self.page.locator(".group > .problem").text_content(),
                self.page.locator(".group-state").text_content(),
            ),
            lambda seen: seen[0] > before,
            what=f"a consumer beside {before}: how many, the stream, what is wrong, the group",
        )

    @property
    def members(self) -> Any:
        """The members that the page shows."""
        return self.page.locator(".members li")

    def owners(self) -> list[str]:
        """The owner of each partition, as the table tells it."""
        rows = self.page.locator(".timeline-view > .table tbody tr td:nth-child(2)")
        found: list[str] = rows.all_text_contents()
        return found
