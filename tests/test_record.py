"""A run as data: what is said of each fact, and how it gets to the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log.record import FactRecord, RunRecord, facts_of
from kafkalab.learning_log.record import TestRecord as ItemRecord
from kafkalab.learning_log.verdicts import Outcome, Verdict

MANIFEST = """\
[module]
id = "T"
title = "A small module"
package = "lessons"

[[task]]
id = "1.1"
title = "Topics"
question = "What is a topic made of?"
module = "test_topics"
component = "topics"

[task.facts]
has-partitions = { hint = "Describe it." }
only-grows = { hint = "Shrink it." }

[[task]]
id = "1.2"
title = "Routing"
question = "Where does a record go?"
module = "test_routing"
component = "routing"

[task.facts]
key-decides = { hint = "Send two.", no_control = "a fact about a component" }
"""

TOPICS = '''\
import pytest


@pytest.mark.fact("has-partitions", scope="any client")
def test_partitions():
    """A topic has partitions."""


@pytest.mark.control("has-partitions", changes="nothing was created")
def test_unknown_topic():
    """An unknown topic has none."""


@pytest.mark.fact("only-grows", scope="any client")
def test_growing():
    """The number of partitions only grows."""


@pytest.mark.control("only-grows", changes="the topic is made anew")
def test_new_topic():
    """A new topic can have fewer."""


@pytest.mark.control("only-grows", changes="another topic")
def test_other_topic():
    """Another topic can have fewer."""
'''

ROUTING = '''\
import pytest


@pytest.mark.fact("key-decides", scope="librdkafka")
def test_key():
    """The key decides."""
'''

PASSED, REFUTED, SKIPPED = Outcome.PASSED, Outcome.REFUTED, Outcome.SKIPPED
INVALID, INTERRUPTED = Outcome.INVALID, Outcome.INTERRUPTED

MODULES = {"test_key": "test_routing"}
SLUGS = {
    "test_partitions": "has-partitions",
    "test_unknown_topic": "has-partitions",
    "test_growing": "only-grows",
    "test_new_topic": "only-grows",
    "test_other_topic": "only-grows",
    "test_key": "key-decides",
}


@pytest.fixture
def curriculum(tmp_path: Path) -> Curriculum:
    """Three facts of two tasks: with one control, with two, and with none."""
    (tmp_path / "lessons").mkdir()
    (tmp_path / "module.toml").write_text(MANIFEST, "utf-8")
    (tmp_path / "lessons" / "test_topics.py").write_text(TOPICS, "utf-8")
    (tmp_path / "lessons" / "test_routing.py").write_text(ROUTING, "utf-8")
    return load(tmp_path / "module.toml")


def ran(test: str, outcome: Outcome, reason: str = "", seconds: float = 0.5) -> ItemRecord:
    """The record of one test item, named as pytest names it, such as `test_key[3]`."""
    function = test.split("[")[0]
    role = "fact" if function in ("test_partitions", "test_growing", "test_key") else "control"
    nodeid = f"lessons/{MODULES.get(function, 'test_topics')}.py::{test}"
    return ItemRecord(nodeid, SLUGS[function], role, outcome, reason, seconds)


def the_fact(curriculum: Curriculum, *tests: ItemRecord) -> FactRecord:
    """What is said of the only fact that these tests belong to."""
    (fact,) = facts_of(curriculum, tests)
    return fact


def test_facts_stand_in_the_curriculums_order(curriculum: Curriculum) -> None:
    """However workers and random order mix the tests, a page reads as the course does."""
    tests = [ran(each, PASSED) for each in reversed(SLUGS)]

    facts = facts_of(curriculum, tests)

    assert [fact.slug for fact in facts] == ["has-partitions", "only-grows", "key-decides"]
    assert [fact.task for fact in facts] == ["1.1", "1.1", "1.2"]


def test_only_facts_that_were_selected_are_told(curriculum: Curriculum) -> None:
    """A run with `-k` says nothing of the facts it left out."""
    facts = facts_of(curriculum, [ran("test_growing", PASSED)])

    assert [fact.slug for fact in facts] == ["only-grows"]


def test_a_run_without_facts_has_none(curriculum: Curriculum) -> None:
    """No test, no fact."""
    assert facts_of(curriculum, []) == ()


def test_a_fact_and_its_control_make_a_demonstration(curriculum: Curriculum) -> None:
    """The record has the words of the tests, and what happened to each."""
    fact = the_fact(
        curriculum, ran("test_partitions", PASSED), ran("test_unknown_topic", PASSED, seconds=0.25)
    )

    assert fact.verdict is Verdict.DEMONSTRATED
    assert (fact.sentence, fact.scope) == ("A topic has partitions.", "any client")
    assert (fact.reason, fact.no_control) == ("", "")
    (control,) = fact.controls
    assert (control.sentence, control.changes) == (
        "An unknown topic has none.",
        "nothing was created",
    )
    assert (control.outcome, control.seconds) == (PASSED, 0.25)


def test_a_fact_that_can_have_no_control_says_why(curriculum: Curriculum) -> None:
    """It is demonstrated by itself, and the record states the reason."""
    fact = the_fact(curriculum, ran("test_key", PASSED))

    assert fact.verdict is Verdict.DEMONSTRATED
    assert fact.controls == ()
    assert fact.no_control == "a fact about a component"


@pytest.mark.parametrize(
    ("control", "verdict", "reason"),
    [
        pytest.param([], Verdict.UNSUPPORTED, "control not run", id="not run"),
        pytest.param(
            [ran("test_unknown_topic", SKIPPED, "needs restart")],
            Verdict.UNSUPPORTED,
            "control skipped: needs restart",
            id="skipped",
        ),
        pytest.param(
            [ran("test_unknown_topic", REFUTED, "it has one partition")],
            Verdict.UNSUPPORTED,
            "control refuted: it has one partition",
            id="refuted",
        ),
        pytest.param(
            [ran("test_unknown_topic", INVALID, "OSError: disk full")],
            Verdict.INVALID,
            "control invalid: OSError: disk full",
            id="invalid",
        ),
        pytest.param(
            [ran("test_unknown_topic", INTERRUPTED, "worker gw0 crashed")],
            Verdict.INTERRUPTED,
            "control interrupted: worker gw0 crashed",
            id="interrupted",
        ),
    ],
)
def test_a_fact_without_its_control_says_what_became_of_it(
    curriculum: Curriculum, control: list[ItemRecord], verdict: Verdict, reason: str
) -> None:
    """A fact that passed is no demonstration yet; the reason names the control's part."""
    fact = the_fact(curriculum, ran("test_partitions", PASSED), *control)

    assert (fact.verdict, fact.reason) == (verdict, reason)


