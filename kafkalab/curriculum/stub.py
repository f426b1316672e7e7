"""The start of a component, made from its contract: all functions, and none has a body yet.

It is made from the text of the contract, so that signatures, types and docstrings are written
only once.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from textwrap import dedent, indent, wrap
from typing import TypeGuard

from kafkalab.curriculum.source import LONGEST_LINE, narrowed_import
from kafkalab.own_code import OURS
from kafkalab.unwritten import NOT_YET

CONTRACTS = "kafkalab.contracts"

INDENT = " " * 4
# Characters of a value that the stub quotes.
LONGEST_VALUE = 60
BODY = f'raise NotImplementedError("{NOT_YET}")'


class NoContract(Exception):
    """There is no contract of that name."""


def contract_file(component: str) -> Path:
    """The file of a component's contract.

    Raises:
        NoContract: there is no contract of that name.
    """
    file = Path(str(resources.files(CONTRACTS) / f"{component}.py"))
    if not component.isidentifier() or not file.is_file():
        raise NoContract(f"kafkalab has no contract for {component}.py")
    return file


def stub_of(component: str) -> str:
    """The text of a new file for a component.

    Raises:
        NoContract: there is no contract of that name.
    """
    return _Contract.read(contract_file(component)).stub(component)


def asked_names(component: str) -> tuple[str, ...]:
    """The functions and classes that a contract demands, in its order.

    Raises:
        NoContract: there is no contract of that name.
    """
    return _Contract.read(contract_file(component)).asked_names()


@dataclass(frozen=True)
class _Contract:
    """A contract's text and its syntax."""

    lines: Sequence[str]
    body: Sequence[ast.stmt]

    @classmethod
    def read(cls, file: Path) -> _Contract:
        text = file.read_text("utf-8")
        return cls(text.split("\n"), ast.parse(text).body)

    def stub(self, component: str) -> str:
        """The whole file."""
        *_, asked = self._protocols.values()
        written = list(self._written(asked))
        code = "\n\n\n".join(written)
        head = [self._docstring(asked), "from __future__ import annotations"]
        parts = [*head, *self._imports(code, component), *self._given_in_short(), "", "", code, ""]
        return "\n".join(parts)

    def asked_names(self) -> tuple[str, ...]:
        """The names that the component has to define."""
        *_, asked = self._protocols.values()
        return tuple(each.name for each in asked.body if isinstance(each, ast.FunctionDef))

    @property
    def _protocols(self) -> dict[str, ast.ClassDef]:
        """The contract's protocols; the component's own comes last."""
        return {each.name: each for each in self.body if _is_protocol(each)}

    def _docstring(self, asked: ast.ClassDef) -> str:
        """The docstring: the task, and what holds for all functions."""
        task, common = ast.get_docstring(ast.Module(list(self.body), [])), ast.get_docstring(asked)
        more = (common or "").partition("\n")[2].strip()
        return f'"""{task}\n{f"{chr(10)}{more}{chr(10)}" if more else ""}"""\n'

    def _imports(self, code: str, component: str) -> Iterator[str]:
        """The imports for the signatures, and all names that the contract provides; in groups."""
        used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
        named = [text for node in self._imported() if (text := narrowed_import(node, used))]
        given = sorted(self._given(), key=lambda name: (not name.isupper(), name))
        names = "".join(f"{INDENT}{name},\n" for name in given)
        named.append(f"from {CONTRACTS}.{component} import (\n{names})")
        for _, group in groupby(sorted(named, key=_group), _group):
            yield from ("", *sorted(group))

    def _imported(self) -> Iterator[ast.Import | ast.ImportFrom]:
        """The contract's own imports, with those for type checkers."""
        for node in ast.walk(ast.Module(list(self.body), [])):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                continue
            if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset <= len(INDENT):
                yield node

    def _given(self) -> Iterator[str]:
        """The names that the contract itself defines, for the component to use."""
        for node in self.body:
            yield from _public_names(node)

    def _given_in_short(self) -> Iterator[str]:
        """These names as comments, so that a learner need not look up a field in another file."""
        described = [
            _described_in_short(node, following)
            for node, following in _with_following(self.body)
            if any(_public_names(node))
        ]
        if described:
            yield "# What the contract gives you, in short."
        for lines in described:
            yield "#"
            yield from (f"# {line}" for line in lines)

    def _written(self, asked: ast.ClassDef) -> Iterator[str]:
        for each in asked.body:
            if isinstance(each, ast.FunctionDef):
                made = self._protocols.get(ast.unparse(each.returns)) if each.returns else None
                yield self._class(each, made) if made else self._function(each)

    def _function(self, node: ast.FunctionDef) -> str:
        """A function of the component, without `self`."""
        header = re.sub(r"\(\s*self\b(,\s*)?", _without_self, self._header(node), count=1)
        in_a_line = re.sub(r"\(\n +(.*[^,])\n\)", r"(\1)", header)
        header = in_a_line if len(in_a_line) <= LONGEST_LINE else header
        return "\n".join([header, self._described(node)])

    def _class(self, maker: ast.FunctionDef, made: ast.ClassDef) -> str:
        """A class whose objects keep a Protocol."""
        header = re.sub(rf"^def {maker.name}\b", "def __init__", self._header(maker))
        header = re.sub(r"-> \w+:$", "-> None:", header)
        parts = ["\n".join([header, self._described(maker)])]
        for node in made.body:
            if isinstance(node, ast.FunctionDef):
                parts.append("\n".join([self._header(node), self._described(node)]))
        values = [
            self._text(node)
            for at, node in enumerate(made.body)
            if at and isinstance(node, ast.AnnAssign | ast.Expr)
        ]
        head = [self._text(made.body[0]), *(["\n".join(values)] if values else [])]
        return f"class {maker.name}:\n" + indent("\n\n".join([*head, *parts]), INDENT)

    def _described(self, node: ast.FunctionDef) -> str:
        return indent(f"{self._text(node.body[0])}\n{BODY}", INDENT)

    def _header(self, node: ast.FunctionDef) -> str:
        text = dedent("\n".join(self.lines[node.lineno - 1 : node.body[0].lineno - 1]))
        return re.sub(r" +# noqa.*$", "", text)

    def _text(self, node: ast.stmt) -> str:
        return dedent("\n".join(self.lines[node.lineno - 1 : node.end_lineno]))


