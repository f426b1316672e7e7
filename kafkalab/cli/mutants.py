"""`kafkalab mutants`: makes mistakes in the learner's code, and shows which fact catches each."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import typed
from kafkalab.brokers.errors import BrokerError
from kafkalab.cli import failure, output
from kafkalab.cli.options import (
    BackendOption,
    BootstrapOption,
    CacheOption,
    ConfigOption,
    CurriculumOption,
    ImageOption,
    VersionOption,
    WrongValue,
)
from kafkalab.cli.own import Desk, FolderOption, TaskArgument
from kafkalab.cli.warmed import undisturbed, warmed
from kafkalab.config import Settings
from kafkalab.curriculum import load
from kafkalab.judging import Judgement, NoVerdict
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.next_step import FOLDER
from kafkalab.mutant_judge import Component, Fate, NoCopy, Place, Told, Trial, Unreadable
from kafkalab.mutants import OPERATORS
from kafkalab.unwritten import NOT_YET

# Mistakes that are judged at the same time, each by a pytest of its own, which mostly waits.
MOST_BESIDE = 4

# Characters that are shown of a line of code, and how many of them before the difference.
MOST_SHOWN, BEFORE_IT = 100, 40

CAUGHT = (Fate.CAUGHT, Fate.CAUGHT_BY_A_LIMIT)
STYLES = {
    **dict.fromkeys(CAUGHT, "green"),
    Fate.NOT_CAUGHT: "yellow",
    Fate.NOT_TOLD: "red",
}

Tried = tuple[Place, Told]


def mutants(
    task: TaskArgument,
    folder: FolderOption = Path(FOLDER),
    line: Annotated[
        int | None, typer.Option(help="Make mistakes only in this line of your code.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Make only this mistake; may be given more than once.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the mistakes; run nothing.")] = False,
    backend: BackendOption = None,
    bootstrap: BootstrapOption = None,
    cache: CacheOption = None,
    client_config: ConfigOption = None,
    curriculum: CurriculumOption = None,
    image: ImageOption = None,
    kafka_version: VersionOption = None,
) -> None:
    """Make mistakes in your working component, and see which fact catches each.

    So you learn what each line of your code is for. Your files stay as they are, and
    these runs do not count.

    Exit code 0: all were tried; 1: your component does not hold as it is; 2: no verdict.
    """
    taught = load(Settings.from_environment(curriculum=curriculum).curriculum)
    desk = Desk.of(task, folder, taught)
    component = _component(desk)
    places = _chosen(component, desk, line, only or [])
    if list_:
        _list(places, desk)
        return
    tried: list[Tried] = []
    code = 0
    try:
        with _home() as home:
            settings = Settings.from_environment(
                backend=backend,
                bootstrap=bootstrap,
                cache=cache,
                client_config=client_config,
                curriculum=curriculum,
                image=image,
                kafka_version=kafka_version,
                # The reports of these runs are thrown away.
                reports=str(home),
                solutions=str(folder),
            )
            code = _try_all(settings, desk, component, places, home, tried)
    except (NoCopy, NoVerdict) as error:
        raise WrongValue(str(error)) from error
    except BrokerError as error:
        # This says nothing about the learner's code.
        output.trouble(str(error))
        code = 2
    except KeyboardInterrupt:
        output.line()
        code = typed.ENDED_BY_CTRL_C
    if tried:
        _summarise(tried, len(places), component, desk)
    raise typer.Exit(code)


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """A folder for copies and reports, which is deleted at the block's end."""
    folder = tempfile.TemporaryDirectory(prefix="kafkalab-mutants-", ignore_cleanup_errors=True)
    try:
        yield Path(folder.name)
    finally:
        with undisturbed():
            folder.cleanup()