def test_one_of_two_controls_is_not_enough(curriculum: Curriculum) -> None:
    """Every control counts; the record shows which one is missing."""
    fact = the_fact(curriculum, ran("test_growing", PASSED), ran("test_new_topic", PASSED))

    assert (fact.verdict, fact.reason) == (Verdict.UNSUPPORTED, "control not run")
    assert [control.outcome for control in fact.controls] == [PASSED, Outcome.NOT_RUN]


def test_a_fact_that_failed_keeps_its_own_reason(curriculum: Curriculum) -> None:
    """What became of the control does not matter then."""
    fact = the_fact(
        curriculum,
        ran("test_partitions", REFUTED, "two partitions, not three"),
        ran("test_unknown_topic", SKIPPED, "needs restart"),
    )

    assert (fact.verdict, fact.reason) == (Verdict.REFUTED, "two partitions, not three")


def test_a_control_alone_says_nothing_of_its_fact(curriculum: Curriculum) -> None:
    """The fact is told, as not run."""
    fact = the_fact(curriculum, ran("test_unknown_topic", PASSED))

    assert (fact.verdict, fact.seconds) == (Verdict.NOT_RUN, 0.0)


def test_a_skipped_fact_is_not_run_and_says_why(curriculum: Curriculum) -> None:
    """A need that the backend does not meet stands in the record."""
    fact = the_fact(curriculum, ran("test_partitions", SKIPPED, "needs log_dirs"))

    assert (fact.verdict, fact.reason) == (Verdict.NOT_RUN, "needs log_dirs")


def test_of_a_parametrised_fact_the_worst_counts(curriculum: Curriculum) -> None:
    """One failing case refutes, with that case's reason; the time is that of all cases."""
    fact = the_fact(
        curriculum,
        ran("test_key[1]", PASSED, seconds=0.1),
        ran("test_key[2]", REFUTED, "another partition", seconds=0.2),
        ran("test_key[3]", SKIPPED, "needs restart", seconds=0.3),
    )

    assert (fact.verdict, fact.reason) == (Verdict.REFUTED, "another partition")
    assert fact.seconds == pytest.approx(0.6)


def test_of_a_parametrised_control_the_worst_counts(curriculum: Curriculum) -> None:
    """One case that does not make the fact false leaves it unsupported."""
    fact = the_fact(
        curriculum,
        ran("test_partitions", PASSED),
        ran("test_unknown_topic[a]", PASSED),
        ran("test_unknown_topic[b]", REFUTED, "b has one"),
    )

    assert (fact.verdict, fact.reason) == (Verdict.UNSUPPORTED, "control refuted: b has one")
    (control,) = fact.controls
    assert control.seconds == pytest.approx(1.0)


