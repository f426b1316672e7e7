"""A fact whose test was edited runs as always, and counts for no proof."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kafkalab.curriculum import BadManifest, load, shipped, statements
from kafkalab.learning_log.standing import standing_of
from kafkalab.learning_log.verdicts import Verdict

LESSON = """
    from collections import Counter

    LIMIT = 3
    SHARED, OTHER = 1, 2


    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is(evidence):
        '''A thing is a thing.'''
        assert helper() == LIMIT


    @pytest.mark.control("thing", changes="it is not a thing")
    def test_no_thing_is_not():
        '''What is no thing is not.'''
        assert SHARED == 1


    @pytest.mark.fact("other", scope="any")
    def test_another_is():
        '''Another thing is another.'''
        assert Counter("a") == {"a": 1}


    def helper():
        return 3


    def nobody_calls():
        return 1
"""

FACTS = {"thing": "", "other": "there is none"}
MODULE = "test_task_9_1_things.py"


@pytest.fixture
def lessons(host: Any) -> Any:
    """A project with two facts, as they were shipped."""
    host.teach(LESSON, FACTS)
    ship(host)
    return host


def ship(host: Any) -> None:
    """Write down that the facts are as they are meant to be, as `make shipped` does."""
    manifest = host.lessons / "module.toml"
    shipped.write(load(manifest), manifest)


def edit(host: Any, old: str, new: str) -> None:
    """Change the tests as somebody would who plays with them."""
    path = host.lessons / MODULE
    text = path.read_text("utf-8")
    assert old in text, "there is something to change"
    path.write_text(text.replace(old, new), "utf-8")


def edited(host: Any) -> set[str]:
    manifest = host.lessons / "module.toml"
    return set(shipped.edited_facts(load(manifest), manifest))


def test_module_a_is_as_it_is_shipped() -> None:
    """Whoever changes a fact writes down that it is meant: `make shipped`."""
    taught = load()
    written = json.loads(Path(shipped.__file__).with_name(shipped.NAME).read_text("utf-8"))

    assert written == shipped.digests(taught), "tests_module_a was changed: call make shipped"


def test_what_is_as_shipped_is_told_in_milliseconds() -> None:
    """A run's start does not wait for it: where a module's hash fits, nothing is parsed."""
    taught = load()
    assert taught.stated_facts, "a run reads these anyway"

    began = time.process_time()
    assert shipped.edited_facts(taught, None) == {}

    # 1 ms on an idle machine; to parse the modules takes hundreds.
    assert time.process_time() - began < 0.1


def test_what_is_kept_of_module_a_is_what_its_tests_state() -> None:
    """`make shipped` keeps the statements, so that no run has to parse the tests."""
    taught = load()
    parsed = [
        statement
        for task in taught.tasks
        for module in task.modules
        for statement in statements.statements_in(taught.folder / f"{module}.py", task.id, {})
    ]

    kept = statements.kept_beside(taught.beside)

    assert set(kept) == set(taught.modules), "tests_module_a was changed: call make shipped"
    assert [each for module in taught.modules for each in kept[module].statements] == parsed


def test_a_module_that_has_changed_is_read_again(lessons: Any) -> None:
    """What was kept of it is not told any more."""
    path = lessons.lessons / MODULE
    statements.keep(lessons.lessons, [(path, "9.1")])
    before = load(lessons.lessons / "module.toml").statements
    edit(lessons, "A thing is a thing.", "A thing is what it is.")

    now = load(lessons.lessons / "module.toml").statements

    assert next(each.sentence for each in before if each.slug == "thing") == "A thing is a thing."
    assert next(each.sentence for each in now if each.slug == "thing") == "A thing is what it is."


@pytest.mark.parametrize("broken", ["", "{", '{"test_task_9_1_things": {"digest": 1}}', "[]"])
def test_without_what_was_kept_the_tests_are_read(lessons: Any, broken: str) -> None:
    """A file that is cut off or has another shape costs time, and nothing else."""
    manifest = lessons.lessons / "module.toml"
    was = load(manifest).statements
    (lessons.lessons / statements.NAME).write_text(broken, "utf-8")

    assert load(manifest).statements == was


EDITS = {
    "the fact's test": ("assert helper() == LIMIT", "assert helper() >= LIMIT", {"thing"}),
    "its control": ("assert SHARED == 1", "assert SHARED < 2", {"thing"}),
    "its marker": ('scope="any")\ndef test_a_thing', 'scope="all")\ndef test_a_thing', {"thing"}),
    "a helper": ("return 3", "return 4 - 1", {"thing"}),
    "a constant": ("LIMIT = 3", "LIMIT = 4 - 1", {"thing"}),
    "an import": ("from collections import", "from os import environ as", {"other"}),
    "what a name is in the end": ("def nobody_calls", "def helper", {"thing"}),
    "a statement for all": (
        "LIMIT = 3",
        "LIMIT = 3\nos.environ['HOME'] = '/'",
        {"thing", "other"},
    ),
    "a mark for all": ("LIMIT = 3", "LIMIT = 3\npytestmark = []", {"thing", "other"}),
    "a fixture for all": (
        "def nobody_calls",
        "@pytest.fixture(autouse=True)\ndef nobody_calls",
        {"thing", "other"},
    ),
    "names from anywhere": ("LIMIT = 3", "LIMIT = 3\nfrom os.path import *", {"thing", "other"}),
    "what nobody uses": ("return 1", "return 2", set()),
    "a test of one's own": ("def nobody_calls():", "def test_mine(evidence):", set()),
    "blank lines": ("\n\n\ndef", "\n\n\n\n\ndef", set()),
}


@pytest.mark.parametrize(("old", "new", "expected"), EDITS.values(), ids=EDITS)
def test_an_edit_counts_for_the_facts_that_use_what_was_edited(
    lessons: Any, old: str, new: str, expected: set[str]
) -> None:
    """The other facts of the module are proofs as before."""
    assert edited(lessons) == set(), "as it was shipped"

    edit(lessons, old, new)

    assert edited(lessons) == expected


def test_a_fact_that_was_not_shipped_is_edited(lessons: Any) -> None:
    """An author's new fact counts when it was written down."""
    new = """
    @pytest.mark.fact("new", scope="any")
    def test_news():
        '''News are new.'''
    """
    lessons.teach(LESSON + new, {**FACTS, "new": "there is none"})

    assert edited(lessons) == {"new"}

    ship(lessons)
    assert edited(lessons) == set()


