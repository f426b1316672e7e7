"""The guides of the tasks: what they cite is there, what they show works, and so do their pages.

A claim in a guide is as good as the fact that it cites. These tests hold citations, links, code,
commands, defaults, metrics and log lines to what they name.
"""

from __future__ import annotations

import inspect
import re
import shlex
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka
import pytest
import typer
from bs4 import BeautifulSoup
from confluent_kafka.admin import AdminClient
from markdown_it.token import Token
from typer.exceptions import TyperException

from kafkalab.brokers.tools import TOOLS, Tools
from kafkalab.cli import command_line
from kafkalab.curriculum import Curriculum, load
from kafkalab.fixtures import JavaDefaults, TopicMaker
from kafkalab.learning_log import acts, guides, page
from kafkalab.learning_log.evidence import Evidence
from kafkalab.learning_log.guides import anchor_of, cited_in, parser_of_guides
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.record import RunRecord, facts_of
from kafkalab.learning_log.record import TestRecord as ItemRecord
from kafkalab.learning_log.standing import standing_of
from kafkalab.learning_log.verdicts import Outcome
from kafkalab.librdkafka import librdkafka_defaults
from kafkalab.observe.topics import settings_of

ROOT = Path(__file__).parent.parent
CURRICULUM = load()
GUIDES = {path.name: path for path in sorted((ROOT / "docs" / "guides").glob("*.md"))}
SECTIONS = ["Quick reference", "Deeper", "How to debug it at work", "Read next"]

each_guide = pytest.mark.parametrize("guide", GUIDES.values(), ids=lambda path: path.stem)


@cache
def tokens_of(path: Path) -> Sequence[Token]:
    return parser_of_guides().parse(path.read_text("utf-8"))


class Piece(NamedTuple):
    """A token of a guide, with the headings above it."""

    section: str
    part: str
    before: str
    """the kind of the token before it"""
    token: Token


def pieces_of(path: Path) -> Iterator[Piece]:
    """All tokens of a guide, in their order."""
    section = part = ""
    for before, token in pairwise([Token("", "", 0), *tokens_of(path)]):
        if before.type == "heading_open":
            section = token.content if before.tag == "h2" else section
            part = token.content if before.tag == "h3" else "" if before.tag == "h2" else part
        yield Piece(section, part, before.type, token)


def headings_of(path: Path, level: str) -> list[str]:
    pairs = pairwise(tokens_of(path))
    return [
        text.content for mark, text in pairs if mark.type == "heading_open" and mark.tag == level
    ]


def fences_of(path: Path, language: str) -> list[Token]:
    return [each for each in tokens_of(path) if each.type == "fence" and each.info == language]


class Table(NamedTuple):
    """A table of a guide."""

    section: str
    head: tuple[str, ...]
    rows: tuple[tuple[Token, ...], ...]


def tables_of(path: Path) -> Iterator[Table]:
    """The tables of a guide, with their cells as inline tokens."""
    rows: list[tuple[Token, ...]] = []
    cells: list[Token] = []
    for section, _, before, token in pieces_of(path):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            cells = []
        elif before in ("th_open", "td_open"):
            cells.append(token)
        elif token.type == "tr_close":
            rows.append(tuple(cells))
        elif token.type == "table_close":
            head, *body = rows
            yield Table(section, tuple(each.content for each in head), tuple(body))


def code_in(token: Token) -> list[str]:
    """The pieces of code in a cell, without links."""
    return [each.content for each in token.children or [] if each.type == "code_inline"]


def links_of(path: Path) -> Iterator[tuple[str, str]]:
    """The text in backquotes of each link, or nothing, and its target."""
    for token in tokens_of(path):
        for link, text in pairwise(token.children or []):
            if link.type == "link_open":
                is_code = text.type == "code_inline"
                yield text.content if is_code else "", str(link.attrGet("href"))


def test_each_task_has_its_guide() -> None:
    """By its id and component, as in 1_1_topics.md."""
    assert list(GUIDES) == [f"{guides.name_of(task)}.md" for task in CURRICULUM.tasks]


