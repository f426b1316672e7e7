"""The statements of test modules: facts and controls, as their tests state them.

They are read from the syntax trees, without importing a test. To parse the modules of Module A
takes longer than many facts, so `make shipped` keeps their statements in a file beside the
manifest; those of a module that has changed since then are parsed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from kafkalab.curriculum.errors import BadManifest

Role = Literal["fact", "control"]

NAME = "statements.json"


@dataclass(frozen=True)
class Statement:
    """A fact or a control, as its test states it."""

    slug: str
    role: Role
    task: str
    sentence: str
    """the docstring's first line"""
    why: tuple[str, ...]
    """the docstring's other paragraphs, each on one line: the reason, and why it matters"""
    scope: str
    """the client, protocol or versions for which it was seen to hold; facts only"""
    versions: str
    """the versions of Kafka for which it holds, as in `>=4.1`; empty means all"""
    changes: str
    """the one factor that it changes; controls only"""
    module: str
    function: str
    line: int
    is_slow: bool
    """marked slow: it takes a minute, and runs only if it is asked for"""
    needs: tuple[str, ...]
    """the capabilities that the broker must have, see `kafkalab.brokers.capabilities`"""
    has_own_broker: bool
    """it uses `private_broker`: a Kafka of its own, which takes seconds to start"""

    def is_stated_for(self, kafka_version: str) -> bool:
        """Whether the statement is made for a version of Kafka, as in `4.4.0`.

        True for a version that cannot be read, such as an image's tag `latest`.
        """
        try:
            return Version(kafka_version) in SpecifierSet(self.versions)
        except InvalidVersion:
            return True


@dataclass(frozen=True)
class Kept:
    """The statements of one module, as they are kept in the file."""

    digest: str
    """of the module's text"""
    statements: tuple[Statement, ...]


def statements_in(path: Path, task: str, kept: Mapping[str, Kept]) -> Sequence[Statement]:
    """The statements of a test module, in its order.

    Args:
        path: the module.
        task: the id of its task.
        kept: statements that are kept, by the names of their modules.

    Raises:
        BadManifest: the module cannot be parsed, or a marker's words cannot be read.
        OSError: it cannot be read.
    """
    # Line endings do not matter: this makes them alike.
    text = path.read_text("utf-8")
    found = kept.get(path.stem)
    if found is not None and found.digest == digest(text):
        return found.statements
    return list(_parsed(text, path, task))


def kept_beside(folder: Path | Traversable) -> Mapping[str, Kept]:
    """The statements that are kept beside a manifest; empty if none are, or none can be read."""
    try:
        raw = (folder / NAME).read_bytes()
        return msgspec.json.decode(raw, type=dict[str, Kept])
    except (OSError, msgspec.DecodeError):
        return {}


def keep(folder: Path, modules: Iterable[tuple[Path, str]]) -> Path:
    """Write the file beside a manifest, from the modules as they are now; return its path.

    Args:
        folder: that of the manifest.
        modules: the test modules, each with the id of its task.
    """
    kept = {}
    for path, task in modules:
        text = path.read_text("utf-8")
        kept[path.stem] = Kept(digest(text), tuple(_parsed(text, path, task)))
    written = folder / NAME
    raw = msgspec.json.format(msgspec.json.encode(kept), indent=1)
    written.write_bytes(raw + b"\n")
    return written


def digest(text: str) -> str:
    """A digest of a test module's text, or of a part of it."""
    return sha256(text.encode()).hexdigest()[:32]


def _parsed(text: str, path: Path, task: str) -> Iterator[Statement]:
    try:
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise BadManifest(f"{path}:{error.lineno}: {error.msg}") from error
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            try:
                mark = _mark(decorator)
            except ValueError as error:
                line = f"{path.name}:{decorator.lineno}"
                raise BadManifest(f"{line}: write slug and words out as strings") from error
            if mark is None:
                continue
            role, slug, words = mark
            docstring = ast.get_docstring(node) or ""
            yield Statement(
                slug=slug,
                role=role,
                task=task,
                sentence=docstring.split("\n")[0],
                why=_paragraphs(docstring.partition("\n")[2]),
                scope=words.get("scope", ""),
                versions=words.get("versions", ""),
                changes=words.get("changes", ""),
                module=path.stem,
                function=node.name,
                line=node.lineno,
                is_slow=any(map(_is_slow, node.decorator_list)),
                needs=tuple(need for each in node.decorator_list for need in _needs(each)),
                has_own_broker="private_broker" in {each.arg for each in node.args.args},
            )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(each.split()) for each in re.split(r"\n\s*\n", text) if each.strip())


def _mark(decorator: ast.expr) -> tuple[Role, str, dict[str, str]] | None:
    """Role, slug and keyword arguments of `@pytest.mark.fact("slug", ...)`; else None."""
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
        return None
    role = decorator.func.attr
    if role not in ("fact", "control") or ast.unparse(decorator.func.value) != "pytest.mark":
        return None
    slug = ast.literal_eval(decorator.args[0]) if decorator.args else ""
    words = {word.arg: ast.literal_eval(word.value) for word in decorator.keywords if word.arg}
    return ("fact" if role == "fact" else "control"), slug, words


def _is_slow(decorator: ast.expr) -> bool:
    return ast.unparse(decorator) == "pytest.mark.slow"


def _needs(decorator: ast.expr) -> Sequence[str]:
    """The arguments of `@pytest.mark.needs("restart", ...)`; empty for any other decorator."""
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.needs":
        return [ast.literal_eval(word) for word in decorator.args]
    return []
