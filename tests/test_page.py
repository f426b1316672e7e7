"""The learning log: all of it is there, once, and whatever it shows stays text."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup, Tag

from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log import acts, journal, page, plots
from kafkalab.learning_log import pictures as kept_pictures
from kafkalab.learning_log.evidence import Evidence
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.record import RunRecord, facts_of
from kafkalab.learning_log.record import TestRecord as ItemRecord
from kafkalab.learning_log.standing import standing_of
from kafkalab.learning_log.verdicts import Outcome, Verdict
from kafkalab.own_code import digest_of

MANIFEST = """\
[module]
id = "T"
title = "A small module"
package = "lessons"
"""

TASK = """
[[task]]
id = "1.{task}"
title = "Task {task}"
question = "What is task {task}?"
module = "test_{task}"
component = "component_{task}"
minutes = 30
objectives = ["You can do {task}."]
builds = ["It does {task}."]

[[task.concepts]]
title = "All of task {task}"
facts = [{slugs}]

[task.facts]
"""

FACT = '''
@pytest.mark.fact("fact-{n}", scope="{scope}")
def test_fact_{n}():
    """Sentence {n} says `something`."""
'''

PREDICTION = """
[fact-{n}]
question = "What of {n}?"
choices = [
  {{ text = "Something", right = true }},
  {{ text = "Nothing", tempting = "So it seems." }},
]
"""

QUESTION = """
[[question]]
slug = "question-{task}"
asks = "What would you say of {task}?"
answer = "It `holds`."
follow_up = "What else?"
follow_up_answer = "Nothing else."
wrong = "It never holds."
why_wrong = "It was seen."
goes_on = "I would measure it."
facts = ["fact-{n}"]
"""

CONTROL = '''
@pytest.mark.control("fact-{n}", changes="one thing")
def test_control_{n}():
    """Without it, sentence {n} is false."""
'''

HOSTILE = [
    "<script>window.ran = true</script>",
    "<img src=x onerror='window.ran = true'>",
    "</style></script><svg onload='window.ran = true'>",
    "\" onfocus='window.ran = true' autofocus x=\"",
    "{{ 7 * 7 }}",
    "NUL \x00, ANSI \x1b[31mred\x1b[0m, C1 \x9b31m",
    "\u202eright to left\u2066 and isolated",
    "emoji 🦊 👨\u200d👩\u200d👧",
    "long " + "x" * 1_000_000,
]

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# The processor's time: how long a page takes on a loaded machine says nothing about the page.
OPEN_LIMIT = 1.0


class Log:
    """A reports folder, with the course that its records are about."""

    def __init__(self, folder: Path, facts: int = 6, tasks: int = 2) -> None:
        self.reports = folder / "reports"
        (self.reports / "runs").mkdir(parents=True)
        self.curriculum = _lessons(folder, facts, tasks)
        self.path = self.reports / page.NAME

    def run(
        self,
        *,
        failed: Sequence[str] = (),
        only: Sequence[str] = (),
        reason: str = "it was so\nassert 1 == 2",
        evidence: Sequence[dict[str, Any]] = (),
        of_controls: Sequence[dict[str, Any]] = (),
        **changes: Any,
    ) -> None:
        """Write the record of one more run, of all facts or of some."""
        tests = [
            ItemRecord(
                f"lessons/{each.module}.py::{each.function}",
                each.slug,
                each.role,
                Outcome.REFUTED if each.slug in failed and each.role == "fact" else Outcome.PASSED,
                reason if each.slug in failed and each.role == "fact" else "",
                0.25,
                list(evidence if each.role == "fact" else of_controls),
            )
            for each in self.curriculum.statements
            if not only or each.slug in only
        ]
        number = len(list((self.reports / "runs").iterdir()))
        record = RunRecord(
            run=f"run{number}",
            started=f"2026-01-01T10:{number:02}:00+00:00",
            completed=True,
            exit_status=0,
            seconds=1.5,
            command=("pytest", "-k", "task_1_1"),
            environment={"python": "3.13.1"},
            broker={"backend": "played", "version": "4.4.0", "description": "a played broker"},
            solutions="",
            facts=facts_of(self.curriculum, tests),
            tests=tuple(tests),
        )
        replace(record, **changes).write(self.reports / "runs" / f"{number:03}.json")

    def did(self, kind: str, about: str, **said: Any) -> None:
        """The learner did something."""
        acts.append(self.reports / acts.FILE, kind, about, **said)

    def write(self, run_page: Path | None = None) -> BeautifulSoup:
        """Write the page, and read it."""
        pictures = Pictures(self.reports / "pictures")
        page.write(standing_of(self.curriculum, self.reports), self.path, pictures, run_page)
        return BeautifulSoup(self.path.read_text("utf-8"), "html.parser")


def _lessons(folder: Path, facts: int, tasks: int) -> Curriculum:
    """A course of so many facts; the last of each task is about its component."""
    lessons = folder / "lessons"
    lessons.mkdir()
    (folder / "predictions").mkdir()
    (folder / "interview").mkdir()
    manifest = MANIFEST
    for task in range(1, tasks + 1):
        numbers = range((task - 1) * facts // tasks, task * facts // tasks)
        manifest += TASK.format(task=task, slugs=", ".join(f'"fact-{n}"' for n in numbers))
        module, predictions = "import pytest\n", ""
        for n in numbers:
            own = n == numbers[-1]
            scope = f"the component component_{task}" if own else "any client"
            module += FACT.format(n=n, scope=scope) + ("" if own else CONTROL.format(n=n))
            no_control = ', no_control = "it is about a component"' if own else ""
            predictions += "" if own else PREDICTION.format(n=n)
            manifest += f'fact-{n} = {{ hint = "Look at {n}."{no_control} }}\n'
        (lessons / f"test_{task}.py").write_text(module, "utf-8")
        (folder / "predictions" / f"task_1_{task}.toml").write_text(predictions, "utf-8")
        question = QUESTION.format(task=task, n=numbers[0])
        (folder / "interview" / f"task_1_{task}.toml").write_text(question, "utf-8")
    (folder / "module.toml").write_text(manifest, "utf-8")
    return load(folder / "module.toml")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """An empty log of six facts in two tasks."""
    return Log(tmp_path)


def observed() -> list[dict[str, Any]]:
    """Evidence of every kind, as hostile as it gets."""
    evidence = Evidence()
    evidence.table("Table", [{"key": text, "number": 1, "none": None} for text in HOSTILE])
    evidence.shares("Shares", {text: {text: 3} for text in HOSTILE})
    spans = [{"row": text, "start": 0, "end": 1, "what": text} for text in HOSTILE]
    evidence.timeline("Timeline", spans)
    evidence.series("Series", {text: [(0, 1), (1, 2)] for text in HOSTILE}, HOSTILE[0])
    for text in HOSTILE:
        evidence.table(text, [{text: text}])
        evidence.number(text, 1.5, text)
        evidence.note(text)
    return evidence.items


def hostile(log: Log) -> None:
    """A run, and a journal, in which every text is hostile."""
    text = "\n".join(HOSTILE)
    log.run(
        failed=["fact-0"],
        reason=f"{text}\nassert {text}",
        evidence=observed(),
        command=tuple(HOSTILE),
        environment={each[:20]: each for each in HOSTILE},
        broker={"backend": text, "version": text, "description": text},
        solutions=HOSTILE[1],
    )
    log.did(acts.RECALLED, "question-1", grade="good", answer=text)
    said = {"aha": HOSTILE, "challenges": HOSTILE, "questions": HOSTILE}
    rows = [f"{name} = {json.dumps(texts, ensure_ascii=False)}" for name, texts in said.items()]
    (log.reports / journal.FILE).write_text("\n".join(["[task_1_1]", *rows]), "utf-8")
    (log.reports / "runs" / f"{HOSTILE[5][5:]}.json".replace("\x00", "")).write_text("{")


def fact(soup: BeautifulSoup, slug: str) -> Tag:
    found = soup.find(id=f"fact-{slug}")
    assert isinstance(found, Tag)
    return found


def words(tag: Tag | BeautifulSoup) -> str:
    return " ".join(tag.get_text(" ").split())


def test_every_fact_is_there_once_with_all_that_is_known(log: Log) -> None:
    """Sentence, verdict, control, scope, evidence, command, and where its code is."""
    evidence = Evidence()
    evidence.table("Seen", [{"offset": 7, "key": None}])
    log.run(evidence=evidence.items)

    soup = log.write()

    listed = " ".join(words(part) for part in soup.select(".facts"))
    for n in range(6):
        assert len(soup.find_all(id=f"fact-fact-{n}")) == 1
        assert listed.count(f"Sentence {n} says something .") == 1
    told = words(fact(soup, "fact-0"))
    for part in (
        "demonstrated",
        "any client",
        "Without it, sentence 0 is false.",
        "changed: one thing",
        "pytest -k fact_0",
        "lessons/test_1.py:4",
        "1 Jan 2026",
        "Kafka 4.4.0, played",
        "Seen offset key 7 none",
        "Observed test_fact_0",
    ):
        assert part in told


def test_failures_are_unfolded_and_the_rest_is_folded(log: Log) -> None:
    """What needs a look is in view, named on top, with its reason and its hint."""
    log.run(failed=["fact-1"])

    soup = log.write()

    unfolded = [each["id"] for each in soup.select("details[open]")]
    assert unfolded == ["fact-fact-1"]
    assert [each["href"] for each in soup.select(".failures a")] == ["#fact-fact-1"]
    told = words(fact(soup, "fact-1"))
    assert "expected: it was so seen: 1 == 2" in told
    assert "Look at 1." in told


def test_own_code_stands_beside_the_reference(log: Log) -> None:
    """What one's own component did is told apart, and unfolded when it failed."""
    log.run()
    log.run(failed=["fact-2"], solutions="/home/you/my lab")

    soup = log.write()

    told = words(fact(soup, "fact-2"))
    assert "your own code: ✗ refuted" in told
    assert "The reference ✓ demonstrated" in told
    assert "pytest -k fact_2 --kafkalab-solutions='/home/you/my lab'" in told
    assert "open" in fact(soup, "fact-2").attrs


