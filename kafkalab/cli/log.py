"""Commands about the learning log: `kafkalab status`, `kafkalab note`, `kafkalab report`."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from kafkalab.cli import output
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue, task_id_of
from kafkalab.config import Settings
from kafkalab.curriculum import load
from kafkalab.learning_log import journal, page
from kafkalab.learning_log.pictures import PICTURES, Pictures
from kafkalab.learning_log.proofs import Proof
from kafkalab.learning_log.run_report import RUN_PAGE
from kafkalab.learning_log.standing import (
    FactStanding,
    Standing,
    Step,
    TaskStanding,
    next_step,
    standing_of,
)
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import why
from kafkalab.readable import readable

STATUS_STYLES = {"not started": "dim", "in progress": "yellow", "demonstrated": "green"}

# Below these there is no room for the column.
WIDE_ENOUGH_FOR_TIME = 70
WIDE_ENOUGH_FOR_LAST_RUN = 90


def status(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="The tasks asked for, as in 1.2; all of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as data.")] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Show where you stand, and what comes next.

    Exit code 0: all tasks asked for are demonstrated (facts that take a minute
    are optional); 1: not yet; 2: it could not be told.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    asked = [task_id_of(each, taught) for each in tasks or []]
    try:
        standing = standing_of(taught, settings.reports)
    except journal.BadJournal as error:
        # Where you stand is in the records: a slip in a note must not hide it.
        output.trouble(f"without your notes: {error}")
        standing = standing_of(taught, settings.reports, entries={})
    shown = [each for each in standing.tasks if not asked or each.task.id in asked]
    step = next_step(shown, "What was asked for") if asked else standing.next_step
    if as_json:
        typer.echo(json.dumps(_as_data(standing, shown, step), indent=2))
    else:
        _show(standing, shown, step, with_facts=bool(asked))
    if not all(task.status == "demonstrated" for task in shown):
        raise typer.Exit(1)


def note(
    task: Annotated[str, typer.Argument(help="The task, as in 1.3.")],
    aha: Annotated[list[str] | None, typer.Option(help="What you understood.")] = None,
    challenge: Annotated[list[str] | None, typer.Option(help="What was hard.")] = None,
    question: Annotated[list[str] | None, typer.Option(help="What is still open.")] = None,
    difficulty: Annotated[int | None, typer.Option(help="From 1, easy, to 5, hard.")] = None,
    minutes: Annotated[int | None, typer.Option(help="Time spent, in all.")] = None,
    started: Annotated[str | None, typer.Option(help="A date: 2026-01-31, or today.")] = None,
    completed: Annotated[str | None, typer.Option(help="A date: 2026-01-31, or today.")] = None,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Write into your journal; without options, show what it says of the task.

    Texts are added, numbers and dates take the place of the ones before.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    task_id = task_id_of(task, taught)
    given = {
        "started": _date("--started", started),
        "completed": _date("--completed", completed),
        "minutes": minutes,
        "difficulty": difficulty,
        "aha": tuple(aha or ()),
        "challenges": tuple(challenge or ()),
        "questions": tuple(question or ()),
    }
    said = {name: value for name, value in given.items() if value not in (None, ())}
    path = settings.reports / journal.FILE
    if said:
        entry = journal.note(path, task_id, **said)
    else:
        entry = journal.read(path).get(task_id, journal.Entry())
    (standing,) = [
        each for each in standing_of(taught, settings.reports).tasks if each.task.id == task_id
    ]
    output.line(f"{task_id} {standing.task.title}", style="bold")
    for name, value in _entry_rows(entry, standing):
        output.line(f"{name:<11} {value}", indent=2)
    output.whole(f"journal     {path}", indent=2)


def report(
    only_print: Annotated[
        bool, typer.Option("--print", help="Print where it is, and open nothing.")
    ] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Write the learning log anew, with all runs and notes, and open it in the browser."""
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    path = settings.reports / page.NAME
    standing = standing_of(load(settings.curriculum), settings.reports)
    if not standing.runs:
        where = "run pytest first, or name another folder with --reports"
        output.trouble(f"there is no run in {settings.reports} yet: {where}")
        raise typer.Exit(1)
    run_page = settings.reports / RUN_PAGE
    try:
        pictures = Pictures(settings.reports / PICTURES)
        page.write(standing, path, pictures, run_page if run_page.exists() else None)
    except OSError as error:
        output.trouble(f"{path}: {error.strerror}: check its rights")
        raise typer.Exit(1) from None
    output.whole(str(path))
    if not only_print and not webbrowser.open(path.as_uri()):
        output.trouble("no browser could be started: open that file in one")
        raise typer.Exit(1)


