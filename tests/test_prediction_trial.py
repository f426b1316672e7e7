"""The trial of the predictions: sheets tell no answer, and a score counts what was answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kafkalab.curriculum import load

ALL = sum(len(task.predictions) for task in load().tasks)
"""how many questions there are"""

TOPIC = "kafkalab-20261126T120000-abcdef-a-test-that-tells-2-facts"

EVIDENCE: list[dict[str, Any]] = [
    {"kind": "table", "title": "Read", "columns": ["topic", "offset"], "rows": [[f"{TOPIC}-1", 7]]},
    {"kind": "shares", "title": "Records", "counts": {"0": {"a": 2, "b": 3}, "1": {"a": 4}}},
    {
        "kind": "timeline",
        "title": "Owners",
        "spans": [{"row": "partition 0", "start": 0.0, "end": 1.5, "what": "<member-1>"}],
    },
    {"kind": "series", "title": "Lag", "unit": "records", "lines": {"0": [[0.0, 3], [1.0, 5]]}},
    {"kind": "number", "name": "took", "value": 3, "unit": "ms"},
    {"kind": "note", "text": f"Nobody knows {TOPIC}-2-0, so {TOPIC}-2-one is made"},
]

SHOWN = """\
**Measured, eager**

Read:

| topic | offset |
| --- | --- |
| topic-1 | 7 |

Records:

| partition | a | b | in all |
| --- | --- | --- | --- |
| 0 | 2 | 3 | 5 |
| 1 | 4 | 0 | 4 |

Owners. partition 0: <member-1> from 0 to 1.5 s.

Lag. 0: first 3, highest 5, last 5 records.

took: 3 ms

Nobody knows topic-2-0, so topic-2-one is made

**With one thing changed: nothing was created**

took: 0"""


@pytest.fixture
def tool(load_tool: Callable[[str], Any]) -> Any:
    """tools/prediction_trial.py as a module."""
    return load_tool("prediction_trial")


def record(path: Path, slug: str, evidence: list[dict[str, Any]]) -> Path:
    """A run's record of a fact that measured something, and of its control."""
    module = "tests_module_a/test_task_1_1_topics.py"
    of_control = [{"kind": "number", "name": "took", "value": 0, "unit": ""}]
    tests = [
        {
            "slug": slug,
            "role": "control",
            "nodeid": f"{module}::test_an_uncreated_topic_is_unknown",
            "evidence": of_control if evidence else [],
        },
        {
            "slug": slug,
            "role": "fact",
            "nodeid": f"{module}::test_a_topic_has_its_partitions[eager]",
            "evidence": evidence,
        },
    ]
    path.write_text(json.dumps({"tests": tests}), "utf-8")
    return path


def number_of(tool: Any, slug: str, seed: int) -> int:
    asked = [each.slug for each in tool.drawn(load(), seed)]
    return asked.index(slug) + 1


def test_a_sheet_asks_all_and_tells_no_answer(tool: Any) -> None:
    """Questions and choices stand in the curriculum's order; what is right is not told."""
    sheet = tool.sheet(seed=1, count=ALL)
    predictions = {s: p for task in load().tasks for s, p in task.predictions.items()}

    assert sheet.count("\n## ") == len(predictions)
    for slug, prediction in predictions.items():
        choices = zip("ABCD", prediction.choices, strict=False)
        listed = "\n".join(f"- {letter}: {choice.text}" for letter, choice in choices)
        assert f"{prediction.question}\n\n{listed}" in sheet
        assert slug not in sheet
        assert not any(choice.tempting in sheet for choice in prediction.choices if choice.tempting)


def test_a_seed_is_an_order_and_sheets_go_on_in_it(tool: Any) -> None:
    """The same seed asks the same; what is left out before comes with its number."""
    first, rest = tool.sheet(seed=1, count=50), tool.sheet(seed=1, count=ALL - 50, skip=50)
    whole = tool.sheet(seed=1, count=ALL)

    assert first == tool.sheet(seed=1)
    assert whole == first + rest.removeprefix(tool.HEAD)
    assert re.findall(r"(?m)^## (\d+)$", rest) == [str(number) for number in range(51, ALL + 1)]
    assert tool.sheet(seed=2) != first


