"""A fact's code stands by itself: its tests, and all of their module that they use, no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kafkalab.curriculum import Curriculum, load
from kafkalab.curriculum.source import Source, source_of

MANIFEST = """\
[module]
id = "T"
title = "A small module"
package = "lessons"

[[task]]
id = "1.1"
title = "Topics"
question = "What is a topic made of?"
module = "test_topics"
component = "topics"

[task.facts.it-holds]
hint = "Look."

[task.facts.another]
hint = "Look."
no_control = "none"
"""

LESSON = '''\
"""A lesson."""

from __future__ import annotations

import time
import threading as threads
from collections import Counter, OrderedDict
from functools import (
    cache,
    partial,
)

import pytest

# How long,
# in seconds.
LIMIT, UNUSED = 30.0, 1

BASE = {"a": 1}
KEPT = {**BASE, "b": 2}


# A heading


@pytest.mark.fact("it-holds", scope="any client")
@pytest.mark.parametrize("kept", KEPT)
def test_it_holds(job, kept) -> Answer:
    """It holds."""
    names = Counter()
    assert deep(LIMIT), names


@pytest.mark.fact("another", scope="any client")
def test_another():
    """Another holds."""
    unrelated = 1
    assert unrelated and partial(time.time)


@pytest.mark.control("it-holds", changes="nothing")
def test_it_does_not():
    """It does not."""
    assert not deep(0)


def unrelated():
    return OrderedDict()


def deep(limit):
    def inner():
        return deeper(limit)

    return inner()


@cache
def deeper(limit):
    return deep(limit - 1) if limit else threads.active_count()


class Answer(Base):
    """What it says."""

    made: Made


class Base: ...


class Made: ...


@pytest.fixture
def job():
    return clock()


def clock(): ...
'''


@pytest.fixture
def source(tmp_path: Path) -> Source:
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    (tmp_path / "module.toml").write_text(MANIFEST, "utf-8")
    (lessons / "test_topics.py").write_text(LESSON, "utf-8")
    return source_of(load(tmp_path / "module.toml"), "it-holds")


def names(pieces: tuple[object, ...]) -> list[str]:
    return [name for piece in pieces for name in piece.names]  # type: ignore[attr-defined]


def test_it_has_the_fact_and_its_controls(source: Source) -> None:
    assert names(source.tests) == ["test_it_holds", "test_it_does_not"]
    assert source.tests[0].text.startswith('@pytest.mark.fact("it-holds"'), "decorators come along"
    assert source.tests[0].text.endswith("assert deep(LIMIT), names"), "to its last line"


def test_helpers_are_what_is_used_in_whatever_depth_and_in_the_module_s_order(
    source: Source,
) -> None:
    assert names(source.helpers) == [
        *("LIMIT", "UNUSED", "BASE", "KEPT"),
        # A function that calls itself by way of another; an annotation, a base, a fixture.
        *("deep", "deeper", "Answer", "Base", "Made", "job", "clock"),
    ]


def test_a_local_name_is_no_helper_of_that_name(source: Source) -> None:
    assert "unrelated" not in names(source.helpers)
    lesson = load(source.tests[0].file.parents[1] / "module.toml")
    assert source_of(lesson, "another").helpers == ()


def test_a_comment_directly_above_belongs_to_it_and_a_heading_does_not(source: Source) -> None:
    assert source.helpers[0].text == "# How long,\n# in seconds.\nLIMIT, UNUSED = 30.0, 1"
    assert "heading" not in source.tests[0].text


def test_imports_are_narrowed_to_what_is_used(source: Source) -> None:
    assert [piece.text for piece in source.imports] == [
        "from __future__ import annotations",
        "import threading as threads",
        "from collections import Counter",
        "from functools import cache",
        "import pytest",
    ]


def test_each_piece_tells_its_first_line(source: Source) -> None:
    lines = LESSON.splitlines()
    for piece in (*source.helpers, *source.tests):
        assert lines[piece.line - 1] == piece.text.splitlines()[0], piece.names
        assert piece.file.name == "test_topics.py"


def test_a_changed_module_is_read_anew(source: Source) -> None:
    path = source.tests[0].file
    path.write_text(LESSON.replace("LIMIT, UNUSED = 30.0", "LIMIT, UNUSED = 40.0"), "utf-8")
    again = source_of(load(path.parents[1] / "module.toml"), "it-holds")
    assert "40.0" in again.helpers[0].text


@pytest.mark.parametrize("decorator", ["@fixture", '@pytest.fixture(scope="module")'])
def test_a_fixture_is_used_by_who_names_it(source: Source, decorator: str) -> None:
    """However it is made; nothing else of a parameter's name is."""
    path = source.tests[0].file
    path.write_text(LESSON.replace("@pytest.fixture", decorator), "utf-8")
    again = source_of(load(path.parents[1] / "module.toml"), "it-holds")
    assert {"job", "clock"} <= set(names(again.helpers))

    path.write_text(LESSON.replace("@pytest.fixture", ""), "utf-8")
    again = source_of(load(path.parents[1] / "module.toml"), "it-holds")
    assert not {"job", "clock"} & set(names(again.helpers))


def test_a_fact_that_is_not_there_has_no_code() -> None:
    with pytest.raises(KeyError, match="no-such-fact"):
        source_of(load(), "no-such-fact")


def written_alone(curriculum: Curriculum, slug: str) -> str:
    source = source_of(curriculum, slug)
    groups = (source.imports, source.helpers, source.tests)
    return "\n\n\n".join("\n".join(piece.text for piece in group) for group in groups) + "\n"


def test_the_code_of_each_fact_lacks_nothing_and_imports_nothing_too_much(tmp_path: Path) -> None:
    curriculum = load()
    for slug in curriculum.stated_facts:
        (tmp_path / f"{slug}.py").write_text(written_alone(curriculum, slug), "utf-8")
    # Undefined names, and imports that are not used.
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F"]
    done = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
