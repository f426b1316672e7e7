"""The mutants of Module A's experiments: each makes one sentence false, and is to be caught.

A file of TOML lists the mutants of a task. Each names a fact, says in `says` what is done
instead, and replaces the text `old` by `new` in the apparatus; no assertion may change. The test
of the fact (or the control that `test` names) then has to fail, because of what it expects and
not because of a limit or a crash.

    [[mutant]]
    fact = "growing-moves-keys"
    says = "the topic does not grow"
    old = "grow(admin, name, 4)"
    new = "grow(admin, name, 3)"

Optional: `test`, the function that has to fail (else the fact's own); `in`, the function, class
or constant whose text is changed (else that test); `params`, the ids of those of a parametrised
test that have to fail (else all); `also`, a list of further changes, each with `in`, `old`, `new`.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import tomllib
from binascii import crc32
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from kafkalab.curriculum import Curriculum, Statement, load


@dataclass(frozen=True)
class Change:
    """A piece of text in a test module, and what stands there instead."""

    place: str
    """the name of the function, class or constant in which it stands"""
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A change of the apparatus that makes the sentence of a fact false."""

    fact: str
    says: str
    test: str
    params: tuple[str, ...]
    changes: tuple[Change, ...]
    statement: Statement
    """what the test that has to fail states"""

    @property
    def name(self) -> str:
        """The mutant's node id, without file and function."""
        return f"{self.fact}: {self.says}"

    @property
    def number(self) -> str:
        """A short name, the same in every process."""
        return f"{crc32(self.name.encode()):08x}"


class BadMutant(Exception):
    """A mutant cannot be made; the text says why, in one line."""


@cache
def curriculum() -> Curriculum:
    """Module A."""
    return load()


def mutants_in(file: Path) -> list[Mutant]:
    """The mutants that a file lists.

    Raises:
        BadMutant: one names a fact, a test or a place that is not there.
    """
    facts = {each.slug: each for each in curriculum().statements if each.role == "fact"}
    made = []
    for entry in tomllib.loads(file.read_text("utf-8"))["mutant"]:
        if entry["fact"] not in facts:
            raise BadMutant(f"{file.name}: there is no fact {entry['fact']}")
        test = entry.get("test", facts[entry["fact"]].function)
        stated = [
            each
            for each in curriculum().statements
            if (each.slug, each.function) == (entry["fact"], test)
        ]
        if not stated:
            raise BadMutant(f"{file.name}: {entry['fact']} has no test {test}")
        changes = [_change(each, test) for each in (entry, *entry.get("also", []))]
        params = tuple(entry.get("params", ()))
        made.append(Mutant(entry["fact"], entry["says"], test, params, tuple(changes), *stated))
    return made


def _change(entry: Mapping[str, Any], test: str) -> Change:
    return Change(entry.get("in", test), entry["old"], entry["new"])


def module_of(mutant: Mutant) -> ModuleType:
    """The test module of a mutant, changed.

    Raises:
        BadMutant: the text to change is not there just once, or an assertion changes with it.
    """
    path = curriculum().folder / f"{mutant.statement.module}.py"
    before = path.read_text("utf-8")
    after = before
    for change in mutant.changes:
        after = _changed(after, change, mutant)
    if _expected(ast.parse(after)) != _expected(ast.parse(before)):
        raise BadMutant(f"{mutant.name}: it changes an assertion or a sentence")
    name = f"mutant_{mutant.number}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look for the module of their class there.
    sys.modules[name] = module
    exec(compile(after, path, "exec"), module.__dict__)  # noqa: S102 - it is text of our own
    return module


def _changed(text: str, change: Change, mutant: Mutant) -> str:
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if change.place in _names_of(node):
            first = min(
                [node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]
            )
            start, end = first - 1, node.end_lineno
            part = "".join(lines[start:end])
            if part.count(change.old) != 1:
                raise BadMutant(
                    f"{mutant.name}: in {change.place} the text to change is there "
                    f"{part.count(change.old)} times, not once"
                )
            return "".join([*lines[:start], part.replace(change.old, change.new), *lines[end:]])
    raise BadMutant(f"{mutant.name}: {mutant.statement.module} has no {change.place}")


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [
        each.id
        for target in targets
        if target is not None
        for each in ast.walk(target)
        if isinstance(each, ast.Name)
    ]


def _expected(tree: ast.Module) -> list[str]:
    """What the tests expect: assertions, `pytest.raises`, and the sentences."""
    said = []
    for node in ast.walk(tree):
        is_raises = isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises"
        if isinstance(node, ast.Assert) or is_raises:
            said.append(ast.unparse(node))
        if isinstance(node, ast.FunctionDef):
            said.append(ast.get_docstring(node) or "")
    return sorted(said)
