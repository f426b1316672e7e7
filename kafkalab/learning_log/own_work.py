"""What the acts say of the work on a component: its last verdicts, hints, and the reference."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kafkalab.learning_log import acts
from kafkalab.learning_log.acts import Act
from kafkalab.learning_log.verdicts import Verdict


def last_verdicts(
    done: Iterable[Act], task: str, folder: Path, reports: Path, *, code: str = ""
) -> Mapping[str, str]:
    """The last verdict on each fact, by slug.

    Args:
        done: the acts, the earliest first.
        task: as in `1.2`.
        folder: of the learner's components.
        reports: the folder of the acts' file; the acts name folders relative to it.
        code: the digest of the code that was judged; empty for verdicts on any code.
    """
    verdicts: dict[str, str] = {}
    for act, facts in _judged(done, task, folder, reports):
        if not code or act.said.get("code") == code:
            verdicts |= facts
    return verdicts


def ever_held(done: Iterable[Act], task: str, folder: Path, reports: Path) -> frozenset[str]:
    """The slugs of the facts that held for any state of a component.

    Arguments are those of `last_verdicts`.
    """
    judged = _judged(done, task, folder, reports)
    return frozenset(
        slug for _, facts in judged for slug, said in facts.items() if said == Verdict.DEMONSTRATED
    )


def _judged(
    done: Iterable[Act], task: str, folder: Path, reports: Path
) -> Iterator[tuple[Act, dict[str, str]]]:
    """The acts in which a component was judged, each with the verdict on each fact."""
    for act in done:
        named, facts = act.said.get("folder"), act.said.get("facts")
        if act.kind != acts.JUDGED or act.about != task or not isinstance(named, str):
            continue
        if _is_same(Path(reports, named), folder) and isinstance(facts, dict):
            yield act, {slug: str(verdict) for slug, verdict in facts.items()}


def last_judged(done: Iterable[Act]) -> str:
    """The task whose component was judged last; empty if none was."""
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
