"""The course: modules, tasks and facts, from a typed manifest and the text of the tests.

The manifest (TOML) has the order, the questions and the hints. The sentences are written
only in the tests' docstrings; `statements` reads them from the syntax trees, without
importing a test.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.curriculum.errors import BadManifest as BadManifest
from kafkalab.curriculum.hints import Hints, problems_of, read_hints
from kafkalab.curriculum.interview import (
    InterviewQuestion,
    problems_of_questions,
    read_interview,
)
from kafkalab.curriculum.predictions import Prediction, read_predictions
from kafkalab.curriculum.statements import Statement as Statement
from kafkalab.curriculum.statements import kept_beside, statements_in

TASK_NAME = re.compile(r"task_\d+_\d+")

WHAT_A_TEST_DOES = ("test ", "tests ", "check ", "checks ", "verify ", "verifies ")


@dataclass(frozen=True)
class FactNote:
    """The manifest's entry for one fact; the fact's sentence is in its test."""

    slug: str
    hints: tuple[str, ...]
    """from a nudge to nearly the code; the manifest has one, and a file of hints may have more"""
    no_control: str = ""
    """why there can be no control; empty if there is one"""

    @property
    def hint(self) -> str:
        """The first hint; empty if there is none."""
        return next(iter(self.hints), "")


@dataclass(frozen=True)
class Concept:
    """Something to understand in a task, and the facts about it."""

    title: str
    """it is shown before the predictions, so it gives no answer away"""
    facts: tuple[str, ...]
    """their slugs"""


@dataclass(frozen=True)
class Part:
    """A part of a task: successive facts in its tests."""

    title: str
    """it is shown before the predictions, so it gives no answer away"""
    begins: str
    """the slug of its first fact; the part ends where the next one begins"""


@dataclass(frozen=True)
class Word:
    """A term that a task uses from its first fact on, with its meaning."""

    term: str
    meaning: str
    """a sentence; it is shown before the predictions, so it gives no answer away"""


@dataclass(frozen=True)
class Task:
    """One task of a module: its test modules, and one component."""

    id: str
    """as in `1.1`"""
    title: str
    question: str
    module: str
    """the name of its first test module, without `.py`"""
    component: str
    """the component's file name, without `.py`: in contracts/, tasks/ and a learner's folder"""
    facts: Mapping[str, FactNote]
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    """the questions before a fact runs, by slug; for all Kafka facts of a task, or none"""
    minutes: int | None = None
    """an estimate for a learner: to predict, run and explain the facts, and write the component"""
    objectives: tuple[str, ...] = ()
    """what the learner can do afterwards, a sentence each"""
    builds: tuple[str, ...] = ()
    """what the learner writes, a sentence each"""
    concepts: tuple[Concept, ...] = ()
    """each fact of the task belongs to exactly one, or there are none"""
    hinted: tuple[str, ...] = ()
    """the slugs in its file of hints"""
    words: tuple[Word, ...] = ()
    """terms that are explained before the first fact; there may be none"""
    siblings: tuple[str, ...] = ()
    """its other test modules, in reading order"""
    parts: tuple[Part, ...] = ()
    """in the order of the tests; there may be none"""
    interview: tuple[InterviewQuestion, ...] = ()
    """questions of a job interview, in the order in which they are asked; there may be none"""

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of its test modules, without `.py`, in reading order."""
        return self.module, *self.siblings

    @cached_property
    def facts_by_part(self) -> Mapping[str, tuple[str, ...]]:
        """The slugs of each part, by its title; without parts, all under the task's title."""
        titles = {part.begins: part.title for part in self.parts}
        found: dict[str, tuple[str, ...]] = {}
        title = self.title
        for slug in self.facts:
            title = titles.get(slug, title)
            found[title] = (*found.get(title, ()), slug)
        return found

    def part_of(self, slug: str) -> str:
        """The title of a fact's part; the task's own title if it has no parts."""
        return next(title for title, slugs in self.facts_by_part.items() if slug in slugs)


