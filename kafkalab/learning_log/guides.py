"""The guides of the tasks, and the page of myths, as HTML beside the learning log.

docs/ has them as Markdown, which code hosts show with its diagrams. Here a link to a fact leads to
the fact in the learning log, and a diagram gives way to the picture of what a run recorded.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from html import escape
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from kafkalab.config import doc
from kafkalab.curriculum import Curriculum, Task
from kafkalab.learning_log import code
from kafkalab.learning_log.evidence_html import evidence_html
from kafkalab.learning_log.links import relative_link
from kafkalab.learning_log.pictures import DRAWN_BY, Pictures
from kafkalab.learning_log.standing import Standing
from kafkalab.learning_log.templates import FOLDER, environment, policy_of
from kafkalab.learning_log.written import require_ours, write_whole

PAGES = "guides"
"""the folder of the pages, below that of the reports"""
MARK = "<title>Guide: "
"""what each page of this kind has in its head, and no other page has"""
MYTHS = "myths"
"""the name of the page of myths, without its suffix"""

RECORDED = re.compile(r"^ *%% recorded by ([a-z0-9-]+) *$", re.MULTILINE)
"""a comment in a diagram: the picture that this fact recorded shows the same"""


def name_of(task: Task) -> str:
    """The name of a task's guide, without its suffix, as in `1_1_topics`."""
    return f"{task.id.replace('.', '_')}_{task.component}"


def sources() -> Mapping[str, Path]:
    """The Markdown of the guides and of the myths that there are, by name without suffix."""
    folder = Path(doc("guides", "docs/guides"))
    paths = (*sorted(folder.glob("*.md")), folder.with_name(f"{MYTHS}.md"))
    return {path.stem: path for path in paths if path.is_file()}


def of_course(course: Curriculum) -> Mapping[str, Path]:
    """The Markdown of the guides of a course's tasks, with the myths; another course has none."""
    found = sources()
    own = {name: found[name] for name in map(name_of, course.tasks) if name in found}
    return {**own, MYTHS: found[MYTHS]} if own and MYTHS in found else own


def write(standing: Standing, log: Path, pictures: Pictures) -> Mapping[str, Path]:
    """Write the pages beside the learning log; the log does not depend on them.

    Args:
        standing: the facts with what runs recorded of them.
        log: the page of the learning log.
        pictures: draws the evidence.

    Returns:
        The pages that were written, by name; those that could not be are left out.
    """
    folder, written = log.parent / PAGES, {}
    for name, source in of_course(standing.curriculum).items():
        path = folder / f"{name}.html"
        # A file of the user may be there, or a folder without rights.
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            require_ours(path, MARK)
            text = html(source.read_text("utf-8"), standing, relative_link(log, folder), pictures)
            write_whole(path, text.encode("utf-8"))
            written[name] = path
    return written


def html(text: str, standing: Standing, log: str, pictures: Pictures) -> str:
    """A page as text.

    Args:
        text: its Markdown.
        standing: the facts with what runs recorded of them.
        log: the link to the learning log.
        pictures: draws the evidence.
    """
    recorded = {slug: _recorded(standing, slug, pictures) for slug in RECORDED.findall(text)}
    body = pictures.kept(
        b"".join((text.encode(), json.dumps([log, recorded, *sources()]).encode(), _maker())),
        lambda: body_of(text, log, recorded.__getitem__),
        is_shared=not any(recorded.values()),
    )
    # Both are our own.
    style = Markup("".join((FOLDER / name).read_text("utf-8") for name in STYLES))  # noqa: S704
    return (
        environment()
        .get_template("guide.html.jinja")
        .render(
            title=title_of(text),
            body=body,
            log=log,
            style=style,
            policy=policy_of,
        )
    )


STYLES = ("page.css", "code.css", "guide.css")


def title_of(text: str) -> str:
    """The text of the first heading."""
    return text.partition("\n")[0].removeprefix("# ")


