"""Commands of a learner: `kafkalab facts`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kafkalab.cli import output
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue, task_or_slug_of
from kafkalab.config import Settings
from kafkalab.curriculum import load
from kafkalab.learning_log import acts
from kafkalab.learning_log.progress import is_ci
from kafkalab.learning_log.standing import FactStanding, TaskStanding, standing_of


def facts(
    what: Annotated[
        str | None,
        typer.Argument(metavar="TASK|SLUG", help="A task, as in 1.3, or one fact; all if none."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Open the answers, too; this is recorded.")
    ] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """List the facts by their slugs, each with its question.

    The answer is shown below a question that you predicted or opened before. A fact
    about your own code has no question: its sentence says what your code must do.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    asked = None if what is None else task_or_slug_of(what, taught)
    standing = standing_of(taught, settings.reports, entries={})
    tasks = [task for task in standing.tasks if asked in (None, task.task.id, *task.task.facts)]
    listed = {
        task.task.id: [fact for fact in task.facts if asked in (None, task.task.id, fact.slug)]
        for task in tasks
    }
    opened = [fact for each in listed.values() for fact in each if show and fact.can_be_predicted]
    if not is_ci():
        note_opened(opened, settings.reports / acts.FILE)
    for task in tasks:
        _show_task(task, listed[task.task.id], show=show)
    if opened:
        count = "1 answer was" if len(opened) == 1 else f"{len(opened)} answers were"
        output.line(f"{count} opened: a prediction counts again in a week.")


def note_opened(opened: Sequence[FactStanding], path: Path) -> None:
    """Record which answers are opened.

    Raises:
        WrongValue: the file cannot be written.
    """
    try:
        for fact in opened:
            acts.append(path, acts.SEEN, fact.slug)
    except OSError as error:
        raise WrongValue(
            f"kafkalab records in {path} which answers you open, and cannot write it: "
            f"{error.strerror}: check its rights, or name another folder with --reports"
        ) from error


def _show_task(task: TaskStanding, listed: Sequence[FactStanding], *, show: bool) -> None:
    output.line(f"{task.task.id} {task.task.title}: {task.task.question}", style="bold")
    shown = task.task.title
    for fact in listed:
        output.line()
        if (part := task.task.part_of(fact.slug)) != shown:
            shown = part
            output.line(shown, style="bold", indent=2)
            output.line()
        output.whole(fact.slug, indent=2)
        if fact.question:
            output.line(fact.question, indent=4)
        if show or not fact.question or fact.yours.is_open:
            output.line(fact.sentence, style="green" if fact.question else "", indent=4)
    output.line()