@pytest.mark.parametrize(("count", "skip"), [(0, 0), (-1, 0), (5, ALL), (5, -1)])
def test_questions_that_there_are_not_are_told(tool: Any, count: int, skip: int) -> None:
    """An empty sheet would be no trial."""
    with pytest.raises(
        ValueError, match=rf"^no {count} questions after the first {skip}: .* {ALL}$"
    ):
        tool.sheet(seed=1, count=count, skip=skip)


def test_what_was_measured_is_shown_without_what_tells_the_fact(tool: Any, tmp_path: Path) -> None:
    """Numbers, tables and words for pictures; no sentence, and no test's name."""
    slug = "topic-has-its-partitions"
    run = record(tmp_path / "run.json", slug, EVIDENCE)
    at = number_of(tool, slug, seed=1) - 1

    sheet = tool.sheet(seed=1, count=1, skip=at, records=[run])

    assert sheet.endswith(SHOWN)
    for told in (slug, load().stated_facts[slug].sentence, "a-test-that", "test_a_topic"):
        assert told not in sheet


def test_a_cell_is_worded_as_on_the_pages(tool: Any) -> None:
    """No cell is as Python writes it, and none looks as if there were nothing."""
    cells = (None, True, False, "", 3, "three")

    assert [tool.worded(each) for each in cells] == ["none", "yes", "no", "empty", "3", "three"]


def test_undivided_shares_have_no_column_without_a_name(tool: Any) -> None:
    """A record of a picture without parts has one part, which is called nothing."""
    item = {"kind": "shares", "title": "Records", "counts": {"0": {"": 2}}, "place": "group"}

    assert tool.as_text(item).endswith("| group | in all |\n| --- | --- |\n| 0 | 2 |")


def test_a_further_record_shows_what_the_first_did_not_measure(tool: Any, tmp_path: Path) -> None:
    """A slow fact, or one of another Kafka, has a run of its own."""
    slug = "topic-has-its-partitions"
    at = number_of(tool, slug, seed=1) - 1
    nothing = record(tmp_path / "nothing.json", slug, [])
    run = record(tmp_path / "run.json", slug, EVIDENCE)

    alone = tool.sheet(seed=1, count=1, skip=at, records=[nothing])
    both = tool.sheet(seed=1, count=1, skip=at, records=[nothing, run])

    assert alone.endswith("*Nothing was measured.*")
    assert both.endswith(SHOWN)


def test_a_score_counts_and_lists_what_is_wrong(tool: Any) -> None:
    """Letters may be small; who cannot tell is not right."""
    asked = tool.drawn(load(), 1)
    right = [tool.letter_of(each.prediction) for each in asked]
    wrong = "B" if right[1] == "A" else "A"

    score = tool.score(f"1 {right[0].lower()}\n\n2 {wrong}\n 96. {right[95]} \n3: ?\n", seed=1)

    assert score.splitlines() == [
        "2 of 4 right",
        f"2 {wrong}, right is {right[1]}: {asked[1].slug}",
        f"3 ?, right is {right[2]}: {asked[2].slug}",
    ]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ("one B", "'one B' is no answer: write it as in '1 B'"),
        ("1 BC", "'1 BC' is no answer: write it as in '1 B'"),
        ("0 A", f"'0 A': the questions have the numbers 1 to {ALL}"),
        (f"{ALL + 1} A", f"'{ALL + 1} A': the questions have the numbers 1 to {ALL}"),
        ("1 Z", "'1 Z': question 1 has no choice Z"),
        ("1 A\n1 B", "'1 B': question 1 was answered before"),
    ],
)
def test_a_line_that_is_no_answer_is_told(tool: Any, answers: str, told: str) -> None:
    """It is neither right nor wrong, so nothing is counted."""
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        tool.score(answers, seed=1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("not JSON", "no record of a run", id="no JSON"),
        pytest.param("[]", "no record of a run", id="other JSON"),
        pytest.param('{"tests": [{}]}', "no record of a run", id="a test without a slug"),
        pytest.param(None, "No such file or directory", id="nothing"),
    ],
)
def test_a_record_that_is_none_is_told_in_a_line(
    tool: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    told: str,
) -> None:
    """The command ends with one line that names the file."""
    run = tmp_path / "run.json"
    if content is not None:
        run.write_text(content, "utf-8")
    monkeypatch.setattr("sys.argv", ["trial", "sheet", "--seed=1", "--evidence", str(run)])

    with pytest.raises(SystemExit, match=rf"^prediction_trial: .*{told}.*$") as ended:
        tool.main()
    assert str(run) in str(ended.value)
