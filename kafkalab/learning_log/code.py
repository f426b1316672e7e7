"""The code of facts as HTML, coloured: what a reader of a fact looks at next."""

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

# One letter each: a page has the code of all facts.
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

    A module is coloured once, and kept beside the pictures, until it changes: that takes
    longer than all the rest of a page.
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
        """Folded code; none while somebody edits the module, and it cannot be read."""
        if module not in self._modules:
            try:
                self._modules[module] = self._coloured(module)
            except (OSError, SyntaxError, ValueError):
                return Markup("")
        # Coloured by this module, which escapes it.
        return Markup(self._modules[module].get(name, ""))  # noqa: S704

    def _coloured(self, module: str) -> dict[str, str]:
        stated = [each for each in self._curriculum.statements if each.module == module]
        path = self._curriculum.folder / f"{module}.py"
        seen = b"".join((path.read_bytes(), repr(stated).encode(), _colourer()))
        coloured: dict[str, str] = json.loads(
            self._pictures.kept(seen, lambda: self._drawn(stated))
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
        # HTML in JSON: it is no page before it is read again.
        return Markup(json.dumps(drawn))  # noqa: S704


def html(code: source.Source) -> str:
    """Tests first, then what they use, each with its place; folded."""
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
    text = _coloured(readable(piece.text, keep=LINES))
    return f'<p class="place">{escape(readable(place))}</p><pre tabindex="0">{text}</pre>'


@cache
def _coloured(text: str) -> str:
    """Python as HTML; neighbours of one colour share an element."""
    # Imported here: where nothing has changed, nothing is coloured.
    from pygments.lexers.python import PythonLexer

    parts: list[tuple[str, str]] = []
    for token, value in PythonLexer().get_tokens(text):
        name = _class_of(token)
        # A blank has no colour: it does not part what it stands between.
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
    """What colours and cuts: code of another version of it is coloured anew."""
    own = [Path(__file__).read_bytes(), Path(source.__file__).read_bytes()]
    return sha256(b"".join((*own, version("pygments").encode()))).digest()
