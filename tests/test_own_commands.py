"""Commands for one's own code: started from the contract, checked, hinted at, compared."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kafkalab import typed
from kafkalab.cli import main
from kafkalab.curriculum import load
from kafkalab.curriculum.stub import asked_names, contract_file, stub_of
from kafkalab.facts import FACT_LIMIT
from kafkalab.judging import Place, place_of
from kafkalab.learning_log import acts
from kafkalab.own_code import Folder
from kafkalab.solutions import Solutions, asked_for
from kafkalab.unwritten import NOT_YET

FACTS = """
    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is():
        '''A thing is a thing.'''

    @pytest.mark.fact("tells", scope="the component topics")
    def test_it_tells(solutions, evidence):
        '''It tells what is there.'''
        seen = solutions.topics.describe({}, ["a"])
        evidence.table("Told", [{"name": each} for each in seen])
        assert seen == ["a"], "what was asked for is told"

    @pytest.mark.fact("makes", scope="the component topics")
    @pytest.mark.parametrize("count", [1, 2])
    def test_it_makes(solutions, count):
        '''It makes what is missing.'''
        assert len(solutions.topics.provision({}, ["a"] * count)) == count, "one for each"
"""

SLUGS = dict.fromkeys(("thing", "tells", "makes"), "there is none")

HINTS = """
tells = ["Look at describe.", "Tell each name.", "return names"]
makes = ["Look at provision.", "return definitions"]
"""

SOLVED = """
def provision(config, definitions, *, grow=False):
    return definitions


def describe(config, names):
    return names
