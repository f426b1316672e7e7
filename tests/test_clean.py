"""`kafkalab clean`: what killed runs left goes, and nothing else, whoever asks."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import typer
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from foreign import names_of_runs
from held_runs import HeldRun
from secured_cluster import CACHE, LAB, SecuredCluster, shared_cluster
from typer.testing import CliRunner, Result

from kafkalab.brokers import cleaning, external
from kafkalab.brokers.external import ExternalBackend
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.names import run_prefix
from kafkalab.brokers.owner import Owner
from kafkalab.brokers.processes import kill
from kafkalab.cli import command_line, main
from kafkalab.waiting import wait_until

# Seconds for what takes milliseconds on an idle machine.
LIMIT = 90.0

HOURS = 3600.0


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> SecuredCluster:
    """One cluster for all workers."""
    return shared_cluster(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def dead() -> Owner:
    """An owner that has ended, on this machine."""
    with subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", "input()"], stdin=subprocess.PIPE
    ) as process:
        owner = replace(Owner.of(process.pid), user="ann")
        kill([psutil.Process(process.pid)])
    return owner


class Scene:
    """Runs in a cluster, written down in a ledger or not, and calls of `kafkalab clean`."""

    def __init__(self, cluster: SecuredCluster, cache: Path) -> None:
        self.ledger = Ledger(cache)
        self.admin = AdminClient(cluster.administrator)
        self.cluster_id = self.admin.list_topics(timeout=LIMIT).cluster_id or ""
        self._cluster = cluster
        self._options = [
            f"--bootstrap={cluster.bootstrap}",
            f"--config={cluster.properties_file(LAB)}",
            f"--cache={cache}",
        ]
        self._made: list[str] = []

    def run(
        self,
        owner: Owner | None = None,
        *,
        cluster: str | None = None,
        age: float = 2 * HOURS,
        group: str = "thing",
    ) -> str:
        """Make a topic `thing` and a group of a run; return its prefix.

        Args:
            owner: whom the ledger names; None where it knows nothing of the run.
            cluster: in which cluster the ledger has it; by default this one.
            age: seconds since it began.
            group: how the group's name ends.
        """
        prefix = run_prefix(time.time() - age, uuid.uuid4().hex)
        topic = f"{prefix}thing"
        self._made.append(prefix)
        self.admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(LIMIT)
        place = ConsumerGroupTopicPartitions(f"{prefix}{group}", [TopicPartition(topic, 0, 0)])
        wait_until(
            lambda: (
                self.admin.alter_consumer_group_offsets([place])[place.group_id]
                .result(LIMIT)
                .topic_partitions[0]
            ),
            lambda answer: answer.error is None,
            limit=LIMIT,
            what="the coordinator to know the topic",
        )
        if owner is not None:
            self.ledger.enter(prefix, owner, self.cluster_id if cluster is None else cluster)
        return prefix

    def clean(self, *arguments: str, answer: str = "") -> Result:
        """Call `kafkalab clean` as the user LAB."""
        return CliRunner().invoke(
            command_line(), ["clean", *self._options, *arguments], input=answer
        )

    def there(self, prefix: str) -> int:
        """How many topics and groups the run has."""
        return sum(name.startswith(prefix) for name in names_of_runs(self._cluster))

    def close(self) -> None:
        """Remove what was made."""
        for prefix in self._made:
            for future in self.admin.delete_topics([f"{prefix}thing"]).values():
                future.exception(LIMIT)


@pytest.fixture
def scene(cluster: SecuredCluster, tmp_path: Path) -> Iterator[Scene]:
    """A cluster with nothing in it yet that this test could touch."""
    scene = Scene(cluster, tmp_path / "cache")
    yield scene
    scene.close()


BOTH = 2
"""a topic and a group"""


def test_clean_asks_and_leaves_young_runs_alone(scene: Scene, dead: Owner) -> None:
    """Clean deletes what it has shown, and only when told to; it says whose that is."""
    young, old = scene.run(dead, age=60), scene.run(dead)

    refused = scene.clean(answer="n\n")
    after_no = scene.there(old)
    agreed = scene.clean(answer="y\n")

    assert refused.exit_code == 1
    assert f"{old}... of ann@{dead.machine.host}, began 2.0 h ago:\n" in refused.output
    assert f"  topic  {old}thing\n  group  {old}thing\n" in refused.output, "shown before it asks"
    assert young not in refused.output
    assert after_no == BOTH, "no means no"
    assert agreed.exit_code == 0
    assert "Deleted 1 topics and 1 groups." in agreed.output
    assert scene.there(old) == 0
    assert scene.there(young) == BOTH
    assert [entry.name for entry in scene.ledger] == [young], "and struck out"


def test_a_name_alone_is_no_mark(scene: Scene) -> None:
    """A topic that has the shape of a run's may be anybody's: it goes only if it is named."""
    theirs = scene.run()

    left = scene.clean("--yes", "--older-than=0")
    after = scene.there(theirs)
    named = scene.clean("--yes", "--run", theirs.removesuffix("-"))

    assert left.exit_code == 0
    assert f"its owner is not recorded in {scene.ledger.cache}; " in left.output
    assert f"`kafkalab clean --run {theirs}` deletes it all the same" in left.output
    assert "There is nothing to delete." in left.output
    assert after == BOTH
    assert named.exit_code == 0
    assert scene.there(theirs) == 0


def test_what_is_written_down_of_another_cluster_says_nothing_here(
    scene: Scene, dead: Owner
) -> None:
    """A mirrored topic has the name that it has where the run made it."""
    mirrored = scene.run(dead, cluster="another")

    said = scene.clean("--yes").output

    assert f"its owner is not recorded in {scene.ledger.cache}; " in said
    assert scene.there(mirrored) == BOTH


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells namespaces")
def test_a_run_elsewhere_may_go_on(scene: Scene, dead: Owner) -> None:
    """Of another host or container with the same cache folder nobody here knows."""
    machine = replace(dead.machine, namespace="pid:[1]")
    elsewhere = scene.run(replace(dead, machine=machine))

    left = scene.clean("--yes")
    after = scene.there(elsewhere)
    named = scene.clean("--yes", "--run", elsewhere)

    assert "this machine cannot check whether it has ended" in left.output
    assert after == BOTH
    assert named.exit_code == 0
    assert scene.there(elsewhere) == 0


@pytest.mark.parametrize("named", [False, True], ids=["not named", "named"])
def test_a_run_whose_process_lives_is_spared(scene: Scene, named: bool) -> None:
    """Whatever its age, and whatever was said: it may be paused in a debugger."""
    alive = scene.run(Owner.me(), age=100 * HOURS)

    said = scene.clean("--yes", "--older-than=0", *(["--run", alive] if named else []))

    assert said.exit_code == 0
    assert f"alive: its process, {Owner.me().pid}, goes on" in said.output
    assert scene.there(alive) == BOTH


def test_who_comes_to_life_while_the_question_stands_is_spared(
    scene: Scene, cluster: SecuredCluster, dead: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the answer it is looked again."""
    woken, other = scene.run(dead), scene.run(dead)
    monkeypatch.setattr(cleaning, "MEMBERS_LIMIT", 2.0)
    member = Consumer({**cluster.administrator, "group.id": f"{woken}thing"})

    def join(*_: object, **__: object) -> None:
        member.subscribe([f"{woken}thing"])
        wait_until(
            lambda: member.poll(0.1) or member.assignment(), bool, limit=LIMIT, what="it to join"
        )

    monkeypatch.setattr(typer, "confirm", join)
    try:
        said = scene.clean()
    finally:
        member.close()

    assert said.exit_code == 0
    assert f"alive: {woken}thing has 1 member\n" in said.output
    assert (scene.there(woken), scene.there(other)) == (BOTH, 0)


