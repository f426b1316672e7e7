"""Interview questions: graded by the learner, replayed from the grades, asked when they are due."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given
from hypothesis import strategies as st
from screens import CONTROL, CTRL_C, CTRL_D, Screen, screen

from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log import acts, page
from kafkalab.learning_log.acts import Act
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.quizzes import NEW_A_DAY, Quiz, quiz_of
from kafkalab.learning_log.recall import GRADES, Recalled, recalled
from kafkalab.learning_log.record import RunRecord, facts_of
from kafkalab.learning_log.record import TestRecord as ItemRecord
from kafkalab.learning_log.standing import QuestionStanding, Standing, standing_of
from kafkalab.learning_log.verdicts import Outcome

COMMAND = str(Path(sys.executable).with_name("kafkalab"))

MANIFEST = """\
[module]
id = "T"
title = "A small module"
package = "lessons"

[[task]]
id = "1.1"
title = "Topics"
question = "What is a topic made of?"
module = "test_task_1_1_topics"
component = "topics"
facts.only-grow = { hint = "A.", no_control = "none" }
facts.takes-long = { hint = "B.", no_control = "none" }
facts.creates = { hint = "C.", no_control = "none" }

[[task]]
id = "1.2"
title = "Routing"
question = "Where does a record go?"
module = "test_task_1_2_routing"
component = "routing"
facts.key-decides = { hint = "D.", no_control = "none" }
"""

FACTS = {
    "test_task_1_1_topics": '''
import pytest

@pytest.mark.fact("only-grow", scope="any client")
def test_only_grow():
    """Partitions only grow."""

@pytest.mark.slow
@pytest.mark.fact("takes-long", scope="any client")
def test_takes_long():
    """It takes long."""

@pytest.mark.fact("creates", scope="the component topics")
def test_creates():
    """The component creates a topic."""
''',
    "test_task_1_2_routing": '''
import pytest

@pytest.mark.fact("key-decides", scope="librdkafka")
def test_key():
    """The key decides."""
''',
}

PREDICTION = """
[{slug}]
question = "What of {slug}?"
choices = [
  {{ text = "Yes", right = true }},
  {{ text = "No", tempting = "It looks like it." }},
]
"""

QUESTION = """
[[question]]
slug = "{slug}"
asks = "What about {slug}?"
answer = "The answer to {slug}."
follow_up = "And what follows from {slug}?"
follow_up_answer = "This follows."
wrong = "Something else."
why_wrong = "It was measured."
goes_on = "I would look at the lag."
facts = {facts}
"""

QUESTIONS = {
    "1_1": {"shrink": ["only-grow"], "slowly": ["takes-long"], "code": ["creates"]},
    "1_2": {"hash": ["key-decides"], "grow-keys": ["key-decides", "only-grow"]},
}

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1, 9, tzinfo=UTC)


class Candidate:
    """Somebody who prepares for an interview; days are counted from the first one."""

    def __init__(self, folder: Path, begin: datetime = BEGIN) -> None:
        self.folder, self.reports = folder, folder / "reports"
        self._begin = begin
        for name in ("lessons", "predictions", "interview", "reports"):
            (folder / name).mkdir()
        (folder / "module.toml").write_text(MANIFEST, "utf-8")
        for module, text in FACTS.items():
            (folder / "lessons" / f"{module}.py").write_text(text, "utf-8")
        for task, slugs in (("1_1", ("only-grow", "takes-long")), ("1_2", ("key-decides",))):
            text = "".join(PREDICTION.format(slug=slug) for slug in slugs)
            (folder / "predictions" / f"task_{task}.toml").write_text(text, "utf-8")
        for task, questions in QUESTIONS.items():
            self.ask(task, questions)

    def ask(self, task: str, questions: dict[str, list[str]]) -> None:
        """Make these the questions of a task."""
        text = "".join(
            QUESTION.format(slug=slug, facts=json.dumps(facts)) for slug, facts in questions.items()
        )
        (self.folder / "interview" / f"task_{task}.toml").write_text(text, "utf-8")

    @property
    def curriculum(self) -> Curriculum:
        return load(self.folder / "module.toml")

    def did(self, kind: str, about: str, day: float = 0, **said: Any) -> None:
        """One act, so many days after the first day."""
        at = (self._begin + day * DAY).isoformat()
        act = {"id": f"{kind}{about}{day}{said}", "at": at, "kind": kind, "about": about, **said}
        with (self.reports / acts.FILE).open("a") as file:
            file.write(json.dumps(act) + "\n")

    def predicted(self, *slugs: str, day: float = 0) -> None:
        for slug in slugs:
            self.did(acts.PREDICTED, slug, day, choice="Yes", right=True)

    def predicted_all(self) -> None:
        self.predicted("only-grow", "takes-long", "key-decides")

    def graded(self, slug: str, grade: str, day: float = 0) -> None:
        self.did(acts.RECALLED, slug, day, grade=grade, answer="")

    def demonstrated(self, *slugs: str) -> None:
        """A run demonstrated these facts."""
        tests = [
            ItemRecord(
                f"lessons/{each.module}.py::{each.function}",
                each.slug,
                each.role,
                Outcome.PASSED,
                "",
                0.1,
                [],
            )
            for each in self.curriculum.statements
            if each.slug in slugs
        ]
        RunRecord(
            run="run",
            started="2026-01-01T10:00:00+00:00",
            completed=True,
            exit_status=0,
            seconds=1.5,
            command=("pytest",),
            environment={},
            broker={"backend": "embedded", "version": "4.4.0"},
            solutions="",
            facts=facts_of(self.curriculum, tests),
            tests=tuple(tests),
        ).write(self.reports / "runs" / "1.json")

    def standing(self, day: float = 0) -> Standing:
        now = self._begin + day * DAY
        return standing_of(self.curriculum, self.reports, now=now)

    def quiz(self, day: float = 0, task: str | None = None, new: int = NEW_A_DAY) -> Quiz:
        return quiz_of(self.standing(day).questions, task, new)

    def question(self, slug: str, day: float = 0) -> QuestionStanding:
        (found,) = [each for each in self.standing(day).questions if each.question.slug == slug]
        return found

    def log(self) -> BeautifulSoup:
        """The learning log, as it is now."""
        path = self.reports / page.NAME
        standing = standing_of(self.curriculum, self.reports)
        page.write(standing, path, Pictures(self.reports / "pictures"), None)
        return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@pytest.fixture
def candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """Somebody who has done nothing yet, at a desk."""
    monkeypatch.delenv("CI", raising=False)
    return Candidate(tmp_path)


def slugs(questions: Sequence[QuestionStanding]) -> list[str]:
    return [each.question.slug for each in questions]


# The days on which a question comes back


def act(day: date, grade: object, clock: str = "09:00:00+00:00", about: str = "shrink") -> Act:
    said = {"grade": grade}
    return Act(f"{day}{clock}{grade}", f"{day}T{clock}", acts.RECALLED, about, said)


def replayed(*grades: tuple[date, str]) -> Recalled:
    return recalled([act(*each) for each in grades])["shrink"]


FIRST = date(2026, 1, 1)


def test_without_grades_nothing_is_recalled() -> None:
    """Acts of other kinds say nothing about questions."""
    other = act(FIRST, "good")._replace(kind=acts.EXPLAINED)

    assert recalled([]) == recalled([other]) == {}


def test_the_better_it_was_known_the_later_it_comes_back() -> None:
    """After a day at least, also if it was not known at all."""
    due = [replayed((FIRST, grade)).due for grade in GRADES]

    assert due == sorted(due)
    assert due[0] == FIRST + DAY
    assert due[-1] > due[0] + 6 * DAY, "easy is about a week"


@pytest.mark.parametrize("grade", GRADES)
def test_over_simulated_weeks_the_pauses_follow_the_grades(grade: str) -> None:
    """A question that is known each time comes back ever more rarely, any other each day."""
    grades, pauses = [(FIRST, grade)], []
    for _ in range(6):
        at = replayed(*grades)
        pauses.append((at.due - at.last).days)
        grades.append((at.due, grade))

    assert at.times == 6
    if grade == "again":
        assert pauses == [1] * 6
    else:
        assert pauses == sorted(set(pauses)), "each pause is longer than the one before"


def test_what_is_forgotten_comes_back_soon() -> None:
    """It was known for weeks: one "again" brings it back within days."""
    grades = [(FIRST, "good")]
    for _ in range(3):
        grades.append((replayed(*grades).due, "good"))
    known = replayed(*grades)

    forgotten = replayed(*grades, (known.due, "again"))

    assert known.due - known.last > 30 * DAY
    assert DAY <= forgotten.due - forgotten.last < 10 * DAY
    assert known.is_known
    assert not forgotten.is_known


@pytest.mark.parametrize(
    ("grade", "is_known"), [("again", False), ("hard", False), ("good", True), ("easy", True)]
)
def test_it_is_known_if_the_last_grade_says_so(grade: str, is_known: bool) -> None:
    """Good or easy."""
    assert replayed((FIRST, "good"), (FIRST + 9 * DAY, grade)).is_known is is_known


def test_the_hour_of_a_grade_is_of_no_matter() -> None:
    """Somebody who is a little earlier each morning is asked on the same days."""
    days = [FIRST + n * DAY for n in (0, 2, 13)]
    late, early = ("22:00:00+00:00", "12:00:00+00:00", "06:00:00+00:00"), ("09:00:00+00:00",) * 3

    dues = [
        recalled([act(day, "good", at) for day, at in zip(days, clock, strict=True)])["shrink"].due
        for clock in (late, early)
    ]

    assert dues[0] == dues[1]


def test_the_day_of_a_grade_is_that_of_the_learners_clock() -> None:
    """So it is the same day on a computer in another time zone."""
    (said,) = recalled([act(FIRST, "good", "23:30:00-08:00")]).values()

    assert (said.first, said.last) == (FIRST, FIRST)


@pytest.mark.parametrize("grade", ["superb", "", 3, None, ["good"], {"good": 1}, True])
def test_a_grade_that_is_none_is_passed_over(grade: object) -> None:
    """The others count."""
    said = recalled([act(FIRST, "good"), act(FIRST + DAY, grade)])["shrink"]

    assert (said.times, said.grade, said.last) == (1, "good", FIRST)


@given(st.lists(st.tuples(st.integers(0, 900), st.sampled_from(list(GRADES))), min_size=1))
def test_any_grades_give_a_day_and_a_replay_the_same_day(told: list[tuple[int, str]]) -> None:
    """The grades are all that is stored: what they say is computed again each time."""
    grades = [(FIRST + days * DAY, grade) for days, grade in sorted(told)]

    said = replayed(*grades)

    assert said == replayed(*grades), "nothing is left to chance"
    assert said.due > said.last
    assert (said.times, said.grade) == (len(told), grades[-1][1])


# What is asked


def test_on_the_first_day_answers_give_no_prediction_away(candidate: Candidate) -> None:
    """Only a question about one's own code is asked: its facts have no predictions."""
    first_day = candidate.quiz()
    candidate.predicted("only-grow")
    candidate.did(acts.SEEN, "takes-long")

    second = candidate.quiz()

    assert slugs(first_day.asked) == ["code"]
    assert slugs(first_day.waiting) == ["shrink", "slowly", "hash", "grow-keys"]
    assert slugs(second.asked) == ["shrink", "code"]
    assert slugs(second.waiting) == ["slowly", "hash", "grow-keys"], "also one that was opened"
    assert [fact.slug for fact in second.waiting[-1].to_predict] == ["key-decides"]


