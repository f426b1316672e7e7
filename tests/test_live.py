"""The live lab: it stays, is found by its state file alone, and is used where it fits."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from screens import CTRL_C, Screen, screen

from kafkalab.brokers import Termination
from kafkalab.brokers.choose import backend_named, choose
from kafkalab.brokers.errors import BrokerError, NotOurs
from kafkalab.brokers.lab_state import MARK, STATE
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.live import Labs
from kafkalab.brokers.owner import Owner
from kafkalab.brokers.processes import brokers_of
from kafkalab.config import Settings
from kafkalab.waiting import wait_until

KAFKALAB = (sys.executable, "-P", "-m", "kafkalab")
# A start takes a second; the rest is for a machine under heavy load.
LIMIT = 120.0

FACT = "topic_has_its_partitions"


class Place:
    """A folder to call commands in, with a cache folder whose Kafka is prepared already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.cache = folder / "cache"
        self.folder.mkdir()
        self.cache.mkdir(mode=0o700)
        for name in ("jars", "prepared"):
            (self.cache / name).symlink_to(Settings.from_environment().cache / name)
        self.environment = {**os.environ, "KAFKALAB_CACHE": str(self.cache), "COLUMNS": "200"}
        # What CI or a user has set is not what these tests are about.
        for name in ("KAFKALAB_BACKEND", "KAFKALAB_IMAGE", "PYTEST_ADDOPTS"):
            self.environment.pop(name, None)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program that has ended, with all that it printed."""
        return subprocess.run(
            list(command),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def kafkalab(self, *arguments: str) -> str:
        """What a command printed that ended well."""
        done = self.run(*KAFKALAB, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, *arguments: str) -> str:
        """Start a lab."""
        return self.kafkalab("up", "--backend=embedded", *arguments)

    def refused(self, *arguments: str) -> str:
        """The one line of a command that could not do what was asked."""
        done = self.run(*KAFKALAB, *arguments)
        assert done.returncode != 0, done.stdout
        (line,) = done.stderr.splitlines()
        return line

    def pytest(self, *arguments: str) -> str:
        """What a run of one fact printed, whose facts hold."""
        command = (sys.executable, "-P", "-m", "pytest", "--pyargs", "tests_module_a")
        done = self.run(*command, "-p", "no:cacheprovider", "-k", FACT, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def labs(self) -> list[dict[str, Any]]:
        """As `ps` tells them."""
        found: list[dict[str, Any]] = json.loads(self.kafkalab("ps", "--json"))
        return found

    @property
    def bootstrap(self) -> str:
        """Of the only lab."""
        (lab,) = self.labs
        return str(lab["bootstrap"])

    @property
    def client(self) -> dict[str, Any]:
        """Properties of a client of the only lab."""
        return {"bootstrap.servers": self.bootstrap, "log_level": 0}

    def topics(self) -> set[str]:
        """The names that the only lab has, but for Kafka's own."""
        names = AdminClient(self.client).list_topics(timeout=LIMIT).topics
        return {name for name in names if not name.startswith("__")}

    def processes(self) -> list[psutil.Process]:
        """The brokers of labs."""
        return list(brokers_of(self.cache / "labs"))

    def close(self) -> None:
        """End what a test has left."""
        self.run(*KAFKALAB, "down", "--delete-data")
        assert self.processes() == []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder to call commands in; no lab is up."""
    made = Place(tmp_path)
    try:
        yield made
    finally:
        made.close()


DEMO = {"user-events", "orders", "payments", "customers", "audit-log"}


def test_it_stays_until_it_is_taken_down(place: Place) -> None:
    """`up` says what it created, and how to connect; nothing is left after `down`."""
    printed = place.up()

    assert "user-events: created, 3 partitions" in printed
    assert "audit-log: created, 1 partition\n" in printed
    (lab,) = place.labs
    assert lab["state"] == "up"
    for way in ('{"bootstrap.servers": "%s"}', "bootstrap.servers=%s", "kcat -b %s -L"):
        assert way % lab["bootstrap"] in printed
    assert place.topics() == DEMO
    assert lab["bootstrap"] in place.kafkalab("ps")

    assert "It is down" in place.kafkalab("down")

    assert place.processes() == []
    assert [each.name for each in (place.cache / "labs").iterdir()] == ["lock"]
    assert "No lab is up" in place.kafkalab("ps")
    assert place.kafkalab("down") == "No lab is up.\n"


def test_up_again_leaves_it_and_tells_what_has_drifted(place: Place) -> None:
    place.up()
    before = place.processes()
    admin = AdminClient(place.client)
    admin.delete_topics(["payments"], operation_timeout=LIMIT)["payments"].result()

    printed = place.up()

    assert "It is up already" in printed
    assert place.processes() == before
    assert "payments: created, 4 partitions" in printed
    assert "orders: as defined, left as it is" in printed


def test_another_lab_is_not_started_beside_it(place: Place) -> None:
    place.up()

    line = place.refused("up", "--backend=embedded", "--version=4.2")
    assert "version 4.4.0, not 4.2.2" in line
    assert "`kafkalab down` ends it" in line
    assert "brokers 1, not 3" in place.refused("up", "--backend=embedded", "--brokers=3")
    assert len(place.processes()) == 1


def test_it_survives_its_terminal(place: Place) -> None:
    """Also one that is closed, which hangs up on all that runs in it."""
    at: Screen
    with screen([*KAFKALAB, "up"], place.folder, environment=place.environment) as at:
        at.see("kafkalab down", limit=LIMIT)
        assert at.end() == 0

    assert place.topics() == DEMO


def test_ctrl_c_while_it_starts_leaves_nothing(place: Place) -> None:
    with screen([*KAFKALAB, "up"], place.folder, environment=place.environment) as at:
        at.see("Kafka is starting")
        wait_until(place.processes, limit=LIMIT, what="the broker's process")
        at.press(CTRL_C)

        assert at.end() == 130
        assert "Traceback" not in at.received
    assert place.processes() == []
    assert place.labs == []


def test_runs_use_it_and_leave_nothing(place: Place) -> None:
    """Workers, too; the header says so. Its own topics stay as they are."""
    place.up()
    before = place.processes()

    printed = place.pytest()
    place.pytest("-n", "2")

    assert f"kafka: the lab that is up at {place.bootstrap}: embedded" in printed
    assert "(auto: a lab is up, and fits)" in printed
    assert place.processes() == before
    assert place.topics() == DEMO
    assert list(Ledger(place.cache)) == []
    assert not list((place.cache / "runs").iterdir())


def test_what_a_killed_run_has_left_is_deleted_by_the_next(place: Place) -> None:
    place.up()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    owner = Owner.of(ended.pid)
    ended.wait()
    prefix = "kafkalab-20261127T010203-abcdef-"
    admin = AdminClient(place.client)
    cluster = admin.list_topics(timeout=LIMIT).cluster_id
    admin.create_topics([NewTopic(f"{prefix}t", 1)], operation_timeout=LIMIT)[f"{prefix}t"].result()
    Ledger(place.cache).enter(prefix, owner, str(cluster))

    place.pytest()

    assert place.topics() == DEMO
    assert list(Ledger(place.cache)) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--brokers=3"], "it has 3 brokers, and facts are stated for one"),
        (["--version=4.2"], "it is Kafka 4.2.2, not 4.4.0"),
    ],
    ids=["brokers", "version"],
)
def test_one_that_does_not_fit_is_passed_over(place: Place, arguments: list[str], why: str) -> None:
    place.up(*arguments)
    before = place.topics()

    printed = place.pytest()

    assert "kafka: embedded Apache Kafka 4.4.0" in printed
    assert f"the lab that is up is not used: {why}" in printed
    assert place.topics() == before
    line = place.run(
        sys.executable, "-P", "-m", "pytest", "--pyargs", "tests_module_a", "--kafkalab-backend=lab"
    ).stderr
    assert f"The lab that is up cannot be used: {why}" in line


def test_a_lab_of_other_settings_is_passed_over(place: Place) -> None:
    place.up()
    (mark,) = (place.cache / "labs").glob(f"*/{MARK}")
    said = json.loads(mark.read_text("utf-8"))
    mark.write_text(json.dumps({**said, "settings": "of-an-older-one"}), "utf-8")

    assert "another kafkalab has started it, with other settings" in place.pytest()


BROKEN = {
    "half": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "a list": lambda _: "[]",
    "no nodes": lambda text: json.dumps({**json.loads(text), "broker": {"nodes": []}}),
    "a start in words": lambda text: text.replace('"start": ', '"start": "soon", "began": '),
    "rows of text": lambda text: json.dumps({**json.loads(text), "owners": ["me"]}),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_state_is_no_lab(place: Place, broken: Callable[[str], str]) -> None:
    """Nothing stops working by it, and `up` ends what it told of before it starts anew."""
    place.up()
    (old,) = place.processes()
    (state,) = (place.cache / "labs").glob(f"*/{STATE}")
    state.write_text(broken(state.read_text("utf-8")), "utf-8")

    assert place.labs == []
    place.up()

    (new,) = place.processes()
    assert new != old
    assert place.topics() == DEMO


def test_what_answers_at_the_port_is_not_enough(place: Place) -> None:
    """Another process has the id of a lab's broker, and Kafka answers at its port."""
    place.up()
    (state,) = (place.cache / "labs").glob(f"*/{STATE}")
    said = json.loads(state.read_text("utf-8"))
    said["owners"][0]["start"] -= 3600
    state.write_text(json.dumps(said), "utf-8")

    assert Labs(place.cache).find() is None
    assert "kafka: embedded" in place.pytest()


