"""What is the learner's: each number moves by an act, and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log import acts
from kafkalab.learning_log.next_step import first_question, next_step, next_step_in
from kafkalab.learning_log.progress import Count, Progress
from kafkalab.learning_log.standing import FactStanding, Standing, standing_of
from kafkalab.own_code import digest_of

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
minutes = 30

[[task.concepts]]
title = "Partitions"
facts = ["first", "second"]

[[task.concepts]]
title = "Expiry"
facts = ["slow"]

[[task.concepts]]
title = "Describing"
facts = ["built", "built-too"]

[task.facts]
first = { hint = "A.", no_control = "none" }
second = { hint = "B.", no_control = "none" }
slow = { hint = "C.", no_control = "none" }
built = { hint = "D.", no_control = "none" }
built-too = { hint = "E.", no_control = "none" }

[[task]]
id = "1.2"
title = "Routing"
question = "Where does a record go?"
module = "test_task_1_2_routing"
component = "routing"

[task.facts]
third = { hint = "F.", no_control = "none" }
"""

PREDICTION = """
[{slug}]
question = "What of {slug}?"
choices = [
  {{ text = "Yes", right = true }},
  {{ text = "No", tempting = "It looks like it." }},
]
"""

TESTS = """\
import pytest

{facts}
"""

FACT = '''
{mark}@pytest.mark.fact("{slug}", scope="{scope}")
def test_{name}():
    """The {slug} sentence."""
'''

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fact(slug: str, scope: str = "any", mark: str = "") -> str:
    return FACT.format(slug=slug, name=slug.replace("-", "_"), scope=scope, mark=mark)


