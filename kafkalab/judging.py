"""Has facts run on a broker that is warm, and reads what they said: of Kafka, or of own code."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kafkalab.collection import is_of_project
from kafkalab.curriculum import Curriculum, Statement, Task
from kafkalab.curriculum.source import Piece, source_of_test
from kafkalab.curriculum.stub import asked_names
from kafkalab.learning_log.proofs import SAYS_SOMETHING
from kafkalab.learning_log.record import FactRecord, TestRecord, is_about_component
from kafkalab.learning_log.stored import read_run, read_tests
from kafkalab.learning_log.verdicts import SEVERITY, Verdict
from kafkalab.own_code import file_of
from kafkalab.warm import END_LIMIT, LISTEN_FOR, WarmBroker

# How the reason begins of what came out of the learner's code.
PLACE = re.compile(r"(?P<file>[^\s:][^:\n]*\.py):(?P<line>\d+): ")


class NoVerdict(Exception):
    """A run of pytest came to no end that could be read; the text is one line."""


class Place(NamedTuple):
    """A line of the learner's."""

    file: Path
    line: int
    """from 1"""


@dataclass(frozen=True)
class Judgement:
    """What the facts said of a component, in the curriculum's order."""

    facts: tuple[FactRecord, ...]
    tests: tuple[TestRecord, ...]
    printed: Mapping[str, str]
    """what was printed while a fact ran, by its slug; of those that ran to an end"""

    @property
    def told(self) -> tuple[FactRecord, ...]:
        """Those that said something; the others were skipped, or met trouble that is not its."""
        return tuple(fact for fact in self.facts if fact.verdict in SAYS_SOMETHING)

    @property
    def failed(self) -> tuple[FactRecord, ...]:
        """Those that do not hold."""
        return tuple(fact for fact in self.told if fact.verdict is not Verdict.DEMONSTRATED)

    @property
    def untold(self) -> tuple[FactRecord, ...]:
        """Those that nothing can be said of, though they ran."""
        left = (Verdict.NOT_RUN, *SAYS_SOMETHING)
        return tuple(fact for fact in self.facts if fact.verdict not in left)

    def evidence_of(self, fact: FactRecord) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What the case of a fact's test observed that counts, by the name of the case."""
        tests = [test for test in self.tests if test.slug == fact.slug and test.role == "fact"]
        worst = min(tests, key=lambda test: SEVERITY.index(test.outcome), default=None)
        if worst is None or not worst.evidence:
            return {}
        return {worst.nodeid.partition("[")[2].removesuffix("]"): worst.evidence}


def component_facts(taught: Curriculum, task: Task) -> list[Statement]:
    """The facts of a task that judge its component, in the curriculum's order."""
    stated = (taught.stated_facts.get(slug) for slug in task.facts)
    return [each for each in stated if each is not None and is_about_component(each.scope)]


class Running(NamedTuple):
    """A test of a fact that runs now."""

    slug: str
    since: float
    """on the monotonic clock"""
    limit: float
    """seconds, after which it is ended"""


