"""Note a run's verdicts on the learner's own components; fail a run that judged none of them."""

from __future__ import annotations

import os

from kafkalab.curriculum import Task
from kafkalab.lab import Lab
from kafkalab.learning_log import acts
from kafkalab.learning_log.proofs import SAYS_SOMETHING
from kafkalab.learning_log.record import FactRecord, RunRecord
from kafkalab.own_code import digest_of, file_of


class OwnCodeJudge:
    """Notes the verdicts on the components in `--kafkalab-solutions`; without it, does nothing."""

    def __init__(self, lab: Lab) -> None:
        """Take a hash of each component's code before the run."""
        self._lab = lab
        self._folder = lab.settings.solutions
        self._before = {task.id: self._digest(task.component) for task in self._tasks}

    def note(self, record: RunRecord) -> None:
        """Append an act for each task with a component that was judged.

        It notes nothing for a file that was edited during the run, as it is unknown which code
        ran. It also ignores facts with tests that differ from the shipped ones.

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
        """Why a run that should judge own code is no success, though no test failed; else empty.

        If the call selects some tasks, their files must exist. If it selects all tasks, missing
        files are ignored, unless no component was judged.
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
            "select a task that has a file there, as in -k task_1_1"
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
