"""Let the facts judge mutants of a component, in copies of its folder; these runs never count.

It reads the learner's files and never writes them. The records of these runs are deleted
with the copies.
"""

from __future__ import annotations

import contextlib
import io
import queue
import re
import shutil
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from kafkalab import judging
from kafkalab.curriculum import Curriculum, Statement
from kafkalab.judging import Judgement, NoVerdict
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.verdicts import TIMEOUT_TEXT, TOO_LATE, Verdict
from kafkalab.mutants import Mutant, mutants_of, parsed, reaching
from kafkalab.own_code import files_of
from kafkalab.warm import WarmBroker

# A mutant that hangs runs into a limit: at least so many seconds, and so many times the time that
# the slowest fact took with the original code. The contracts' own limits are 30 s: a component
# that gives up after such a limit must not meet this one first.
LEAST_LIMIT, TIMES_SLOWEST = 40.0, 8

MET_A_LIMIT = re.compile(rf"(\S+\.py:\d+: )?({re.escape(TOO_LATE)}|{re.escape(TIMEOUT_TEXT)})")


class Unreadable(Exception):
    """A file is not valid Python; the text is one line."""


class NoCopy(Exception):
    """A component's folder cannot be copied; the text is one line."""


class Place(NamedTuple):
    """A mutant and the file that contains it."""

    file: Path
    """relative to the component's folder"""
    mutant: Mutant


class Fate(StrEnum):
    """The result of the facts for a mutant."""

    CAUGHT = "caught"
    CAUGHT_BY_A_LIMIT = "caught by a limit"
    """it hung, or took far longer than the original code"""
    NOT_CAUGHT = "not caught"
    """each fact holds: the mutant is equivalent, or the facts have a gap"""
    NOT_TOLD = "not told"
    """the fact that ran has no verdict on it"""


class Told(NamedTuple):
    """The fate of a mutant, with the fact that decided it."""

    fate: Fate
    slug: str
    """the slug of that fact; empty if each fact holds, or none ran"""
    reason: str


@dataclass(frozen=True)
class Component:
    """A learner's component, without changes."""

    folder: Path
    name: str
    files: Mapping[Path, str]
    """the text of its own files and of those that it imports, by the path from the folder"""
    encodings: Mapping[Path, str]

    @classmethod
    def read(cls, folder: Path, name: str) -> Component:
        """Read a component.

        Raises:
            Unreadable: one of its files is not valid Python.
            OSError: one of its files cannot be read.
        """
        files, encodings = {}, {}
        for path, code in files_of(folder, name).items():
            file = path.relative_to(folder)
            try:
                encodings[file], _ = tokenize.detect_encoding(io.BytesIO(code).readline)
                files[file] = code.decode(encodings[file])
                parsed(files[file])
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                line = getattr(error, "lineno", None)
                at, what = f":{line}" if line else "", getattr(error, "msg", None) or str(error)
                raise Unreadable(f"{file.as_posix()}{at}: {type(error).__name__}: {what}") from None
        return cls(folder, name, files, encodings)

    def mutants(self) -> list[Place]:
        """All mutants: first those of its own file; in each file sorted by line.

        Raises:
            Unreadable: a file is too deeply nested.
        """
        found: list[Place] = []
        for file, text in self.files.items():
            try:
                found += [Place(file, each) for each in mutants_of(text)]
            except (RecursionError, MemoryError):
                told = "its code is nested too deeply to be changed: split the expression"
                raise Unreadable(f"{file.as_posix()}: {told}") from None
        return found


class Copy:
    """A copy of a component's folder, in which a file can be changed for a while."""

    def __init__(self, component: Component, home: Path) -> None:
        """Copy the component's files; make links to everything else in the folder.

        Args:
            component: the component to copy.
            home: the folder to make for this copy.

        Raises:
            NoCopy: the copy cannot be written.
        """
        self.folder, self.reports = home / "own", home / "reports"
        self._component = component
        with _told_as_no_copy():
            home.mkdir()
            self._mirror(component.folder, self.folder)

    def _mirror(self, source: Path, target: Path) -> None:
        target.mkdir()
        for each in source.iterdir():
            place = each.relative_to(self._component.folder)
            if place in self._component.files:
                # The text that was read: the learner may have edited the file since.
                self._write(place, self._component.files[place])
            elif any(file.is_relative_to(place) for file in self._component.files):
                self._mirror(each, target / each.name)
            else:
                (target / each.name).symlink_to(each)

    @contextlib.contextmanager
    def mutated(self, place: Place) -> Iterator[None]:
        """Put the mutant into the copy for the block; afterwards delete its reports.

        Raises:
            NoCopy: the copy cannot be written.
        """
        self._write(place.file, place.mutant.text)
        try:
            yield
        finally:
            self._write(place.file, self._component.files[place.file])
            shutil.rmtree(self.reports, ignore_errors=True)

    def _write(self, file: Path, text: str) -> None:
        encoded = text.encode(self._component.encodings[file])
        with _told_as_no_copy():
            (self.folder / file).write_bytes(encoded)


