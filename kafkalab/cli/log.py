"""Commands about the learning log: `kafkalab status`, `kafkalab note`, `kafkalab report`."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log import journal, page
from kafkalab.learning_log.history import Proof
from kafkalab.learning_log.pictures import PICTURES, Pictures
from kafkalab.learning_log.progress import (
    FactProgress,
    Progress,
    Step,
    TaskProgress,
    next_step,
    progress_of,
)
from kafkalab.learning_log.readable import readable
from kafkalab.learning_log.run_report import RUN_PAGE
from kafkalab.learning_log.terminal import why
from kafkalab.learning_log.verdicts import Verdict

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
    asked = [_task_id(each, taught) for each in tasks or []]
    try:
        progress = progress_of(taught, settings.reports)
    except journal.BadJournal as error:
        # Where you stand is in the records: a slip in a note must not hide it.
        errors = Console(stderr=True, highlight=False)
        _whole(errors, f"kafkalab: without your notes: {error}", style="red")
        progress = progress_of(taught, settings.reports, entries={})
    shown = [each for each in progress.tasks if not asked or each.task.id in asked]
    step = next_step(shown, "What was asked for") if asked else progress.next_step
    if as_json:
        typer.echo(json.dumps(_as_data(progress, shown, step), indent=2))
    else:
        _show(Console(highlight=False), progress, shown, step, with_facts=bool(asked))
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
    task_id = _task_id(task, taught)
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
    console = Console(highlight=False)
    if said:
        entry = journal.note(path, task_id, **said)
    else:
        entry = journal.read(path).get(task_id, journal.Entry())
    (progress,) = [
        each for each in progress_of(taught, settings.reports).tasks if each.task.id == task_id
    ]
    _line(console, f"{task_id} {progress.task.title}", style="bold")
    for name, value in _entry_rows(entry, progress):
        _line(console, f"{name:<11} {value}", indent=2)
    _whole(console, f"journal     {path}", indent=2)


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
    errors = Console(stderr=True, highlight=False)
    progress = progress_of(load(settings.curriculum), settings.reports)
    if not progress.runs:
        where = "run pytest first, in this folder, or name another with --kafkalab-reports"
        _whole(errors, f"kafkalab: there is no run in {settings.reports} yet: {where}", style="red")
        raise typer.Exit(1)
    run_page = settings.reports / RUN_PAGE
    try:
        pictures = Pictures(settings.reports / PICTURES)
        page.write(progress, path, pictures, run_page if run_page.exists() else None)
    except OSError as error:
        _whole(errors, f"kafkalab: {path}: {error.strerror}: check its rights", style="red")
        raise typer.Exit(1) from None
    _whole(Console(highlight=False), str(path))
    if not only_print and not webbrowser.open(path.as_uri()):
        _whole(errors, "kafkalab: no browser could be started: open that file in one", style="red")
        raise typer.Exit(1)


def _task_id(given: str, curriculum: Curriculum) -> str:
    """The task that was meant; `1.3`, `1_3` and `task_1_3` are the same.

    Raises:
        WrongValue: the curriculum has no such task.
    """
    task_id = given.removeprefix("task_").replace("_", ".")
    known = [task.id for task in curriculum.tasks]
    if task_id not in known:
        raise WrongValue(f"there is no task {given}: there are {', '.join(known)}")
    return task_id


def _date(option: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        return date.today() if given == "today" else date.fromisoformat(given)
    except ValueError:
        raise WrongValue(
            f"{option} is a date such as 2026-01-31, or today, and not {given}"
        ) from None


def _entry_rows(entry: journal.Entry, progress: TaskProgress) -> list[tuple[str, object]]:
    proposed = f"none noted; your runs say {progress.proposed_minutes}"
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
    console: Console,
    progress: Progress,
    shown: Sequence[TaskProgress],
    step: Step,
    *,
    with_facts: bool,
) -> None:
    curriculum = progress.curriculum
    _line(console, f"Module {curriculum.id}: {curriculum.title}", style="bold")
    count = f"{progress.demonstrated} of {progress.total} facts demonstrated"
    _line(console, f"{count}, {progress.percent} %; {_runs(progress.runs)}")
    _line(console, "")
    console.print(_table(shown, step, console.width))
    for task in shown:
        _show_optional(console, task)
        if with_facts:
            _show_left(console, task)
    for word in progress.set_aside:
        _line(console, word, style="yellow", indent=2)
    _line(console, "")
    _line(console, f"Next: {step.sentence}")
    if step.command:
        _whole(console, step.command, style="bold", indent=2)


def _table(shown: Sequence[TaskProgress], step: Step, width: int) -> Table:
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


def _show_optional(console: Console, task: TaskProgress) -> None:
    for fact in task.facts:
        if fact.optional:
            text = f"{task.task.id} optional, as {fact.optional}: {fact.verdict}"
            _line(console, text, style="dim", indent=2)
            _whole(console, fact.command, style="dim", indent=4)


def _show_left(console: Console, task: TaskProgress) -> None:
    """The facts that are not demonstrated, with what is known of them; the others in a number."""
    for fact in task.needed:
        if not fact.is_demonstrated and (fact.proof or fact.later):
            _show_one_left(console, fact.sentence, fact.proof, fact.later, fact.command)
        if fact.own and not fact.own.is_demonstration:
            sentence = f"{fact.sentence} In your own code."
            _show_one_left(console, sentence, fact.own, fact.own_later, fact.own_command)
    left = [fact for fact in task.needed if not fact.is_demonstrated]
    if never := sum(not (fact.proof or fact.own or fact.later) for fact in left):
        _line(console, "")
        _line(console, f"{task.task.id} not run yet: {never} of {len(task.needed)} facts", indent=2)
        _whole(console, task.command, indent=4)


def _show_one_left(
    console: Console, sentence: str, proof: Proof | None, later: str, command: str
) -> None:
    _line(console, "")
    verdict = proof.fact.verdict if proof else Verdict.NOT_RUN
    _line(console, f"{verdict}: {sentence}", style="yellow", indent=2)
    for line in why(proof.fact.reason) if proof else []:
        _line(console, line, indent=4)
    if later:
        _line(console, later, indent=4)
    _whole(console, command, indent=4)


def _minutes(task: TaskProgress) -> str:
    """Noted in the journal, or proposed by the runs, which is marked."""
    if task.entry.minutes is not None:
        return str(task.entry.minutes)
    return f"~{task.proposed_minutes}" if task.proposed_minutes else "-"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _line(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print text; what does not fit goes on below, as far to the right."""
    # 20 columns at least, or a narrow terminal would get a letter a line.
    width = max(20, console.width - indent)
    for line in Text(readable(text), style).wrap(console, width):
        line.rstrip()
        console.print(Text(" " * indent) + line, soft_wrap=True)


def _whole(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print what is to be copied: a command, a path; it is never broken in two."""
    console.print(Text(" " * indent + readable(text), style), soft_wrap=True)


# The same as data


def _as_data(progress: Progress, shown: Sequence[TaskProgress], step: Step) -> dict[str, Any]:
    return {
        "schema": 1,
        "module": {"id": progress.curriculum.id, "title": progress.curriculum.title},
        "demonstrated": progress.demonstrated,
        "total": progress.total,
        "percent": progress.percent,
        "runs": progress.runs,
        "here": step.task.task.id if step.task else None,
        "next": {"sentence": step.sentence, "command": step.command},
        "set_aside": list(progress.set_aside),
        "tasks": [_task_data(task) for task in shown],
    }


def _task_data(task: TaskProgress) -> dict[str, Any]:
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


def _fact_data(fact: FactProgress) -> dict[str, Any]:
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
