"""When the learner's interview questions come back, replayed from the grades among the acts.

Nothing but the grades is stored. So each number here changes with a new version of the library
that computes it, and no grade is lost. It computes in whole days: a question comes back on a day,
not at an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from fsrs import Card, Rating, Scheduler

from kafkalab.learning_log import acts
from kafkalab.learning_log.acts import Act

GRADES: Final = {
    "again": Rating.Again,
    "hard": Rating.Hard,
    "good": Rating.Good,
    "easy": Rating.Easy,
}
"""what the learner may say of an answer, the worst first"""

KNOWN = frozenset({"good", "easy"})
"""the grades that make a question the learner's"""

# Fuzzing would make each replay give other days. Without steps of minutes, which are for cards
# that are learned in one sitting, each question comes back after a day or more.
SCHEDULER: Final = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)

# The library counts its ids by the millisecond, for which it sleeps; one id is enough here.
NEW: Final = Card(card_id=0)


@dataclass(frozen=True)
class Recalled:
    """What all grades of one question together say."""

    first: date
    """the day of the first grade"""
    last: date
    """the day of the last grade"""
    grade: str
    """the last one, one of `GRADES`"""
    due: date
    """the day on which it comes back"""
    times: int
    """how often it was graded"""
    answer: str
    """what the learner typed the last time; empty if nothing"""

    @property
    def is_known(self) -> bool:
        """Whether the last grade was good or easy."""
        return self.grade in KNOWN


def recalled(done: Iterable[Act]) -> Mapping[str, Recalled]:
    """What the grades say, by the question's slug.

    Args:
        done: the acts, the earliest first; those of other kinds, and grades that are none of
            `GRADES`, are passed over.
    """
    cards: dict[str, Card] = {}
    found: dict[str, Recalled] = {}
    for act in done:
        grade = act.said.get("grade")
        if act.kind != acts.RECALLED or not isinstance(grade, str) or grade not in GRADES:
            continue
        # The day on the learner's clock: the same on a computer in another time zone.
        day = datetime.fromisoformat(act.at).date()
        card, _ = SCHEDULER.review_card(cards.get(act.about, NEW), GRADES[grade], _noon(day))
        cards[act.about] = card
        before, answer = found.get(act.about), act.said.get("answer")
        found[act.about] = Recalled(
            first=before.first if before else day,
            last=day,
            grade=grade,
            due=card.due.date(),
            times=before.times + 1 if before else 1,
            answer=answer if isinstance(answer, str) else "",
        )
    return found


def _noon(day: date) -> datetime:
    """One moment for all grades of a day, so that the scheduler counts whole days."""
    return datetime.combine(day, time(12), UTC)