"""


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def text(self) -> str:
        """All words, wherever lines are broken."""
        return " ".join(self.out.split())


Call = Callable[..., Said]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Any) -> Call:
    """Call `kafkalab` in a project with two facts about `topics.py`; their broker is played."""
    teach(project, FACTS)
    project.play_warmth(monkeypatch)
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "module.toml")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)

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


def teach(project: Any, tests: str) -> None:
    """Write the task; the hints of its component facts stand in a file of their own."""
    project.teach(tests, SLUGS)
    manifest = project.folder / "module.toml"
    text = manifest.read_text("utf-8")
    manifest.write_text(re.sub("(tells|makes) = {hint = 'Look.', ", r"\1 = {", text), "utf-8")
    (project.folder / "hints").mkdir(exist_ok=True)
    (project.folder / "hints" / "task_9_1.toml").write_text(HINTS, "utf-8")


def mine(project: Any, text: str, folder: str = "my_lab") -> Path:
    """The learner writes their component."""
    path: Path = project.folder / folder / "topics.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def done(project: Any, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """The acts of a kind: subject, and what was said."""
    found, _ = acts.read(project.folder / "reports" / acts.FILE)
    return [(act.about, act.said) for act in found if act.kind == kind]


# The start


COMPONENTS = [task.component for task in load().tasks]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_start_has_all_that_its_contract_asks_for(component: str, tmp_path: Path) -> None:
    """Each name is there with its signature and docstring, held against the contract."""
    (tmp_path / f"{component}.py").write_text(stub_of(component), "utf-8")
    contract = getattr(
        importlib.import_module(f"kafkalab.contracts.{component}"),
        "".join(word.capitalize() for word in component.split("_")),
    )

    started = getattr(Solutions(tmp_path), component)

    for name in asked_for(contract):
        assert getattr(started, name) is not None, "held against its signature"
    module = Folder(tmp_path).load(component)
    assert set(asked_names(component)) <= set(vars(module))
    for name in asked_names(component):
        assert getattr(module, name).__doc__, f"{name} says what it has to do"


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_start_is_its_contracts_own_text(component: str) -> None:
    """Each docstring of the Protocols stands in it; what is given is imported; nothing is done."""
    text = stub_of(component)
    tree, contract = ast.parse(text), ast.parse(contract_file(component).read_text("utf-8"))
    told = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    protocols = [
        node
        for node in contract.body
        if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
    ]
    asked = [
        ast.get_docstring(node)
        for each in protocols
        for node in each.body
        if isinstance(node, ast.FunctionDef)
    ]

    assert sorted(filter(None, told)) == sorted(filter(None, asked))
    bodies = [node.body[1:] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert {ast.unparse(line) for body in bodies for line in body} == {
        f"raise NotImplementedError('{NOT_YET}')"
    }
    given = [node.name for node in contract.body if isinstance(node, ast.ClassDef)]
    imported = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == f"kafkalab.contracts.{component}"
        for alias in node.names
    }
    assert set(given) - {each.name for each in protocols} <= imported
    assert not [name for name in imported if name.startswith("_")], "what is private is not given"
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_start_names_each_field_of_what_is_given(component: str) -> None:
    """With its type, and what the contract says of it: nobody has to look in another file."""
    comments = [line[2:] for line in stub_of(component).splitlines() if line.startswith("#")]
    contract = ast.parse(contract_file(component).read_text("utf-8"))
    classes = [
        node
        for node in contract.body
        if isinstance(node, ast.ClassDef) and "Protocol" not in map(ast.unparse, node.bases)
    ]

    for each in classes:
        assert any(re.match(rf"{each.name}\b", line) for line in comments), each.name
        for field in (node for node in each.body if isinstance(node, ast.AnnAssign)):
            header = f"    {ast.unparse(field)}"
            assert any(line.startswith(header) for line in comments), f"{each.name}: {header}"


def test_a_start_says_what_the_contract_says_of_a_field() -> None:
    said = stub_of("routing")

    assert "#     key: bytes | None: as it was sent: encoded\n" in said
    assert "#     error: KafkaError | None = None\n" in said
    assert "#     PublishFailed(reports: Sequence[Report])\n" in said


def test_start_writes_the_file_and_says_what_comes_next(call: Call, project: Any) -> None:
    """Where it is, what its contract is, what it asks for, and the command that judges it."""
    said = call("start", "9.1")

    assert said.code == 0, said
    assert (project.folder / "my_lab" / "topics.py").read_text("utf-8") == stub_of("topics")
    assert "Your file: my_lab/topics.py\n" in said.out
    assert f"Its contract: {contract_file('topics')}\n" in said.out
    assert "It asks for provision and describe." in said.text
    assert "2 facts will judge them." in said.text
    assert "  kafkalab check 9.1\n" in said.out


@pytest.mark.parametrize("there", ["topics.py", "topics/__init__.py", "topics/other.py"])
def test_start_leaves_what_is_there_alone(call: Call, project: Any, there: str) -> None:
    """A file, or a package, with __init__ or without; `--reset` keeps it beside the new one."""
    path = project.folder / "my_lab" / there
    path.parent.mkdir(parents=True)
    path.write_text("mine = 1\n", "utf-8")

    kept = call("start", "9.1")

    assert kept.code == 0
    assert path.read_text("utf-8") == "mine = 1\n"
    assert "It is there already, and stays as it is: my_lab/topics" in kept.out
    assert "  kafkalab start 9.1 --reset\n" in kept.out

    anew = call("start", "9.1", "--reset")
    again = call("start", "9.1", "--reset")

    top = there.partition("/")[0]
    assert f"Yours is kept: my_lab/{top}.bak1\n" in anew.out
    assert (project.folder / "my_lab" / there.replace(top, f"{top}.bak1", 1)).read_text(
        "utf-8"
    ) == "mine = 1\n"
    assert (project.folder / "my_lab" / "topics.py").read_text("utf-8") == stub_of("topics")
    assert "Yours is kept: my_lab/topics.py.bak" in again.out


def test_start_in_another_folder_names_it_in_what_comes_next(call: Call, project: Any) -> None:
    """Commands can be pasted."""
    said = call("start", "9.1", "--folder", "my work")

    assert (project.folder / "my work" / "topics.py").exists()
    assert "  kafkalab check 9.1 --folder 'my work'\n" in said.out


def test_start_where_nothing_can_be_written_is_one_line(call: Call, project: Any) -> None:
    """What happened, and what to do."""
    (project.folder / "my_lab").write_text("a file", "utf-8")

    said = call("start", "9.1")

    assert said.code == 2
    assert "topics.py cannot be written: " in said.err
    assert "name another folder with --folder" in said.err
    assert said.err.count("\n") == 1


# The check


def test_a_start_is_told_as_not_written_yet(call: Call) -> None:
    """The first fact alone, in one line with its place, and the learner's line below it."""
    call("start", "9.1")

    said = call("check", "9.1")

    assert said.code == 1
    lines = said.out.splitlines()
    number = next(
        at
        for at, line in enumerate(stub_of("topics").splitlines(), 1)
        if line.startswith("def describe(")
    )
    told = next(line for line in lines if NOT_YET in line)
    found = re.fullmatch(r"  topics\.py:(\d+): describe\(\) is not written yet", told)
    assert found, told
    assert int(found[1]) > number
    assert f"my_lab/topics.py:{found[1]}" in lines
    assert any(re.match(rf"> +{found[1]}      raise NotImpl", line) for line in lines)
    assert "It tells what is there." in lines
    assert "It makes what is missing." not in lines
    assert "0 of 2 hold." in lines
    assert "  kafkalab hint 9.1" in lines
    assert "  kafkalab check 9.1 --all" in lines
    assert "Traceback" not in said.out + said.err
    assert "test_task_9_1" not in said.out, "no frame of ours"


