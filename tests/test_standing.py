"""What all runs together say of each fact, and where the learner stands."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log.progress import Count
from kafkalab.learning_log.proofs import minutes_spent
from kafkalab.learning_log.record import RunRecord, facts_of
from kafkalab.learning_log.record import TestRecord as ItemRecord
from kafkalab.learning_log.standing import FactStanding, Standing, standing_of
from kafkalab.learning_log.stored import read_runs
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
module = "test_task_1_1_topics"
component = "topics"

[task.facts]
has-partitions = { hint = "Describe it." }
is-described = { hint = "Ask for all.", no_control = "a wrong component" }
expires = { hint = "Wait.", no_control = "it takes a minute" }
was-so = { hint = "Look back.", no_control = "there is none" }

[[task]]
id = "1.2"
title = "Routing"
question = "Where does a record go?"
module = "test_task_1_2_routing"
component = "routing"

[task.facts]
key-decides = { hint = "Send two.", no_control = "there is none" }
"""

TOPICS = '''\
import pytest


@pytest.mark.fact("has-partitions", scope="any client")
def test_partitions():
    """A topic has partitions."""


@pytest.mark.control("has-partitions", changes="nothing was created")
def test_unknown_topic():
    """An unknown topic has none."""


@pytest.mark.fact("is-described", scope="the component")
def test_described():
    """Describing names the partitions."""


@pytest.mark.slow
@pytest.mark.fact("expires", scope="any client")
def test_expires():
    """What is old expires."""


@pytest.mark.fact("was-so", scope="the broker", versions="<4.3")
def test_was_so():
    """It was so."""
'''

ROUTING = '''\
import pytest


@pytest.mark.fact("key-decides", scope="librdkafka")
def test_key():
    """The key decides."""
'''

PLACES = {
    "test_partitions": ("test_task_1_1_topics", "has-partitions", "fact"),
    "test_unknown_topic": ("test_task_1_1_topics", "has-partitions", "control"),
    "test_described": ("test_task_1_1_topics", "is-described", "fact"),
    "test_expires": ("test_task_1_1_topics", "expires", "fact"),
    "test_was_so": ("test_task_1_1_topics", "was-so", "fact"),
    "test_key": ("test_task_1_2_routing", "key-decides", "fact"),
}

PASSED, REFUTED, SKIPPED = Outcome.PASSED, Outcome.REFUTED, Outcome.SKIPPED
INVALID, INTERRUPTED, NOT_RUN = Outcome.INVALID, Outcome.INTERRUPTED, Outcome.NOT_RUN

BEGIN = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)


