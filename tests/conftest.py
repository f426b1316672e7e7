"""What the tool's own tests share: a project of facts, with a broker that is only played."""

from __future__ import annotations

import importlib.util
import json
import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, settings

from kafkalab.brokers import Topology
from kafkalab.brokers.embedded import EmbeddedBackend, EmbeddedBroker
from kafkalab.brokers.errors import StartFailed
from kafkalab.cli import command_line
from kafkalab.config import Settings
from kafkalab.learning_log import acts
from kafkalab.observe.topics import create_topic

pytest_plugins = ["pytester"]

# What a run of pytest inside of a test loads is forgotten after it, and would be loaded twice: so
# all commands are loaded before.
command_line()

# A loaded machine is slow, which says nothing about the code.
settings.register_profile(
    "at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("at any speed")

MANIFEST = """
[module]
id = "T"
title = "A module for tests"
package = "."

[[task]]
id = "9.1"
title = "Things"
question = "What is a thing?"
module = "test_task_9_1_things"
component = "topics"
"""

# Loaded by the controller and by each worker: kafkalab's broker is replaced by one that
# runs no Kafka, lives while a file is there, and writes down how often it was started.
PLAYED_BROKER = """
from pathlib import Path

import kafkalab.facts
import kafkalab.lab
from kafkalab.brokers.errors import BrokerDied, StartFailed

HERE = Path(__file__).parent


class Played:
    bootstrap, node_ids, running_ids, version = "127.0.0.1:1", (1,), (1,), "0.0.0"
    capabilities = frozenset()

    def client_properties(self):
        return {"bootstrap.servers": self.bootstrap}

    def check_alive(self):
        if (HERE / "dead").exists():
            raise BrokerDied(
                "The broker died: node 1 is gone.",
                suspect="the play.",
                remedy="run again.",
                log="the last words of the log",
            )

    def log_tail(self, lines=15):
        return "the last words of the log"

    def state(self):
        return {"nodes": [], "version": "0.0.0", "start_seconds": 0.25, "notes": ["a note"]}

    def close(self):
        pass


class PlayedBackend:
    name, starts, kafka_version, capabilities = "played", "played", "0.0.0", frozenset()

    def describe(self):
        return "a played broker"

    def prepare(self, say):
        pass

    def launch(self, topology, home):
        if (HERE / "fails").exists():
            raise StartFailed("It did not start.", suspect="the play.", remedy="run again.")
        with (HERE / "launches").open("a") as launches:
            launches.write("x")
        return Played()

    def shared(self, home):
        return self.launch(None, home)

    def attach(self, state):
        return Played()

    def end_run(self, prefix, tell):
        return True


class Answering:
    def __init__(self, client):
        pass

    def brokers(self, limit):
        return 1


kafkalab.facts.MetadataProbe = Answering
kafkalab.lab.choose = lambda settings: (PlayedBackend(), "")
kafkalab.lab.backend_named = lambda *_: PlayedBackend()
"""


PREDICTION = """
[{slug}]
question = "What of {slug}?"
choices = [
  {{ text = "Something", right = true }},
  {{ text = "Nothing", tempting = "So it seems." }},
]
"""


class Project:
    """A folder with facts of one task, to be run by pytest in a process of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.folder = self.lessons = pytester.path
        pytester.makepyprojecttoml("[tool.pytest.ini_options]\nkafkalab_curriculum = 'module.toml'")
        pytester.makeconftest(PLAYED_BROKER)

    def teach(self, tests: str, facts: dict[str, str] | None = None) -> None:
        """Write the task's module, and a manifest of these slugs with why they lack a control."""
        head = "import os\nimport pathlib\nimport pytest\n"
        head += "from kafkalab.waiting import wait_until\n\n"
        module = head + textwrap.dedent(tests)
        (self.lessons / "test_task_9_1_things.py").write_text(module, "utf-8")
        rows = [MANIFEST, "[task.facts]"]
        for slug, no_control in (facts or {"thing": ""}).items():
            why = f", no_control = '{no_control}'" if no_control else ""
            rows.append(f"{slug} = {{hint = 'Look.'{why}}}")
        (self.lessons / "module.toml").write_text("\n".join(rows), "utf-8")

    def asks(self, *slugs: str) -> None:
        """Have these facts be predicted before they are seen."""
        folder = self.lessons / "predictions"
        folder.mkdir(exist_ok=True)
        text = "".join(PREDICTION.format(slug=slug) for slug in slugs)
        (folder / "task_9_1.toml").write_text(text, "utf-8")

    def did(self, kind: str, about: str, **said: Any) -> None:
        """The learner did something."""
        acts.append(self.folder / "reports" / acts.FILE, kind, about, **said)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest there, in file order unless told otherwise."""
        # 60 s: such a run takes about a second; a hang must not hang these tests.
        return self._pytester.runpytest_subprocess("-p", "no:randomly", *arguments, timeout=60)

    def record(self) -> dict[str, Any]:
        """The record of the only, or last, run."""
        # Of two runs in one second the names do not tell which was the last.
        records = (self.folder / "reports" / "runs").glob("*.json")
        path = max(records, key=lambda path: path.stat().st_mtime_ns)
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return record

    def verdicts(self) -> dict[str, str]:
        """The verdict of each fact, by slug."""
        return {fact["slug"]: fact["verdict"] for fact in self.record()["facts"]}

    def play_warmth(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Commands that keep a broker warm, called in this process, have the one that is played."""
        backend = played_backend(self.folder)
        monkeypatch.setattr("kafkalab.cli.warmed.choose", lambda _: (backend, ""))

    @property
    def launches(self) -> int:
        """How often the broker was started."""
        path = self.folder / "launches"
        return len(path.read_text("utf-8")) if path.exists() else 0


class Host(Project):
    """Somebody's project with tests of its own, and a folder `lessons` of facts beside them."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.folder = pytester.path
        self.lessons = pytester.mkdir("lessons")
        self.write("played.py", PLAYED_BROKER)
        self.configure()

    def write(self, name: str, text: str) -> None:
        """Write one of its files."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")

    def configure(self, settings: str = "") -> None:
        """Write its ini file: its own settings, and where the facts are."""
        head = "[tool.pytest.ini_options]\nkafkalab_curriculum = 'lessons/module.toml'\n"
        self.write("pyproject.toml", head + textwrap.dedent(settings))

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest there, in file order; the tests that are meant are among the arguments."""
        return super().run("-p", "played", *arguments)


@pytest.fixture
def settled(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder for whole runs of pytest, with a cache folder of its own."""
    monkeypatch.setenv("KAFKALAB_CACHE", str(pytester.path / "cache"))
    monkeypatch.delenv("KAFKALAB_BACKEND", raising=False)
    monkeypatch.delenv("KAFKALAB_IMAGE", raising=False)
    return pytester