def _component(desk: Desk) -> Component:
    """The learner's component, whose files are all readable.

    Raises:
        WrongValue: it is not there, cannot be read, or is not written.
    """
    shown = shown_folder(str(desk.file))
    if not desk.file.is_file():
        raise WrongValue(f"there is no {shown}: {desk.command('start')} makes one")
    try:
        component = Component.read(desk.folder, desk.task.component)
    except Unreadable as error:
        raise WrongValue(f"{shown_folder(str(desk.folder))}/{error}") from error
    except OSError as error:
        raise WrongValue(f"{error.filename} cannot be read: {error.strerror}") from error
    if any(
        f"NotImplementedError('{NOT_YET}')" in text.replace('"', "'")
        for text in component.files.values()
    ):
        raise WrongValue(f"{shown} is not written yet: {desk.command('check')} says what is left")
    return component


def _chosen(component: Component, desk: Desk, line: int | None, only: Sequence[str]) -> list[Place]:
    """The mistakes that were asked for.

    Raises:
        WrongValue: there are none.
    """
    for name in only:
        if name not in OPERATORS:
            near = difflib.get_close_matches(name, OPERATORS, n=3)
            told = f"did you mean {' or '.join(near)}?" if near else "there are "
            told += "" if near else ", ".join(OPERATORS)
            raise WrongValue(f"there is no mistake {name}: {told}")
    try:
        all_ = component.mutants()
    except Unreadable as error:
        raise WrongValue(f"{shown_folder(str(desk.folder))}/{error}") from error
    chosen = [
        each
        for each in all_
        if line in (None, each.mutant.line) and (not only or each.mutant.operator in only)
    ]
    if not chosen:
        asked = " and ".join(
            [
                *([f"--line {line}"] if line is not None else []),
                *(f"--only {name}" for name in only),
            ]
        )
        what = f"no mistake of these can be made with {asked}" if all_ else "no mistake can be made"
        raise WrongValue(
            f"{what} in {shown_folder(str(desk.file))}: {desk.command('mutants', '--list')} "
            "lists all"
        )
    return chosen


def _list(places: Sequence[Place], desk: Desk) -> None:
    for place in places:
        _show_mistake(place, desk)
    output.line(f"{_count(len(places), 'mistake')} can be made. Let the facts judge them:")
    output.whole(desk.command("mutants"), indent=2)


def _try_all(
    settings: Settings,
    desk: Desk,
    component: Component,
    places: Sequence[Place],
    home: Path,
    tried: list[Tried],
) -> int:
    """Try each mistake, add its result to `tried`, and return the exit code."""
    facts, beside = desk.facts, min(MOST_BESIDE, os.cpu_count() or 1, len(places))
    with warmed(settings) as warm:
        if not warm.is_ready:
            output.line("Kafka is starting ...", style="dim")
        told_as = ["kafkalab", *sys.argv[1:]]
        trial = Trial(warm, desk.taught, facts, component, told_as, home, beside)
        try:
            warm.ensure(output.line)
            shown = shown_folder(str(desk.file))
            output.line(f"{len(facts)} facts judge {shown} as it is ...", style="dim")
            judgement = trial.as_it_is()
            if trouble := _trouble_of(judgement, desk):
                output.trouble(f"{trouble}, and mistakes are made in code that works. First run:")
                output.whole(desk.command("check"), indent=2)
                return 1
            output.line(
                f"They hold. Now {_count(len(places), 'mistake')}, {beside} at a time; Ctrl-C ends "
                "it, and shows what was found.",
                style="dim",
            )
            for number, (place, told) in enumerate(trial.run(places), 1):
                tried.append((place, told))
                output.line()
                _show_mistake(place, desk, f"[{number}/{len(places)}] ")
                _show_told(told, desk)
        finally:
            with undisturbed():
                trial.end()
    return 0


def _trouble_of(judgement: Judgement, desk: Desk) -> str:
    """Show the first fact that does not hold for the code as it is; return what to say of it.

    What is returned is empty if all facts hold.
    """
    broken = [*judgement.failed, *judgement.untold]
    if not broken:
        return "" if judgement.told else "no fact can run here"
    fact = broken[0]
    output.line()
    failure.show(fact, judgement, desk.taught, desk.task.component, desk.folder)
    output.line()
    says = "does not hold" if fact in judgement.failed else "could not be judged"
    return f"{fact.slug} {says}"


