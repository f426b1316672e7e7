"""Runs the mutants of Module A's experiments as tests; mutants.py says what they are."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from kafkalab.learning_log.verdicts import Outcome, judge
from kafkalab.plugin import MARKERS
from tests.apparatus.mutants import Mutant, module_of, mutants_in

# Seconds. A fact takes one or two, and a limit is no refutation.
LIMIT = 60


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".toml":
        return MutantFile.from_parent(parent, path=file_path)  # type: ignore[no-any-return]
    return None


class MutantFile(pytest.File):
    """The mutants of a task."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Make a module of each."""
        for mutant in mutants_in(self.path):
            yield MutantModule.of(self, mutant)


class MutantModule(pytest.Module):
    """A test module whose apparatus is changed; it has no test but the one that has to fail."""

    mutant: Mutant

    @classmethod
    def of(cls, parent: MutantFile, mutant: Mutant) -> MutantModule:
        """The module of a mutant."""
        made: MutantModule = cls.from_parent(
            parent, path=parent.path, nodeid=f"{parent.nodeid}::{mutant.name}", name=mutant.name
        )
        made.mutant = mutant
        return made

    def _getobj(self) -> ModuleType:
        return module_of(self.mutant)

    def funcnamefilter(self, name: str) -> bool:
        return name == self.mutant.test

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - pytest calls it with a name
        return False

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Only the test that has to fail, with the parameters that are named."""
        params = self.mutant.params
        for item in super().collect():
            assert isinstance(item, pytest.Function)
            if not params or item.callspec.id in params:
                item.add_marker(pytest.mark.timeout(LIMIT))
                # Topics and groups are named after it: a test may have several mutants.
                item.name = f"{self.mutant.number}-{item.name}"
                yield item


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    if not isinstance(pyfuncitem.parent, MutantModule):
        return (yield)
    mutant = pyfuncitem.parent.mutant
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        outcome, reason = judge(error, Path("/nowhere"), lambda: None)
        if outcome is not Outcome.REFUTED:
            raise AssertionError(f"{mutant.name}: it ended without a verdict: {reason}") from error
        return True
    raise AssertionError(f"{mutant.name}: {mutant.test} passes all the same.")
