"""`kafkalab learn`: asked before it is shown, kept at once, and gone on with anywhere."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psutil
import pytest
from screens import COLOUR, CTRL_C, CTRL_D, ENTER, Screen, screen

import kafkalab.__main__
from kafkalab.cli import evidence, main
from kafkalab.learning_log import acts
from kafkalab.waiting import wait_until

LESSON = """
    @pytest.mark.fact("thing", scope="any client")
    def test_a_thing_is(evidence, broker):
        '''A thing is a thing.

        So it was ever.
        '''
        evidence.table("Things", [{"name": "one", "size": 1}, {"name": "two", "size": 22}])
        evidence.number("measured", 7, "ms")
        assert True, "it is"

    @pytest.mark.control("thing", changes="there is none")
    def test_no_thing(evidence):
        '''Without a thing nothing is.'''
        evidence.note("Nothing was there.")

    @pytest.mark.fact("other", scope="any client")
    def test_another_thing():
        '''Another thing is another.'''
        WHAT_IS_OTHER

    @pytest.mark.fact("slow-thing", scope="any client")
    @pytest.mark.slow
    def test_a_slow_thing():
        '''A slow thing takes its time.'''

    @pytest.mark.fact("own", scope="the component topics")
    def test_own(solutions):
        '''Topics are made.'''
"""

NO_CONTROL = "nothing can be changed"
FACTS = {"thing": "", "other": NO_CONTROL, "slow-thing": NO_CONTROL, "own": NO_CONTROL}

QUESTIONS = """
[thing]
question = "What is a thing?"
choices = [
  { text = "No thing", tempting = "Nothing is, some think." },
  { text = "A thing", right = true },
  { text = "All things", tempting = "All would be too many." },
]

[other]
question = "And another?"
choices = [
  { text = "The same", tempting = "They look alike." },
  { text = "Another", right = true },
]

[slow-thing]
question = "How long does it take?"
choices = [
  { text = "Long", right = true },
  { text = "No time", tempting = "One would like that." },
]
"""

# The command in a terminal of its own, with the broker that is only played.
PLAYED_LEARN = """
import conftest, kafkalab.lab
import kafkalab.__main__
from kafkalab.cli import evidence, learning, main, warmed
warmed.choose = kafkalab.lab.choose
main()
"""


@pytest.fixture
def lessons(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project that asks three questions, and has one fact about a component."""
    project.teach(LESSON.replace("WHAT_IS_OTHER", "assert True"), FACTS)
    (project.folder / "predictions").mkdir()
    (project.folder / "predictions" / "task_9_1.toml").write_text(QUESTIONS, "utf-8")
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "module.toml")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)
    return project


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


Learn = Callable[..., Said]


@pytest.fixture
def learn(
    lessons: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Learn:
    """Call `kafkalab learn` and answer by a pipe; facts run in a real pytest."""
    monkeypatch.setenv("COLUMNS", "80")
    lessons.play_warmth(monkeypatch)

    def call(*arguments: str, answers: str | bytes = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["kafkalab", "learn", *arguments])
        given = answers.encode() if isinstance(answers, str) else answers
        pipe = io.BytesIO(given.replace(b"|", b"\n") + b"\n" if given else b"")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe, "utf-8", "strict"))
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Said(printed.out, printed.err, code)

    return call