class Learner:
    """Somebody who predicts, explains and builds; days are counted from the first of January."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.reports, self.my_lab = folder, folder / "reports", folder / "my_lab"
        (folder / "lessons").mkdir()
        (folder / "predictions").mkdir()
        (folder / "module.toml").write_text(MANIFEST, "utf-8")
        topics = [
            fact("first"),
            fact("second"),
            fact("slow", mark="@pytest.mark.slow\n"),
            fact("built", "the component topics"),
            fact("built-too", "the component topics"),
        ]
        for module, facts in (("1_1_topics", topics), ("1_2_routing", [fact("third")])):
            text = TESTS.format(facts="\n".join(facts))
            (folder / "lessons" / f"test_task_{module}.py").write_text(text, "utf-8")
        for task, slugs in (("1_1", ("first", "second", "slow")), ("1_2", ("third",))):
            text = "".join(PREDICTION.format(slug=slug) for slug in slugs)
            (folder / "predictions" / f"task_{task}.toml").write_text(text, "utf-8")
        self.curriculum: Curriculum = load(folder / "module.toml")
        self.write("topics.py", "def describe(): ...\n")

    def did(self, kind: str, about: str, day: float = 0, **said: Any) -> None:
        """One act, so many days after the first."""
        at = (datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)).isoformat()
        self.reports.mkdir(exist_ok=True)
        with (self.reports / acts.FILE).open("a") as file:
            act = {"id": f"{kind}{about}{day}{said}", "at": at, "kind": kind, "about": about}
            file.write(json.dumps({**act, **said}) + "\n")

    def predicted(self, slug: str, day: float = 0, *, right: bool = True) -> None:
        self.did(acts.PREDICTED, slug, day, choice="Yes" if right else "No", right=right)

    def explained(self, slug: str, day: float = 0, *, agrees: bool = True) -> None:
        self.did(acts.EXPLAINED, slug, day, sentence=f"{slug}, in my words", agrees=agrees)

    def judged(self, day: float = 0, folder: str = "../my_lab", **facts: str) -> None:
        """The component was judged as its file is now; slugs with underscores."""
        code = digest_of(Path(self.reports, folder).resolve(), "topics")
        verdicts = {slug.replace("_", "-"): verdict for slug, verdict in facts.items()}
        self.did(acts.JUDGED, "1.1", day, folder=folder, code=code, facts=verdicts)

    def write(self, name: str, text: str, folder: str = "my_lab") -> None:
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def standing(self, day: float = 0) -> Standing:
        now = datetime(2026, 1, 1, 10, tzinfo=UTC) + timedelta(days=day)
        return standing_of(self.curriculum, self.reports, now=now)

    def topics(self, day: float = 0) -> Progress:
        """What is theirs of the first task."""
        return self.standing(day).tasks[0].yours

    def fact(self, slug: str, day: float = 0) -> FactStanding:
        facts = {each.slug: each for task in self.standing(day).tasks for each in task.facts}
        return facts[slug]

    def finish(self, day: float = 0) -> None:
        """All that the module asks for."""
        for slug in ("first", "second", "third"):
            self.predicted(slug, day)
            self.explained(slug, day)
        self.judged(day, built="demonstrated", built_too="demonstrated")


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learner:
    """Somebody who has done nothing yet, at a desk."""
    monkeypatch.delenv("CI", raising=False)
    return Learner(tmp_path)


def test_who_did_nothing_has_nothing(learner: Learner) -> None:
    """Slow facts are not asked for."""
    standing = learner.standing()

    assert standing.yours == Progress(Count(0, 3), Count(0, 3), Count(0, 2))
    assert standing.yours.percent == 0
    assert [task.status for task in standing.tasks] == ["not started", "not started"]
    assert not standing.has_begun


# Predicted, explained, built: act by act

Acts = Callable[[Learner], None]

PREDICTED: dict[str, tuple[Acts, int]] = {
    "a right prediction": (lambda me: me.predicted("first"), 1),
    "a wrong one counts as well": (lambda me: me.predicted("first", right=False), 1),
    "so does: I do not know": (
        lambda me: me.did(acts.PREDICTED, "first", choice="", right=False),
        1,
    ),
    "twice is once": (lambda me: [me.predicted("first"), me.predicted("first", 1)], 1),
    "seen first": (lambda me: [me.did(acts.SEEN, "first"), me.predicted("first", 1)], 0),
    "seen more than a week before": (
        lambda me: [me.did(acts.SEEN, "first"), me.predicted("first", 7)],
        1,
    ),
    "seen again meanwhile": (
        lambda me: [
            me.did(acts.SEEN, "first"),
            me.did(acts.SEEN, "first", 3),
            me.predicted("first", 7),
        ],
        0,
    ),
    "explained first": (lambda me: [me.explained("first"), me.predicted("first", 1)], 0),
    "tried too early, and again too early": (
        lambda me: [
            me.did(acts.SEEN, "first"),
            me.predicted("first", 5),
            me.predicted("first", 8),
        ],
        0,
    ),
    "seen afterwards": (lambda me: [me.predicted("first"), me.did(acts.SEEN, "first", 1)], 1),
    "a slow fact": (lambda me: me.predicted("slow"), 0),
    "a fact that is taught no more": (lambda me: me.predicted("gone"), 0),
    "an act of a later kafkalab": (lambda me: me.did("quizzed", "first", grade=3), 0),
}


@pytest.mark.parametrize(("done", "count"), PREDICTED.values(), ids=PREDICTED)
def test_predicted_is_what_was_chosen_before_it_was_seen(
    learner: Learner, done: Acts, count: int
) -> None:
    """The first prediction counts, right or wrong, unless the answer was opened within a week."""
    done(learner)

    assert learner.topics(day=30).predicted == Count(count, 2)


def test_a_surprise_is_to_be_explained(learner: Learner) -> None:
    """A wrong prediction, or none, is a surprise until one's own sentence says why."""
    learner.predicted("first", right=False)
    learner.did(acts.PREDICTED, "second", choice="", right=False)

    before = learner.topics().surprises
    learner.explained("first")

    assert (before, learner.topics().surprises) == (2, 1)