def body_of(text: str, log: str, recorded: Callable[[str], Markup]) -> Markup:
    """Markdown as HTML.

    Args:
        text: the Markdown.
        log: the link to the learning log, to which links to facts lead.
        recorded: the picture that a fact recorded; empty if there is none.
    """
    parser = parser_of_guides()
    tokens = parser.parse(text)
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor_of(tokens[at + 1].content))
        elif token.type == "inline":
            _relink(token, log)
        elif token.type == "fence":
            _raw(token, _block(token, recorded))
        elif token.type == "th_open" and not tokens[at + 1].content:
            # The corner of a table that has heads on two sides is the head of nothing.
            token.tag = tokens[at + 2].tag = "td"
        elif token.type == "table_open":
            _raw(token, '<div class="table" role="group" tabindex="0" aria-label="Table"><table>')
        elif token.type == "table_close":
            _raw(token, "</table></div>")
    # It is safe as HTML: the parser escapes the text, which is our own, and so does _block.
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704


def parser_of_guides() -> MarkdownIt:
    """The parser of all guides: HTML in them is text, and there are tables."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def anchor_of(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def cited_in(token: Token) -> Iterator[tuple[str, str]]:
    """The facts that an inline token cites: the text of each link in backquotes, and its target."""
    children = token.children or []
    for link, text in pairwise(children):
        if link.type == "link_open" and text.type == "code_inline":
            yield text.content, str(link.attrGet("href"))


def _relink(token: Token, log: str) -> None:
    """Lead links to facts to the learning log, and those to other guides to their pages.

    What else docs/ has is not beside the log: of a link to it only the text is left.
    """
    is_left = True
    for link, text in pairwise([*(token.children or []), Token("text", "", 0)]):
        if link.type == "link_open":
            href = _link(str(link.attrGet("href")), text.content, log)
            link.attrSet("href", href)
            is_left = bool(href)
        if link.type in ("link_open", "link_close") and not is_left:
            link.type = "text"


def _link(target: str, text: str, log: str) -> str:
    """Where a link leads from a page beside the log; empty if there is no such page."""
    path, _, anchor = target.partition("#")
    named = PurePosixPath(path)
    if named.suffix == ".py":
        return f"{log}#fact-{text}"
    if named.suffix != ".md":
        return target
    page = f"{named.stem}.html" if named.stem in sources() else ""
    return f"{page}#{anchor}" if page and anchor else page


def _block(token: Token, recorded: Callable[[str], Markup]) -> str:
    """A block of code, coloured if it is Python; a diagram as its picture, or as its text."""
    if token.info == "mermaid":
        said = RECORDED.search(token.content)
        if said and (picture := recorded(said[1])):
            return f'<div class="observed">{picture}</div>'
        return f'<pre class="diagram" tabindex="0">{escape(RECORDED.sub("", token.content))}</pre>'
    text = code.coloured(token.content) if token.info == "python" else escape(token.content)
    return f'<div class="code"><pre tabindex="0">{text}</pre></div>'


@cache
def _maker() -> bytes:
    """The code that makes bodies: if it changes, all are made again."""
    own = [Path(file).read_bytes() for file in (__file__, code.__file__)]
    used = "".join(map(version, ("markdown-it-py", "pygments")))
    return b"".join((*own, used.encode()))


def _raw(token: Token, text: str) -> None:
    """Make a token print a text as it is."""
    token.type, token.content = "html_block", text


def _recorded(standing: Standing, slug: str, pictures: Pictures) -> Markup:
    """The first picture that the newest proof of a fact has; empty if it has none."""
    proofs = (fact.proof for fact in standing.facts if fact.slug == slug and fact.proof)
    for proof in proofs:
        family = [item for test in proof.evidence for item in test.items]
        for item in family:
            if item["kind"] in DRAWN_BY:
                return evidence_html([item], pictures, family)
    return Markup("")
