"""Java's client at work: the verifiable tools of Apache Kafka, which tell what they do in JSON.

Their options are the tool's; client properties of a test's own go into a file. What the tools
set themselves, whatever is asked, says nothing of Java's client: VerifiableProducer `acks=-1` and
`retries=0`; VerifiableConsumer `enable.auto.commit=false`, `auto.offset.reset=earliest`,
`session.timeout.ms=30000` and the range assignor, each unless an option says otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from kafkalab.brokers.processes import kill
from kafkalab.brokers.tools import TOOLS, Tools, main_of, word_in
from kafkalab.waiting import wait_until

# A JVM starts in 0.3 s, and joins a group in 0.2 s; the rest is for a machine under heavy load.
JAVA_LIMIT = 30.0

# Bytes; a line has about a hundred.
SOME_LINES = 4096

Line = Mapping[str, Any]
"""what a tool has told at once; `name` says what it is"""


class JavaClient:
    """A process of one of the verifiable tools, and what it has told."""

    def __init__(self, command: list[str], folder: Path) -> None:
        """Start it.

        Args:
            command: its command line.
            folder: for its log.
        """
        with (folder / "java.log").open("ab") as log:
            self._process = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C in the terminal is for the test.
                process_group=0,
            )
        self._ear = self._process.stdout.fileno()
        os.set_blocking(self._ear, False)
        self._rest = b""
        self._told: list[Line] = []

    @property
    def heard(self) -> list[Line]:
        """What was read of it until now; nothing more is read."""
        return list(self._told)

    def told(self) -> list[Line]:
        """All that it has told until now."""
        while self._read():
            pass
        return self._told

    def named(self, name: str) -> list[Line]:
        """Of all that it has told what bears a name, as in `partitions_assigned`."""
        return [each for each in self.told() if each["name"] == name]

    def wait_for(self, name: str, count: int = 1) -> list[Line]:
        """Wait until it has told so many lines of a name; return them.

        No more is read than that takes, but for a few lines: who tells more than a pipe holds,
        64 kB, then waits in the middle of it until somebody asks again.

        Raises:
            Expired: it did not within JAVA_LIMIT.
        """

        def look() -> list[Line]:
            while True:
                found = [each for each in self._told if each["name"] == name]
                if len(found) >= count or not self._read():
                    return found

        return wait_until(
            look,
            lambda found: len(found) >= count,
            limit=JAVA_LIMIT,
            what=f"Java's client to tell {name}",
        )

    def wait_for_end(self) -> list[Line]:
        """Wait until it has ended by itself; return all that it has told.

        Raises:
            Expired: it did not within JAVA_LIMIT.
        """
        wait_until(
            lambda: (self.told(), self._process.poll())[1],
            lambda code: code is not None,
            limit=JAVA_LIMIT,
            what="Java's client to end",
        )
        return self.told()

    def _read(self) -> bool:
        """Read what stands in the pipe, some lines of it; whether there was anything."""
        try:
            part = os.read(self._ear, SOME_LINES)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + part).split(b"\n")
        self._told += [json.loads(line) for line in lines if line.startswith(b"{")]
        return bool(part)

    def close(self) -> None:
        """End it as Ctrl-C does: a consumer leaves its group, unless it is a static member."""
        self._process.send_signal(signal.SIGTERM)
        self.wait_for_end()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); it is gone on return, and so is what it told."""
        kill([self._process])
        self._process.stdout.close()


class JavaClients:
    """Starts Java's clients; those that still run are killed at the end."""

    def __init__(self, tools: Tools, bootstrap: str, run: Path) -> None:
        """Start none yet.

        Args:
            tools: Kafka's own.
            bootstrap: of the broker.
            run: the run's folder: what stands below it ends with the run, whatever becomes of us.
        """
        self._tools = tools
        self._bootstrap = bootstrap
        self._folder = run / f"java-{uuid.uuid4().hex[:8]}"
        self._started: list[JavaClient] = []

    def __enter__(self) -> Self:
        self._folder.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self._started:
            each.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(
        self, name: str, *arguments: str, settings: Mapping[str, object] | None = None
    ) -> JavaClient:
        """Start one of the verifiable tools.

        Args:
            name: as in `kafka-verifiable-consumer`.
            arguments: for it, without the servers.
            settings: client properties, as Java has them.
        """
        version = self._tools.distribution.version
        home = self._folder / str(len(self._started))
        home.mkdir()
        file = home / "client.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in (settings or {}).items()))
        tool = TOOLS[name]
        servers = (word_in(tool.servers, version), self._bootstrap)
        properties = (word_in(tool.config, version), str(file))
        command = self._tools.command(
            main_of(name, version),
            *(*servers, *properties, *arguments),
            # Native codecs unpack themselves there.
            flags=[f"-Djava.io.tmpdir={home}"],
        )
        self._started.append(JavaClient(command, home))
        return self._started[-1]
