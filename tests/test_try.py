"""`kafkalab try`: a copy of a fact runs as the fact does, and counts for nothing."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kafkalab.cli import main
from kafkalab.curriculum import load
from kafkalab.curriculum.experiment import FOLDER, body_of, copy_of, differences, file_name
from kafkalab.learning_log.standing import standing_of

Lines = Callable[[pytest.RunResult], str]

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])

LESSON = """
    SIZE = 3


    @pytest.mark.fact("two-things", scope="any")
    def test_two_things_are(evidence):
        '''Two `things` are two.'''
        evidence.table("Seen", [{"what": "thing", "size": SIZE}])
        assert SIZE == 3, "there are three"


    @pytest.mark.control("two-things", changes="one is missing")
    def test_one_thing_is_not():
        '''One is not two.'''
        assert SIZE != 2
"""

COPY = f"{FOLDER}/test_two_things.py"


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


Call = Callable[..., Said]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `kafkalab` as in a shell; its terminal is 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["kafkalab", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Said(printed.out, printed.err, code)

    return call


@pytest.fixture
def lessons(host: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with one fact and its control, and a shell that is there."""
    host.teach(LESSON, {"two-things": ""})
    monkeypatch.chdir(host.folder)
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "lessons/module.toml")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)
    return host


@pytest.fixture
def tried(lessons: Any, call: Call) -> Any:
    """That project, with an experiment in it."""
    assert call("try", "two-things").code == 0
    return lessons


def change(host: Any, old: str, new: str) -> None:
    """Change the experiment, as a learner does."""
    path = host.folder / COPY
    text = path.read_text("utf-8")
    assert old in text, "there is something to change"
    path.write_text(text.replace(old, new), "utf-8")


def page(host: Any, name: str = "two_things") -> str:
    """The page of an experiment, as text."""
    path: Path = host.folder / "reports" / "experiments" / f"{name}.html"
    return path.read_text("utf-8")


# The command


@pytest.mark.parametrize("slug", ["two-things", "two_things"], ids=["hyphened", "underscores"])
def test_it_makes_a_copy_and_says_how_to_run_it(lessons: Any, call: Call, slug: str) -> None:
    """The copy lies in my_lab/experiments; the command to run it is there to be copied."""
    said = call("try", slug)

    assert said.code == 0
    assert f"\n  pytest {COPY}\n" in said.out
    assert (lessons.folder / COPY).is_file()


@pytest.mark.parametrize(
    ("slug", "remedy"),
    [
        ("two-thinks", "did you mean two-things?"),
        ("thing", "did you mean two-things?"),
        ("../two-things/x", "did you mean two-things?"),
        ("quite-another", "kafkalab facts lists them"),
        ("", "kafkalab facts lists them"),
        ("\x1b[31m", "kafkalab facts lists them"),
    ],
)
def test_an_unknown_fact_is_one_line(lessons: Any, call: Call, slug: str, remedy: str) -> None:
    """It names those that are near, and nothing is made."""
    said = call("try", slug)

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err
    assert remedy in said.err
    assert not (lessons.folder / "my_lab").exists()


def test_a_learner_s_file_stays_as_it_is(tried: Any, call: Call) -> None:
    """Called again, it says that the copy is there, how to run it, and how to begin anew."""
    change(tried, "SIZE = 3", "SIZE = 4")
    before = (tried.folder / COPY).read_bytes()

    said = call("try", "two-things")

    assert said.code == 0
    assert (tried.folder / COPY).read_bytes() == before
    assert f"\n  pytest {COPY}\n" in said.out
    assert "\n  kafkalab try two-things --reset\n" in said.out


def test_reset_keeps_what_was_there(tried: Any, call: Call) -> None:
    """Each time under another name, which pytest does not collect."""
    for number in (1, 2):
        change(tried, "SIZE = 3", f"SIZE = {number}")
        said = call("try", "two-things", "--reset")
        assert said.code == 0
        assert f"{COPY}.bak{number}" in said.out
        assert f"SIZE = {number}" in (tried.folder / f"{COPY}.bak{number}").read_text("utf-8")

    assert "SIZE = 3" in (tried.folder / COPY).read_text("utf-8")
    tried.run("my_lab").assert_outcomes(passed=2)