class Learner:
    """Somebody who runs facts, once an hour unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        (folder / "lessons").mkdir()
        (folder / "module.toml").write_text(MANIFEST, "utf-8")
        (folder / "lessons" / "test_task_1_1_topics.py").write_text(TOPICS, "utf-8")
        (folder / "lessons" / "test_task_1_2_routing.py").write_text(ROUTING, "utf-8")
        self.reports = folder / "reports"
        self.runs = self.reports / "runs"
        self._manifest = folder / "module.toml"
        self._count = 0

    @property
    def curriculum(self) -> Curriculum:
        return load(self._manifest)

    def record(self, outcomes: dict[str, Outcome], **changed: Any) -> RunRecord:
        """The record of a run in which these tests had these outcomes."""
        self._count += 1
        tests = []
        for name, outcome in outcomes.items():
            module, slug, role = PLACES[name]
            seen = [{"kind": "number", "name": "run", "value": self._count, "unit": ""}]
            nodeid = f"lessons/{module}.py::{name}"
            tests.append(ItemRecord(nodeid, slug, role, outcome, f"it {outcome}", 0.5, seen))
        began = BEGIN + timedelta(hours=self._count)
        record = RunRecord(
            run=f"run{self._count}",
            started=began.isoformat(timespec="seconds"),
            completed=True,
            exit_status=0,
            seconds=20.0,
            command=("pytest",),
            environment={"python": "3.11.7"},
            broker={"backend": "embedded", "version": "4.4.0"},
            solutions="",
            facts=facts_of(self.curriculum, tests),
            tests=tuple(tests),
        )
        return replace(record, **changed)

    def ran(self, outcomes: dict[str, Outcome], **changed: Any) -> RunRecord:
        """A run, its record written."""
        record = self.record(outcomes, **changed)
        record.write(self.runs / f"{record.started[:10]}-{record.run}.json")
        return record

    @property
    def standing(self) -> Standing:
        return standing_of(self.curriculum, self.reports)

    def fact(self, slug: str) -> FactStanding:
        """What is known of one fact."""
        facts = {fact.slug: fact for task in self.standing.tasks for fact in task.facts}
        return facts[slug]


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    """Somebody who has not run anything yet."""
    return Learner(tmp_path)


BOTH = {"test_partitions": PASSED, "test_unknown_topic": PASSED}
ALL = {**BOTH, "test_described": PASSED, "test_key": PASSED}


def fact_and_control(fact: Outcome, control: Outcome) -> dict[str, Outcome]:
    return {"test_partitions": fact, "test_unknown_topic": control}


# A run of each kind, and its own verdict.
RUNS = {
    "demonstrated": BOTH,
    "refuted": fact_and_control(REFUTED, PASSED),
    "control refuted": fact_and_control(PASSED, REFUTED),
    "control left out": {"test_partitions": PASSED},
    "control skipped": fact_and_control(PASSED, SKIPPED),
    "invalid": fact_and_control(INVALID, PASSED),
    "interrupted": fact_and_control(INTERRUPTED, NOT_RUN),
    "skipped": fact_and_control(SKIPPED, SKIPPED),
}


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ("demonstrated", "refuted", "refuted"),
        ("demonstrated", "control refuted", "unsupported"),
        ("demonstrated", "control left out", "demonstrated"),
        ("demonstrated", "control skipped", "demonstrated"),
        ("demonstrated", "invalid", "demonstrated"),
        ("demonstrated", "interrupted", "demonstrated"),
        ("demonstrated", "skipped", "demonstrated"),
        ("refuted", "demonstrated", "demonstrated"),
        ("refuted", "control left out", "unsupported"),
        ("refuted", "invalid", "refuted"),
        ("refuted", "interrupted", "refuted"),
        ("refuted", "skipped", "refuted"),
        ("control refuted", "demonstrated", "demonstrated"),
        ("control refuted", "control left out", "unsupported"),
        ("control left out", "skipped", "unsupported"),
        ("invalid", "control left out", "unsupported"),
        ("invalid", "interrupted", "interrupted"),
        ("interrupted", "skipped", "not run"),
        ("skipped", "refuted", "refuted"),
    ],
)
def test_the_newest_run_that_says_something_counts(
    learner: Learner, earlier: str, later: str, expected: str
) -> None:
    """Two runs make one verdict; which of them counts depends on what each can say."""
    learner.ran(RUNS[earlier])
    learner.ran(RUNS[later])

    assert learner.fact("has-partitions").verdict == expected


def test_a_run_of_one_task_leaves_the_others_as_last_proved(learner: Learner) -> None:
    """The facts of that run are renewed, with their date; the others keep theirs."""
    first = learner.ran(ALL)
    second = learner.ran({"test_key": REFUTED})

    kept, renewed = learner.fact("has-partitions"), learner.fact("key-decides")
    assert kept.proof is not None
    assert renewed.proof is not None
    assert (kept.proof.started, kept.verdict) == (first.started, Verdict.DEMONSTRATED)
    assert (renewed.proof.started, renewed.verdict) == (second.started, Verdict.REFUTED)


def test_a_proof_has_its_own_evidence(learner: Learner) -> None:
    """What the tests of the fact observed in the run that counts, controls included."""
    learner.ran(BOTH)
    learner.ran({**BOTH, "test_key": PASSED})
    learner.ran(RUNS["invalid"])

    proof = learner.fact("has-partitions").proof

    assert proof is not None
    assert (proof.run, proof.kafka) == ("run2", "Kafka 4.4.0, embedded")
    assert [(each.role, each.name) for each in proof.evidence] == [
        ("fact", "test_partitions"),
        ("control", "test_unknown_topic"),
    ]
    assert [item["value"] for each in proof.evidence for item in each.items] == [2, 2]


def test_a_later_run_that_does_not_count_is_told(learner: Learner) -> None:
    """The fact stays demonstrated, and a word says what became of it since."""
    learner.ran(BOTH)
    learner.ran(RUNS["invalid"])

    fact = learner.fact("has-partitions")

    assert fact.later.endswith(": invalid, it invalid")
    learner.ran(BOTH)
    assert learner.fact("has-partitions").later == ""


def test_a_run_that_was_killed_gives_no_verdict(learner: Learner) -> None:
    """Whatever its record says: a verdict needs a completed run."""
    learner.ran(BOTH, completed=False, exit_status=None)

    fact = learner.fact("has-partitions")

    assert fact.verdict is Verdict.INTERRUPTED
    assert fact.proof is not None
    assert fact.proof.fact.reason == "the run was not completed"


def test_a_killed_run_takes_nothing_away(learner: Learner) -> None:
    """What was demonstrated before stays so."""
    learner.ran(BOTH)
    learner.ran(RUNS["skipped"], completed=False)

    assert learner.fact("has-partitions").is_demonstrated


def test_a_fact_that_is_stated_anew_is_to_be_proved_anew(learner: Learner) -> None:
    """A run proved the sentence that stood there then, and no other."""
    old = learner.record(BOTH)
    said = replace(old.facts[0], sentence="A topic has one partition.")
    replace(old, facts=(said,)).write(learner.runs / "old.json")

    fact = learner.fact("has-partitions")

    assert fact.verdict is Verdict.NOT_RUN
    assert fact.proof is None
    assert fact.later.endswith("demonstrated, when it said: A topic has one partition.")


def test_a_fact_that_is_taught_no_more_is_left_out(learner: Learner) -> None:
    """A record may know more than the curriculum does."""
    old = learner.record(BOTH)
    replace(old, facts=(replace(old.facts[0], slug="gone", task="0.1"),)).write(
        learner.runs / "old.json"
    )

    assert [fact.slug for task in learner.standing.tasks for fact in task.facts] == [
        "has-partitions",
        "is-described",
        "expires",
        "was-so",
        "key-decides",
    ]
    assert learner.standing.proved.done == 0


@given(
    st.lists(st.sampled_from(sorted(RUNS)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_order_of_files_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], chance: random.Random
) -> None:
    """Records are merged by when their runs began, whatever their names and however written."""
    learner = Learner(tmp_path_factory.mktemp("learner"))
    records = [learner.record(RUNS[kind]) for kind in kinds]
    names = [f"{number}.json" for number in range(len(records))]
    chance.shuffle(names)
    for record, name in zip(records, names, strict=True):
        record.write(learner.runs / name)

    runs, set_aside = read_runs(learner.runs)

    assert [run.run for run in runs] == [record.run for record in records]
    assert set_aside == ()
    assert learner.fact("has-partitions").verdict == expected_after(kinds)


def expected_after(kinds: Sequence[str]) -> str:
    """The same rule, told from the end: what stood last, unless all that came after is silent."""
    silent = {"invalid", "interrupted", "skipped"}
    weak = {"control left out", "control skipped"}
    own = {"control refuted": "unsupported", "skipped": "not run"} | dict.fromkeys(
        weak, "unsupported"
    )
    loud = [kind for kind in kinds if kind not in silent] or [kinds[-1]]
    strong = [kind for kind in loud if kind not in weak]
    counts = strong[-1] if strong and strong[-1] == "demonstrated" else loud[-1]
    return own.get(counts, counts)


def test_two_runs_in_the_same_second_both_count(learner: Learner) -> None:
    """Each run has a file of its own, so none writes over the other's."""
    first = learner.ran(BOTH)
    learner.ran({"test_key": PASSED}, started=first.started)

    assert learner.standing.runs == 2
    assert learner.fact("has-partitions").is_demonstrated
    assert learner.fact("key-decides").is_demonstrated


