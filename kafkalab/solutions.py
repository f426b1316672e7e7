"""The components under test: kafkalab's own, or the learner's with `--kafkalab-solutions`."""

from __future__ import annotations

import functools
import importlib
import inspect
import reprlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from traceback import walk_tb
from types import FunctionType, ModuleType
from typing import Any, TypeGuard, cast

import pytest

from kafkalab.contracts import BrokenContract
from kafkalab.contracts.delivery import Delivery
from kafkalab.contracts.partition_log import PartitionLog
from kafkalab.contracts.rebalance import Rebalance
from kafkalab.contracts.routing import Routing
from kafkalab.contracts.topics import Topics
from kafkalab.own_code import Folder, is_own
from kafkalab.signatures import as_asked, as_written, takes_all_calls

# pytest shows a failure without this module's lines, as they are not the learner's code.
__tracebackhide__ = True

REFERENCE = Path(__file__).parent / "tasks"


class _Reference:
    """Kafkalab's own components, with the methods of a learner's Folder."""

    path = REFERENCE

    def file_of(self, name: str) -> Path:
        return self.path / f"{name}.py"

    def load(self, name: str) -> ModuleType:
        return importlib.import_module(f"kafkalab.tasks.{name}")


class Component:
    """One task's component. Each name is checked against the contract when a fact uses it.

    So facts can judge the part of a component that is already written. A pickle of it holds its
    folder and contract only: the process that unpickles it loads the code itself.
    """

    def __init__(self, folder: Folder | _Reference, contract: type) -> None:
        """Prepare a component; it is loaded at the first use.

        Args:
            folder: the component's folder.
            contract: the Protocol of its task.
        """
        self._folder = folder
        self._contract = contract
        self._module: ModuleType | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Component, (self._folder, self._contract)

    def load(self) -> ModuleType:
        """Load the component, once.

        Raises:
            BrokenContract: the component could not be loaded.
            pytest.skip.Exception: the component has no file.
        """
        if self._module is None:
            name = self._contract.__module__.rpartition(".")[2]
            file = self._folder.file_of(name)
            if not file.exists():
                pytest.skip(f"{file} is not there: write it, or leave --kafkalab-solutions out")
            self._module = self._folder.load(name)
        return self._module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        module = self.load()
        given = sys.modules[self._contract.__module__]
        owner = given if hasattr(given, name) and not hasattr(module, name) else module
        return self._held(owner, name, self._contract)

    def _held(self, owner: object, name: str, contract: type, of: str = "") -> Any:
        """The owner's attribute of that name, checked against the contract.

        Args:
            owner: the component, or an object made by a class of it.
            name: the name of a function, a class or a value.
            contract: the owner's contract.
            of: the name of the class that made the owner.

        Raises:
            BrokenContract: the owner has no such name, or it cannot be called as the contract asks.
        """
        asked = vars(contract).get(name)
        function = asked if isinstance(asked, FunctionType) else None
        call = f"{of}.{name}" if of else name
        call += as_asked(function, of_a_class=bool(of)) if function else ""
        if not hasattr(owner, name):
            as_what = "" if call == name else f": {call}"
            raise BrokenContract(f"{self._file} has no '{name}', which this task asks for{as_what}")
        found = getattr(owner, name)
        if function is None:
            return self._completed(found, name)
        if not callable(found):
            saw = reprlib.repr(found)
            raise BrokenContract(f"{self._file}: this task asks for {call}, and finds {saw}")
        if odd := _kind_of(found):
            raise BrokenContract(
                f"{self._place_of(found)}: this task asks for a plain {call}, and finds {odd}"
            )
        if not takes_all_calls(found, function):
            place, saw = self._place_of(found), name + as_written(found)
            raise BrokenContract(f"{place}: this task asks for {call}, and finds {saw}")
        made = vars(sys.modules[contract.__module__]).get(function.__annotations__["return"])
        return self._maker(found, name, made) if is_protocol(made) else found

    def _completed(self, found: object, name: str) -> object:
        """A value of the component; missing entries of a mapping come from the contract."""
        given = getattr(sys.modules[self._contract.__module__], name, None)
        if found is given or not isinstance(given, Mapping):
            return found
        if not isinstance(found, Mapping):
            raise BrokenContract(f"{self._file}: {name} is not a mapping: {reprlib.repr(found)}")
        return {**given, **found}

    def _maker(self, found: Callable[..., Any], name: str, contract: type) -> Callable[..., Any]:
        """A function that makes an object of the component, and checks its contract."""

        def make(*args: Any, **given: Any) -> Any:
            try:
                made = found(*args, **given)
            except TypeError as error:
                frames = [Path(each.f_code.co_filename) for each, _ in walk_tb(error.__traceback__)]
                if any(is_own(path, self._folder.path) for path in frames):
                    raise
                raise BrokenContract(f"{self._file}: {name}() fails: {error}") from None
            if made is None:
                raise BrokenContract(f"{self._file}: {name}() returned None")
            for each in asked_for(contract):
                self._held(made, each, contract, of=name)
            return made

        return make

    @property
    def _file(self) -> str:
        """The path of the component's file, relative to its folder."""
        file = Path(self.load().__file__ or "")
        return file.relative_to(self._folder.path).as_posix()

    def _place_of(self, found: Callable[..., Any]) -> str:
        """File and line at which a callable of the learner begins; at least the file."""
        found = found.__init__ if inspect.isclass(found) else found
        while isinstance(found, functools.partial):
            found = found.func
        code = getattr(inspect.unwrap(found), "__code__", None)
        if code is None or not is_own(Path(code.co_filename), self._folder.path):
            return self._file
        file = Path(code.co_filename).relative_to(self._folder.path).as_posix()
        return f"{file}:{code.co_firstlineno}"


