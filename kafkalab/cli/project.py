"""`kafkalab init`: a small project around what an installed kafkalab brings."""

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

# A name that begins with a dot would hide a template, or have git obey it here.
DOT = "dot_"

DISTRIBUTION = "pytest-kafkalab"
"""what an index calls it: there, kafkalab is another project"""

PYTEST_INI = "pytest.ini"
FACTS_ARE_ON = re.compile(rf"^\s*{FACTS_BESIDE}\s*=", re.MULTILINE)
OWN_TESTS_ARE_NAMED = re.compile(r"^\s*testpaths\s*=", re.MULTILINE)

# Each with the table that makes pytest read it, in the order in which pytest looks; some are
# read whatever they hold.
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
    folder: Annotated[Path, typer.Argument(help="Where; it may have files already.")] = Path(),
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
        # A home that is nobody's is a RuntimeError.
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
        project: the project's root, which need not be there.
        with_settings: whether pytest's settings are to be made, too.

    Returns:
        What was made, and what was there already: paths from the root.

    Raises:
        OSError: something cannot be written; what was made before it stays.
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
        WrongValue: it is no folder, or has all of it already, as it is in a clone.
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
    """Whether there is anything of the user's, beside what is hidden."""
    return project.is_dir() and any(not each.name.startswith(".") for each in project.iterdir())


def _settings_of(project: Path) -> Path | None:
    """The file that pytest takes its settings from, and that is there already."""
    for name, table in SETTINGS.items():
        path = project / name
        if os.path.lexists(path) and re.search(table, _text_of(path), re.MULTILINE):
            return path
    return None


def _text_of(path: Path) -> str:
    """What a file has; nothing, where there is none that can be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _templates() -> Iterator[tuple[Path, str]]:
    """Each template, and the path of what is made of it, from the project's root."""
    for template in sorted(TEMPLATES.rglob("*")):
        if template.is_file():
            yield template, template.relative_to(TEMPLATES).as_posix().replace(DOT, ".")


def _requirement() -> str:
    """The line that has pip install this kafkalab: from its repository, if it came from there."""
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
    """Say what to write into settings that are the user's."""
    output.line(
        f"Your settings for pytest stay yours. To have `pytest -k task_1_3` find the facts, add to "
        f"those in {path.name}:"
    )
    if not OWN_TESTS_ARE_NAMED.search(_text_of(path)):
        # Of the folders of the user's own tests; these are the ones that were made.
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
