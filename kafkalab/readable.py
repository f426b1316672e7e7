"""Make text from outside safe to show on a page or a terminal."""

from __future__ import annotations

# The characters without a shape that a text of several lines may keep.
LINES = "\n\t"

# It joins several emoji into one, such as a family, and does not change the text's direction.
JOINER = "\u200d"


def readable(text: str, *, keep: str = "") -> str:
    r"""The text with each character that has no shape as Python's escape: `\x00`, `\u202e`.

    These are control characters, marks that change the direction of the text,
    line and paragraph separators, and code points that are no character.

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
    """The text; if it is longer than that many characters, it is cut and its length is added."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... ({len(text)} characters)"


def _escape(letter: str) -> str:
    # Python accepts a lone surrogate as a character; other programs do not.
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