def test_the_dashboard_tells_where_the_learner_stands(log: Log) -> None:
    """A row for each task, the percentage, the next step, and 'you are here' on the path."""
    log.run(only=["fact-0", "fact-1", "fact-2", "fact-3"])
    log.did(acts.PREDICTED, "fact-0", choice="Something", right=True)
    log.did(acts.PREDICTED, "fact-1", choice="Nothing", right=False)
    log.did(acts.EXPLAINED, "fact-0", sentence="So it is.", agrees=True)

    soup = log.write()

    cells = [
        {cell["data-head"]: words(cell) for cell in row.select("td[data-head]")}
        for row in soup.select(".dashboard tr")[1:]
    ]
    nothing, today = "\N{EN DASH}", words(soup.select_one("footer time") or soup).split(",")[0]
    assert cells[0] == {
        "Status": "◐ in progress",
        "Yours": "60 %",
        "Started": today,
        "Completed": nothing,
        "Learnings": "0 of 1",
        "Code files": "0 of 1",
        "Time spent": f"{nothing} of 30 min",
        "Difficulty": nothing,
        "Challenges": nothing,
        "Last run": "1 Jan 2026, 10:00",
        "Proved here": "3 of 3",
    }
    assert (cells[1]["Status"], cells[1]["Proved here"]) == ("○ not started", "1 of 3")
    assert cells[2] == {
        "Status": "0 of 2 done",
        "Yours": "30 %",
        "Learnings": "0 of 2",
        "Code files": "0 of 2",
        "Time spent": f"{nothing} of 60 min",
        "Proved here": "4 of 6",
    }
    assert words(soup.select_one(".percent") or soup) == "30 % yours"
    (yours,) = soup.select(".yours")
    assert words(yours) == (
        "Predicted 2 of 4 1 surprised you: explain them Explained 1 of 4 Built 0 of 2 "
        "Answered 0 of 2 0 due today, 1 new, 1 after your predictions"
    )
    left = "1 to explain, 1 of them surprised you."
    assert f"Go on with task 1.1, Task 1: {left} kafkalab learn 1.1" in words(soup)
    (here,) = soup.select(".path [aria-current=step]")
    assert words(here) == "1.1 1.1 Task 1 you are here"
    assert "Module B" in words(soup.select(".path li")[-1])