def test_time_zones_are_compared_as_times(learner: Learner) -> None:
    """A run at 9 in Berlin came before one at 8:30 in London."""
    learner.ran({"test_key": REFUTED}, started="2026-01-02T09:00:00+01:00")
    learner.ran({"test_key": PASSED}, started="2026-01-02T08:30:00+00:00")

    assert learner.fact("key-decides").is_demonstrated


BROKEN = {
    "empty": b"",
    "half": b'{"schema": 1, "run": "abc", "facts": [',
    "no JSON": b"hello",
    "a list": b"[]",
    "no facts": b'{"schema": 1, "run": "abc"}',
    "not UTF-8": b"\xff\xfe\x00",
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_set_aside_with_a_word(learner: Learner, content: bytes) -> None:
    """The others count; the broken one stays where it is, for whoever wants to see it."""
    learner.ran(ALL)
    path = learner.runs / "broken.json"
    path.write_bytes(content)

    standing = learner.standing

    assert standing.runs == 1
    assert standing.proved.done == 3
    (word,) = standing.set_aside
    assert word.startswith("runs/broken.json is set aside: ")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 99}, "a later kafkalab wrote it (schema 99, known is 1)"),
        ({"started": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"facts": [{"slug": "thing"}]}, "Object missing required field `task`"),
        ({"seconds": "long"}, "Expected `float`, got `str`"),
    ],
)
def test_a_record_of_another_shape_is_set_aside(
    learner: Learner, change: dict[str, Any], said: str
) -> None:
    """The word says what is wrong with it."""
    record = learner.ran(BOTH)
    (path,) = learner.runs.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")

    (word,) = learner.standing.set_aside

    assert said in word
    assert record.run not in [run.run for run in read_runs(learner.runs)[0]]


