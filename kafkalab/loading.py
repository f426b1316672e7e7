"""Load each component once before its facts run, in a process of its own.

A component that cannot be loaded would fail, or hang, in the same way for each fact. So the first
fact of a run that needs a component tries it, for all processes of the run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from traceback import walk_tb

import pytest
from filelock import FileLock

from kafkalab import own_code
from kafkalab.lab import Lab
from kafkalab.learning_log.verdicts import TOO_LATE, judge
from kafkalab.observe.children import ended_by
from kafkalab.offspring import Frame, Mouth, Offspring
from kafkalab.solutions import Solutions


class Loading:
    """Tells why components cannot be loaded; each is tried once per run."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._reasons: dict[str, str] = {}
        """by component; empty if it can be loaded"""

    def why_not(self, component: str, limit: float) -> str:
        """Why a component cannot be loaded; empty if it can, or if it has no file.

        The folder of the run must be there.

        Args:
            component: its name, such as `topics`.
            limit: seconds that it may take to load.
        """
        if component not in self._reasons:
            told = self._lab.run.folder / f"loading-{self._lab.id}-{component}.json"
            with FileLock(told.with_suffix(".lock")):
                if not told.exists():
                    told.write_text(json.dumps(self._tried(component, limit)), "utf-8")
                self._reasons[component] = json.loads(told.read_text("utf-8"))
        return self._reasons[component]

    def _tried(self, component: str, limit: float) -> str:
        reason = ""
        offspring = Offspring(partial(self._load, component))
        try:
            for said in offspring.said(limit):
                reason = said.get("reason", reason)
            stacks = offspring.stacks() if offspring.why_ended else []
        finally:
            offspring.end()
        if not offspring.why_ended:
            return reason
        place = own_place(stacks, self._lab.solutions_folder)
        return why_ended(offspring, place, component)

    def _load(self, component: str, mouth: Mouth) -> None:
        """Load it, in the process made for that."""
        reason = ""
        try:
            getattr(Solutions(self._lab.settings.solutions), component)
        except pytest.skip.Exception as skip:
            reason = own_skip(skip, self._lab.solutions_folder)
        except BaseException as error:  # noqa: BLE001 - a file may raise anything
            _, reason = judge(error, self._lab.solutions_folder, lambda: None)
        mouth.say(reason=reason, done=True)


def why_ended(offspring: Offspring, place: str, component: str) -> str:
    """Why the process of learner code ended early.

    Args:
        offspring: the process.
        place: file and line of the learner's code that ran last; empty if it is not known.
        component: the name of the component.
    """
    why = f"{TOO_LATE if offspring.is_late else ''}{offspring.why_ended}"
    if offspring.ended_itself:
        why = ended_by(place.partition(":")[0] or f"{component}.py", offspring.ended_itself)
    return f"{place}: {why}" if place else why


def own_skip(skip: BaseException, folder: Path) -> str:
    """What to say of a skip that the learner's code raised; empty if it comes from elsewhere."""
    for frame, line in walk_tb(skip.__traceback__):
        file = Path(frame.f_code.co_filename)
        if own_code.is_own(file, folder):
            return f"{file.relative_to(folder).as_posix()}:{line}: it skips its own test: {skip}"
    return ""


def own_place(stacks: Sequence[Sequence[Frame]], folder: Path, test: Path | None = None) -> str:
    """File and line at which a process was in the learner's code; empty if it was elsewhere.

    It looks at the thread of the test first, if a test's file is given.
    """
    for stack in sorted(stacks, key=lambda each: test not in {frame.file for frame in each}):
        for file, line, _ in stack:
            if own_code.is_own(file, folder) and file != test:
                return f"{file.relative_to(folder).as_posix()}:{line}"
    return ""
