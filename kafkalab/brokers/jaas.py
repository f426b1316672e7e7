"""Parse the value of sasl.jaas.config as Java does.

Kafka's `JaasConfig` splits it with `java.io.StreamTokenizer`; the rules for escapes, comments and
quotes are documented there. No error text contains any part of the value.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

FLAGS = frozenset({"REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"})

TOKEN = re.compile(
    r"""
    (?P<ignored>[\0-\x20]+|/\*.*?(?:\*/|\Z)|/.?[^\r\n]*)
    |(?P<number>-?(?=[.0-9])[0-9]*(?:\.[0-9]*)?)
    |(?P<word>[A-Za-z_$\xa0-\U0010ffff][A-Za-z0-9_$.\-\xa0-\U0010ffff]*)
    # The end of a line ends a quoted text, too.
    |"(?P<double>(?:\\.|[^"\\\r\n])*)"?
    |'(?P<single>(?:\\.|[^'\\\r\n])*)'?
    |(?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)

ESCAPE = re.compile(r"\\([0-3][0-7]{0,2}|[4-7][0-7]?|.)", re.DOTALL)
ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

# If a password is not quoted correctly, a part of it may look like an option, but rarely like this.
PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z._]{2,59}")
CLASS = re.compile(r"(?:[a-z_][A-Za-z0-9_]*\.)+(?P<name>[A-Z][A-Za-z0-9_]*)")


class BadJaas(ValueError):
    """Java would not accept the value; the text says why and begins with a verb."""


@dataclass(frozen=True)
class LoginModule:
    """The one login module that a client's value names."""

    class_name: str
    options: Mapping[str, str]
    showable: frozenset[str] = frozenset()
    """the names of options that cannot be part of a secret"""

    @property
    def name(self) -> str:
        """The class name without its package; "" if it does not look like a class name."""
        named = CLASS.fullmatch(self.class_name)
        return named["name"] if named else ""


class _Token(NamedTuple):
    word: str | None
    """None for a number or a sign, which have no text in Java's tokenizer"""
    sign: str = ""
    is_bare: bool = False
    """a word without quotes, after a blank"""


def parse(text: str) -> LoginModule:
    """Parse a value.

    Raises:
        BadJaas: Java would not accept the value, or it is surely a mistake.
    """
    tokens = deque(_tokens(text))
    modules = []
    while tokens:
        modules.append(_module(tokens))
    if not modules:
        raise BadJaas("is empty")
    if len(modules) > 1:
        raise BadJaas(f"has {len(modules)} login modules, and Java takes one")
    return modules[0]


def _module(tokens: deque[_Token]) -> LoginModule:
    name = tokens.popleft().word
    if not name:
        raise BadJaas("does not begin with a login module")
    if not tokens or (tokens.popleft().word or "").upper() not in FLAGS:
        raise BadJaas("has no `required` after its login module")
    options: dict[str, str] = {}
    showable: set[str] = set()
    while tokens:
        key = tokens.popleft()
        if key.sign == ";":
            return LoginModule(name, options, frozenset(showable))
        is_given = len(tokens) > 1 and tokens.popleft().sign == "="
        value = tokens.popleft().word if is_given else None
        if key.word is None or value is None:
            break
        options[key.word] = value
        if key.is_bare and PLAIN_NAME.fullmatch(key.word):
            showable.add(key.word)
    raise BadJaas(
        'is not complete: it is `MODULE required NAME="VALUE" ... ;`, and each of its lines but '
        "the last ends with a backslash"
    )


def _tokens(text: str) -> Iterator[_Token]:
    is_after_blank = True
    for found in TOKEN.finditer(text):
        quoted = found["double"] if found["double"] is not None else found["single"]
        if quoted is not None:
            yield _Token(ESCAPE.sub(_unescaped, quoted))
        elif found["ignored"] is None:
            yield _Token(found["word"], found["sign"] or "", is_after_blank)
        is_after_blank = found["ignored"] is not None


def _unescaped(found: re.Match[str]) -> str:
    escape = found[1]
    if escape[0] in "01234567":
        return chr(int(escape, 8))
    return ESCAPED.get(escape, escape)
