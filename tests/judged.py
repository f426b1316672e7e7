"""Collects components as tests: a wrong one has to be refuted by a fact, a right one has to pass.

They run as items on the shared broker, in the process of pytest. What hangs, exits or breaks its
process is in tests/wicked/, and is judged in processes of its own.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from binascii import crc32
from collections.abc import Generator, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest

from kafkalab.curriculum import Curriculum, Statement, load
from kafkalab.facts import plain_reasons
from kafkalab.learning_log.verdicts import TOO_LATE, Outcome, judge
from kafkalab.learning_log.wording import why
from kafkalab.plugin import MARKERS
from kafkalab.solutions import Solutions

# Seconds. A fact takes one or two, some of 1.5 ten; a limit is no refutation.
LIMIT = 60

# What says nothing to a reader who knows the contract only.
UNCLEAR = re.compile(
    r"DID NOT RAISE|not so:|\bnot True\b|^seen: +(True|False)$|values to unpack|<generator|"
    r"Falsifying|Flaky|Unreliable|HealthCheck|Explanation:",
    re.MULTILINE,
)

# The environment variable that names a file for authors: each wrong component's reason is
# appended to it, to read all messages at once.
REASONS = "JUDGED_REASONS"

# How the reason of an exception, or of a limit, begins; that of an expectation is a sentence.
CRASH = re.compile(rf"(\S+\.py:\d+: )?(\w+(Error|Exception): |Timeout |{TOO_LATE})")


@cache
def curriculum() -> Curriculum:
    """Module A."""
    return load()


def component_facts(task: str) -> list[Statement]:
    """What a task's facts state about its component."""
    return [
        each
        for each in curriculum().statements
        if each.task == task and each.scope.startswith("the component")
    ]


def said_by(component: Path, name: str) -> Any:
    """The value of a constant that a component's file has at its top; None if it has none."""
    for node in ast.parse(component.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    return None


class JudgedFile(pytest.File):
    """A component, `tests/wrong/NAME/COMPONENT.py` or `tests/right/NAME/COMPONENT.py`.

    A wrong one says in CAUGHT_BY which fact has to refute it, and, if that fact is a parametrised
    test of which only some refute it, in CAUGHT_WITH the ids of those.
    """

    def collect(self) -> Iterator[pytest.Collector]:
        """Make a module of each module of facts that judge it."""
        (task,) = (each for each in curriculum().tasks if each.component == self.path.stem)
        facts, slug = component_facts(task.id), said_by(self.path, "CAUGHT_BY")
        if slug is not None:
            facts = [each for each in facts if each.slug == slug]
            assert facts, f"{self.path}: there is no fact {slug} about the component"
        for name in sorted({each.module for each in facts}):
            yield JudgedModule.of(self, name, [e.function for e in facts if e.module == name])


class JudgedModule(pytest.Module):
    """A test module whose `solutions` are the folder of one component."""

    lesson: str
    functions: Sequence[str]
    is_wrong: bool

    @classmethod
    def of(cls, parent: JudgedFile, lesson: str, functions: Sequence[str]) -> Self:
        """The module of those facts, for the component in a file."""
        nodeid = f"{parent.nodeid}::{lesson}"
        made: Self = cls.from_parent(parent, path=parent.path, nodeid=nodeid, name=lesson)
        made.lesson, made.functions = lesson, functions
        made.is_wrong = said_by(parent.path, "CAUGHT_BY") is not None
        return made

    def _getobj(self) -> ModuleType:
        path = curriculum().folder / f"{self.lesson}.py"
        name = f"judged_{crc32(self.nodeid.encode()):08x}"
        # Its assertions tell what was seen, as in a run.
        hook = self.config.pluginmanager.rewrite_hook
        spec = importlib.util.spec_from_file_location(name, path, loader=hook)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # dataclasses look for the module of their class there.
        sys.modules[name] = module
        spec.loader.exec_module(module)
        folder = self.path.parent

        @pytest.fixture(scope="module")
        def solutions() -> Solutions:
            return Solutions(folder)

        vars(module)["solutions"] = solutions
        return module

    def funcnamefilter(self, name: str) -> bool:
        return name in self.functions

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - pytest calls it with a name
        return False

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The facts, with the parameters that are named."""
        params = said_by(self.path, "CAUGHT_WITH")
        for item in super().collect():
            assert isinstance(item, pytest.Function)
            if not params or item.callspec.id in params:
                item.add_marker(pytest.mark.timeout(LIMIT))
                # Topics and groups are named after it: the same test judges many components.
                item.name = f"{self.path.parent.name}-{item.name}"
                yield item


# The hooks of tests/wrong/conftest.py and tests/right/conftest.py


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.stem in {each.component for each in curriculum().tasks}:
        made: pytest.Collector = JudgedFile.from_parent(parent, path=file_path)
        return made
    return None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Call a fact: a wrong component has to be refuted, for what it does."""
    module = pyfuncitem.parent
    if not (isinstance(module, JudgedModule) and module.is_wrong):
        return (yield)
    folder, test = pyfuncitem.path.parent, curriculum().folder / f"{module.lesson}.py"
    try:
        with plain_reasons(pyfuncitem):
            yield
    except (Exception, pytest.fail.Exception) as error:
        outcome, reason = judge(error, folder, lambda: None, test)
        told = "\n".join(why(reason))
        if notes := os.environ.get(REASONS):
            with Path(notes).open("a", encoding="utf-8") as file:
                file.write(f"{folder.name}: {pyfuncitem.originalname}\n{told}\n\n")
        assert not UNCLEAR.search(told), f"the reason does not say what to mend: {told}"
        if outcome is not Outcome.REFUTED or CRASH.match(reason):
            raise AssertionError(f"caught by a crash or a limit, no fact: {reason}") from error
        return True
    raise AssertionError(f"{pyfuncitem.originalname} passes: {folder.name} is not caught")