@pytest.mark.parametrize("known", [True, False], ids=["its process has ended", "unknown"])
def test_a_run_whose_group_has_members_is_spared(
    scene: Scene,
    cluster: SecuredCluster,
    dead: Owner,
    monkeypatch: pytest.MonkeyPatch,
    known: bool,
) -> None:
    """Who was killed is missed in a minute; who is not missed lives, wherever it runs."""
    monkeypatch.setattr(cleaning, "MEMBERS_LIMIT", 2.0)
    alive = scene.run(dead if known else None, age=100 * HOURS)
    member = Consumer({**cluster.administrator, "group.id": f"{alive}thing"})
    member.subscribe([f"{alive}thing"])
    wait_until(
        lambda: member.poll(0.1) or member.assignment(), bool, limit=LIMIT, what="it to join"
    )
    try:
        said = [scene.clean("--yes"), scene.clean("--yes", "--run", alive)]
        after = scene.there(alive)
    finally:
        member.close()

    assert after == BOTH
    for each in said:
        assert each.exit_code == 0
        assert f"alive: {alive}thing has 1 member\n" in each.output


def test_members_that_are_not_missed_yet_are_waited_for(
    scene: Scene, cluster: SecuredCluster, dead: Owner
) -> None:
    """A member that was killed with its run goes within its session; then its run is deleted."""
    ended = scene.run(dead)
    script = f"""
from confluent_kafka import Consumer
member = Consumer({{**{cluster.administrator!r}, "group.id": "{ended}thing",
                   "session.timeout.ms": 6000}})
member.subscribe(["{ended}thing"])
while not member.assignment():
    member.poll(0.1)
print("joined", flush=True)
while True:
    member.poll(0.1)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"joined\n"
        process.kill()

    said = scene.clean("--yes")

    assert "still have members: waiting until the cluster removes them, 60 s at most" in said.output
    assert said.exit_code == 0
    assert scene.there(ended) == 0


def test_names_are_shown_harmless(scene: Scene, dead: Owner) -> None:
    """A group's id may be anything: it neither colours the terminal nor fakes a line."""
    prefix = scene.run(dead, group="\x1b[31mred\nDeleted 9 topics\u202e[bold]")

    said = scene.clean("--yes")

    assert rf"  group  {prefix}\x1b[31mred\nDeleted 9 topics\u202e[bold]" in said.output
    assert "\x1b" not in said.output
    assert scene.there(prefix) == 0


