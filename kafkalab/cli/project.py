"""`kafkalab init`: makes a small project that uses an installed kafkalab."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import __version__
from kafkalab.cli import output
from kafkalab.cli.options import WrongValue
from kafkalab.collection import FACTS_BESIDE
from kafkalab.config import PACKAGE
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.written import write_whole

TEMPLATES = PACKAGE / "project"

# In place of the dot at a name's beginning: it would hide the template, and git would use a
# `.gitignore` here.
DOT = "dot_"

DISTRIBUTION = "pytest-kafkalab"
"""its name on PyPI, where `kafkalab` is another project"""

PYTEST_INI = "pytest.ini"
FACTS_ARE_ON = re.compile(rf"^\s*{FACTS_BESIDE}\s*=", re.MULTILINE)
OWN_TESTS_ARE_NAMED = re.compile(r"^\s*testpaths\s*=", re.MULTILINE)

# Files for pytest's settings, in pytest's order, each with the table that it needs to be used; a
# file with an empty pattern is always used.
SETTINGS = {
    "pytest.toml": "",
    ".pytest.toml": "",
    PYTEST_INI: "",
    ".pytest.ini": "",
    "pyproject.toml": r"^\s*\[tool\.pytest\b",
    "tox.ini": r"^\s*\[pytest\]",
    "setup.cfg": r"^\s*\[tool:pytest\]",
}


def init(
    folder: Annotated[Path, typer.Argument(help="The folder; it may have files already.")] = Path(),
) -> None:
    """Make a small project for what you do with kafkalab, outside of its clone.

    It has my_lab/, reports/, settings for pytest, requirements.txt, a README and a
    workflow that judges your components. A file that is there already stays as it is.
    """
    try:
        project = folder.expanduser().absolute()
        _require_fit(project)
        settings, has_files = _settings_of(project), _has_files(project)
        made, kept = _make(project, with_settings=settings is None)
    except (OSError, RuntimeError) as error:
        # The home of an unknown user is a RuntimeError.
        what = getattr(error, "filename", None) or folder
        raise WrongValue(
            f"{what} cannot be made: {getattr(error, 'strerror', None) or error}: "
            "check the rights of its folder, or name another, as in kafkalab init kafka"
        ) from error
    _tell(f"Made in {project}:", made)
    _tell("There already, and left as they are:", kept)
    if settings is not None and not FACTS_ARE_ON.search(_text_of(settings)):
        _tell_settings(settings)
    if PYTEST_INI in made and has_files:
        output.line("`pytest` alone runs your tests in tests/: name other folders in pytest.ini.")
    _tell_next(project)


def _make(project: Path, *, with_settings: bool) -> tuple[list[str], list[str]]:
    """Make what is missing.

    Args:
        project: the project's root; it may be missing.
        with_settings: whether to make pytest's settings, too.

    Returns:
        What was made, and what was there already: paths relative to the root.

    Raises:
        OSError: a file cannot be written; files that were made before it stay.
    """
    made, kept = [], []
    for template, name in _templates():
        path = project / name
        if os.path.lexists(path):
            kept.append(name)
        elif name != PYTEST_INI or with_settings:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = template.read_text("utf-8").replace("{requirement}", _requirement())
            write_whole(path, text.encode())
            made.append(name)
    return made, kept


def _require_fit(project: Path) -> None:
    """Refuse a folder that cannot be a project.

    Raises:
        WrongValue: it is no folder, or it is in a clone, which has all of this already.
    """
    if os.path.lexists(project) and not project.is_dir():
        raise WrongValue(f"{project} is no folder: name another")
    real = project.resolve()
    for above in (real, *real.parents):
        if f'name = "{DISTRIBUTION}"' in _text_of(above / "pyproject.toml"):
            raise WrongValue(
                f"{project} is in a clone of kafkalab, which has all of this: begin there with "
                "kafkalab learn 1.1, or name a folder elsewhere"
            )


def _has_files(project: Path) -> bool:
    """Whether the folder has any file that is not hidden."""
    return project.is_dir() and any(not each.name.startswith(".") for each in project.iterdir())


def _settings_of(project: Path) -> Path | None:
    """The existing file from which pytest takes its settings; None if there is none."""
    for name, table in SETTINGS.items():
        path = project / name
        if os.path.lexists(path) and re.search(table, _text_of(path), re.MULTILINE):
            return path
    return None


def _text_of(path: Path) -> str:
    """The text of a file; empty if it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _templates() -> Iterator[tuple[Path, str]]:
    """Each template, with the path of its file relative to the project's root."""
    for template in sorted(TEMPLATES.rglob("*")):
        if template.is_file():
            yield template, template.relative_to(TEMPLATES).as_posix().replace(DOT, ".")


def _requirement() -> str:
    """The line by which pip installs this kafkalab: from its repository, if it came from there."""
    try:
        origin = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        came_from = json.loads(origin or "{}")
        commit, url = came_from["vcs_info"]["commit_id"], came_from["url"]
    except (importlib.metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return f"{DISTRIBUTION}=={__version__}"
    return f"{DISTRIBUTION} @ git+{url}@{commit}"


def _tell(heading: str, names: list[str]) -> None:
    if names:
        output.line(heading)
    for name in names:
        output.whole(name, indent=2)


def _tell_settings(path: Path) -> None:
    """Print the lines to add to the user's own settings."""
    output.line(
        f"Your settings for pytest stay yours. So that `pytest -k task_1_3` finds the facts, add "
        f"these lines in {path.name}:"
    )
    if not OWN_TESTS_ARE_NAMED.search(_text_of(path)):
        # `init` made this folder; the user may name other folders, too.
        output.whole(
            'testpaths = ["tests"]' if path.suffix == ".toml" else "testpaths = tests", indent=2
        )
    output.whole(f"{FACTS_BESIDE} = true", indent=2)


def _tell_next(project: Path) -> None:
    output.line("Begin:")
    if project != Path.cwd():
        output.whole(f"cd {shlex.quote(shown_folder(str(project)))}", indent=2)
    output.whole("kafkalab learn 1.1", indent=2)
    output.whole("kafkalab start 1.2", indent=2)
