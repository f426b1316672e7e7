"""Which facts are as kafkalab ships them: an edited test proves nothing.

`shipped.json` beside a manifest has a digest of each test module, and one of each fact with its
controls and the parts of their module that they use. If a module's digest is the same, its facts
are not compared one by one. `make shipped` writes the file again.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from kafkalab.curriculum import BadManifest, Curriculum
from kafkalab.curriculum.source import source_of
from kafkalab.curriculum.statements import digest

NAME = "shipped.json"

# Prefixes of the functions that pytest calls for all tests, even if a test does not name them.
FOR_ALL = ("pytest", "setup_", "teardown_", "setUp", "tearDown")
# Files beside the tests that may change every test.
OF_ALL = ("__init__", "conftest")


def edited_facts(curriculum: Curriculum, manifest: Path | None) -> Mapping[str, str]:
    """The facts whose tests differ from the shipped ones, each with the file that differs.

    If a `conftest.py` or an `__init__.py` beside the tests differs, these are all facts. A
    manifest without a `shipped.json` is compared with Module A: its facts with the same slugs
    must be the same, so that no other test proves them.

    Raises:
        BadManifest: the file with the digests cannot be read.
    """
    file = _file_beside(manifest)
    is_shipped = file.is_file()
    modules, facts = _read(file if is_shipped else _file_beside(None))
    now = _modules_of(curriculum) if is_shipped else {}
    differing = {name for name in {*now, *modules} if now.get(name) != modules.get(name)}
    changed = differing.intersection(OF_ALL)
    if is_shipped and changed:
        return dict.fromkeys(curriculum.stated_facts, f"{changed.pop()}.py")
    edited = {}
    for slug, stated in curriculum.stated_facts.items():
        used = {each.module for each in curriculum.statements if each.slug == slug}
        is_looked_at = used & differing if is_shipped else slug in facts
        if is_looked_at and facts.get(slug) != _digest_of_fact(curriculum, slug):
            edited[slug] = f"{stated.module}.py"
    return edited


def _read(file: Path | Traversable) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of modules and of facts."""
    try:
        shipped: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return dict(shipped["modules"]), dict(shipped["facts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadManifest(
            f"{file}: it does not have the shape of {NAME}: install kafkalab again; in a clone, "
            "make shipped writes it again"
        ) from error


def digests(curriculum: Curriculum) -> dict[str, dict[str, str]]:
    """The content of `shipped.json` for a curriculum as it is now."""
    facts = sorted(curriculum.stated_facts)
    return {
        "modules": _modules_of(curriculum),
        "facts": {slug: _digest_of_fact(curriculum, slug) for slug in facts},
    }


def write(curriculum: Curriculum, manifest: Path | None = None) -> Path:
    """Write `shipped.json` beside a manifest, or for Module A; return its path."""
    path = Path(str(_file_beside(manifest)))
    path.write_text(json.dumps(digests(curriculum), indent=1) + "\n", "utf-8")
    return path


def _file_beside(manifest: Path | None) -> Path | Traversable:
    return (manifest.parent if manifest else resources.files(__package__)) / NAME


def _modules_of(curriculum: Curriculum) -> dict[str, str]:
    names = [*OF_ALL, *curriculum.modules]
    paths = {name: curriculum.folder / f"{name}.py" for name in names}
    return {name: digest(_text(path)) for name, path in paths.items() if path.exists()}


def _digest_of_fact(curriculum: Curriculum, slug: str) -> str:
    source = source_of(curriculum, slug)
    pieces = [*source.imports, *source.helpers, *source.tests]
    files = dict.fromkeys(piece.file for piece in pieces)
    effects = [effect for file in files for effect in _effects(_text(file))]
    return digest("\n".join([*(piece.text for piece in pieces), *effects]))


@lru_cache(maxsize=32)
def _effects(text: str) -> tuple[str, ...]:
    """The statements of a module that may change its tests even if these do not use them."""
    docstring = ast.get_docstring(tree := ast.parse(text), clean=False)
    body = tree.body if docstring is None else tree.body[1:]
    changing = filter(_may_change_all, body)
    return tuple(ast.get_source_segment(text, node) or "" for node in changing)


def _may_change_all(node: ast.stmt) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            is_autouse = any("autouse" in ast.unparse(each) for each in node.decorator_list)
            return is_autouse or name.startswith(FOR_ALL)
        case ast.Assign(targets=targets):
            bound = [each for target in targets for each in ast.walk(target)]
            # A plain name is harmless; to set an attribute or an item may change foreign objects.
            return any(
                isinstance(each, ast.Attribute | ast.Subscript)
                or (isinstance(each, ast.Name) and each.id.startswith(FOR_ALL))
                for each in bound
            )
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return True
    return not isinstance(node, ast.ClassDef | ast.Import | ast.ImportFrom | ast.AnnAssign)


def _text(path: Path) -> str:
    """A file as text, with all line endings alike: they do not matter."""
    return path.read_text("utf-8")