@each_guide
def test_a_guide_has_its_sections(guide: Path) -> None:
    """In one order; the head has the time that it takes and what to know before."""
    text = guide.read_text("utf-8")
    task = next(each for each in CURRICULUM.tasks if f"{guides.name_of(each)}.md" == guide.name)
    assert headings_of(guide, "h1") == [f"{task.id} {task.title}"]
    assert headings_of(guide, "h2") == SECTIONS
    head = text.partition("\n## ")[0]
    assert "gives answers away" in head, "a learner is warned before the first answer"
    assert f"kafkalab learn {task.id}" in head
    assert "**Time:**" in head
    assert "**Prerequisites:**" in head


@each_guide
def test_the_deeper_part_is_two_to_four_pages(guide: Path) -> None:
    """1,200 to 2,000 words, without code and citations."""
    words = 0
    for section, _, _, token in pieces_of(guide):
        if section == "Deeper" and token.type == "inline":
            texts = [each.content for each in token.children or [] if each.type == "text"]
            words += len(" ".join(texts).split())
    assert 1200 <= words <= 2000, f"{words} words"
    diagrams = [
        each
        for each in pieces_of(guide)
        if each.token.info == "mermaid" and each.section == "Deeper"
    ]
    assert diagrams, "it has a diagram"


def citing() -> list[Path]:
    """The pages that cite facts."""
    myths = ROOT / "docs" / "myths.md"
    return [*GUIDES.values(), *([myths] if myths.exists() else [])]


@pytest.mark.parametrize("source", citing(), ids=lambda path: path.stem)
def test_each_citation_is_a_fact_and_leads_to_its_module(source: Path) -> None:
    """Its text is the slug, and its target the module in which the fact's test is."""
    facts = CURRICULUM.stated_facts
    cited = [each for each in links_of(source) if each[1].endswith(".py")]
    assert cited
    for slug, target in cited:
        assert slug in facts, f"there is no fact {slug!r}"
        module = (source.parent / target).resolve()
        assert module == CURRICULUM.folder / f"{facts[slug].module}.py", f"{slug} is elsewhere"


@pytest.mark.parametrize("source", citing(), ids=lambda path: path.stem)
def test_each_slug_is_a_link(source: Path) -> None:
    """A slug in backquotes that is no link would lead nowhere."""
    for token in tokens_of(source):
        for before, text in pairwise([Token("text", "", 0), *(token.children or [])]):
            if text.type == "code_inline" and text.content in CURRICULUM.stated_facts:
                assert before.type == "link_open", f"{text.content} is no link"


@each_guide
def test_each_claim_cites_a_fact(guide: Path) -> None:
    """Each paragraph of the deeper part cites one, unless it leads to a block with a colon.

    In the quick reference each table does, unless it is a table of defaults, which a test reads.
    """
    for section, part, before, token in pieces_of(guide):
        if section == "Deeper" and before == "paragraph_open" and token.level == 1:
            is_lead = token.content.endswith(":")
            assert is_lead or list(cited_in(token)), f"{part}: {token.content[:80]}"
    for table in tables_of(guide):
        if table.section == "Quick reference" and table.head[0] != "setting":
            cells = [cell for row in table.rows for cell in row]
            assert any(list(cited_in(cell)) for cell in cells), table.head


def test_the_guides_of_a_task_cite_its_facts() -> None:
    """Each fact of a task, about Kafka or the component, is cited by the task's guide."""
    for task in CURRICULUM.tasks:
        path = GUIDES.get(f"{guides.name_of(task)}.md")
        if path is not None:
            cited = {slug for slug, _ in links_of(path)}
            assert set(task.facts) <= cited, set(task.facts) - cited


@pytest.mark.parametrize(
    "source", [*citing(), CURRICULUM.folder / "README.md"], ids=lambda path: path.stem
)
def test_each_link_leads_somewhere(source: Path) -> None:
    """To a file of the clone and a heading in it, or to a page on the web, by https."""
    for _, target in links_of(source):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (source.parent / path).resolve() if path else source
        assert file.is_relative_to(ROOT), f"{target} leaves the clone"
        assert file.is_file(), f"{target} is not there"
        if anchor:
            texts = [text for level in ("h1", "h2", "h3") for text in headings_of(file, level)]
            assert anchor in map(anchor_of, texts), f"{target}: there is no such heading"


def test_the_readme_of_module_a_links_each_guide() -> None:
    """Beside its task."""
    text = (CURRICULUM.folder / "README.md").read_text("utf-8")
    for task in CURRICULUM.tasks:
        link = f"[{task.id}](../docs/guides/{guides.name_of(task)}.md)"
        assert re.search(rf"^\| {task.id} .*{re.escape(link)}", text, re.MULTILINE), task.id