@contextlib.contextmanager
def _told_as_no_copy() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoCopy(
            f"your folder cannot be copied: {error.filename}: {error.strerror}: "
            "check that there is room, or name another place in TMPDIR"
        ) from error


class Trial:
    """Facts that judge the mutants of a component on one broker, several mutants at a time.

    The caller must call `end` in every case.
    """

    def __init__(
        self,
        warm: WarmBroker,
        taught: Curriculum,
        facts: Sequence[Statement],
        component: Component,
        told_as: Sequence[str],
        home: Path,
        beside: int,
    ) -> None:
        """Make one copy of the component for each mutant that is judged at the same time.

        Args:
            warm: the broker.
            taught: the curriculum of the facts.
            facts: the facts that judge the component.
            component: the learner's component; it is only read.
            told_as: the command that the learner called.
            home: an empty folder, for copies and reports.
            beside: how many mutants are judged at a time.

        Raises:
            NoCopy: a copy cannot be made.
        """
        self._warm = warm
        self._taught = taught
        self._facts = facts
        self._component = component
        self._told_as = told_as
        self._called = {
            each.slug: set(judging.names_called(taught, each, component.name)) for each in facts
        }
        self._slowest = 0.0
        self._copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(beside):
            self._copies.put(Copy(component, home.resolve() / str(number)))
        self._threads = ThreadPoolExecutor(beside)

    def as_it_is(self) -> Judgement:
        """The facts' judgement of the original code, in a copy, as for mutants. Call it first.

        Raises:
            NoVerdict: pytest left no record.
        """
        copy = self._copies.get()
        judgement = self._judge(copy, self._facts)
        self._copies.put(copy)
        self._slowest = max((fact.seconds for fact in judgement.facts), default=0.0)
        return judgement

    def run(self, places: Sequence[Place]) -> Iterator[tuple[Place, Told]]:
        """Judge each mutant; yield the results in the order of the mutants, as soon as known.

        Raises:
            BrokerError: the broker has died.
            NoCopy: a copy cannot be written.
        """
        waiting = [
            self._threads.submit(self._try, place, self._in_order(place)) for place in places
        ]
        for place, future in zip(places, waiting, strict=True):
            told = future.result()
            if told.fate is Fate.NOT_TOLD:
                self._warm.check_alive()
            yield place, told

    def end(self) -> None:
        """End the runs that still go on, and start no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._warm.end_runs()
        self._threads.shutdown()

    def _try(self, place: Place, facts: Sequence[Statement]) -> Told:
        limit = max(LEAST_LIMIT, TIMES_SLOWEST * self._slowest)
        copy = self._copies.get()
        try:
            with copy.mutated(place):
                return fate_of(self._judge(copy, facts, "--exitfirst", limit=limit))
        except NoVerdict as error:
            return Told(Fate.NOT_TOLD, "", str(error))
        finally:
            self._copies.put(copy)

    def _in_order(self, place: Place) -> list[Statement]:
        """The facts, in a fixed order: first those that call the code with the mistake, and
        little else.
        """
        through = reaching(self._component.files.values(), place.mutant.within)

        def rank(fact: Statement) -> tuple[bool, int]:
            called = self._called[fact.slug]
            return not called & through, len(called - through)

        return sorted(self._facts, key=rank)

    def _judge(
        self, copy: Copy, facts: Sequence[Statement], *options: str, limit: float = 0.0
    ) -> Judgement:
        more = [
            f"--kafkalab-solutions={copy.folder}",
            f"--kafkalab-reports={copy.reports}",
            # A file that the environment names is only for runs that count.
            f"--kafkalab-concept-summary={copy.reports / 'summary.md'}",
            *options,
        ]
        return judging.judge(
            self._warm, self._taught, facts, copy.reports, self._told_as, more=more, limit=limit
        )


def fate_of(judgement: Judgement) -> Told:
    """The fate of a mutant by its run, which ended at the first fact that does not hold."""
    broken = [each for each in judgement.facts if each.verdict not in _HOLDS]
    if not broken:
        return Told(Fate.NOT_CAUGHT, "", "")
    fact = min(broken, key=lambda each: each.verdict is not Verdict.REFUTED)
    return Told(_fate(fact), fact.slug, fact.reason)


_HOLDS = (Verdict.DEMONSTRATED, Verdict.NOT_RUN)


def _fate(fact: FactRecord) -> Fate:
    if MET_A_LIMIT.match(fact.reason):
        return Fate.CAUGHT_BY_A_LIMIT
    return Fate.CAUGHT if fact.verdict is Verdict.REFUTED else Fate.NOT_TOLD