EXPLAINED: dict[str, tuple[Acts, float, int, int]] = {
    "one's own sentence": (lambda me: me.explained("first"), 1, 1, 0),
    "one that says something else": (lambda me: me.explained("first", agrees=False), 1, 0, 0),
    "mended at once": (
        lambda me: [me.explained("first", agrees=False), me.explained("first", 1)],
        2,
        1,
        0,
    ),
    "a week later it is due": (lambda me: me.explained("first"), 7, 1, 1),
    "not a day before": (lambda me: me.explained("first"), 6, 1, 0),
    "said again the day after, it is due a week after that": (
        lambda me: [me.explained("first"), me.explained("first", 1)],
        7,
        1,
        0,
    ),
    "and then it is": (
        lambda me: [me.explained("first"), me.explained("first", 1)],
        8,
        1,
        1,
    ),
    "said again after a week, it is settled": (
        lambda me: [me.explained("first"), me.explained("first", 7)],
        99,
        1,
        0,
    ),
    "another sentence after a week takes nothing away": (
        lambda me: [me.explained("first"), me.explained("first", 8, agrees=False)],
        9,
        1,
        1,
    ),
}


@pytest.mark.parametrize(("done", "day", "count", "due"), EXPLAINED.values(), ids=EXPLAINED)
def test_explained_is_ones_own_sentence_that_agrees(
    learner: Learner, done: Acts, day: float, count: int, due: int
) -> None:
    """It counts at once; after a week it is asked once more."""
    done(learner)

    assert (learner.topics(day).explained, learner.topics(day).due) == (Count(count, 2), due)


def nothing(me: Learner) -> None:
    """Nothing was done."""


def hold(me: Learner, **how: Any) -> None:
    me.judged(built="demonstrated", built_too="demonstrated", **how)


BUILT: dict[str, tuple[Acts, int, int]] = {
    "all hold": (hold, 2, 0),
    "one does not": (lambda me: me.judged(built="demonstrated", built_too="refuted"), 1, 0),
    "one by one": (
        lambda me: [me.judged(built="demonstrated"), me.judged(1, built_too="demonstrated")],
        2,
        0,
    ),
    "it held, and does no more": (lambda me: [hold(me), me.judged(1, built="refuted")], 1, 0),
    "the file was edited since": (lambda me: [hold(me), me.write("topics.py", "x = 1\n")], 0, 2),
    "edited, and one fact judged again": (
        lambda me: [
            hold(me),
            me.write("topics.py", "x = 1\n"),
            me.judged(1, built="demonstrated"),
        ],
        1,
        1,
    ),
    "edited, and back again": (
        lambda me: [
            hold(me),
            me.write("topics.py", "x = 1\n"),
            me.write("topics.py", "def describe(): ...\n"),
        ],
        2,
        0,
    ),
    "another component was edited": (
        lambda me: [hold(me), me.write("routing.py", "x = 1\n")],
        2,
        0,
    ),
    "a file that it imports was edited": (
        lambda me: [
            me.write("topics.py", "import common\n"),
            me.write("common.py", "x = 1\n"),
            hold(me),
            me.write("common.py", "x = 2\n"),
        ],
        0,
        2,
    ),
    "another folder is worse": (
        lambda me: [
            hold(me),
            me.write("topics.py", "x = 1\n", "other"),
            me.judged(1, "../other", built="refuted", built_too="refuted"),
        ],
        2,
        0,
    ),
    "another folder is better": (
        lambda me: [
            me.judged(built="demonstrated", built_too="refuted"),
            me.write("topics.py", "x = 1\n", "other"),
            hold(me, day=1, folder="../other"),
        ],
        2,
        0,
    ),
    "the file is gone": (lambda me: [hold(me), (me.my_lab / "topics.py").unlink()], 0, 0),
    "nothing that an act can say": (
        lambda me: [
            me.did(acts.JUDGED, "1.1", folder="\0", code=1, facts=[1]),
            me.did(acts.JUDGED, "1.1", folder=7),
            me.did(acts.JUDGED, "1.1", folder="../my_lab", facts={"built": 3}),
        ],
        0,
        1,
    ),
}