def _kind_of(function: Callable[..., Any]) -> str:
    """The kind of a function that cannot be called as a plain one; empty for a plain one."""
    if inspect.iscoroutinefunction(function):
        return "an async function"
    return "an async generator" if inspect.isasyncgenfunction(function) else ""


def is_protocol(found: object) -> TypeGuard[type]:
    """Whether it is a Protocol: the contract of the objects that a class makes."""
    return isinstance(found, type) and getattr(found, "_is_protocol", False)


def asked_for(contract: type) -> list[str]:
    """The names that a contract asks for: its values, and its functions in their order."""
    names = [*inspect.get_annotations(contract), *vars(contract)]
    return [name for name in names if not name.startswith("_")]


class Solutions:
    """The folder of components; `solutions.topics` is its `topics.py`.

    A component that cannot be loaded breaks its contract. If a component has no file, the
    fact that asks for it is skipped.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or REFERENCE
        self._code = _Reference() if self.folder == REFERENCE else Folder(self.folder)
        self._components: dict[type, Component] = {}

    @property
    def are_kafkalabs(self) -> bool:
        """Whether kafkalab's own components are under test, of which a fact knows every figure."""
        return self.folder == REFERENCE

    @property
    def topics(self) -> Topics:
        """The component of task 1.1."""
        return cast(Topics, self._component(Topics))

    @property
    def routing(self) -> Routing:
        """The component of task 1.2."""
        return cast(Routing, self._component(Routing))

    @property
    def partition_log(self) -> PartitionLog:
        """The component of task 1.3."""
        return cast(PartitionLog, self._component(PartitionLog))

    @property
    def rebalance(self) -> Rebalance:
        """The component of task 1.4."""
        return cast(Rebalance, self._component(Rebalance))

    @property
    def delivery(self) -> Delivery:
        """The component of task 1.5."""
        return cast(Delivery, self._component(Delivery))

    def _component(self, contract: type) -> Component:
        component = self._components.setdefault(contract, Component(self._code, contract))
        component.load()
        return component
