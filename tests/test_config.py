"""Every setting comes three ways: option before environment before ini before default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import pytest

from kafkalab.config import DEFAULT_IMAGE, KNOBS, Knob, Settings

NAMES = sorted(KNOBS)
EVERY_KNOB = pytest.mark.parametrize("name", NAMES)
PATHS = ("cache", "curriculum", "reports", "solutions")
EVERY_PATH = pytest.mark.parametrize("name", PATHS)


class Place(NamedTuple):
    """A pytest project, and the folder in it from which pytest is called."""

    root: Path
    called_in: Path


@pytest.fixture
def place(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project without any setting of kafkalab, called from one of its folders."""
    for knob in KNOBS.values():
        monkeypatch.delenv(knob.variable, raising=False)
    pytester.makeini("[pytest]\n")
    called_in = pytester.mkdir("inner")
    monkeypatch.chdir(called_in)
    return Place(pytester.path, called_in)


class Ways(NamedTuple):
    """How a value is given: each way that is not empty."""

    option: str = ""
    variable: str = ""
    ini: str = ""


def settings(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, ways: Ways) -> Any:
    """The one setting of that name, as a run of pytest reads it."""
    knob: Knob = KNOBS[name]
    if ways.variable:
        monkeypatch.setenv(knob.variable, ways.variable)
    if ways.ini:
        pytester.makeini(f"[pytest]\n{knob.ini} = {ways.ini}\n")
    config = pytester.parseconfig(*([f"{knob.flag}={ways.option}"] if ways.option else []))
    return getattr(Settings.from_pytest(config), name)


@EVERY_KNOB
@pytest.mark.parametrize(
    ("ways", "winner"),
    [
        pytest.param(Ways("/option", "/variable", "/ini"), "/option", id="option wins"),
        pytest.param(Ways("/option", ini="/ini"), "/option", id="option beats ini"),
        pytest.param(Ways(variable="/variable", ini="/ini"), "/variable", id="environment wins"),
        pytest.param(Ways(ini="/ini"), "/ini", id="ini beats the default"),
    ],
)
def test_the_earlier_way_wins(
    place: Place,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ways: Ways,
    winner: str,
) -> None:
    """The nearer to this one run a value is given, the more it counts."""
    value = settings(pytester, monkeypatch, name, ways)

    assert str(value) == winner