@pytest.mark.parametrize("name", ["conftest.py", "__init__.py"])
def test_a_file_that_may_change_all_tests_changes_all(lessons: Any, name: str) -> None:
    """No fact counts whose fixtures, or whose imports, somebody may have replaced."""
    (lessons.lessons / name).write_text("", "utf-8")

    assert edited(lessons) == {"thing", "other"}


def test_a_control_in_another_module_is_a_part_of_its_fact(lessons: Any) -> None:
    """A fact is edited by whatever file its control stands in."""
    manifest = (lessons.lessons / "module.toml").read_text("utf-8")
    task = manifest[manifest.index("[[task]]") : manifest.index("[task.facts]")]
    task = task.replace("9.1", "9.2").replace("9_1_things", "9_2_more")
    (lessons.lessons / "module.toml").write_text(f"{manifest}\n{task}\n[task.facts]\n", "utf-8")
    control = '@pytest.mark.control("thing", changes="all")\ndef test_more():\n    """More."""\n'
    more = lessons.lessons / "test_task_9_2_more.py"
    more.write_text(f"import pytest\n\n\n{control}    assert 1\n", "utf-8")
    ship(lessons)
    assert edited(lessons) == set()

    more.write_text(more.read_text("utf-8").replace("assert 1", "assert 2"), "utf-8")

    assert edited(lessons) == {"thing"}


def test_another_curriculum_proves_no_fact_of_module_a(host: Any) -> None:
    """What is called as a fact of Module A, and is another test, proves nothing of it."""
    stated = load().stated_facts["same-key-same-partition"]
    other = f"""
    @pytest.mark.fact("same-key-same-partition", scope="any")
    def test_easy():
        '''{stated.sentence}'''
    """
    host.teach(LESSON + other, {**FACTS, "same-key-same-partition": "there is none"})

    host.run("lessons")

    marked = {fact["slug"]: fact["edited"] for fact in host.record()["facts"]}
    assert marked == {"thing": False, "other": False, "same-key-same-partition": True}
    module_a = standing_of(load(), host.folder / "reports")
    assert module_a.proved.done == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"modules": 1}', "\x00"])
def test_digests_that_cannot_be_read_are_told(lessons: Any, text: str) -> None:
    """What was shipped is not guessed."""
    (lessons.lessons / shipped.NAME).write_text(text, "utf-8")

    with pytest.raises(BadManifest, match=f"{shipped.NAME}: "):
        edited(lessons)