# One test's phases


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        pytest.param([], (Outcome.NOT_RUN, ""), id="none"),
        pytest.param([(PASSED, "")] * 3, (PASSED, ""), id="all passed"),
        pytest.param([(SKIPPED, "no"), (PASSED, "")], (SKIPPED, "no"), id="skipped in setup"),
        pytest.param(
            [(PASSED, ""), (REFUTED, "one is not two"), (PASSED, "")],
            (REFUTED, "one is not two"),
            id="refuted",
        ),
        pytest.param(
            [(PASSED, ""), (PASSED, ""), (INVALID, "OSError: busy")],
            (INVALID, "OSError: busy"),
            id="teardown failed",
        ),
        pytest.param(
            [(PASSED, ""), (REFUTED, "one is not two"), (INVALID, "OSError: busy")],
            (REFUTED, "one is not two"),
            id="refuted, then teardown failed",
        ),
        pytest.param(
            [(PASSED, ""), (INTERRUPTED, "crashed")], (INTERRUPTED, "crashed"), id="crashed"
        ),
    ],
)
def test_of_a_tests_phases_the_worst_counts(
    phases: list[tuple[Outcome, str]], expected: tuple[Outcome, str]
) -> None:
    """Setup, call and teardown make one outcome, with the reason that belongs to it."""
    test = ItemRecord("test_topics.py::test_key", "key-decides", "fact")

    for outcome, reason in phases:
        test.add(outcome, reason, 0.5)

    assert (test.outcome, test.reason) == expected
    assert test.seconds == pytest.approx(0.5 * len(phases))


# The record's way to the disk


@pytest.fixture
def record(curriculum: Curriculum) -> RunRecord:
    """The record of a run with one fact, its control and some evidence."""
    tests = (ran("test_partitions", PASSED), ran("test_unknown_topic", PASSED))
    tests[0].evidence.append({"kind": "note", "text": "drei Schlüssel"})
    return RunRecord(
        run="0123456789ab",
        started="2026-01-02T03:04:05+01:00",
        completed=True,
        exit_status=0,
        seconds=1.5,
        command=("pytest", "-k", "task_1_1"),
        environment={"python": "3.11.7"},
        broker={"version": "4.4.0", "start_seconds": None},
        solutions="",
        facts=facts_of(curriculum, tests),
        tests=tests,
    )


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_a_record_is_readable_json(record: RunRecord, tmp_path: Path) -> None:
    """Words, not classes: any later version, and any other language, reads it."""
    path = tmp_path / "run.json"

    record.write(path)

    written = read(path)
    assert written["schema"] == 1
    assert (written["completed"], written["exit_status"]) == (True, 0)
    assert written["command"] == ["pytest", "-k", "task_1_1"]
    assert written["facts"][0]["verdict"] == "demonstrated"
    assert written["facts"][0]["controls"][0]["outcome"] == "passed"
    assert written["tests"][0]["evidence"] == [{"kind": "note", "text": "drei Schlüssel"}]


def test_writing_makes_the_folder_and_leaves_one_file(record: RunRecord, tmp_path: Path) -> None:
    """Nothing but the record lies there afterwards, no draft."""
    folder = tmp_path / "reports" / "runs"

    record.write(folder / "run.json")

    assert files_in(folder) == ["run.json"]


def test_a_later_record_takes_the_earlier_ones_place(record: RunRecord, tmp_path: Path) -> None:
    """A record is written when the run starts, and again when it ends."""
    path = tmp_path / "runs" / "run.json"
    replace(record, completed=False, exit_status=None).write(path)

    record.write(path)

    assert read(path)["completed"] is True
    assert files_in(path.parent) == ["run.json"]


def test_a_record_that_cannot_be_written_leaves_the_earlier_one(
    record: RunRecord, tmp_path: Path
) -> None:
    """Half a record is never seen, and no draft stays behind."""
    path = tmp_path / "runs" / "run.json"
    record.write(path)

    with pytest.raises(TypeError, match="not JSON serializable"):
        replace(record, seconds=2.5, broker={"client": object()}).write(path)

    assert read(path)["seconds"] == 1.5
    assert files_in(path.parent) == ["run.json"]


def test_a_path_that_is_not_utf_8_can_be_recorded(record: RunRecord, tmp_path: Path) -> None:
    """Python gives the undecodable bytes of an argument as lone surrogates."""
    path = tmp_path / "runs" / "run.json"

    replace(record, command=("pytest", "caf\udce9")).write(path)

    assert read(path)["command"][0] == "pytest"
    assert files_in(path.parent) == ["run.json"]