def test_a_curriculum_without_questions_has_no_quiz(candidate: Candidate) -> None:
    """None is due, and none can be answered."""
    for task in QUESTIONS:
        (candidate.folder / "interview" / f"task_{task}.toml").unlink()

    quiz = candidate.quiz()

    assert (quiz.asked, quiz.waiting, quiz.answered.of) == ((), (), 0)


def test_first_what_is_due_then_what_is_new(candidate: Candidate) -> None:
    """What has been due longest comes first; new ones come in the order of the course."""
    candidate.predicted_all()
    candidate.graded("code", "again", day=2)
    candidate.graded("grow-keys", "again", day=1)

    assert slugs(candidate.quiz(day=2).asked) == ["grow-keys", "shrink", "slowly", "hash"]
    assert slugs(candidate.quiz(day=3).asked) == ["grow-keys", "code", "shrink", "slowly", "hash"]


def test_only_so_many_are_new_on_one_day(candidate: Candidate) -> None:
    """Those of all tasks count, and the next day begins at nothing."""
    candidate.predicted_all()
    candidate.graded("hash", "good")
    at_first = candidate.quiz(new=2)
    candidate.graded("shrink", "good", day=0.1)
    then = candidate.quiz(new=2)

    assert (slugs(at_first.new), at_first.later) == (["shrink"], 3)
    assert (slugs(then.new), then.later) == ([], 3)
    assert slugs(candidate.quiz(new=2, day=1).new) == ["slowly", "code"]
    candidate.graded("hash", "again", day=1)
    assert slugs(candidate.quiz(new=2, day=1).new) == ["slowly", "code"], "it was not new"
    assert slugs(candidate.quiz(new=0, day=1).new) == []


