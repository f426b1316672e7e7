"""Text from outside, as a page or a terminal can show it."""

from __future__ import annotations

# What makes lines of a text, where a text may have several.
LINES = "\n\t"

# It joins emoji into one, such as a family, and turns no line around.
JOINER = "\u200d"


def readable(text: str, *, keep: str = "") -> str:
    r"""The text with all that has no shape written as Python writes it: `\x00`, `\u202e`.

    That is control characters, marks that turn the direction of what follows,
    line and paragraph separators, and what stands for no character at all.

    Args:
        text: any text.
        keep: characters without a shape that stay, such as line ends.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == JOINER or letter in keep else _escape(letter)
        for letter in text
    )


def shortened(text: str, longest: int) -> str:
    """The text, cut with a word where it is longer than that many characters."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... ({len(text)} characters)"


def _escape(letter: str) -> str:
    # A lone surrogate is a letter to Python and to nobody else.
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
