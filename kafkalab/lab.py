"""The state of one pytest process in its run: settings, curriculum, backend, lease."""

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
    """The part that one process has in a run. Everything is made when it is first needed."""

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
        """the id of the record"""
        self.prefix = self._share.prefix
        """the start of the names of all topics, groups and transactional ids"""
        self.command = self._share.command or ("pytest", *map(str, config.invocation_params.args))
        """the command that the user called"""
        self.trouble = self._share.trouble
        """why no fact can run, though the project's own tests run; else empty"""
        self.voice = -1 if self.is_worker else self._share.voice
        """the socket to the command that started this pytest, for its progress; -1 without one"""
        self.limit = self._share.limit
        """seconds that a fact may take, unless it names its own limit; 0: the usual limit"""
        self.saw_hypothesis = False
        """whether a test report with data of hypothesis came, from here or from a worker"""

    @cached_property
    def curriculum(self) -> Curriculum:
        """The curriculum of this run.

        Raises:
            BadManifest: it cannot be read.
        """
        return load(self.settings.curriculum)

    @cached_property
    def edited(self) -> Mapping[str, str]:
        """The facts with tests that differ from the shipped ones, each with the changed file.

        It compares the files at the first call, and keeps the result.

        Raises:
            BadManifest: the shipped state cannot be read.
        """
        return edited_facts(self.curriculum, self.settings.curriculum)

    @cached_property
    def adds_facts(self) -> bool:
        """Whether the ini file asks for facts beside the project's tests, and the call does not."""
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
        """Whether pytest was called on the curriculum's tests only."""
        return all(self._is_in_the_tests(argument) for argument in self._config.args)

    def statement_of(self, nodeid: str) -> Statement | None:
        """The statement of a test by its node id; None for the project's own tests.

        A copy of a task's module in another folder has no statements.
        """
        path = nodeid.partition("::")[0]
        return self.curriculum.statement_of(nodeid) if path in self._modules else None

    @cached_property
    def _modules(self) -> frozenset[str]:
        """The node ids of the tasks' modules."""
        paths = (self.curriculum.folder / f"{module}.py" for module in self.curriculum.modules)
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
        """The backend that starts this run's brokers.

        Raises:
            UnknownBackend, UnknownVersion: there is no such backend, or version of Kafka.
            OtherVersion: image and version contradict each other.
        """
        return self._choice[0]

    @property
    def reason(self) -> str:
        """Why auto chose this backend; empty if the user named it."""
        return self._choice[1]

    @cached_property
    def lease(self) -> Lease:
        """The lease on the run's brokers: it starts them and ends them."""
        return Lease(self.backend, self.run)

    @cached_property
    def lease_apart(self) -> Lease:
        """The lease on a second broker, which is for facts about Kafka while code is judged.

        What a learner's component does to its broker, such as deleting topics, then refutes no
        fact about Kafka. A backend that cannot start brokers has one for both.
        """
        is_apart = self.settings.solutions is not None
        if not is_apart or "private_broker" not in self.backend.capabilities:
            return self.lease
        return Lease(self.backend, self.run, is_apart=True)

    def forget_lease(self) -> None:
        """Attach to the run's brokers again, in a process forked from one that is attached."""
        for name in ("lease", "lease_apart"):
            self.__dict__.pop(name, None)

    def worker_input(self) -> dict[str, Any]:
        """The data for an xdist worker; with the backend only if this process has chosen it."""
        backend = self.backend.name if self.is_active and not self.trouble else ""
        return replace(self._share, backend=backend, trouble=self.trouble).as_data()

    @property
    def solutions_folder(self) -> Path:
        """The folder of the components under test."""
        from kafkalab.solutions import REFERENCE

        return self.settings.solutions or REFERENCE

    def close(self, tell: Callable[[str], None]) -> None:
        """End all brokers of the run, if this process owns the run and has used any.

        Args:
            tell: prints a line for the user, if it takes long.

        Raises:
            BrokerError: something that outlives the brokers could not be deleted.
        """
        if self._is_owner and self.run.folder.exists():
            self.lease.close(tell)


def _lent() -> Share | None:
    """The share in a command's run, if a command started this pytest."""
    try:
        return Share.from_environment()
    except BadShare as error:
        raise pytest.UsageError(str(error)) from error
