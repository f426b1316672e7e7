"""A broker of a whole test file, with commands called on it, topics to write to, and groups."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Topology
from kafkalab.brokers.embedded import EmbeddedBackend, EmbeddedBroker
from kafkalab.brokers.runs import Run
from kafkalab.clients import LAB_CLIENT, LAB_CONSUMER
from kafkalab.config import Settings
from kafkalab.contracts import ClientConfig
from kafkalab.observe.groups import Group
from kafkalab.observe.records import Record, send
from kafkalab.observe.topics import create_topic

KAFKALAB = (sys.executable, "-P", "-m", "kafkalab")

# Seconds. A command takes one or two; the rest is for a machine under heavy load.
LIMIT = 120.0


class Site:
    """A broker, and a folder to call commands in."""

    def __init__(self, broker: EmbeddedBroker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.admin = AdminClient({**broker.client_properties(), "log_level": 0})
        self.environment = {
            **os.environ,
            "KAFKALAB_CACHE": str(folder / "cache"),
            "KAFKALAB_BOOTSTRAP": broker.bootstrap,
            "COLUMNS": "100",
        }
        for name in ("KAFKALAB_CONFIG", "KAFKALAB_KAFKA_VERSION", "NO_COLOR", "FORCE_COLOR"):
            self.environment.pop(name, None)
        self._numbers = count(1)

    @property
    def client(self) -> dict[str, Any]:
        """What each client needs."""
        return {**self.broker.client_properties(), **LAB_CLIENT, "log_level": 0}

    @property
    def pids(self) -> list[int]:
        """Of the broker's processes."""
        return [node["pid"] for node in self.broker.state()["nodes"]]

    def environment_without(self, *names: str) -> dict[str, str]:
        """What a command finds in a terminal, which itself tells how wide it is."""
        return {key: value for key, value in self.environment.items() if key not in names}

    def name(self, of: str) -> str:
        """A name that nothing else has."""
        return f"{of}-{next(self._numbers)}"

    def topic(self, partitions: int = 1, settings: Mapping[str, str] | None = None) -> str:
        """A new topic; on return the broker knows its partitions."""
        name = self.name("topic")
        create_topic(self.broker, self.admin, name, partitions, 1, settings or {})
        return name

    def write(self, topic: str, records: Sequence[Record | bytes], partition: int = 0) -> None:
        """Write records, and wait for their acknowledgement."""
        producer = Producer(self.client)
        send(producer, topic, records, partition=partition)

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit as a consumer does that has partitions, and no fellow members."""
        with contextlib.closing(Consumer({**self.client, "group.id": group})) as consumer:
            consumer.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in offsets.items()],
                asynchronous=False,
            )

    @contextlib.contextmanager
    def group(
        self, protocol: ClientConfig, *topics: str, partitions: int, **settings: object
    ) -> Iterator[Group]:
        """A group without members yet; they are closed with the block."""
        config = {**self.client, **LAB_CONSUMER, **protocol, **settings}
        group = Group(self.admin, self.name("group"), topics, partitions, config)
        try:
            yield group
        finally:
            group.close()

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command that has ended, with all that it printed."""
        return subprocess.run(
            [*KAFKALAB, *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def kafkalab(self, *arguments: str, **variables: str) -> str:
        """What a command printed that ended well."""
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The one object that a command printed."""
        (line,) = self.kafkalab(*arguments, "--json").splitlines()
        return json.loads(line)

    def refused(self, *arguments: str, code: int = 1) -> str:
        """The one line of a command that could not do what was asked."""
        done = self.run(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        (line,) = done.stderr.splitlines()
        return line

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that runs, and is not in a terminal; whoever starts it ends it."""
        return subprocess.Popen(
            [*KAFKALAB, *arguments],
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in the background has SIGINT ignored, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


@contextlib.contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A broker that runs as long as the block does."""
    work = folder / "work"
    work.mkdir(parents=True)
    backend = EmbeddedBackend(Settings.from_environment().cache)
    # A run of its own: should these tests be killed, its watchdog ends the broker.
    run = Run.new(backend.cache, backend.name)
    run.open()
    try:
        broker = backend.launch(Topology(), run.folder / "site")
        try:
            yield Site(broker, work)
        finally:
            broker.close()
    finally:
        run.close()
