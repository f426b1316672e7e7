"""What `kafkalab learn` asks: which facts, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from kafkalab.curriculum import Curriculum, Task
from kafkalab.learning_log.progress import FactProgress, Replay


@dataclass(frozen=True)
class Lesson:
    """What is asked of one task, in this order."""

    task: Task
    recalled: tuple[str, ...]
    """explained a week ago or earlier: to be explained again, from memory"""
    learned: tuple[str, ...]
    """to be predicted, seen and explained, or what of this is still to do"""
    is_repeated: bool = False
    """one fact was asked for by its slug, and the learner has done all of it already"""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be asked."""
        return not self.recalled and not self.learned


def lesson_of_task(task: Task, taught: Curriculum, progress: Replay) -> Lesson:
    """What is left of a task: first the facts that are due, then the others in their order."""
    done = {slug: progress.of(slug, task.id) for slug in asked_of(task, taught)}
    left = [slug for slug, each in done.items() if is_left(each)]
    due = [slug for slug, each in done.items() if each.explained and each.explained.is_due]
    return Lesson(task, tuple(slug for slug in due if slug not in left), tuple(left))


def lesson_of_fact(slug: str, task: Task, progress: Replay) -> Lesson:
    """The lesson of one fact, even if the learner has done all of it already."""
    return Lesson(task, (), (slug,), is_repeated=not is_left(progress.of(slug, task.id)))


def next_lesson(taught: Curriculum, progress: Replay) -> Lesson | None:
    """The lesson of the first task with a fact to learn, else to recall, else of the last task.

    None if no task has a question.
    """
    lessons = [lesson_of_task(task, taught, progress) for task in taught.tasks if task.predictions]
    for wanted in ([each for each in lessons if each.learned], lessons):
        for lesson in wanted:
            if not lesson.is_over:
                return lesson
    return lessons[-1] if lessons else None


def asked_of(task: Task, taught: Curriculum) -> list[str]:
    """The facts that a task asks: those that take a minute are asked only by their slugs."""
    stated = taught.stated_facts
    return [
        slug
        for slug in task.facts
        if slug in task.predictions and slug in stated and not stated[slug].is_slow
    ]


def slow_of(task: Task, taught: Curriculum) -> list[str]:
    """The facts with a question that take a minute."""
    stated = taught.stated_facts
    return [slug for slug in task.predictions if slug in stated and stated[slug].is_slow]


def is_left(done: FactProgress) -> bool:
    """Whether a fact is still to be predicted or explained."""
    return done.explained is None or done.can_be_predicted
