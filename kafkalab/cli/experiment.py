"""`kafkalab try`: a copy of a fact, to be changed and run, which never counts."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import __version__
from kafkalab.cli import output
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue, slug_of
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, load
from kafkalab.curriculum.experiment import FOLDER, copy_of, file_name
from kafkalab.curriculum.shipped import edited_facts
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.standing import standing_of
from kafkalab.learning_log.written import moved_aside, write_whole
from kafkalab.readable import readable


def try_(
    slug: Annotated[str, typer.Argument(help="The fact, as `kafkalab facts` names it.")],
    folder: Annotated[Path, typer.Option(help="Where the copy goes.")] = Path(FOLDER),
    reset: Annotated[
        bool, typer.Option("--reset", help="Make the copy again; yours is kept beside it.")
    ] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Copy a fact with its controls: change what you like in the copy, and run it.

    An experiment never counts. A copy that is there already stays as it is.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    manifest, taught = settings.curriculum, load(settings.curriculum)
    meant = slug_of(slug, taught)
    path = folder.expanduser().absolute() / file_name(meant)
    if path.parent.resolve() == taught.folder:
        raise WrongValue(f"--folder {folder} has the facts themselves: name another")
    command = _command(path, manifest if curriculum else None)
    is_there = os.path.lexists(path)
    if is_there and not reset:
        _show_kept(path, command, meant, folder)
        return
    text = copy_of(taught, meant, __version__, readable(command))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = moved_aside(path) if is_there else None
        write_whole(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise WrongValue(
            f"{path} cannot be written: {error.strerror}: "
            "check its folder's rights, or name another folder with --folder"
        ) from error
    if backup is not None:
        output.whole(f"Yours is kept: {shown_folder(str(backup))}")
    output.whole(f"A copy of {meant}, with its controls: {shown_folder(str(path))}")
    if meant in edited_facts(taught, manifest):
        output.line(f"The original in {taught.folder.name} was edited, so the copy is, too.")
    output.line("Change what you like; it never counts. Run it:")
    output.whole(command, indent=2)
    if _can_be_predicted(meant, taught, settings.reports):
        output.line("The copy shows the answer. Predict first, if you like:")
        output.whole(f"kafkalab learn {meant}", indent=2)


def _can_be_predicted(slug: str, taught: Curriculum, reports: Path) -> bool:
    """Whether the learner has yet to predict a fact."""
    standing = standing_of(taught, reports, entries={})
    return any(fact.slug == slug and fact.can_be_predicted for fact in standing.facts)


def _command(path: Path, manifest: Path | None) -> str:
    """The command that runs a copy."""
    command = f"pytest {shlex.quote(shown_folder(str(path)))}"
    if manifest is None:
        return command
    return f"{command} --kafkalab-curriculum={shlex.quote(shown_folder(str(manifest)))}"


def _show_kept(path: Path, command: str, slug: str, folder: Path) -> None:
    output.whole(f"It is there already, and stays as it is: {shown_folder(str(path))}")
    output.line("Run it:")
    output.whole(command, indent=2)
    output.line("Make it again, and keep yours beside it:")
    other = "" if folder == Path(FOLDER) else f" --folder={shlex.quote(str(folder))}"
    output.whole(f"kafkalab try {slug} --reset{other}", indent=2)