@each_guide
def test_headings_are_unique(guide: Path) -> None:
    """Else two of them would have one anchor."""
    anchors = [
        anchor_of(text) for level in ("h1", "h2", "h3") for text in headings_of(guide, level)
    ]
    assert len(set(anchors)) == len(anchors)


# Diagrams: no parser of mermaid is at hand in Python, so this is a light check.

KINDS = re.compile(r"(flowchart (TB|TD|LR|RL|BT)|sequenceDiagram|stateDiagram-v2|gantt|timeline)$")
PAIRS = {"(": ")", "[": "]", "{": "}"}


@each_guide
def test_diagrams_are_mermaid(guide: Path) -> None:
    """Each says its kind, closes what it opens, and names facts that are there."""
    for fence in fences_of(guide, "mermaid"):
        lines = [each for each in fence.content.splitlines() if not each.lstrip().startswith("%%")]
        where = f"{guide.name}:{(fence.map or [0])[0] + 1}"
        assert KINDS.match(lines[0].strip()), f"{where}: {lines[0]}"
        assert len(lines) > 1, f"{where} is empty"
        for slug in guides.RECORDED.findall(fence.content):
            assert slug in CURRICULUM.stated_facts, f"{where}: {slug}"
        for line in lines[1:]:
            assert line.count('"') % 2 == 0, f"{where}: {line}"
            if lines[0].startswith("flowchart"):
                assert is_balanced(re.sub(r'"[^"]*"', "", line)), f"{where}: {line}"
        opened = sum(
            re.match(r"\s*((subgraph|loop|alt|opt|par)\b|state .*\{)", each) is not None
            for each in lines
        )
        closed = sum(each.strip() in ("end", "}") for each in lines)
        assert opened == closed, f"{where}: {opened} opened, {closed} closed"


def is_balanced(line: str) -> bool:
    """Whether brackets outside of quotes are closed in turn."""
    opened: list[str] = []
    # Arrows are no brackets.
    for letter in re.sub(r"[-=.ox<>|]+", " ", line):
        if letter in PAIRS:
            opened.append(PAIRS[letter])
        elif letter in PAIRS.values() and (not opened or opened.pop() != letter):
            return False
    return not opened


@pytest.mark.parametrize(
    ("line", "balanced"), [("a[x] --> b{y}", True), ("a[x --> b", False), ("a[x) --> b", False)]
)
def test_the_light_check_finds_an_open_bracket(line: str, balanced: bool) -> None:
    """And one of another kind."""
    assert is_balanced(line) is balanced


# Code


def blocks() -> list[Any]:
    """Each block of Python in the guides, with its place."""
    return [
        pytest.param(path, fence, id=f"{path.stem}:{(fence.map or [0])[0] + 1}")
        for path in GUIDES.values()
        for fence in fences_of(path, "python")
    ]


@pytest.mark.parametrize(("path", "block"), blocks())
def test_python_runs(path: Path, block: Token, request: pytest.FixtureRequest) -> None:
    """Each block is one test or more, which hold on a real broker with the fixtures they name."""
    # Lines before it are blank, so that a traceback names the place in the guide.
    text = "\n" * ((block.map or [0])[0] + 1) + block.content
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), names)  # noqa: S102 - it is ours
    tests: list[Callable[..., None]] = [names[each] for each in names if each.startswith("test_")]
    assert tests, "a block that states nothing proves nothing"
    for each in tests:
        fixtures = inspect.signature(each).parameters
        each(**{name: request.getfixturevalue(name) for name in fixtures})


# Commands


def commands_in(path: Path) -> Iterator[list[str]]:
    """The arguments of each call of kafkalab in the shell blocks, and after a pipe."""
    for fence in fences_of(path, "console"):
        for line in re.findall(r"^\$ (.*)$", fence.content, re.MULTILINE):
            words = shlex.split(line, comments=True)
            starts = [0, *(at + 1 for at, word in enumerate(words) if word == "|")]
            for start in starts:
                call = words[start : words.index("|", start) if "|" in words[start:] else None]
                if call[0] == "kafkalab":
                    yield call[1:]


