"""The learning log, reports/learning_log.html: one file that needs nothing beside it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from kafkalab.collection import INSTALLED
from kafkalab.curriculum import Curriculum
from kafkalab.learning_log.code import Code
from kafkalab.learning_log.commands import with_solutions
from kafkalab.learning_log.evidence_html import evidence_html
from kafkalab.learning_log.links import relative_link
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.proofs import Proof
from kafkalab.learning_log.standing import FactStanding, Standing, TaskStanding
from kafkalab.learning_log.templates import FOLDER, environment, policy_of, prose
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import why
from kafkalab.learning_log.written import require_ours, write_whole
from kafkalab.readable import readable

NAME = "learning_log.html"
MARK = "<title>Learning log: Module "
"""what each such page has in its head, and no page of somebody else"""

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


class Check(NamedTuple):
    """One line of a task's mastery checklist."""

    done: bool
    text: str
    command: str
    """what gets it done; empty when it is"""


def write(standing: Standing, path: Path, pictures: Pictures, run_page: Path | None) -> None:
    """Write the page, in one step: a browser never sees half of it.

    Args:
        standing: all that it shows.
        path: where it is written; its folder is there.
        pictures: draws the evidence.
        run_page: the page of the last run, to be linked; None where there is none.

    Raises:
        OSError: it cannot be written, or there is a page that is not ours.
    """
    require_ours(path, MARK)
    text = html(standing, path.parent, pictures, run_page)
    write_whole(path, text.encode("utf-8", "backslashreplace"))
    pictures.forget_the_rest()


def html(standing: Standing, folder: Path, pictures: Pictures, run_page: Path | None) -> str:
    """The page as text; its links start at the folder that it stands in."""
    facts = [fact for task in standing.tasks for fact in task.facts]
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            curriculum=standing.curriculum,
            standing=standing,
            failures=[fact for fact in facts if _is_failed(fact)],
            environment=_environment(standing),
            run_page=relative_link(run_page, folder) if run_page else "",
            written=datetime.now().astimezone().isoformat(timespec="seconds"),
            style=_asset("page.css") + _asset("code.css"),
            script=_asset("page.js"),
            shapes=SHAPES,
            code=Code(standing.curriculum, pictures).of_fact,
            code_link=lambda fact: _code_link(standing.curriculum, fact, folder),
            day=_day,
            evidence=lambda test, proof: evidence_html(test.items, pictures, _family(proof)),
            groups=_groups,
            is_a_failure=FAILURES.__contains__,
            is_failed=_is_failed,
            mastery=_mastery,
            moment=_moment,
            own_code=_own_code,
            policy=policy_of,
            prose=prose,
            shown_verdict=_shown_verdict,
            time_spent=_time_spent,
            why=why,
        )
    )


def _groups(task: TaskStanding) -> tuple[tuple[str, list[FactStanding]], ...]:
    """The facts of a task under their headings, as they stand in its module."""
    return (
        ("About Kafka", [fact for fact in task.facts if not fact.is_about_component]),
        (
            f"About the component, {task.task.component}.py",
            [fact for fact in task.facts if fact.is_about_component],
        ),
    )


def _family(proof: Proof) -> list[dict[str, Any]]:
    """The evidence of a fact and of its controls."""
    return [item for test in proof.evidence for item in test.items]


def _is_failed(fact: FactStanding) -> bool:
    """Whether it needs a look: in the reference, or in the learner's own code."""
    return _shown_verdict(fact) in FAILURES


def _shown_verdict(fact: FactStanding) -> Verdict:
    """The verdict that needs a look, if one does: one's own code comes first."""
    said = [proof.fact.verdict for proof in (fact.own, fact.proof) if proof is not None]
    return next((verdict for verdict in said if verdict in FAILURES), fact.verdict)


def _mastery(task: TaskStanding) -> list[Check]:
    """What it takes to have mastered a task, and what of it the verdicts show."""
    kafka = [fact for fact in task.needed if not fact.is_about_component]
    component = [fact for fact in task.needed if fact.is_about_component]
    checks = (
        (
            "facts about Kafka are demonstrated",
            [fact.is_demonstrated for fact in kafka],
            task.command,
        ),
        (
            "facts are known with a control that makes them false",
            [fact.is_demonstrated for fact in kafka if not fact.no_control],
            task.command,
        ),
        (
            "facts about the component are demonstrated",
            [fact.is_demonstrated for fact in component],
            task.command,
        ),
        (
            f"facts hold for a {task.task.component}.py of your own",
            [fact.own is not None and fact.own.is_demonstration for fact in component],
            _with_own_code(task.command, task),
        ),
        (
            "facts that take a minute are demonstrated (optional)",
            [fact.is_demonstrated for fact in task.facts if fact.is_slow],
            f"{task.command} -m slow",
        ),
    )
    return [
        Check(all(held), f"{sum(held)} of {len(held)} {text}", "" if all(held) else command)
        for text, held, command in checks
        if held
    ]


def _own_code(task: TaskStanding) -> Markup:
    own = task.own_code
    if own is None:
        return Markup("not yet")
    text = Markup('{} of {} <span class="folder">in {}</span>')
    return text.format(own.demonstrated, own.total, readable(Path(own.folder).name))


def _with_own_code(command: str, task: TaskStanding) -> str:
    return with_solutions(command, task.own_folder or "my_lab")


def _time_spent(task: TaskStanding) -> str:
    """What the journal says, or what the runs propose; empty when neither says anything."""
    if task.entry.minutes is not None:
        return f"{task.entry.minutes} min"
    return f"about {task.proposed_minutes} min" if task.proposed_minutes else ""


def _environment(standing: Standing) -> Iterator[tuple[str, object]]:
    """What the last run ran on, as names and values."""
    yield "Runs on record", standing.runs
    if run := standing.last:
        yield (
            "Last run",
            f"{_moment(run.started)}, {run.seconds:.0f} s"
            + ("" if run.completed else ", cut short"),
        )
        yield "Command", shlex.join(run.command)
        yield "Broker", run.broker.get("description") or run.kafka
        yield from run.environment.items()


def _moment(iso: str) -> str:
    moment = datetime.fromisoformat(iso)
    return f"{_day(moment)}, {moment:%H:%M}"


def _day(day: date | None) -> str:
    return f"{day:%d %b %Y}".lstrip("0") if day else ""


def _code_link(curriculum: Curriculum, fact: FactStanding, folder: Path) -> str:
    """A link to the fact's module in a clone; empty in an installed copy, which nobody edits."""
    if INSTALLED & set(curriculum.folder.parts):
        return ""
    return relative_link(curriculum.folder.parent / fact.code.rpartition(":")[0], folder)


def _asset(name: str) -> Markup:
    return Markup((FOLDER / name).read_text("utf-8"))  # noqa: S704 - our own
