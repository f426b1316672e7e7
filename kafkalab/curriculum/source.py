"""The code of a fact: its tests, and the parts of their module that they use.

It is read from the files, without importing a test. The compiler (`symtable`) says which
names a statement binds and uses.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from kafkalab.curriculum import Curriculum, Statement

LONGEST_LINE = 100
"""characters of an import; a longer one takes a line for each name"""


@dataclass(frozen=True)
class Piece:
    """One statement of a module, such as a function, with its decorators and the comment above."""

    file: Path
    line: int
    """its first line there, from 1"""
    names: tuple[str, ...]
    """what it defines, or imports"""
    text: str
    """as it is written there, without the last newline"""


@dataclass(frozen=True)
class Source:
    """The code of one fact: imports, helpers and tests together are a module of their own."""

    imports: tuple[Piece, ...]
    """in the order of the module, each without the names that are not used here"""
    helpers: tuple[Piece, ...]
    """functions, classes and constants that the tests use, directly or not, in that order"""
    tests: tuple[Piece, ...]
    """the fact and its controls, in that order"""


def source_of(curriculum: Curriculum, slug: str) -> Source:
    """The code of a fact with its controls, and the parts of their module that they need.

    Raises:
        KeyError: the curriculum has no such fact.
        OSError: its module cannot be read.
        SyntaxError: its module is not valid Python.
    """
    if slug not in curriculum.stated_facts:
        raise KeyError(slug)
    return _source_of(curriculum, [each for each in curriculum.statements if each.slug == slug])


def source_of_test(curriculum: Curriculum, statement: Statement) -> Source:
    """The code of one test, of a fact or a control, and the parts of its module that it needs.

    Raises:
        OSError: its module cannot be read.
        SyntaxError: its module is not valid Python.
    """
    return _source_of(curriculum, [statement])


def _source_of(curriculum: Curriculum, found: Sequence[Statement]) -> Source:
    imports: list[Piece] = []
    helpers: list[Piece] = []
    tests: list[Piece] = []
    # Each module once, in order.
    for module in dict.fromkeys(each.module for each in found):
        parts = _parts_of(curriculum.folder / f"{module}.py")
        stated = {each.function for each in found if each.module == module}
        used = _closure(parts, stated)
        for part in parts:
            if part.piece.names and stated.issuperset(part.piece.names):
                tests.append(part.piece)
            elif isinstance(part.node, ast.Import | ast.ImportFrom):
                imports += _narrowed(part.piece, part.node, used)
            elif used.intersection(part.piece.names):
                helpers.append(part.piece)
    return Source(tuple(imports), tuple(helpers), tuple(tests))


@dataclass(frozen=True)
class _Part:
    """A statement of a module, and the names that it uses."""

    piece: Piece
    node: ast.stmt
    uses: frozenset[str]


def _parts_of(path: Path) -> tuple[_Part, ...]:
    return _parsed(path, path.read_text("utf-8"))


@lru_cache(maxsize=32)
def _parsed(path: Path, text: str) -> tuple[_Part, ...]:
    lines = text.split("\n")
    body = ast.parse(text, str(path)).body
    fixtures = {node.name for node in body if isinstance(node, ast.FunctionDef) and _fixture(node)}
    parts = []
    for node in body:
        first = _first_line(node, lines)
        written = "\n".join(lines[first - 1 : node.end_lineno])
        table = symtable.symtable(written, str(path), "exec")
        names = [each.get_name() for each in table.get_symbols() if _is_bound(each)]
        uses = {*_globals(table), *(fixtures & set(_asked_for(node)))}
        parts.append(_Part(Piece(path, first, tuple(names), written), node, frozenset(uses)))
    return tuple(parts)


def _closure(parts: Iterable[_Part], names: Iterable[str]) -> set[str]:
    """These names, and all names that their statements use, directly or not."""
    binding: dict[str, list[_Part]] = {}
    for part in parts:
        for name in part.piece.names:
            binding.setdefault(name, []).append(part)
    seen: set[str] = set()
    ahead = set(names)
    while ahead:
        seen |= ahead
        used = (part.uses for name in ahead for part in binding.get(name, ()))
        ahead = set().union(*used) - seen
    return seen


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    """The line of its first decorator, or of the comment directly above."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    return first


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """The names of the module that a statement uses, also within functions and classes."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _globals(inner)


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported()


def _fixture(node: ast.FunctionDef) -> bool:
    names = (ast.unparse(each).partition("(")[0] for each in node.decorator_list)
    return any(name in ("fixture", "pytest.fixture") for name in names)


def _asked_for(node: ast.stmt) -> Iterator[str]:
    """All that may name a fixture: parameters, and strings, as in `usefixtures`."""
    for each in ast.walk(node):
        if isinstance(each, ast.arg):
            yield each.arg
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _narrowed(piece: Piece, node: ast.Import | ast.ImportFrom, used: set[str]) -> list[Piece]:
    """An import reduced to the used names, as one piece; empty if none is used."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return [piece]
    kept = [each for each in node.names if _bound_by(each) in used]
    if not kept or len(kept) == len(node.names):
        return [piece] if kept else []
    text = narrowed_import(node, used)
    return [replace(piece, names=tuple(map(_bound_by, kept)), text=text)]


def narrowed_import(node: ast.Import | ast.ImportFrom, used: Collection[str]) -> str:
    """The text of an import reduced to the used names; empty if none is used."""
    kept = [each for each in node.names if _bound_by(each) in used]
    if not kept:
        return ""
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(kept))
    text = ast.unparse(ast.ImportFrom(node.module, kept, node.level))
    if len(text) <= LONGEST_LINE:
        return text
    head, _, _ = text.partition(" import ")
    names = "".join(f"    {ast.unparse(each)},\n" for each in kept)
    return f"{head} import (\n{names})"


def _bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]
