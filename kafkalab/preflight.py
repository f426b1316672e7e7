"""Checks before a run begins: an error is one line, and nothing runs."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from kafkalab.config import KNOBS
from kafkalab.curriculum import BadManifest
from kafkalab.lab import Lab
from kafkalab.learning_log import summary
from kafkalab.learning_log.written import require_ours
from kafkalab.readable import LINES, readable


def usage_error(text: str) -> pytest.UsageError:
    """The error that ends pytest with a line of its own, and no traceback.

    Args:
        text: the message. Names from the user in it must be readable already, since line ends
            in the text are kept.
    """
    return pytest.UsageError(readable(text, keep=LINES))


def check_root(config: pytest.Config) -> None:
    """Refuse an option with a folder if pytest took this folder for a place of tests.

    pytest looks for the project's root before it knows a plugin's options. So in
    `--kafkalab-reports folder` it takes an existing folder for an argument of its own.

    Raises:
        UsageError: pytest found another root because of such a folder.
    """
    called, root = config.invocation_params, config.rootpath
    if called.dir == root or (config.inipath is not None and called.dir.is_relative_to(root)):
        return
    for flag, folder in pairwise(map(str, called.args)):
        if flag in {knob.flag for knob in KNOBS.values()} and Path(folder).is_dir():
            raise usage_error(
                f"{flag} {readable(folder)}: pytest looks for the project there: "
                f"write {flag}={readable(folder)}"
            )


def check_places(lab: Lab) -> None:
    """Refuse folders and files that cannot be written, before the results of a run are lost.

    Raises:
        UsageError: a folder or file cannot be written.
    """
    _check_reports(lab.settings.reports)
    _check_summary(lab)


def check_run(lab: Lab) -> None:
    """Refuse a run that could show nothing.

    Raises:
        UsageError: assertions are off, the curriculum has faults, or there are no solutions.
    """
    if sys.flags.optimize:
        raise usage_error("python -O drops assertions, so nothing would be checked: run without -O")
    _check_curriculum(lab)
    if lab.settings.solutions and not lab.settings.solutions.is_dir():
        folder = str(lab.settings.solutions)
        raise usage_error(
            f"--kafkalab-solutions: there is no folder {readable(folder)}: check the path, or "
            f"make it: kafkalab start 1.1 --folder={readable(shlex.quote(folder))}"
        )


def _check_reports(folder: Path) -> None:
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        is_writable = os.access(folder / "runs", os.W_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        raise usage_error(
            f"the folder for reports, {readable(str(folder))}, cannot be written to: "
            "check its rights, or name another with --kafkalab-reports"
        )


def _check_summary(lab: Lab) -> None:
    path = lab.settings.concept_summary
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_ours(path, summary.heading(lab.curriculum))
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise usage_error(
            f"--kafkalab-concept-summary: {readable(str(path))} cannot be written to: "
            f"{error.strerror}: name another file"
        ) from error


def _check_curriculum(lab: Lab) -> None:
    try:
        problems = lab.curriculum.problems()
        # Compared before a test is imported: a later edit does not affect this run.
        _ = lab.edited
    except BadManifest as error:
        problems = [readable(str(error))]
    if problems:
        raise usage_error("kafkalab's curriculum: " + "\n  ".join(problems))
