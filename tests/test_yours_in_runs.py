"""What a run shows and notes of the learner: hidden answers, own code, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from kafkalab.learning_log import acts

FACTS = """
    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is():
        '''A thing is a thing.'''

    @pytest.mark.control("thing", changes="it is no thing")
    def test_no_thing():
        '''What is no thing is not.'''

    @pytest.mark.fact("other", scope="any")
    def test_another():
        '''Another thing is another.'''

    @pytest.mark.fact("made", scope="the component topics")
    def test_made(solutions):
        '''Something is made.'''
        assert solutions.topics.describe, "it is made"
"""

SLUGS = {"thing": "", "other": "there is none", "made": "it is a wrong component"}

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])


@pytest.fixture
def taught(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with two facts to predict and one about a component, at a desk."""
    monkeypatch.delenv("CI", raising=False)
    project.teach(FACTS, SLUGS)
    project.asks("thing", "other")
    return project


def component(project: Any, text: str, folder: str = "mine") -> Path:
    path: Path = project.folder / folder / "topics.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def judged(project: Any) -> list[dict[str, Any]]:
    """What was said in each act of judging."""
    done, _ = acts.read(project.folder / "reports" / acts.FILE)
    return [{"about": act.about, **act.said} for act in done if act.kind == acts.JUDGED]


# What is shown


@WORKERS
def test_without_acts_all_is_shown_with_a_question(taught: Any, workers: str) -> None:
    """The first run proves the set-up; what is the learner's is 0 %, and one question stands."""
    result = taught.run(workers, "-v")

    result.stdout.fnmatch_lines(
        [
            "  demonstrated * s A thing is a thing.",
            "    control * s What is no thing is not.",
            "  proved   3 of 3 facts of Module T, on this machine",
            "  yours    0 %: predicted 0 of 2, explained 0 of 2, built 0 of 1",
            "  next     Begin task 9.1, Things: What is a thing?",
            "           kafkalab learn 9.1",
            "  guess    What of thing?",
            "           a) Something",
            "           b) Nothing",
        ]
    )


@WORKERS
def test_an_answer_is_not_shown_before_it_is_predicted(taught: Any, workers: str) -> None:
    """Slug and verdict of what is to be predicted, without its control; sentences of the rest."""
    taught.did(acts.PREDICTED, "other", choice="Something", right=True)

    result = taught.run(workers, "-v")

    result.stdout.re_match_lines(
        [
            r"  demonstrated .* s thing$",
            r"  demonstrated .* s Another thing is another\.",
            r"  demonstrated .* s Something is made\.",
        ]
    )
    result.stdout.no_fnmatch_line("*A thing is a thing*")
    result.stdout.no_fnmatch_line("*What is no thing*")
    result.stdout.no_fnmatch_line("  guess *")


def test_a_control_that_was_left_out_gives_no_answer_away(taught: Any) -> None:
    """Nothing is wrong with the fact: its slug is shown, and its verdict."""
    taught.did(acts.SEEN, "other")

    result = taught.run("test_task_9_1_things.py::test_a_thing_is")

    result.stdout.re_match_lines([r"  unsupported .* s thing$"])
    result.stdout.no_fnmatch_line("*A thing is a thing*")


@WORKERS
def test_the_runs_page_shows_an_answer_after_a_click(taught: Any, workers: str) -> None:
    """Question first, in the summary and in each row; what was predicted stands there at once."""
    taught.did(acts.PREDICTED, "other", choice="Something", right=True)

    taught.run(workers)

    soup = BeautifulSoup((taught.folder / "reports" / "run.html").read_text("utf-8"), "html.parser")
    asked = [each.get_text(" ", strip=True) for each in soup.select(".kafkalab-summary .asked")]
    assert len(asked) == 1
    assert asked[0].startswith("What of thing? A thing is a thing.")
    assert "What is no thing is not." in asked[0], "the control, too"
    shown = soup.select_one(".kafkalab-summary")
    assert shown is not None
    for each in shown.select("details"):
        each.extract()
    assert "Another thing is another." in shown.get_text()
    assert "A thing is a thing." not in shown.get_text()
    (data,) = soup.select("#data-container")
    rows = json.loads(str(data["data-jsonblob"]))["tests"]
    cells = {nodeid.partition("::")[2]: row[0]["resultsTableRow"] for nodeid, row in rows.items()}
    for test in ("test_a_thing_is", "test_no_thing"):
        assert any("<summary>What of thing?</summary>" in cell for cell in cells[test])
    assert not any("<details" in cell for cell in cells["test_another"])