class Judging:
    """Facts that a pytest on a warm broker runs, from its start to its end."""

    def __init__(
        self,
        warm: WarmBroker,
        taught: Curriculum,
        facts: Sequence[Statement],
        reports: Path,
        told_as: Sequence[str],
        *,
        lanes: int = 1,
        more: Sequence[str] = (),
        limit: float = 0.0,
    ) -> None:
        """Start the pytest, which makes itself ready.

        Args:
            warm: the broker; its settings say whose component they judge.
            taught: whose facts they are.
            facts: of one task, in the order in which they are to run; controls may be among them.
            reports: the folder of the records.
            told_as: the command that the learner called.
            lanes: how many facts run beside each other.
            more: options of pytest; where they contradict the broker's settings, they count.
            limit: seconds that a fact may take; 0: the usual limit.
        """
        self.facts = tuple(facts)
        self.told: dict[str, FactRecord] = {}
        """what was said of facts so far, by slug"""
        self._tests: list[TestRecord] = []
        self._printed: dict[str, str] = {}
        self._running: dict[str, Running] = {}
        self._runs = reports / "runs"
        module = taught.folder / f"{facts[0].module}.py"
        options = ["-m", "slow or not slow"] if any(each.is_slow for each in facts) else []
        if lanes > 1:
            # One at a time: the first of all are to be the first to run.
            options += ["-n", str(lanes), "--dist=load", "--maxschedchunk=1"]
        if not is_of_project(module, Path.cwd()):
            # The project around an installed package is somebody else's.
            options.append("--noconftest")
        tests = [f"{taught.folder / each.module}.py::{each.function}" for each in facts]
        self.pytest = warm.made_ready(*options, *more, *tests, told_as=told_as, limit=limit)

    @property
    def running(self) -> tuple[Running, ...]:
        """The tests that run now, the one that has run longest first."""
        return tuple(self._running.values())

    @property
    def is_over(self) -> bool:
        """Whether pytest has ended."""
        return self.pytest.is_over

    @property
    def has_told_all(self) -> bool:
        """Whether each fact has its verdict; the record may be yet to come."""
        return self.told.keys() >= {each.slug for each in self.facts}

    def listen(self, limit: float) -> list[FactRecord]:
        """The facts whose verdicts came since this was called last.

        Args:
            limit: seconds to wait for anything.
        """
        fresh = []
        for said in self.pytest.said(limit):
            if begun := said.get("begins"):
                self._running[begun] = Running(said["slug"], time.monotonic(), said["limit"])
            elif ended := said.get("ends"):
                self._running.pop(ended, None)
            else:
                fact = msgspec.convert(said["fact"], FactRecord)
                self.told[fact.slug] = fact
                self._tests += msgspec.convert(said["tests"], list[TestRecord])
                self._printed[fact.slug] = said["printed"]
                fresh.append(fact)
        return fresh

    def so_far(self) -> Judgement:
        """What was said until now, in the order in which they ran."""
        slugs = dict.fromkeys(each.slug for each in self.facts if each.slug in self.told)
        facts = tuple(self.told[slug] for slug in slugs)
        return Judgement(facts, tuple(self._tests), self._printed)

    def judgement(self) -> Judgement:
        """What the record says, once it is over.

        Raises:
            NoVerdict: pytest left no record that is complete and has any of them.
        """
        ended = self.pytest.ended()
        for path in self._runs.glob(f"*-{ended.id[:6]}.json"):
            try:
                run = read_run(path)
            except (OSError, ValueError):
                continue
            if run.run == ended.id and run.completed and run.facts:
                return Judgement(run.facts, read_tests(self._runs, run), self._printed)
        last = [line.strip() for line in ended.output.splitlines() if line.strip()][-1:]
        raise NoVerdict(f"pytest ended with {ended.exit_code}, and left no record: {''.join(last)}")

    def end(self) -> None:
        """End it, if it is not over; nothing is left of it.

        One that has told all is about to write its record, and has the time to.
        """
        if self.has_told_all:
            self.pytest.wait(END_LIMIT)
        self.pytest.end()


def judge(
    warm: WarmBroker,
    taught: Curriculum,
    facts: Sequence[Statement],
    reports: Path,
    told_as: Sequence[str],
    look: Callable[[Judging], None] = lambda _: None,
    *,
    more: Sequence[str] = (),
    limit: float = 0.0,
) -> Judgement:
    """Run facts on a broker that is warm, one after the other.

    Args:
        warm: as for `Judging`, and so the next four.
        taught: as there.
        facts: as there.
        reports: as there.
        told_as: as there.
        look: called again and again with what goes on.
        more: as for `Judging`.
        limit: as there.

    Raises:
        NoVerdict: pytest left no record that is complete and has any of them.
        KeyboardInterrupt: pytest has ended by then.
    """
    judging = Judging(warm, taught, facts, reports, told_as, more=more, limit=limit)
    try:
        judging.pytest.go()
        while not judging.is_over:
            judging.listen(LISTEN_FOR)
            look(judging)
        return judging.judgement()
    finally:
        judging.end()


def place_of(reason: str, folder: Path) -> Place | None:
    """The learner's line that a reason names first; None where it names none."""
    found = PLACE.match(reason)
    if found is None or not (folder / found["file"]).is_file():
        return None
    return Place(folder / found["file"], int(found["line"]))


def called_by(
    taught: Curriculum, stated: Statement, component: str, folder: Path
) -> tuple[Place, ...]:
    """Where the learner defines what a fact calls of a component, in the order of the calls."""
    names = names_called(taught, stated, component)
    defined = dict(_defined(file_of(folder, component)))
    return tuple(defined[name] for name in names if name in defined)


def names_called(taught: Curriculum, stated: Statement, component: str) -> list[str]:
    """What a fact calls of a component, in the order of the calls."""
    asked = asked_names(component)
    source = source_of_test(taught, stated)
    return _named(source.tests, asked) or _named(source.helpers, asked)


def _named(pieces: Sequence[Piece], asked: Sequence[str]) -> list[str]:
    """Those of the names that code has as attributes, or as texts, in their order there."""
    found: dict[str, tuple[int, int]] = {}
    for at, piece in enumerate(pieces):
        for node in ast.walk(ast.parse(piece.text)):
            name = getattr(node, "attr", None) or getattr(node, "value", None)
            if isinstance(name, str) and name in asked:
                found.setdefault(name, (at, getattr(node, "lineno", 0)))
    return sorted(found, key=found.__getitem__)


def _defined(file: Path) -> Iterator[tuple[str, Place]]:
    """The names that a file binds on its own level, with their lines; none of a broken file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, Place(file, node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, Place(file, node.lineno)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, Place(file, node.lineno)