def test_a_run_is_written_down_while_it_may_leave_something(
    scene: Scene, cluster: SecuredCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it asks for its rights, by making a topic and a group."""
    backend = ExternalBackend(
        cluster.bootstrap, cluster.properties_file(LAB), "", tmp_path / "cache"
    )
    asked_for = []

    def ask(_: object, prefix: str) -> None:
        asked_for.append((prefix, [(each.name, each.cluster) for each in scene.ledger]))

    monkeypatch.setattr(external, "require_rights", ask)

    backend.prepare(steps=None)  # type: ignore[arg-type]

    ((prefix, entries),) = asked_for
    assert entries == [(prefix, scene.cluster_id)]
    assert list(scene.ledger) == []


HOLDS_A_TOPIC = """

def test_holds_a_topic(topic, admin):
    name = topic()
    pause("running", name)
    assert name in admin.list_topics(timeout=30).topics
"""


def test_a_run_that_is_paused_keeps_what_it_made(cluster: SecuredCluster, tmp_path: Path) -> None:
    """Somebody cleans up while it stands still, without any member: it goes on all the same."""
    scene = Scene(cluster, CACHE)
    run = HeldRun(
        tmp_path / "run",
        *("-k", "holds_a_topic", "--kafkalab-backend=external"),
        f"--kafkalab-bootstrap={cluster.bootstrap}",
        f"--kafkalab-config={cluster.properties_file(LAB)}",
        phase="running",
        more=HOLDS_A_TOPIC,
    )
    name = run.wait_until_held().run.name

    said = scene.clean("--yes", "--older-than=0")

    run.go_on()
    assert run.wait() == pytest.ExitCode.OK, run.printed
    assert f"alive: its process, {run.process.pid}, goes on" in said.output
    assert scene.there(name) == 0, "it tidied up itself"
    assert name.rpartition("holds")[0] not in [entry.name for entry in scene.ledger]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--older-than=-100"], "--older-than is -100: name hours, from 0 on"),
        (["--older-than=-1e-9"], "--older-than is -1e-09: name hours, from 0 on"),
        (["--older-than=nan"], "--older-than is nan: name hours, from 0 on"),
        (["--older-than=inf"], "--older-than is inf: name hours, from 0 on"),
        (["--older-than=1e999"], "--older-than is inf: name hours, from 0 on"),
        (["--run", "payments"], "--run payments is no run's prefix: name one as in"),
        (["--run", "kafkalab-"], "--run kafkalab- is no run's prefix: name one as in"),
        (["--run", "a\nb\x1b[31m"], r"--run a\nb\x1b[31m is no run's prefix: name one as in"),
    ],
)
def test_wrong_values_are_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    """They are refused before any cluster is asked."""
    monkeypatch.setattr(sys, "argv", ["kafkalab", "clean", "--bootstrap=127.0.0.1:1", *arguments])

    with pytest.raises(SystemExit) as ended:
        main()

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith(f"kafkalab: {said}")
