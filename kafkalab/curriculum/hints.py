"""Hints for writing a component: one at a time, from a nudge to nearly the code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

FOLDER = "hints"
"""the folder beside the manifest, with a file for each task, such as `task_1_2.toml`"""

FEWEST, MOST = 2, 4

Hints = tuple[str, ...]
"""the hints of one fact, in the order in which they are shown"""


def read_hints(folder: Path | Traversable, task_id: str) -> Mapping[str, Hints]:
    """The hints of a task by slug; empty if the task has no file of hints.

    Raises:
        OSError, TypeError, tomllib.TOMLDecodeError: the file cannot be read, or has another shape.
    """
    file = folder / FOLDER / f"task_{task_id.replace('.', '_')}.toml"
    if not file.is_file():
        return {}
    data = tomllib.loads(file.read_text("utf-8"))
    for slug, texts in data.items():
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise TypeError(f"the hints of {slug} are no list of texts: {texts!r}")
    return {slug: tuple(texts) for slug, texts in data.items()}


def problems_of(hints: Hints) -> Iterator[str]:
    """What is wrong with the hints of a fact."""
    if not FEWEST <= len(hints) <= MOST:
        yield f"there are {len(hints)} hints, and not {FEWEST} to {MOST}"
    if not all(hint.strip() for hint in hints):
        yield "one of its hints is empty"
    if len(set(hints)) < len(hints):
        yield "one of its hints is there twice"