def test_who_knows_all_stands_before_the_next_module(log: Log, tmp_path: Path) -> None:
    """When every task is predicted, explained and built, the path goes on."""
    log.run()
    (at_first,) = log.write().select(".path [aria-current=step]")
    learn_all(log, tmp_path)

    soup = log.write()

    (here,) = soup.select(".path [aria-current=step]")
    assert words(at_first) == "1.1 1.1 Task 1 you are here", "a run alone moves nothing"
    assert words(here) == "B Module B you are here still to come"
    assert words(soup.select_one(".percent") or soup) == "100 % yours"
    assert {words(each) for each in soup.select(".path .state")[:2]} == {"done"}


def learn_all(log: Log, folder: Path) -> None:
    """Predict, explain and build all that the course asks for."""
    for task in log.curriculum.tasks:
        for slug, prediction in task.predictions.items():
            log.did(acts.PREDICTED, slug, choice=prediction.right.text, right=True)
            log.did(acts.EXPLAINED, slug, sentence=f"{slug}, as I say it.", agrees=True)
        (folder / f"{task.component}.py").write_text("x = 1\n", "utf-8")
        facts = {slug: "demonstrated" for slug in task.facts if slug not in task.predictions}
        code = digest_of(folder, task.component)
        log.did(acts.JUDGED, task.id, folder=str(folder), code=code, facts=facts)


def test_before_the_first_run_nothing_is_known(log: Log) -> None:
    """A log without runs says so of every fact, and breaks nothing."""
    soup = log.write()

    assert words(soup.select_one(".percent") or soup) == "0 % yours"
    assert [words(each) for each in soup.select(".fact summary .verdict")] == ["○ not run"] * 6


def test_the_first_page_asks_a_question(log: Log) -> None:
    """All is proved and nothing is the learner's: one question to begin with, till they begin."""
    log.run()
    (asked,) = log.write().select(".first-question")
    log.did(acts.PREDICTED, "fact-0", choice="Nothing", right=False)

    assert words(asked) == (
        "A question to begin with What of 0? Something Nothing "
        "kafkalab learn 1.1 asks it, runs it on a real Kafka, and shows why."
    )
    assert log.write().select(".first-question") == []


def test_mastery_follows_from_acts_and_verdicts(log: Log) -> None:
    """What is done is ticked; what is open comes with the command that gets it done."""
    log.run(failed=["fact-0"])
    log.did(acts.PREDICTED, "fact-0", choice="Something", right=True)
    log.did(acts.PREDICTED, "fact-1", choice="Something", right=True)

    checks = [words(each) for each in log.write().select("#task-1\\.1 .mastery .checks li")]

    assert checks == [
        "☑ done: 2 of 2 facts predicted before they were seen",
        "☐ open: 0 of 2 facts explained in your own words kafkalab learn 1.1",
        "☐ open: 0 of 1 facts hold for a component_1.py of your own, as it is now "
        "pytest -k task_1_1 --kafkalab-solutions=my_lab",
        "☐ open: 2 of 3 facts proved on this machine pytest -k task_1_1",
    ]


