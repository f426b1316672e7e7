"""The commands of a learner in a real terminal, as they were installed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from screens import CONTROL, CTRL_C, screen

import kafkalab.tasks
from kafkalab.curriculum import load
from kafkalab.judging import component_facts
from kafkalab.learning_log import acts
from kafkalab.waiting import wait_until

JUDGES = len(component_facts(load(), load().task("1.2")))
"""how many facts judge routing.py"""

COMMAND = str(Path(sys.executable).with_name("kafkalab"))

COLOUR = re.compile(r"\x1b\[[0-9;]*m")

WIDTHS = pytest.mark.parametrize("columns", [40, 80])


class Shown(NamedTuple):
    """What a terminal showed of a command."""

    lines: list[str]
    """as they stood there"""
    received: str
    """with all colours"""
    code: int

    @property
    def text(self) -> str:
        """All words, wherever lines were broken."""
        return " ".join("\n".join(self.lines).split())


def shown(folder: Path, *arguments: str, columns: int = 80, **environment: str) -> Shown:
    """A command that has run to its end in a terminal."""
    command = [COMMAND, *arguments]
    with screen(command, folder, columns=columns, rows=400, environment=environment) as at:
        code = at.end()
        return Shown([line for line in at.whole if line], at.received, code)


def begin(folder: Path) -> None:
    """Predict one fact of 1.1, not so."""
    path = folder / "reports" / acts.FILE
    acts.append(path, acts.PREDICTED, "partitions-only-grow", choice="No", right=False)


def settled(received: str) -> str:
    """What stays of what was sent: a line that another took the place of is gone."""
    return re.sub(r"[^\n]*\r\x1b\[2K", "", received)


def is_to_copy(line: str) -> bool:
    """Whether a line may be wider than the terminal: a command or a path, that is never broken."""
    return bool(re.match(r"\s+(pytest |kafkalab |[a-z0-9-]+$|/)", line))


@WIDTHS
def test_facts(tmp_path: Path, columns: int) -> None:
    """Slugs and questions fit the terminal; of what was predicted the sentence stands below."""
    begin(tmp_path)

    at = shown(tmp_path, "facts", "1.1", columns=columns)

    assert "  partitions-only-grow" in at.lines
    assert "A topic's partitions can only become more" in at.text
    assert "A partition is files on the broker's disk" not in at.text
    assert COLOUR.search(at.received), "headings stand out"
    lines = COLOUR.sub("", at.received).splitlines()
    assert [line for line in lines if len(line) > columns and not is_to_copy(line)] == []


@WIDTHS
def test_status(tmp_path: Path, columns: int) -> None:
    """What is yours, what was proved here, the tasks and the next step, in the room there is."""
    begin(tmp_path)

    at = shown(tmp_path, "status", columns=columns)

    text = at.text
    assert "predicted 1 of 129" in text
    assert "1 surprised you: explain them" in text
    assert "Proved here: 0 of 232 facts" in text
    assert "> 1.1 Topic provisioning" in text
    assert "Next: Go on with task 1.1, Topic provisioning" in text
    lines = COLOUR.sub("", at.received).splitlines()
    assert [line for line in lines if len(line) > columns and not is_to_copy(line)] == []


@WIDTHS
def test_try(tmp_path: Path, columns: int) -> None:
    """The copy is made where the shell stands, and a word says how it is run."""
    at = shown(tmp_path, "try", "partitions-only-grow", columns=columns)

    assert (tmp_path / "my_lab" / "experiments" / "test_partitions_only_grow.py").is_file()
    text = "".join(at.lines).replace(" ", "")
    assert "pytestmy_lab/experiments/test_partitions_only_grow.py" in text


def test_a_slip_is_one_line(tmp_path: Path) -> None:
    """What was meant is guessed."""
    at = shown(tmp_path, "try", "partition-only-grow")

    assert at.code == 2
    assert "didyoumeanpartitions-only-grow" in "".join(at.text.split())
    assert "Traceback" not in at.received


@pytest.mark.parametrize("command", [["facts", "1.1"], ["status"], ["try", "who-auto-creates"]])
def test_without_colour_and_without_a_terminal(tmp_path: Path, command: list[str]) -> None:
    """The same words, and nothing that only a terminal understands."""
    begin(tmp_path)
    plain = shown(tmp_path, *command, NO_COLOR="1")
    (tmp_path / "my_lab").rename(tmp_path / "before") if "try" in command else None
    piped = subprocess.run(
        [COMMAND, *command], cwd=tmp_path, capture_output=True, text=True, check=True, env=unsized()
    )

    assert not re.search(r"\x1b\[3[0-9]", plain.received), "no colour"
    assert "\x1b" not in piped.stdout
    # What is to be copied may be longer than a line of the terminal.
    assert "".join(piped.stdout.split()) == "".join(plain.text.split())


# One's own code


@WIDTHS
def test_own_code_from_start_to_hint(tmp_path: Path, columns: int) -> None:
    """On a real Kafka: what fails stands in the room there is; only code and commands are wider."""
    started = shown(tmp_path, "start", "1.2", columns=columns)
    checked = shown(tmp_path, "check", "1.2", "--backend", "embedded", columns=columns)
    hinted = shown(tmp_path, "hint", columns=columns)

    assert (started.code, checked.code, hinted.code) == (0, 1, 0)
    assert "kafkalab check 1.2" in started.text
    assert "refuted: crc32-partition-predicts" in checked.text
    assert "crc32_partition() is not written yet" in checked.text
    assert f"0 of {JUDGES} hold." in checked.text
    assert "Hint 1 of 3: Which number do you compute for a key" in hinted.text
    for at in (started, checked, hinted):
        assert COLOUR.search(at.received)
        lines = [line.rstrip() for line in COLOUR.sub("", settled(at.received)).splitlines()]
        wide = [line for line in lines if len(line) > columns]
        assert [line for line in wide if not re.match(r"(>| ) +\d+  |Its contract: ", line)] == []
        assert "Traceback" not in at.received


@WIDTHS
def test_watch(tmp_path: Path, columns: int) -> None:
    """From an empty folder to a save, on a real Kafka, and out."""
    watch = [COMMAND, "watch", "1.2", "--backend", "embedded"]
    with screen(watch, tmp_path, columns=columns, rows=100) as at:
        at.see("my_lab/routing.py is not there yet: waiting for it.", "kafkalab start 1.2")
        at.forget()
        shown(tmp_path, "start", "1.2")
        at.see("refuted crc32-partition-predicts", "crc32_partition() is not written yet")
        at.see(f"0 of {JUDGES} hold.", "q quit")
        at.press("h")
        at.see("Hint 1 of 3: Which number do you compute for a key")
        at.forget()
        with (tmp_path / "my_lab" / "routing.py").open("a") as file:
            file.write("print('it is loaded')\n")
        at.see("What your code printed: it is loaded", f"0 of {JUDGES} hold.", "q quit")
        at.press("q")
        assert at.end() == 0

    wide = [line for line in at.sent if len(line) > columns and not is_to_copy(line)]
    assert [line for line in wide if not re.match(r"(>| ) +\d+  ", line)] == []
    assert "Traceback" not in at.received


def test_check_left_by_ctrl_c(tmp_path: Path) -> None:
    """No traceback, its exit code is that of Ctrl-C, and its broker is gone."""
    shown(tmp_path, "start", "1.2")
    check = [COMMAND, "check", "1.2", "--backend", "embedded"]
    with screen(check, tmp_path, environment={"KAFKALAB_REPORTS": "elsewhere"}) as at:
        at.see(f"{JUDGES} facts judge my_lab/routing.py")
        at.press(CTRL_C)
        code = at.end()

    assert code == 130
    assert "Traceback" not in at.received


MUTANTS = ("mutants", "1.3", "--only", "other-encoding", "--backend", "embedded")


def solved(folder: Path, component: str) -> Path:
    """The learner has the reference in their folder, and nothing else is temporary beside it."""
    (folder / "my_lab").mkdir()
    (folder / "temporary").mkdir()
    reference = Path(kafkalab.tasks.__file__).with_name(f"{component}.py")
    (folder / "my_lab" / f"{component}.py").write_bytes(reference.read_bytes())
    return folder / "temporary"


@WIDTHS
def test_mutants(tmp_path: Path, columns: int) -> None:
    """On a real Kafka: the mistakes, what catches them, and what the lines are for."""
    temporary = solved(tmp_path, "partition_log")
    lines = (tmp_path / "my_lab" / "partition_log.py").read_text("utf-8").splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if 'data["text"].encode("utf-8")' in line)

    at = shown(tmp_path, *MUTANTS, "--line", str(number), columns=columns, TMPDIR=str(temporary))

    assert at.code == 0, at.text
    assert "24 facts judge my_lab/partition_log.py as it is" in at.text
    assert f"[1/1] my_lab/partition_log.py:{number}" in at.lines
    assert '+ return data["text"].encode("latin-1") other-encoding: text is encoded' in at.text
    assert "caught by json-round-trips" in at.text
    assert "1 of 1 mistake caught." in at.text
    assert COLOUR.search(at.received)
    lines = [line.rstrip() for line in COLOUR.sub("", at.received).splitlines()]
    assert [line for line in lines if len(line) > columns] == []
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("when", ["24 facts judge", "They hold. Now 3 mistakes", "[1/3]"])
def test_mutants_left_by_ctrl_c(tmp_path: Path, when: str) -> None:
    """What was found is told; nothing of it is left: no process, no copy, no record."""
    temporary = solved(tmp_path, "partition_log")
    own = (tmp_path / "my_lab" / "partition_log.py").read_bytes()
    mutants = [COMMAND, *MUTANTS]
    with screen(mutants, tmp_path, environment={"TMPDIR": str(temporary)}) as at:
        at.see(when)
        children = psutil.Process(at.pid).children(recursive=True)
        at.press(CTRL_C)
        code = at.end()
        text = " ".join(" ".join(at.whole).split())

    assert code == 130
    assert "Traceback" not in at.received
    assert ("What your lines are for:" in text) == ("[1/3]" in text)
    assert "not tried." in text or "[1/3]" not in text
    # Who ended after its parent did may not have been buried yet.
    _, alive = psutil.wait_procs(children, timeout=5)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    assert list(temporary.iterdir()) == []
    assert (tmp_path / "my_lab" / "partition_log.py").read_bytes() == own
    assert not (tmp_path / "reports").exists()


def test_mutants_without_colour_and_without_a_terminal(tmp_path: Path) -> None:
    """The same words, and nothing that only a terminal understands."""
    temporary = solved(tmp_path, "partition_log")
    listed = ["mutants", "1.3", "--list", "--only", "other-encoding"]

    plain = shown(tmp_path, *listed, NO_COLOR="1", TMPDIR=str(temporary))
    piped = subprocess.run(
        [COMMAND, *listed], cwd=tmp_path, capture_output=True, text=True, check=True, env=unsized()
    )

    assert not re.search(r"\x1b\[3[0-9]", plain.received), "no colour"
    assert "\x1b" not in piped.stdout
    assert "".join(piped.stdout.split()) == "".join(plain.text.split())


def test_the_reference_is_coloured_in_a_terminal_only(tmp_path: Path) -> None:
    """Its text is the file's, whole, also where a line is longer than the terminal is wide."""
    shown(tmp_path, "solution", "1.3")
    coloured = shown(tmp_path, "solution", "1.3", columns=40)
    plain = shown(tmp_path, "solution", "1.3", columns=200, NO_COLOR="1")
    piped = subprocess.run(
        [COMMAND, "solution", "1.3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=unsized(),
    )

    assert re.search(r"\x1b\[3[0-9]", coloured.received), "colours"
    assert not re.search(r"\x1b\[[39][0-9]", plain.received), "none"
    assert "\x1b" not in piped.stdout
    code, _, _ = piped.stdout.partition("\nFrom ")
    reference = Path(kafkalab.tasks.__file__).with_name("partition_log.py").read_text("utf-8")
    assert code.rstrip() == reference.rstrip()
    assert "".join(plain.text.split()) == "".join(piped.stdout.split())


# The first day


def in_the_room_there_is(at: Shown, columns: int) -> None:
    """Nothing is wider than the terminal but what is to be copied, code and paths; no traceback."""
    assert "Traceback" not in at.received
    assert not CONTROL.sub("", at.received).count("\x1b"), "whole sequences only"
    lines = [line.rstrip() for line in CONTROL.sub("", settled(at.received)).splitlines()]
    wide = [line for line in lines if len(line) > columns and not is_to_copy(line)]
    kept = r"(>| ) +\d+  |Its contract: |Made in |kafkalab: |From |  \.github/"
    assert [line for line in wide if not re.match(kept, line)] == []


SYNTAX_ERROR = "def publish(:\n"

# All that is asked for, in two files; of which one was left out in the first.
IN_TWO_FILES = "from common import *\n"


@WIDTHS
def test_the_first_day(tmp_path: Path, columns: int) -> None:
    """From an empty folder to a component that holds, and each slip on the way is told."""
    component = tmp_path / "my_lab" / "routing.py"
    reference = Path(kafkalab.tasks.__file__).with_name("routing.py")

    def day(*arguments: str, code: int, says: tuple[str, ...]) -> Shown:
        at = shown(tmp_path, *arguments, columns=columns, KAFKALAB_BACKEND="embedded")
        assert at.code == code, at.text
        assert [each for each in says if each not in at.text] == [], at.text
        if arguments[0] != "solution":
            in_the_room_there_is(at, columns)
        return at

    day("init", code=0, says=("Made in", "my_lab/README.md", "kafkalab start 1.2"))
    day("check", "1.2", code=2, says=("there is no my_lab/routing.py: kafkalab start 1.2 makes",))
    day("start", "1.2", code=0, says=("Your file: my_lab/routing.py", "kafkalab check 1.2"))

    stub = day("check", "1.2", "--all", code=1, says=(f"0 of {JUDGES} hold.",))
    assert stub.text.count("is not written yet") == stub.text.count("refuted: ") == JUDGES
    assert stub.text.count(" routing.py:") == JUDGES, "a line for each"

    written = component.read_text("utf-8")
    component.write_text(written + SYNTAX_ERROR, "utf-8")
    line = written.count("\n") + 1
    day("check", "1.2", code=1, says=(f"routing.py:{line}: SyntaxError", "def publish(:"))

    reference_text = reference.read_text("utf-8")
    component.write_text(reference_text.replace("def distribution(", "def distributes("), "utf-8")
    missing = "routing.py has no 'distribution', which this task asks for"
    day("check", "1.2", code=1, says=(missing, f"of {JUDGES} hold."))

    day("hint", code=0, says=("Hint 1 of ",))
    day("solution", "1.2", code=1, says=("1.2 is not solved yet", "If you ask once more"))
    day("solution", "1.2", code=0, says=("def crc32_partition", "From "))

    component.write_text(IN_TWO_FILES, "utf-8")
    component.with_name("common.py").write_text(reference_text, "utf-8")
    day("check", "1.2", code=0, says=(f"{JUDGES} of {JUDGES} hold.", "kafkalab solution 1.2"))
    day("hint", code=0, says=(f"All {JUDGES} facts held at the last check",))
    day("status", code=0, says=(f"built {JUDGES} of ",))
    day("init", code=0, says=("There already, and left as they are:", "my_lab/README.md"))


LOUD = """
import sys

LOUD = "\\x1b]0;a title\\x07\\x1b[31mred\\x1b[0m " * 60_000


def {name}(*given, **named):
    print(LOUD)
    print(LOUD, file=sys.stderr)
    raise ValueError("\\x1b[31m" + "red \\x1b[1;34m" * 60_000)
"""


def test_a_component_that_prints_colours_by_the_megabyte(tmp_path: Path) -> None:
    """It is refuted in a few lines, and no report has an escape sequence, whole or in half."""
    shown(tmp_path, "start", "1.2")
    component = tmp_path / "my_lab" / "routing.py"
    stub = component.read_text("utf-8")
    component.write_text(stub + LOUD.format(name="crc32_partition"), "utf-8")

    at = shown(tmp_path, "check", "1.2", "--backend", "embedded")

    assert at.code == 1
    assert r"ValueError: \x1b[31mred" in at.text
    assert len(at.text) < 4000
    assert not CONTROL.sub("", at.received).count("\x1b")
    reports = [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]
    assert {path.name for path in reports} >= {acts.FILE, "learning_log.html", "run.html"}
    for path in reports:
        content = path.read_bytes()
        assert b"\x1b" not in content, path
        assert not re.search(rb"(?<!\\)\\u001b", content), f"{path}: as JSON has it"
        assert len(content) < 2_000_000, path


@pytest.mark.parametrize(
    "command",
    [
        ["init"],
        ["start", "1.2"],
        ["hint", "1.2"],
        ["solution", "1.2"],
        ["status"],
        ["check", "1.2"],
    ],
    ids=lambda command: command[0],
)
def test_the_first_day_without_a_terminal(tmp_path: Path, command: list[str]) -> None:
    """Piped, with or without colours asked for: text, and nothing that a terminal would obey."""
    if command[0] == "check":
        shown(tmp_path, "start", "1.2")
    for asked in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
        piped = subprocess.run(
            [COMMAND, *command],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**unsized(), "KAFKALAB_BACKEND": "embedded", **asked},
        )
        assert piped.returncode in (0, 1), piped.stderr
        assert piped.stdout
        assert "\x1b" not in piped.stdout + piped.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["init"],
        ["start", "1.2"],
        ["hint", "1.2"],
        ["solution", "1.2"],
        ["status"],
        ["check", "1.2"],
    ],
    ids=lambda command: command[0],
)
def test_ctrl_c_anywhere(tmp_path: Path, command: list[str]) -> None:
    """Whenever it comes, a command ends with the code of Ctrl-C, or was done; no traceback."""
    if command[0] == "check":
        shown(tmp_path, "start", "1.2")
    for share in range(1, 9):
        began = time.monotonic()
        environment = {"KAFKALAB_BACKEND": "embedded", "KAFKALAB_REPORTS": f"reports{share}"}
        with screen([COMMAND, *command], tmp_path, environment=environment) as at:
            # From when it has begun to load what it needs to when it shows something.
            wait_until(
                lambda: time.monotonic() - began,  # noqa: B023 - called at once
                lambda passed: passed > 0.1 * share,  # noqa: B023
                limit=5,
                what="the moment for Ctrl-C",
            )
            at.press(CTRL_C)
            code = at.end()

        # While Python itself ends, the signal ends it: shells call that 130, too.
        assert code in (0, 1, 130, -signal.SIGINT), at.received
        # Before that Python loads itself, and tells of Ctrl-C in its own way.
        assert not re.search(r'__main__\.py", line \d+, in main', at.received), at.received


def unsized() -> dict[str, str]:
    """The environment of these tests, in which no terminal has a width."""
    return {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}


@WIDTHS
def test_learn(tmp_path: Path, columns: int) -> None:
    """One fact on a real Kafka: asked, answered wrong, run, told why; left by Ctrl-C."""
    learn = [COMMAND, "learn", "reading-removes-nothing", "--backend", "embedded"]
    with screen(learn, tmp_path, columns=columns, rows=60) as at:
        at.see("A topic holds a, b, c.", "(q leaves) >")
        at.type("x")
        at.see("Please answer a, b, c, ? or q (to leave).")
        at.type("b")
        at.see("Not so: b: Only what is written later", "It is a: a, b and c", "or Enter to see >")
        at.press(CTRL_C)
        code = at.end()

    assert code == 130
    assert "Traceback" not in at.received
    done, _ = acts.read(tmp_path / "reports" / acts.FILE)
    assert [(act.kind, act.about, act.said["right"]) for act in done] == [
        (acts.PREDICTED, "reading-removes-nothing", False)
    ]
    assert "1 surprised you: explain them" in shown(tmp_path, "status", columns=columns).text