def _date(option: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        return date.today() if given == "today" else date.fromisoformat(given)
    except ValueError:
        raise WrongValue(
            f"{option} is a date such as 2026-01-31, or today, and not {given}"
        ) from None


def _entry_rows(entry: journal.Entry, standing: TaskStanding) -> list[tuple[str, object]]:
    proposed = f"none noted; your runs say {standing.proposed_minutes}"
    rows: list[tuple[str, object]] = [
        ("started", entry.started or "-"),
        ("completed", entry.completed or "-"),
        ("minutes", proposed if entry.minutes is None else entry.minutes),
        ("difficulty", entry.difficulty or "-"),
    ]
    for name in ("aha", "challenges", "questions"):
        rows += [(name, text) for text in getattr(entry, name)]
    return rows


# The dashboard


def _show(
    standing: Standing,
    shown: Sequence[TaskStanding],
    step: Step,
    *,
    with_facts: bool,
) -> None:
    curriculum = standing.curriculum
    output.line(f"Module {curriculum.id}: {curriculum.title}", style="bold")
    count = f"{standing.demonstrated} of {standing.total} facts demonstrated"
    output.line(f"{count}, {standing.percent} %; {_runs(standing.runs)}")
    output.line()
    output.picture(_table(shown, step, output.width()))
    for task in shown:
        _show_optional(task)
        if with_facts:
            _show_left(task)
    for word in standing.set_aside:
        output.line(word, style="yellow", indent=2)
    output.line()
    output.line(f"Next: {step.sentence}")
    if step.command:
        output.whole(step.command, style="bold", indent=2)


def _table(shown: Sequence[TaskStanding], step: Step, width: int) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("")
    table.add_column("task", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("facts", no_wrap=True, justify="right")
    table.add_column("own code", justify="right")
    has_time, has_last = width >= WIDE_ENOUGH_FOR_TIME, width >= WIDE_ENOUGH_FOR_LAST_RUN
    if has_time:
        table.add_column("minutes", no_wrap=True, justify="right")
    if has_last:
        table.add_column("last run", no_wrap=True)
    for task in shown:
        is_here = step.task is task
        own = task.own_code
        cells = [
            ">" if is_here else "",
            f"{task.task.id} {task.task.title}",
            task.status,
            f"{task.demonstrated} of {len(task.needed)}",
            f"{own.demonstrated} of {own.total}" if own else "-",
        ]
        cells += [_minutes(task)] if has_time else []
        cells += [(task.last_run or "-")[:16].replace("T", " ")] if has_last else []
        styles = ["bold" if is_here else ""] * 2 + [STATUS_STYLES[task.status]]
        styles += [""] * (len(cells) - len(styles))
        table.add_row(
            *(Text(readable(cell), style) for cell, style in zip(cells, styles, strict=True))
        )
    return table


def _show_optional(task: TaskStanding) -> None:
    for fact in task.facts:
        if fact.optional:
            text = f"{task.task.id} optional, as {fact.optional}: {fact.verdict}"
            output.line(text, style="dim", indent=2)
            output.whole(fact.command, style="dim", indent=4)


def _show_left(task: TaskStanding) -> None:
    """The facts that are not demonstrated, with what is known of them; the others in a number."""
    for fact in task.needed:
        if not fact.is_demonstrated and (fact.proof or fact.later):
            _show_one_left(fact.sentence, fact.proof, fact.later, fact.command)
        if fact.own and not fact.own.is_demonstration:
            sentence = f"{fact.sentence} In your own code."
            _show_one_left(sentence, fact.own, fact.own_later, fact.own_command)
    left = [fact for fact in task.needed if not fact.is_demonstrated]
    if never := sum(not (fact.proof or fact.own or fact.later) for fact in left):
        output.line()
        output.line(f"{task.task.id} not run yet: {never} of {len(task.needed)} facts", indent=2)
        output.whole(task.command, indent=4)


def _show_one_left(sentence: str, proof: Proof | None, later: str, command: str) -> None:
    output.line()
    verdict = proof.fact.verdict if proof else Verdict.NOT_RUN
    output.line(f"{verdict}: {sentence}", style="yellow", indent=2)
    for line in why(proof.fact.reason) if proof else []:
        output.line(line, indent=4)
    if later:
        output.line(later, indent=4)
    output.whole(command, indent=4)


def _minutes(task: TaskStanding) -> str:
    """Noted in the journal, or proposed by the runs, which is marked."""
    if task.entry.minutes is not None:
        return str(task.entry.minutes)
    return f"~{task.proposed_minutes}" if task.proposed_minutes else "-"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


# The same as data


def _as_data(standing: Standing, shown: Sequence[TaskStanding], step: Step) -> dict[str, Any]:
    return {
        "schema": 1,
        "module": {"id": standing.curriculum.id, "title": standing.curriculum.title},
        "demonstrated": standing.demonstrated,
        "total": standing.total,
        "percent": standing.percent,
        "runs": standing.runs,
        "here": step.task.task.id if step.task else None,
        "next": {"sentence": step.sentence, "command": step.command},
        "set_aside": list(standing.set_aside),
        "tasks": [_task_data(task) for task in shown],
    }


def _task_data(task: TaskStanding) -> dict[str, Any]:
    own = task.own_code
    return {
        "id": task.task.id,
        "title": task.task.title,
        "status": task.status,
        "demonstrated": task.demonstrated,
        "total": len(task.needed),
        "own_code": asdict(own) if own else None,
        "minutes": task.entry.minutes,
        "proposed_minutes": task.proposed_minutes,
        "last_run": task.last_run,
        "command": task.command,
        "facts": [_fact_data(fact) for fact in task.facts],
    }


def _fact_data(fact: FactStanding) -> dict[str, Any]:
    return {
        "slug": fact.slug,
        "sentence": fact.sentence,
        "verdict": fact.verdict,
        "own_verdict": fact.own.fact.verdict if fact.own else None,
        "proved": fact.proof.started if fact.proof else None,
        "kafka": fact.proof.kafka if fact.proof else None,
        "optional": bool(fact.optional),
        "later": fact.later,
        "own_later": fact.own_later,
        "command": fact.command,
    }