def test_a_task_says_what_it_is_for(log: Log, tmp_path: Path) -> None:
    """Objectives, what is built, key concepts, the time it takes; then what came of it."""
    log.run()
    first = log.write().select_one("#task-1\\.1") or BeautifulSoup()
    learn_all(log, tmp_path)
    done = log.write().select_one("#task-1\\.1") or BeautifulSoup()

    before, after = words(first), words(done)
    for part in (
        "Objectives You can do 1.",
        "What you will build It does 1.",
        "Key concepts ☐ open: All of task 1",
        "about 30 min",
    ):
        assert part in before
    assert "What you built and learned" not in before
    assert "☑ learned: All of task 1" in after
    assert (
        f"What you built and learned Built: component_1.py in {tmp_path.name} ; 1 of 1 facts hold "
        "for it as it is now. Predicted: 2 of 2 facts, 2 of them right. Learned, in your own "
        "words: fact-0, as I say it. fact-1, as I say it."
    ) in after


def test_an_answer_is_shown_after_one_click(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the learner has begun, a fact that is not predicted shows its question, closed."""
    monkeypatch.delenv("CI", raising=False)
    log.run()
    log.did(acts.PREDICTED, "fact-0", choice="Nothing", right=False)

    soup = log.write()

    known, asked, component = (fact(soup, f"fact-{n}") for n in (0, 1, 2))
    titles = [words(each.select_one("summary h4") or each) for each in (known, asked, component)]
    assert titles == ["Sentence 0 says something .", "What of 1?", "Sentence 2 says something ."]
    assert "open" not in asked.attrs
    assert "Predict it: kafkalab learn fact-1" in words(asked.select_one("summary") or asked)
    assert words(asked.select_one(".body .answer") or asked) == "Sentence 1 says something ."
    assert "You said Nothing" in words(known)
    assert "predicted, it surprised you" in words(known.select_one("summary") or known)


def test_an_edited_file_is_to_be_judged_again(log: Log, tmp_path: Path) -> None:
    """What held for the file as it was is told as that."""
    log.run()
    log.run(only=["fact-2"], solutions=str(tmp_path))
    learn_all(log, tmp_path)
    (tmp_path / "component_1.py").write_text("x = 2\n", "utf-8")

    told = words(fact(log.write(), "fact-2"))

    assert "your own code: ✓ demonstrated , changed since: judge it again" in told


def test_notes_are_shown_with_their_task(log: Log) -> None:
    """The journal's words stand where they belong; without any, the command for the first."""
    log.run()
    said = "completed = 2026-02-01\nminutes = 40\ndifficulty = 3\naha = ['So that!']"
    (log.reports / journal.FILE).write_text(f"[task_1_1]\n{said}", "utf-8")

    soup = log.write()

    first, second = soup.select(".notes")
    assert words(first) == (
        "Notes and reflections Completed 1 Feb 2026 Time spent 40 min; the estimate is 30 min "
        "Difficulty 3 of 5 Aha So that!"
    )
    assert 'kafkalab note 1.2 --aha "…" --question "…" --difficulty 3' in words(second)


def test_every_word_has_a_shape() -> None:
    """No verdict, outcome or status is told by colour alone."""
    statuses = {"not started", "in progress", "done"}

    assert set(page.SHAPES) == {*Verdict, *Outcome, *statuses}


@pytest.mark.parametrize("elsewhere", ["run.html", "../pages/my run.html"])
def test_all_links_lead_somewhere(log: Log, elsewhere: str) -> None:
    """Within the page, to the code, and to the run's page, wherever it is."""
    run_page = log.reports / elsewhere
    run_page.parent.mkdir(exist_ok=True)
    run_page.touch()
    log.run(failed=["fact-1"])

    soup = log.write(run_page)

    targets = [unquote(str(each["href"])) for each in soup.select("a[href]")]
    within = [each[1:] for each in targets if each.startswith("#")]
    ids = [str(each["id"]) for each in soup.select("[id]:not(svg *)")]
    assert set(within) <= set(ids)
    assert len(ids) == len(set(ids)), "an id names one place"
    others = {(log.reports / each).resolve() for each in targets if not each.startswith("#")}
    assert others == {run_page.resolve(), *log.curriculum.folder.glob("test_*.py")}


def test_an_installed_copy_names_its_code_without_a_link(log: Log) -> None:
    """Nobody edits what lies in site-packages."""
    log.run()
    away = log.curriculum.folder.parent / "site-packages" / "lessons"
    away.parent.mkdir()
    log.curriculum.folder.rename(away)
    log.curriculum = replace(log.curriculum, folder=away)

    soup = log.write()

    assert "lessons/test_1.py:4" in words(fact(soup, "fact-0"))
    assert not [each for each in soup.select("a[href]") if "#" not in str(each["href"])]


def test_hostile_content_is_text(log: Log) -> None:
    """Nothing that was observed, said or written becomes markup, or hides."""
    hostile(log)

    soup = log.write()

    text = log.path.read_text("utf-8")
    assert not UNSEEN.findall(text)
    assert [each.name for each in soup.select("script, style, img, iframe, object")] == [
        "style",
        "script",
    ]
    handlers = [name for each in soup.find_all(True) for name in each.attrs if name[:2] == "on"]
    assert handlers == []
    shown = words(soup)
    assert "<script>window.ran = true</script>" in shown
    assert r"NUL \x00, ANSI \x1b[31mred\x1b[0m, C1 \x9b31m" in shown
    assert r"\u202eright to left\u2066 and isolated" in shown
    assert "emoji 🦊 👨\u200d👩\u200d👧" in shown
    assert "{{ 7 * 7 }}" in shown
    assert "(1000005 characters)" in shown
    assert len(text) < 1_000_000, "no text is there in full that nobody reads"


def test_only_the_pages_own_script_may_run(log: Log) -> None:
    """The policy names script and style by their hashes, and allows nothing else."""
    log.run()

    soup = log.write()

    policy = str(soup.select("meta[http-equiv=Content-Security-Policy]")[0]["content"])
    assert policy.startswith("default-src 'none';")
    for element, rule in (("script", "script-src"), ("style", "style-src-elem")):
        (only,) = soup.find_all(element)
        digest = b64encode(sha256(only.string.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}';" in policy


def test_a_broken_record_is_told(log: Log) -> None:
    """What is set aside is named in the page."""
    log.run()
    (log.reports / "runs" / "broken.json").write_text("{")

    assert "broken.json is set aside" in words(log.write())


def test_a_page_is_whole_or_not_there(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it cannot be made, the last one stays."""
    log.run()
    log.write()
    before = log.path.read_text("utf-8")
    monkeypatch.setattr(page, "html", lambda *_: "\x00" * 10)
    monkeypatch.setattr(Path, "replace", _refuse)

    with pytest.raises(PermissionError):
        log.write()

    assert log.path.read_text("utf-8") == before


def _refuse(*_: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_fact_has_its_code_folded(log: Log) -> None:
    """Its test and its control, each once, and nobody else's."""
    log.run()
    log.write()
    soup = BeautifulSoup(log.path.read_text("utf-8"), "html.parser")

    (code,) = fact(soup, "fact-1").select("details.code")
    shown = code.get_text()

    assert not code.has_attr("open")
    assert [shown.count(f"def {name}(") for name in ("test_fact_1", "test_control_1")] == [1, 1]
    assert shown.count("def ") == 2
    assert len(soup.select("details.code")) == 6


def test_pictures_tell_what_to_look_at(log: Log) -> None:
    """A caption stands with its picture or table; what an earlier version recorded has none."""
    evidence = Evidence()
    evidence.table("Seen", [{"offset": 7}], look="At the <offset>.")
    evidence.shares("Shares", {0: 1}, look="At the bar.")
    evidence.timeline("Owners", [{"row": "0", "start": 0, "end": 1, "what": "a"}])
    evidence.series("Lag", {"0": [(0, 1), (1, 2)]})
    old = [
        {key: value for key, value in each.items() if key not in ("look", "place")}
        for each in evidence.items
    ]
    log.run(evidence=[*evidence.items, *old])
    log.write()

    shown = fact(BeautifulSoup(log.path.read_text("utf-8"), "html.parser"), "fact-1")

    assert [each.get_text() for each in shown.select(".look")] == [
        "At the <offset>.",
        "At the bar.",
    ]
    assert len(shown.select("svg")) == 6, "the earlier ones are drawn as well"


def test_siblings_have_the_same_colours(log: Log) -> None:
    """A name looks the same in the fact and in its control, whoever else is there."""
    alone, beside = Evidence(), Evidence()
    alone.timeline("Owners", [{"row": "0", "start": 0, "end": 1, "what": "b"}])
    beside.timeline("Owners", [{"row": "0", "start": 0, "end": 1, "what": what} for what in "ab"])
    log.run(evidence=beside.items, of_controls=alone.items)
    log.write()

    shown = fact(BeautifulSoup(log.path.read_text("utf-8"), "html.parser"), "fact-1")
    of_fact, of_control = map(str, shown.select("svg"))

    first, second, *_ = plots.COLOURS
    assert [first in of_fact, second in of_fact] == [True, True]
    assert [first in of_control, second in of_control] == [False, True]


# Pictures


def item(count: int = 1) -> dict[str, Any]:
    evidence = Evidence()
    evidence.shares("Shares", {0: count})
    return evidence.items[0]


def test_a_picture_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run lifts it from the folder; other evidence has another picture."""
    first = Pictures(tmp_path).of(item())
    drawn = []
    monkeypatch.setattr(
        plots, "shares", lambda *what, **_: drawn.append(what) or plots.Markup("new")
    )
    later = Pictures(tmp_path)

    assert later.of(item()) == first
    assert drawn == []
    assert later.of(item(2)) == "new"
    assert later.of(item(2)) == "new"
    assert len(drawn) == 1


def test_pictures_that_no_page_shows_go(tmp_path: Path) -> None:
    """The folder does not grow with every run."""
    Pictures(tmp_path).of(item(1))
    pictures = Pictures(tmp_path)
    pictures.of(item(2))

    pictures.forget_the_rest()

    assert len(list(tmp_path.iterdir())) == 1
    Pictures(tmp_path / "none").forget_the_rest()


def test_what_all_reports_share_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not used for longest goes first, and only what is ours."""
    monkeypatch.setattr(kept_pictures, "MOST_SHARED", 3)
    shared = tmp_path / "cache" / "pages"
    shared.mkdir(parents=True)
    (shared / "0.html").write_text("somebody's", "utf-8")
    os.utime(shared / "0.html", (0, 0))
    made = []

    for day, text in enumerate("abcacdac"):
        reports = Pictures(tmp_path / str(day), shared)
        make = lambda text=text: made.append(text) or plots.Markup(text)  # noqa: E731
        assert reports.kept(text.encode(), make, is_shared=True) == text
        reports.forget_the_rest()
        for path in shared.glob("*.html"):
            # A day is over: a file system may not tell two moments apart.
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 86_400 * 10**9))

    assert made == ["a", "b", "c", "d"]
    assert len(list(shared.iterdir())) == 4
    assert not (tmp_path / "0").exists()


def test_pictures_need_no_folder(tmp_path: Path) -> None:
    """Where none can be written, they are drawn all the same."""
    (tmp_path / "file").touch()

    assert "<svg" in Pictures(tmp_path / "file" / "pictures").of(item())


# After a run of pytest

PROVES = '''
    @pytest.mark.fact("thing", scope="any client")
    def test_thing(evidence):
        """A thing is a thing."""
        evidence.shares("Shares", {0: 1, 1: 2})
        %s

    @pytest.mark.control("thing", changes="nothing")
    def test_other():
        """Another thing is not."""
'''


def links(path: Path) -> set[Path]:
    """Where the links of a page lead, as files."""
    soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
    # The run's page says what it says in a script of pytest-html's.
    targets = [unquote(str(each["href"])) for each in soup.select("a[href]")]
    return {(path.parent / each).resolve() for each in targets if each and each[0] != "#"}


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "two workers"])
def test_every_run_writes_the_log(project: Any, lines: Any, workers: list[str]) -> None:
    """With and without workers, also when a fact failed; each page links the other."""
    project.teach(PROVES % "assert False, 'no thing'")

    result = project.run(*workers)

    log, run_page = project.folder / "reports" / page.NAME, project.folder / "reports" / "run.html"
    assert result.ret == 1
    assert f"log      {log}" in lines(result)
    soup = BeautifulSoup(log.read_text("utf-8"), "html.parser")
    assert "refuted" in words(fact(soup, "thing"))
    assert "<svg" in str(fact(soup, "thing"))
    assert run_page in links(log)
    assert log in links(run_page)


