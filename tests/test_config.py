"""Every setting comes three ways: option before environment before ini before default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path

import platformdirs
import pytest

from kafkalab.config import KNOBS, Settings

PATHS = ("cache", "client_config", "concept_summary", "curriculum", "reports", "solutions")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for knob in KNOBS.values():
        monkeypatch.delenv(knob.variable, raising=False)


class Project:
    """A pytest project, and a folder in it from which pytest is called."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        self.root = pytester.path
        self.called_in = pytester.mkdir("inner")
        pytester.makeini("[pytest]\n")
        monkeypatch.chdir(self.called_in)

    def settings(self, **given: str) -> Settings:
        """What a run reads that gets every one of its settings in the ways that are given.

        A value may have a `*`, which stands for the setting's name.
        """
        arguments, lines = [], ["[pytest]"]
        for name, knob in KNOBS.items():
            values = {way: value.replace("*", name) for way, value in given.items()}
            if "variable" in values:
                self._monkeypatch.setenv(knob.variable, values["variable"])
            if "option" in values:
                arguments.append(f"{knob.flag}={values['option']}")
            if "ini" in values:
                lines.append(f"{knob.ini} = {values['ini']}")
        self._pytester.makeini("\n".join(lines))
        return Settings.from_pytest(self._pytester.parseconfig(*arguments))


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, monkeypatch)


def as_text(settings: Settings) -> dict[str, str]:
    return {name: str(getattr(settings, name)) for name in KNOBS}


@pytest.mark.parametrize(
    ("given", "winner"),
    [
        pytest.param({"option": "/o/*", "variable": "/v/*", "ini": "/i/*"}, "/o", id="option wins"),
        pytest.param({"option": "/o/*", "ini": "/i/*"}, "/o", id="option beats ini"),
        pytest.param({"variable": "/v/*", "ini": "/i/*"}, "/v", id="environment beats ini"),
        pytest.param({"ini": "/i/*"}, "/i", id="ini beats default"),
        pytest.param({"variable": "", "ini": "/i/*"}, "/i", id="an empty variable is none"),
    ],
)
def test_the_nearer_way_wins_for_every_setting(
    project: Project, given: Mapping[str, str], winner: str
) -> None:
    """The nearer to this one run a value is given, the more it counts."""
    settings = project.settings(**given)

    assert as_text(settings) == {name: f"{winner}/{name}" for name in KNOBS}


def test_every_setting_has_a_default(project: Project) -> None:
    """Without any setting the lab chooses its backend and judges its own components."""
    settings = project.settings()

    assert settings == Settings(
        backend="auto",
        image="",
        kafka_version="",
        bootstrap="",
        client_config=None,
        solutions=None,
        reports=project.root / "reports",
        concept_summary=None,
        cache=Path(platformdirs.user_cache_dir("kafkalab")),
        curriculum=None,
    )


def test_a_setting_does_not_change_during_a_run(project: Project) -> None:
    """Settings are read once; nobody can change them behind another's back."""
    settings = project.settings()

    with pytest.raises(FrozenInstanceError):
        settings.backend = "container"  # type: ignore[misc]


# Paths


def paths(settings: Settings) -> dict[str, Path]:
    return {name: getattr(settings, name) for name in PATHS}


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_path_of_the_shell_is_relative_to_where_pytest_was_called(
    project: Project, way: str
) -> None:
    """What a shell user types means what it means to `ls`."""
    settings = project.settings(**{way: "my/*"})

    assert paths(settings) == {name: project.called_in / "my" / name for name in PATHS}


def test_a_path_of_the_ini_is_relative_to_the_root_folder(project: Project) -> None:
    """A project's own settings mean the same wherever pytest is called."""
    settings = project.settings(ini="my/*")

    assert paths(settings) == {name: project.root / "my" / name for name in PATHS}


@pytest.mark.parametrize("way", ["option", "variable", "ini"])
def test_a_tilde_is_the_home_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """No shell expands what stands in an ini or after an equals sign."""
    monkeypatch.setenv("HOME", "/home/learner")

    settings = project.settings(**{way: "~/*"})

    assert paths(settings) == {name: Path("/home/learner") / name for name in PATHS}


# Commands, which pytest knows nothing of


def test_a_commands_option_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that was not given is None, and counts as such."""
    monkeypatch.setenv("KAFKALAB_BACKEND", "container")
    monkeypatch.setenv("KAFKALAB_IMAGE", "example/kafka:1")

    settings = Settings.from_environment(backend="embedded", image=None)

    assert (settings.backend, settings.image) == ("embedded", "example/kafka:1")


def test_a_commands_paths_are_relative_to_where_it_was_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no other folder that they could be relative to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKALAB_CACHE", "cache")

    settings = Settings.from_environment(solutions="my_lab")

    assert settings.solutions == tmp_path / "my_lab"
    assert settings.cache == tmp_path / "cache"
    assert settings.reports == tmp_path / "reports"
