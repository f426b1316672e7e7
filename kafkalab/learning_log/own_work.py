"""What the acts say of the work at a component: what was judged last, hints, the reference."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from kafkalab.learning_log import acts
from kafkalab.learning_log.acts import Act


def last_verdicts(
    done: Iterable[Act], task: str, folder: Path, reports: Path, *, code: str = ""
) -> Mapping[str, str]:
    """The verdict that was said last of each fact, by slug.

    Args:
        done: the acts, the earliest first.
        task: as in `1.2`.
        folder: of the learner's components.
        reports: the folder of the acts' file; folders are named from there.
        code: the digest of the code of which it was said; of whatever it was, if there is none.
    """
    verdicts: dict[str, str] = {}
    for act in done:
        named, facts = act.said.get("folder"), act.said.get("facts")
        if act.kind != acts.JUDGED or act.about != task or not isinstance(named, str):
            continue
        if code and act.said.get("code") != code:
            continue
        if _is_same(Path(reports, named), folder) and isinstance(facts, dict):
            verdicts |= {slug: str(verdict) for slug, verdict in facts.items()}
    return verdicts


def last_judged(done: Iterable[Act]) -> str:
    """The task whose component was judged last; empty where none was."""
    judged = [act.about for act in done if act.kind == acts.JUDGED]
    return judged[-1] if judged else ""


def hints_taken(done: Iterable[Act], slug: str) -> int:
    """How many of a fact's hints were taken, one after the other."""
    numbers = {act.said.get("number") for act in done if _is_of(act, acts.HINTED, slug)}
    return max((number for number in numbers if type(number) is int), default=0)


def was_asked_for(done: Iterable[Act], task: str) -> bool:
    """Whether the reference of a task was asked for before."""
    return any(_is_of(act, acts.ASKED_FOR_SOLUTION, task) for act in done)


def _is_of(act: Act, kind: str, about: str) -> bool:
    return act.kind == kind and act.about == about


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