@pytest.mark.parametrize(("done", "held", "changed"), BUILT.values(), ids=BUILT)
def test_built_is_what_holds_for_the_file_as_it_is_now(
    learner: Learner, done: Acts, held: int, changed: int
) -> None:
    """What was judged before an edit says nothing of the code after it."""
    done(learner)

    assert (learner.topics().built, learner.topics().changed) == (Count(held, 2), changed)


def test_a_package_and_a_moved_clone(learner: Learner, tmp_path: Path) -> None:
    """A component may be a package; acts name its folder from where they stand."""
    (learner.my_lab / "topics.py").unlink()
    learner.write("topics/__init__.py", "from .inner import x\n")
    learner.write("topics/inner.py", "x = 1\n")
    hold(learner)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("reports", "my_lab"):
        (tmp_path / name).rename(moved / name)

    standing = standing_of(learner.curriculum, moved / "reports", now=NOW)

    assert standing.yours.built == Count(2, 2)
    (moved / "my_lab" / "topics" / "inner.py").write_text("x = 2\n", "utf-8")
    standing = standing_of(learner.curriculum, moved / "reports", now=NOW)
    assert (standing.yours.built, standing.yours.changed) == (Count(0, 2), 2)


def test_percent_is_of_all_three(learner: Learner) -> None:
    """Each fact to be predicted, explained or built counts once; it is rounded down."""
    learner.predicted("first")
    learner.explained("first")
    learner.judged(built="demonstrated")

    assert learner.standing().yours.whole == Count(3, 8)
    assert learner.standing().yours.percent == 37


def test_all_of_it(learner: Learner) -> None:
    """100 % means all, and there is nothing to do next."""
    learner.finish()

    standing = learner.standing()

    assert standing.yours.percent == 100
    assert [task.status for task in standing.tasks] == ["done", "done"]
    assert (standing.learnings, standing.code_files) == (Count(2, 3), Count(1, 1))
    step = next_step(standing)
    assert (step.task, step.command) == (None, "")
    assert step.sentence == "Module T is done: predicted, explained and built. Go on."


def test_a_line_that_is_no_act_is_named(learner: Learner) -> None:
    """The others count all the same."""
    learner.predicted("first")
    with (learner.reports / acts.FILE).open("a") as file:
        file.write("half an a\n")

    standing = learner.standing()

    assert standing.yours.predicted.done == 1
    assert standing.set_aside == ("acts.jsonl:2 is set aside: it is no act",)


@given(st.data())
def test_the_order_of_lines_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Git merges by lines: what two branches did counts by when it was done."""
    learner = Learner(tmp_path_factory.mktemp("learner"))
    days = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=8, unique=True))
    for day in days:
        kind = data.draw(st.sampled_from((acts.SEEN, acts.PREDICTED, acts.EXPLAINED)))
        learner.did(kind, "first", day, choice="Yes", right=True, sentence="s", agrees=True)
    path = learner.reports / acts.FILE
    lines = path.read_text("utf-8").splitlines(keepends=True)
    before = learner.topics(30)

    path.write_text("".join(data.draw(st.permutations([*lines, *lines]))), "utf-8")

    assert learner.topics(30) == before


# Concepts, days, status


def test_a_concept_is_learned_with_all_its_facts(learner: Learner) -> None:
    """A component's is learned when built; of what is only optional each fact is asked for."""
    learner.predicted("first")
    learner.explained("first")
    learner.predicted("second")
    half = learner.standing().tasks[0].concepts
    learner.explained("second")
    hold(learner)

    assert half == (("Partitions", False), ("Expiry", False), ("Describing", False))
    assert learner.standing().tasks[0].learnings == Count(2, 3)
    learner.predicted("slow")
    learner.explained("slow")
    assert learner.standing().tasks[0].learnings == Count(3, 3)