@each_guide
def test_commands_of_kafkalab_exist(guide: Path) -> None:
    """With their options; those of Kafka's tools are looked for in their jar."""
    calls = list(commands_in(guide))
    assert calls, "it shows at least one command"
    for call in calls:
        if call[0] not in TOOLS:
            parse(call)


def parse(call: Sequence[str]) -> None:
    """Parse a call as the command line would.

    Raises:
        AssertionError: there is no such command, or it does not take these arguments.
    """
    command: Any = typer.main.get_command(command_line())
    name, rest = "kafkalab", list(call)
    while isinstance(command, typer.core.TyperGroup):
        assert rest, f"kafkalab {shlex.join(call)} is a group of commands"
        name, *rest = rest
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    try:
        command.make_context(name, rest)
    except TyperException as error:
        raise AssertionError(f"kafkalab {shlex.join(call)}: {error}") from None


@pytest.mark.parametrize("call", ["consum orders", "consume orders --form oldest", "topics", "lag"])
def test_a_call_that_does_not_exist_is_found(call: str) -> None:
    """A command, an option, or what it needs."""
    with pytest.raises(AssertionError):
        parse(call.split())


# What Kafka and librdkafka have: defaults, metrics, log lines


@each_guide
def test_defaults_are_as_the_clients_have_them(guide: Path, java_defaults: JavaDefaults) -> None:
    """Tables with the columns setting, librdkafka and Java are read, and compared."""
    package = "org.apache.kafka.clients"
    producers = java_defaults(f"{package}.producer.ProducerConfig")
    java = {**java_defaults(f"{package}.consumer.ConsumerConfig"), **producers}
    librdkafka = librdkafka_defaults()
    for table in tables_of(guide):
        if table.head == ("setting", "librdkafka", "Java"):
            for names, ours, javas in table.rows:
                name, *other = code_in(names)
                listed = librdkafka.get(OLDER.get(name, name), NONE)
                assert SAID.get(listed, listed) == said(ours), f"{name} of librdkafka"
                default = java.get(other[0] if other else name, NONE)
                assert default.partition(" (")[0] == said(javas), f"{name} of Java"


OLDER = {
    "acks": "request.required.acks",
    "linger.ms": "queue.buffering.max.ms",
    "delivery.timeout.ms": "message.timeout.ms",
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
}
"""librdkafka lists a default under the older of two names"""
SAID = {"-1": "all", "largest": "latest"}
"""older values of the same meaning"""
NONE = "\N{EN DASH}"
"""the cell of a client without such a setting"""


def said(cell: Token) -> str:
    return next(iter(code_in(cell)), cell.content)


@each_guide
def test_defaults_of_a_topic_are_as_the_broker_has_them(
    guide: Path, admin: AdminClient, topic: TopicMaker
) -> None:
    """Tables with the columns setting and default are read, and compared."""
    tables = [each for each in tables_of(guide) if each.head[:2] == ("setting", "default")]
    if tables:
        settings = settings_of(admin, topic())
        for table in tables:
            for names, default, *_ in table.rows:
                assert [settings[name].value for name in code_in(names)] == code_in(default)


@pytest.fixture(scope="session")
def texts_of_kafka(_tools: Tools) -> frozenset[str]:
    """All texts in the classes of Kafka's jars, and in librdkafka."""
    files = [librdkafka_file().read_bytes()]
    for jar in _tools.distribution.jar_files:
        if jar.name.startswith("kafka"):
            with zipfile.ZipFile(jar) as opened:
                names = [each for each in opened.namelist() if each.endswith(".class")]
                files += map(opened.read, names)
    return frozenset(text.decode() for file in files for text in TEXT.findall(file))


TEXT = re.compile(rb"[\x01\x20-\x7e]{4,}")
"""javac writes \\x01 where a text has a place for a value"""


def librdkafka_file() -> Path:
    """librdkafka, in the folder of libraries beside the package."""
    beside = Path(confluent_kafka.__file__).parent
    (found,) = [
        *beside.with_name("confluent_kafka.libs").glob("librdkafka*"),
        *(beside / ".dylibs").glob("librdkafka*"),
    ]
    return found


@each_guide
def test_options_of_kafkas_tools_exist(guide: Path, texts_of_kafka: frozenset[str]) -> None:
    """Each is a text in the jars."""
    for call in commands_in(guide):
        if call[0] in TOOLS:
            for word in call[1:]:
                if word.startswith("--"):
                    assert is_in(word[2:], texts_of_kafka), shlex.join(call)