def done(project: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """The acts that were kept: kind, subject, and what was said."""
    found, _ = acts.read(project.folder / "reports" / acts.FILE)
    return [(act.kind, act.about, act.said) for act in found]


def told(said: Said) -> str:
    """What was printed, wherever its lines are broken."""
    return " ".join(said.out.split())


def test_a_fact_is_asked_shown_and_explained(learn: Learn, lessons: Any) -> None:
    """Question, run, right or wrong, evidence, sentence, why, control, one's own words."""
    said = learn("9.1", answers="b|take it away|It is itself.|y|q")

    assert said.code == 0, said
    text = told(said)
    in_order = [
        "9.1 Things: What is a thing?",
        "1 of 2 What is a thing?",
        "a No thing b A thing c All things ? I don't know",
        "a, b, c, ? (q leaves) > b",
        "It runs now",
        "Right: b: A thing",
        "What was seen: Things: name size one 1 two 22",
        "measured: 7 ms",
        "learning_log.html#fact-thing",
        "A thing is a thing. So it was ever.",
        "What would you change to make it false? A guess is saved, and not judged.",
        "Type a guess, or Enter to see > take it away",
        "This time: there is none Without a thing nothing is. Nothing was there.",
        "yours > It is itself. ours > A thing is a thing.",
        "Does yours say the same? (y or n) > y Kept.",
        "2 of 2 And another?",
        "9.1: predicted 1 of 2, right 1, explained 1.",
        "To go on: kafkalab learn 9.1",
    ]
    places = [text.find(each) for each in in_order]
    assert -1 not in places, in_order[places.index(-1)]
    assert places == sorted(places), "in this order"
    assert done(lessons) == [
        ("predicted", "thing", {"choice": "A thing", "right": True}),
        ("varied", "thing", {"said": "take it away"}),
        ("explained", "thing", {"sentence": "It is itself.", "agrees": True}),
    ]
    assert lessons.launches == 1


def test_what_ran_is_a_run_like_any_other(learn: Learn, lessons: Any) -> None:
    """It has a record of its own, with its verdict, and the learning log is written."""
    learn("9.1", answers="b||Mine.|y|b||Mine.|y")

    records = list((lessons.folder / "reports" / "runs").glob("*.json"))
    runs = [json.loads(path.read_text("utf-8")) for path in records]
    verdicts = {fact["slug"]: fact["verdict"] for run in runs for fact in run["facts"]}
    assert verdicts == {"thing": "demonstrated", "other": "demonstrated"}
    assert len({run["run"] for run in runs}) == 2, "each has an id of its own"
    assert all(run["completed"] for run in runs)
    assert (lessons.folder / "reports" / "learning_log.html").exists()
    assert lessons.launches == 1, "both on the broker that was warm"


Shown = Callable[..., list[str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """What is printed of evidence of one case, in a terminal of so many columns, line by line."""

    def lines(*items: dict[str, Any], columns: int = 80) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        evidence.show({"": items})
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert max(map(len, printed)) <= columns, "the terminal breaks no line"
        return printed

    return lines


def table(*rows: dict[str, Any], left_out: int = 0) -> dict[str, Any]:
    return {
        "kind": "table",
        "title": "Things",
        "look": "",
        "columns": list(rows[0]),
        "rows": [list(row.values()) for row in rows],
        "left_out": left_out,
    }


def owners(*spans: tuple[str, float, float, str], look: str = "") -> dict[str, Any]:
    named = [dict(zip(("row", "start", "end", "what"), span, strict=True)) for span in spans]
    return {"kind": "timeline", "title": "Owners", "look": look, "spans": named, "left_out": 0}


def lag(**lines: list[list[float | None]]) -> dict[str, Any]:
    item = {"kind": "series", "title": "Lag", "unit": "records", "lines_left_out": 0}
    return {**item, "lines": lines}


def test_evidence_is_shown_as_text(shown: Shown) -> None:
    """Shares and timelines as bars, lines as blocks; what to look at stands above."""
    things = table(
        {"name": "one", "is one": True},
        {"name": "", "is one": False},
        {"name": None, "is one": 3},
        left_out=2,
    )

    assert shown(
        {**things, "look": "They differ."},
        {"kind": "shares", "title": "Whole", "counts": {"0": {"": 3}, "1": {"": 1}}},
        owners(("0", 0.0, 1.0, "left"), ("0", 1.5, 2.0, "right")),
        lag(a=[[0.0, 3.0], [1.0, 9.0], [2.0, None], [2.5, 0.0]]),
        {"kind": "number", "name": "measured", "value": 7, "unit": "ms"},
    ) == [
        "  Things:",
        "    They differ.",
        "    name   is one",
        "    one    yes",
        "    empty  no",
        "    none   3",
        "    and 2 more rows, which were not recorded",
        "  Whole:",
        f"    0  {'#' * 50} 3 (75%)",
        f"    1  {'#' * 17} 1 (25%)",
        "  Owners:",
        f"    0  {'A' * 25}{'.' * 13}{'B' * 12}",
        "    from 0 to 2 s",
        "    letters: A left, B right",
        "    .  no owner; between two owners: 0 for 500 ms",
        "  Lag:",
        f"    a  {'▃' * 20}{'█' * 20}{' ' * 9}▁",
        "       first 3, highest 9, last 0 records",
        "    from 0 to 2.5 s",
        "  measured: 7 ms",
    ]


@pytest.mark.parametrize("columns", [40, 80])
def test_a_gap_of_any_length_is_seen_and_told(shown: Shown, columns: int) -> None:
    """However short it is beside the rest; who keeps a row has none."""
    told = shown(
        owners(("p 0", 0, 1, "a"), ("p 0", 1.0033, 60, "b"), ("p 1", 0, 60, "a")), columns=columns
    )

    assert re.fullmatch(r"    p 0  A\.B+", told[1])
    assert re.fullmatch(r"    p 1  A+", told[2])
    assert "no owner; between two owners: p 0 for 3.3 ms" in " ".join(" ".join(told).split())


def test_nothing_in_a_row_is_hidden(shown: Shown) -> None:
    """A moment's owner, one of no time at all, and two at once."""
    told = shown(
        owners(
            ("0", 0, 1, "a"),
            ("0", 1, 1.0001, "b"),
            ("0", 1.0001, 60, "a"),
            ("1", 0, 1, "a"),
            ("1", 30, 30, "b"),
            ("1", 59, 60, "a"),
            ("2", 0, 40, "a"),
            ("2", 39.9, 60, "b"),
        )
    )

    assert re.fullmatch(r"    0  AB?A*BA+", told[1])
    assert re.fullmatch(r"    1  A\.+B\.+A", told[2])
    assert re.fullmatch(r"    2  A+\+B+", told[3])
    assert "    +  several at once" in told


def test_letters_and_rows_are_in_the_order_of_their_numbers(shown: Shown) -> None:
    """Whoever came first; and a caption that speaks of colours is explained."""
    told = shown(
        owners(
            ("p 10", 0, 1, "member-10"),
            ("p 2", 0, 1, "member-2"),
            look="Where its colour changes another one has it.",
        )
    )

    assert [line.split()[1:2] for line in told[2:4]] == [["2"], ["10"]]
    assert told[5:] == [
        "    letters: A member-2, B member-10",
        "    if the caption speaks of a colour, look at the letter",
    ]


def test_parts_of_a_bar_are_letters(shown: Shown) -> None:
    """None so small that it is not seen; of experiments side by side no share is told."""
    counts = {"group 3": {"m-1": 4, "m-2": 4, "m-3": 4}, "group 1": {"m-1": 999, "m-2": 1}}

    assert shown({"kind": "shares", "title": "Read", "counts": counts}) == [
        "  Read:",
        "    group 1  " + "A" * 49 + "B 1000",
        "             m-1 999, m-2 1",
        "    group 3  ABC 12",
        "             m-1 4, m-2 4, m-3 4",
        "    letters: A m-1, B m-2, C m-3",
    ]


def test_of_many_rows_the_last_are_shown(shown: Shown) -> None:
    """What is left out stands in the middle, in tables and in pictures."""
    rows = [{"n": n, "text": "x" * (n + 1)} for n in range(15)]
    more = "    ... 3 more {}, in the learning log"

    of_table = shown(table(*rows))
    of_narrow = shown(table(*(dict.fromkeys(map(str, range(20)), n) for n in range(15))))
    of_bars = shown(owners(*((f"p {n}", 0, 1, "a") for n in range(15))))
    of_lines = shown(lag(**{f"p {n}": [[0, 1], [1, 1]] for n in range(15)}))

    heads = [*range(6), "...", *range(9, 15)]
    assert [line.split()[0] for line in of_table[2:]] == list(map(str, heads))
    assert of_table[8] == more.format("rows")
    assert of_narrow.index(more.format("rows")) == 1 + 6 * 20
    assert of_narrow[-1] == "      19: 14"
    assert (of_bars[7], of_bars[13][:8]) == (more.format("rows"), "    p 14")
    assert (of_lines[13], of_lines[-3][:8]) == (more.format("lines"), "    p 14")


def test_a_wide_table_is_read_at_any_width(shown: Shown) -> None:
    """Words go on below in their column; where that is too narrow each row is a block."""
    wide = table(
        {"partition": 0, "longest silence in s": 0.784, "of a member that gave up nothing": False},
        {"partition": 1, "longest silence in s": 0.02, "of a member that gave up nothing": True},
    )

    assert shown(wide, columns=44) == [
        "  Things:",
        "                             of a member",
        "               longest       that gave up",
        "    partition  silence in s  nothing",
        "    0          0.784         no",
        "    1          0.02          yes",
    ]
    assert shown(wide, columns=30)[:6] == [
        "  Things:",
        "    partition: 0",
        "      longest silence in s:",
        "      0.784",
        "      of a member that gave up",
        "      nothing: no",
    ]


def test_wide_letters_have_room_in_a_table(shown: Shown) -> None:
    """They are as wide as two, and no word is broken."""
    assert shown(table({"name": "東京", "size": 1}))[2] == "    東京  1"


def test_a_terminal_without_blocks_gets_digits(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No letter is printed that its encoding does not have."""
    monkeypatch.setattr(evidence.output, "can_show", lambda _: False)

    assert shown(lag(a=[[0, 0], [1, 9]]))[1] == f"    a  {'0' * 49}9"


def test_every_case_is_shown(learn: Learn, lessons: Any) -> None:
    """Tables and notes of each; pictures of the first; what was there already is not repeated."""
    of_cases = """evidence.table("Rows of " + word.strip("!"), [{"name": word.strip("!")}])
        evidence.shares("Shares of " + word.strip("!"), {"0": len(word.strip("!"))})
    """
    parametrised = LESSON.replace(
        "def test_another_thing():",
        "@pytest.mark.parametrize('word', ['one', 'three', 'one!'])\n"
        "    def test_another_thing(evidence, word):",
    )
    lessons.teach(parametrised.replace("WHAT_IS_OTHER", of_cases), FACTS)

    text = told(learn("other", answers="b|q"))

    assert "case one Rows of one: name one Shares of one: 0 ###" in text
    assert "case three Rows of three: name three Shares of three: in the learning log" in text
    assert "case one!: the same as above" in text


def test_a_wrong_answer_is_told_why_it_tempts(learn: Learn, lessons: Any) -> None:
    said = learn("9.1", answers="c.|q")

    assert ("Not so: c: All things\n  All would be too many.\nIt is b: A thing\n") in said.out
    assert done(lessons) == [("predicted", "thing", {"choice": "All things", "right": False})]


def test_not_to_know_is_an_answer(learn: Learn, lessons: Any) -> None:
    said = learn("9.1", answers="?|q")

    assert "It is b: A thing" in said.out
    assert "Not so" not in said.out
    assert "9.1: predicted 1 of 2, right 0, did not know 1, explained 0." in said.out
    assert done(lessons) == [("predicted", "thing", {"choice": "", "right": False})]


def test_an_answer_that_is_none_is_asked_again(learn: Learn, lessons: Any) -> None:
    """In one line each, and nothing is kept of it."""
    wrong = ["d", "1", "", "yes", "aa", "a b", "\x1b[31m", "ü"]

    said = learn("9.1", answers="|".join([*wrong, "q"]))

    assert said.out.count("Please answer a, b, c, ? or q (to leave).\n") == len(wrong)
    assert "\x1b" not in said.out
    assert done(lessons) == []


def test_it_goes_on_where_it_stopped(learn: Learn, lessons: Any) -> None:
    """What was answered is not asked twice; what was not explained is shown once more."""
    learn("9.1", answers="a|q")

    said = learn(answers="|Mine.|y|q")

    text = told(said)
    assert "What is a thing? You answered on" in text
    assert "Not so: a: No thing Nothing is, some think. It is b: A thing" in text
    assert "2 of 2 And another?" in text
    assert [kind for kind, _, _ in done(lessons)] == ["predicted", "explained"]


def test_a_question_may_have_changed_since_it_was_answered(learn: Learn, lessons: Any) -> None:
    """What was right then, was."""
    path = lessons.folder / "reports" / acts.FILE
    acts.append(path, acts.PREDICTED, "thing", choice="One of them", right=True)
    acts.append(path, acts.PREDICTED, "other", choice="None at all", right=False)

    text = told(learn("9.1", answers="|Mine.|y|q"))

    assert "Right: b: A thing" in text
    assert "Not so: None at all It is b: Another" in text


def test_who_does_not_agree_is_asked_again(learn: Learn, lessons: Any) -> None:
    """And who says nothing, and who leaves before comparing."""
    first = learn("9.1", answers="b||Mine.|n|q")
    second = learn("9.1", answers="|Mine again.|q")
    third = learn("9.1", answers="||q")

    assert "Kept. It is asked another time." in first.out
    assert "explained 0" in second.out
    assert "It is asked another time." in third.out
    explained = [said for kind, _, said in done(lessons) if kind == "explained"]
    assert explained == [
        {"sentence": "Mine.", "agrees": False},
        {"sentence": "Mine again.", "agrees": False},
    ]


def test_one_fact_by_its_slug(learn: Learn) -> None:
    """Only it; once all is done with it, it is a repetition, which counts no more."""
    first = learn("other", answers="a||Mine.|y")
    second = learn("other", answers="b||Mine.|y")

    assert "What is a thing?" not in first.out.split("\n", 1)[1]
    assert "There is no control: nothing can be changed." in first.out
    assert "a repetition" not in first.out
    assert "it is a repetition, and does not count again" in told(second)
    assert "predicted 1 of 2, right 0, explained 1" in second.out


def test_without_a_control_one_goes_on_with_enter(learn: Learn, lessons: Any) -> None:
    """What else is typed there is no answer to the next question, and is not taken for one."""
    said = learn("other", answers="b|My sentence.||Mine.|y")

    assert "There is no control: nothing can be changed. Enter goes on >" in told(said)
    assert "Just Enter, please: your own words are asked next." in said.out
    kept = [(kind, what) for kind, _, what in done(lessons)]
    assert kept[1:] == [("explained", {"sentence": "Mine.", "agrees": True})]


def test_what_has_scrolled_away_is_told_once_more(learn: Learn, lessons: Any) -> None:
    """The question and what is right, in front of the next prompt; not after a short answer."""
    rows = '[{"n": n} for n in range(ROWS)]'
    many = f"evidence.table('Many', {rows})\n        evidence.table('More', {rows})"
    asked = "Asked: And another? Right is b: Another There is no control"
    taught = LESSON.replace("test_another_thing()", "test_another_thing(evidence)")
    lessons.teach(taught.replace("WHAT_IS_OTHER", many.replace("ROWS", "12")), FACTS)
    long = learn("other", answers="b||Mine.|y")
    lessons.teach(taught.replace("WHAT_IS_OTHER", many.replace("ROWS", "3")), FACTS)
    short = learn("other", answers="b||Mine.|y")

    assert asked in told(long)
    assert "Asked:" not in short.out


WORDS = """
[[task.words]]
term = "thing"
meaning = "What is, and is no other."

[task.facts]
"""


def test_words_are_explained_before_the_first_fact(learn: Learn, lessons: Any) -> None:
    """Once: who has done something of the task knows them, or finds them in the learning log."""
    manifest = lessons.lessons / "module.toml"
    text = manifest.read_text("utf-8")
    assert text.count("\n[task.facts]\n") == 1
    manifest.write_text(text.replace("\n[task.facts]\n", WORDS), "utf-8")

    first = learn("9.1", answers="b|q")
    second = learn("9.1", answers="q")

    explained = "Words that come up: thing: What is, and is no other. 1 of 2 What is a thing?"
    assert explained in told(first)
    assert "Words that come up" not in second.out
    page = (lessons.folder / "reports" / "learning_log.html").read_text("utf-8")
    assert "<dt>thing</dt><dd>What is, and is no other.</dd>" in page


def test_a_fact_that_takes_a_minute_is_asked_by_its_slug(learn: Learn, lessons: Any) -> None:
    """A task passes it over, and says so."""
    of_task = learn("9.1", answers="b||Mine.|y|b||Mine.|y")
    alone = learn("slow_thing", answers="a||Mine.|y")

    assert "How long" not in of_task.out
    assert "kafkalab learn slow-thing" in of_task.out
    assert "Right: a: Long" in alone.out
    assert lessons.verdicts()["slow-thing"] == "demonstrated"
    assert "kafkalab learn slow-thing" not in alone.out


def test_after_the_last_question_the_component_comes_next(learn: Learn, lessons: Any) -> None:
    """And once all is done nothing runs any more."""
    last = learn("9.1", answers="b||Mine.|y|b||Mine.|y")
    after = learn(answers="")

    for said in (last, after):
        assert "9.1: predicted 2 of 2, right 2, explained 2." in said.out
        assert "kafkalab start 9.1" in said.out
    assert lessons.launches == 1


def test_what_was_explained_a_week_ago_is_said_again_from_memory(
    learn: Learn, lessons: Any
) -> None:
    """The sentence comes after one's own, and Kafka is not needed."""
    learn("9.1", answers="b||Mine.|y|b||Mine.|y")
    _move_back(lessons, timedelta(days=8))

    said = learn("9.1", answers="Still mine.|y|q")

    text = told(said)
    assert text.index("Still mine.") < text.index("ours > A thing is a thing.")
    assert "What was seen" not in text
    assert done(lessons)[-1] == ("explained", "thing", {"sentence": "Still mine.", "agrees": True})
    assert lessons.launches == 1


def test_what_was_seen_before_is_not_asked_as_if_it_were_new(learn: Learn, lessons: Any) -> None:
    """Its prediction would not count for a week: it is said from when on it does."""
    acts.append(lessons.folder / "reports" / acts.FILE, acts.SEEN, "thing")

    said = learn("9.1", answers="|Mine.|y|q")

    assert "You have seen the answer: a prediction counts again from" in told(said)
    assert "a, b, c, ?" not in said.out
    assert [kind for kind, _, _ in done(lessons)] == ["seen", "explained"]


def _move_back(project: Any, time: timedelta) -> None:
    """Let all acts have been done so much earlier."""
    path = project.folder / "reports" / acts.FILE
    moved = []
    for line in path.read_text("utf-8").splitlines():
        act = json.loads(line)
        moved.append({**act, "at": (datetime.fromisoformat(act["at"]) - time).isoformat()})
    path.write_text("".join(f"{json.dumps(act)}\n" for act in moved), "utf-8")


# What may go wrong


def test_a_refuted_fact_is_told_and_the_lesson_goes_on(learn: Learn, lessons: Any) -> None:
    """In two lines, with the command to look at it."""
    refuted = LESSON.replace("WHAT_IS_OTHER", "assert 1 == 2, 'one is two'")
    lessons.teach(refuted, FACTS)

    said = learn("other", answers="b||Mine.|y")

    assert said.code == 0
    assert (
        "refuted here, in this run:\n"
        "  expected: one is two\n"
        "  seen:     1\n"
        "  expected: 2\n"
        "  To look at it:\n"
        "    pytest -k other\n"
    ) in said.out
    assert "explained 1" in said.out


def test_a_process_that_dies_is_told_and_the_lesson_goes_on(learn: Learn, lessons: Any) -> None:
    """No record says what came of it: pytest's own exit code is told."""
    lessons.teach(LESSON.replace("WHAT_IS_OTHER", "os._exit(7)"), FACTS)

    said = learn("other", answers="b||Mine.|y")

    assert "pytest ended with 7, and left no record:" in said.out
    assert "explained 1" in said.out


def test_a_fact_that_cannot_run_here_says_so_before_it_is_asked(learn: Learn, lessons: Any) -> None:
    """It is asked all the same: one may know the answer, and learn it."""
    needy = LESSON.replace("def test_another", "@pytest.mark.needs('jars')\n    def test_another")
    lessons.teach(needy.replace("WHAT_IS_OTHER", "assert True"), FACTS)

    said = learn("other", answers="b||Mine.|y")

    text = told(said)
    assert text.index("It does not run here: needs jars") < text.index("And another?")
    assert "Right: b: Another" in text
    assert "It runs now" not in text
    assert "explained 1" in text


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("7.1", "there is no task 7.1: there are 9.1"),
        ("thng", "did you mean the fact thing?"),
        ("own", "own has no question: it judges your own code: kafkalab start 9.1"),
        ("\x1b[2J", r"there is no task \x1b[2J"),
    ],
    ids=ascii,
)
def test_what_cannot_be_learned_is_one_line(learn: Learn, what: str, word: str) -> None:
    said = learn(what)

    assert said.code == 2
    assert said.err.startswith("kafkalab: ")
    assert said.err.count("\n") == 1
    assert word in said.err


def test_a_curriculum_without_questions_is_one_line(learn: Learn, lessons: Any) -> None:
    (lessons.folder / "predictions" / "task_9_1.toml").unlink()

    for what in ([], ["9.1"]):
        said = learn(*what)
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "no questions" in said.err


def test_without_answers_it_says_that_it_needs_some(learn: Learn, lessons: Any) -> None:
    """One line, exit code 2; nothing is kept, and nothing runs on."""
    said = learn("9.1", answers="")

    assert said.code == 2
    assert said.err.splitlines()[-1].startswith("kafkalab: learn asks, but gets no answer")
    assert done(lessons) == []


def test_answers_that_end_are_the_same_as_to_leave(learn: Learn) -> None:
    """What was answered counts."""
    said = learn("9.1", answers="b")

    assert (said.code, said.err) == (0, "")
    assert "predicted 1 of 2" in said.out


def test_acts_that_cannot_be_kept_are_told_in_one_line(learn: Learn, lessons: Any) -> None:
    """Whoever answers must know that it would be lost."""
    (lessons.folder / "reports" / acts.FILE).mkdir(parents=True)

    said = learn("9.1", answers="b")

    assert (said.code, said.err.count("\n")) == (2, 1)
    assert acts.FILE in said.err
    assert "check its rights" in said.err


def test_a_broken_line_of_acts_is_named(learn: Learn, lessons: Any) -> None:
    reports = lessons.folder / "reports"
    reports.mkdir()
    (reports / acts.FILE).write_text("no act\n", "utf-8")

    assert f"{acts.FILE}:1 is set aside" in learn("9.1", answers="q").out


# In a terminal


Open = Callable[..., Screen]


@pytest.fixture
def opened(lessons: Any) -> Iterator[Open]:
    """Opens terminals in which `kafkalab learn` runs in the project."""
    with ExitStack() as stack:

        def open_one(*arguments: str, **terminal: Any) -> Screen:
            command = [sys.executable, "-c", PLAYED_LEARN, "learn", *arguments]
            at: AbstractContextManager[Screen] = screen(command, lessons.folder, **terminal)
            return stack.enter_context(at)

        yield open_one


def assert_nothing_is_left(project: Any) -> None:
    """No process of the run, and no folder of it."""
    runs = project.folder / "cache" / "runs"

    def left() -> list[str]:
        folders = [str(path) for path in runs.iterdir()] if runs.exists() else []
        mine = [each for each in psutil.process_iter() if _is_of(project.folder, each)]
        return folders + [str(each) for each in mine]

    wait_until(left, lambda found: not found, limit=20, what="all to be gone")


def _is_of(folder: Path, process: psutil.Process) -> bool:
    if process.pid == os.getpid():
        return False
    return any(str(folder) in part for part in _command_of(process))


def _command_of(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that has ended."""
    try:
        command: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return command


def test_the_first_day(opened: Open, lessons: Any) -> None:
    """A whole task in a terminal; at its end the shell's next line begins at the left."""
    at = opened("9.1")
    at.see("What is a thing?", "(q leaves) >")
    at.type("b")
    at.see("Right: b: A thing", "or Enter to see >")
    at.type("")
    at.see("This time: there is none", "yours >")
    at.type("It is itself.")
    at.see("ours > A thing is a thing.", "(y or n) >")
    at.type("y")
    at.see("2 of 2", "And another?")
    at.type("b")
    at.see("There is no control", "Enter goes on >")
    at.type("")
    at.see("yours >")
    at.type("Another one.")
    at.see("(y or n) >")
    at.type("y")

    assert at.end() == 0
    assert at.received.endswith("kafkalab start 9.1\r\n")
    assert [kind for kind, _, _ in done(lessons)] == ["predicted", "explained"] * 2
    assert_nothing_is_left(lessons)


PROMPTS = ["(q leaves) >", "or Enter to see >", "yours >", "(y or n) >"]
ANSWERS = ["b", "", "Mine.", "y"]


@pytest.mark.parametrize(
    ("at_prompt", "key", "code"),
    [
        *((at, CTRL_C, 130) for at in range(4)),
        (0, CTRL_D, 0),
        (3, CTRL_D, 0),
        (1, f"q{ENTER}", 0),
        (2, f"Q{ENTER}", 0),
    ],
    ids=ascii,
)
def test_it_can_be_left_at_each_prompt(
    opened: Open, lessons: Any, at_prompt: int, key: str, code: int
) -> None:
    """What was answered is kept, the summary is told, and nothing is left."""
    at = opened("thing")
    for prompt, answer in zip(PROMPTS[:at_prompt], ANSWERS, strict=False):
        at.see(prompt)
        at.type(answer)
    at.see(PROMPTS[at_prompt])

    at.press(key)

    assert at.end() == code
    assert f"9.1: predicted {min(at_prompt, 1)} of 2" in at.received
    assert "Traceback" not in at.received
    assert at.received.endswith("kafkalab learn 9.1\r\n")
    kept = {0: [], 1: ["predicted"], 2: ["predicted"], 3: ["predicted", "explained"]}
    assert [kind for kind, _, _ in done(lessons)] == kept[at_prompt]
    assert_nothing_is_left(lessons)


def test_ctrl_c_while_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which takes a moment: no traceback, and the exit code of all that Ctrl-C ends."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "kafkalab.cli", SimpleNamespace(main=interrupt))

    with pytest.raises(SystemExit) as end:
        kafkalab.__main__.main()

    assert end.value.code == 130
    assert capsys.readouterr().err == "\n"


@pytest.mark.parametrize("is_impatient", [False, True], ids=["once", "twice"])
def test_ctrl_c_while_it_runs(opened: Open, lessons: Any, *, is_impatient: bool) -> None:
    """The run ends, and its record says that it was interrupted; a second one ends it at once."""
    waits = "pathlib.Path('begun').touch(); wait_until(lambda: False, limit=60, what='it')"
    lessons.teach(LESSON.replace("WHAT_IS_OTHER", waits), FACTS)
    at = opened("other")
    at.see("(q leaves) >")
    at.type("b")
    at.see("It runs now")
    wait_until((lessons.folder / "begun").exists, limit=30, what="the fact to begin")

    at.press(CTRL_C)
    if is_impatient:
        at.press(CTRL_C)

    assert at.end() == 130
    assert "predicted 1 of 2, right 1, explained 0." in at.received
    assert "Traceback" not in at.received
    assert is_impatient or lessons.verdicts() == {"other": "interrupted"}
    assert_nothing_is_left(lessons)


def test_what_is_typed_while_it_runs_is_no_answer(opened: Open, lessons: Any) -> None:
    """Whoever is impatient passes over nothing."""
    waits = (
        "pathlib.Path('begun').touch(); wait_until(pathlib.Path('go').exists, limit=60, what='')"
    )
    lessons.teach(LESSON.replace("WHAT_IS_OTHER", waits), FACTS)
    at = opened("other")
    at.see("(q leaves) >")
    at.type("b")
    wait_until((lessons.folder / "begun").exists, limit=30, what="the fact to begin")
    at.type("too early")
    (lessons.folder / "go").touch()
    at.see("Enter goes on >")
    at.type("")
    at.see("yours >")
    at.type("In time.")
    at.see("(y or n) >")
    at.type("y")

    assert at.end() == 0
    assert done(lessons)[-1][2] == {"sentence": "In time.", "agrees": True}


def test_a_killed_learn_leaves_nothing(opened: Open, lessons: Any) -> None:
    """Its watchdog ends what it began; what was answered is kept."""
    at = opened("thing")
    at.see("(q leaves) >")
    at.type("b")
    at.see("or Enter to see >")

    os.kill(at.pid, signal.SIGKILL)

    assert at.end() == -signal.SIGKILL
    assert [kind for kind, _, _ in done(lessons)] == ["predicted"]
    assert_nothing_is_left(lessons)


def test_a_broker_that_dies_meanwhile_is_started_anew(opened: Open, lessons: Any) -> None:
    """It is told in a line, and nothing is lost."""
    at = opened("9.1")
    at.see("(q leaves) >")
    wait_until(lambda: lessons.launches == 1, limit=20, what="the broker")
    (lessons.folder / "dead").touch()

    at.type("b")

    at.see("The broker died: node 1 is gone. It is started again.")
    wait_until(lambda: lessons.launches == 2, limit=20, what="another broker")


def test_a_broker_that_does_not_start_is_one_line(opened: Open, lessons: Any) -> None:
    """It is told after the answer, which is kept."""
    (lessons.folder / "fails").touch()
    at = opened("9.1")
    at.see("(q leaves) >")

    at.type("b")

    assert at.end() == 1
    at.see("kafkalab: It did not start. Suspected: the play. To do: run again.")
    assert "Traceback" not in at.received
    assert [kind for kind, _, _ in done(lessons)] == ["predicted"]
    assert_nothing_is_left(lessons)


@pytest.mark.parametrize("columns", [40, 80])
def test_it_fits_the_terminal(opened: Open, columns: int) -> None:
    """No line is broken by the terminal, and nothing is cut, but for what is to be copied."""
    at = opened("thing", columns=columns)
    for prompt, answer in zip(PROMPTS, ANSWERS, strict=True):
        at.see(prompt)
        at.type(answer)
    assert at.end() == 0

    # What follows a copied line in the next one on the screen is its rest.
    sent = [line.removesuffix("\r") for line in at.received.split("\n")]
    lines = [COLOUR.sub("", line) for line in sent if "\x1b[?2004" not in line]
    too_long = [line for line in lines if len(line) > columns]
    assert all("file://" in line or "kafkalab" in line for line in too_long), too_long
    assert "…" not in at.received
    shown = " ".join(" ".join(at.whole).split())
    for text in ("All things", "A thing is a thing.", "measured: 7 ms", "Nothing was there."):
        assert text in shown


def test_a_terminal_may_change_its_size_in_the_middle_of_a_question(
    opened: Open, lessons: Any
) -> None:
    """What was typed so far stays, and what comes is as wide as the terminal is now."""
    at = opened("thing", columns=80)
    at.see("(q leaves) >")
    at.press("b")
    at.resize(40, 24)
    at.press("\r")
    at.see("or Enter to see >")
    at.type("")
    at.see("yours >")
    at.press("It is ")
    at.resize(100, 30)
    at.type("itself.")
    at.see("(y or n) >")
    at.type("y")

    assert at.end() == 0
    assert done(lessons)[-1][2] == {"sentence": "It is itself.", "agrees": True}


def test_a_pasted_text_is_one_answer(opened: Open, lessons: Any) -> None:
    """However many lines it has."""
    at = opened("thing")
    for prompt, answer in zip(PROMPTS[:2], ANSWERS, strict=False):
        at.see(prompt)
        at.type(answer)
    at.see("yours >")

    at.press("\x1b[200~It is\nwhat it is.\n\x1b[201~")
    at.press("\r")
    at.see("(y or n) >")
    at.type("n")

    assert at.end() == 0
    assert done(lessons)[-1][2] == {"sentence": "It is what it is.", "agrees": False}


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["colour", "no colour", "dumb"],
)
def test_colours(opened: Open, environment: dict[str, str], *, is_coloured: bool) -> None:
    """Where they are not wanted there are none; the words say all."""
    at = opened("thing", environment=environment)
    at.see("(q leaves) >")
    at.type("a")
    at.see("Not so: a: No thing", "It is b: A thing", "or Enter to see >")
    at.press(CTRL_D)
    assert at.end() == 0

    styles = {code for style in COLOUR.findall(at.received) for code in style[2:-1].split(";")}
    plain, bold, dim = "0", "1", "2"
    assert bool(styles - {plain, bold, dim, ""}) == is_coloured


@pytest.mark.parametrize("redirection", ["< /dev/null", "<&-"], ids=["null", "closed"])
def test_without_a_terminal_it_says_so_at_once(lessons: Any, redirection: str) -> None:
    """One line; no Kafka is started."""
    program = f"{sys.executable} -c '{PLAYED_LEARN}' learn 9.1 {redirection}"
    with screen(["/bin/sh", "-c", program], lessons.folder) as at:
        assert at.end() == 2
        at.see("kafkalab: learn asks, but gets no answer: call it in a terminal")

    assert at.received.count("\n") == 1
    assert lessons.launches == 0


def test_letters_of_another_alphabet_are_no_end(learn: Learn, lessons: Any) -> None:
    """They are kept as Python writes them, and the lesson goes on."""
    said = learn("9.1", answers=b"b||\xfcber|y|q")

    assert said.code == 0
    assert done(lessons)[-1][2] == {"sentence": r"\xfcber", "agrees": True}


# On a real Kafka


def test_a_real_fact_on_a_real_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two facts of Module A, on one broker; after Ctrl-C no Kafka runs.

    What the folder's own project asks of pytest is for its own tests.
    """
    monkeypatch.delenv("KAFKALAB_CURRICULUM", raising=False)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--nonsense")
    ini = "[tool.pytest.ini_options]\naddopts = '--more-nonsense'"
    (tmp_path / "pyproject.toml").write_text(ini, "utf-8")
    # -P: what was installed, and not what lies in the current folder.
    command = [sys.executable, "-P", "-m", "kafkalab", "learn", "1.3", "--backend=embedded"]
    # Those of other tests, which this process keeps for more of them.
    before = kafkas()
    with screen(command, tmp_path) as at:
        at.see("(q leaves) >")
        at.type("c")
        at.see("Right: c: 0 to 9", "What was seen: Offsets: ", "or Enter to see >")
        at.type("transactions")
        at.see("Transactions leave gaps", "Offsets: ", "yours >")
        at.type("")
        at.see("2 of 22", "(q leaves) >")
        at.type("a")
        at.see("Right: a", "or Enter to see >")
        at.press(CTRL_C)
        assert at.end() == 130

    records = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("reports/runs/*")]
    assert [fact["verdict"] for run in records for fact in run["facts"]] == ["demonstrated"] * 2
    assert len({run["broker"]["start_seconds"] for run in records}) == 1, "one broker for both"
    assert kafkas() <= before


def kafkas() -> set[int]:
    """The process ids of all brokers that this process, or one of its children, has started."""
    children = psutil.Process().children(recursive=True)
    return {each.pid for each in children if "kafka.Kafka" in _command_of(each)}