def test_one_task_may_be_asked(candidate: Candidate) -> None:
    """Only what is at home in it, and only that counts."""
    candidate.predicted_all()
    candidate.graded("shrink", "again")

    quiz = candidate.quiz(task="1.2", day=5)

    assert slugs(quiz.asked) == ["hash", "grow-keys"]
    assert str(quiz.answered) == "0 of 2"


def test_an_open_prediction_stops_a_question_that_was_asked_before(candidate: Candidate) -> None:
    """Its answer is proved by one more fact since."""
    candidate.predicted("only-grow")
    candidate.graded("shrink", "again")
    candidate.ask("1_1", {"shrink": ["only-grow", "takes-long"]})

    quiz = candidate.quiz(day=9)

    assert "shrink" in slugs(quiz.waiting)
    assert slugs(quiz.due) == []


def test_an_edit_loses_no_grade(candidate: Candidate) -> None:
    """Grades belong to the slug: they wait while the question is away."""
    candidate.predicted_all()
    candidate.graded("shrink", "good")
    before = candidate.question("shrink").recalled

    candidate.ask("1_1", {"other": ["only-grow"]})
    away = slugs(candidate.standing().questions)
    candidate.ask("1_2", {"shrink": ["only-grow"]})

    assert "shrink" not in away
    assert candidate.question("shrink").recalled == before