def test_check_shows_what_was_expected_and_seen(call: Call, project: Any) -> None:
    """Where no line of the learner's raised, what the fact calls of theirs is named."""
    mine(project, SOLVED.replace("return names", "return [*names, 'b']"))

    said = call("check", "9.1")

    assert said.code == 1
    assert "expected: what was asked for is told" in said.text
    assert "seen: ['a', 'b'] expected: ['a'] differs: 'b' is too much" in said.text
    assert "What was seen: Told: name a b" in said.text
    assert (
        "What it calls in your code: my_lab/topics.py:6 > 6 def describe(config, names):"
        in said.text
    )
    assert "1 of 2 hold." in said.out
    assert "fails, too" not in said.out


def test_check_names_what_explains_an_error_of_kafka(call: Call, project: Any) -> None:
    """Its code is in the reason, and `kafkalab why` explains it; other reasons name no command."""
    unknown = "KafkaError(KafkaError.UNKNOWN_MEMBER_ID)"
    text = SOLVED.replace("return names", f"raise KafkaException({unknown})")
    mine(project, f"from confluent_kafka import KafkaError, KafkaException\n{text}")

    said = call("check", "9.1")
    mine(project, SOLVED.replace("return names", "return []"))

    assert "What this error means:\n  kafkalab why UNKNOWN_MEMBER_ID\n" in said.out
    assert said.out.count("kafkalab why") == 1
    assert "kafkalab why" not in call("check", "9.1").out


def test_check_shows_what_the_code_printed(call: Call, project: Any) -> None:
    """Of the fact that is shown; nothing of it moves a terminal, or is kept in a record."""
    text = SOLVED.replace("return names", "print('I say \\x1b[2J', names)\n    return []")
    mine(project, text)

    said = call("check", "9.1")

    assert "What your code printed:\n  I say \\x1b[2J ['a']\n" in said.out
    assert "I say" not in json.dumps(project.record())


