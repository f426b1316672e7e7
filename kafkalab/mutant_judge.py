"""Has the facts judge mutants of a component, in copies of its folder; none of it counts.

The learner's files are read, and never written. What the runs of pytest write down goes with
the copies.
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

# A mutant that hangs is met by a limit: seconds at least, and so many times what the slowest fact
# took of the code as it is. The contracts' own limits are 30 s: who gives up by one of these is
# not to be met before.
LEAST_LIMIT, TIMES_SLOWEST = 40.0, 8

MET_A_LIMIT = re.compile(rf"(\S+\.py:\d+: )?({re.escape(TOO_LATE)}|{re.escape(TIMEOUT_TEXT)})")


class Unreadable(Exception):
    """A file is no Python; the text is one line."""


class NoCopy(Exception):
    """A component's folder cannot be copied; the text is one line."""


class Place(NamedTuple):
    """A mutant, and in which file it is."""

    file: Path
    """from the component's folder"""
    mutant: Mutant


class Fate(StrEnum):
    """What the facts say of a mutant."""

    CAUGHT = "caught"
    CAUGHT_BY_A_LIMIT = "caught by a limit"
    """it hung, or took far longer than the code does as it is"""
    NOT_CAUGHT = "not caught"
    """each fact holds: it is equivalent, or a gap"""
    NOT_TOLD = "not told"
    """the fact that ran could say nothing of it"""


class Told(NamedTuple):
    """What became of a mutant."""

    fate: Fate
    slug: str
    """of the fact that says so; empty where each holds, or none ran"""
    reason: str


@dataclass(frozen=True)
class Component:
    """A learner's component, as it is."""

    folder: Path
    name: str
    files: Mapping[Path, str]
    """the text of each file, by its path from the folder: its own, and those that it imports"""
    encodings: Mapping[Path, str]

    @classmethod
    def read(cls, folder: Path, name: str) -> Component:
        """Read a component.

        Raises:
            Unreadable: a file of it cannot be read as Python.
            OSError: a file of it cannot be read.
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
        """All mutants: of its own file first, and in each file by line.

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
    """A component's folder once more, whose code may be another for a while."""

    def __init__(self, component: Component, home: Path) -> None:
        """Copy the component's files; what else lies beside them is linked to.

        Args:
            component: whose.
            home: a folder, for this copy alone; it is made.

        Raises:
            NoCopy: it cannot be written.
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
                # As it was read: it may have been edited since.
                self._write(place, self._component.files[place])
            elif any(file.is_relative_to(place) for file in self._component.files):
                self._mirror(each, target / each.name)
            else:
                (target / each.name).symlink_to(each)

    @contextlib.contextmanager
    def mutated(self, place: Place) -> Iterator[None]:
        """Have the mistake in it, for the block; what was written down of it goes afterwards.

        Raises:
            NoCopy: it cannot be written.
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
    """Facts that judge the mutants of a component, on one broker, some beside each other.

    Whoever makes one calls `end`, whatever comes of it.
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
        """Make a copy of the component for each that is to run beside others.

        Args:
            warm: the broker.
            taught: whose facts they are.
            facts: those that judge the component.
            component: the learner's, which is read alone.
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
        """What the facts say of the code as it is, in a copy as mutants are; it comes first.

        Raises:
            NoVerdict: pytest left no record.
        """
        copy = self._copies.get()
        judgement = self._judge(copy, self._facts)
        self._copies.put(copy)
        self._slowest = max((fact.seconds for fact in judgement.facts), default=0.0)
        return judgement

    def run(self, places: Sequence[Place]) -> Iterator[tuple[Place, Told]]:
        """Have each mutant judged; yields them in their order, each as soon as it is told.

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
        """End what runs still, and begin nothing more."""
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
        """First those that call what the mistake is in, and little else; each time the same."""
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
            # Where the environment names a file, it is for runs that count.
            f"--kafkalab-concept-summary={copy.reports / 'summary.md'}",
            *options,
        ]
        return judging.judge(
            self._warm, self._taught, facts, copy.reports, self._told_as, more=more, limit=limit
        )


def fate_of(judgement: Judgement) -> Told:
    """What a run says of a mutant that ended at the first fact that does not hold."""
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
