"""Text from outside hides nothing, and stays what it is where it can be seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.learning_log.templates import prose
from kafkalab.readable import JOINER, readable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x00", r"\x00"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("\u200b\ufeff", r"\u200b\ufeff"),
        ("two\nlines", r"two\nlines"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
    ids=ascii,
)
def test_what_has_no_shape_is_written_out(text: str, shown: str) -> None:
    """Control characters and marks of direction are seen, and do nothing."""
    assert readable(text) == shown


@pytest.mark.parametrize(
    "text", ["", "plain", "Schlüssel", "日本語", "שלום", "🦊", "👨\u200d👩\u200d👧"]
)
def test_what_can_be_seen_stays(text: str) -> None:
    """Letters of any writing and emoji, joined ones too, are shown as they are."""
    assert readable(text) == text


def test_what_is_kept_stays() -> None:
    """A text of several lines may keep them."""
    assert readable("a\n\tb\r", keep="\n\t") == "a\n\tb\\r"


@given(st.text(st.characters()))
def test_nothing_without_a_shape_is_left(text: str) -> None:
    """Whatever comes, the result can be printed."""
    assert readable(text).replace(JOINER, "").isprintable()


def test_long_text_is_cut_with_a_word() -> None:
    """A cut text says how long it was."""
    assert shortened("x" * 10, 10) == "x" * 10
    assert shortened("x" * 11, 10) == "x" * 10 + "... (11 characters)"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("`poll()` is not the end", "<code>poll()</code> is not the end"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("`<b>` <i>", "<code>&lt;b&gt;</code> &lt;i&gt;"),
        ("nul \x00", r"nul \x00"),
    ],
)
def test_code_in_a_sentence_is_code_in_html(text: str, html: str) -> None:
    """What stands between backticks is code, and nothing is markup of its own."""
    assert str(prose(text)) == html


# Where a text may be handed to a terminal: these make it readable.
WAYS_OUT = {"cli/output.py", "learning_log/terminal.py"}
HANDS_OVER = re.compile(r"\bConsole\(|\.write_line\(|\.write_sep\(|\.print\(|[^.]\bprint\(")


def test_each_text_reaches_the_terminal_by_one_of_two_ways(repository: Path) -> None:
    """Commands print by `cli/output.py`, runs by `learning_log/terminal.py`, nothing else."""
    package = repository / "kafkalab"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if HANDS_OVER.search(path.read_text("utf-8"))
    }

    assert found == WAYS_OUT
