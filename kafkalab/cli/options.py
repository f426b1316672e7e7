"""Settings as options of commands: `--reports`, or with pytest's name, `--kafkalab-reports`."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kafkalab.config import KNOBS, BadInput

if TYPE_CHECKING:
    from kafkalab.curriculum import Curriculum

PREFIX = "kafkalab-"

LIKE_A_TASK = re.compile(r"(task[_-])?\d[\d._-]*")


class WrongValue(BadInput):
    """An argument or an option has a wrong value; the text names possible ones."""


# So options that were copied from a call of pytest work for a command, too.
EITHER_NAME = {"token_normalize_func": lambda name: name.removeprefix(PREFIX)}


def _option(name: str) -> Any:
    knob = KNOBS[name]
    return typer.Option(knob.flag.replace(PREFIX, ""), help=knob.help)


BackendOption = Annotated[str | None, _option("backend")]
BootstrapOption = Annotated[str | None, _option("bootstrap")]
CacheOption = Annotated[str | None, _option("cache")]
ConfigOption = Annotated[str | None, _option("client_config")]
CurriculumOption = Annotated[str | None, _option("curriculum")]
ImageOption = Annotated[str | None, _option("image")]
ReportsOption = Annotated[str | None, _option("reports")]
VersionOption = Annotated[str | None, _option("kafka_version")]


def task_id_of(given: str, curriculum: Curriculum) -> str:
    """The task's id; `1.3`, `1_3` and `task_1_3` are the same.

    Raises:
        WrongValue: the curriculum has no such task.
    """
    task_id = given.removeprefix("task").lstrip("_-").replace("_", ".")
    known = [task.id for task in curriculum.tasks]
    if task_id not in known:
        raise WrongValue(f"there is no task {given}: there are {', '.join(known)}")
    return task_id


def slug_of(given: str, curriculum: Curriculum) -> str:
    """The fact's slug; it may be given with hyphens or with underscores.

    Raises:
        WrongValue: the curriculum has no such fact.
    """
    slug, known = given.replace("_", "-"), list(curriculum.stated_facts)
    if slug in known:
        return slug
    parts = [each for each in known if slug and slug in each]
    near = list(dict.fromkeys([*difflib.get_close_matches(slug, known, n=3), *parts]))[:3]
    told = f"did you mean {' or '.join(near)}?" if near else "kafkalab facts lists them"
    raise WrongValue(f"there is no fact {given}: {told}")


def task_or_slug_of(given: str, curriculum: Curriculum) -> str:
    """The task's id or the fact's slug.

    Raises:
        WrongValue: the curriculum has neither.
    """
    if LIKE_A_TASK.fullmatch(given):
        return task_id_of(given, curriculum)
    return slug_of(given, curriculum)
