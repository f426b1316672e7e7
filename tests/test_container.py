"""The container backend in a real Docker engine; skipped where engine or image is missing."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from test_live import Place

from kafkalab.brokers import Termination, Topology
from kafkalab.brokers.choose import container_backend
from kafkalab.brokers.container import ContainerBroker, require_closed, volume_of
from kafkalab.brokers.engine import RUN_LABEL, remove_containers_of
from kafkalab.brokers.errors import BrokerDied, OpenToOthers, StartFailed
from kafkalab.brokers.live import Labs
from kafkalab.brokers.properties import RESTART_SETTINGS
from kafkalab.config import Settings
from kafkalab.observe.groups import GroupDescription, describe_group
from kafkalab.observe.topics import partitions_with_leader
from kafkalab.waiting import wait_until

BACKEND = container_backend(Settings.from_environment())

pytestmark = pytest.mark.skipif(
    not (BACKEND.engine_answers() and BACKEND.has_image()),
    reason=f"needs a Docker engine with {BACKEND.image}: CI's container lane",
)

Launch = Callable[..., ContainerBroker]

# As for the embedded backend: the watchdog looks twice a second.
GONE_WITHIN = 5.0


@pytest.fixture
def run() -> str:
    """The name of a run of this test's own: others may run beside it."""
    return f"tool-tests-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def launch(run: str) -> Iterator[Launch]:
    """Launches brokers in containers and closes them at the end."""
    launched: list[ContainerBroker] = []

    def start(**topology: object) -> ContainerBroker:
        broker = BACKEND.launch(Topology(**topology), Path(run) / "home")  # type: ignore[arg-type]
        launched.append(broker)
        return broker

    yield start
    for each in launched:
        each.close()


def containers_of(run: str) -> list[str]:
    """The containers and networks that carry a run's label, running or not."""
    mark = {"label": f"{RUN_LABEL}={run}"}
    containers = BACKEND.client.containers.list(all=True, filters=dict(mark))
    networks = BACKEND.client.networks.list(filters=dict(mark))
    return [str(each.name) for each in [*containers, *networks]]


@pytest.mark.parametrize("how", list(Termination), ids=lambda how: how.value)
def test_a_restarted_container_keeps_its_port_and_data(launch: Launch, how: Termination) -> None:
    """A node that was ended and started again is there under the same address, with its topics."""
    broker = launch(settings=RESTART_SETTINGS)
    admin = AdminClient({**broker.client_properties(), "log_level": 0})
    address = broker.bootstrap
    admin.create_topics([NewTopic("kept", 3)])["kept"].result(20)

    broker.kill(1, how)
    broker.start(1)

    assert broker.bootstrap == address
    wait_until(
        lambda: partitions_with_leader(admin, "kept"),
        lambda seen: seen == 3,
        limit=30,
        what="the topic after the restart",
    )


def test_a_new_broker_knows_groups_at_once(launch: Launch) -> None:
    """The first request about a group is answered, not refused because its coordinator loads."""
    broker = launch()

    described = describe_group(AdminClient(broker.client_properties()), "a-group")

    assert described == GroupDescription("DEAD", ())


def test_another_process_can_attach(launch: Launch) -> None:
    """What a broker tells of its state is enough to use it from another process."""
    broker = launch()

    attached = BACKEND.attach(broker.state())

    assert attached.bootstrap == broker.bootstrap
    assert "Kafka Server started" in attached.log_tail(500)
    attached.check_alive()


def test_a_dead_container_is_noticed_with_its_last_words(launch: Launch) -> None:
    """A container that ends by itself is told with the end of its log."""
    broker = launch()

    BACKEND.client.containers.get(broker.state()["nodes"][0]["container"]).kill()

    def death() -> str:
        try:
            broker.check_alive()
        except BrokerDied as error:
            return str(error)
        return ""

    text = wait_until(death, limit=10, what="the death to be noticed")
    assert text.startswith("The broker died: the container of node 1 is gone.")
    assert "__transaction_state" in text, "its coordinator was the last thing to start"


def test_a_setting_that_kafka_refuses_is_told(launch: Launch, run: str) -> None:
    """A container that does not start says why, from its log, and is removed."""
    with pytest.raises(StartFailed, match=r"num\.network\.threads"):
        launch(settings={"num.network.threads": "none"})

    assert containers_of(run) == []