def test_reset_moves_a_link_and_not_what_it_leads_to(tried: Any, call: Call) -> None:
    """A learner's file that lies elsewhere is not written over."""
    elsewhere = tried.folder / "elsewhere.py"
    (tried.folder / COPY).rename(elsewhere)
    (tried.folder / COPY).symlink_to(elsewhere)
    before = elsewhere.read_bytes()

    assert "is there already" in call("try", "two-things").out
    call("try", "two-things", "--reset")

    assert elsewhere.read_bytes() == before
    assert not (tried.folder / COPY).is_symlink()


def test_another_folder_may_be_named(lessons: Any, call: Call) -> None:
    """A name with a blank is quoted where it is to be copied."""
    said = call("try", "two-things", "--folder", "my lab")

    assert "\n  pytest 'my lab/test_two_things.py'\n" in said.out
    again = call("try", "two-things", "--folder", "my lab").out
    assert "\n  kafkalab try two-things --reset --folder='my lab'\n" in again
    lessons.run("my lab").assert_outcomes(passed=2)


@pytest.mark.parametrize("folder", ["lessons", "taken", "taken/below", "/proc/kafkalab"])
def test_a_folder_that_cannot_be_is_one_line(lessons: Any, call: Call, folder: str) -> None:
    """It says what to name instead."""
    (lessons.folder / "taken").write_text("", "utf-8")

    said = call("try", "two-things", "--folder", folder)

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "another" in said.err
    assert not list(lessons.folder.rglob("test_two_things*"))


# The copy


def functions_of(text: str) -> list[str]:
    return [each.name for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]


