"""The messages of assertions are whole sentences, because a page shows each of them alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kafkalab.curriculum import Curriculum

# A message that begins with one of these words continues a sentence that is missing.
GOES_ON = frozenset({"also", "and", "as", "because", "but", "nor", "or", "so", "then", "which"})
FEWEST_WORDS = 3


def problems_of_assertions(curriculum: Curriculum) -> Iterator[str]:
    """What is wrong with the messages of a curriculum's assertions, a line each.

    Raises:
        OSError, SyntaxError: a module cannot be read.
    """
    for module in curriculum.modules:
        path = curriculum.folder / f"{module}.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            if isinstance(node, ast.Assert) and (problem := _problem(node.msg)):
                yield f"{module}.py:{node.lineno}: {problem}"


def _problem(message: ast.expr | None) -> str:
    """What is wrong with a message; empty if nothing is."""
    if message is None:
        return "an assertion says in a sentence what is expected"
    text = _text(message)
    words = text.split()
    if len(words) < FEWEST_WORDS or not text.endswith("."):
        return f"'{text}' is no whole sentence that ends in a full stop"
    if words[0].lower().strip(",") in GOES_ON:
        return f"'{text}' begins in the middle of a sentence"
    return ""


def _text(message: ast.expr) -> str:
    """A message as it is written; computed parts appear as code."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    return ast.unparse(message)[2:-1] if isinstance(message, ast.JoinedStr) else ""