def is_in(name: str, texts: frozenset[str]) -> bool:
    """Whether a name is a text, or a word of one."""
    return name in texts or any(name in text.replace('"', " ").split() for text in texts)


def column(guide: Path, head: str) -> Iterator[str]:
    """Each piece of code in a column of that head, in the part on debugging."""
    for table in tables_of(guide):
        if head in table.head and table.section == SECTIONS[2]:
            for row in table.rows:
                yield from code_in(row[table.head.index(head)])


@each_guide
def test_metrics_exist(guide: Path, texts_of_kafka: frozenset[str]) -> None:
    """MBeans, Java's metrics and fields of librdkafka's statistics are texts in the libraries."""
    metrics = list(column(guide, "metric"))
    assert metrics, "it names at least one"
    for metric in metrics:
        is_mbean = ":type=" in metric
        for name in re.split(r":type=|,name=", metric) if is_mbean else [metric.split(".")[-1]]:
            assert is_in(name, texts_of_kafka), metric


def pieces_of_line(line: str) -> list[str]:
    """What stands between the gaps of a line, if it is long enough to be recognised."""
    pieces = (each.strip() for each in re.split(r"\.\.\.|…", line))
    return [each for each in pieces if len(each) >= RECOGNISED]


RECOGNISED = 10
"""characters of a piece of a line that say what it is of"""


def is_written(piece: str, texts: frozenset[str]) -> bool:
    """Whether a text of a library has these words, or places for values instead of some of them."""
    word = r"(?:{}|\S*(?:\{{\}}|%\w+|\x01)\S*)"
    words = " ".join(word.format(re.escape(each)) for each in piece.split())
    pattern = re.compile(rf"{words}(?!\w)")
    longest = max(re.findall(r"[a-z]+", piece), key=len)
    found = (pattern.search(text) for text in texts if longest in text)
    return any(is_alike(each.group().split(), piece.split()) for each in found if each)


def is_line(line: str, texts: frozenset[str]) -> bool:
    """Whether a line is made of texts of the libraries; a value in it may be a text of its own."""
    pieces = pieces_of_line(line)
    return bool(pieces) and all(
        is_written(piece, texts)
        or any(
            # No text has this word, so that a place must stand there.
            is_written(f"{text} <value>", texts) and is_whole(value.rstrip("."), texts)
            for text, value in halves_of(piece)
        )
        for piece in pieces
    )


def is_whole(value: str, texts: frozenset[str]) -> bool:
    """Whether it is a text; before it javac writes its length, two bytes that may be letters."""
    return any(text.endswith(value) and len(text) <= len(value) + 2 for text in texts)


def halves_of(piece: str) -> Iterator[tuple[str, str]]:
    """A piece, cut in two in each way that leaves enough to be recognised."""
    for cut in re.finditer(" ", piece):
        halves = piece[: cut.start()], piece[cut.end() :]
        if min(map(len, halves)) >= RECOGNISED:
            yield halves


def is_alike(text: Sequence[str], piece: Sequence[str]) -> bool:
    """Whether half of the words or more are the same: a text of places alone says nothing."""
    same = sum(ours == theirs for ours, theirs in zip(text, piece, strict=False))
    return 2 * same >= len(piece)


@each_guide
def test_log_lines_exist(guide: Path, texts_of_kafka: frozenset[str]) -> None:
    """Each is made of a text in a library, in which values have taken their places."""
    lines = list(column(guide, "line"))
    assert lines, "it shows at least one"
    for line in lines:
        assert is_line(line, texts_of_kafka), line


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("Rolled new log segment at offset 17 in 4 ms.", True),
        ("Rolled no log segments whatever at offset 17", False),
        ("Rolled a log segment at offset …", False),
        ("Member … fenced from the group because the member session expired.", True),
        ("Topic orders (id abc) partition count changed from 3 to 5", True),
        ("Topic orders (id abc) partition changed from 3 to 5", False),
    ],
)
def test_a_line_that_nobody_writes_is_found(
    line: str, written: bool, texts_of_kafka: frozenset[str]
) -> None:
    """Also if only a word is missing."""
    assert is_line(line, texts_of_kafka) is written


