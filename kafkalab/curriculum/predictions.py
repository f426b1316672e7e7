"""The question before a fact runs: a situation, and what may happen."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

FOLDER = "predictions"
"""the folder beside the manifest, with a file for each task, such as `task_1_3.toml`"""

FEWEST, MOST = 2, 4


@dataclass(frozen=True)
class Choice:
    """One answer: something that may happen."""

    text: str
    is_right: bool
    tempting: str
    """for a wrong choice: why one would choose it, and what is true instead"""


@dataclass(frozen=True)
class Prediction:
    """A question about one fact, to be answered before its evidence is seen."""

    question: str
    choices: tuple[Choice, ...]

    @property
    def right(self) -> Choice:
        """The choice that is right."""
        return next(choice for choice in self.choices if choice.is_right)

    def problems(self) -> Iterator[str]:
        """What is wrong with the prediction, a text each."""
        if not FEWEST <= len(self.choices) <= MOST:
            yield f"a prediction has {FEWEST} to {MOST} choices"
        if sum(choice.is_right for choice in self.choices) != 1:
            yield "of a prediction's choices exactly one is right"
        if not all(choice.is_right or choice.tempting for choice in self.choices):
            yield "a wrong choice says why it is tempting"


def read_predictions(folder: Path | Traversable, task_id: str) -> Mapping[str, Prediction]:
    """The predictions of a task by slug; empty if the task has no file of predictions.

    Raises:
        OSError, KeyError, TypeError, tomllib.TOMLDecodeError: the file cannot be read, or has
            another shape.
    """
    file = folder / FOLDER / f"task_{task_id.replace('.', '_')}.toml"
    if not file.is_file():
        return {}
    data = tomllib.loads(file.read_text("utf-8"))
    return {
        slug: Prediction(each["question"], _choices(each["choices"])) for slug, each in data.items()
    }


def _choices(rows: Sequence[Mapping[str, Any]]) -> tuple[Choice, ...]:
    return tuple(
        Choice(row["text"], bool(row.get("right")), row.get("tempting", "")) for row in rows
    )