def test_links_hold_with_the_runs_page_elsewhere(project: Any) -> None:
    """`--html` moves the run's page; both links follow."""
    project.teach(PROVES % "")

    project.run("--html=else where/mine.html", "--self-contained-html")

    log, run_page = project.folder / "reports" / page.NAME, project.folder / "else where/mine.html"
    assert run_page in links(log)
    assert log in links(run_page)


def test_a_run_that_was_ended_writes_the_log(project: Any) -> None:
    """What Ctrl-C left is shown."""
    project.teach(PROVES % "raise KeyboardInterrupt")

    project.run()

    log = (project.folder / "reports" / page.NAME).read_text("utf-8")
    assert "A thing is a thing." in log


def test_a_log_that_cannot_be_written_fails_no_run(project: Any, lines: Any) -> None:
    """What the run showed holds; that its page is missing is told in one line."""
    project.teach(PROVES % "")
    (project.folder / "reports" / page.NAME).mkdir(parents=True)

    result = project.run()

    assert result.ret == 0
    (told,) = [line for line in lines(result).splitlines() if "log was not written" in line]
    assert page.NAME in told
    assert "Traceback" not in lines(result)


def test_a_slip_in_the_journal_hides_no_page(project: Any, lines: Any) -> None:
    """The log is written without the notes, and one line says why."""
    project.teach(PROVES % "")
    (project.folder / "reports").mkdir()
    (project.folder / "reports" / journal.FILE).write_text("aha = [", "utf-8")

    result = project.run()

    assert result.ret == 0
    (told,) = [line for line in lines(result).splitlines() if "without your notes" in line]
    assert "journal.toml:1:1: " in told
    assert (project.folder / "reports" / page.NAME).exists()


