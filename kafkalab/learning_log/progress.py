"""What the learner did, replayed from the acts: predicted, explained, built.

A run that proves facts on this machine changes none of these numbers. Each number is a
function of the acts, of the learner's code as it is now, and of the day.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from kafkalab.curriculum import Curriculum, Task
from kafkalab.learning_log import acts
from kafkalab.learning_log.acts import Act
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.own_code import digest_of

# So long after an answer was opened, it counts as forgotten: the fact can be predicted, and is
# asked again.
WEEK = timedelta(days=7)

LEARNED = frozenset({acts.PREDICTED, acts.EXPLAINED, acts.SEEN})
"""the kinds of acts that show a fact's answer"""

Built = Literal["holds", "fails", "changed", ""]
"""the state of a fact about the component for the learner's code as it is now; `changed` if the
code was edited since it was judged, empty if it never was judged"""


@dataclass(frozen=True)
class Guess:
    """A prediction that counts: it was made before the answer was seen."""

    choice: str
    """what was chosen; empty for "don't know\""""
    is_right: bool
    at: datetime


@dataclass(frozen=True)
class Explanation:
    """A fact in the learner's own words, which the learner found to say the same as ours."""

    sentence: str
    """the newest one"""
    at: datetime
    """when it was explained first"""
    is_due: bool
    """a week has passed, and it was not explained again"""


@dataclass(frozen=True)
class FactProgress:
    """What the learner did with one fact."""

    predicted: Guess | None = None
    explained: Explanation | None = None
    was_seen: bool = False
    """the answer was opened"""
    shown_until: datetime | None = None
    """never predicted, but the answer was seen less than a week ago: a prediction made before
    this time does not count"""
    built: Built = ""

    @property
    def is_open(self) -> bool:
        """Whether its sentence may be shown: the learner has seen or predicted the answer."""
        return self.was_seen or self.predicted is not None or self.explained is not None

    @property
    def can_be_predicted(self) -> bool:
        """Whether a prediction made now would count."""
        return self.predicted is None and self.shown_until is None

    @property
    def is_surprise(self) -> bool:
        """Whether the prediction was not right, and the fact is not explained yet."""
        return self.predicted is not None and not self.predicted.is_right and self.explained is None


@dataclass(frozen=True)
class Count:
    """A count of done things among all, as in `3 of 8`."""

    done: int
    of: int

    def __str__(self) -> str:
        return f"{self.done} of {self.of}"

    @property
    def is_full(self) -> bool:
        return self.done == self.of

    def plus(self, other: Count) -> Count:
        return Count(self.done + other.done, self.of + other.of)


@dataclass(frozen=True)
class Progress:
    """What the learner did in one task or in several."""

    predicted: Count = Count(0, 0)
    explained: Count = Count(0, 0)
    built: Count = Count(0, 0)
    surprises: int = 0
    """predicted, but not right, and not explained yet"""
    due: int = 0
    """explained a week ago or earlier, and due to be explained again"""
    changed: int = 0
    """judged, but the component's file was edited since"""

    @property
    def whole(self) -> Count:
        """All of it in one count."""
        return self.predicted.plus(self.explained).plus(self.built)

    @property
    def percent(self) -> int:
        """Rounded down: 100 means all."""
        whole = self.whole
        return 100 * whole.done // whole.of if whole.of else 0

    def plus(self, other: Progress) -> Progress:
        return Progress(
            self.predicted.plus(other.predicted),
            self.explained.plus(other.explained),
            self.built.plus(other.built),
            self.surprises + other.surprises,
            self.due + other.due,
            self.changed + other.changed,
        )


@dataclass(frozen=True)
class OwnCode:
    """What holds for the learner's own component, as its file is now."""

    folder: str
    """absolute"""
    day: date
    """since when all facts that hold have held"""
    built: Mapping[str, Built]
    """by slug, for each fact that ever judged it"""
    is_there: bool
    """whether the component's file exists now"""

    @property
    def held(self) -> int:
        """How many facts hold."""
        return list(self.built.values()).count("holds")


@dataclass(frozen=True)
class Replay:
    """What all acts together say, by fact and by task."""

    facts: Mapping[str, FactProgress]
    own: Mapping[str, OwnCode]
    """by task, as in `1.2`; if there are several folders, the one in which most facts hold"""
    days: Mapping[str, tuple[date, ...]]
    """by slug or task, the days on which something was done, the first day first"""
    has_begun: bool
    """whether the learner ever predicted, explained, or opened an answer"""

    def days_of(self, task: Task) -> tuple[date, ...]:
        """The days on which something was done for a task, the first day first."""
        return tuple(
            sorted(day for about in (task.id, *task.facts) for day in self.days.get(about, ()))
        )

    def hides(self, slug: str, task: Task) -> bool:
        """Whether a fact's sentence would give away an answer that is yet to be predicted.

        Nothing is hidden before the learner has begun, nor in CI, where no learner reads.
        """
        is_asked = self.has_begun and not is_ci() and question_of(task, slug)
        return bool(is_asked) and not self.facts.get(slug, FactProgress()).is_open

    def of(self, slug: str, task: str) -> FactProgress:
        """What was done with a fact of a task."""
        own = self.own.get(task)
        built = own.built.get(slug, "") if own else ""
        return replace(self.facts.get(slug, FactProgress()), built=built)


