"""Plugins that people have beside ours, each with tests that use it, and with facts.

They are no part of the environment that `make lab` sets up: CI installs them from
requirements-neighbours.txt into one of their own. Where one is missing, its test is skipped.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kafkalab.config import Settings

ROOT = Path(__file__).parents[1]
# Read here: pytester gives each test a home of its own.
CACHE = Settings.from_environment().cache
STRICT = ("--strict-markers", "--strict-config", "-W", "error")


class Neighbour(NamedTuple):
    """A plugin, and a project that uses it."""

    plugin: str
    """its name among pytest's plugins"""
    own: str
    """a test of the project"""
    settings: str = ""
    """of its ini file"""
    options: tuple[str, ...] = ()


NEIGHBOURS = {
    "pytest-asyncio": Neighbour(
        "asyncio",
        "async def test_own():\n    pass",
        "asyncio_mode = 'auto'\nasyncio_default_fixture_loop_scope = 'function'",
    ),
    "pytest-bdd": Neighbour(
        "pytest-bdd",
        """
        from pytest_bdd import given, scenario

        @scenario("own.feature", "Own")
        def test_own(): pass

        @given("a broker")
        def a_broker(): pass
        """,
    ),
    "pytest-cov": Neighbour("pytest_cov", "def test_own(): pass", options=("--cov=.",)),
    "pytest-django": Neighbour(
        "django",
        """
        from django.db import connection

        def test_own(db):
            assert connection.vendor == "sqlite"
        """,
        "DJANGO_SETTINGS_MODULE = 'own_settings'",
    ),
    "pytest-docker": Neighbour(
        "docker",
        "def test_own(docker_ip):\n    assert docker_ip",
    ),
    "pytest-kafka": Neighbour(
        "pytest_kafka",
        """
        from pytest_kafka import make_kafka_consumer

        consumer = make_kafka_consumer("kafka_server", kafka_topics=["own"])

        def test_own(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("pytest_kafka")
        """,
    ),
    "pytest-kafka-broker": Neighbour(
        "kafka_broker",
        """
        def test_own(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("kafka_broker")
        """,
    ),
    "pytest-rerunfailures": Neighbour(
        "rerunfailures",
        """
        from pathlib import Path

        def test_own():
            was_tried = Path("tried").exists()
            Path("tried").touch()
            assert was_tried, "Its second try passes."
        """,
        options=("--reruns=1",),
    ),
    "pytest-socket": Neighbour(
        "socket",
        """
        import socket
        import pytest
        from pytest_socket import SocketBlockedError

        @pytest.mark.filterwarnings("ignore:A test tried to use socket")
        def test_own():
            with pytest.raises(SocketBlockedError):
                socket.socket()
        """,
        options=("--disable-socket",),
    ),
}

FACT = """
    import socket

    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is(evidence):
        '''A thing is a thing.'''
        socket.socket().close()
"""


def is_there(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def build(host: Any, neighbours: list[Neighbour]) -> None:
    """Write a project whose tests use these plugins, beside a fact."""
    host.teach(FACT, {"thing": "nothing is opposite to a thing"})
    host.configure("\n".join(each.settings for each in neighbours))
    for each in neighbours:
        host.write(f"test_own_{each.plugin.replace('-', '_')}.py", each.own)
    host.write("own.feature", "Feature: Own\n  Scenario: Own\n    Given a broker\n")
    database = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    host.write("own_settings.py", f"SECRET_KEY = 'none'\nDATABASES = {database}\n")


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_neighbour_and_facts_leave_each_other_alone(host: Any, name: str) -> None:
    """The host's test, which uses the plugin, passes; the fact holds, with warnings as errors."""
    if not is_there(name):
        pytest.skip(f"{name} is not there: pip install -r requirements-neighbours.txt")
    neighbour = NEIGHBOURS[name]
    build(host, [neighbour])
    others = [each.plugin for each in NEIGHBOURS.values() if each is not neighbour]

    result = host.run(*(f"-pno:{each}" for each in others), *neighbour.options, *STRICT, ".")

    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 2, f"{name}: the fact, and the test of the project."
    assert not {"failed", "errors", "error", "warnings", "warning"} & set(outcomes)
    assert host.verdicts() == {"thing": "demonstrated"}


def test_with_a_plugin_that_tries_again_a_fact_is_tried_once(host: Any) -> None:
    """A fact that fails once is refuted, in the terminal and by the exit code."""
    if not is_there("pytest-rerunfailures"):
        pytest.skip("pip install -r requirements-neighbours.txt brings pytest-rerunfailures")
    build(host, [])
    tries = "tries = pathlib.Path('tries'); tries.mkdir(exist_ok=True); n = len(os.listdir(tries))"
    body = f"{tries}; (tries / str(n)).touch(); assert n == 1, 'The second try passes.'"
    host.teach(FACT.replace("socket.socket().close()", body), {"thing": "there is none"})

    result = host.run("--reruns=2", "lessons")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert host.verdicts() == {"thing": "refuted"}
    assert len(list((host.folder / "tries").iterdir())) == 1


def test_all_neighbours_at_once_and_a_real_kafka(host: Any, monkeypatch: Any) -> None:
    """A task's facts are demonstrated, in workers and with warnings as errors."""
    if missing := [name for name in NEIGHBOURS if not is_there(name)]:
        pytest.skip(f"not there: {', '.join(missing)}")
    build(host, [each for each in NEIGHBOURS.values() if "socket" not in each.plugin])
    # Module A, on the Kafka that was prepared for everybody.
    host.write(
        "pyproject.toml",
        (host.folder / "pyproject.toml").read_text().replace("kafkalab_curriculum", "# "),
    )
    monkeypatch.setenv("KAFKALAB_CACHE", str(CACHE))
    options = [option for each in NEIGHBOURS.values() for option in each.options]
    command = ["--pyargs", "tests_module_a", "-k", "task_1_1", "-n2", "--kafkalab-backend=embedded"]

    result = host._pytester.runpytest_subprocess(*command, *options, *STRICT, timeout=180)

    assert result.ret == 0
    assert set(host.verdicts().values()) == {"demonstrated"}


def test_the_table_of_the_docs_names_what_was_tried() -> None:
    """Each plugin of requirements-neighbours.txt is tried, and stands in the docs' table."""
    lines = (ROOT / "requirements-neighbours.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line.startswith("pytest-"))
    table = (ROOT / "docs" / "neighbours.md").read_text("utf-8")

    assert set(pins) == set(NEIGHBOURS)
    assert [name for name, pin in pins.items() if f"| {name} {pin} |" not in table] == []
