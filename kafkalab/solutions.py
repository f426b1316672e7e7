"""The components under test: kafkalab's own, or the learner's with `--kafkalab-solutions`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REFERENCE = Path(__file__).parent / "tasks"


class BrokenContract(AssertionError):
    """A component does not offer what its task asks for; it refutes the component facts."""


class Component:
    """One task's component; its names are looked up when a fact uses them."""

    def __init__(self, module: ModuleType, path: Path) -> None:
        self._module = module
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return getattr(self._module, name)
        except AttributeError:
            raise BrokenContract(
                f"{self._path.name} has no '{name}', which this task asks for"
            ) from None


class Solutions:
    """The folder of components; `solutions.topics` is its `topics.py`."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder or REFERENCE
        self._loaded: dict[str, Component] = {}

    @property
    def topics(self) -> Component:
        """The component of task 1.1."""
        return self._component("topics")

    @property
    def routing(self) -> Component:
        """The component of task 1.2."""
        return self._component("routing")

    @property
    def partition_log(self) -> Component:
        """The component of task 1.3."""
        return self._component("partition_log")

    @property
    def rebalance(self) -> Component:
        """The component of task 1.4."""
        return self._component("rebalance")

    @property
    def delivery(self) -> Component:
        """The component of task 1.5."""
        return self._component("delivery")

    def _component(self, name: str) -> Component:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Component:
        path = self.folder / f"{name}.py"
        if self.folder == REFERENCE:
            return Component(importlib.import_module(f"kafkalab.tasks.{name}"), path)
        if not path.exists():
            pytest.skip(f"{path} is not there: write it, or leave --kafkalab-solutions out")
        # A name of its own: the learner's `topics` must not hide another module.
        spec = importlib.util.spec_from_file_location(f"kafkalab_solutions_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except SyntaxError as error:
            place = f"{Path(error.filename or path).name}:{error.lineno or 1}"
            line = (error.text or "").strip()
            raise BrokenContract(f"{place}: SyntaxError: {error.msg}: {line}") from None
        return Component(module, path)
