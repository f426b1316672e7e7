"""Commands of a learner: `kafkalab facts`."""

from __future__ import annotations

from typing import Annotated

import typer

from kafkalab.cli import output
from kafkalab.cli.options import CurriculumOption, task_id_of
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, Task, load


def facts(
    task: Annotated[str | None, typer.Argument(help="The task, as in 1.3; all of them.")] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show the sentences, which give the answers away.")
    ] = False,
    curriculum: CurriculumOption = None,
) -> None:
    """List the facts by their slugs, each with its question.

    A fact about your own code has no question: its sentence says what your code must do.
    """
    taught = load(Settings.from_environment(curriculum=curriculum).curriculum)
    asked = None if task is None else task_id_of(task, taught)
    for each in taught.tasks:
        if asked in (None, each.id):
            _show_task(each, taught, show)


def _show_task(task: Task, curriculum: Curriculum, show: bool) -> None:
    output.line(f"{task.id} {task.title}: {task.question}", style="bold")
    for slug in task.facts:
        stated = curriculum.stated_facts[slug]
        prediction = task.predictions.get(slug)
        output.line()
        output.whole(slug, indent=2)
        if prediction is not None:
            output.line(prediction.question, indent=4)
        if show or prediction is None:
            output.line(stated.sentence, style="" if prediction is None else "green", indent=4)
    output.line()
