"""How many workers a run of facts gets, if its call says nothing of it.

Facts mostly wait, so several at a time end sooner, on two cores already. That is pytest-xdist's
`-n`; a project asks for it with `kafkalab_workers = auto` in its ini file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# pytest has no public name for what -k and -m mean.
from _pytest.mark.expression import Expression

from kafkalab.curriculum import Statement
from kafkalab.lab import Lab
from kafkalab.learning_log.record import is_about_component

INI = "kafkalab_workers"
AUTO = "auto"
MOST = 8
"""workers: on two cores a run took longer with eight than with four"""
FEW = 4
"""tests: fewer than these are done before the workers have begun"""


def ask_for_them(config: pytest.Config) -> None:
    """Have xdist start workers, if the project asks for them and the call can do with them.

    Call this before xdist reads its options.

    Raises:
        UsageError: the ini file names another value than auto.
        BadManifest: the curriculum cannot be read.
    """
    asked = config.getini(INI)
    if asked not in ("", AUTO):
        raise pytest.UsageError(f"{INI} is {asked} in {config.inipath}: it can be {AUTO}, or empty")
    if not asked or hasattr(config, "workerinput") or not _may_have_workers(config):
        return
    lab = Lab(config)
    if (lab.is_active and lab.is_alone) or lab.adds_facts:
        tests = sum(1 for _ in _selected(config, lab))
        if tests >= FEW:
            config.option.numprocesses = min(2 * _cores(), MOST, tests)


def _may_have_workers(config: pytest.Config) -> bool:
    """Whether xdist is there, the call does not speak of it, and nobody sits at the terminal."""
    option = config.option
    is_free = config.pluginmanager.hasplugin("xdist") and (
        option.numprocesses is None and not option.tx and option.dist == "no"
    )
    # Workers have no terminal; and a few tests that failed are done sooner without them.
    needs_one_process = (
        option.usepdb
        or option.trace
        or option.capture == "no"
        or option.collectonly
        or option.kafkalab_predict
        or getattr(option, "lf", False)
        or getattr(option, "stepwise", False)
    )
    return is_free and not needs_one_process


def _cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _selected(config: pytest.Config, lab: Lab) -> Iterator[Statement]:
    """The statements whose tests the call selects, as far as that is known before they are there.

    A test with parameters counts once.
    """
    # Beside the project's own tests all facts are run.
    places = config.args if lab.is_alone else []
    folder = lab.curriculum.folder
    for each in lab.curriculum.statements:
        markers = _markers(each)
        # -k finds parts of these names.
        names = " ".join((folder.name, f"{each.module}.py", each.function, *markers)).lower()
        if (
            (not places or any(_is_at(place, each, config, folder) for place in places))
            and _holds(config.option.keyword, names)
            and _holds(config.option.markexpr, markers)
        ):
            yield each


def _markers(statement: Statement) -> set[str]:
    """The names of its test's markers, of which -m may speak."""
    said = {"slow": statement.is_slow, "component": is_about_component(statement.scope)}
    return {statement.role, *(name for name, holds in said.items() if holds)}


def _is_at(place: str, statement: Statement, config: pytest.Config, folder: Path) -> bool:
    """Whether an argument of pytest names a test, its file, or a folder around it."""
    path, _, function = place.partition("::")
    if config.option.pyargs:
        is_around = path in (folder.name, f"{folder.name}.{statement.module}")
    else:
        around = (config.invocation_params.dir / path).resolve()
        is_around = (folder / f"{statement.module}.py").is_relative_to(around)
    return is_around and function.partition("[")[0] in ("", statement.function)


def _holds(expression: str, words: str | set[str]) -> bool:
    """Whether an expression of -k or -m holds; pytest itself refuses one that cannot be read."""

    def is_said(word: str, /, **_: str | int | bool | None) -> bool:
        return word.lower() in words

    try:
        return not expression or Expression.compile(expression).evaluate(is_said)
    except SyntaxError:
        return False