# In a browser


class Visit:
    """A page in the browser, with all that the browser had to say of it."""

    def __init__(self, browser: Any, path: Path, target: str = "", **context: Any) -> None:
        self.said: list[str] = []
        self.asked_for: list[str] = []
        self.tab = browser.new_page(**context)
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.asked_for.append(request.url))
        self.tab.goto(f"{path.as_uri()}{target}")


def test_the_page_is_quiet_in_a_browser(log: Log, browser: Any) -> None:
    """No script of the data runs, nothing is fetched, nothing is complained about."""
    hostile(log)
    log.write()

    visit = Visit(browser, log.path)
    visit.tab.get_by_text("Unfold all facts").click()

    assert visit.tab.evaluate("window.ran") is None
    assert visit.said == []
    assert [url for url in visit.asked_for if not url.startswith("data:")] == [log.path.as_uri()]
    assert visit.tab.locator("details.fact:not([open])").count() == 0


@pytest.mark.parametrize("width", [390, 705, 900, 1160, 1217, 1400])
def test_nothing_lies_beside_the_screen(tmp_path: Path, browser: Any, width: int) -> None:
    """On a phone, half a laptop's screen or a desk: what cannot be scrolled to is not there."""
    log = Log(tmp_path)
    log.run()
    log.write()
    tab = Visit(browser, log.path, viewport={"width": width, "height": 844}).tab

    beside = tab.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((each) => {
          const place = each.getBoundingClientRect();
          // Code and wide tables scroll by themselves.
          if (each.closest("pre, figure, .table")) return false;
          return place.width > 1 && (place.left < 0 || place.right > innerWidth + 1);
        }).map((each) => each.outerHTML.slice(0, 80))"""
    )

    assert [each for each in beside if 'class="skip"' not in each] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_page_is_accessible(tmp_path: Path, browser: Any, width: int, scheme: str) -> None:
    """axe finds nothing, with everything unfolded; nothing sticks out of the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    log = Log(tmp_path, facts=3, tasks=2)
    hostile(log)
    log.run(only=["fact-1"], failed=["fact-1"])
    log.write()
    viewport = {"width": width, "height": 844}

    tab = Visit(browser, log.path, color_scheme=scheme, viewport=viewport).tab
    tab.get_by_text("Unfold all facts").click()
    tab.evaluate("document.querySelectorAll('.code, .interview').forEach(each => each.open = true)")

    found = [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in axe.run(tab).response["violations"]
    ]
    assert found == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_link_to_a_fact_unfolds_it(log: Log, browser: Any) -> None:
    """Whoever is sent to a fact sees it, from outside and from within."""
    log.run(failed=["fact-4"])
    log.write()

    visit = Visit(browser, log.path, "#fact-fact-1")
    assert visit.tab.locator("#fact-fact-1").get_attribute("open") is not None

    visit.tab.get_by_text("Fold all", exact=True).click()
    visit.tab.locator(".failures a").click()
    visit.tab.locator("#fact-fact-4[open]").wait_for(timeout=5000)


