"""The embedded backend on real JVMs: starting, restarting, dying, and leaving nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from kafkalab.brokers import Termination, Topology, embedded
from kafkalab.brokers.embedded import EmbeddedBackend, EmbeddedBroker
from kafkalab.brokers.errors import BrokerDied, PortTaken, StartFailed
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.prepared import Prepared
from kafkalab.brokers.properties import RESTART_SETTINGS
from kafkalab.config import Settings
from kafkalab.observe.topics import partitions_with_leader
from kafkalab.waiting import wait_until

Launch = Callable[..., EmbeddedBroker]


class Silent:
    """Takes the word of preparation, and keeps it."""

    def step(self, text: str) -> None: ...
    def total(self, size: int) -> None: ...
    def advance(self, size: int) -> None: ...


@pytest.fixture(scope="session")
def backend() -> EmbeddedBackend:
    """The backend on the cache folder that `make test` prepared."""
    backend = EmbeddedBackend(Settings.from_environment().cache)
    backend.prepare(Silent())
    return backend


@pytest.fixture
def launch(backend: EmbeddedBackend, tmp_path: Path) -> Iterator[Launch]:
    """Launches brokers and closes them at the end."""
    launched: list[EmbeddedBroker] = []

    def start(**topology: object) -> EmbeddedBroker:
        home = tmp_path / f"home-{len(launched)}"
        launched.append(backend.launch(Topology(**topology), home))  # type: ignore[arg-type]
        return launched[-1]

    yield start
    for each in launched:
        each.close()


def admin_of(broker: EmbeddedBroker) -> AdminClient:
    """An admin client that keeps quiet about a broker that is down."""
    return AdminClient({**broker.client_properties(), "log_level": 0})


@pytest.mark.parametrize("how", list(Termination), ids=lambda how: how.value)
def test_a_restarted_node_keeps_its_port_and_data(launch: Launch, how: Termination) -> None:
    """A node that was ended and started again is there under the same address, with its records."""
    broker = launch(settings=RESTART_SETTINGS)
    admin, address = admin_of(broker), broker.bootstrap
    admin.create_topics([NewTopic("kept", 3)])["kept"].result(20)
    producer = Producer({**broker.client_properties(), "log_level": 0})
    producer.produce("kept", b"x", partition=0)
    assert producer.flush(20) == 0

    broker.kill(1, how)
    assert broker.running_ids == ()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(address.split(":")[1])), timeout=1)
    broker.start(1)

    assert broker.bootstrap == address
    wait_until(
        lambda: partitions_with_leader(admin, "kept"),
        lambda seen: seen == 3,
        limit=30,
        what="the topic after the restart",
    )
    log = broker.log_dir(1) / "kept-0" / f"{0:020}.log"
    assert log.stat().st_size > 0


def test_several_nodes_form_one_cluster(launch: Launch) -> None:
    """Three brokers with one controller are one cluster, each with its own folder."""
    broker = launch(brokers=3)

    known = admin_of(broker).list_topics(timeout=20).brokers

    assert sorted(known) == [1, 2, 3] == list(broker.node_ids)
    assert len({broker.log_dir(node_id) for node_id in broker.node_ids}) == 3


def test_no_other_machine_can_use_it(launch: Launch) -> None:
    """Kafka lets in whoever comes, so all nodes listen on loopback only, their controllers too."""
    broker = launch(brokers=2, controllers=2)

    listening = {
        (node["node_id"], socket.laddr.ip.removeprefix("::ffff:"), socket.laddr.port)
        for node in broker.state()["nodes"]
        for socket in psutil.Process(node["pid"]).net_connections("inet")
        if socket.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }

    assert listening == {
        (node["node_id"], "127.0.0.1", node[port])
        for node in broker.state()["nodes"]
        for port in ("port", "controller_port")
    }


def test_a_broker_stays_small(launch: Launch) -> None:
    """A broker that serves a topic is resident in at most 250 MB."""
    broker = launch()
    admin = admin_of(broker)
    admin.create_topics([NewTopic("used", 3)])["used"].result(20)

    resident = psutil.Process(broker.state()["nodes"][0]["pid"]).memory_info().rss

    assert resident <= 250e6


def test_a_dead_broker_is_noticed_with_its_last_words(launch: Launch) -> None:
    """A node that dies by itself is told with the end of its log."""
    broker = launch()
    broker.check_alive()

    psutil.Process(broker.state()["nodes"][0]["pid"]).kill()

    def death() -> str:
        try:
            broker.check_alive()
        except BrokerDied as error:
            return str(error)
        return ""

    text = wait_until(death, limit=10, what="the death to be noticed")
    assert text.startswith("The broker died: node 1 is gone.")
    assert "Kafka Server started" in text


def test_a_setting_that_kafka_refuses_is_told(launch: Launch) -> None:
    """A broker that does not start says why, from its log, and leaves no process."""
    with pytest.raises(StartFailed, match="Node 1 ended before it was ready") as failed:
        launch(settings={"num.network.threads": "none"})

    assert "num.network.threads" in str(failed.value)


def taken_port() -> socket.socket:
    """A port that something else listens on."""
    return socket.create_server(("127.0.0.1", 0))


def test_a_taken_port_is_drawn_anew(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was taken between drawing and binding costs a second try, not the run."""
    with taken_port() as listener:
        port = listener.getsockname()[1]
        draws = [[*free_ports(1), port], free_ports(2)]
        monkeypatch.setattr(embedded, "free_ports", lambda count: draws.pop(0)[:count])

        broker = launch()

    assert str(port) not in broker.bootstrap


def test_ports_that_stay_taken_are_named(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """When every draw is taken, the line names the port and what to do."""
    with taken_port() as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(embedded, "free_ports", lambda count: [*free_ports(count - 1), port])

        with pytest.raises(PortTaken, match=f"{port}.*already in use.*To do: end that process"):
            launch()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (lambda good: good[: len(good) // 2], "truncated"),
        (lambda _: b"made by somebody else" * 1000, "bad magic number"),
        (lambda good: with_a_flipped_byte(good), "Checksum verification failed"),
        (None, "processing the AOT cache"),
    ],
    ids=["truncated", "foreign", "changed", "gone"],
)
def test_an_unusable_aot_cache_is_ignored_with_a_word(
    backend: EmbeddedBackend,
    launch: Launch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: Callable[[bytes], bytes] | None,
    complaint: str,
) -> None:
    """An AOT cache that the JVM cannot use costs time, not the run, and the user is told."""
    bad = tmp_path / "bad.aot"
    if content is not None:
        bad.write_bytes(content(backend.prepared.aot_cache.read_bytes()))
    monkeypatch.setattr(Prepared, "aot_cache", property(lambda _: bad))

    broker = launch()

    (note,) = broker.state()["notes"]
    assert note.startswith("The AOT cache was ignored (")
    assert complaint in note


def with_a_flipped_byte(content: bytes) -> bytes:
    """The same, but for one byte in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def test_a_good_aot_cache_is_used_in_silence(launch: Launch) -> None:
    """With the cache as prepared there is nothing to say."""
    assert launch().state()["notes"] == []
