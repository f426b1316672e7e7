"""Makes text from outside printable on a page or in a terminal."""

from __future__ import annotations

from markupsafe import Markup, escape

# It joins several emoji into one, such as a family, and does not change the writing direction.
JOINER = "\u200d"


def readable(text: str, *, keep: str = "") -> str:
    r"""The text, with each character that cannot be printed as Python writes it: `\x00`, `\u202e`.

    These are control characters, marks that change the writing direction, line and paragraph
    separators, and code points without a character.

    Args:
        text: any text.
        keep: characters of these kinds that stay, such as line ends.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == JOINER or letter in keep else _escape(letter)
        for letter in text
    )


def prose(text: str) -> Markup:
    """A sentence as HTML; text between backticks becomes code."""
    parts = (escape(readable(part)) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def shortened(text: str, longest: int) -> str:
    """The text; if it is longer than that many characters, its beginning and its length."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... ({len(text)} characters)"


def _escape(letter: str) -> str:
    # Python allows a lone surrogate in a text; UTF-8 does not.
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")
