"""A mutant that cannot be made says why, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apparatus.mutants import BadMutant, curriculum, module_of, mutants_in

FACT = 'fact = "topic-has-its-partitions"\nsays = "another topic"\n'
"""the beginning of a mutant"""


@pytest.mark.parametrize(
    ("mutant", "why"),
    [
        ('fact = "no-such-fact"\nsays = "no"\nold = "a"\nnew = "b"', "there is no fact"),
        (f'{FACT}test = "test_x"\nold = "a"\nnew = "b"', "has no test test_x"),
        (f'{FACT}in = "nothing"\nold = "a"\nnew = "b"', "has no nothing"),
        (f'{FACT}old = "partitions"\nnew = "parts"', r"there \d+ times, not once"),
        (f'{FACT}old = "replicas=1)"\nnew = "replicas=1)\\n    assert name"', "an assertion"),
        (f'{FACT}old = "A created topic"\nnew = "A topic"', "or a sentence"),
    ],
)
def test_a_mutant_that_cannot_be_made_says_why(mutant: str, why: str, tmp_path: Path) -> None:
    """The text names the mutant, and what does not fit."""
    file = tmp_path / "task_9_9.toml"
    file.write_text(f"[[mutant]]\n{mutant}\n", "utf-8")

    with pytest.raises(BadMutant, match=why):
        module_of(*mutants_in(file))


def test_each_fact_about_kafka_has_a_mutant() -> None:
    """A fact about a component has a wrong component instead, in tests/wrong/."""
    files = Path(__file__).parent.glob("task_*.toml")
    mutated = {mutant.fact for file in files for mutant in mutants_in(file)}
    about_kafka = {
        each.slug
        for each in curriculum().statements
        if each.role == "fact" and not each.scope.startswith("the component")
    }

    assert mutated == about_kafka
