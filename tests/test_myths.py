"""docs/myths.md: each belief has its source, what was measured, its facts and their scope."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from kafkalab.curriculum import load

PAGE = Path(__file__).parents[1] / "docs" / "myths.md"
FACTS = load().stated_facts

BELIEF = re.compile(
    r'^### (?P<number>\d+)\. "(?P<belief>[^\n]+)"\n+(?P<rest>.*?)(?=^##|\Z)', re.M | re.S
)
ITEM = re.compile(r"^- \*(?P<name>[^*]+):\* (?P<text>.*?)(?=^- \*|\Z)", re.M | re.S)
CITATION = re.compile(r"\[`(?P<slug>[^`]+)`\]\((?P<link>[^)]+)\)")


class Myth(NamedTuple):
    """A belief, and what the page says of it."""

    number: int
    belief: str
    said: dict[str, str]
    """by name: where it comes from, what was measured, the facts and their scope"""

    @property
    def cited(self) -> dict[str, str]:
        """The facts that it cites, each with the file that it links."""
        return dict(CITATION.findall(self.said.get("Fact", self.said.get("Facts", ""))))


def myths() -> list[Myth]:
    """All myths of the page, in its order."""
    return [
        Myth(
            int(each["number"]),
            each["belief"],
            {item["name"]: " ".join(item["text"].split()) for item in ITEM.finditer(each["rest"])},
        )
        for each in BELIEF.finditer(PAGE.read_text("utf-8"))
    ]


MYTHS = myths()
each_myth = pytest.mark.parametrize("myth", MYTHS, ids=lambda myth: str(myth.number))


def test_the_myths_are_many_and_counted() -> None:
    """There are at least 25 of them, numbered from 1, and the count of records comes first."""
    headings = re.findall(r"^### ", PAGE.read_text("utf-8"), re.M)

    assert len(MYTHS) == len(headings) >= 25, "Each heading of the page is a belief in quotes."
    assert [each.number for each in MYTHS] == list(range(1, len(MYTHS) + 1))
    assert len({each.belief for each in MYTHS}) == len(MYTHS), "No belief stands there twice."
    assert MYTHS[0].belief == "End minus start is the number of records"


@each_myth
def test_a_myth_says_all_that_it_has_to(myth: Myth) -> None:
    """Each has a source, a measurement with a figure, facts and their scope, in this order."""
    facts = "Fact" if len(myth.cited) == 1 else "Facts"

    assert list(myth.said) == ["Where it comes from", "Measured", facts, "Scope"]
    assert all(text.strip() for text in myth.said.values())
    assert re.search(r"\d", myth.said["Measured"]), "A measurement has a figure."


@each_myth
def test_a_myth_cites_facts_where_they_are(myth: Myth) -> None:
    """Each fact that is cited exists, and is linked in the module where its test is."""
    assert myth.cited, "It cites a fact."
    for slug, link in myth.cited.items():
        assert slug in FACTS, f"There is no fact {slug}."
        assert link == f"../tests_module_a/{FACTS[slug].module}.py"
        assert (PAGE.parent / link).is_file()


@each_myth
def test_a_myth_has_the_scope_of_its_facts(myth: Myth) -> None:
    """Its scope is that of its facts, word by word, in the same order."""
    assert myth.said["Scope"] == "; ".join(FACTS[slug].scope for slug in myth.cited)