def _without_self(found: re.Match[str]) -> str:
    return found[0].partition("self")[0]


def _group(text: str) -> int:
    """Sort imports: Python's own, then installed packages, then kafkalab."""
    top = text.split()[1].partition(".")[0]
    return 2 if top == OURS else int(top not in sys.stdlib_module_names)


def _is_protocol(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)


def _public_names(node: ast.stmt) -> Iterator[str]:
    """The names that a statement defines, without those that begin with an underscore."""
    names: list[str] = []
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and not _is_protocol(node):
        names = [node.name]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        names = _names_in(node.targets if isinstance(node, ast.Assign) else [node.target])
    return (name for name in names if not name.startswith("_"))


def _with_following(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.stmt | None]]:
    """Each statement with the next one, which may be its description."""
    return zip(body, [*body[1:], None], strict=True)


def _described_in_short(node: ast.stmt, following: ast.stmt | None) -> Iterator[str]:
    """A class with its fields, a function or a value, each with its description's first line."""
    if isinstance(node, ast.ClassDef):
        yield from _beside(node.name, _first_line(ast.get_docstring(node)))
        for field, after in _with_following(node.body):
            if isinstance(field, ast.AnnAssign | ast.Assign):
                told = _beside(ast.unparse(field), _text_in(after))
                yield from (f"{INDENT}{line}" for line in told)
            elif isinstance(field, ast.FunctionDef) and field.name == "__init__":
                yield f"{INDENT}{node.name}({ast.unparse(_without_first(field.args))})"
    elif isinstance(node, ast.FunctionDef):
        returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        header = f"{node.name}({ast.unparse(node.args)}){returned}"
        yield from _beside(header, _first_line(ast.get_docstring(node)))
    else:
        text = ast.unparse(node)
        # For a long value, such as a table, its name is enough: a learner can print it.
        yield from _beside(
            text if len(text) <= LONGEST_VALUE else text[: text.index("=")].strip(),
            _text_in(following),
        )


def _beside(what: str, said: str) -> Iterator[str]:
    """A thing and its description: on one line if there is room."""
    in_a_line = f"{what}: {said}" if said else what
    if len(in_a_line) <= LONGEST_LINE - 2 * len(INDENT):
        yield in_a_line
        return
    yield what
    yield from wrap(
        said, LONGEST_LINE - 4 * len(INDENT), initial_indent=INDENT, subsequent_indent=INDENT
    )


def _text_in(node: ast.stmt | None) -> str:
    """The text of a statement that is only a text; empty for any other."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _without_first(arguments: ast.arguments) -> ast.arguments:
    left = ast.arguments(**{name: getattr(arguments, name) for name in arguments._fields})
    left.args = arguments.args[1:]
    return left


def _names_in(targets: Iterable[ast.expr]) -> list[str]:
    nodes = (node for target in targets for node in ast.walk(target))
    return [node.id for node in nodes if isinstance(node, ast.Name)]