@dataclass(frozen=True)
class Curriculum:
    """One module of the course: its manifest, and the folder of its tests."""

    id: str
    title: str
    beside: Path | Traversable
    """the folder of its manifest"""
    folder: Path
    """the folder of its tests"""
    tasks: tuple[Task, ...]

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The names of all test modules, without `.py`."""
        return tuple(module for task in self.tasks for module in task.modules)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """All facts and controls, in the order of the tests."""
        kept = kept_beside(self.beside)
        found: list[Statement] = []
        for task in self.tasks:
            paths = (self.folder / f"{module}.py" for module in task.modules)
            for path in filter(Path.exists, paths):
                found += statements_in(path, task.id, kept)
        return tuple(found)

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], Statement]:
        return {(each.module, each.function): each for each in self.statements}

    @cached_property
    def stated_facts(self) -> Mapping[str, Statement]:
        """The facts by slug."""
        return {each.slug: each for each in reversed(self.statements) if each.role == "fact"}

    def is_task_module(self, path: Path) -> bool:
        """Whether a file is the test module of one of the tasks."""
        return path.parent == self.folder and path.stem in self.modules

    def modules_meant(self, word: str) -> frozenset[str] | None:
        """The modules that a word of `-k` can match; None if that is not clear.

        It is clear for a task, as in task_1_3, and for a fact's slug, with underscores or hyphens.
        """
        if TASK_NAME.fullmatch(word):
            return frozenset(module for module in self.modules if word in module)
        slug = word.replace("_", "-")
        # The manifest knows the slugs: for any other word no test need be read.
        if not any(slug in task.facts for task in self.tasks):
            return None
        name = word.replace("-", "_")
        return frozenset(
            each.module
            for each in self.statements
            if slug in each.slug or name in each.function or name in each.module
        )

    def statement_at(self, module: str, function: str) -> Statement | None:
        """The statement of a test function; None if it states none."""
        return self._by_place.get((module, function))

    def statement_of(self, nodeid: str) -> Statement | None:
        """The statement of a test by its node id: `folder/module.py::function[parameters]`.

        A copy of a module in another folder states nothing.
        """
        path, _, rest = nodeid.partition("::")
        if Path(path).parent.name not in ("", self.folder.name):
            return None
        return self.statement_at(Path(path).stem, rest.split("[")[0].split("::")[-1])

    def task(self, task_id: str) -> Task:
        """The task of that id."""
        return next(task for task in self.tasks if task.id == task_id)

    def problems(self) -> list[str]:
        """What is wrong with the curriculum, a line each; empty if nothing is."""
        return list(_problems(self))


def load(manifest: Path | None = None) -> Curriculum:
    """Read a manifest; without a path, that of Module A.

    Raises:
        BadManifest: it cannot be read, is not TOML, or lacks something.
    """
    folder = manifest.parent if manifest else resources.files(__package__)
    source = manifest or folder / "module_a.toml"
    try:
        data = tomllib.loads(source.read_text("utf-8"))
        return _curriculum(data, manifest, folder)
    except OSError as error:
        raise BadManifest(f"{source}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ImportError) as error:
        raise BadManifest(f"{source}: {error}") from error
    except KeyError as error:
        raise BadManifest(f"{source}: {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise BadManifest(f"{source}: it has not the shape of a manifest ({error})") from error


def _curriculum(
    data: Mapping[str, Any], manifest: Path | None, folder: Path | Traversable
) -> Curriculum:
    module = data["module"]
    return Curriculum(
        id=module["id"],
        title=module["title"],
        beside=folder,
        folder=_folder_of(module["package"], manifest),
        tasks=tuple(_task(task, folder) for task in data["task"]),
    )


def _folder_of(package: str, manifest: Path | None) -> Path:
    beside = manifest.parent / package if manifest else None
    if beside is not None and beside.is_dir():
        return beside.resolve()
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"there is no package {package} beside the manifest or installed")
    return Path(found.submodule_search_locations[0]).resolve()


def _task(data: Mapping[str, Any], folder: Path | Traversable) -> Task:
    hints = read_hints(folder, data["id"])
    facts = {
        slug: FactNote(slug, _hints(slug, note, hints), note.get("no_control", ""))
        for slug, note in data["facts"].items()
    }
    return Task(
        data["id"],
        data["title"],
        data["question"],
        data["module"],
        data["component"],
        facts,
        read_predictions(folder, data["id"]),
        minutes=_minutes(data),
        objectives=_texts(data, "objectives"),
        builds=_texts(data, "builds"),
        concepts=tuple(_concept(each) for each in data.get("concepts", ())),
        hinted=tuple(hints),
        words=tuple(_word(each) for each in data.get("words", ())),
        siblings=_texts(data, "siblings"),
        parts=tuple(_part(each) for each in data.get("parts", ())),
        interview=read_interview(folder, data["id"]),
    )


def _hints(slug: str, note: Mapping[str, Any], hints: Mapping[str, Hints]) -> Hints:
    """A fact's hints: the manifest's comes first, then those of the file of hints."""
    first = (note["hint"],) if note.get("hint") else ()
    return (*first, *hints.get(slug, ()))


def _concept(data: Mapping[str, Any]) -> Concept:
    title = data["title"]
    if not isinstance(title, str):
        raise TypeError(f"a concept's title is no text: {title!r}")
    return Concept(title, _texts(data, "facts"))


def _part(data: Mapping[str, Any]) -> Part:
    for name in ("title", "begins"):
        if not isinstance(data[name], str):
            raise TypeError(f"a part's {name} is no text: {data[name]!r}")
    return Part(data["title"], data["begins"])


def _word(data: Mapping[str, Any]) -> Word:
    for name in ("term", "meaning"):
        if not isinstance(data[name], str):
            raise TypeError(f"a word's {name} is no text: {data[name]!r}")
    return Word(data["term"], data["meaning"])


def _minutes(data: Mapping[str, Any]) -> int | None:
    minutes = data.get("minutes")
    if minutes is not None and type(minutes) is not int:
        raise TypeError(f"minutes is no whole number: {minutes!r}")
    return minutes


def _texts(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = data.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise TypeError(f"{name} is no list of texts: {texts!r}")
    return tuple(texts)


def _problems(curriculum: Curriculum) -> Iterator[str]:
    owners = {slug: task.id for task in curriculum.tasks for slug in task.facts}
    for task in curriculum.tasks:
        for module in task.modules:
            if not (curriculum.folder / f"{module}.py").exists():
                yield f"task {task.id}: {module}.py does not exist"
        for slug in task.facts:
            if owners[slug] != task.id:
                yield f"{slug}: belongs to two tasks, {task.id} and {owners[slug]}"
    for statement in curriculum.statements:
        yield from _problems_of(statement, owners)
    yield from _repeated(curriculum.statements)
    stated = {(each.slug, each.role) for each in curriculum.statements}
    for task in curriculum.tasks:
        for slug, note in task.facts.items():
            if (slug, "fact") not in stated:
                yield f"{slug}: no test states it"
            if (slug, "control") not in stated and not note.no_control:
                yield f"{slug}: no control makes it false, and the manifest gives no reason"
            if (slug, "control") in stated and note.no_control:
                yield f"{slug}: has a control, and a reason why there is none"
            if not note.hint:
                yield f"{slug}: has no hint"
        yield from _problems_of_hints(task, curriculum.stated_facts)
        yield from _problems_of_predictions(task, curriculum.stated_facts)
        yield from (f"task {task.id}: {problem}" for problem in _problems_of_purpose(task))
        yield from _problems_of_concepts(task)
        yield from _problems_of_parts(task)
        yield from (f"task {task.id}: {problem}" for problem in _problems_of_words(task.words))
    questions = [question for task in curriculum.tasks for question in task.interview]
    yield from problems_of_questions(questions, owners)


def _problems_of_predictions(task: Task, stated: Mapping[str, Statement]) -> Iterator[str]:
    for slug, prediction in task.predictions.items():
        if slug not in task.facts:
            yield f"task {task.id}: a prediction is of '{slug}', which is no fact of it"
        yield from (f"{slug}: {problem}" for problem in prediction.problems())
    if task.predictions:
        for slug in task.facts:
            is_kafkas = slug in stated and not stated[slug].scope.startswith("the component")
            if is_kafkas and slug not in task.predictions:
                yield f"{slug}: has no prediction"


def _problems_of_hints(task: Task, stated: Mapping[str, Statement]) -> Iterator[str]:
    for slug in task.hinted:
        if slug not in task.facts:
            yield f"task {task.id}: hints are of '{slug}', which is no fact of it"
        else:
            yield from (f"{slug}: {each}" for each in problems_of(task.facts[slug].hints))
    if task.hinted:
        for slug in task.facts:
            is_own = slug in stated and stated[slug].scope.startswith("the component")
            if is_own and slug not in task.hinted:
                yield f"{slug}: has no hints beside those of its neighbours"


def _problems_of_purpose(task: Task) -> Iterator[str]:
    if task.minutes is not None and task.minutes <= 0:
        yield f"it takes {task.minutes} minutes, which is no time"
    for name, sentences in (("objectives", task.objectives), ("builds", task.builds)):
        if not all(sentence.strip() for sentence in sentences):
            yield f"one of its {name} is empty"


def _problems_of_concepts(task: Task) -> Iterator[str]:
    for concept in task.concepts:
        if not concept.title.strip():
            yield f"task {task.id}: a concept has no title"
        if not concept.facts:
            yield f"task {task.id}: the concept '{concept.title}' has no fact"
        for slug in concept.facts:
            if slug not in task.facts:
                yield f"task {task.id}: '{concept.title}' is of '{slug}', which is no fact of it"
    if task.concepts:
        counts = Counter(slug for concept in task.concepts for slug in concept.facts)
        for slug in task.facts:
            if counts[slug] != 1:
                yield f"{slug}: is in {counts[slug]} concepts, and not in one"


def _problems_of_parts(task: Task) -> Iterator[str]:
    """Each part begins at a fact of the task, and the parts are in the order of the facts."""
    order = {slug: at for at, slug in enumerate(task.facts)}
    before = -1
    for part in task.parts:
        if not part.title.strip():
            yield f"task {task.id}: a part has no title"
        if part.begins not in order:
            named = f"'{part.title}' begins at '{part.begins}'"
            yield f"task {task.id}: {named}, which is no fact of it"
            continue
        if order[part.begins] <= before:
            yield f"task {task.id}: '{part.title}' begins before the part above it"
        before = order[part.begins]
    if task.parts and order.get(task.parts[0].begins):
        yield f"task {task.id}: its first fact is in no part"


def _problems_of_words(words: Sequence[Word]) -> Iterator[str]:
    counts = Counter(word.term for word in words)
    for term, count in counts.items():
        if not term.strip():
            yield "a word has no term"
        elif count > 1:
            yield f"the word '{term}' is explained {count} times"
    for word in words:
        if not word.meaning.endswith(".") or ". " in word.meaning:
            yield f"the meaning of '{word.term}' is not one sentence that ends in a full stop"


def _repeated(statements: Sequence[Statement]) -> Iterator[str]:
    """A fact has one sentence, a function one statement, and a name one function."""
    facts: dict[tuple[str, str], Statement] = {}
    functions: dict[tuple[str, str], Statement] = {}
    for statement in statements:
        place = f"{statement.module}.py:{statement.line}"
        same_function = functions.setdefault((statement.module, statement.function), statement)
        if same_function is not statement:
            yield f"{place}: {statement.function} is there twice, or states two things"
        if statement.role == "fact":
            first = facts.setdefault((statement.module, statement.slug), statement)
            if first is not statement and same_function is statement:
                yield f"{place}: {statement.slug} is stated already, in line {first.line}"


def _problems_of(statement: Statement, owners: Mapping[str, str]) -> Iterator[str]:
    place = f"{statement.module}.py:{statement.line}"
    if statement.slug not in owners:
        yield f"{place}: the manifest does not know '{statement.slug}'"
    elif owners[statement.slug] != statement.task:
        yield f"{place}: {statement.slug} belongs to task {owners[statement.slug]}"
    sentence = statement.sentence
    if not sentence.endswith("."):
        yield f"{place}: the docstring's first line is not a sentence that ends in a full stop"
    if sentence.lower().startswith(WHAT_A_TEST_DOES):
        yield f"{place}: the first line says what the test does, not what is true"
    if statement.role == "control" and not statement.changes:
        yield f"{place}: a control names the one factor that it changes"
    if statement.role == "fact" and not statement.scope:
        yield f"{place}: a fact names its scope"
    for need in statement.needs:
        if need not in CAPABILITIES:
            yield f"{place}: no broker has '{need}': there are {', '.join(CAPABILITIES)}"
    try:
        SpecifierSet(statement.versions)
    except InvalidSpecifier:
        yield f"{place}: versions='{statement.versions}' is not of the form '>=4.1' or '>=4.0,<4.3'"
