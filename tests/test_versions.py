"""Which Kafka runs, and what is stated about which: `--kafkalab-version`, and facts' bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkalab.brokers.choose import backend_named, choose
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.distribution import pinned_jars, pinned_version, pinned_versions
from kafkalab.brokers.errors import BrokerError, OtherVersion, UnknownVersion
from kafkalab.config import KAFKA_VERSION, KNOBS, Settings

KINDS_OF_KAFKA = ("4.0", "4.1", "4.2", "4.3", "4.4")

# The versions of Kafka that a played broker has, see conftest.py.
BOUND = """
@pytest.mark.fact("thing", scope="any", versions="{versions}")
def test_a_thing_is():
    '''A thing is a thing.'''
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for knob in KNOBS.values():
        monkeypatch.delenv(knob.variable, raising=False)


# Which versions there are


@pytest.mark.parametrize("asked", KINDS_OF_KAFKA)
def test_a_minor_version_names_its_pinned_patch(asked: str) -> None:
    """`4.1` is what people say; which patch that is stands in the repository."""
    version = pinned_version(asked)

    assert version.startswith(f"{asked}.")
    assert pinned_version(version) == version


def test_the_default_is_the_newest() -> None:
    """Who does not ask gets the newest Kafka that is pinned."""
    assert pinned_versions()[-1] == KAFKA_VERSION


@pytest.mark.parametrize("version", pinned_versions())
def test_pins_are_whole(version: str) -> None:
    """Broker, clients and a place for the log are among the jars, each once, each with its sums."""
    jars = pinned_jars(version)
    names = [jar.file_name for jar in jars]

    assert {f"kafka_2.13-{version}.jar", f"kafka-clients-{version}.jar"} < set(names)
    assert any(name.startswith("slf4j-simple-") for name in names)
    assert len(set(names)) == len(names)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)


@pytest.mark.parametrize("asked", ["3.9", "4", "4.1.99", "4.1.", "latest", "../4.1"])
def test_an_unknown_version_is_named_with_the_known_ones(asked: str) -> None:
    """One line: what was asked for, and what there is."""
    with pytest.raises(UnknownVersion) as told:
        pinned_version(asked)

    assert len(str(told.value).splitlines()) == 1
    assert f"'{asked}'" in str(told.value)
    assert all(version in str(told.value) for version in pinned_versions())


# Which backend gets which version


def test_embedded_runs_the_version_that_was_asked_for(tmp_path: Path) -> None:
    """Each version has a prepared folder of its own, so they live beside each other."""
    settings = Settings.from_environment(cache=str(tmp_path), kafka_version="4.1")

    backend = backend_named("embedded", settings)

    assert backend.kafka_version == pinned_version("4.1")
    assert f"Apache Kafka {pinned_version('4.1')}" in backend.describe()


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({}, f"apache/kafka:{KAFKA_VERSION}"),
        ({"kafka_version": "4.1"}, f"apache/kafka:{pinned_version('4.1')}"),
        ({"image": "mine/kafka:4.0.0"}, "mine/kafka:4.0.0"),
        (
            {"image": f"mine/kafka:{KAFKA_VERSION}", "kafka_version": "4.4"},
            f"mine/kafka:{KAFKA_VERSION}",
        ),
    ],
    ids=["nothing asked", "a version", "an image", "both, and they agree"],
)
def test_a_container_has_the_image_of_the_version(given: dict[str, str], image: str) -> None:
    """The version chooses the tag of the default image; an image that is named says its own."""
    backend = backend_named("container", Settings.from_environment(**given))

    assert isinstance(backend, ContainerBackend)
    assert backend.image == image


def test_an_image_of_another_version_is_refused() -> None:
    """A run must not say 4.1 and be 4.4."""
    settings = Settings.from_environment(image="mine/kafka:4.4.0", kafka_version="4.1")

    with pytest.raises(OtherVersion, match=r"mine/kafka:4\.4\.0 is not Kafka 4\.1"):
        backend_named("container", settings)


def test_auto_goes_by_the_version_rather_than_by_the_image() -> None:
    """Where kafkalab has the choice, it takes the way that leads to the version."""
    settings = Settings.from_environment(image="mine/kafka:4.4.0", kafka_version="4.1")

    backend, reason = choose(settings)

    assert backend.name == "embedded"
    assert reason == f"auto: mine/kafka:4.4.0 is not Kafka {pinned_version('4.1')}"


@pytest.mark.parametrize("backend", ["auto", "container", "embedded"])
def test_an_unknown_version_is_told_by_every_backend(backend: str) -> None:
    """Whatever would have run, nothing does."""
    with pytest.raises(BrokerError, match=r"no Kafka '3\.9'"):
        choose(Settings.from_environment(backend=backend, kafka_version="3.9"))


# What is stated about which version


@pytest.mark.parametrize("versions", ["<1", "==0.0.0", ">=0.0,<4.1", ""])
def test_a_fact_is_tried_on_the_versions_that_it_names(project: Any, versions: str) -> None:
    """Bounds that take in the broker's version change nothing."""
    project.teach(BOUND.format(versions=versions), {"thing": "there is none"})

    project.run()

    (fact,) = project.record()["facts"]
    assert (fact["verdict"], fact["versions"]) == ("demonstrated", versions)


def test_a_fact_is_not_tried_on_other_versions(project: Any) -> None:
    """It is skipped, and the record says for which it is stated, and which this is."""
    project.teach(BOUND.format(versions=">=4.1"), {"thing": "there is none"})

    project.run()

    (fact,) = project.record()["facts"]
    assert fact["verdict"] == "not run"
    assert fact["reason"] == "stated for Kafka >=4.1, and this is 0.0.0"


@pytest.mark.parametrize("versions", ["4.1", "=>4.1", "from 4.1 on"])
def test_bounds_that_cannot_be_read_are_refused(project: Any, versions: str, lines: Any) -> None:
    """They are found before any test runs, whatever is selected."""
    project.teach(BOUND.format(versions=versions), {"thing": "there is none"})

    result = project.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"test_task_9_1_things.py:8: versions='{versions}' is not of the form" in lines(result)
