"""Load a learner's folder of Python files, so that no name clashes with other modules.

The files import each other as if Python was started there, `import common` or `from common
import helper`, or with dots, `from .common import helper`. All are modules of a package made
for this folder only. So they do not clash with files of the same name in another folder, or
with installed modules of that name.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import sys
import sysconfig
import warnings
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import count
from pathlib import Path
from traceback import walk_tb
from types import CodeType, ModuleType

from kafkalab.contracts import BrokenContract

# pytest shows a failure without this module's lines, as they are not the learner's code.
__tracebackhide__ = True

# Code of others, even if it is inside the learner's folder, as it may be the project's root.
_OF_OTHERS = (
    Path(__file__).parent,
    Path(__file__).parents[1] / "tests_module_a",
    Path(sysconfig.get_path("purelib")),
    Path(sysconfig.get_path("platlib")),
)

OURS = __name__.partition(".")[0]

_numbers = count(1)


def is_own(file: Path, folder: Path) -> bool:
    """Whether a file is the learner's: inside the folder, and not installed there."""
    others = [each for each in _OF_OTHERS if each != folder and each.is_relative_to(folder)]
    return file.is_relative_to(folder) and not any(file.is_relative_to(each) for each in others)


def file_of(folder: Path, name: str) -> Path:
    """The file of a component, `name.py` or a package's; it may not exist."""
    of_a_package = folder / name / "__init__.py"
    return of_a_package if of_a_package.exists() else folder / f"{name}.py"


def digest_of(folder: Path, name: str) -> str:
    """A hash of a component's code; empty if there is no such file.

    It covers the component's own file or package, and what it imports from the same folder. An
    edit to another component does not change it.

    Raises:
        OSError: one of the files cannot be read.
    """
    digest, files = sha256(), files_of(folder, name)
    for file, code in files.items():
        digest.update(file.relative_to(folder).as_posix().encode("utf-8", "replace"))
        digest.update(b"\0" + sha256(code).digest())
    return digest.hexdigest() if files else ""


def files_of(folder: Path, name: str) -> dict[Path, bytes]:
    """The files of a component: its own file or package, then its imports from the folder.

    Returns:
        The content of each file, by its path; empty if there is no such component.

    Raises:
        OSError: one of the files cannot be read.
    """
    found, waiting = dict[Path, bytes](), [name]
    while waiting:
        for file in _files_of(folder, waiting.pop(0)):
            if file not in found:
                found[file] = file.read_bytes()
                waiting += sorted(_imported(found[file]))
    return found


def _files_of(folder: Path, name: str) -> list[Path]:
    """The files that an import of that name may load from the folder: one file, or a package."""
    file = file_of(folder, name)
    if file.parent == folder and file.is_file():
        return [file]
    return [file for file in sorted((folder / name).rglob("*.py")) if is_own(file, folder)]


def _imported(code: bytes) -> set[str]:
    """The first part of each name that a file imports; nothing if the file is broken."""
    try:
        with warnings.catch_warnings():
            # Python prints these warnings anyway when the file is run.
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} if node.module else {each.name for each in node.names}
    return {name.partition(".")[0] for name in names} - {OURS}


class Folder(MetaPathFinder):
    """A learner's folder. Another Folder of the same path loads the files again."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._package = f"kafkalab_solutions_{next(_numbers)}"
        sys.meta_path.insert(0, self)

    def __reduce__(self) -> tuple[type[Folder], tuple[Path]]:
        return Folder, (self.path,)

    def file_of(self, name: str) -> Path:
        """The file of a component; it may not exist."""
        return file_of(self.path, name)

    def load(self, name: str) -> ModuleType:
        """Load a component.

        Raises:
            BrokenContract: it could not be loaded; the text is one line with file, line and
                error.
        """
        importlib.invalidate_caches()
        try:
            return importlib.import_module(f"{self._package}.{name}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a file may raise anything
            reason = self._reason(error, self.file_of(name))
        raise BrokenContract(reason)

    def _reason(self, error: BaseException, file: Path) -> str:
        """Why loading failed, and in which of the learner's files and lines."""
        kind, text, line = type(error).__name__, str(error), 1
        for frame, number in walk_tb(error.__traceback__):
            if is_own(Path(frame.f_code.co_filename), self.path):
                file, line = Path(frame.f_code.co_filename), number
        if isinstance(error, SyntaxError):
            kind = "SyntaxError"
            # The traceback ends at the import; the error itself names the place in the file.
            if error.filename and is_own(Path(error.filename), self.path):
                file, line = Path(error.filename), error.lineno or 1
                text = f"{error.msg}: {error.text or ''}"
        text = " ".join(text.replace(f"{self._package}.", "").split()) or "no message"
        return f"{file.relative_to(self.path).as_posix()}:{line}: {kind}: {text}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the folder's package and its modules; Python calls this at each import."""
        if fullname == self._package:
            return self._spec_of_package()
        if not fullname.startswith(f"{self._package}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin, self)
        return spec

    def _spec_of_package(self) -> ModuleSpec:
        file = self.path / "__init__.py"
        loader = _Loader(self._package, str(file), self) if file.exists() else None
        spec = ModuleSpec(self._package, loader, is_package=True)
        spec.submodule_search_locations = [str(self.path)]
        return spec

    def import_beside(
        self,
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        names: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import a module for the learner's files: `import` calls this instead of `__import__`.

        Files in the same folder come first. Arguments and result are those of `__import__`.
        """
        top, dot, rest = name.partition(".")
        if level or not (own := self._own_name(top)):
            return builtins.__import__(name, globals_, locals_, names or (), level)
        # `__name__` exists in every module; with it, the call returns the innermost module.
        module = builtins.__import__(own + dot + rest, globals_, locals_, names or ("__name__",))
        return module if names else sys.modules[own]

    def _own_name(self, top: str) -> str:
        """The full name of the learner's module with that name; empty if there is none."""
        if top == OURS:
            # In a clone's root kafkalab is in the same folder: it would be loaded a second time,
            # with other types.
            return ""
        if self.file_of(top).exists():
            return f"{self._package}.{top}"
        if top == self.path.name and (self.path / "__init__.py").exists():
            return self._package
        # A folder without __init__.py is a package only if nothing else has that name.
        if (self.path / top).is_dir() and importlib.util.find_spec(top) is None:
            return f"{self._package}.{top}"
        return ""


class _Loader(SourceFileLoader):
    """Loads one of the learner's files; its imports look in the same folder first."""

    def __init__(self, fullname: str, path: str, folder: Folder) -> None:
        super().__init__(fullname, path)
        self._folder = folder

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - as importlib calls it
        # Always compiled from the source: cached bytecode is matched by the time in seconds, so
        # an edit within the same second would be missed.
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        # For all code of the module, Python looks up `__import__` here at every import.
        own = {**vars(builtins), "__import__": self._folder.import_beside}
        vars(module)["__builtins__"] = own
        super().exec_module(module)