def test_weeks_of_a_diligent_learner(candidate: Candidate) -> None:
    """Each is asked on the day when it is due, never before, and all become the learner's."""
    candidate.predicted_all()
    asked: dict[str, list[int]] = {}
    new_of_day = []
    for day in range(70):
        quiz = candidate.quiz(day, new=2)
        new_of_day.append(len(quiz.new))
        for each in quiz.asked:
            slug = each.question.slug
            if each.recalled:
                assert each.recalled.due == (BEGIN + day * DAY).date(), "it is not a day late"
            asked.setdefault(slug, []).append(day)
            candidate.graded(slug, "again" if len(asked[slug]) == 1 else "good", day)

    assert new_of_day[:4] == [2, 2, 1, 0]
    assert set(asked) == {"shrink", "slowly", "code", "hash", "grow-keys"}
    for days in asked.values():
        pauses = [after - before for before, after in pairwise(days)]
        assert pauses == sorted(pauses), "ever more rarely"
        assert len(days) < 10
    quiz = candidate.quiz(70)
    assert quiz.answered.is_full
    assert quiz.back is not None
    assert quiz.back > (BEGIN + 70 * DAY).date()


def test_a_broken_line_is_named_and_the_others_count(candidate: Candidate) -> None:
    """Also one with a time after which there is no other."""
    candidate.predicted_all()
    candidate.graded("shrink", "good")
    path = candidate.reports / acts.FILE
    last = path.read_text("utf-8").splitlines()[-1]
    with path.open("a") as file:
        file.write(last[:40] + "\n")
        for at in ("9999-12-31T00:00:00+00:00", "0001-01-01T00:00:00+14:00"):
            file.write(json.dumps({**json.loads(last), "id": at, "at": at}) + "\n")
    candidate.graded("hash", "good")

    standing = candidate.standing()

    known = [each.question.slug for each in standing.questions if each.is_yours]
    assert known == ["shrink", "hash"]
    assert standing.set_aside == tuple(
        f"{acts.FILE}:{number} is set aside: it is no act" for number in (5, 6, 7)
    )


# What is known of a question


