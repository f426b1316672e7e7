"""The code of facts as coloured HTML, for the pages that show facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kafkalab.curriculum import Curriculum, Statement, source
from kafkalab.learning_log.pictures import Pictures
from kafkalab.readable import LINES, readable

STYLE = Path(__file__).with_name("code.css")

# One letter each, as a page has the code of all facts and should stay small.
CLASSES = (
    ("Comment", "c"),
    ("Literal.String", "s"),
    ("Literal.Number", "n"),
    ("Keyword", "k"),
    ("Operator.Word", "k"),
    ("Name.Decorator", "d"),
    ("Name.Function", "f"),
    ("Name.Class", "f"),
)
"""kinds of Pygments' tokens with the class that colours them; the others have the text's colour"""


class Code:
    """The code of facts and of single tests.

    A module is coloured once, and the result kept until the module changes: colouring takes longer
    than all other parts of a page.
    """

    def __init__(self, curriculum: Curriculum, pictures: Pictures) -> None:
        self._curriculum = curriculum
        self._pictures = pictures
        self._modules: dict[str, dict[str, str]] = {}

    def of_fact(self, slug: str) -> Markup:
        """The tests of a fact and of its controls, and what they use; folded."""
        return self._of(self._curriculum.stated_facts[slug].module, slug)

    def of_test(self, statement: Statement) -> Markup:
        """One test, and what it uses; folded."""
        return self._of(statement.module, f"{statement.function}()")

    def _of(self, module: str, name: str) -> Markup:
        """Folded code; empty if the module cannot be read or parsed, as while it is edited."""
        if module not in self._modules:
            try:
                self._modules[module] = self._coloured(module)
            except (OSError, SyntaxError, ValueError):
                return Markup("")
        # It is safe as HTML: this module coloured and escaped it.
        return Markup(self._modules[module].get(name, ""))  # noqa: S704

    def _coloured(self, module: str) -> dict[str, str]:
        stated = [each for each in self._curriculum.statements if each.module == module]
        path = self._curriculum.folder / f"{module}.py"
        seen = b"".join((path.read_bytes(), repr(stated).encode(), _colourer()))
        coloured: dict[str, str] = json.loads(
            self._pictures.kept(seen, lambda: self._drawn(stated), is_shared=True)
        )
        return coloured

    def _drawn(self, stated: Sequence[Statement]) -> Markup:
        """The code of each fact by its slug, and of each test by its name with `()`, as JSON."""
        drawn = {
            each.slug: html(source.source_of(self._curriculum, each.slug))
            for each in stated
            if each.role == "fact"
        }
        drawn |= {
            f"{each.function}()": html(source.source_of_test(self._curriculum, each))
            for each in stated
        }
        # HTML in JSON: _coloured reads it before a page shows it.
        return Markup(json.dumps(drawn))  # noqa: S704


def html(code: source.Source) -> str:
    """The tests first, then what they use, each with its file and line; folded."""
    controls = len(code.tests) - 1
    title = "The code of the test"
    if controls:
        title += " and its control" + "s" * (controls > 1)
    if code.helpers:
        title += ", and what they use" if controls else ", and what it uses"
    pieces = "".join(map(_piece, (*code.tests, *code.helpers)))
    return f'<details class="code"><summary>{title}</summary>{pieces}</details>'


def _piece(piece: source.Piece) -> str:
    place = f"{piece.file.parent.name}/{piece.file.name}:{piece.line}"
    text = coloured(readable(piece.text, keep=LINES))
    return f'<p class="place">{escape(readable(place))}</p><pre tabindex="0">{text}</pre>'


@cache
def coloured(text: str) -> str:
    """Python as HTML; neighbouring tokens of one colour share an element."""
    # Imported here: if no module has changed, nothing has to be coloured.
    from pygments.lexers.python import PythonLexer

    parts: list[tuple[str, str]] = []
    for token, value in PythonLexer().get_tokens(text):
        name = _class_of(token)
        # A blank has no colour, so it joins the element before it.
        if parts and (name == parts[-1][0] or (not value.strip() and "\n" not in value)):
            parts[-1] = (parts[-1][0], parts[-1][1] + value)
        else:
            parts.append((name, value))
    return "".join(
        f"<i class={name}>{escape(value, quote=False)}</i>" if name else escape(value, quote=False)
        for name, value in parts
    )


@cache
def _class_of(token: Any) -> str:
    name = ".".join(token)
    return next((found for kind, found in CLASSES if f"{name}.".startswith(f"{kind}.")), "")


@cache
def _colourer() -> bytes:
    """The hash of what cuts and colours code: if it changes, all code is coloured again."""
    own = [Path(__file__).read_bytes(), Path(source.__file__).read_bytes()]
    return sha256(b"".join((*own, version("pygments").encode()))).digest()