def test_a_folder_among_the_records_is_no_record(learner: Learner) -> None:
    """Whatever lies there: it is told, and does no harm."""
    (learner.runs / "folder.json").mkdir(parents=True)

    assert learner.standing.set_aside == (
        "runs/folder.json is set aside: it is not a file: restore it, or remove it",
    )


def test_evidence_that_cannot_be_read_leaves_the_verdict(learner: Learner) -> None:
    """Verdict and evidence stand apart in a record: the one is told without the other."""
    learner.ran(BOTH)
    (path,) = learner.runs.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "tests": 7}), "utf-8")

    fact = learner.fact("has-partitions")

    assert fact.is_demonstrated
    assert fact.proof is not None
    assert fact.proof.evidence == ()


# The learner's own code


def test_own_code_is_told_apart_from_the_reference(learner: Learner) -> None:
    """A component fact has two verdicts: the reference's, and that of the code in a folder."""
    learner.ran(ALL)
    learner.ran({"test_described": REFUTED, **BOTH}, solutions="/home/me/my_lab")

    fact, task = learner.fact("is-described"), learner.standing.tasks[0]

    assert fact.proof is not None
    assert fact.own is not None
    assert (fact.proof.fact.verdict, fact.own.fact.verdict) == ("demonstrated", "refuted")
    assert task.own_folder == "/home/me/my_lab"
    assert task.proved.is_full, "the reference demonstrates it"
    assert learner.standing.tasks[1].own_folder == ""


def test_who_only_runs_own_code_demonstrates_with_it(learner: Learner) -> None:
    """The facts held for it, so they are proved here."""
    learner.ran({**BOTH, "test_described": PASSED}, solutions="/home/me/my_lab")

    assert learner.standing.tasks[0].proved.is_full


def test_the_folder_that_was_judged_last_is_shown(learner: Learner) -> None:
    """What was observed of the code in another folder says nothing of this one."""
    learner.ran({"test_described": PASSED}, solutions="/home/me/first")
    learner.ran({"test_described": REFUTED}, solutions="/home/me/second")

    own = learner.fact("is-described").own

    assert learner.standing.tasks[0].own_folder == "/home/me/second"
    assert own is not None
    assert own.fact.verdict is Verdict.REFUTED


# Where the learner stands


def test_nobody_has_run_anything(learner: Learner) -> None:
    """No folder, no record: the first task is where one begins."""
    standing = learner.standing

    assert (standing.runs, standing.proved) == (0, Count(0, 3))
    assert [task.status for task in standing.tasks] == ["not started", "not started"]