def test_a_question_can_be_proved_when_its_facts_were_demonstrated(candidate: Candidate) -> None:
    """Until then, after the last task that one of its facts belongs to."""
    before = candidate.question("grow-keys")
    candidate.demonstrated("only-grow")
    half = candidate.question("grow-keys")
    candidate.demonstrated("only-grow", "key-decides")

    assert [before.is_provable, half.is_provable] == [False, False]
    assert (before.task, before.after) == ("1.2", "1.2")
    assert candidate.question("shrink").is_provable
    assert candidate.question("grow-keys").is_provable


@pytest.mark.parametrize("facts", [["key-decides", "only-grow"], ["only-grow", "key-decides"]])
def test_the_last_task_may_be_another_than_its_own(candidate: Candidate, facts: list[str]) -> None:
    """In whatever order its facts are named."""
    candidate.ask("1_1", {"far": facts})

    assert (candidate.question("far").task, candidate.question("far").after) == ("1.1", "1.2")


# In a real terminal


@pytest.fixture
def today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """Somebody whose first day is today, and who has predicted all but the slow fact."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "module.toml")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)
    found = Candidate(tmp_path, datetime.now().astimezone())
    found.predicted("only-grow", "key-decides")
    return found


Quizzed = Callable[..., AbstractContextManager[Screen]]


@pytest.fixture
def quizzed(today: Candidate) -> Quizzed:
    """Call `kafkalab quiz` in a terminal."""

    def call(*arguments: str, columns: int = 80) -> AbstractContextManager[Screen]:
        return screen([COMMAND, "quiz", *arguments], today.folder, columns=columns, rows=120)

    return call


def grades(candidate: Candidate) -> list[tuple[str, str, str]]:
    """What was kept: the question, the grade, and what was typed."""
    done, _ = acts.read(candidate.reports / acts.FILE)
    kept = [each for each in done if each.kind == acts.RECALLED]
    assert all(set(each.said) == {"grade", "answer"} for each in kept), "no state of a scheduler"
    return [(each.about, each.said["grade"], each.said["answer"]) for each in kept]


def day_in(days: int) -> str:
    return (datetime.now().astimezone() + days * DAY).date().isoformat()


@pytest.mark.parametrize("columns", [40, 80])
def test_a_question_is_answered_shown_and_graded(
    today: Candidate, quizzed: Quizzed, columns: int
) -> None:
    """Typed first; then the answer, what is asked next, what is wrong, and the proofs."""
    today.demonstrated("only-grow")
    with quizzed("1.1", columns=columns) as at:
        at.see("answered 0 of 3, 0 due today, 2 new, 1 after your predictions.")
        at.see(
            "1 of 2, task 1.1", "What about shrink?", "an empty line ends your answer", "yours >"
        )
        assert "The answer to shrink." not in " ".join(at.whole)
        at.type("They only grow,")
        at.see("and >")
        at.type("and that is all.")
        at.see("and >")
        at.type("")
        at.see("ours > The answer to shrink.", "Asked next: And what follows from shrink?")
        at.see("This follows.", 'Often said, but wrong: "Something else." It was measured.')
        at.see("With experience: I would look at the lag.", "What proves it: Partitions only grow.")
        at.see("demonstrated here, 2026-01-01, Kafka 4.4.0, embedded", "-k only_grow")
        at.see("a again: I did not know it", "a, h, g, e (q leaves) >")
        assert grades(today) == [], "it is graded by the learner"
        at.type("x")
        at.see("Please answer a, h, g, e or q (to leave).")
        at.type("g")
        at.see(f"Kept. It comes back on {day_in(2)}.", "2 of 2, task 1.1", "What about code?")
        at.type("")
        at.see("The answer to code.", "not run here", "(q leaves) >")
        at.type("again")
        at.see(f"comes back on {day_in(1)}.", "Graded 2: 1 again, 1 good.")
        at.see("Nothing is left for today.", f"The next day on which one comes back: {day_in(1)}.")
        at.see("1 question is not asked yet", "kafkalab learn takes-long")
        assert at.end() == 0
        lines = [line.rstrip() for line in CONTROL.sub("", at.received).splitlines()]

    assert grades(today) == [
        ("shrink", "good", "They only grow,\nand that is all."),
        ("code", "again", ""),
    ]
    command = r"\s+(kafkalab|pytest) "
    wide = [line for line in lines if len(line) > columns and not re.match(command, line)]
    assert wide == []


def test_stop_and_go_on_over_days(today: Candidate, quizzed: Quizzed) -> None:
    """What was graded stays; the next call goes on, and on the right day it comes back."""
    with quizzed("--new", "2") as at:
        at.see("2 new", "What about shrink?")
        at.type("")
        at.see("(q leaves) >")
        at.type("h")
        at.see("What about code?")
        at.type("q")
        at.see("Graded 1: 1 hard.", "Left for today: 1. To go on: kafkalab quiz --new 2")
        assert at.end() == 0
    with quizzed("--new", "2") as at:
        at.see("1 of 1", "What about code?")
        at.type("")
        at.see("(q leaves) >")
        at.type("q")
        at.see("Left for today: 1.")
        assert at.end() == 0
    assert [grade[:2] for grade in grades(today)] == [("shrink", "hard")]

    later(today, 1)
    with quizzed("--new", "0") as at:
        at.see("1 due today", "1 of 1", "What about shrink?")
        at.type("")
        at.see("(q leaves) >")
        at.type("e")
        at.see("Nothing is left for today.", "3 more are new, for another day.")
        at.see("To begin some of them now: kafkalab quiz The next day")
        assert at.end() == 0
    with quizzed("--new", "0") as at:
        at.see("answered 1 of 5, 0 due today", "There is nothing to ask today.")
        assert at.end() == 0


def later(candidate: Candidate, days: int) -> None:
    """So many days pass: all that was done is as much longer ago."""
    path = candidate.reports / acts.FILE
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        line["at"] = (datetime.fromisoformat(line["at"]) - days * DAY).isoformat()
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


@pytest.mark.parametrize(("key", "code"), [(CTRL_C, 130), (CTRL_D, 0)], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("where", ["yours >", "and >", "(q leaves) >"])
def test_left_by_a_key_anywhere(
    today: Candidate, quizzed: Quizzed, key: str, code: int, where: str
) -> None:
    """What is graded is kept, and what is not is asked again; no traceback."""
    with quizzed() as at:
        at.see("What about shrink?", "yours >")
        at.type("")
        at.see("(q leaves) >")
        at.type("g")
        at.see("What about code?", "yours >")
        for typed in {"yours >": [], "and >": ["some"], "(q leaves) >": [""]}[where]:
            at.type(typed)
            at.see(where)
        at.press(key)
        at.see("Graded 1: 1 good.", "Left for today: 3.")
        assert at.end() == code

    assert "Traceback" not in at.received
    assert grades(today) == [("shrink", "good", "")]
    log = (today.reports / page.NAME).read_text("utf-8")
    assert 'id="question-shrink"' in log, "the log is written again"


def test_the_first_day(today: Candidate, quizzed: Quizzed) -> None:
    """Nobody is asked what would tell the answer of a prediction; a word says what to do."""
    (today.reports / acts.FILE).unlink()
    with quizzed("1.2") as at:
        at.see("answered 0 of 2, 0 due today, 2 after your predictions.")
        at.see("There is nothing to ask today.", "2 questions are not asked yet")
        at.see("To predict the first one: kafkalab learn key-decides")
        assert at.end() == 0
    assert not (today.reports / acts.FILE).exists()
    assert "The answer" not in at.received


def test_an_opened_answer_is_waited_for(today: Candidate, quizzed: Quizzed) -> None:
    """A prediction would not count yet: the day is told from which on it does."""
    today.did(acts.SEEN, "takes-long")
    today.ask("1_1", {"slowly": ["takes-long"]})

    with quizzed("1.1") as at:
        at.see(f"You opened the answers: predictions count again from {day_in(7)} on.")
        assert at.end() == 0


def test_a_broken_line_stops_no_quiz(today: Candidate, quizzed: Quizzed) -> None:
    """It is named, and the grades beside it count."""
    with (today.reports / acts.FILE).open("a") as file:
        file.write('{"kind": "recalled", "about": "shr\n')
    today.graded("shrink", "again", day=-1)
    with quizzed("1.1") as at:
        at.see("acts.jsonl:3 is set aside: it is no act", "1 due today, 1 new")
        at.see("What about shrink?")
        at.type("q")
        assert at.end() == 0


@pytest.mark.parametrize("given", [None, "g\n\n"], ids=["nothing", "a pipe"])
def test_without_a_terminal_it_is_one_line(today: Candidate, given: str | None) -> None:
    """Somebody has to grade what they themselves said."""
    piped = subprocess.run(
        [COMMAND, "quiz"],
        cwd=today.folder,
        capture_output=True,
        text=True,
        check=False,
        **({"stdin": subprocess.DEVNULL} if given is None else {"input": given}),
    )

    assert (piped.returncode, piped.stdout) == (2, "")
    assert piped.stderr == (
        "kafkalab: quiz asks in the terminal, and there is none: call it in one; "
        "kafkalab status says what is due today\n"
    )
    assert grades(today) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["1.9"], "there is no task 1.9: there are 1.1, 1.2"),
        (["1.2"], "task 1.2 has no interview questions: kafkalab learn asks about its facts"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    today: Candidate, arguments: list[str], told: str
) -> None:
    """It names what there is."""
    (today.folder / "interview" / "task_1_2.toml").unlink()
    ended = subprocess.run(
        [COMMAND, "quiz", *arguments], cwd=today.folder, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"kafkalab: {told}\n")


# In the status and in the learning log


def status(candidate: Candidate, *arguments: str) -> str:
    """What `kafkalab status` prints."""
    return subprocess.run(
        [COMMAND, "status", *arguments],
        cwd=candidate.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_status_tells_what_is_due_today(today: Candidate) -> None:
    """With the command that asks it; as data, too."""
    today.graded("shrink", "again", day=-1)
    today.graded("hash", "good", day=-1)

    text = " ".join(status(today).split())
    data = json.loads(status(today, "--json"))

    told = "answered 1 of 5, 1 due today, 2 new, 1 after your predictions kafkalab quiz"
    assert f"Interview questions: {told}" in text
    assert data["yours"]["answered"] == {"done": 1, "of": 5}
    assert data["yours"]["questions_due"] == 1
    assert [task["yours"]["answered"]["done"] for task in data["tasks"]] == [0, 1]
    assert [task["yours"]["questions_due"] for task in data["tasks"]] == [1, 0]


def test_status_is_silent_about_questions_if_there_are_none(today: Candidate) -> None:
    """Also as data."""
    for task in QUESTIONS:
        (today.folder / "interview" / f"task_{task}.toml").unlink()

    assert "nterview" not in status(today)
    assert json.loads(status(today, "--json"))["yours"]["answered"] is None
    assert "Answered" not in today.log().text


def words(tag: Tag | None) -> str:
    assert tag is not None
    return " ".join(tag.get_text(" ").split())


def test_the_log_lists_each_question(today: Candidate) -> None:
    """From when on it can be proved, whether it is the learner's, and when it comes back."""
    today.demonstrated("only-grow")
    today.did(acts.RECALLED, "shrink", grade="good", answer="They <b>only</b> grow.")
    today.graded("hash", "again", day=-1)

    log = today.log()

    back = page._day(date.fromisoformat(day_in(2)))
    told = {tag["id"]: words(tag.select_one(".own")) for tag in log.select("details.interview")}
    assert told == {
        "question-shrink": f"provable now · yours · comes back on {back}",
        "question-slowly": "provable after task 1.1",
        "question-code": "provable after task 1.1",
        "question-hash": "provable after task 1.2 · due today",
        "question-grow-keys": "provable after task 1.2",
    }
    shrink = log.select_one("#question-shrink")
    assert shrink is not None
    assert "The answer to shrink. In your words They <b>only</b> grow. Asked next" in words(shrink)
    assert [link["href"] for link in shrink.select("a")] == ["#fact-only-grow"]
    assert "Answered 1 of 5 1 due today, 2 new, 1 after your predictions" in words(log)


def test_the_log_has_no_answer_that_gives_a_prediction_away(today: Candidate) -> None:
    """It is not in the page at all; in CI, where nobody learns, it is."""
    hidden = words(today.log().select_one("#question-slowly"))
    in_page = str(today.log())
    today.predicted("takes-long")

    assert "kafkalab learn takes-long" in hidden
    assert "The answer to slowly" not in in_page
    assert "The answer to slowly" in str(today.log())


def test_in_ci_the_log_has_all_answers(today: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    """No learner reads there."""
    monkeypatch.setenv("CI", "true")

    assert "The answer to slowly" in str(today.log())
