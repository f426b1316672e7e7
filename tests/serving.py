"""A server as its users have it: `kafkalab serve` in a process, asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from group_site import LIMIT, Site

from kafkalab.waiting import wait_until

# What a page of this server's own, and a program, both send.
TIMEOUT = 60.0


class Events:
    """The events of a stream, as they come."""

    def __init__(self, client: httpx.Client, **asked: Any) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.ids: list[str] = []
        self.comments: list[str] = []
        self.status = 0
        self.is_over = threading.Event()
        self._closed = threading.Event()
        self._client = client
        self._asked = asked
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        headers = self._asked.pop("headers", {})
        try:
            with self._client.stream(
                "GET", "/api/kafka/events", params=self._asked, headers=headers
            ) as answer:
                self.status = answer.status_code
                self._read(answer)
        except httpx.TransportError:
            pass
        finally:
            self.is_over.set()

    def _read(self, answer: httpx.Response) -> None:
        name, data = "", ""
        for line in answer.iter_lines():
            if self._closed.is_set():
                return
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = value
            elif field == "id":
                self.ids.append(value)
            elif line.startswith(":"):
                self.comments.append(line)
            elif not line and name:
                self.seen.append((name, json.loads(data)))
                name, data = "", ""

    def of(self, name: str) -> list[Any]:
        """All events of that name."""
        return [data for each, data in list(self.seen) if each == name]

    def records(self) -> list[dict[str, Any]]:
        """All records, whatever event brought them."""
        return [record for data in self.of("records") for record in data["records"]]

    def wait_for(self, name: str, is_it: Callable[[Any], bool] = bool, limit: float = 30) -> Any:
        """The first event of that name that is the one."""
        found = wait_until(
            lambda: [each for each in self.of(name) if is_it(each)],
            limit=limit,
            what=f"the event {name}; there were {[each for each, _ in self.seen]}",
        )
        return found[0]

    def close(self) -> None:
        """Read no more; the connection is closed at the next line."""
        self._closed.set()


class Served:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[str], url: str, headers: dict[str, str]) -> None:
        self.process = process
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=TIMEOUT, headers=headers)
        self._streams: list[Events] = []

    def ask(self, method: str, path: str, *, status: int = 200, **more: Any) -> Any:
        """What is answered with that status; None where it has no body."""
        answer = self.client.request(method, path, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def problem(self, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
        """The problem that is answered with that status."""
        answer = self.client.request(method, path, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json", answer.headers
        found: dict[str, Any] = answer.json()
        assert found["status"] == status, found
        assert found["title"], found
        assert found["detail"].endswith("."), found
        return found

    def events(self, **asked: Any) -> Events:
        """A stream, once it has begun."""
        stream = Events(httpx.Client(base_url=self.url, timeout=TIMEOUT), **asked)
        self._streams.append(stream)
        stream.wait_for("hello")
        return stream

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it as told; its exit code, and what it printed on stderr."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=LIMIT)
        for each in self._streams:
            each.close()
        return self.process.returncode, errors


@contextlib.contextmanager
def served(here: Site, *arguments: str, **headers: str) -> Iterator[Served]:
    """A server on a port of its own, until the block ends."""
    process = here.started("serve", "--port", "0", *arguments)
    try:
        yield Served(process, _address(process), headers)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=LIMIT)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    # A server that says nothing would be waited for without end.
    last = threading.Timer(LIMIT, process.kill)
    last.start()
    try:
        for line in process.stdout:
            if found := re.match(r"(http://\S+?)/ ", line):
                return found[1]
    finally:
        last.cancel()
    raise AssertionError(f"it did not begin: {process.communicate(timeout=LIMIT)}")