def test_a_metric_that_nobody_has_is_found(texts_of_kafka: frozenset[str]) -> None:
    """Also if it begins like one that is there."""
    assert is_in("records-lag-max", texts_of_kafka)
    assert not is_in("records-lag-maxi", texts_of_kafka)


# The pages beside the log


class Log:
    """A reports folder, and the pages in it."""

    def __init__(self, folder: Path) -> None:
        self.reports = folder
        (folder / "runs").mkdir(parents=True)

    def run(self, evidence: Mapping[str, Evidence]) -> None:
        """Write a run in which all facts of the first three tasks held, with this evidence."""
        tests = [
            ItemRecord(
                f"tests_module_a/{each.module}.py::{each.function}",
                each.slug,
                each.role,
                Outcome.PASSED,
                "",
                0.1,
                evidence[each.slug].items if each.role == "fact" and each.slug in evidence else [],
            )
            for each in CURRICULUM.statements
        ]
        RunRecord(
            run="run",
            started="2026-01-01T10:00:00+00:00",
            completed=True,
            exit_status=0,
            seconds=1.0,
            command=("pytest",),
            environment={},
            broker={"backend": "played", "version": "4.4.0", "description": "played"},
            solutions="",
            facts=facts_of(CURRICULUM, tests),
            tests=tuple(tests),
        ).write(self.reports / "runs" / "run.json")

    def read(self) -> BeautifulSoup:
        """The log as it was written."""
        return BeautifulSoup((self.reports / page.NAME).read_text("utf-8"), "html.parser")

    def write(self, curriculum: Curriculum = CURRICULUM) -> BeautifulSoup:
        """Write the pages, and read the log."""
        path = self.reports / page.NAME
        pictures = Pictures(self.reports / "pictures")
        page.write(standing_of(curriculum, self.reports), path, pictures, None)
        return self.read()

    def page(self, name: str) -> BeautifulSoup:
        text = (self.reports / guides.PAGES / f"{name}.html").read_text("utf-8")
        return BeautifulSoup(text, "html.parser")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "reports")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log with its pages, before anything was run."""
    made = Log(tmp_path_factory.mktemp("written") / "reports")
    made.write()
    return made


def test_the_log_links_each_guide(written: Log) -> None:
    """Beside its task, with the warning that it gives answers away."""
    soup = written.read()
    for name in GUIDES:
        (link,) = soup.select(f'a[href="{guides.PAGES}/{name.replace(".md", ".html")}"]')
        section = link.find_parent("section")
        assert section is not None
        assert section["id"] == f"task-{name[0]}.{name[2]}"
        assert "gives answers away" in str(link.parent)


def test_who_has_predicted_all_is_not_warned(log: Log) -> None:
    """Nothing is given away any more."""
    for slug in CURRICULUM.task("1.1").predictions:
        acts.append(log.reports / acts.FILE, acts.PREDICTED, slug, choice="x", right=True)
    soup = log.write()
    warned = [each["href"] for each in soup.select(".to-guide a") if "away" in str(each.parent)]
    assert "guides/1_1_topics.html" not in warned
    assert "guides/1_2_routing.html" in warned


def anchors_of(soup: BeautifulSoup) -> set[str]:
    return {str(each["id"]) for each in soup.select("[id]")}


@each_guide
def test_each_link_of_a_page_leads_somewhere(guide: Path, written: Log) -> None:
    """Links to facts lead to the fact in the log, and those to guides to their pages."""
    soup, shown = written.read(), written.page(guide.stem)
    anchors = {page.NAME: anchors_of(soup)}
    assert not shown.select('a[href$=".py"], a[href$=".md"]')
    targets = [str(each["href"]) for each in shown.select("a[href]")]
    assert len([each for each in targets if "#fact-" in each]) > 20
    folder = written.reports / guides.PAGES
    for target in targets:
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (folder / path).resolve()
        assert file.is_file(), target
        if file.name not in anchors:
            anchors[file.name] = anchors_of(written.page(file.stem))
        assert not anchor or anchor in anchors[file.name], target


@each_guide
def test_a_page_has_all_of_its_guide(guide: Path, written: Log) -> None:
    """Headings with anchors, tables that scroll, code, and no Markdown that was left over."""
    shown = written.page(guide.stem)
    for level in ("h1", "h2", "h3"):
        found = shown.select(f".guide {level}")
        assert [each.get_text() for each in found] == [
            re.sub("`", "", text) for text in headings_of(guide, level)
        ]
        assert all(each.get("id") for each in found)
    assert len(shown.select(".guide .table > table")) == len(list(tables_of(guide)))
    assert len(shown.select("pre.diagram")) == len(fences_of(guide, "mermaid"))
    text = " ".join(each.get_text() for each in shown.select("p, td, li"))
    assert "](" not in text
    assert "**" not in text


def test_a_recorded_picture_takes_the_place_of_a_diagram(log: Log) -> None:
    """If the log has it; else the text of the diagram stands there."""
    log.write()
    before = len(log.page("1_2_routing").select("pre.diagram"))
    evidence = Evidence()
    evidence.note("A note is no picture.")
    evidence.shares("30 records of 3 keys", {0: {"user-0": 10}, 1: {"user-1": 10}})
    log.run({"same-key-same-partition": evidence})

    log.write()

    shown = log.page("1_2_routing")
    assert len(shown.select("pre.diagram")) == before - 1
    (figure,) = shown.select("figure")
    assert "30 records of 3 keys" in figure.get_text()
    assert figure.find("svg")
    assert "no picture" not in shown.get_text()


def test_a_file_of_the_user_stays(log: Log) -> None:
    """The log is written all the same, and does not link to it."""
    theirs = log.reports / guides.PAGES / "1_1_topics.html"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine", "utf-8")

    soup = log.write()

    assert theirs.read_text("utf-8") == "mine"
    assert not soup.select('a[href="guides/1_1_topics.html"]')
    assert soup.select('a[href="guides/1_2_routing.html"]')


def test_another_course_has_no_guides_of_ours(log: Log, tmp_path: Path) -> None:
    """A guide belongs to the task of its id and component."""
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "test_own.py").write_text("", "utf-8")
    manifest = tmp_path / "module.toml"
    manifest.write_text(
        '[module]\nid = "T"\ntitle = "T"\npackage = "lessons"\n'
        '[[task]]\nid = "1.1"\ntitle = "Own"\nquestion = "?"\nmodule = "test_own"\n'
        'component = "own"\n[task.facts]\n',
        "utf-8",
    )
    page = log.write(load(manifest))

    assert not page.select(".to-guide")
    assert not page.select('a[href="guides/myths.html"]'), "the myths cite Module A's facts"


def test_what_docs_has_besides_is_no_link_on_a_page() -> None:
    """It is not beside the log: the text stays, and the link goes."""
    shown = str(
        guides.body_of(
            "See [groups](../groups.md), [1.1](1_1_topics.md#deeper) and [`a`](../a.py).",
            "../learning_log.html",
            lambda _: guides.Markup(""),
        )
    )
    assert shown.strip() == (
        '<p>See groups, <a href="1_1_topics.html#deeper">1.1</a> and '
        '<a href="../learning_log.html#fact-a"><code>a</code></a>.</p>'
    )


def test_an_empty_corner_of_a_table_is_no_head() -> None:
    """It would be the head of nothing, which a screen reader tells."""
    text = "| | a |\n| --- | --- |\n| b | c |\n"
    shown = BeautifulSoup(str(guides.body_of(text, "", lambda _: guides.Markup(""))), "html.parser")
    assert [each.name for each in shown.select("thead tr > *")] == ["td", "th"]


def test_html_in_a_guide_is_text() -> None:
    """So that no page has elements that its Markdown does not have."""
    text = 'a <b>bold</b>\n\n```mermaid\nflowchart LR\n  a["<i>"]\n```\n'
    shown = str(guides.body_of(text, "", lambda _: guides.Markup("")))
    assert "&lt;b&gt;" in shown
    assert "&lt;i&gt;" in shown


# In a browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@each_guide
def test_a_page_reads_well(
    guide: Path, written: Log, browser: Any, width: int, scheme: str
) -> None:
    """axe finds nothing, nothing sticks out of the screen, and the browser has no complaint."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 844})
    try:
        complaints: list[str] = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto((written.reports / guides.PAGES / f"{guide.stem}.html").as_uri())
        found = [
            (each["id"], each["nodes"][0]["html"]) for each in axe.run(tab).response["violations"]
        ]
        assert found == []
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert complaints == []
    finally:
        tab.close()