def test_in_ci_all_is_shown(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody learns there."""
    taught.did(acts.PREDICTED, "other", choice="Something", right=True)
    monkeypatch.setenv("CI", "true")

    taught.run("-v").stdout.fnmatch_lines(["*A thing is a thing.", "*What is no thing is not."])


def test_what_is_refuted_is_shown(taught: Any) -> None:
    """It is no answer: something is wrong, and is to be read."""
    taught.teach(
        FACTS.replace("'''A thing is a thing.'''", "'''A thing is.'''; assert 0, 'is'"), SLUGS
    )
    taught.did(acts.SEEN, "other")

    taught.run().stdout.re_match_lines([r"  refuted .* s A thing is\."])


def test_a_brief_run_has_a_line_for_each_task(taught: Any) -> None:
    """`-q`: the counts, and in full only what needs a look."""
    taught.teach(FACTS.replace("'''Another thing is another.'''", "'''It is.'''; assert 0"), SLUGS)

    result = taught.run("-q")

    result.stdout.fnmatch_lines(
        [
            "9.1 Things: Kafka: 1 of 2 facts demonstrated, 1 refuted; the component: 1 of 1",
            "  refuted * s It is.",
            "  proved   2 of 3 facts of Module T, on this machine",
        ]
    )
    result.stdout.no_fnmatch_line("*A thing is a thing.*")
    result.stdout.no_fnmatch_line("  record *")


# Own code


@WORKERS
def test_a_judgement_is_noted(taught: Any, workers: str) -> None:
    """An act says of which code it is, and the verdicts; the page counts it as built."""
    component(taught, "def describe(config, names): ...\n")

    result = taught.run(workers, "--kafkalab-solutions=mine", "-k", "made")

    (act,) = judged(taught)
    assert result.ret == 0
    assert (act["about"], act["folder"], act["facts"]) == (
        "9.1",
        "../mine",
        {"made": "demonstrated"},
    )
    result.stdout.fnmatch_lines(["  yours    20 %: *, built 1 of 1"])


def test_a_run_of_the_reference_notes_nothing(taught: Any) -> None:
    """A run alone is no act."""
    taught.run()

    assert not (taught.folder / "reports" / acts.FILE).exists()


def test_code_that_fails_is_noted_as_that(taught: Any) -> None:
    """It is judged, and does not hold."""
    component(taught, "x = 1\n")

    result = taught.run("--kafkalab-solutions=mine")

    assert result.ret == 1
    assert [act["facts"] for act in judged(taught)] == [{"made": "refuted"}]
    result.stdout.fnmatch_lines(["  yours    0 %: *, built 0 of 1"])


def test_code_that_was_edited_meanwhile_is_not_noted(taught: Any) -> None:
    """Nobody knows which of the two was run."""
    component(taught, "def describe(config, names): ...\n" + EDITS_ITSELF)

    taught.run("--kafkalab-solutions=mine", "-k", "made")

    assert judged(taught) == []


EDITS_ITSELF = """
import pathlib
path = pathlib.Path(__file__)
path.write_text(path.read_text() + "# edited")
"""


def test_a_run_that_is_to_judge_a_file_that_is_not_there(taught: Any) -> None:
    """It is no success, and one line says which file is missing."""
    (taught.folder / "mine").mkdir()

    result = taught.run("--kafkalab-solutions=mine", "-k", "task_9_1")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert taught.record()["exit_status"] == 1
    result.stdout.fnmatch_lines(["kafkalab: none of the components in *mine was judged: *"])


@WORKERS
def test_a_file_that_is_not_there_in_junit_xml(taught: Any, workers: str) -> None:
    """Its facts are skipped cases, as pytest's own are."""
    (taught.folder / "mine").mkdir()

    result = taught.run("--kafkalab-solutions=mine", "--junitxml=junit.xml", workers)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    page = (taught.folder / "junit.xml").read_text("utf-8")
    assert page.count("<skipped ") == 1
    assert "topics.py is not there: write it" in page


def test_a_run_that_judged_no_component(taught: Any) -> None:
    """Its facts hold, and say nothing of the code that was to be judged."""
    component(taught, "def describe(config, names): ...\n")

    result = taught.run("--kafkalab-solutions=mine", "-k", "other")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["kafkalab: none of the components in *mine was judged: *"])


TWO_TASKS = """
[[task]]
id = "9.2"
title = "Others"
question = "What is another?"
module = "test_task_9_2_others"
component = "routing"
facts = {built = {hint = "Look.", no_control = "none"}}

[[task]]
id = "9.3"
title = "More"
question = "What more?"
module = "test_task_9_3_more"
component = "delivery"
facts = {more = {hint = "Look.", no_control = "none"}}
"""

OF_ANOTHER = """
import pytest

@pytest.mark.fact("{slug}", scope="the component {component}")
def test_{slug}(solutions):
    '''It is {slug}.'''
    solutions.{component}
"""


def test_a_file_of_another_task_may_be_missing(taught: Any) -> None:
    """Where all tasks run, those that are not written yet wait; one that was asked for does not."""
    manifest = taught.folder / "module.toml"
    manifest.write_text(manifest.read_text("utf-8") + TWO_TASKS, "utf-8")
    for module, slug, name in (
        ("9_2_others", "built", "routing"),
        ("9_3_more", "more", "delivery"),
    ):
        text = OF_ANOTHER.format(slug=slug, component=name)
        (taught.folder / f"test_task_{module}.py").write_text(text, "utf-8")
    component(taught, "def describe(config, names): ...\n")

    whole = taught.run("--kafkalab-solutions=mine")
    other = taught.run("--kafkalab-solutions=mine", "-k", "task_9_2")
    both = taught.run("--kafkalab-solutions=mine", "-k", "task_9_1 or task_9_2")

    assert [whole.ret, other.ret, both.ret] == [0, 1, 1]
    for result in (other, both):
        result.stdout.fnmatch_lines(["kafkalab: there is no *mine/routing.py: write it, or *"])


def test_acts_that_cannot_be_written_are_told(taught: Any) -> None:
    """The run goes on, and has its record."""
    component(taught, "def describe(config, names): ...\n")
    (taught.folder / "reports" / acts.FILE).mkdir(parents=True)

    result = taught.run("--kafkalab-solutions=mine")

    assert taught.record()["completed"]
    result.stdout.fnmatch_lines(["kafkalab: acts.jsonl cannot be written: Is a directory"])
