"""What the learner should do next, in one sentence and one command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from kafkalab.curriculum.predictions import Prediction
from kafkalab.learning_log.commands import shown_folder, with_solutions
from kafkalab.learning_log.standing import Standing, TaskStanding

FOLDER = "my_lab"
"""where the learner's components are, unless they named another folder"""


@dataclass(frozen=True)
class Step:
    """What to do next."""

    sentence: str
    command: str
    """empty if there is none to run"""
    task: TaskStanding | None
    """in which task; None when all is done"""


def next_step(standing: Standing) -> Step:
    """What to do next in all of the module."""
    return next_step_in(standing.tasks, f"Module {standing.curriculum.id}")


def next_step_in(tasks: Sequence[TaskStanding], name: str) -> Step:
    """What to do next in these tasks: a task that was begun comes first.

    Args:
        tasks: in the order in which they are taught.
        name: a name for all of them, as in `Module A`.
    """
    folder = _folder(tasks)
    for status in ("in progress", "not started"):
        for task in tasks:
            if task.status == status:
                return _step_in(task, folder)
    due = [task for task in tasks if task.yours.due]
    if due:
        facts = _facts(due[0].yours.due)
        sentence = f"A week is over: explain {facts} of task {due[0].task.id} once more."
        return Step(sentence, _learn(due[0]), due[0])
    how = ": predicted, explained and built" if any(task.yours.whole.of for task in tasks) else ""
    return Step(f"{name} is done{how}. Go on.", "", None)


def first_question(standing: Standing) -> Prediction | None:
    """The first unanswered question of the next step's task."""
    task = next_step(standing).task
    facts = task.asked if task else ()
    left = (fact.slug for fact in facts if fact.yours.predicted is None)
    return task.task.predictions[slug] if task and (slug := next(left, "")) else None


def _step_in(task: TaskStanding, folder: str) -> Step:
    name, yours = f"task {task.task.id}, {task.task.title}", task.yours
    if task.status == "not started":
        return Step(f"Begin {name}: {task.task.question}", _learn(task), task)
    to_predict = sum(fact.can_be_predicted for fact in task.asked)
    to_explain = yours.explained.of - yours.explained.done
    if to_predict or to_explain:
        told = [f"{to_predict} to predict"] if to_predict else []
        told += [f"{to_explain} to explain"] if to_explain else []
        if yours.surprises:
            told[-1] += f", {yours.surprises} of them surprised you"
        sentence = f"Go on with {name}: {' and '.join(told)}."
        if task.own_code and not yours.built.is_full:
            sentence += f" Then: {_step_to_own_code(task, folder).sentence}"
        return Step(sentence, _learn(task), task)
    if not yours.built.is_full:
        return _step_to_own_code(task, folder)
    waiting = _facts(sum(fact.yours.shown_until is not None for fact in task.asked))
    sentence = (
        f"In {name}, you opened {waiting} before you predicted: "
        "a prediction counts again a week later."
    )
    return Step(sentence, _learn(task), task)


def _step_to_own_code(task: TaskStanding, folder: str) -> Step:
    """The step to the learner's own component.

    Args:
        task: the component's task.
        folder: the folder of the learner's other components.
    """
    file, own = f"{task.task.component}.py", task.own_code
    if own is None:
        sentence = f"Write your own {file} of task {task.task.id}, and let the facts judge it."
        command = _own("start", task, folder)
        return Step(sentence, command, task)
    path = f"{shown_folder(own.folder)}/{file}"
    if not own.is_there:
        sentence = f"{path} of task {task.task.id} is not there any more: name its folder now."
        return Step(sentence, with_solutions(task.command, folder), task)
    again = _own("check", task, own.folder)
    if task.yours.changed:
        sentence = f"Your own {path} of task {task.task.id} has changed: judge it again."
        return Step(sentence, again, task)
    failed = list(own.built.values()).count("fails")
    unjudged = task.yours.built.of - task.yours.built.done - failed
    told = []
    if failed:
        told.append("1 fact does" if failed == 1 else f"{failed} facts do")
        told[-1] += " not hold yet"
    if unjudged > 0:
        told.append("1 was" if unjudged == 1 else f"{unjudged} were")
        told[-1] += " not judged yet"
    sentence = f"Go on with your own {path} of task {task.task.id}: {', '.join(told)}."
    return Step(sentence, again, task)


def _own(name: str, task: TaskStanding, folder: str) -> str:
    """A command for a component; it names the folder if that is not the usual one."""
    shown = shown_folder(folder)
    named = [] if shown == FOLDER else ["--folder", shown]
    return shlex.join(["kafkalab", name, task.task.id, *named])


def _folder(tasks: Sequence[TaskStanding]) -> str:
    """Where the learner's components are, or will be."""
    own = (task.own_code for task in tasks if task.own_code)
    return next((shown_folder(each.folder) for each in own if each.is_there), FOLDER)


def _learn(task: TaskStanding) -> str:
    return f"kafkalab learn {task.task.id}" if task.asked else task.command


def _facts(count: int) -> str:
    return "1 fact" if count == 1 else f"{count} facts"
