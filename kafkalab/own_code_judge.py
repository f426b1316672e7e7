"""What a run says of the learner's own components: noted as an act, and missed where it is none."""

from __future__ import annotations

import os

from kafkalab.curriculum import Task
from kafkalab.lab import Lab
from kafkalab.learning_log import acts
from kafkalab.learning_log.proofs import SAYS_SOMETHING
from kafkalab.learning_log.record import FactRecord, RunRecord
from kafkalab.own_code import digest_of, file_of


class OwnCodeJudge:
    """Notes the verdicts on the components in `--kafkalab-solutions`; idle without it."""

    def __init__(self, lab: Lab) -> None:
        """Take down what the code is before it is run."""
        self._lab = lab
        self._folder = lab.settings.solutions
        self._before = {task.id: self._digest(task.component) for task in self._tasks}

    def note(self, record: RunRecord) -> None:
        """Append an act for each task whose component was judged.

        Nothing is said of a file that was edited meanwhile, for no one knows what was run, nor by
        a fact whose test is not as it was shipped.

        Raises:
            OSError: the acts cannot be written.
        """
        reports = self._lab.settings.reports
        for task in self._tasks:
            said = {
                fact.slug: str(fact.verdict)
                for fact in _about_component(record, task.id)
                if fact.verdict in SAYS_SOMETHING and not fact.edited
            }
            code = self._digest(task.component)
            if said and code and code == self._before[task.id]:
                folder = os.path.relpath(self._folder or "", reports)
                acts.append(
                    reports / acts.FILE, acts.JUDGED, task.id, folder=folder, code=code, facts=said
                )

    def lack(self, record: RunRecord) -> str:
        """Why a run that was to judge own code is no success, though nothing failed.

        Where one task was asked for, its file must be there. Where all were, those that are not
        written yet are passed over, unless nothing is left to be judged.
        """
        if not self._folder:
            return ""
        asked = [task for task in self._tasks if _about_component(record, task.id)]
        files = [file_of(self._folder, task.component) for task in asked]
        missing = [str(file) for file in files if not file.exists()]
        if missing and len(asked) < len(self._lab.curriculum.tasks):
            return (
                f"there is no {' and '.join(missing)}: write it, or leave --kafkalab-solutions out"
            )
        if any(
            fact.verdict in SAYS_SOMETHING
            for task in self._tasks
            for fact in _about_component(record, task.id)
        ):
            return ""
        return (
            f"none of the components in {self._folder} was judged: no fact about one ran: "
            "select a task, as in -k task_1_1, whose file is there"
        )

    @property
    def _tasks(self) -> tuple[Task, ...]:
        return self._lab.curriculum.tasks if self._folder else ()

    def _digest(self, component: str) -> str:
        try:
            return digest_of(self._folder, component) if self._folder else ""
        except OSError:
            return ""


def _about_component(record: RunRecord, task: str) -> list[FactRecord]:
    return [fact for fact in record.facts if fact.task == task and fact.is_about_component]