@pytest.fixture
def project(settled: pytest.Pytester) -> Project:
    """A project with a played broker."""
    return Project(settled)


def played_backend(folder: Path) -> Any:
    """The backend that the project's pytest plays, here."""

    class Played:
        bootstrap = "127.0.0.1:1"

        def check_alive(self) -> None:
            pass

        def state(self) -> dict[str, Any]:
            return {"nodes": [], "version": "0.0.0", "start_seconds": 0.25, "notes": []}

    def launch(*_: object) -> Played:
        if (folder / "fails").exists():
            raise StartFailed("It did not start.", suspect="the play.", remedy="run again.")
        with (folder / "launches").open("a") as launches:
            launches.write("x")
        return Played()

    return SimpleNamespace(
        name="played",
        starts="played",
        kafka_version="0.0.0",
        capabilities=frozenset(),
        prepare=lambda _: None,
        launch=launch,
        shared=launch,
        attach=lambda _: Played(),
        end_run=lambda *_: True,
    )


@pytest.fixture
def host(settled: pytest.Pytester) -> Host:
    """A project of somebody who has tests, and learns beside; with a played broker."""
    return Host(settled)


@pytest.fixture
def real_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A broker that runs Kafka, with a topic `seen` of three partitions."""
    backend = EmbeddedBackend(Settings.from_environment().cache)
    broker = backend.launch(Topology(), tmp_path / "home")
    try:
        create_topic(broker, AdminClient(broker.client_properties()), "seen", 3, 1, {})
        yield broker
    finally:
        broker.close()


@pytest.fixture
def lines() -> Callable[[pytest.RunResult], str]:
    """All that a run printed, stdout and stderr."""
    return lambda result: f"{result.stdout.str()}\n{result.stderr.str()}"


@pytest.fixture
def repository() -> Path:
    """The root of this repository."""
    return Path(__file__).parents[1]


@pytest.fixture
def load_tool(repository: Path) -> Callable[[str], Any]:
    """Loads a script of tools/ as a module, by its name."""

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, repository / "tools" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="module")
def browser() -> Any:
    """Chromium without a window, which reaches nothing of the network by itself."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs a browser: pip install -r requirements-browser.txt"
    )
    chromium = next(filter(os.path.exists, ("/usr/bin/chromium", "/usr/bin/chromium-browser")), "")
    if not chromium:
        pytest.skip("needs a browser: apt-get install chromium")
    quiet = ["background-networking", "component-update", "gpu", "quic", "sync"]
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{each}" for each in quiet)]
    with api.sync_playwright() as playwright:
        # Each launch has a user data folder of its own.
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()