def test_check_tells_what_hangs(call: Call, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a line says which fact it is, while it runs."""
    monkeypatch.setattr("kafkalab.cli.following.LONG", 1)
    mine(project, "import time\n" + SOLVED.replace("return names", "time.sleep(4)\n    return []"))

    said = call("check", "9.1")

    told = "tells has been running for 1 s. It is ended after 60 s."
    assert said.text.index(told) < said.text.index("refuted: tells")
    assert said.out.count("has been running") == 1


def test_check_all_shows_each_that_fails(call: Call, project: Any) -> None:
    """In the curriculum's order, and the count at the end."""
    mine(project, "x = 1\n")

    said = call("check", "9.1", "--all")

    assert said.text.index("It tells what is there.") < said.text.index("It makes what is missing.")
    assert said.text.count("which this task asks for") == 2
    assert "0 of 2 hold." in said.out


def test_check_of_what_holds(call: Call, project: Any) -> None:
    """Exit code 0; the act is noted, so the log moves; no fact about Kafka ran."""
    mine(project, SOLVED)

    said = call("check", "9.1")

    assert said.code == 0, said
    assert "2 of 2 hold." in said.out
    assert "  kafkalab solution 9.1\n" in said.out
    ((about, judged),) = done(project, acts.JUDGED)
    assert about == "9.1"
    assert judged["folder"] == "../my_lab"
    assert judged["facts"] == {"tells": "demonstrated", "makes": "demonstrated"}
    assert set(project.verdicts()) == {"tells", "makes"}
    assert project.record()["command"] == ["kafkalab", "check", "9.1"]
    assert "built 2 of 2" in call("status").text


def test_check_without_a_file_says_how_to_begin(call: Call) -> None:
    """It cannot be told: exit code 2, before any broker is started."""
    said = call("check", "9.1")

    assert said.code == 2
    assert "there is no my_lab/topics.py: kafkalab start 9.1 makes one" in said.err


def test_check_of_a_dead_broker_cannot_be_told(call: Call, project: Any) -> None:
    """It says nothing of the learner's code: exit code 2."""
    mine(project, SOLVED)
    (project.folder / "dead").touch()
    tests = FACTS.replace("(solutions, evidence)", "(broker, solutions, evidence)")
    teach(project, tests.replace('seen == ["a"], ', "not seen, "))

    said = call("check", "9.1")

    assert said.code == 2, said
    assert "invalid: tells" in said.text
    assert "The broker died" in said.text


def test_check_without_a_kafka_cannot_be_told(call: Call, project: Any) -> None:
    """Its error is one line; exit code 2, and no act."""
    mine(project, SOLVED)
    (project.folder / "fails").touch()

    said = call("check", "9.1")

    assert said.code == 2
    assert said.err.startswith("kafkalab: It did not start.")
    assert done(project, acts.JUDGED) == []


def test_check_of_code_that_ends_its_process(call: Call, project: Any) -> None:
    """Each fact runs in a process of its own: that it ended is told of the learner's line."""
    mine(project, "import os\n\nos._exit(0)\n")

    checked = call("check", "9.1")

    assert checked.code == 1
    assert "topics.py" in checked.out
    judged = [set(said["facts"].values()) for _, said in done(project, acts.JUDGED)]
    assert judged == [{"refuted"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def describe(:\n", "topics.py:1: SyntaxError: invalid syntax: def describe(:"),
        ("import nothing_there\n", "topics.py:1: ModuleNotFoundError: No module named"),
        ("def describe(config): ...\n", "topics.py:1: this task asks for describe(config, names)"),
        (
            "def describe(config, names):\n    return other()\n",
            "topics.py:2: NameError: name 'other' is not defined",
        ),
        (
            "class Later:\n    def ask(self): raise NotImplementedError('next week')\n"
            "def describe(config, names):\n    return Later().ask()\n",
            "topics.py:2: Later.ask() is not written yet: next week",
        ),
        (
            "import numbers\ndef describe(config, names):\n"
            "    class Odd(numbers.Number): __hash__ = None\n    return abs(Odd())\n",
            "topics.py:4: TypeError: ",
        ),
    ],
    ids=["syntax", "import", "signature", "name", "unwritten", "odd"],
)
def test_what_is_wrong_stands_in_one_line_with_its_place(
    call: Call, project: Any, text: str, told: str
) -> None:
    """Whatever the file does: no traceback."""
    mine(project, text)

    said = call("check", "9.1")

    assert said.code == 1
    assert told in said.text
    assert re.search(r"^> +\d+  ", said.out, re.MULTILINE), "and the line itself below"
    assert "Traceback" not in said.out + said.err


def test_a_place_is_of_the_learners_folder_only(tmp_path: Path) -> None:
    """What a reason begins with is a place where there is such a file."""
    (tmp_path / "topics.py").touch()

    assert place_of("topics.py:7: NameError: x", tmp_path) == Place(tmp_path / "topics.py", 7)
    assert place_of("other.py:7: NameError: x", tmp_path) is None
    assert place_of("one for each\nassert 1 == 2", tmp_path) is None


# Mistakes made in it


TRIED = """
import threading


class Made:
    kept = None

    def commit(self, *, kept):
        self.kept = kept


def provision(config, definitions, *, grow=False):
    made = Made()
    made.commit(kept=definitions)
    return made.kept


def describe(config, names):
    threading.Event().wait(0.01)
    return sorted(names)
"""


def left_in(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder for what is temporary, in which nobody else writes; limits are short."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr("kafkalab.mutant_judge.LEAST_LIMIT", 3.0)
    monkeypatch.setattr("kafkalab.mutant_judge.TIMES_SLOWEST", 1)
    return folder


def test_mutants_are_told_one_by_one(
    call: Call, project: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, mistake, and the fact that catches it; one that hangs apart; the rest is a gap."""
    path = mine(project, TRIED)
    monkeypatch.setenv("KAFKALAB_CONCEPT_SUMMARY", "summary.md")
    monkeypatch.setenv("KAFKALAB_REPORTS", "elsewhere")

    began = time.monotonic()
    said = call("mutants", "9.1")

    assert said.code == 0, said
    assert time.monotonic() - began < FACT_LIMIT, "the limit is a mutant's, not that of a fact"
    assert (
        "[1/4] my_lab/topics.py:14 - made.commit(kept=definitions) + pass drop-commit: commit() is "
        "left out: the next consumer starts again at the old offset caught by makes It makes "
        "what is"
    ) in said.text
    assert (
        "+ threading.Event().wait() drop-limit: the time limit of wait() is left out caught by a "
        "limit in tells" in said.text.partition("[3/4] my_lab/topics.py:19 ")[2]
    )
    assert "no fact catches it: equivalent, or a gap" in said.text.partition("[4/4] ")[2]
    summary = said.text.partition("What your lines are for: ")[2]
    assert summary.startswith("my_lab/topics.py:14 made.commit(kept=definitions) makes my_lab/")
    assert "my_lab/topics.py:20 return sorted(names) no fact: unsorted: equivalent" in summary
    assert summary.endswith(
        "2 of 4 mistakes caught; 1 of them by a limit; 2 by no fact: each is equivalent, or a gap."
    )
    assert path.read_text("utf-8") == TRIED
    assert left_in(path.parent) == ["topics.py"], "nothing is written there"
    for name in ("reports", "elsewhere", "summary.md"):
        assert not (project.folder / name).exists(), "none of it counts"
    assert left_in(temporary) == []
    assert project.launches == 1


def test_mutants_left_early_wait_for_none_that_hangs(
    call: Call, project: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs still is ended at once; what was found is told."""
    mine(project, TRIED.replace("return sorted(names)", "return names"))
    monkeypatch.setattr("kafkalab.mutant_judge.LEAST_LIMIT", 10 * FACT_LIMIT)

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kafkalab.cli.mutants._show_told", leave)

    began = time.monotonic()
    said = call("mutants", "9.1", "--only", "drop-commit", "--only", "drop-limit")

    assert said.code == typed.ENDED_BY_CTRL_C
    assert said.text.endswith("1 of 1 mistake caught; 1 not tried.")
    assert time.monotonic() - began < FACT_LIMIT
    assert left_in(temporary) == []


def test_mutants_are_made_in_helpers_too(call: Call, project: Any, temporary: Path) -> None:
    """In what the component imports from its folder, and not in another component."""
    mine(project, TRIED.replace("return sorted(names)", "return ordered(names)"))
    for name in ("common", "other"):
        helper = project.folder / "my_lab" / f"{name}.py"
        helper.write_text("def ordered(names):\n    return sorted(names)\n", "utf-8")
    (project.folder / "my_lab" / "topics.py").write_text(
        "from common import ordered\n" + TRIED.replace("sorted(names)", "ordered(names)"), "utf-8"
    )

    said = call("mutants", "9.1", "--only", "unsorted", "--only", "drop-commit")

    assert said.code == 0, said
    assert "[1/2] my_lab/topics.py:15\n" in said.out
    assert "[2/2] my_lab/common.py:2\n" in said.out
    assert left_in(temporary) == []


def test_mutants_can_be_listed(call: Call, project: Any) -> None:
    """Without a Kafka; all, or those of a line."""
    mine(project, TRIED)

    listed, one = call("mutants", "9.1", "--list"), call("mutants", "9.1", "--list", "--line", "20")

    assert (listed.code, one.code, project.launches) == (0, 0, 0)
    assert re.findall(r"^my_lab/topics\.py:(\d+)$", listed.out, re.MULTILINE) == [
        "14",
        "19",
        "19",
        "20",
    ]
    assert re.findall(r"^  ([\w-]+): ", listed.out, re.MULTILINE) == [
        "drop-commit",
        "drop-wait",
        "drop-limit",
        "unsorted",
    ]
    assert "4 mistakes can be made. Let the facts judge them: kafkalab mutants 9.1" in listed.text
    assert "my_lab/topics.py:20\n  - return sorted(names)\n" in one.out
    assert "1 mistake can be made." in one.out


def test_mutants_of_what_does_not_hold(call: Call, project: Any, temporary: Path) -> None:
    """First comes the check: exit code 1, what was seen is told, and no mistake is made."""
    mine(project, TRIED.replace("return made.kept", "return []"))

    said = call("mutants", "9.1")

    assert said.code == 1
    assert "kafkalab: makes does not hold, and mistakes are made in code that works." in said.err
    assert "It makes what is missing.\n  refuted: makes\n" in said.out
    assert "  kafkalab check 9.1\n" in said.out
    assert "[1/" not in said.out
    assert left_in(temporary) == []


def test_mutants_of_what_cannot_be_judged(call: Call, project: Any) -> None:
    """A fact that broke down says nothing about the code, and is not told as if it did."""
    teach(
        project,
        FACTS.replace("        seen = solutions", "        open('/no/where'); seen = solutions"),
    )
    mine(project, TRIED)

    said = call("mutants", "9.1")

    assert said.code == 1
    assert "kafkalab: tells could not be judged, and mistakes are made" in said.err
    assert "It tells what is there.\n  invalid: tells\n" in said.out
    assert "[1/" not in said.out


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        (None, ["9.1"], "there is no my_lab/topics.py: kafkalab start 9.1 makes one"),
        ("def f(:\n", ["9.1"], "my_lab/topics.py:1: SyntaxError: invalid syntax"),
        ("x = '\0'\n", ["9.1"], "my_lab/topics.py"),
        (TRIED, ["9.7"], "there is no task 9.7: there are 9.1"),
        (TRIED, ["9.1", "--only", "drop-flash"], "no mistake drop-flash: did you mean drop-flush"),
        (TRIED, ["9.1", "--only", "x"], "there is no mistake x: there are drop-flush, "),
        (TRIED, ["9.1", "--line", "1"], "no mistake of these can be made with --line 1 in"),
        ("def describe(): ...", ["9.1"], "no mistake can be made in my_lab/topics.py"),
    ],
    ids=["no file", "syntax", "null", "task", "mistake", "odd", "line", "none"],
)
def test_mutants_of_nothing_are_one_line(
    call: Call, project: Any, text: str | None, arguments: list[str], told: str
) -> None:
    """What is wrong, and exit code 2, before any broker is started."""
    if text is not None:
        mine(project, text)

    said = call("mutants", *arguments)

    assert (said.code, said.out, project.launches) == (2, "", 0)
    assert told in said.err
    assert said.err.count("\n") == 1


def test_mutants_of_a_start_come_later(call: Call) -> None:
    """Of what is not written yet nothing can be told."""
    call("start", "9.1")

    said = call("mutants", "9.1")

    assert said.code == 2
    assert "my_lab/topics.py is not written yet: kafkalab check 9.1 says what is left" in said.err


def test_mutants_without_a_kafka_cannot_be_told(call: Call, project: Any, temporary: Path) -> None:
    """One line, and exit code 2."""
    mine(project, TRIED)
    (project.folder / "fails").touch()

    said = call("mutants", "9.1")

    assert said.code == 2
    assert said.err.startswith("kafkalab: It did not start.")
    assert left_in(temporary) == []


# Hints


def test_hints_come_one_at_a_time(call: Call, project: Any) -> None:
    """Of the first fact that fails, from a nudge on; each is an act; at the end all once more."""
    mine(project, SOLVED.replace("return definitions", "return []"))
    call("check", "9.1")

    said = [call("hint") for _ in range(3)]

    assert [each.code for each in said] == [0, 0, 0]
    assert "It makes what is missing." in said[0].out
    assert "Hint 1 of 2:\n  Look at provision.\n" in said[0].out
    assert "return definitions" not in said[0].out
    assert "Hint 2 of 2:\n  return definitions\n" in said[1].out
    assert "  - Look at provision.\n  - return definitions\n" in said[2].out
    assert "  kafkalab solution 9.1\n" in said[2].out
    assert done(project, acts.HINTED) == [("makes", {"number": 1}), ("makes", {"number": 2})]


def test_a_hint_of_a_fact_that_is_named(call: Call) -> None:
    """Before anything was judged, too; what comes next names it again."""
    said = call("hint", "--fact", "makes")

    assert "Hint 1 of 2:\n  Look at provision.\n" in said.out
    assert "  kafkalab hint 9.1 --fact makes\n" in said.out


def test_a_hint_before_anything_was_judged(call: Call) -> None:
    """Of a task it is that of the first fact, and it says so; without a task nobody knows."""
    assert "Not judged yet: this hint is for its first fact." in call("hint", "9.1").out
    nothing = call("hint")
    assert (nothing.code, nothing.out) == (2, "")
    assert "name a task" in nothing.err


def test_no_hint_where_all_holds(call: Call, project: Any) -> None:
    """There is nothing to be said."""
    mine(project, SOLVED)
    call("check", "9.1")

    said = call("hint", "9.1")

    assert said.code == 0
    assert "All 2 facts held at the last check." in said.text
    assert done(project, acts.HINTED) == []


def test_a_fact_about_kafka_has_no_hints_here(call: Call) -> None:
    """One clear line."""
    said = call("hint", "--fact", "thing")

    assert said.code == 2
    assert "thing is about Kafka, and not about your code" in said.err


# The reference


def test_the_reference_is_shown_once_it_is_solved(call: Call, project: Any) -> None:
    """And the difference to the learner's own, without docstrings."""
    mine(project, SOLVED)
    call("check", "9.1")

    whole, difference = call("solution", "9.1"), call("solution", "9.1", "--diff")

    assert (whole.code, difference.code) == (0, 0)
    reference = (Path(main.__code__.co_filename).parents[1] / "tasks" / "topics.py").read_text()
    assert whole.out.startswith(reference.rstrip())
    assert "--- my_lab/topics.py\n" in difference.out
    assert "-    return definitions\n" in difference.out
    assert "+def describe_by(" in difference.out
    assert '"""' not in difference.out
    assert [said for _, said in done(project, acts.ASKED_FOR_SOLUTION)] == [
        {"solved": True, "shown": True}
    ] * 2


def test_the_reference_is_shown_to_who_asks_twice(call: Call, project: Any) -> None:
    """The first time it says how far one is, and what says less."""
    mine(project, SOLVED.replace("return definitions", "return []"))
    call("check", "9.1")

    first, second = call("solution", "9.1"), call("solution", "9.1")

    assert first.code == 1
    assert "9.1 is not solved yet: 1 of 2 facts are known to hold" in first.text
    assert "def provision" not in first.out
    assert "  kafkalab hint 9.1\n" in first.out
    assert second.code == 0
    assert "def provision" in second.out


def test_an_edit_makes_it_unsolved(call: Call, project: Any) -> None:
    """What held was another file."""
    mine(project, SOLVED)
    call("check", "9.1")
    mine(project, SOLVED + "x = 1\n")

    assert "0 of 2 facts are known to hold" in call("solution", "9.1").text


# In pytest


def test_a_marker_selects_component_facts(project: Any) -> None:
    """`-m component` runs what `kafkalab check` does."""
    teach(project, FACTS)
    mine(project, SOLVED)

    result = project.run("-m", "component", "--kafkalab-solutions=my_lab")

    result.assert_outcomes(passed=3, deselected=1)
    assert set(project.verdicts()) == {"tells", "makes"}


def test_a_hosts_own_marker_of_that_name_stays_its_own(host: Any) -> None:
    """Where no facts are asked for the marker is not even known."""
    host.write("tests/test_own.py", "def test_it(): pass\n")

    told = host.run("--markers", "tests")

    assert "component" not in told.stdout.str()