def test_what_was_judged_again_was_completed_before(learner: Learner) -> None:
    """The day is the first since which all holds."""
    learner.finish(day=4)
    hold(learner, day=20)
    same = learner.standing(30).tasks[0].completed
    learner.judged(21, built="refuted")
    hold(learner, day=22)

    assert str(same) == "2026-01-05"
    assert str(learner.standing(30).tasks[0].completed) == "2026-01-23"


def test_a_note_begins_a_task(learner: Learner) -> None:
    """Whoever writes something down has begun."""
    learner.reports.mkdir()
    (learner.reports / "journal.toml").write_text("[task_1_2]\ndifficulty = 4\n", "utf-8")

    assert [task.status for task in learner.standing().tasks] == ["not started", "in progress"]


def test_a_file_counts_when_it_was_judged(learner: Learner) -> None:
    """Whatever holds for it; one that is there no more does not."""
    learner.judged(built="refuted")
    there = learner.standing().code_files
    (learner.my_lab / "topics.py").unlink()

    assert (there, learner.standing().code_files) == (Count(1, 1), Count(0, 1))


def test_a_task_that_was_begun_is_in_progress(learner: Learner) -> None:
    """Any act begins it; it was started on the day of the first one."""
    learner.did(acts.SEEN, "second", day=2)
    learner.predicted("first", day=3)

    task = learner.standing(5).tasks[0]

    assert (task.status, task.completed) == ("in progress", None)
    assert str(task.started) == "2026-01-03"


def test_a_task_is_completed_on_the_day_of_what_was_missing(learner: Learner) -> None:
    """The last of the three; the journal's own date comes before it."""
    learner.finish(day=4)
    shown = learner.standing(5).tasks[0].completed
    (learner.reports / "journal.toml").write_text("[task_1_1]\ncompleted = 2026-02-03\n", "utf-8")

    assert str(shown) == "2026-01-05"
    assert str(learner.standing(5).tasks[0].completed) == "2026-02-03"


# What is hidden


HIDDEN: dict[str, tuple[Acts, bool]] = {
    "nobody has begun": (nothing, False),
    "own code was judged, which opens nothing": (hold, False),
    "another fact was predicted": (lambda me: me.predicted("second"), True),
    "another answer was opened": (lambda me: me.did(acts.SEEN, "second"), True),
    "it was predicted": (lambda me: me.predicted("first"), False),
    "it was opened": (lambda me: me.did(acts.SEEN, "first"), False),
    "it was explained, but not so": (lambda me: me.explained("first", agrees=False), False),
}


@pytest.mark.parametrize(("done", "is_hidden"), HIDDEN.values(), ids=HIDDEN)
def test_an_answer_is_hidden_until_it_is_predicted(
    learner: Learner, monkeypatch: pytest.MonkeyPatch, done: Acts, is_hidden: bool
) -> None:
    """Only where the learner has begun, and never in CI; a component's sentence is its task."""
    done(learner)

    assert learner.fact("first").is_hidden == is_hidden
    assert not learner.fact("built").is_hidden
    monkeypatch.setenv("CI", "true")
    assert not learner.fact("first").is_hidden


# What comes next


def gone(me: Learner) -> None:
    """All was predicted and explained; the component was judged, and its folder is no more."""
    learned(me)
    hold(me)
    me.my_lab.rename(me.folder / "renamed")


def learned(me: Learner) -> None:
    for slug in ("first", "second"):
        me.predicted(slug)
        me.explained(slug)