def test_several_containers_form_one_cluster_and_go_together(launch: Launch, run: str) -> None:
    """Two brokers find each other in a network of their own; closing removes all of it."""
    broker = launch(brokers=2)

    known = AdminClient(dict(broker.client_properties())).list_topics(timeout=20).brokers
    broker.close()

    assert sorted(known) == [1, 2]
    assert containers_of(run) == []


# Who may use it


@pytest.mark.parametrize("brokers", [1, 2])
def test_no_other_machine_can_use_it(launch: Launch, brokers: int) -> None:
    """Kafka lets in whoever comes, so its ports are published for this machine only."""
    broker = launch(brokers=brokers)

    ids = [node["container"] for node in broker.state()["nodes"]]
    containers = [BACKEND.client.containers.get(each) for each in ids]
    published = [
        each["HostIp"]
        for container in containers
        for bindings in container.attrs["NetworkSettings"]["Ports"].values()
        for each in bindings or ()
    ]
    assert published == ["127.0.0.1"] * brokers, "as the engine tells it"
    assert all(address.startswith("127.0.0.1:") for address in broker.bootstrap.split(","))


def test_an_engine_that_lets_others_in_is_not_used(run: str) -> None:
    """What the engine has published is asked for; where it is more than was meant, it ends."""
    container = BACKEND.client.containers.run(
        BACKEND.image,
        entrypoint=["sleep", "60"],
        ports={"9092/tcp": None},
        labels={RUN_LABEL: run},
        detach=True,
    )
    try:
        with pytest.raises(OpenToOthers, match=r"published Kafka on (0\.0\.0\.0|::), port \d+"):
            require_closed([container])
    finally:
        remove_containers_of(run)


HOLDS_A_BROKER = """
from pathlib import Path

from kafkalab.lab import lab_key
from kafkalab.waiting import wait_until

HERE = Path(__file__).parent

def test_holds_a_broker(broker, request):
    (HERE / "run").write_text(request.config.stash[lab_key].run.folder.name)
    (HERE / "run").rename(HERE / "started")
    wait_until(lambda: False, limit=60, what="the end")
"""


def test_no_container_is_left_after_a_kill(tmp_path: Path) -> None:
    """Within 5 s after SIGKILL of pytest its container is gone."""
    (tmp_path / "test_holds.py").write_text(HOLDS_A_BROKER, "utf-8")
    command = [sys.executable, "-m", "pytest", "--kafkalab-backend=container", "-n2", str(tmp_path)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_until((tmp_path / "started").exists, limit=60, what="the run to hold a broker")
    run = (tmp_path / "started").read_text("utf-8")
    assert containers_of(run)

    process.kill()

    process.wait(30)
    wait_until(
        lambda: containers_of(run),
        lambda left: not left,
        limit=GONE_WITHIN,
        what="the container to be gone",
        interval=0.2,
    )


def test_only_the_runs_own_containers_are_removed(launch: Launch, run: str) -> None:
    """Clearing another run's containers leaves this one alone."""
    launch()

    remove_containers_of("another-run")

    assert len(containers_of(run)) == 1


def test_a_lab_in_a_container_stays_with_its_data(tmp_path: Path) -> None:
    """Runs use it, `down` leaves nothing of it in the engine, and its data comes back."""
    place = Place(tmp_path)
    up = ("up", "--backend=container", f"--image={BACKEND.image}", "--keep-data")
    try:
        assert "user-events: created, 3 partitions" in place.kafkalab(*up)
        (lab,) = place.labs
        assert (lab["backend"], lab["state"], lab["pids"]) == ("container", "up", [])
        assert f"kafka: the lab that is up at {place.bootstrap}" in place.pytest()
        names = [path.name for path in (place.cache / "labs").iterdir() if path.is_dir()]

        assert "Its data is kept" in place.kafkalab("down")

        assert [containers_of(name) for name in names] == [[]]
        assert "user-events: as defined" in place.kafkalab(*up)
        (folder,) = Labs(place.cache).kept()
        volume = volume_of(folder, 1)
        assert volume in volumes(), "the engine keeps the data"
    finally:
        place.close()
    assert volume not in volumes(), "its data was deleted, too"


def volumes() -> set[str]:
    """The names of the engine's volumes."""
    return {str(each.name) for each in BACKEND.client.volumes.list()}
