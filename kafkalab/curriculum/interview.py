"""Questions of a job interview: a short answer, what is asked next, and the facts that prove it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from kafkalab.curriculum.errors import BadManifest

FOLDER = "interview"
"""the folder beside the manifest, with a file for each task, such as `task_1_3.toml`"""

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class InterviewQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question, at home in the task whose file it stands in."""

    slug: str
    """unique in the module, and no fact's slug: the learner's grades are kept under it"""
    asks: str
    answer: str
    """a short one"""
    follow_up: str
    """what an interviewer asks next"""
    follow_up_answer: str
    wrong: str
    """a common wrong answer, as somebody would say it"""
    why_wrong: str
    goes_on: str
    """how an experienced engineer would go on: what they would measure, ask or weigh"""
    facts: tuple[str, ...]
    """the slugs of the facts that prove the answer, of any task; at least one"""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The questions of one task."""

    question: tuple[InterviewQuestion, ...]


def read_interview(folder: Path | Traversable, task_id: str) -> tuple[InterviewQuestion, ...]:
    """The questions of a task, in their order; empty if the task has no file of questions.

    Raises:
        BadManifest: the file cannot be read, or has another shape.
    """
    file = folder / FOLDER / f"task_{task_id.replace('.', '_')}.toml"
    if not file.is_file():
        return ()
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), _File).question
    except OSError as error:
        raise BadManifest(f"{file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise BadManifest(f"{file}: {error}") from error


def problems_of_questions(
    questions: Sequence[InterviewQuestion], facts: Collection[str]
) -> Iterator[str]:
    """What is wrong with the questions of a module, a line each.

    Args:
        questions: those of all tasks.
        facts: the slugs of the module's facts.
    """
    for slug, count in Counter(each.slug for each in questions).items():
        if count > 1:
            yield f"question {slug}: is there {count} times"
        if slug in facts:
            yield f"question {slug}: a fact has this slug"
        if not SLUG.fullmatch(slug):
            yield f"question '{slug}': its slug is not words in small letters with hyphens"
    for each in questions:
        for name in each.__struct_fields__:
            value = getattr(each, name)
            if isinstance(value, str) and not value.strip():
                yield f"question {each.slug}: its {name} is empty"
        if not each.facts:
            yield f"question {each.slug}: no fact proves it"
        for slug, count in Counter(each.facts).items():
            if slug not in facts:
                yield f"question {each.slug}: '{slug}' is no fact"
            if count > 1:
                yield f"question {each.slug}: names {slug} {count} times"
