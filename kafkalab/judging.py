"""Run facts on a warm broker, and read their verdicts on Kafka or on the learner's own code."""

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

# A reason begins like this if the failure came from the learner's code.
PLACE = re.compile(r"(?P<file>[^\s:][^:\n]*\.py):(?P<line>\d+): ")


class NoVerdict(Exception):
    """A run of pytest left no record that can be read; the text is one line."""


class Place(NamedTuple):
    """A line of the learner's code."""

    file: Path
    line: int
    """from 1"""


@dataclass(frozen=True)
class Judgement:
    """The verdicts of the facts on a component, in the curriculum's order."""

    facts: tuple[FactRecord, ...]
    tests: tuple[TestRecord, ...]
    printed: Mapping[str, str]
    """what was printed while a fact ran, by its slug; only for facts that ran to the end"""

    @property
    def told(self) -> tuple[FactRecord, ...]:
        """The facts with a real verdict; the others were skipped, or failed for another reason."""
        return tuple(fact for fact in self.facts if fact.verdict in SAYS_SOMETHING)

    @property
    def failed(self) -> tuple[FactRecord, ...]:
        """The facts that do not hold."""
        return tuple(fact for fact in self.told if fact.verdict is not Verdict.DEMONSTRATED)

    @property
    def untold(self) -> tuple[FactRecord, ...]:
        """The facts that ran and have no real verdict."""
        left = (Verdict.NOT_RUN, *SAYS_SOMETHING)
        return tuple(fact for fact in self.facts if fact.verdict not in left)

    def evidence_of(self, fact: FactRecord) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The evidence of the worst case of a fact's test, by the name of the case."""
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
    """A fact's test that runs now."""

    slug: str
    since: float
    """on the monotonic clock"""
    limit: float
    """seconds after which it is stopped"""


class Judging:
    """One run of facts by a pytest on a warm broker, from start to end."""

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
        """Start pytest; it prepares itself and waits.

        Args:
            warm: the broker; its settings name the component to judge.
            taught: the curriculum of the facts.
            facts: facts of one task, in the order in which they run; controls may be among them.
            reports: the folder of the records.
            told_as: the command that the learner called.
            lanes: how many facts run at the same time.
            more: options of pytest; they override the broker's settings.
            limit: seconds that a fact may take; 0: the usual limit.
        """
        self.facts = tuple(facts)
        self.told: dict[str, FactRecord] = {}
        """the facts with a verdict so far, by slug"""
        self._tests: list[TestRecord] = []
        self._printed: dict[str, str] = {}
        self._running: dict[str, Running] = {}
        self._runs = reports / "runs"
        module = taught.folder / f"{facts[0].module}.py"
        options = ["-m", "slow or not slow"] if any(each.is_slow for each in facts) else []
        if lanes > 1:
            # Each worker takes one fact at a time, so that they run in the given order.
            options += ["-n", str(lanes), "--dist=load", "--maxschedchunk=1"]
        if not is_of_project(module, Path.cwd()):
            # The folder around an installed package belongs to another project.
            options.append("--noconftest")
        tests = [f"{taught.folder / each.module}.py::{each.function}" for each in facts]
        self.pytest = warm.made_ready(*options, *more, *tests, told_as=told_as, limit=limit)

    @property
    def running(self) -> tuple[Running, ...]:
        """The tests that run now; the one that began first comes first."""
        return tuple(self._running.values())

    @property
    def is_over(self) -> bool:
        """Whether pytest has ended."""
        return self.pytest.is_over

    @property
    def has_told_all(self) -> bool:
        """Whether each fact has its verdict; the record may not be written yet."""
        return self.told.keys() >= {each.slug for each in self.facts}

    def listen(self, limit: float) -> list[FactRecord]:
        """The facts that got a verdict since the last call.

        Args:
            limit: seconds to wait for a message.
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
        """The verdicts until now, in the order in which the facts run."""
        slugs = dict.fromkeys(each.slug for each in self.facts if each.slug in self.told)
        facts = tuple(self.told[slug] for slug in slugs)
        return Judgement(facts, tuple(self._tests), self._printed)

    def judgement(self) -> Judgement:
        """The judgement from the record of the run, which must be over.

        Raises:
            NoVerdict: pytest left no complete record with any facts.
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
        """End pytest, if it still runs, with all its processes.

        If it has reported all facts, it gets the time to write its record first.
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
    """Run facts on a warm broker, one after the other.

    Args:
        warm: see `Judging`, as for all arguments but `look`.
        taught: see `Judging`.
        facts: see `Judging`.
        reports: see `Judging`.
        told_as: see `Judging`.
        look: called again and again with the run as it goes on.
        more: see `Judging`.
        limit: see `Judging`.

    Raises:
        NoVerdict: pytest left no complete record with any facts.
        KeyboardInterrupt: the user pressed Ctrl-C; pytest has ended by then.
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
    """The line of the learner's code that a reason begins with; None if it begins with none."""
    found = PLACE.match(reason)
    if found is None or not (folder / found["file"]).is_file():
        return None
    return Place(folder / found["file"], int(found["line"]))


def called_by(
    taught: Curriculum, stated: Statement, component: str, folder: Path
) -> tuple[Place, ...]:
    """The places at which the learner defines what a fact calls, in the order of the calls."""
    names = names_called(taught, stated, component)
    defined = dict(_defined(file_of(folder, component)))
    return tuple(defined[name] for name in names if name in defined)


def names_called(taught: Curriculum, stated: Statement, component: str) -> list[str]:
    """The names of a component that a fact calls, in the order of the calls."""
    asked = asked_names(component)
    source = source_of_test(taught, stated)
    return _named(source.tests, asked) or _named(source.helpers, asked)


def _named(pieces: Sequence[Piece], asked: Sequence[str]) -> list[str]:
    """The names that the code uses as attributes or as strings, in their order in the code."""
    found: dict[str, tuple[int, int]] = {}
    for at, piece in enumerate(pieces):
        for node in ast.walk(ast.parse(piece.text)):
            name = getattr(node, "attr", None) or getattr(node, "value", None)
            if isinstance(name, str) and name in asked:
                found.setdefault(name, (at, getattr(node, "lineno", 0)))
    return sorted(found, key=found.__getitem__)


def _defined(file: Path) -> Iterator[tuple[str, Place]]:
    """The names that a file binds at its top level, with their lines; none if it is broken."""
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