def test_a_lab_that_was_killed_is_replaced(place: Place) -> None:
    place.up()
    (broker,) = place.processes()
    broker.kill()
    wait_until(lambda: not place.processes(), limit=LIMIT, what="the end of the broker")

    (lab,) = place.labs
    assert lab["state"] == "ended"
    assert "kafka: embedded" in place.pytest()
    assert "user-events: created" in place.up()
    assert [each["state"] for each in place.labs] == ["up"]


def test_a_lab_that_hangs_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.up()
    (broker,) = place.processes()
    broker.suspend()
    monkeypatch.setattr("kafkalab.brokers.live.ANSWER_LIMIT", 1.0)
    monkeypatch.setenv("KAFKALAB_CACHE", str(place.cache))
    backend, _ = choose(Settings.from_environment())

    with pytest.raises(BrokerError, match=r"does not answer within 1 s.*`kafkalab down`"):
        backend.shared(place.folder)
    place.kafkalab("down")


def test_a_taken_port_is_told_or_passed_over(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert f"another program listens on {port} already" in place.refused("up", f"--port={port}")


def test_a_port_that_was_asked_for(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    place.up(f"--port={port}")

    assert place.bootstrap == f"127.0.0.1:{port}"
    assert "It is up already" in place.up(f"--port={port}")
    assert f"port {port}, not {port + 1}" in place.refused("up", f"--port={port + 1}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--brokers=2"], "a lab has 1 or 3"),
        (["--backend=external"], "--backend external starts no Kafka"),
        (["--backend=lab"], "No lab is up"),
        (["--backend=docker"], "There is no backend 'docker'"),
        (["--version=3.9"], "There is no Kafka '3.9'"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_bad_input_is_one_line(place: Place, arguments: list[str], told: str) -> None:
    assert told in place.refused("up", *arguments)
    assert place.labs == []


def test_three_brokers_replicate(place: Place) -> None:
    place.up("--brokers=3")

    topic = AdminClient(place.client).list_topics(timeout=LIMIT).topics["user-events"]

    assert {len(each.replicas) for each in topic.partitions.values()} == {3}
    producer = Producer({**place.client, "acks": "all"})
    producer.produce("user-events", b"x")
    assert producer.flush(LIMIT) == 0


def test_data_is_kept_over_down_and_up(place: Place) -> None:
    place.up("--keep-data")
    producer = Producer(place.client)
    producer.produce("orders", b"kept", partition=0)
    assert producer.flush(LIMIT) == 0
    assert "Its data is kept" in place.kafkalab("down")

    printed = place.up("--keep-data")

    assert "orders: as defined, left as it is" in printed
    assert values(place, "orders", 0) == [b"kept"]
    place.kafkalab("down", "--delete-data")
    assert "orders: created" in place.up("--keep-data")


def test_no_acknowledged_record_is_lost_by_a_kill(place: Place) -> None:
    """The broker is killed while records are sent; `up --keep-data` goes on with its data."""
    place.up("--keep-data")
    (broker,) = place.processes()
    acknowledged: list[bytes] = []

    def note(error: object, message: Any) -> None:
        if error is None:
            acknowledged.append(message.value())

    producer = Producer({**place.client, "acks": "all", "delivery.timeout.ms": 5000})
    for number in range(200_000):
        try:
            producer.produce("orders", b"%d" % number, partition=0, on_delivery=note)
        except BufferError:
            break
        producer.poll(0)
        if len(acknowledged) > 1000 and broker.is_running():
            os.kill(broker.pid, signal.SIGKILL)
            wait_until(lambda: not place.processes(), limit=LIMIT, what="the broker's end")
            break
    producer.purge()
    producer.flush(10)
    assert len(acknowledged) > 1000

    place.up("--keep-data")

    assert set(acknowledged) <= set(values(place, "orders", 0))


def values(place: Place, topic: str, partition: int) -> list[bytes | None]:
    """The values of all records of a partition."""
    consumer = Consumer(
        {**place.client, "group.id": "reader", "enable.partition.eof": True, "log_level": 0}
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    read: list[bytes | None] = []
    try:
        while True:
            message = consumer.poll(LIMIT)
            assert message is not None
            if message.error():
                return read
            read.append(message.value())
    except KafkaException as error:
        raise AssertionError(f"{topic} cannot be read: {error}") from error
    finally:
        consumer.close()


def test_another_process_with_a_nodes_id_is_not_ended(place: Place) -> None:
    """A node of three has ended, and its id is somebody else's by now."""
    place.up("--brokers=3", "--keep-data")
    (state,) = (place.cache / "labs").glob(f"*/{STATE}")
    said = json.loads(state.read_text("utf-8"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (gone,) = (each for each in place.processes() if each.pid == said["owners"][0]["pid"])
        gone.kill()
        said["owners"][0]["pid"] = said["broker"]["nodes"][0]["pid"] = other.pid
        state.write_text(json.dumps(said), "utf-8")

        place.kafkalab("down")

        assert other.poll() is None, "it is nobody's broker"
        other.communicate(b"\n")


def test_a_folder_of_somebody_else_is_no_place_for_data(place: Place) -> None:
    """What has our mark may be deleted by `down --delete-data`: so it gets none."""
    theirs = place.cache / "lab-data" / "embedded-4.4.0-1" / "letter.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("Dear friend", "utf-8")

    assert "kafkalab did not make it" in place.refused("up", "--backend=embedded", "--keep-data")
    place.kafkalab("down", "--delete-data")

    assert theirs.read_text("utf-8") == "Dear friend"
    assert place.labs == []


def test_a_test_cannot_end_the_lab(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shared by all runs: whoever wants to break one asks for one of his own."""
    place.up()
    monkeypatch.setenv("KAFKALAB_CACHE", str(place.cache))
    backend = backend_named("lab", Settings.from_environment())
    broker = backend.shared(place.folder)

    with pytest.raises(NotOurs, match="private_broker"):
        broker.kill(1, Termination.ABRUPT)

    assert len(place.processes()) == 1