def test_the_page_works_by_keyboard(log: Log, browser: Any) -> None:
    """The first stop leads past the dashboard; Enter unfolds a fact."""
    log.run()
    log.write()
    tab = Visit(browser, log.path).tab

    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the tasks"
    tab.keyboard.press("Enter")
    # The legend, the filter's three fields, two buttons, then the first fact.
    for _ in range(7):
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")

    assert tab.locator("#fact-fact-0").get_attribute("open") is not None


def test_the_page_prints_a_few_pages(log: Log, browser: Any) -> None:
    """What is folded stays folded on paper: each fact is a line or two; what is unfolded prints."""
    log.run(failed=["fact-1"])
    log.write()
    tab = Visit(browser, log.path).tab
    tab.emulate_media(media="print")

    assert tab.get_by_text("Sentence 0 says").first.is_visible()
    assert not tab.get_by_text("Without it, sentence 0 is false.", exact=True).is_visible()
    assert tab.get_by_text("Without it, sentence 1 is false.", exact=True).is_visible()
    assert not tab.get_by_text("Unfold all facts").is_visible()


@pytest.mark.parametrize(
    ("left", "task", "text", "shown"),
    [
        ("", "", "", [0, 1, 2, 3, 4, 5]),
        ("look", "", "", [4]),
        ("predict", "", "", [1, 3, 4]),
        ("predict", "1.2", "", [3, 4]),
        ("explain", "1.1", "", [0, 1]),
        ("build", "", "", [2, 5]),
        ("", "", "without it", [0]),
        ("", "", "says FACT-1", []),
        ("", "", "what fact-3", [3]),
        ("", "", "FACT-5", [5]),
    ],
)
def test_the_filter(
    log: Log,
    browser: Any,
    monkeypatch: pytest.MonkeyPatch,
    left: str,
    task: str,
    text: str,
    shown: list[int],
) -> None:
    """By what is left to do, by task, by words; no word finds an answer that is hidden."""
    monkeypatch.delenv("CI", raising=False)
    log.run(failed=["fact-4"])
    log.did(acts.PREDICTED, "fact-0", choice="Something", right=True)
    log.write()
    tab = Visit(browser, log.path).tab

    tab.locator("[name=left]").select_option(left)
    tab.locator("[name=task]").select_option(task)
    tab.locator("[name=text]").fill(text)

    visible = [n for n in range(6) if tab.locator(f"#fact-fact-{n}").is_visible()]
    assert visible == shown
    said = "" if len(shown) == 6 else f"{len(shown)} of 6 facts"
    assert tab.locator(".filter output").text_content() == said
    tab.get_by_text("Unfold all facts").click()
    assert not tab.get_by_text("Sentence 1 says something").is_visible(), "only its own click does"


