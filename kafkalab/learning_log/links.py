"""Links from one page of the reports to another."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlencode

from kafkalab.config import SERVE_PORT
from kafkalab.curriculum import Curriculum
from kafkalab.curriculum.scenarios import scenarios_of


def relative_link(target: Path, folder: Path) -> str:
    """A relative link from a page in that folder; it works when both are moved together."""
    return quote(Path(os.path.relpath(target, folder)).as_posix())


def explorer_link(curriculum: Curriculum, task: str, slug: str) -> str:
    """The explorer's address for a fact, if `kafkalab serve` runs; empty if no scenario has it."""
    if task not in scenarios_of(curriculum):
        return ""
    return f"http://127.0.0.1:{SERVE_PORT}/#{urlencode({'task': task, 'fact': slug})}"
