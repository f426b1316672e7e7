"""What `kafkalab quiz` asks: which interview questions, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from kafkalab.learning_log.progress import Count
from kafkalab.learning_log.standing import QuestionStanding

NEW_A_DAY = 5
"""how many questions are asked for the first time on one day, unless the learner says otherwise"""


@dataclass(frozen=True)
class Quiz:
    """What may be asked today."""

    due: tuple[QuestionStanding, ...]
    """they come back today, or should have come back before; the longest due first"""
    new: tuple[QuestionStanding, ...]
    """never graded, in the order in which they are taught; no more than are left for today"""
    later: int
    """how many more were never graded: they are for another day"""
    waiting: tuple[QuestionStanding, ...]
    """not asked: their answers would give away facts that the learner has yet to predict"""
    answered: Count
    """the questions whose answers the learner knew the last time"""
    back: date | None
    """the next day on which one comes back that is not due today; None if none does"""

    @property
    def asked(self) -> tuple[QuestionStanding, ...]:
        """What is asked, in this order."""
        return self.due + self.new


def quiz_of(
    questions: Sequence[QuestionStanding], task: str | None = None, new_a_day: int = NEW_A_DAY
) -> Quiz:
    """What may be asked today.

    Args:
        questions: of all tasks.
        task: asks only those that are at home in this task; None: all.
        new_a_day: how many questions are asked for the first time on one day, in all tasks.
    """
    begun = sum(
        each.recalled is not None and each.recalled.first == each.today for each in questions
    )
    of_task = [each for each in questions if task in (None, each.task)]
    new = [each for each in of_task if each.recalled is None and not each.to_predict]
    left = max(0, new_a_day - begun)
    days = {each.question.slug: each.recalled.due for each in of_task if each.recalled}
    due = [each for each in of_task if each.is_due]
    ahead = (each for each in of_task if each.recalled and each.recalled.due > each.today)
    return Quiz(
        due=tuple(sorted(due, key=lambda each: days[each.question.slug])),
        new=tuple(new[:left]),
        later=len(new[left:]),
        waiting=tuple(each for each in of_task if each.to_predict),
        answered=Count(sum(each.is_yours for each in of_task), len(of_task)),
        back=min((days[each.question.slug] for each in ahead), default=None),
    )


def in_words(quiz: Quiz) -> str:
    """What is answered, and what there is to do today, in one line."""
    return f"answered {quiz.answered}, {today_in_words(quiz)}"


def today_in_words(quiz: Quiz) -> str:
    """What there is to do today, in one line."""
    told = [f"{len(quiz.due)} due today"]
    if quiz.new:
        told.append(f"{len(quiz.new)} new")
    if quiz.waiting:
        told.append(f"{len(quiz.waiting)} after your predictions")
    return ", ".join(told)
