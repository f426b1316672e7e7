"""Reasons as they are told to people who read no Python."""

from __future__ import annotations

import pytest

from kafkalab.learning_log.wording import why

MORE = "no defaults\nassert {'a': 1} == {}\n  \n  Left contains 1 more item:\n  {'a': 1}\n"
EXTRA = "told nothing\nassert {0, 1} == {0}\n  \n  Extra items in the left set:\n  1\n"
OTHER = "in order\nassert [1] == [2]\n  \n  At index 0 diff: 1 != 2\n"
ADVICE = "  Use -v to get more diff"


@pytest.mark.parametrize(
    ("reason", "differs"),
    [
        (MORE, "Left contains 1 more item: {'a': 1}"),
        (EXTRA, "Extra items in the left set: 1"),
        (OTHER, "At index 0 diff: 1 != 2"),
    ],
    ids=["of a mapping", "of a set", "of a list"],
)
def test_what_differs_is_told_with_its_value(reason: str, differs: str) -> None:
    """Which items are too many, and not only that some are; pytest's advice is left out."""
    expected, not_so, *rest = why(reason + ADVICE)

    assert expected.startswith("expected: ")
    assert not_so.startswith("not so:   ")
    assert rest == [f"differs:  {differs}"]
