"""The run's page: what kafkalab adds to pytest-html's report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from kafkalab.curriculum import Curriculum, Statement
from kafkalab.learning_log.code import Code
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.progress import question_of
from kafkalab.learning_log.record import EDITED, FactRecord, RunRecord
from kafkalab.learning_log.templates import policy_of, prose
from kafkalab.learning_log.wording import count, why
from kafkalab.readable import LINES, readable

RUN_PAGE = "run.html"
MARK = '<title id="head-title">kafkalab: Module '
"""what each page of this kind has in its head, and no other page has"""

STYLE = Path(__file__).with_name("run_report.css")

RESULT, TEST = 0, 1

HEAD = '<meta charset="utf-8"/>'
# Without it a phone shows the page as wide as on a desktop, with tiny letters.
VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
POLICY = '<meta http-equiv="Content-Security-Policy"'
# Of a button for a page that is shown during its run; ours is not.
RELOAD = ' onclick="location.reload()"'
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WORKER = re.compile(r"\[gw\d+\] .*\s*")


def attach_evidence(
    report: pytest.TestReport, evidence: Sequence[dict[str, Any]], pictures: Pictures
) -> None:
    """Add a test's evidence to its last report for pytest-html, on the controller.

    pytest-html loses extras of earlier reports when a setup fails (pytest-html #820).
    """
    if not evidence:
        return
    try:
        from pytest_html import extras
    except ImportError:
        return
    # Imported here: workers, and projects without facts, do not need it.
    from kafkalab.learning_log.evidence_html import evidence_html

    body = evidence_html(evidence, pictures)
    _add(report, [extras.html(str(Markup('<div class="kafkalab-evidence">{}</div>').format(body)))])


def attach_statement(report: pytest.TestReport, statement: Statement, code: Code) -> None:
    """Add to a test's last report for pytest-html why the fact matters, and the test's code."""
    try:
        from pytest_html import extras
    except ImportError:
        return
    matters = [Markup('<p class="why">{}</p>').format(prose(each)) for each in statement.why]
    before = [extras.html(_in_div(matters))] if matters else []
    _add(report, [extras.html(_in_div([code.of_test(statement)]))], before)


def _in_div(parts: Sequence[Markup]) -> str:
    return str(Markup('<div class="kafkalab-statement">{}</div>').format(Markup("").join(parts)))


def _add(
    report: pytest.TestReport, after: list[dict[str, Any]], before: Sequence[dict[str, Any]] = ()
) -> None:
    # pytest-html reads this attribute, which pytest's own class does not declare.
    report.extras = [*before, *getattr(report, "extras", []), *after]  # type: ignore[attr-defined]


def change_header(cells: list[str]) -> None:
    """Put a column for the sentence before the test's id, and remove the column of links."""
    cells.insert(TEST, '<th class="sortable" data-column-type="sentence">Fact or control</th>')
    cells.pop()


def change_row(cells: list[str], statement: Statement | None, question: str) -> None:
    """The cells of one row, to match the header; every text is escaped (pytest-html #1024).

    Args:
        cells: as pytest-html has them.
        statement: what the test states; None for a test of the project's own.
        question: shown in place of the sentence, which a click shows; empty if nothing is hidden.
    """
    if not cells:
        return
    test_id = cells[TEST].removeprefix('<td class="col-testId">').removesuffix("</td>")
    cells[TEST] = Markup('<td class="col-testId">{}</td>').format(test_id)
    cells.insert(
        TEST, Markup('<td class="col-sentence">{}</td>').format(_stated(statement, question))
    )
    cells.pop()


def change_log(log: list[str]) -> None:
    """Show what a test printed as plain text, without a terminal's escape sequences.

    A box is left out if it only says that nothing was logged, or which worker ran the test.
    """
    if all(line == "No log output captured." or WORKER.fullmatch(line) for line in log):
        log.clear()
    log[:] = [readable(COLOUR.sub("", line), keep=LINES) for line in log]


def restrict(page: Path) -> None:
    """Allow the browser to run only the page's own scripts, and to fetch nothing.

    This edits the file, as pytest-html writes it and has no option for it.

    Raises:
        OSError: the page cannot be read or written.
    """
    text = page.read_text("utf-8")
    if POLICY in text:
        # It is an earlier run's page: a run that selects no test writes none.
        return
    scripts = " ".join(f"'{policy_of(script)}'" for script in SCRIPT.findall(text)) or "'none'"
    policy = (
        # The elements of pictures have style attributes.
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src {scripts}; base-uri 'none'; form-action 'none'"
    )
    meta = f'{POLICY} content="{policy}"/>'
    text = text.replace(HEAD, f"{HEAD}\n    {meta}\n    {VIEWPORT}", 1).replace(RELOAD, "", 1)
    page.write_text(text, "utf-8")


def _stated(statement: Statement | None, question: str) -> Markup:
    if statement is None:
        return Markup("")
    small = (
        f"control of {statement.slug}: {statement.changes}"
        if statement.role == "control"
        else f"{statement.task} {statement.slug}"
    )
    told = Markup("{} <small>{}</small>").format(prose(statement.sentence), prose(small))
    return _asked(question, told) if question else told


def _asked(question: str, answer: Markup) -> Markup:
    """A question whose answer is one click away."""
    fold = Markup('<details class="asked"><summary>{}</summary>{}</details>')
    return fold.format(prose(question), answer)


def summary(record: RunRecord, curriculum: Curriculum, log: str, hidden: frozenset[str]) -> str:
    """All facts of the run with their verdicts, a table for each task.

    Args:
        record: the run.
        curriculum: states the facts.
        log: a link to the learning log; empty if there is none.
        hidden: the slugs of facts that show only their question, and the answer after a click.
    """
    parts = [Markup('<div class="kafkalab-summary">')]
    if log:
        text = Markup('<p>The results of all runs: <a href="{}">the learning log</a></p>')
        parts.append(text.format(log))
    if record.solutions:
        parts.append(Markup("<p>Judged: the components in <b>{}</b></p>").format(record.solutions))
    for task in curriculum.tasks:
        facts = [fact for fact in record.facts if fact.task == task.id]
        if facts:
            parts.append(
                Markup("<h2>{} {}</h2><p>{}</p>").format(task.id, task.title, task.question)
            )
            parts.append(Markup("<p>{}</p>").format(count(facts)))
            rows = [
                _fact_row(
                    fact,
                    curriculum.stated_facts[fact.slug],
                    question_of(task, fact.slug) if fact.slug in hidden else "",
                )
                for fact in facts
            ]
            parts.append(_table(("Verdict", "Fact", "Scope", "Controls"), rows))
    parts.append(Markup("</div>"))
    return str(Markup("").join(parts))


def _fact_row(fact: FactRecord, stated: Statement, question: str) -> list[object]:
    verdict = Markup('<span class="verdict {}">{}</span>').format(
        fact.verdict.replace(" ", "-"), fact.verdict
    )
    reason = Markup("").join(
        Markup("<br><small>{}</small>").format(line)
        for line in [*why(fact.reason), *([EDITED] if fact.edited else [])]
    )
    matters = Markup("").join(
        Markup('<p class="why">{}</p>').format(prose(each)) for each in stated.why
    )
    controls: object = prose(fact.no_control)
    if fact.controls:
        controls = Markup("<br>").join(
            Markup("{} <small>({}, {})</small>").format(
                prose(each.sentence), prose(each.changes), each.outcome
            )
            for each in fact.controls
        )
    sentence = Markup("{}{}{}").format(prose(fact.sentence), reason, matters)
    if question and not fact.has_failed:
        answer = Markup("{}<p>{}</p>").format(sentence, controls)
        return [verdict, _asked(question, answer), fact.holds_for, ""]
    return [verdict, sentence, fact.holds_for, controls]


def _table(columns: Sequence[str], rows: Any) -> Markup:
    head = Markup("").join(Markup("<th>{}</th>").format(column) for column in columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup('<td data-head="{}">{}</td>').format(column, cell)
                for column, cell in zip(columns, row, strict=True)
            )
        )
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)
