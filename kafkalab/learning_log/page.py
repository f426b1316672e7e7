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
from kafkalab.learning_log.next_step import FOLDER as MY_LAB
from kafkalab.learning_log.next_step import first_question, next_step
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
    "done": "✓",
    "in progress": "◐",
    "unsupported": "◐",
    "refuted": "✗",
    "invalid": "!",
    "interrupted": "‖",
    "skipped": "○",
    "not run": "○",
    "not started": "○",
}

LEGEND = (
    (Verdict.DEMONSTRATED, "the fact held, and every control made it false"),
    (
        Verdict.UNSUPPORTED,
        "the fact held, but a control did not make it false, was skipped or did not run",
    ),
    (Verdict.REFUTED, "Kafka, or your component, did not do what the sentence says"),
    (
        Verdict.INVALID,
        "the broker, the machine or the test itself failed: it says nothing about Kafka",
    ),
    (Verdict.INTERRUPTED, "the process died, or the run was ended, meanwhile"),
    (Verdict.NOT_RUN, "it was skipped, or no run came to it"),
)

LEFT = (
    ("look", "to look at"),
    ("predict", "not predicted yet"),
    ("explain", "not explained yet"),
    ("build", "that do not hold for your code yet"),
)
"""what may be left to do with a fact, and how the filter calls it"""

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
    facts = standing.facts
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            curriculum=standing.curriculum,
            standing=standing,
            step=next_step(standing),
            question=None if standing.has_begun else first_question(standing),
            done=sum(task.status == "done" for task in standing.tasks),
            minutes_in_all=_minutes_in_all(standing),
            legend=LEGEND,
            lefts=LEFT,
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
            did=_did,
            folder_name=lambda folder: readable(Path(folder).name),
            left=_left,
            right_ones=_right_ones,
            said=_said,
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
    """The verdict that needs a look, if one does: one's own code comes first.

    Of code that was edited since there is nothing to look at, until it is judged again.
    """
    own = None if fact.yours.built == "changed" else fact.own
    said = [proof.fact.verdict for proof in (own, fact.proof) if proof is not None]
    return next((verdict for verdict in said if verdict in FAILURES), fact.verdict)


def _mastery(task: TaskStanding) -> list[Check]:
    """What it takes to have mastered a task, and what of it is done."""
    yours, learn = task.yours, f"kafkalab learn {task.task.id}"
    checks = (
        ("facts predicted before they were seen", yours.predicted, learn),
        ("facts explained in your own words", yours.explained, learn),
        (
            f"facts hold for a {task.task.component}.py of your own, as it is now",
            yours.built,
            with_solutions(task.command, task.own_folder or MY_LAB),
        ),
        ("facts proved on this machine", task.proved, task.command),
    )
    return [
        Check(count.is_full, f"{count} {text}", "" if count.is_full else command)
        for text, count, command in checks
        if count.of
    ]


def _did(fact: FactStanding) -> Markup:
    """What the learner did with a fact, in a few words; empty where it was nothing."""
    told: list[str] = []
    if guess := fact.yours.predicted:
        surprise = "it surprised you" if guess.choice else "you did not know"
        told.append("predicted" if guess.is_right else f"predicted, {surprise}")
    if fact.yours.explained:
        told.append("to explain once more" if fact.is_due else "explained")
    if fact.own:
        changed = ", changed since: judge it again" if fact.yours.built == "changed" else ""
        word = fact.own.fact.verdict
        own = Markup('your own code: <span class="verdict {}">{} {}</span>{}')
        told.append(own.format(word.replace(" ", "-"), SHAPES[word], word, changed))
    return Markup(" · ").join(told)


def _left(fact: FactStanding) -> str:
    """What is left to do with a fact, in the filter's words."""
    left = {
        "look": _is_failed(fact),
        "predict": bool(fact.question) and fact.yours.predicted is None,
        "explain": bool(fact.question) and (fact.yours.explained is None or fact.is_due),
        "build": fact.is_about_component and fact.yours.built != "holds",
    }
    return " ".join(word for word, is_left in left.items() if is_left)


def _right_ones(task: TaskStanding) -> int:
    """How many predictions of a task were right."""
    guesses = (fact.yours.predicted for fact in task.asked)
    return sum(guess is not None and guess.is_right for guess in guesses)


def _said(task: TaskStanding) -> list[FactStanding]:
    """The facts of a task that the learner explained."""
    return [fact for fact in task.facts if fact.yours.explained]


def _minutes_in_all(standing: Standing) -> str:
    """Time spent in all tasks beside all estimates."""
    noted = [task.entry.minutes for task in standing.tasks]
    spent = sum(
        task.proposed_minutes if minutes is None else minutes
        for task, minutes in zip(standing.tasks, noted, strict=True)
    )
    told = f"{'' if all(minutes is not None for minutes in noted) else 'about '}{spent} min"
    estimated = sum(task.task.minutes or 0 for task in standing.tasks)
    return f"{told} of {estimated}" if estimated else told


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
