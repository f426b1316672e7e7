"""The code of a fact is shown whole, coloured and as text; it is coloured once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from kafkalab.curriculum import Curriculum, load
from kafkalab.curriculum.source import source_of
from kafkalab.learning_log import code
from kafkalab.learning_log.code import Code
from kafkalab.learning_log.pictures import Pictures

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
"""

LESSON = '''\
import pytest

# <script>window.ran = 1</script> & ‮ turned
LIMIT = 30.0


@pytest.mark.fact("it-holds", scope="any client")
def test_it_holds():
    """It holds."""
    assert "a" < "b" and deep(LIMIT)


@pytest.mark.control("it-holds", changes="nothing")
def test_it_does_not():
    """It does not."""
    assert not deep(0)


def deep(limit):
    return limit  # as it is
'''


@pytest.fixture
def lessons(tmp_path: Path) -> Curriculum:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "module.toml").write_text(MANIFEST, "utf-8")
    (tmp_path / "lessons" / "test_topics.py").write_text(LESSON, "utf-8")
    return load(tmp_path / "module.toml")


def shown(html: str) -> list[str]:
    """The pieces of code, as they are read."""
    return [each.get_text() for each in BeautifulSoup(html, "html.parser").select("pre")]


def test_the_tests_come_first_then_what_they_use(lessons: Curriculum, tmp_path: Path) -> None:
    """Each once, whole, and with its place; nothing in it is markup or hides anything."""
    html = Code(lessons, Pictures(tmp_path)).of_fact("it-holds")

    test, control, limit, deep = shown(html)
    assert test.strip() == LESSON[LESSON.index("@pytest.mark.fact") :].split("\n\n\n")[0]
    assert control.startswith("@pytest.mark.control")
    assert "<script>" in limit
    assert r"\u202e turned" in limit
    assert deep == "def deep(limit):\n    return limit  # as it is\n"
    soup = BeautifulSoup(html, "html.parser")
    assert soup.find("script") is None
    assert [each.get_text() for each in soup.select(".place")] == [
        f"lessons/test_topics.py:{line}" for line in (7, 13, 3, 19)
    ]
    assert soup.summary is not None
    assert soup.summary.get_text() == "The code of the test and its control, and what they use"


def test_a_single_test_has_only_what_it_uses(lessons: Curriculum, tmp_path: Path) -> None:
    """The limit is the fact's, not the control's."""
    _, control = lessons.statements

    html = Code(lessons, Pictures(tmp_path)).of_test(control)

    assert [each.split("(")[0] for each in shown(html)] == ["@pytest.mark.control", "def deep"]
    assert "The code of the test, and what it uses" in html


def test_code_is_coloured_by_what_it_is(lessons: Curriculum, tmp_path: Path) -> None:
    """Words of Python, texts, numbers, comments, decorators, and what is defined."""
    html = Code(lessons, Pictures(tmp_path)).of_fact("it-holds")

    coloured = {
        (str(each["class"][0]), each.get_text().strip())
        for each in BeautifulSoup(html, "html.parser").select("pre i")
    }
    assert coloured >= {
        ("k", "def"),
        ("k", "return"),
        ("s", '"""It holds."""'),
        ("n", "30.0"),
        ("c", "# as it is"),
        ("d", "@pytest"),
        ("f", "deep"),
    }


def test_a_module_is_coloured_once(
    lessons: Curriculum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run lifts it from the folder, until the module changes."""
    first = Code(lessons, Pictures(tmp_path / "kept")).of_fact("it-holds")
    cut = []
    monkeypatch.setattr(code, "html", lambda source: cut.append(source) or "new")

    assert Code(lessons, Pictures(tmp_path / "kept")).of_fact("it-holds") == first
    assert cut == []
    path = tmp_path / "lessons" / "test_topics.py"
    path.write_text(LESSON.replace("as it is", "as it was"), "utf-8")
    assert Code(lessons, Pictures(tmp_path / "kept")).of_fact("it-holds") == "new"


@pytest.mark.parametrize("written", [b"def broken(", b"\xff", b"\0", None])
def test_a_module_that_is_being_edited_fails_no_run(
    lessons: Curriculum, tmp_path: Path, written: bytes | None
) -> None:
    """Until it can be read again there is no code to be seen."""
    assert lessons.statements
    path = tmp_path / "lessons" / "test_topics.py"
    path.unlink() if written is None else path.write_bytes(written)

    assert Code(lessons, Pictures(tmp_path)).of_fact("it-holds") == ""


def test_each_function_is_there_once_and_all_of_it_is_small(tmp_path: Path) -> None:
    """A fact's code takes 5 kB of a page on average, and no time once it is coloured."""
    curriculum = load()
    made = Code(curriculum, Pictures(tmp_path))
    size = 0
    for slug in curriculum.stated_facts:
        html = made.of_fact(slug)
        source = source_of(curriculum, slug)
        assert len(shown(html)) == len({*source.tests, *source.helpers}), slug
        size += len(html)

    assert 2_000 < size / len(curriculum.stated_facts) < 5_000
    began = time.process_time()
    again = Code(curriculum, Pictures(tmp_path))
    for slug in curriculum.stated_facts:
        again.of_fact(slug)
    assert time.process_time() - began < 0.3