NEXT: dict[str, tuple[Acts, float, str, str]] = {
    "the first day": (
        nothing,
        0,
        "Begin task 1.1, Topics: What is a topic made of?",
        "kafkalab learn 1.1",
    ),
    "predicted, not explained": (
        lambda me: me.predicted("first"),
        0,
        "Go on with task 1.1, Topics: 1 to predict and 2 to explain.",
        "kafkalab learn 1.1",
    ),
    "surprised": (
        lambda me: [me.predicted("first", right=False), me.predicted("second")],
        0,
        "Go on with task 1.1, Topics: 2 to explain, 1 of them surprised you.",
        "kafkalab learn 1.1",
    ),
    "surprised, and own code was edited": (
        lambda me: [
            me.predicted("first", right=False),
            me.predicted("second"),
            hold(me),
            me.write("topics.py", "x = 1\n"),
        ],
        0,
        "Go on with task 1.1, Topics: 2 to explain, 1 of them surprised you. Then: Your own "
        "{my_lab}/topics.py of task 1.1 has changed: judge it again.",
        "kafkalab learn 1.1",
    ),
    "begun elsewhere": (
        lambda me: me.predicted("third"),
        0,
        "Go on with task 1.2, Routing: 1 to explain.",
        "kafkalab learn 1.2",
    ),
    "learned": (
        learned,
        0,
        "Write your own topics.py of task 1.1, and let the facts judge it.",
        "kafkalab start 1.1",
    ),
    "some hold": (
        lambda me: [learned(me), me.judged(built="refuted")],
        0,
        "Go on with your own {my_lab}/topics.py of task 1.1: 1 fact does not hold yet, 1 was not "
        "judged yet.",
        "kafkalab check 1.1 --folder {my_lab}",
    ),
    "edited": (
        lambda me: [learned(me), hold(me), me.write("topics.py", "x = 1\n")],
        0,
        "Your own {my_lab}/topics.py of task 1.1 has changed: judge it again.",
        "kafkalab check 1.1 --folder {my_lab}",
    ),
    "its folder is gone": (
        gone,
        0,
        "{my_lab}/topics.py of task 1.1 is not there any more: name its folder now.",
        "pytest -k task_1_1 --kafkalab-solutions=my_lab",
    ),
    "the next task": (
        lambda me: [learned(me), hold(me)],
        0,
        "Begin task 1.2, Routing: Where does a record go?",
        "kafkalab learn 1.2",
    ),
    "only what was opened too early is left": (
        lambda me: [
            me.did(acts.SEEN, "first"),
            me.explained("first"),
            me.predicted("second"),
            me.explained("second"),
            hold(me),
        ],
        1,
        "In task 1.1, Topics, you opened 1 fact before you predicted: a prediction counts again a "
        "week later.",
        "kafkalab learn 1.1",
    ),
    "a week after": (
        lambda me: me.finish(),
        7,
        "A week is over: explain 2 facts of task 1.1 once more.",
        "kafkalab learn 1.1",
    ),
}


@pytest.mark.parametrize(("done", "day", "sentence", "command"), NEXT.values(), ids=NEXT)
def test_the_next_step_is_one_sentence_and_one_command(
    learner: Learner, done: Acts, day: float, sentence: str, command: str
) -> None:
    """What was begun comes first, then the first task that was not."""
    done(learner)

    step = next_step(learner.standing(day))

    assert step.sentence == sentence.format(my_lab=learner.my_lab)
    assert step.command == command.format(my_lab=learner.my_lab)


def test_the_next_step_among_the_tasks_asked_for(learner: Learner) -> None:
    """Of tasks that are done there is none."""
    learned(learner)
    hold(learner)

    step = next_step_in(learner.standing().tasks[:1], "What was asked for")

    assert step.sentence == "What was asked for is done: predicted, explained and built. Go on."


def test_the_first_question_is_of_the_next_step(learner: Learner) -> None:
    """The first that was not answered; none when all were."""
    first = first_question(learner.standing())
    learner.predicted("first")
    second = first_question(learner.standing())
    learner.finish()

    assert first is not None
    assert second is not None
    assert (first.question, second.question) == ("What of first?", "What of second?")
    assert first_question(learner.standing()) is None
