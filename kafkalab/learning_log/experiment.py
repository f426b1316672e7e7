"""What an experiment showed, and what differs from the original: its page, and the terminal.

Only the page is kept. An experiment leaves no record, so it can never count as proof.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from markupsafe import Markup

from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.evidence_html import evidence_html
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.record import TestRecord
from kafkalab.learning_log.templates import FOLDER, environment, policy_of, prose
from kafkalab.learning_log.terminal import Terminal
from kafkalab.learning_log.verdicts import Outcome
from kafkalab.learning_log.wording import why
from kafkalab.learning_log.written import require_ours, write_whole

PAGES = "experiments"
"""the folder of the pages, below that of the reports"""
MARK = "<title>An experiment: "
"""what each page of this kind has in its head, and no other page has"""

# The words for what happened to a test of an experiment: its sentence held, or it did not.
WORDS = {
    Outcome.PASSED: "held",
    Outcome.REFUTED: "did not hold",
    Outcome.INVALID: "invalid",
    Outcome.INTERRUPTED: "interrupted",
    Outcome.SKIPPED: "skipped",
    Outcome.NOT_RUN: "not run",
}
SHAPES = {"held": "✓", "did not hold": "✗", "invalid": "!", "interrupted": "‖"}
COLOURS = {"held": "green", "did not hold": "red"}

# The terminal shows only the first lines; the page has all of them.
MOST_LINES = 8
MOST_PAGES = 5
# The columns before each sentence: word, time and the gaps between them.
MARGIN = 24


@dataclass
class Tried:
    """One test of an experiment."""

    sentence: str
    """the first line of its docstring, or its name if it has no docstring"""
    changes: str
    """for a control, the factor that it changes; empty for the fact's own test"""
    line: int
    """its line in its file"""
    record: TestRecord

    @property
    def name(self) -> str:
        """The test's name, with its case."""
        return self.record.nodeid.partition("::")[2]

    @property
    def case(self) -> str:
        """The case of a parametrised test, as in `[classic]`; else empty."""
        _, bracket, case = self.name.partition("[")
        return bracket + case

    @property
    def word(self) -> str:
        return WORDS[self.record.outcome]


@dataclass
class Experiment:
    """One file of experiments, as it was when its tests ran."""

    slug: str
    file: Path
    differs: Sequence[str] | None
    """how it differs from a fresh copy, as lines of a unified diff; None if that is unknown"""
    tests: list[Tried]
    version: str
    """the version of kafkalab that the fresh copy is from"""

    @property
    def command(self) -> str:
        """The command that runs it again."""
        return f"pytest {shown_folder(str(self.file))}"

    @property
    def changed(self) -> list[str]:
        """The lines that differ, with their sign."""
        return [line for line in self.differs or () if line[:1] in "+-" and line[1:].strip()]


def page_of(file: Path, reports: Path, taken: Sequence[Path]) -> Path:
    """Where the page of an experiment is written.

    Args:
        file: the experiment's file.
        reports: the folder of the reports.
        taken: pages of other files, which may have the same name in another folder.
    """
    name = file.stem.removeprefix("test_")
    names = (f"{name}{f'-{number}' if number > 1 else ''}.html" for number in count(1))
    return next(path for each in names if (path := reports / PAGES / each) not in taken)


def write(experiment: Experiment, path: Path, pictures: Pictures) -> None:
    """Write an experiment's page, in one step.

    Args:
        experiment: all that it shows.
        path: the page's file.
        pictures: draws the evidence.

    Raises:
        OSError: it cannot be written, or the file is there and is not ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    require_ours(path, MARK)
    write_whole(path, html(experiment, pictures).encode("utf-8", "backslashreplace"))


def html(experiment: Experiment, pictures: Pictures) -> str:
    """The page as text."""
    style = Markup("".join((FOLDER / name).read_text("utf-8") for name in ("page.css", "diff.css")))  # noqa: S704 - our own
    return (
        environment()
        .get_template("experiment.html.jinja")
        .render(
            experiment=experiment,
            lines=[(_kind_of(line), line) for line in experiment.differs or ()],
            style=style,
            written=datetime.now().astimezone().isoformat(timespec="seconds"),
            evidence=lambda test: evidence_html(test.record.evidence, pictures),
            policy=policy_of,
            prose=prose,
            shapes=SHAPES,
            why=why,
        )
    )


def _kind_of(line: str) -> str:
    """The kind of a line of a diff, by the name that the page's style has for it."""
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "same")


def show(terminal: Terminal, experiments: Sequence[Experiment], pages: Sequence[Path]) -> None:
    """Write what the experiments of a run showed, and where their pages are."""
    terminal.heading("Experiments, which do not count")
    for experiment in experiments:
        terminal.line()
        terminal.line(f"experiment of {experiment.slug}", bold=True)
        for test in experiment.tests:
            _show_test(terminal, test)
        _show_differences(terminal, experiment)
    terminal.line()
    for page in pages[:MOST_PAGES]:
        terminal.line(f"  page     {page}")
    if len(pages) > MOST_PAGES:
        terminal.line(f"           and {len(pages) - MOST_PAGES} more beside them")


def _show_test(terminal: Terminal, test: Tried) -> None:
    colour = {COLOURS.get(test.word, "yellow"): True}
    terminal.part(f"  {test.word:<12} ", **colour)
    terminal.part(f"{test.record.seconds:6.2f} s ", light=True)
    first, *rest = _wrapped(terminal, f"{test.sentence} {test.case}".rstrip())
    terminal.line(first)
    reason = why(test.record.reason) if test.record.outcome is not Outcome.PASSED else []
    for line in [*rest, *(part for each in reason for part in _wrapped(terminal, each))]:
        terminal.line(" " * MARGIN + line)


def _show_differences(terminal: Terminal, experiment: Experiment) -> None:
    changed = experiment.changed
    if experiment.differs is None:
        return
    if not changed:
        terminal.line("  does not differ from the original yet: change it, and run it again")
        return
    terminal.line("  differs from the original:")
    for line in changed[:MOST_LINES]:
        terminal.line(f"    {line}", **{"green" if line.startswith("+") else "red": True})
    if len(changed) > MOST_LINES:
        terminal.line(f"    and {len(changed) - MOST_LINES} more lines, which are on its page")


def _wrapped(terminal: Terminal, text: str) -> list[str]:
    # 40 columns at least, or a narrow terminal would get one word in each line.
    return textwrap.wrap(text, max(40, terminal.width - MARGIN - 1)) or [""]