def proofs(host: Any) -> dict[str, Verdict | None]:
    """What counts of each fact, after all runs so far."""
    standing = standing_of(load(host.lessons / "module.toml"), host.folder / "reports")
    facts = [fact for task in standing.tasks for fact in task.facts]
    return {fact.slug: fact.proof and fact.proof.fact.verdict for fact in facts}


@pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])
def test_an_edited_fact_runs_and_is_no_proof(
    lessons: Any, lines: Callable[[pytest.RunResult], str], workers: str
) -> None:
    """Its verdict is told, the record says that it was edited, and the log has no proof."""
    edit(lessons, "assert helper() == LIMIT", "assert 1")

    result = lessons.run(workers, "lessons", "--junitxml=junit.xml")

    assert result.ret == 0, "it runs as always"
    assert lessons.verdicts() == {"thing": "demonstrated", "other": "demonstrated"}
    told = {fact["slug"]: fact["edited"] for fact in lessons.record()["facts"]}
    assert told == {"thing": True, "other": False}
    assert proofs(lessons) == {"thing": Verdict.NOT_RUN, "other": Verdict.DEMONSTRATED}
    (line,) = re.findall(r"kafkalab: (.* differs .*)", lines(result))
    assert line == (
        f"lessons/{MODULE} differs from what kafkalab ships: thing does not count as proof; "
        "kafkalab try thing makes a copy to change, "
        "and to install kafkalab again brings it back"
    )
    cases = ET.parse(lessons.folder / "junit.xml").iter("testcase")  # noqa: S314 - our own file
    marked = {
        case.get("name") for case in cases if case.find(".//property[@name='edited']") is not None
    }
    assert marked == {"test_a_thing_is", "test_no_thing_is_not"}
    assert "its test was edited" in (lessons.folder / "reports" / "run.html").read_text("utf-8")


def test_what_brings_the_original_back_is_told(
    lessons: Any, lines: Callable[[pytest.RunResult], str]
) -> None:
    """In a clone git does; what somebody put beside the tests is only to be removed."""
    (lessons.folder / ".git").mkdir()
    edit(lessons, "assert helper() == LIMIT", "assert 1")
    edit(lessons, 'assert Counter("a")', 'assert dict(Counter("a"))')

    said = lines(lessons.run("lessons"))

    assert "2 facts of this run do not count as proof; " in said
    assert f" and git checkout lessons/{MODULE} brings it back" in said

    lessons.write("lessons/conftest.py", "")

    said = lines(lessons.run("lessons"))
    assert "kafkalab: lessons/conftest.py differs from what kafkalab ships: 2 facts " in said
    assert " and without that file they count again" in said


def test_what_was_proved_before_the_edit_stays(lessons: Any) -> None:
    """An edited test proves nothing, and disproves nothing."""
    lessons.run("lessons")
    edit(lessons, "assert helper() == LIMIT", "assert not 'what was there'")

    result = lessons.run("lessons")

    assert result.ret == 1, "pytest says that it failed"
    assert lessons.verdicts()["thing"] == "refuted"
    assert proofs(lessons)["thing"] is Verdict.DEMONSTRATED


def test_a_run_of_facts_as_shipped_says_nothing_of_edits(
    lessons: Any, lines: Callable[[pytest.RunResult], str]
) -> None:
    """Where nothing was edited there is nothing to tell, nor where nobody shipped anything."""
    assert "differs from what" not in lines(lessons.run("lessons"))

    (lessons.lessons / shipped.NAME).unlink()
    edit(lessons, "assert helper() == LIMIT", "assert 1")

    assert "differs from what" not in lines(lessons.run("lessons"))
    assert proofs(lessons)["thing"] is Verdict.DEMONSTRATED


def test_ci_reads_in_its_summary_that_a_fact_was_edited(lessons: Any) -> None:
    """Who reads the page of a job sees that what is demonstrated there proves nothing."""
    edit(lessons, "assert helper() == LIMIT", "assert 1")

    lessons.run("lessons", "--kafkalab-concept-summary=summary.md")

    said = (lessons.folder / "summary.md").read_text("utf-8").splitlines()
    at = next(at for at, line in enumerate(said) if "A thing is a thing." in line)
    assert said[at + 1] == "  - its test was edited, so it does not count as proof"


def test_broken_digests_end_the_run_in_one_line(
    lessons: Any, lines: Callable[[pytest.RunResult], str]
) -> None:
    """No traceback, and the remedy is named."""
    (lessons.lessons / shipped.NAME).write_text("{", "utf-8")

    result = lessons.run("lessons")

    said = lines(result)
    assert result.ret == pytest.ExitCode.USAGE_ERROR

    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    assert "make shipped" in said
