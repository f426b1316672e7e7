"""The page that tells which fact holds on which Kafka, made of hand-made records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS = {
    "4.0.2": {"linger.ms": "5", "old": "1", "same": "1"},
    "4.1.2": {"linger.ms": "-1", "new": "2", "same": "1"},
}


@pytest.fixture
def tool(load_tool: Callable[[str], Any]) -> Any:
    """tools/facts_by_version.py as a module."""
    return load_tool("facts_by_version")


def record(version: str, **verdicts: str) -> dict[str, Any]:
    """A run's record with these facts; `verdict: reason` gives a reason too."""
    facts = []
    for slug, said in verdicts.items():
        verdict, _, reason = said.partition(": ")
        sentence = f"The sentence of {slug}."
        facts.append(
            {
                "slug": slug,
                "task": "1.1",
                "sentence": sentence,
                "verdict": verdict,
                "reason": reason,
            }
        )
    return {
        "completed": True,
        "broker": {"version": version},
        "environment": {"confluent-kafka": "9.9.9"},
        "facts": facts,
    }


def test_differences_come_first(tool: Any) -> None:
    """What holds everywhere stands below, task by task."""
    records = [
        record("4.0.2", steady="demonstrated", late="not run: stated for Kafka >=4.1, and this is"),
        record("4.1.2", steady="demonstrated", late="demonstrated"),
    ]

    page = tool.page(records, SETTINGS)

    above, _, below = page.partition("## The same on all: task 1.1")
    assert "| The sentence of late. `late` | not stated | yes |" in above
    assert "steady" not in above
    assert "| The sentence of steady. `steady` | yes | yes |" in below
    assert "late" not in below


def test_what_was_not_demonstrated_has_its_reason(tool: Any) -> None:
    """A verdict that the bounds do not explain is not hidden in a table."""
    records = [record("4.0.2", thing="refuted: it did not\nassert 1 == 2")]

    page = tool.page(records, {"4.0.2": {}})

    assert "| The sentence of thing. `thing` | refuted |" in page
    assert "- `thing` on 4.0.2: refuted: it did not\n" in page


def test_a_fact_that_did_not_run_is_not_a_yes(tool: Any) -> None:
    """A record of a part of the facts says nothing about the others."""
    records = [record("4.0.2"), record("4.1.2", thing="demonstrated")]

    assert "`thing` | not run | yes |" in tool.page(records, SETTINGS)


def test_settings_are_compared_from_version_to_version(tool: Any) -> None:
    """New, gone, and with another default; what stayed is left out."""
    page = tool.page([record("4.0.2"), record("4.1.2")], SETTINGS)

    assert "- 4.1.2:\n  - new: `new`\n  - gone: `old`\n" in page
    assert "  - default of `linger.ms`: `5`, now `-1`" in page
    assert "same`" not in page


@pytest.mark.parametrize(
    "change", [{"completed": False}, {"broker": {"version": None}}], ids=["killed", "no broker"]
)
def test_a_record_that_says_nothing_is_refused(
    tool: Any, tmp_path: Path, change: dict[str, Any]
) -> None:
    """Half a run, or one that started no broker, is no column of the table."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**record("4.0.2", thing="demonstrated"), **change}), "utf-8")

    with pytest.raises(ValueError, match=r"run\.json: not the record of a completed run"):
        tool.read(path)
