"""`kafkalab watch`: the facts of a task judge the learner's component whenever it is saved."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import typed
from kafkalab.brokers.errors import BrokerError
from kafkalab.cli import failure, output, stuck
from kafkalab.cli.following import Following
from kafkalab.cli.learning import Notebook
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
)
from kafkalab.cli.own import Desk, FolderOption
from kafkalab.cli.warmed import ended_by_signals, undisturbed, warmed
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, Statement, load
from kafkalab.judging import Judgement, Judging, NoVerdict, component_facts
from kafkalab.learning_log import acts, own_work
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.next_step import FOLDER
from kafkalab.learning_log.proofs import SAYS_SOMETHING
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import why
from kafkalab.own_code import digest_of, files_of
from kafkalab.warm import END_LIMIT, WarmBroker
from kafkalab.watching import Folders

# How many facts run at the same time: they mostly wait. With four, two cores are too few.
LANES = 3

# Seconds without a change after which a save is complete: an editor may empty, write and rename a
# file in several steps.
QUIET = 0.08
# Seconds between two looks at the files, for changes that the system does not report.
LOOK_EVERY = 0.5
# Seconds after the first failure in which an earlier fact of the task may fail, too: then that one
# is shown. The learner waits no longer, as a fact that hangs takes a minute.
SHOWN_WITHIN = 3.0

KEYS = "n next task, h hint, l list, r run again, q quit"


def watch(
    task: Annotated[
        str | None,
        typer.Argument(
            help="The task, as in 1.2; by default the one judged last, or the first that has a "
            "file and is not solved."
        ),
    ] = None,
    folder: FolderOption = Path(FOLDER),
    backend: BackendOption = None,
    bootstrap: BootstrapOption = None,
    cache: CacheOption = None,
    client_config: ConfigOption = None,
    curriculum: CurriculumOption = None,
    image: ImageOption = None,
    kafka_version: VersionOption = None,
    reports: ReportsOption = None,
) -> None:
    """Let the facts of a task judge your own component whenever you save it.

    Keys: n goes on to the next task, h gives a hint, l lists the facts, r runs them
    again, q quits. Without a terminal it goes on until Ctrl-C or SIGTERM.
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
    taught = load(settings.curriculum)
    done, _ = acts.read(settings.reports / acts.FILE)
    desk = Desk.of(task or _current(taught, folder, done, settings.reports), folder, taught)
    _ = desk.facts
    try:
        # pytest needs the folder; the learner may make the file in it later.
        desk.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongValue(
            f"{desk.folder} cannot be made: {error.strerror}: name another folder with --folder"
        ) from error
    try:
        with ended_by_signals(), typed.Keys() as keys, warmed(settings) as warm:
            watching = Watching(desk, settings, warm, keys)
            try:
                watching.go_on()
            finally:
                output.fleeting("")
                with undisturbed():
                    watching.close()
    except BrokerError as error:
        # This says nothing about the learner's code.
        output.trouble(str(error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        output.line()
        raise typer.Exit(typed.ENDED_BY_CTRL_C) from None


def _current(taught: Curriculum, folder: Path, done: tuple[acts.Act, ...], reports: Path) -> str:
    """The task that the learner works on.

    Raises:
        WrongValue: the learner has no component yet.
    """
    desks = [desk for desk in _desks(taught, folder) if desk.file.is_file()]
    judged = own_work.last_judged(done)
    if judged in {desk.task.id for desk in desks}:
        return judged
    left = (desk for desk in desks if not _is_solved(desk, done, reports))
    if desk := next(left, next(iter(desks), None)):
        return desk.task.id
    first = next(_desks(taught, folder), None)
    if first is None:
        raise WrongValue("no fact of this curriculum judges a component")
    raise WrongValue(f"there is nothing of yours to watch: {first.command('start')} makes a file")


def _desks(taught: Curriculum, folder: Path) -> Iterator[Desk]:
    """The desks of all tasks that have facts about a component."""
    for each in taught.tasks:
        if component_facts(taught, each):
            yield Desk.of(each.id, folder, taught)


def _is_solved(desk: Desk, done: tuple[acts.Act, ...], reports: Path) -> bool:
    return stuck.held_now(desk, done, reports) == len(desk.facts)


@dataclass(frozen=True)
class State:
    """A component's code at one time."""

    code: str
    """its digest; empty if its file is missing"""
    stamps: Mapping[Path, tuple[int, ...]]
    """for each of its files: device, inode, and the time of the last change"""

    @classmethod
    def of(cls, desk: Desk) -> State:
        """The code as it is now.

        Raises:
            OSError: one of its files cannot be read.
        """
        stamps = {}
        for file in files_of(desk.folder, desk.task.component):
            found = file.stat()
            stamps[file] = (found.st_dev, found.st_ino, found.st_mtime_ns)
        return cls(digest_of(desk.folder, desk.task.component), stamps)


class Watching:
    """The command's loop: one task at a time, its component's code, and the run that judges it."""

    def __init__(self, desk: Desk, settings: Settings, warm: WarmBroker, keys: typed.Keys) -> None:
        self._settings = settings
        self._warm = warm
        self._keys = keys
        self._notebook = Notebook(desk.taught, settings.reports)
        self._folders = Folders()
        self._pressed: dict[str, Callable[[], None]] = {
            "n": self._next,
            "h": self._hint,
            "l": self._list,
            "r": self._run,
        }
        self._run_now: Judging | None = None
        self._ready: Judging | None = None
        """prepared for the next save"""
        self._tests: Mapping[Path, int] = {}
        """when the facts' own files were written, at the time `_ready` was prepared"""
        self._leaving: list[tuple[Judging, float]] = []
        """runs on an older state of the file, each with the time by which it has to end"""
        self._sit_down(desk)

    def _sit_down(self, desk: Desk) -> None:
        """Begin to watch a task."""
        self._desk = desk
        done, _ = acts.read(self._notebook.path)
        asked = (done, desk.task.id, desk.folder, self._settings.reports)
        self._verdicts: dict[str, FactRecord] = {}
        """the last verdict on each fact, in this command"""
        self._ran: dict[str, FactRecord] = {}
        """the last run of each fact, even without a verdict on the code"""
        self._before = own_work.last_verdicts(*asked)
        """the last verdicts from before this command watched the task"""
        self._ever_held = set(own_work.ever_held(*asked))
        self._state = State("", {})
        self._seen = self._state
        """the code at the last look; during a save it is newer than the code that is judged"""
        self._trouble = ""
        self._changed_at: float | None = None
        self._looked_at = time.monotonic()

    # The turns

    def go_on(self) -> None:
        """Judge the component now and after each save, until the learner quits.

        Raises:
            BrokerError: Kafka cannot be started or reached.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        self._begin()
        while self._turn():
            pass

    def _begin(self) -> None:
        self._look()
        self._state = self._seen
        self._run()

    def _turn(self) -> bool:
        """Wait shortly for keys, files and verdicts, and handle them; false to quit."""
        run = self._run_now
        waits = [self._folders.fileno()]
        waits += [self._keys.fileno()] if self._keys.can_come else []
        waits += [run.pytest.fileno()] if run else []
        is_waiting = run or self._leaving or self._changed_at is not None
        came, _, _ = select.select(waits, [], [], QUIET if is_waiting else LOOK_EVERY)
        if self._keys.fileno() in came and not self._press():
            return False
        self._see_to_files()
        if self._run_now is not None:
            self._listen(self._run_now)
        self._see_off()
        if self._run_now is None or self._run_now.has_told_all:
            self._make_ready()
        return True

    def close(self) -> None:
        """End all that runs."""
        self._folders.close()
        left = [self._run_now, self._ready, *(judging for judging, _ in self._leaving)]
        for judging in left:
            if judging is not None:
                judging.end()

    # The files

    def _see_to_files(self) -> None:
        now = time.monotonic()
        if self._folders.has_changed():
            self._changed_at = now
        elif self._changed_at is None and now - self._looked_at < LOOK_EVERY:
            return
        before = self._seen
        self._look()
        if self._seen != before:
            self._changed_at = now
        if self._changed_at is not None and now - self._changed_at >= QUIET:
            self._changed_at = None
            self._take_in()

    def _look(self) -> None:
        """See what the code is now."""
        self._looked_at = time.monotonic()
        folder = self._desk.folder
        try:
            self._seen = State.of(self._desk)
        except FileNotFoundError:
            # A file was removed during the look: the next look shows the new state.
            self._changed_at = time.monotonic()
        except OSError as error:
            trouble = (
                f"{error.filename or folder} cannot be read: {error.strerror}: check its rights"
            )
            if trouble != self._trouble:
                output.line(trouble, style="yellow")
            self._trouble = trouble
        else:
            self._trouble = ""
        self._folders.listen_to({folder, *(file.parent for file in self._seen.stamps)})

    def _take_in(self) -> None:
        """Judge what was saved, now that the save is complete."""
        before, self._state = self._state, self._seen
        if self._state.code != before.code:
            self._run()
        elif self._state != before:
            output.line("Saved as it was: nothing changed. r runs it again.", style="dim")

    # The run

    def _run(self) -> None:
        """Let the facts judge the code as it is now; end a run that judges older code."""
        self._leave()
        desk = self._desk
        file = shown_folder(str(desk.file))
        if not self._state.code:
            happened = "is gone" if self._verdicts else "is not there yet"
            output.line()
            output.line(f"{file} {happened}: waiting for it. This makes one:", style="yellow")
            output.whole(desk.command("start"), indent=2)
            return
        if not self._warm.is_ready:
            output.line("Kafka is starting ...", style="dim")
        self._warm.ensure(output.line)
        self._run_now = self._made_ready()
        self._ready = None
        self._following = Following()
        self._shown: FactRecord | None = None
        self._failed_at: float | None = None
        self._is_announced = self._is_summed_up = False
        self._run_now.pytest.go()
        output.line()
        moment = datetime.now().strftime("%H:%M:%S")
        output.line(f"{desk.task.id} {desk.task.title}: {file}, {moment}", style="bold")

    def _leave(self) -> None:
        """Tell the current run to end, without waiting for it."""
        if self._run_now is not None:
            if not self._run_now.has_told_all:
                self._run_now.pytest.interrupt()
            self._leaving.append((self._run_now, time.monotonic() + END_LIMIT))
            self._run_now = None
            output.fleeting("")

    def _see_off(self) -> None:
        for judging, until in [*self._leaving]:
            judging.listen(0)
            if judging.is_over or time.monotonic() > until:
                judging.end()
                self._leaving.remove((judging, until))

    def _make_ready(self) -> None:
        """Start a pytest that waits for the next save."""
        if self._ready is None and self._state.code:
            self._tests = self._tests_now()
            told_as = ["kafkalab", *sys.argv[1:]]
            self._ready = Judging(
                self._warm,
                self._desk.taught,
                self._in_order(),
                self._settings.reports,
                told_as,
                lanes=LANES,
            )

    def _made_ready(self) -> Judging:
        """The pytest that waits already, or one that is started now."""
        if self._ready is not None:
            self._ready.listen(0)
            is_fit = self._ready.pytest.run is self._warm.run and not self._ready.is_over
            if is_fit and self._tests == self._tests_now():
                return self._ready
            self._drop_ready()
        self._make_ready()
        assert self._ready is not None
        return self._ready

    def _drop_ready(self) -> None:
        if self._ready is not None:
            self._ready.end()
            self._ready = None

    def _tests_now(self) -> Mapping[Path, int]:
        files = self._desk.taught.folder.glob("*.py")
        return {file: file.stat().st_mtime_ns for file in files}

    def _in_order(self) -> list[Statement]:
        """The facts in the order to run.

        First those that failed, last those that need a Kafka of their own. Of the others the
        quickest is first, as somebody waits for a verdict; then the one that takes longest, so that
        no lane begins with it when the others are done.
        """
        took = {
            each.slug: self._verdicts[each.slug].seconds
            for each in self._desk.facts
            if each.slug in self._verdicts and self._holds(each.slug) and not each.has_own_broker
        }
        quickest = min(took, key=lambda slug: took[slug], default="")

        def rank(each: Statement) -> tuple[bool, bool, bool, bool, float]:
            is_held, slug = self._holds(each.slug), each.slug
            seconds = took.get(slug, 0.0)
            return each.is_slow, each.has_own_broker, is_held, slug != quickest, -seconds

        return sorted(self._desk.facts, key=rank)

    def _holds(self, slug: str) -> bool:
        known = self._verdicts.get(slug)
        said = known.verdict if known else self._before.get(slug)
        return said == Verdict.DEMONSTRATED

    # What it says

    def _listen(self, run: Judging) -> None:
        for fact in run.listen(0):
            self._tell(fact)
        self._following.look(run.running)
        if not self._is_summed_up:
            self._show_first(run)
        if run.has_told_all and not self._is_summed_up:
            self._sum_up(run.so_far())
        if not run.is_over:
            return
        self._run_now = None
        is_told = self._is_summed_up
        try:
            judgement = run.judgement()
        except NoVerdict as error:
            output.line(str(error), style="yellow")
            self._tell_keys()
        else:
            if not is_told:
                self._sum_up(judgement)
            if judgement.untold:
                self._see_to_broker()
        finally:
            run.end()

    def _tell(self, fact: FactRecord) -> None:
        """Print the verdict on a fact."""
        slug, seconds = fact.slug, f"{fact.seconds:.1f} s"
        held = self._holds(slug)
        if fact.verdict is Verdict.DEMONSTRATED:
            output.line(f"{slug}, {seconds}", mark="  holds    ", style="green")
        elif fact.verdict not in SAYS_SOMETHING:
            output.line(slug, mark=f"  {fact.verdict}  ", style="yellow")
        elif slug in self._ever_held:
            when = "broken by this edit" if slug in self._verdicts else "since the last check"
            how = f"{seconds}: {when}" if held else f"{seconds}: it held before"
            output.line(f"{slug}, {how}", mark="  broken   ", style="red bold")
        else:
            output.line(f"{slug}, {seconds}", mark="  refuted  ", style="red")
        self._ran[slug] = fact
        if fact.verdict in SAYS_SOMETHING:
            self._verdicts[slug] = fact
        if fact.verdict is Verdict.DEMONSTRATED:
            self._ever_held.add(slug)
        elif fact.verdict in SAYS_SOMETHING and self._failed_at is None:
            self._failed_at = time.monotonic()

    def _show_first(self, run: Judging) -> None:
        """Show the first failure, once all facts on the warm broker are done or it was long ago."""
        left = [each for each in run.facts if each.slug not in run.told]
        are_slow = all(each.has_own_broker or each.is_slow for each in left)
        has_waited = (
            self._failed_at is not None and time.monotonic() - self._failed_at > SHOWN_WITHIN
        )
        if not (are_slow or has_waited):
            return
        self._show(run.so_far())
        if are_slow and left and not self._is_announced:
            self._is_announced = True
            slow = ", or takes a minute" if any(each.is_slow for each in left) else ""
            own = "1 more uses a Kafka of its own" if len(left) == 1 else ""
            own = own or f"{len(left)} more: each uses a Kafka of its own"
            output.line(f"{own}{slow}:", style="dim")

    def _show(self, judgement: Judgement) -> None:
        """Show the first fact that fails; once in a run."""
        if self._shown is None and judgement.failed:
            self._shown = min(judgement.failed, key=lambda fact: self._place_of(fact.slug))
            desk = self._desk
            output.line()
            failure.show(self._shown, judgement, desk.taught, desk.task.component, desk.folder)
            output.line()

    def _place_of(self, slug: str) -> int:
        return [each.slug for each in self._desk.facts].index(slug)

    def _sum_up(self, judgement: Judgement) -> None:
        """Print how many facts of the task hold."""
        self._is_summed_up = True
        output.fleeting("")
        self._show(judgement)
        for fact in judgement.untold[:1]:
            output.line()
            desk = self._desk
            failure.show(fact, judgement, desk.taught, desk.task.component, desk.folder)
        if self._shown is None or not judgement.printed.get(self._shown.slug):
            self._show_printed(judgement)
        held, count = len(judgement.told) - len(judgement.failed), len(self._desk.facts)
        skipped = sum(fact.verdict is Verdict.NOT_RUN for fact in judgement.facts)
        left = f"; {skipped} cannot run here" if skipped else ""
        is_whole = bool(held) and held + skipped == count
        output.line(f"{held} of {count} hold{left}.", style="green bold" if is_whole else "bold")
        if is_whole:
            self._tell_finished()
        self._tell_keys()

    def _show_printed(self, judgement: Judgement) -> None:
        """Show what the code printed in the first fact that printed something."""
        printed = (each for each in self._desk.facts if judgement.printed.get(each.slug))
        if first := next(printed, None):
            output.line()
            output.line(first.slug, style="dim")
            failure.show_printed(judgement, first.slug)
            output.line()

    def _tell_finished(self) -> None:
        desk = self._desk
        file = shown_folder(str(desk.file))
        output.line(
            f"Your component of {desk.task.id} is finished: all hold for {file} as it is.",
            style="green bold",
        )
        output.line("Compare it with ours, and see what each line is for:")
        output.whole(desk.command("solution"), indent=2)
        output.whole(desk.command("mutants"), indent=2)
        if following := self._following_desk():
            output.line(f"n goes on with {following.task.id} {following.task.title}.")
            return
        module = desk.taught.id
        output.line(
            f"All your components of module {module} are finished: all facts hold for them.",
            style="green bold",
        )

    def _tell_keys(self) -> None:
        if self._keys.fileno() >= 0:
            output.line(KEYS, style="dim")
        else:
            output.line("Waiting for the next save. Ctrl-C ends it.", style="dim")

    def _see_to_broker(self) -> None:
        """Judge again if facts had no verdict because the broker is gone."""
        before = self._warm.run
        self._warm.ensure(output.line)
        if self._warm.run is not before:
            self._run()

    # The keys

    def _press(self) -> bool:
        """Do what the pressed keys say; false to quit."""
        try:
            pressed = self._keys.read()
        except EOFError:
            return False
        for key in pressed.lower():
            if key == "q":
                return False
            output.fleeting("")
            try:
                self._pressed.get(key, self._tell_keys)()
            except WrongValue as error:
                output.line(str(error), style="yellow")
        return True

    def _next(self) -> None:
        """Go on to the next task that is not finished."""
        following = self._following_desk()
        if following is None:
            output.line("All the other tasks are finished.")
            return
        if not _is_solved(self._desk, acts.read(self._notebook.path)[0], self._settings.reports):
            output.line(f"{self._desk.task.id} is not finished. To come back to it: q, and then")
            output.whole(self._desk.command("watch"), indent=2)
        self._leave()
        self._drop_ready()
        self._sit_down(following)
        self._begin()

    def _following_desk(self) -> Desk | None:
        """The desk of the next task that is not finished; after the last task comes the first."""
        desks = list(_desks(self._desk.taught, Path(self._desk.given or FOLDER)))
        at = [desk.task.id for desk in desks].index(self._desk.task.id)
        done, _ = acts.read(self._notebook.path)
        others = [*desks[at + 1 :], *desks[:at]]
        reports = self._settings.reports
        return next((each for each in others if not _is_solved(each, done, reports)), None)

    def _hint(self) -> None:
        """Give the next hint of the first fact that fails."""
        output.line()
        failed = [each for each in self._desk.facts if not self._holds(each.slug)]
        told = [each for each in failed if each.slug in {**self._before, **self._verdicts}]
        meant = next(iter([*told, *failed]), None)
        if meant is None:
            output.line(f"All {len(self._desk.facts)} facts hold: there is nothing to hint at.")
        else:
            stuck.give_hint(meant, self._desk, self._notebook, key="h")
        self._tell_keys()

    def _list(self) -> None:
        """List the facts, each with its last verdict."""
        output.line()
        for each in self._desk.facts:
            fact = self._ran.get(each.slug)
            said = fact.verdict if fact else self._before.get(each.slug, "not judged yet")
            holds = said == Verdict.DEMONSTRATED
            name = "holds" if holds else "broken" if each.slug in self._ever_held else said
            style = "green" if holds else "red" if said in SAYS_SOMETHING else ""
            output.line(each.sentence, mark=f"  {name:<8} ", style=style)
            output.line(each.slug, indent=11, style="dim")
            for line in why(fact.reason)[:1] if fact and not holds else ():
                output.line(line, indent=11)
        self._tell_keys()