def _show_mistake(place: Place, desk: Desk, mark: str = "") -> None:
    mutant = place.mutant
    output.whole(f"{mark}{_place(place, desk)}", style="bold")
    before, after = shown_change(mutant.before, mutant.after)
    output.line(before, mark="- ", indent=2, style="dim")
    if after:
        output.line(after, mark="+ ", indent=2)
    output.line(f"{mutant.operator}: {mutant.mistake}", indent=2)


def shown_change(before: str, after: str) -> tuple[str, str]:
    """Two lines of code, cut to where they differ."""
    pairs = enumerate(zip(before, after, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    start = max(0, same - BEFORE_IT) if max(len(before), len(after)) > MOST_SHOWN else 0
    return _cut(before, start), _cut(after, start)


def _cut(code: str, start: int) -> str:
    if len(code) <= start:
        return code[-BEFORE_IT:]
    end = "..." if len(code) > start + MOST_SHOWN else ""
    return f"{'...' if start else ''}{code[start : start + MOST_SHOWN]}{end}"


def _show_told(told: Told, desk: Desk) -> None:
    style = STYLES[told.fate]
    match told.fate:
        case Fate.CAUGHT:
            output.line(f"caught by {told.slug}", style=style, indent=2)
        case Fate.CAUGHT_BY_A_LIMIT:
            output.line(f"caught by a limit in {told.slug}", style=style, indent=2)
        case Fate.NOT_CAUGHT:
            output.line("no fact catches it: equivalent, or a gap", style=style, indent=2)
            return
        case Fate.NOT_TOLD:
            first = (told.reason.splitlines() or [""])[0]
            output.line(f"not judged: {told.slug or 'pytest'}: {first}", style=style, indent=2)
            return
    output.line(desk.taught.stated_facts[told.slug].sentence, style="dim", indent=2)


def _place(place: Place, desk: Desk) -> str:
    return f"{shown_folder(str(desk.folder / place.file))}:{place.mutant.line}"


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _summarise(tried: Sequence[Tried], count: int, component: Component, desk: Desk) -> None:
    """Print which facts need each line, and how many mistakes were caught."""
    output.line()
    output.line("What your lines are for:", style="bold")
    by_line: dict[tuple[Path, int], list[Tried]] = {}
    for each in tried:
        by_line.setdefault((each[0].file, each[0].mutant.line), []).append(each)
    for (file, number), here in by_line.items():
        code = re.split(r"\r\n|\r|\n", component.files[file])[number - 1]
        output.whole(_place(here[0][0], desk), style="bold", indent=2)
        output.line(_cut(code.strip(), 0), indent=4, style="dim")
        for slug in dict.fromkeys(told.slug for _, told in here if told.fate in CAUGHT):
            output.line(slug, indent=4, style="green")
        for place, told in here:
            name = place.mutant.operator
            if told.fate is Fate.NOT_CAUGHT:
                output.line(
                    f"no fact: {name}: equivalent, or a gap", indent=4, style=STYLES[told.fate]
                )
            elif told.fate is Fate.NOT_TOLD:
                output.line(f"not judged: {name}", indent=4, style=STYLES[told.fate])
    output.line()
    _show_counts([told.fate for _, told in tried], count)


def _show_counts(fates: Sequence[Fate], count: int) -> None:
    limits, left = fates.count(Fate.CAUGHT_BY_A_LIMIT), fates.count(Fate.NOT_CAUGHT)
    untold, caught = fates.count(Fate.NOT_TOLD), fates.count(Fate.CAUGHT) + limits
    parts = [f"{caught} of {_count(len(fates), 'mistake')} caught"]
    parts += [f"{limits} of them by a limit"] if limits else []
    parts += [f"{left} by no fact: each is equivalent, or a gap"] if left else []
    parts += [f"{untold} not judged"] if untold else []
    parts += [f"{count - len(fates)} not tried"] if count > len(fates) else []
    output.line(f"{'; '.join(parts)}.", style="bold")