def test_the_slow_fact_is_optional(learner: Learner) -> None:
    """It takes a minute, so all is done without it; what was seen of it is told all the same."""
    learner.ran(ALL)

    fact = learner.fact("expires")

    assert learner.standing.proved == Count(3, 3)
    assert (fact.optional, fact.verdict) == ("it takes a minute", Verdict.NOT_RUN)
    assert fact.command == "pytest -m slow -k expires"


@pytest.mark.parametrize(
    ("version", "optional"),
    [
        ("4.4.0", "it is stated for Kafka <4.3, and not for 4.4.0"),
        ("4.0.2", ""),
        (None, "it is stated for Kafka <4.3, and not for 4.4.0"),
    ],
)
def test_a_fact_about_another_kafka_is_optional(
    learner: Learner, version: str | None, optional: str
) -> None:
    """What is stated for other versions than the last run's cannot be demonstrated there."""
    learner.ran(BOTH)
    learner.ran({"test_described": PASSED}, broker={"backend": "embedded", "version": version})

    task = learner.standing.tasks[0]

    assert learner.fact("was-so").scope == "the broker, Kafka <4.3"
    assert learner.fact("was-so").optional == optional
    assert learner.fact("was-so").command == "pytest -k was_so --kafkalab-version=4.2.2"
    assert task.proved.is_full == (optional != "")


def test_what_the_fact_observed_comes_before_its_controls(learner: Learner) -> None:
    """Whatever the order in which the run had them."""
    learner.ran({"test_unknown_topic": PASSED, "test_partitions": PASSED})

    proof = learner.fact("has-partitions").proof

    assert proof is not None
    assert [each.role for each in proof.evidence] == ["fact", "control"]


def test_a_fact_knows_where_it_stands(learner: Learner) -> None:
    """Module and line, and how to run it with its controls."""
    fact = learner.fact("has-partitions")

    assert fact.code == "lessons/test_task_1_1_topics.py:5"
    assert fact.command == "pytest -k has_partitions"
    assert (fact.hint, fact.scope) == ("Describe it.", "any client")


# Time spent


def spent(learner: Learner, *runs: tuple[int, dict[str, Outcome]]) -> dict[str, int]:
    """The minutes by task, of runs of 20 s that begin so many minutes after nine."""
    for minute, outcomes in runs:
        learner.ran(outcomes, started=(BEGIN + timedelta(minutes=minute)).isoformat())
    return minutes_spent(read_runs(learner.runs)[0])


TOPICS_RUN, ROUTING_RUN = BOTH, {"test_key": PASSED}


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([], {}, id="none"),
        pytest.param([(0, TOPICS_RUN)], {"1.1": 1}, id="one counts as long as it ran"),
        pytest.param([(0, TOPICS_RUN), (10, TOPICS_RUN)], {"1.1": 11}, id="one sitting"),
        pytest.param([(0, TOPICS_RUN), (90, TOPICS_RUN)], {"1.1": 1}, id="a break"),
        pytest.param(
            [(0, TOPICS_RUN), (30, TOPICS_RUN)], {"1.1": 31}, id="half an hour is no break"
        ),
        pytest.param(
            [(0, TOPICS_RUN), (5, ROUTING_RUN), (12, TOPICS_RUN)],
            {"1.1": 6, "1.2": 7},
            id="each minute counts once",
        ),
        pytest.param([(0, ALL), (5, ALL)], {}, id="a run of several tasks is nobody's"),
        pytest.param([(0, TOPICS_RUN), (5, ALL)], {"1.1": 5}, id="it ends the one before"),
    ],
)
def test_time_is_proposed_from_the_runs(
    learner: Learner, runs: list[tuple[int, dict[str, Outcome]]], expected: dict[str, int]
) -> None:
    """A run of one task counts until the next begins, if that is within half an hour."""
    assert spent(learner, *runs) == expected


def test_the_journal_stands_beside_the_runs(learner: Learner) -> None:
    """Each task has its entry; one of which nothing was written has an empty one."""
    learner.reports.mkdir()
    (learner.reports / "journal.toml").write_text("[task_1_2]\ndifficulty = 4\n", "utf-8")

    first, second = learner.standing.tasks

    assert (first.entry.difficulty, second.entry.difficulty) == (None, 4)