@pytest.mark.slow
def test_three_hundred_facts_open_at_once(tmp_path: Path, browser: Any) -> None:
    """A page of 300 facts with long evidence is below 5 MB, and open in under a second."""
    log = Log(tmp_path, facts=300, tasks=5)
    evidence = Evidence()
    rows = [{"partition": n, "offset": n * 7, "key": f"key-{n}"} for n in range(40)]
    evidence.table("Records", rows)
    evidence.note("x" * 400)
    evidence.shares("Shares", {n: {"a": n, "b": 3} for n in range(6)})
    log.run(evidence=evidence.items, failed=[f"fact-{n}" for n in range(0, 300, 10)])
    log.write()

    size, took = log.path.stat().st_size, [seconds_to_open(browser, log.path) for _ in range(5)]

    assert size < 5_000_000
    # The quickest: what others do on the machine in the meantime is not the page's.
    assert min(took) < OPEN_LIMIT, f"all of {took}"


def seconds_to_open(browser: Any, path: Path) -> float:
    """How long the page's main thread was busy until the page was loaded, in processor time."""
    tab = browser.new_page()
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(path.as_uri())
    metrics = session.send("Performance.getMetrics")["metrics"]
    tab.close()
    return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")


def test_the_runs_page_runs_its_own_script_only(project: Any, browser: Any) -> None:
    """pytest-html's page works under a policy: no other script runs, nothing is fetched."""
    project.teach(
        """
        @pytest.mark.fact("thing", scope="any")
        def test_a_thing_is(evidence):
            '''A thing is a thing.'''
            evidence.table("Seen", [{"what": "<script>window.ran = 1</script>"}])
            evidence.shares("Shares", {n: {"a": n, "b": 3} for n in range(3)})
            print("<img src=x onerror='window.ran = 2'>")
            assert 1 == 2, "<svg onload='window.ran = 3'>"
        """,
        {"thing": "nothing is opposite to a thing"},
    )
    project.run()
    page = project.folder / "reports" / "run.html"

    visit = Visit(browser, page)
    visit.tab.locator(".col-result").first.wait_for(timeout=5000)
    visit.tab.get_by_text("Show all details").click()

    policy = visit.tab.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'; ")
    assert "script-src 'sha256-" in policy
    assert visit.tab.evaluate("window.ran") is None
    assert visit.tab.get_by_text("Seen").count() > 0, "the evidence is shown"
    assert visit.said == []
    assert [url for url in visit.asked_for if not url.startswith("data:")] == [page.as_uri()]


def test_the_runs_page_has_why_caption_and_code(project: Any, browser: Any) -> None:
    """Behind each test stands why it matters, what to look at, and its code with what it uses."""
    project.teach(
        """
        LIMIT = 30

        @pytest.mark.fact("thing", scope="any")
        def test_a_thing_is(evidence):
            '''A thing is a thing.

            That is why `it` matters.
            '''
            evidence.shares("Shares", {0: LIMIT}, look="At the bar.")

        def test_that_states_nothing():
            pass
        """,
        {"thing": "nothing is opposite to a thing"},
    )
    project.run()

    tab = Visit(browser, project.folder / "reports" / "run.html").tab
    row = tab.locator(".results-table-row", has_text="A thing is a thing.")
    row.locator("tr").first.locator("td").first.click()
    row.get_by_text("The code of the test, and what it uses").click()

    assert row.locator(".why").inner_text() == "That is why it matters."
    assert row.locator(".look").inner_text() == "At the bar."
    assert row.get_by_text("LIMIT = 30").is_visible()
    assert tab.locator(".code").count() == 1, "a test that states nothing shows none"


def test_the_runs_page_fits_a_phone(project: Any, browser: Any) -> None:
    """Nothing of the run's tables is out of sight, however long names and sentences are."""
    project.teach(
        f"""
        @pytest.mark.fact("thing", scope="any {"scope " * 20}")
        def test_a_thing_is_{"long_" * 20}(evidence):
            '''A {"long " * 20}thing is a thing.'''
            evidence.table("Seen", [{{"a-long-name-%d" % n: 1 for n in range(20)}}])
        """,
        {"thing": "nothing is opposite to a thing"},
    )
    project.run()
    viewport = {"width": 390, "height": 844}

    tab = Visit(browser, project.folder / "reports" / "run.html", viewport=viewport).tab
    tab.get_by_text("Show all details").click()

    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    for table in (".kafkalab-summary", "#results-table", "#environment"):
        hidden = tab.locator(table).evaluate("each => each.scrollWidth - each.clientWidth")
        assert hidden <= 0, f"{table} shows all of it"
    assert tab.locator("meta[name=viewport]").count() == 1, "a phone shows it as wide as itself"
    # What cannot be narrower scrolls, and shows a shadow.
    wide = tab.locator(".kafkalab-evidence .table")
    assert wide.evaluate("each => each.scrollWidth > each.clientWidth")
    assert "gradient" in wide.evaluate("each => getComputedStyle(each).backgroundImage")