def question_of(task: Task, slug: str) -> str:
    """What is asked before a fact runs; empty if nothing is."""
    prediction = task.predictions.get(slug)
    return prediction.question if prediction else ""


def is_ci() -> bool:
    """Whether this is a CI job: forges set the environment variable CI."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def replay(
    done: Sequence[Act], tasks: Iterable[Task], reports: Path, now: datetime | None = None
) -> Replay:
    """What the acts together say.

    Args:
        done: the acts, the earliest first.
        tasks: those of the curriculum.
        reports: the folder of the acts' file; the acts name the learner's folders relative to it.
        now: the present time, with its UTC offset.
    """
    now = now or datetime.now().astimezone()
    by_fact: dict[str, list[Act]] = {}
    days: dict[str, list[date]] = {}
    for act in done:
        by_fact.setdefault(act.about, []).append(act)
        days.setdefault(act.about, []).append(_moment(act).date())
    judged = [act for act in done if act.kind == acts.JUDGED]
    return Replay(
        facts={slug: _fact_progress(each, now) for slug, each in by_fact.items()},
        own={task.id: own for task in tasks if (own := _own_code(task, judged, reports))},
        days={about: tuple(each) for about, each in days.items()},
        has_begun=any(act.kind in LEARNED for act in done),
    )


def hidden_facts(curriculum: Curriculum, reports: Path) -> frozenset[str]:
    """The slugs of the facts whose answers are yet to be predicted; none if acts are broken."""
    try:
        done, _ = acts.read(reports / acts.FILE)
    except acts.BadActs:
        return frozenset()
    learner = replay(done, curriculum.tasks, reports)
    return frozenset(
        slug for task in curriculum.tasks for slug in task.facts if learner.hides(slug, task)
    )


def _fact_progress(done: Sequence[Act], now: datetime) -> FactProgress:
    predicted: Guess | None = None
    shown_at: datetime | None = None
    was_seen = False
    agreed: list[Act] = []
    for act in done:
        at = _moment(act)
        if act.kind == acts.PREDICTED and predicted is None:
            if shown_at is None or at - shown_at >= WEEK:
                choice, is_right = act.said.get("choice"), act.said.get("right") is True
                predicted = Guess(choice if isinstance(choice, str) else "", is_right, at)
        elif act.kind in (acts.SEEN, acts.EXPLAINED):
            was_seen = True
        if act.kind == acts.EXPLAINED and act.said.get("agrees") is True:
            agreed.append(act)
        if act.kind in LEARNED:
            # Each of these acts ends with the answer on the screen.
            shown_at = at
    is_remembered = predicted is None and shown_at is not None and now - shown_at < WEEK
    shown_until = shown_at + WEEK if shown_at and is_remembered else None
    return FactProgress(predicted, _explained(agreed, now), was_seen, shown_until)


def _explained(agreed: Sequence[Act], now: datetime) -> Explanation | None:
    if not agreed:
        return None
    first, last = _moment(agreed[0]), _moment(agreed[-1])
    is_settled = last - first >= WEEK
    is_due = not is_settled and now - last >= WEEK
    return Explanation(str(agreed[-1].said.get("sentence") or ""), first, is_due)


def _own_code(task: Task, judged: Sequence[Act], reports: Path) -> OwnCode | None:
    """The component in the folder where most facts hold; among equals, the one judged last."""
    said: dict[str, list[Act]] = {}
    for act in judged:
        folder = act.said.get("folder")
        if act.about == task.id and isinstance(folder, str):
            # So the folder that was judged last comes last.
            said[folder] = [*said.pop(folder, []), act]
    found = [_as_it_is_now(Path(reports, each), task.component, said[each]) for each in said]
    return max(reversed(found), key=lambda own: own.held, default=None)


def _as_it_is_now(folder: Path, component: str, judged: Sequence[Act]) -> OwnCode:
    try:
        folder = folder.resolve()
        now = digest_of(folder, component)
    except (OSError, ValueError):
        # A folder that cannot be read counts as one without the component.
        now = ""
    built: dict[str, Built] = {}
    held_since: dict[str, date] = {}
    for act in judged:
        facts = act.said.get("facts")
        for slug, verdict in facts.items() if isinstance(facts, dict) else ():
            holds: Built = "holds" if verdict == Verdict.DEMONSTRATED else "fails"
            built[slug] = holds if act.said.get("code") == now else "changed"
            if built[slug] == "holds":
                held_since.setdefault(slug, _moment(act).date())
            else:
                held_since.pop(slug, None)
    day = max(held_since.values(), default=_moment(judged[-1]).date())
    # Facts about a file that is gone count neither as changed nor as failed.
    return OwnCode(str(folder), day, built if now else {}, bool(now))


def _moment(act: Act) -> datetime:
    return datetime.fromisoformat(act.at).astimezone()
