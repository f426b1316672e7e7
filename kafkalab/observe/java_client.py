"""Run Java's client: the verifiable tools of Apache Kafka, which print what they do as JSON.

The options are those of the tool; a test's client properties go into a file. The tools set some
properties themselves, so these show nothing about Java's defaults: VerifiableProducer `acks=-1`
and `retries=0`; VerifiableConsumer `enable.auto.commit=false`, `auto.offset.reset=earliest`,
`session.timeout.ms=30000` and the range assignor. An option of the tool can change each of them.
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

# Seconds. A JVM starts in 0.3, and joins a group in 0.2; the rest is for a loaded machine.
JAVA_LIMIT = 30.0

# Bytes to read at once; a line has about a hundred.
SOME_LINES = 4096

# The names of VerifiableConsumer's lines when partitions come and go.
GIVEN, TAKEN = "partitions_assigned", "partitions_revoked"

OF_JAVA = "org.apache.kafka.clients.consumer."
RANGE = f"{OF_JAVA}RangeAssignor"
ROUND_ROBIN = f"{OF_JAVA}RoundRobinAssignor"
COOPERATIVE_STICKY = f"{OF_JAVA}CooperativeStickyAssignor"

# With this Java's client learns of a rebalance as soon as the lab's librdkafka clients do.
QUICK = {"heartbeat.interval.ms": 200}

Line = Mapping[str, Any]
"""one line that a tool printed; `name` says what it reports"""


def member_command(group: str, topic: str, assignor: str = "") -> list[str]:
    """The words that start VerifiableConsumer as a member of a group.

    Args:
        group: its name.
        topic: what it reads.
        assignor: the class of its assignor; empty under KIP-848.
    """
    chosen = ["--assignment-strategy", assignor] if assignor else []
    return ["kafka-verifiable-consumer", "--topic", topic, "--group-id", group, *chosen]


class JavaClient:
    """A process of one of the verifiable tools, and the lines that it printed."""

    def __init__(self, command: list[str], folder: Path) -> None:
        """Start the process.

        Args:
            command: its command line.
            folder: the folder for its log.
        """
        with (folder / "java.log").open("ab") as log:
            self._process = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C in the terminal shall reach the test only.
                process_group=0,
            )
        self._ear = self._process.stdout.fileno()
        os.set_blocking(self._ear, False)
        self._rest = b""
        self._told: list[Line] = []

    @property
    def heard(self) -> list[Line]:
        """The lines read until now; this reads no more."""
        return list(self._told)

    def told(self) -> list[Line]:
        """All lines that it has printed until now."""
        while self._read():
            pass
        return self._told

    def named(self, name: str) -> list[Line]:
        """Its lines of one name, as in `partitions_assigned`."""
        return [each for each in self.told() if each["name"] == name]

    def partitions(self, name: str, since: int = 0) -> list[int]:
        """The partitions in its lines of one name, sorted; with repetitions.

        Args:
            name: GIVEN or TAKEN.
            since: how many of these lines to leave out, from the first on.
        """
        lines = self.named(name)[since:]
        return sorted(each["partition"] for line in lines for each in line["partitions"])

    def wait_for(self, name: str, count: int = 1) -> list[Line]:
        """Wait until it has printed `count` lines of one name; return them.

        This reads at most a few lines more. A tool that prints more than the pipe holds, 64 kB,
        then waits until the next read.

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
            what=f"Java's client to print {name}",
        )

    def wait_for_end(self) -> list[Line]:
        """Wait until it has ended by itself; return all lines that it printed.

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
        """Read some lines from the pipe; return whether there was anything."""
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
        """End it as a crash would (SIGKILL); on return it is gone, and its unread lines too."""
        kill([self._process])
        self._process.stdout.close()


class JavaClients:
    """Starts Java's clients, and kills at the end those that still run."""

    def __init__(self, tools: Tools, bootstrap: str, run: Path) -> None:
        """Start no client yet.

        Args:
            tools: Kafka's own tools.
            bootstrap: the broker's bootstrap servers.
            run: the run's folder; processes that work in it end with the run, even if this
                process crashes.
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
            arguments: the tool's options, without the servers.
            settings: client properties, by their names in Java.
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
            # Java unpacks native libraries of codecs into its folder for temporary files.
            flags=[f"-Djava.io.tmpdir={home}"],
        )
        self._started.append(JavaClient(command, home))
        return self._started[-1]