def test_every_fact_of_module_a_can_be_tried(tmp_path: Path) -> None:
    """Each copy has the fact's tests, and one marker that counts for nothing; it is tidy code."""
    taught = load()
    for slug in taught.stated_facts:
        text = copy_of(taught, slug, "1.0", f"pytest {file_name(slug)}")
        path = tmp_path / file_name(slug)
        path.write_text(text, "utf-8")
        own = [each.function for each in taught.statements if each.slug == slug]
        assert set(own) <= set(functions_of(text)), slug
        assert text.count("@pytest.mark.experiment(") == len(own), slug
        marks = set(re.findall(r"@pytest\.mark\.(\w+)", text))
        assert marks <= {"experiment", "parametrize", "cluster", "timeout", "filterwarnings"}, slug
        assert not differences(body_of(taught, slug), text), "a copy differs in nothing"

    for command in (["format", "--check"], ["check", "--select=E,F,I,W"]):
        options = ["--isolated", "--line-length=100", "--target-version=py311"]
        ruff = [sys.executable, "-m", "ruff", *command, *options, str(tmp_path)]
        known = ["--config", "lint.isort.known-first-party=['kafkalab']"]
        done = subprocess.run([*ruff, *known], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_head_says_what_it_is_and_what_to_change() -> None:
    """Settings, sizes and numbers as they stand in the code, and the command."""
    text = copy_of(load(), "produce-only-enqueues", "1.0", "pytest it.py")

    assert ast.get_docstring(ast.parse(text)) == (
        "An experiment: a copy of produce-only-enqueues, task 1.2, of kafkalab 1.0.\n\n"
        "Change what you like. An experiment never counts, so nothing can go wrong.\n"
        "For a start, change:\n\n"
        '    "linger.ms": 60_000 to 6_000\n'
        "    range(30) to range(60)\n\n"
        "Run it, and see what differs from the original:\n\n"
        "    pytest it.py"
    )


def test_what_is_proposed_stands_in_the_code() -> None:
    """Of no fact a line is proposed that one cannot find; most have one."""
    taught, with_some = load(), 0
    for slug in taught.stated_facts:
        head = copy_of(taught, slug, "1.0", "pytest it.py").split('"""')[1]
        proposed = head.partition("For a start, change:\n\n")[2].partition("\n\n")[0].split("\n")
        knobs = [each.removeprefix("    ") for each in proposed if each]
        code = " ".join(body_of(taught, slug).split()).replace("( ", "(").replace(" )", ")")
        with_some += bool(knobs)
        for knob in knobs:
            if not knob.endswith(":"):
                found = re.split(r" to |: \w+=", knob.strip())[0]
                open_ends = re.sub(r"\.\.\., |, \.\.\.", "\0", found)
                pattern = re.escape(open_ends).replace(re.escape("\0"), ".*?")
                assert re.search(pattern, code), (slug, knob)
        assert len([each for each in knobs if not each.startswith(" ")]) <= 4, slug
    assert with_some > len(taught.stated_facts) / 2, "many facts have something to change"


def test_what_belongs_together_is_proposed_together() -> None:
    """The same argument of several calls, and to what it is changed."""
    taught = load()

    def head(slug: str) -> str:
        return copy_of(taught, slug, "1.0", "pytest it.py").split('"""')[1]

    assert (
        "    partitions=4 to partitions=5, in both places:\n"
        "        topic(partitions=4)\n"
        "        members(..., partitions=4)\n"
    ) in head("eager-stops-the-world")
    assert (
        "    partitions, which belong together:\n"
        "        topic(partitions=3)\n"
        "        members(..., partitions=6)\n"
    ) in head("range-against-roundrobin")
    assert "    topic(partitions=6): partitions=6 to partitions=7\n" in head(
        "hot-key-hot-partition"
    )


@pytest.mark.parametrize("name", ['a"""b', "a\\", "a\\N{x}"])
def test_a_folder_s_name_does_not_end_the_head(name: str) -> None:
    """Whatever the command has in it, the copy is Python."""
    text = copy_of(load(), "produce-only-enqueues", "1.0", f"pytest {name}")

    assert f"pytest {name}" in (ast.get_docstring(ast.parse(text)) or "")
    assert not differences(body_of(load(), "produce-only-enqueues"), text)


# Its run


@WORKERS
def test_a_run_tells_what_held_and_what_differs(tried: Any, lines: Lines, workers: str) -> None:
    """Each sentence with its outcome, and the lines that were changed."""
    change(tried, "SIZE = 3", "SIZE = 4")

    result = tried.run(workers, COPY)

    result.assert_outcomes(passed=1, failed=1)
    told = lines(result)
    assert "Experiments, which do not count" in told
    assert re.search(
        r"experiment of two-things\n"
        r"  did not hold +\d\.\d\d s Two `things` are two\.\n"
        r" +expected: there are three\n"
        r" +seen:     4\n"
        r" +expected: 3\n"
        r"  held +\d\.\d\d s One is not two\.\n"
        r"  differs from the original:\n"
        r"    -SIZE = 3\n"
        r"    \+SIZE = 4\n",
        told,
    ), told


@WORKERS
def test_it_has_a_page_of_its_own(tried: Any, workers: str) -> None:
    """What held, what was observed, and a diff; a browser runs no script on it."""
    change(tried, "SIZE = 3", "SIZE = 4")

    tried.run(workers, COPY)

    text = page(tried)
    assert '<span class="removed">-SIZE = 3</span>' in text
    assert '<span class="added">+SIZE = 4</span>' in text
    assert "<td>thing</td>" in text, "evidence is shown as on the other pages"
    assert text.index("did not hold") < text.index("Two <code>things</code> are two.")
    assert "A control: one is missing" in text
    assert f"pytest {COPY}" in text
    assert "<script" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_it_needs_no_terminal(tried: Any, workers: str) -> None:
    """The page is written all the same."""
    result = tried.run(workers, "-p", "no:terminal", COPY)

    assert result.ret == 0
    assert "Nothing yet. Change something" in page(tried)


def test_what_was_only_collected_leaves_no_page(tried: Any) -> None:
    """`--collect-only` runs nothing, and writes nothing."""
    tried.run("--collect-only", COPY)

    assert not (tried.folder / "reports").exists()


@WORKERS
def test_an_experiment_counts_for_nothing(tried: Any, lines: Lines, workers: str) -> None:
    """Run with the facts, it is in no record, no verdict, no log, and no property of JUnit."""
    change(tried, "SIZE = 3", "SIZE = 4")

    result = tried.run(workers, "lessons", "my_lab", "-k", "two_things", "--junitxml=junit.xml")

    result.assert_outcomes(passed=3, failed=1)
    assert tried.verdicts() == {"two-things": "demonstrated"}, "the fact's own tests say so"
    assert all(test["nodeid"].startswith("lessons/") for test in tried.record()["tests"])
    standing = standing_of(load(tried.lessons / "module.toml"), tried.folder / "reports")
    assert standing.proved.is_full
    assert "4 == 3" not in (tried.folder / "reports" / "learning_log.html").read_text("utf-8")
    for case in ET.parse(tried.folder / "junit.xml").iter("testcase"):  # noqa: S314 - our own file
        is_fact = "lessons" in str(case.get("classname"))
        assert (case.find("properties") is not None) == is_fact
    assert "did not hold" in lines(result)


@WORKERS
def test_alone_it_leaves_no_record(tried: Any, call: Call, workers: str) -> None:
    """Nothing was run, as far as the learning log knows."""
    tried.run(workers, COPY)

    assert page(tried), "it ran"
    assert not (tried.folder / "reports" / "runs").exists()
    assert not (tried.folder / "reports" / "learning_log.html").exists()
    assert "not started" in call("status").out


@WORKERS
def test_a_crash_interrupts_it(tried: Any, lines: Lines, workers: str) -> None:
    """A worker that died takes its test along, and the page says so."""
    if workers == "-n0":
        pytest.skip("there pytest itself dies")
    change(tried, "assert SIZE == 3", "import os; os._exit(1)\n    assert SIZE == 3")

    result = tried.run(workers, COPY)

    assert "  interrupted" in lines(result)
    assert "interrupted" in page(tried)


MARKS = {
    "a capability that is missing": (', needs=["jars"]', "needs jars, which the played backend"),
    "a capability that is none": (', needs=["wings"]', "no broker has wings: there are"),
    "another version": (', versions=">=9"', "stated for Kafka >=9, and this is 0.0.0"),
}


@pytest.mark.parametrize(("words", "reason"), MARKS.values(), ids=MARKS)
def test_what_cannot_be_run_is_skipped_with_the_reason(
    tried: Any, lines: Lines, words: str, reason: str
) -> None:
    """As a fact is that needs what the broker cannot do, or is stated for another Kafka."""
    change(tried, '("two-things")', f'("two-things"{words})')

    result = tried.run("-rs", COPY)

    result.assert_outcomes(passed=1, skipped=1)
    assert reason in " ".join(lines(result).split())
    assert "skipped" in page(tried)


def test_needs_and_slowness_come_along_in_one_marker(lessons: Any) -> None:
    """A host may have markers of these names: a copy has none of them."""
    marks = '@pytest.mark.slow\n    @pytest.mark.needs("restart", "jars")\n    @pytest.mark.fact('
    lessons.teach(LESSON.replace("@pytest.mark.fact(", marks), {"two-things": ""})

    text = copy_of(load(lessons.lessons / "module.toml"), "two-things", "1.0", "pytest it.py")

    assert '@pytest.mark.experiment("two-things", needs=["restart", "jars"])\ndef ' in text
    assert "mark.slow" not in text
    assert "It takes a minute." in text


def test_a_host_s_fixtures_and_strictness_do_not_change_it(tried: Any) -> None:
    """It runs as its fact does: what a project does for its own tests is not done for it."""
    settings = 'addopts = "--strict-markers --strict-config -W error"\nusefixtures = "never"\n'
    tried.configure(settings)
    tried.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture
        def evidence(): raise OSError("the host's own")

        @pytest.fixture
        def never(): raise OSError("not here")
        """,
    )

    tried.run(COPY).assert_outcomes(passed=2)


def test_a_fixture_of_one_s_own_is_used(tried: Any) -> None:
    """What stands in the experiment, or in a conftest beside it, is part of it."""
    change(tried, "def test_two_things_are(evidence)", "def test_two_things_are(evidence, mine)")
    tried.write("my_lab/experiments/conftest.py", "import pytest\n@pytest.fixture\ndef mine(): ...")

    tried.run(COPY).assert_outcomes(passed=2)


def test_a_host_s_own_marker_of_that_name_stays_its_own(lessons: Any, lines: Lines) -> None:
    """What it says of the host's tests is no slug, and nothing is written."""
    lessons.write(
        "test_own.py",
        """
        import pytest

        @pytest.mark.experiment
        def test_plain(): ...

        @pytest.mark.experiment(3)
        def test_number(): ...

        @pytest.mark.experiment("blue button")
        def test_text(): ...
        """,
    )

    result = lessons.run("test_own.py", "--strict-markers")

    result.assert_outcomes(passed=3)
    assert "Experiments" not in lines(result)
    assert not (lessons.folder / "reports").exists()


def test_a_page_of_somebody_else_is_not_written_over(tried: Any, lines: Lines) -> None:
    """It says so in one line, and the run goes on."""
    tried.write("reports/README", "")
    (tried.folder / "reports" / "experiments").mkdir()
    tried.write("reports/experiments/two_things.html", "somebody else's")

    result = tried.run(COPY)

    assert result.ret == 0
    assert page(tried) == "somebody else's"
    assert "kafkalab: the page of an experiment was not written: " in lines(result)


def test_nothing_in_an_experiment_can_be_markup(tried: Any) -> None:
    """What a learner writes stays text on the page, also in the diff."""
    change(tried, "SIZE = 3", "SIZE = 3  # <script>alert(1)</script> \u202e")
    change(tried, "Two `things`", "<script>alert(2)</script>")
    change(tried, '"Seen"', '"<script>alert(3)</script>"')

    tried.run(COPY)

    text = page(tried)
    assert "<script" not in text
    assert "\u202e" not in text
    assert all(f"alert({number})" in text for number in (1, 2, 3)), "each is there as text"


def test_files_of_one_name_have_a_page_each(tried: Any, call: Call) -> None:
    """The second of them has a number."""
    call("try", "two-things", "--folder", "elsewhere")
    path = tried.folder / "elsewhere" / "test_two_things.py"
    path.write_text(path.read_text("utf-8").replace("SIZE = 3", "SIZE = 4"), "utf-8")

    tried.run("--import-mode=importlib", COPY, "elsewhere").assert_outcomes(passed=3, failed=1)

    assert "SIZE = 4" not in page(tried)
    assert "+SIZE = 4" in page(tried, "two_things-2")


@pytest.mark.parametrize(
    ("encoding", "head"),
    [("utf-8-sig", ""), ("latin-1", "# coding: latin-1\n")],
    ids=["byte order mark", "its own encoding"],
)
def test_a_file_is_compared_as_python_reads_it(tried: Any, encoding: str, head: str) -> None:
    """How an editor saved it is no difference."""
    change(tried, "SIZE = 3", "SIZE = 3  # drei Stücke")
    path = tried.folder / COPY
    path.write_bytes((head + path.read_text("utf-8")).replace("\n", "\r\n").encode(encoding))

    tried.run(COPY).assert_outcomes(passed=2)

    assert '<span class="added">+SIZE = 3  # drei Stücke</span>' in page(tried)
    assert page(tried).count('class="removed"') == 1, "one line was changed"
    assert page(tried).count('class="added"') == 1, "and the head is not compared"


def test_a_case_is_told(tried: Any, lines: Lines) -> None:
    """The cases of a parametrised test have one sentence: the terminal says which is which."""
    case = '@pytest.mark.parametrize("_", ["red", "blue"])\ndef test_two_things_are(evidence, _):'
    change(tried, "def test_two_things_are(evidence):", case)

    told = lines(tried.run(COPY))

    assert "Two `things` are two. [red]" in told
    assert "Two `things` are two. [blue]" in told


def test_the_copy_of_an_edited_fact_says_so(lessons: Any, call: Call) -> None:
    """It is of what is there, which is not what was shipped."""
    (lessons.lessons / "shipped.json").write_text('{"modules": {}, "facts": {}}', "utf-8")

    assert "was edited, so the copy is, too" in call("try", "two-things").out


# Tests of one's own


@WORKERS
def test_evidence_of_one_s_own_test_is_on_pytest_html_s_page(lessons: Any, workers: str) -> None:
    """Whoever asks for evidence and a page finds it there; JUnit XML stays small."""
    lessons.write(
        "test_own.py",
        """
        def test_mine(evidence):
            evidence.table("Mine", [{"what": "own thing"}])
        """,
    )

    own = ("test_own.py", "--html=own.html", "--self-contained-html", "--junitxml=junit.xml")
    lessons.run(workers, *own).assert_outcomes(passed=1)
    beside = lessons.run(workers, "test_own.py", "lessons")

    assert "own thing" in (lessons.folder / "own.html").read_text("utf-8")
    assert "own thing" not in (lessons.folder / "junit.xml").read_text("utf-8")
    beside.assert_outcomes(passed=3)
    assert "own thing" in (lessons.folder / "reports" / "run.html").read_text("utf-8")


def called(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Call a command of this environment in a folder, with this machine's Kafka."""
    program, *arguments = shlex.split(command)
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=folder,
        env={**os.environ, "KAFKALAB_BACKEND": "embedded"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_docs_example_runs_on_a_real_broker(tmp_path: Path, repository: Path) -> None:
    """Each Python block of the page is a file, and each command works as it stands there."""
    text = (repository / "docs" / "own_test.md").read_text("utf-8")
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", text, re.DOTALL)
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert blocks, "there is an example"
    for name, code in blocks:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, "utf-8")

    for command in commands:
        done = called(command, tmp_path)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    assert "keyed by account" in (tmp_path / "reports" / "payments.html").read_text("utf-8")
    experiments = tmp_path / "reports" / "experiments"
    assert "did not hold" not in (experiments / "same_key_same_partition.html").read_text("utf-8")
    assert not (tmp_path / "reports" / "runs").exists(), "nothing of it counts"
