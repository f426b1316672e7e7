"""Commands for the learner's own code: `kafkalab start`, `kafkalab check`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import judging, typed
from kafkalab.brokers.errors import BrokerError
from kafkalab.cli import failure, output
from kafkalab.cli.following import Following
from kafkalab.cli.options import (
    BackendOption,
    BootstrapOption,
    CacheOption,
    ConfigOption,
    CurriculumOption,
    ImageOption,
    ReportsOption,
    VersionOption,
    WrongValue,
    task_id_of,
)
from kafkalab.cli.warmed import warmed
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, Statement, Task, load
from kafkalab.curriculum.stub import NoContract, asked_names, contract_file, stub_of
from kafkalab.judging import Judgement, Judging, NoVerdict
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.next_step import FOLDER
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.written import moved_aside, write_whole
from kafkalab.own_code import file_of

TaskArgument = Annotated[str, typer.Argument(help="The task, as in 1.2.")]
FolderOption = Annotated[Path, typer.Option(help="Where your components are.")]


@dataclass(frozen=True)
class Desk:
    """A task, and the folder of the learner's component for it."""

    taught: Curriculum
    task: Task
    folder: Path
    """absolute"""
    given: str
    """the folder as proposed commands name it; empty if it is the usual one"""

    @classmethod
    def of(cls, task: str, folder: Path, taught: Curriculum) -> Desk:
        """The desk for a task and a folder.

        Raises:
            WrongValue: there is no such task.
        """
        given = "" if folder == Path(FOLDER) else str(folder)
        task_id = task_id_of(task, taught)
        return cls(taught, taught.task(task_id), folder.expanduser().absolute(), given)

    @property
    def file(self) -> Path:
        """The component's file; it may be missing."""
        return file_of(self.folder, self.task.component)

    @property
    def there(self) -> Path | None:
        """The component's existing package or file; None if there is neither."""
        for path in (self.folder / self.task.component, self.folder / f"{self.task.component}.py"):
            if os.path.lexists(path):
                return path
        return None

    @property
    def facts(self) -> list[Statement]:
        """The facts that judge the component.

        Raises:
            WrongValue: there are none.
        """
        facts = judging.component_facts(self.taught, self.task)
        if not facts:
            raise WrongValue(f"no fact of task {self.task.id} judges a component")
        return facts

    def command(self, name: str, *more: str) -> str:
        """A command of kafkalab for this task, to copy into a shell."""
        folder = ["--folder", self.given] if self.given else []
        return shlex.join(["kafkalab", name, self.task.id, *more, *folder])


def start(
    task: TaskArgument,
    folder: FolderOption = Path(FOLDER),
    reset: Annotated[
        bool, typer.Option("--reset", help="Make the file again; yours is kept beside it.")
    ] = False,
    curriculum: CurriculumOption = None,
) -> None:
    """Begin your own component of a task: make a file with the functions to write.

    Each docstring says what its function has to do. A file that is there already stays
    as it is.
    """
    taught = load(Settings.from_environment(curriculum=curriculum).curriculum)
    desk = Desk.of(task, folder, taught)
    try:
        text, contract = stub_of(desk.task.component), contract_file(desk.task.component)
    except NoContract as error:
        raise WrongValue(str(error)) from error
    facts = desk.facts
    there, path = desk.there, desk.folder / f"{desk.task.component}.py"
    if there is not None and not reset:
        output.whole(f"It is there already, and stays as it is: {shown_folder(str(there))}")
        _tell_next(desk)
        output.line("Make it again, and keep yours beside it:")
        output.whole(desk.command("start", "--reset"), indent=2)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = moved_aside(there) if there is not None else None
        write_whole(path, text.encode())
    except OSError as error:
        raise WrongValue(
            f"{path} cannot be written: {error.strerror}: "
            "check its folder's rights, or name another folder with --folder"
        ) from error
    if backup is not None:
        output.whole(f"Yours is kept: {shown_folder(str(backup))}")
    output.line(f"{desk.task.id} {desk.task.title}: {desk.task.question}", style="bold")
    output.whole(f"Your file: {shown_folder(str(path))}")
    output.whole(f"Its contract: {shown_folder(str(contract))}")
    names = asked_names(desk.task.component)
    output.line(
        f"It asks for {_listed(names)}. Your file says what each has to do; none is written yet. "
        f"{len(facts)} facts will judge them."
    )
    _tell_next(desk)


