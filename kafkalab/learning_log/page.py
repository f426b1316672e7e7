"""The learning log, reports/learning_log.html: one file that needs nothing beside it."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from kafkalab.lab import INSTALLED
from kafkalab.learning_log.evidence_html import evidence_html
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.progress import FactProgress, Progress, TaskProgress
from kafkalab.learning_log.templates import FOLDER, environment
from kafkalab.learning_log.terminal import why
from kafkalab.learning_log.verdicts import Outcome, Verdict

NAME = "learning_log.html"

# A verdict is told by word, shape and colour: no one of them is all that tells it.
SHAPES = {
    "demonstrated": "✓",
    "passed": "✓",
    "in progress": "◐",
    "unsupported": "◐",
    "refuted": "✗",
    "invalid": "!",
    "interrupted": "‖",
    "skipped": "○",
    "not run": "○",
    "not started": "○",
}

FAILURES = {Verdict.REFUTED, Verdict.INVALID, Verdict.UNSUPPORTED, Verdict.INTERRUPTED}


@dataclass(frozen=True)
class Check:
    """One line of a task's mastery checklist."""

    done: bool
    text: str
    command: str = ""
    """what gets it done; empty when it is done, or when there is none"""


def write(progress: Progress, path: Path, pictures: Pictures, run_page: Path | None) -> None:
    """Write the page, in one step: a browser never sees half of it.

    Args:
        progress: all that it shows.
        path: where it is written; its folder is there.
        pictures: draws the evidence.
        run_page: the page of the last run, to be linked; None where there is none.

    Raises:
        OSError: it cannot be written.
    """
    text = html(progress, path.parent, pictures, run_page)
    draft = path.with_suffix(".tmp")
    draft.write_text(text, "utf-8", "backslashreplace")
    draft.replace(path)
    pictures.forget_the_rest()


def html(progress: Progress, folder: Path, pictures: Pictures, run_page: Path | None) -> str:
    """The page as text; its links start at the folder that it stands in."""
    engine = environment().overlay()
    engine.filters |= {
        "code_link": lambda fact: _code_link(progress, fact, folder),
        "evidence": lambda test: evidence_html(test.items, pictures),
        "groups": _groups,
        "mastery": lambda task: tuple(_mastery(task)),
        "moment": _moment,
        "own_code": _own_code,
        "policy": _policy,
        "shape": lambda word: SHAPES[word],
        "shown": _shown,
        "time_spent": _time_spent,
        "why": why,
    }
    engine.tests |= {"failed": _is_failed}
    facts = [fact for task in progress.tasks for fact in task.facts]
    return engine.get_template("page.html.jinja").render(
        curriculum=progress.curriculum,
        progress=progress,
        failures=[fact for fact in facts if _is_failed(fact)],
        environment=_environment(progress),
        run_page=_link(run_page, folder) if run_page else "",
        written=datetime.now().astimezone().isoformat(timespec="seconds"),
        style=_asset("page.css"),
        script=_asset("page.js"),
    )
