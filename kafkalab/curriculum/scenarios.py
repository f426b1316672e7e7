"""A module's tasks as guided scenarios of the explorer: what to do, and what to watch for."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from kafkalab.curriculum import Curriculum


@dataclass(frozen=True)
class PlayedTopic:
    """The topic that a scenario, or one of its steps, uses."""

    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What to do, and what to watch for; it does not say what will happen."""

    title: str
    do: tuple[str, ...]
    """sentences; text between backticks is typed by the learner, or is a name"""
    watch: tuple[str, ...]
    """sentences, as in `do`"""
    facts: tuple[str, ...]
    """slugs of the facts that it shows"""
    topic: PlayedTopic | None = None
    """a topic other than the scenario's; None: the scenario's"""


@dataclass(frozen=True)
class Scenario:
    """One task in the explorer."""

    task: str
    """its id"""
    topic: PlayedTopic
    steps: tuple[Step, ...]


def scenarios_of(curriculum: Curriculum) -> Mapping[str, Scenario]:
    """The scenarios of a module, by task id; empty for a module other than Module A."""
    module, scenarios = _written()
    return scenarios if curriculum.id == module else {}


@cache
def _written() -> tuple[str, Mapping[str, Scenario]]:
    text = resources.files(__package__).joinpath("scenarios.toml").read_text("utf-8")
    data = tomllib.loads(text)
    return data["module"], {each["task"]: _scenario(each) for each in data["scenario"]}


def _scenario(data: Mapping[str, Any]) -> Scenario:
    steps = tuple(_step(each) for each in data["step"])
    return Scenario(data["task"], PlayedTopic(**data["topic"]), steps)


def _step(data: Mapping[str, Any]) -> Step:
    return Step(
        data["title"],
        tuple(data["do"]),
        tuple(data["watch"]),
        tuple(data["facts"]),
        PlayedTopic(**data["topic"]) if "topic" in data else None,
    )