def _tell_next(desk: Desk) -> None:
    output.line("Write any of them first, and let the facts judge it: once, or at each save:")
    output.whole(desk.command("check"), indent=2)
    output.whole(desk.command("watch"), indent=2)


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def check(
    task: TaskArgument,
    folder: FolderOption = Path(FOLDER),
    show_all: Annotated[
        bool, typer.Option("--all", help="Show all facts that do not hold, not only the first.")
    ] = False,
    backend: BackendOption = None,
    bootstrap: BootstrapOption = None,
    cache: CacheOption = None,
    client_config: ConfigOption = None,
    curriculum: CurriculumOption = None,
    image: ImageOption = None,
    kafka_version: VersionOption = None,
    reports: ReportsOption = None,
) -> None:
    """Let the facts of a task judge your own component, and show the first that fails.

    Exit code 0: all hold; 1: not all; 2: no verdict.
    """
    settings = Settings.from_environment(
        backend=backend,
        bootstrap=bootstrap,
        cache=cache,
        client_config=client_config,
        curriculum=curriculum,
        image=image,
        kafka_version=kafka_version,
        reports=reports,
        solutions=str(folder),
    )
    desk = Desk.of(task, folder, load(settings.curriculum))
    facts = desk.facts
    if not desk.file.is_file():
        raise WrongValue(
            f"there is no {shown_folder(str(desk.file))}: {desk.command('start')} makes one"
        )
    told_as = ["kafkalab", *sys.argv[1:]]
    try:
        with warmed(settings) as warm:
            if not warm.is_ready:
                output.line("Kafka is starting ...", style="dim")
            warm.ensure(output.line)
            output.line(f"{len(facts)} facts judge {shown_folder(str(desk.file))} ...", style="dim")
            seeing = _Seeing(desk, is_first=not show_all)
            judgement = judging.judge(
                warm, desk.taught, facts, settings.reports, told_as, seeing.look
            )
    except NoVerdict as error:
        raise WrongValue(str(error)) from error
    except BrokerError as error:
        # This says nothing about the learner's code.
        output.trouble(str(error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        output.line()
        raise typer.Exit(typed.ENDED_BY_CTRL_C) from None
    raise typer.Exit(_show(judgement, desk, seeing.shown, show_all=show_all))


class _Seeing:
    """Shows which facts run, and at once the first that fails."""

    def __init__(self, desk: Desk, *, is_first: bool) -> None:
        """Begin; without `is_first` failures are left for the end, to be shown together."""
        self._desk = desk
        self._is_first = is_first
        self._following = Following()
        self.shown: str = ""
        """the fact that was shown; empty if none was"""

    def look(self, judging: Judging) -> None:
        """Show a new failure now: the facts after it may hang, and take a minute each."""
        failed = judging.so_far().failed if self._is_first and not self.shown else ()
        for fact in failed[:1]:
            self.shown = fact.slug
            _show_one(fact, judging.so_far(), self._desk)
        self._following.look(judging.running)


def _show_one(fact: FactRecord, judgement: Judgement, desk: Desk) -> None:
    output.line()
    failure.show(fact, judgement, desk.taught, desk.task.component, desk.folder)


def _show(judgement: Judgement, desk: Desk, shown: str, *, show_all: bool) -> int:
    """Show the verdicts that were not shown yet, and return the exit code."""
    failed = judgement.failed if show_all else judgement.failed[:1]
    for fact in (*(each for each in failed if not shown), *judgement.untold):
        _show_one(fact, judgement, desk)
    output.line()
    held, count = len(judgement.told) - len(judgement.failed), len(judgement.facts)
    skipped = count - len(judgement.told) - len(judgement.untold)
    left = f"; {skipped} cannot run here" if skipped else ""
    is_whole = held and held + skipped == count
    output.line(f"{held} of {count} hold{left}.", style="green bold" if is_whole else "bold")
    if is_whole:
        output.line("Compare it with ours:")
        output.whole(desk.command("solution"), indent=2)
        return 0
    if judgement.failed:
        output.line("Stuck? A hint for the first that fails:")
        output.whole(desk.command("hint"), indent=2)
        others = len(judgement.failed) - 1
        if others and not show_all:
            output.line(f"{'1 other fails' if others == 1 else f'{others} others fail'}, too:")
            output.whole(desk.command("check", "--all"), indent=2)
        return 1
    return 2
