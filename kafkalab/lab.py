"""What one pytest process knows of its run: settings, curriculum, backend, lease."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kafkalab.brokers import Backend
from kafkalab.brokers.choose import backend_named, choose
from kafkalab.brokers.lease import Lease
from kafkalab.brokers.runs import Run
from kafkalab.collection import asks_for_facts, is_of_project, node_id
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, Statement, load
from kafkalab.curriculum.shipped import edited_facts
from kafkalab.warm import BadShare, Share

lab_key = pytest.StashKey["Lab"]()

WORKER_INPUT = "kafkalab"


class Lab:
    """One process's share of a run. Everything is made when it is first needed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.settings = Settings.from_pytest(config)
        given: Mapping[str, Any] | None = getattr(config, "workerinput", {}).get(WORKER_INPUT)
        self.is_worker = given is not None
        share = Share.from_data(given) if given is not None else _lent()
        self._is_owner = share is None
        self._share = share or Share.own(Run.new(self.settings.cache))
        self.run = self._share.run
        self.id = self._share.id
        """what the record is known by"""
        self.prefix = self._share.prefix
        """what the names of all topics, groups and transactional ids begin with"""
        self.command = self._share.command or ("pytest", *map(str, config.invocation_params.args))
        """what the user called"""
        self.trouble = self._share.trouble
        """why no fact can run, where the host's tests run all the same; else empty"""
        self.voice = -1 if self.is_worker else self._share.voice
        """where the command that started this pytest is told how it goes; -1 without one"""
        self.limit = self._share.limit
        """seconds that a fact may take, unless it names a limit itself; 0: the usual ones"""
        self.saw_hypothesis = False
        """whether a report of hypothesis came, from this process or from a worker"""

    @cached_property
    def curriculum(self) -> Curriculum:
        """The curriculum of this run.

        Raises:
            BadManifest: it cannot be read.
        """
        return load(self.settings.curriculum)

    @cached_property
    def edited(self) -> Mapping[str, str]:
        """The facts whose tests are not as they were shipped, each with the file that differs.

        It says what was so when it was first asked for.

        Raises:
            BadManifest: what was shipped cannot be read.
        """
        return edited_facts(self.curriculum, self.settings.curriculum)

    @cached_property
    def adds_facts(self) -> bool:
        """Whether facts are run beside the project's tests, as its ini file asks for."""
        are_named = any(self._is_in_the_tests(argument) for argument in self._config.args)
        return asks_for_facts(self._config) and not are_named

    @cached_property
    def is_active(self) -> bool:
        """Whether pytest was called on the curriculum's tests.

        In any other project the plugin stays silent; its fixtures work there too.
        """
        return any(self._reaches_the_tests(argument) for argument in self._config.args)

    @cached_property
    def is_alone(self) -> bool:
        """Whether pytest was called on nothing but the curriculum's tests."""
        return all(self._is_in_the_tests(argument) for argument in self._config.args)

    def statement_of(self, nodeid: str) -> Statement | None:
        """The statement of a test by its node id; None for any test of the host's.

        A copy of a module in another place states nothing.
        """
        path = nodeid.partition("::")[0]
        return self.curriculum.statement_of(nodeid) if path in self._modules else None

    @cached_property
    def _modules(self) -> frozenset[str]:
        """The node ids of the tasks' modules."""
        paths = (self.curriculum.folder / f"{task.module}.py" for task in self.curriculum.tasks)
        return frozenset(node_id(path, self._config.rootpath) for path in paths)

    def _is_in_the_tests(self, argument: str) -> bool:
        place = argument.partition("::")[0]
        package = self.curriculum.folder
        if self._config.option.pyargs and place.split(".")[0] == package.name:
            return True
        return self._path_of(place).is_relative_to(package)

    def _reaches_the_tests(self, argument: str) -> bool:
        path = self._path_of(argument.partition("::")[0])
        return self._is_in_the_tests(argument) or is_of_project(self.curriculum.folder, path)

    def _path_of(self, place: str) -> Path:
        return (self._config.invocation_params.dir / place).resolve()

    @cached_property
    def _choice(self) -> tuple[Backend, str]:
        if self._share.backend:
            return backend_named(self._share.backend, self.settings), ""
        return choose(self.settings)

    @property
    def backend(self) -> Backend:
        """Where this run's brokers come from.

        Raises:
            UnknownBackend, UnknownVersion: there is no backend, or Kafka, of that name.
            OtherVersion: image and version contradict each other.
        """
        return self._choice[0]

    @property
    def reason(self) -> str:
        """Why auto chose this backend; empty when it was asked for by name."""
        return self._choice[1]

    @cached_property
    def lease(self) -> Lease:
        """The right to the run's brokers."""
        return Lease(self.backend, self.run)

    def forget_lease(self) -> None:
        """Attach anew to the run's broker: this process was forked from the one that did."""
        self.__dict__.pop("lease", None)

    def worker_input(self) -> dict[str, Any]:
        """What an xdist worker must know; the backend only when it was chosen already."""
        backend = self.backend.name if self.is_active and not self.trouble else ""
        return replace(self._share, backend=backend, trouble=self.trouble).as_data()

    @property
    def solutions_folder(self) -> Path:
        """Where the components under test lie."""
        from kafkalab.solutions import REFERENCE

        return self.settings.solutions or REFERENCE

    def close(self, tell: Callable[[str], None]) -> None:
        """End all brokers of the run, if this process owns it and any was asked for.

        Args:
            tell: takes a line for the user, when it takes long.

        Raises:
            BrokerError: something that outlives them could not be deleted.
        """
        if self._is_owner and self.run.folder.exists():
            self.lease.close(tell)


def _lent() -> Share | None:
    """The share in a command's run, if one started this pytest."""
    try:
        return Share.from_environment()
    except BadShare as error:
        raise pytest.UsageError(str(error)) from error
