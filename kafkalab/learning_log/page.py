"""The learning log, reports/learning_log.html: one file that needs no other file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from kafkalab.collection import INSTALLED
from kafkalab.curriculum import Curriculum
from kafkalab.learning_log import guides
from kafkalab.learning_log.code import Code
from kafkalab.learning_log.commands import with_solutions
from kafkalab.learning_log.evidence_html import evidence_html
from kafkalab.learning_log.links import explorer_link, relative_link
from kafkalab.learning_log.next_step import FOLDER as MY_LAB
from kafkalab.learning_log.next_step import first_question, next_step
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.proofs import Proof
from kafkalab.learning_log.quizzes import quiz_of, today_in_words
from kafkalab.learning_log.standing import FactStanding, QuestionStanding, Standing, TaskStanding
from kafkalab.learning_log.templates import FOLDER, environment, policy_of, prose
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import why
from kafkalab.learning_log.written import require_ours, write_whole
from kafkalab.readable import readable

NAME = "learning_log.html"
MARK = "<title>Learning log: Module "
"""what each page of this kind has in its head, and no other page has"""

# A verdict is shown by a word, a shape and a colour, so that none of them is needed to see it.
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
        "the broker, the machine or the test itself failed: this says nothing about Kafka",
    ),
    (Verdict.INTERRUPTED, "the process died, or the run was ended, while the test ran"),
    (Verdict.NOT_RUN, "it was skipped, or no run has reached it"),
)

LEFT = (
    ("look", "to look at"),
    ("predict", "not predicted yet"),
    ("explain", "not explained yet"),
    ("build", "that do not hold for your code yet"),
)
"""what may be left to do with a fact, with the filter's name for it"""

FAILURES = {Verdict.REFUTED, Verdict.INVALID, Verdict.UNSUPPORTED, Verdict.INTERRUPTED}


class Check(NamedTuple):
    """One line of a task's mastery checklist."""

    done: bool
    text: str
    command: str
    """the command that gets it done; empty when it is done"""


def write(standing: Standing, path: Path, pictures: Pictures, run_page: Path | None) -> None:
    """Write the page, in one step: a browser never sees half of it; and the guides beside it.

    Args:
        standing: all that it shows.
        path: the page's file; its folder exists.
        pictures: draws the evidence.
        run_page: the page of the last run, to link to; None if there is none.

    Raises:
        OSError: it cannot be written, or the file is there and is not ours.
    """
    require_ours(path, MARK)
    written = guides.write(standing, path, pictures)
    text = html(standing, path.parent, pictures, run_page, written)
    write_whole(path, text.encode("utf-8", "backslashreplace"))
    pictures.forget_the_rest()


def html(
    standing: Standing,
    folder: Path,
    pictures: Pictures,
    run_page: Path | None,
    written: Mapping[str, Path],
) -> str:
    """The page as text; its links are relative to the folder.

    `written` has the pages of the guides, by name.
    """
    facts = standing.facts
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            curriculum=standing.curriculum,
            standing=standing,
            step=next_step(standing),
            quiz=quiz_of(standing.questions),
            quiz_today=today_in_words,
            question=None if standing.has_begun else first_question(standing),
            done=sum(task.status == "done" for task in standing.tasks),
            minutes_in_all=_minutes_in_all(standing),
            legend=LEGEND,
            lefts=LEFT,
            failures=[fact for fact in facts if _is_failed(fact)],
            environment=_environment(standing),
            run_page=relative_link(run_page, folder) if run_page else "",
            guide=lambda name: relative_link(written[name], folder) if name in written else "",
            name_of_guide=guides.name_of,
            myths=guides.MYTHS,
            written=datetime.now().astimezone().isoformat(timespec="seconds"),
            style=_asset("page.css") + _asset("code.css"),
            script=_asset("page.js"),
            shapes=SHAPES,
            code=Code(standing.curriculum, pictures).of_fact,
            code_link=lambda fact: _code_link(standing.curriculum, fact, folder),
            day=_day,
            explorer_link=partial(explorer_link, standing.curriculum),
            evidence=lambda test, proof: evidence_html(test.items, pictures, _family(proof)),
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
            question_status=_question_status,
            shown_verdict=_shown_verdict,
            time_spent=_time_spent,
            why=why,
        )
    )


def _family(proof: Proof) -> list[dict[str, Any]]:
    """The evidence of a fact and of its controls."""
    return [item for test in proof.evidence for item in test.items]


def _is_failed(fact: FactStanding) -> bool:
    """Whether it failed, for the reference or for the learner's own code."""
    return _shown_verdict(fact) in FAILURES


def _shown_verdict(fact: FactStanding) -> Verdict:
    """The verdict that needs a look, if there is one: first the one on the learner's own code.

    A verdict on code that was edited since does not count until the code is judged again.
    """
    own = None if fact.yours.built == "changed" else fact.own
    said = [proof.fact.verdict for proof in (own, fact.proof) if proof is not None]
    return next((verdict for verdict in said if verdict in FAILURES), fact.verdict)


def _mastery(task: TaskStanding) -> list[Check]:
    """What the learner has to do to master a task, and how much of it is done."""
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
    """What the learner did with a fact, in a few words; empty if nothing was done."""
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


def _question_status(asked: QuestionStanding) -> str:
    """Since when an interview question can be proved, and what the learner knows of it."""
    told = ["provable now" if asked.is_provable else f"provable after task {asked.after}"]
    if asked.is_yours:
        told.append("yours")
    if asked.is_due:
        told.append("due today")
    elif asked.recalled:
        told.append(f"comes back on {_day(asked.recalled.due)}")
    return " · ".join(told)


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
    """The time spent on all tasks, with the sum of the estimates."""
    noted = [task.entry.minutes for task in standing.tasks]
    spent = sum(
        task.proposed_minutes if minutes is None else minutes
        for task, minutes in zip(standing.tasks, noted, strict=True)
    )
    estimated = sum(task.task.minutes or 0 for task in standing.tasks)
    if not spent and noted == [None] * len(noted):
        return f"\N{EN DASH} of {estimated} min" if estimated else "\N{EN DASH}"
    told = f"{'' if all(minutes is not None for minutes in noted) else 'about '}{spent} min"
    return f"{told} of {estimated}" if estimated else told


def _time_spent(task: TaskStanding) -> str:
    """The minutes from the journal, or else from the runs; empty if neither has any."""
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
    """A link to the fact's module in a clone; empty in an installed copy, which is not edited."""
    if INSTALLED & set(curriculum.folder.parts):
        return ""
    return relative_link(curriculum.folder.parent / fact.code.rpartition(":")[0], folder)


def _asset(name: str) -> Markup:
    return Markup((FOLDER / name).read_text("utf-8"))  # noqa: S704 - our own
