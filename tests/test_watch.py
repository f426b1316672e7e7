"""`kafkalab watch`: judged on save, one task at a time; nothing is left, whatever ends it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from screens import CTRL_C, CTRL_D, Screen, screen

from kafkalab.curriculum import load
from kafkalab.judging import component_facts
from kafkalab.learning_log import acts
from kafkalab.waiting import wait_until

PLAYED_WATCH = """
import conftest, kafkalab.lab
from kafkalab.cli import main, warmed
warmed.choose = kafkalab.lab.choose
main()
"""

# One fact after the other: beside each other they end in any order.
IN_TURN = PLAYED_WATCH.replace("main()", "import kafkalab.cli.watch as w; w.LANES = 1; main()")

FACTS = """
    @pytest.mark.fact("tells", scope="the component topics")
    def test_it_tells(broker, solutions, evidence):
        '''It tells what is there.'''
        seen = solutions.topics.describe({}, ["a"])
        assert seen == ["a"], "what was asked for is told"

    @pytest.mark.fact("makes", scope="the component topics")
    @pytest.mark.parametrize("count", [1, 2])
    def test_it_makes(solutions, count):
        '''It makes what is missing.'''
        assert len(solutions.topics.provision({}, ["a"] * count)) == count, "one for each"
"""

SLUGS = dict.fromkeys(("tells", "makes"), "there is none")

OTHER_TASK = """

[[task]]
id = "9.2"
title = "Others"
question = "What else?"
module = "test_task_9_2_others"
component = "routing"

[task.facts]
sends = {no_control = 'there is none'}
"""

OTHER_FACT = """
import pytest


@pytest.mark.fact("sends", scope="the component routing")
def test_it_sends(solutions):
    '''It sends.'''
    assert solutions.routing.crc32_partition(b"a", 3) == 1, "its place"
"""

HINTS = {
    "9_1": 'tells = ["Look at describe.", "return names"]\nmakes = ["Look at provision.", "Go."]\n',
    "9_2": 'sends = ["Look at crc32.", "return 1"]\n',
}

SOLVED = """
def provision(config, definitions, *, grow=False):
    return definitions


def describe(config, names):
    return names
"""

BROKEN = SOLVED.replace("return names", "return []")
HANGS = "import time\n" + SOLVED.replace("return names", "time.sleep(1000)")

KEYS = "n next task, h hint, l list, r run again, q quit"

Open = Callable[..., Screen]


@pytest.fixture
def lab(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project of two tasks about components; its broker is played."""
    project.teach(FACTS, SLUGS)
    manifest = project.folder / "module.toml"
    text = manifest.read_text("utf-8").replace("hint = 'Look.', ", "")
    manifest.write_text(text + OTHER_TASK, "utf-8")
    (project.folder / "test_task_9_2_others.py").write_text(OTHER_FACT, "utf-8")
    (project.folder / "hints").mkdir()
    for task, hints in HINTS.items():
        (project.folder / "hints" / f"task_{task}.toml").write_text(hints, "utf-8")
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "module.toml")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)
    return project


@pytest.fixture
def opened(lab: Any) -> Iterator[Open]:
    """Opens terminals in which `kafkalab watch` runs in the project."""
    with ExitStack() as stack:

        def open_one(*arguments: str, played: str = PLAYED_WATCH, **terminal: Any) -> Screen:
            command = [sys.executable, "-c", played, "watch", *arguments]
            at: AbstractContextManager[Screen] = screen(command, lab.folder, **terminal)
            return stack.enter_context(at)

        yield open_one


def save(lab: Any, text: str, at: Screen | None = None, name: str = "topics.py") -> Path:
    """The learner saves a file; what a screen showed before counts no more."""
    path: Path = lab.folder / "my_lab" / name
    path.parent.mkdir(exist_ok=True)
    if at is not None:
        at.forget()
    path.write_text(text, "utf-8")
    return path


def judged(lab: Any) -> list[dict[str, str]]:
    """What was said of the component, each time."""
    found, _ = acts.read(lab.folder / "reports" / acts.FILE)
    return [act.said["facts"] for act in found if act.kind == acts.JUDGED]


def until_kept(lab: Any, count: int) -> None:
    """Wait until so many acts are there: of a file that is saved before that, nothing is kept."""
    wait_until(lambda: len(judged(lab)), lambda seen: seen == count, limit=60, what="the act")


def runs(at: Screen, task: str = "9.1") -> int:
    """How many runs the screen tells of."""
    return sum(line.startswith(f"{task} ") and line[-3:-2] == ":" for line in at.whole)


def assert_nothing_is_left(folder: Path) -> None:
    """No process that was called there or with a file of there, and no folder of a run."""
    left = folder / "cache" / "runs"

    def found() -> list[str]:
        folders = [str(path) for path in left.iterdir()] if left.exists() else []
        others = (each for each in psutil.process_iter() if each.pid != os.getpid())
        return folders + [str(each) for each in others if _is_of(folder, each)]

    wait_until(found, lambda seen: not seen, limit=20, what="all to be gone")


def _is_of(folder: Path, process: psutil.Process) -> bool:
    try:
        # Workers of xdist have no file of there in their command.
        in_folder = Path(process.cwd()).is_relative_to(folder)
        return in_folder or any(str(folder) in part for part in process.cmdline())
    except psutil.Error:
        return False


# A day


def test_from_nothing_to_the_end(opened: Open, lab: Any) -> None:
    """No file, an unwritten one, half of it, all of it: each is told at once, and each is kept."""
    at = opened("9.1")
    at.see("my_lab/topics.py is not there yet: waiting for it.", "kafkalab start 9.1")
    save(lab, "def describe(config, names):\n    raise NotImplementedError\n", at)
    at.see("refuted tells", "topics.py:2: describe() is not written yet", "0 of 2 hold.", KEYS)
    until_kept(lab, 1)
    save(lab, SOLVED.replace("return definitions", "return []"), at)
    at.see("holds tells", "refuted makes", "1 of 2 hold.", KEYS)
    until_kept(lab, 2)
    save(lab, SOLVED, at)
    at.see(
        "2 of 2 hold.",
        "Your component of 9.1 is finished: all hold for my_lab/topics.py as it is.",
        "kafkalab solution 9.1",
        "n goes on with 9.2 Others.",
        KEYS,
    )
    until_kept(lab, 3)

    at.press("n")
    at.see("my_lab/routing.py is not there yet: waiting for it.", "kafkalab start 9.2")
    save(lab, "def crc32_partition(key, partitions):\n    return 1\n", at, "routing.py")
    at.see("component of 9.2 is finished", "All your components of module T are finished")
    until_kept(lab, 4)
    at.press("q")

    assert at.end() == 0
    assert "Traceback" not in at.received
    holds = "demonstrated"
    assert judged(lab)[2:] == [{"tells": holds, "makes": holds}, {"sends": holds}]
    assert (lab.record()["command"], lab.record()["completed"]) == (
        ["kafkalab", "watch", "9.1"],
        True,
    )
    assert (lab.folder / "reports" / "learning_log.html").exists()
    assert lab.launches == 1, "one broker for all of it"
    assert_nothing_is_left(lab.folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def describe(:\n", "topics.py:1: SyntaxError: invalid syntax: def describe(:"),
        ("import nothing_there\n", "topics.py:1: ModuleNotFoundError: No module named"),
        ("x = 1\n", "topics.py has no 'describe', which this task asks for"),
        ("", "topics.py has no 'describe', which this task asks for"),
    ],
    ids=["syntax", "import", "name", "empty"],
)
def test_what_is_wrong_is_one_line(opened: Open, lab: Any, text: str, told: str) -> None:
    """With its place, and it is judged again once it is mended."""
    save(lab, text)
    at = opened()
    at.see(told, "0 of 2 hold.", KEYS)
    save(lab, SOLVED, at)
    at.see("2 of 2 hold.")

    assert "Traceback" not in at.received


def test_what_breaks_is_told_as_broken(opened: Open, lab: Any) -> None:
    """By this edit, as long as it was whole before; the fact that fails is the next to run."""
    save(lab, SOLVED)
    at = opened("9.1", played=IN_TURN)
    at.see("2 of 2 hold.", KEYS)
    save(lab, SOLVED.replace("return definitions", "return []"), at)
    at.see("broken makes, 0.", "s: broken by this edit", "expected: one for each", KEYS)
    at.press("l")
    at.see("holds It tells what is there. tells broken It makes what is missing. makes", KEYS)
    save(lab, SOLVED.replace("return definitions", "return None"), at)
    at.see("s: it held before", KEYS)

    shown = [line.split() for line in at.whole if re.match(r"  (holds|broken) .*[0-9] s", line)]
    assert [words[1] for words in shown[-2:]] == ["makes,", "tells,"], "the failing one first"


IN_THREE_PACES = """
    @pytest.mark.fact("{slug}", scope="the component topics")
    def test_it_is_{slug}(broker, solutions):
        '''It is {slug}.'''
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > {seconds}, limit=9, what="its time")
        assert solutions.topics.describe({{}}, ["a"]) == ["a"], "what was asked for is told"
"""


def test_the_quickest_is_first_and_then_the_slowest(opened: Open, lab: Any) -> None:
    """A verdict comes at once, and no lane begins with the longest when the others are done."""
    paces = {"short": 0.3, "long": 0.9, "instant": 0}
    facts = [IN_THREE_PACES.format(slug=slug, seconds=paces[slug]) for slug in paces]
    lab.teach("    import time\n" + "".join(facts), dict.fromkeys(paces, "there is none"))
    manifest = lab.folder / "module.toml"
    text = manifest.read_text("utf-8").replace("hint = 'Look.', ", "")
    manifest.write_text(text + OTHER_TASK, "utf-8")
    hints = "".join(f"{slug} = ['Look.', 'Go.']\n" for slug in paces)
    (lab.folder / "hints" / "task_9_1.toml").write_text(hints, "utf-8")
    save(lab, SOLVED)
    at = opened("9.1", played=IN_TURN)
    at.see("3 of 3 hold.", KEYS)

    save(lab, SOLVED + "# again", at)
    at.see("3 of 3 hold.", KEYS)

    shown = [line.split()[1] for line in at.whole if re.match(r"  holds .*[0-9] s", line)]
    assert shown == ["short,", "long,", "instant,", "instant,", "long,", "short,"]


def test_a_task_that_was_judged_before_is_taken_up(opened: Open, lab: Any) -> None:
    """The one judged last is the default, and what broke since then is told."""
    save(lab, SOLVED)
    save(lab, "def crc32_partition(key, partitions):\n    return 1\n", None, "routing.py")
    for task in ("9.2", "9.1"):
        at = opened(task)
        at.see("is finished", KEYS)
        at.press("q")
        assert at.end() == 0
    save(lab, BROKEN)

    at = opened()

    at.see("9.1 Things", "broken tells", "s: since the last check", KEYS)


def test_nothing_to_watch_is_one_line(opened: Open) -> None:
    """It says what makes a file."""
    at = opened()

    assert at.end() == 2
    at.see("there is nothing of yours to watch: kafkalab start 9.1 makes a file")


# Saves


def test_several_files(opened: Open, lab: Any) -> None:
    """What a component imports from beside it belongs to it; what it does not, does not."""
    save(lab, "def told(names):\n    return []\n", None, "common.py")
    save(lab, "import common\n" + SOLVED.replace("return names", "return common.told(names)"))
    at = opened()
    at.see("1 of 2 hold.", KEYS)
    save(lab, "x = 1\n", at, "other.py")
    save(lab, "def told(names):\n    return names\n", at, "common.py")
    at.see("2 of 2 hold.", KEYS)

    assert runs(at) == 2


def by_rename(path: Path, text: str) -> None:
    new = path.with_name(".new")
    new.write_text(text, "utf-8")
    new.replace(path)


def by_a_backup(path: Path, text: str) -> None:
    path.rename(path.with_name("topics.py~"))
    path.write_text(text, "utf-8")


def by_pieces(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in text.splitlines(keepends=True):
            file.write(line)
            file.flush()


@pytest.mark.parametrize("saved", [by_rename, by_a_backup, by_pieces])
def test_a_save_is_one_run_however_it_is_made(
    opened: Open, lab: Any, saved: Callable[[Path, str], None]
) -> None:
    """An editor's way to write a file is of no matter."""
    path = save(lab, BROKEN)
    at = opened()
    at.see("1 of 2 hold.", KEYS)
    at.forget()
    saved(path, SOLVED)
    at.see("2 of 2 hold.", KEYS)

    assert runs(at) == 2
    assert "is gone" not in " ".join(at.whole)


def test_the_same_once_more_is_no_run(opened: Open, lab: Any) -> None:
    """It says so; r runs it again all the same."""
    save(lab, SOLVED)
    at = opened()
    at.see("2 of 2 hold.", KEYS)
    save(lab, SOLVED, at)
    at.see("Saved as it was: nothing changed. r runs it again.")
    assert runs(at) == 1
    at.press("r")
    at.see("2 of 2 hold.", KEYS)
    assert runs(at) == 2


def test_a_file_and_a_folder_may_come_and_go(opened: Open, lab: Any) -> None:
    """It waits for them, and hears of another folder of that name."""
    path = save(lab, SOLVED)
    at = opened()
    at.see("2 of 2 hold.", KEYS)
    for remove in (lambda: path.unlink(), lambda: shutil.rmtree(path.parent)):
        at.forget()
        remove()
        at.see("my_lab/topics.py is gone: waiting for it.")
        save(lab, SOLVED, at)
        at.see("2 of 2 hold.", KEYS)


def test_what_is_not_heard_of_is_seen(opened: Open, lab: Any) -> None:
    """Where the system tells of no change, the files are looked at."""
    save(lab, BROKEN)
    # The library then looks once in so many milliseconds, which is never here.
    deaf = {"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "1000000"}
    at = opened(environment=deaf)
    at.see("1 of 2 hold.", KEYS)
    save(lab, SOLVED, at)
    at.see("2 of 2 hold.", KEYS)


# What runs


def test_a_hang_is_seen_and_a_save_ends_it(opened: Open, lab: Any) -> None:
    """Which fact runs, for how long, and its limit; of the old file nothing more is said."""
    save(lab, HANGS)
    at = opened()
    at.see("s, 60 s at most: tells")
    at.see("2 s, 60 s at most: tells")
    save(lab, SOLVED, at)
    at.see("holds tells", "2 of 2 hold.", KEYS)
    until_kept(lab, 1)

    assert not any(line.startswith("  refuted") for line in at.whole)
    assert not any("60 s at most" in line for line in at.whole), "it is gone once it is over"
    assert judged(lab) == [{"tells": "demonstrated", "makes": "demonstrated"}]
    at.press("q")
    assert at.end() == 0
    assert_nothing_is_left(lab.folder)


def test_prints_are_shown_and_are_harmless(opened: Open, lab: Any) -> None:
    """Of the fact that fails; no sequence of them reaches the terminal, nor a record."""
    prints = "print('I say \\x1b[2J', names)"
    save(lab, BROKEN.replace("return []", f"{prints}\n    return []"))
    at = opened()
    at.see("refuted: tells", "What your code printed: I say \\x1b[2J ['a']", KEYS)
    until_kept(lab, 1)
    save(lab, SOLVED.replace("return names", f"{prints}\n    return names"), at)
    at.see("tells What your code printed: I say \\x1b[2J ['a']", "2 of 2 hold.", KEYS)
    until_kept(lab, 2)

    assert "\x1b[2J" not in at.received
    for path in (lab.folder / "reports" / "runs").iterdir():
        assert "I say" not in path.read_text("utf-8")


def test_nobody_waits_for_a_hang_to_see_what_fails(opened: Open, lab: Any) -> None:
    """What fails is shown while the other fact runs yet, though that comes first in the task."""
    facts = lab.folder / "test_task_9_1_things.py"
    text = facts.read_text("utf-8").replace('"count", [1, 2]', '"count", [1]')
    facts.write_text(text, "utf-8")
    save(lab, HANGS.replace("return definitions", "return []"))
    at = opened()

    at.see("refuted makes", "refuted: makes", "s, 60 s at most: tells")

    at.press("q")
    assert at.end() == 0
    assert_nothing_is_left(lab.folder)


def test_check_shows_the_first_that_fails_at_once(lab: Any) -> None:
    """Though those that follow hang; it is shown once."""
    hangs = "import time\n" + BROKEN.replace("return definitions", "time.sleep(1000)")
    save(lab, hangs)
    command = [sys.executable, "-c", PLAYED_WATCH, "check", "9.1"]
    with screen(command, lab.folder) as at:
        at.see("refuted: tells", "what was asked for is told", "2 s, 60 s at most: makes")
        at.press(CTRL_C)

        assert at.end() == 130
        assert sum("refuted: tells" in line for line in at.whole) == 1
    assert_nothing_is_left(lab.folder)


def test_a_long_print_lacks_its_middle(opened: Open, lab: Any) -> None:
    """Its begin and its end are there: the verdict stays on the screen."""
    prints = "print('begin', 'x\\n' * 90_000, 'end')"
    save(lab, BROKEN.replace("return []", f"{prints}\n    return []"))
    at = opened()
    at.see("What your code printed: begin x", "lines are left out here", "x end", KEYS)

    assert len([line for line in at.whole if line]) < 40


def test_a_broker_that_dies_is_started_anew(opened: Open, lab: Any) -> None:
    """What could not be judged is judged again, by itself."""
    save(lab, BROKEN)
    at = opened()
    at.see("1 of 2 hold.", KEYS)
    (lab.folder / "dead").touch()
    save(lab, SOLVED, at)
    at.see("The broker died: node 1 is gone. It is started again.")
    wait_until(lambda: lab.launches == 2, limit=20, what="another broker")


def test_a_kafka_that_does_not_start_is_one_line(opened: Open, lab: Any) -> None:
    """It says nothing of the code: exit code 2."""
    save(lab, SOLVED)
    (lab.folder / "fails").touch()
    at = opened()

    assert at.end() == 2
    at.see("kafkalab: It did not start.")
    assert "Traceback" not in at.received
    assert_nothing_is_left(lab.folder)


# Keys


def test_hints_and_what_is_no_key(opened: Open, lab: Any) -> None:
    """A hint of the first that fails is kept; another key says which there are."""
    save(lab, BROKEN)
    at = opened()
    at.see("1 of 2 hold.", KEYS)
    at.press("h")
    at.see("It tells what is there.", "Hint 1 of 2: Look at describe.")
    at.press("h")
    at.see("Hint 2 of 2: return names")
    at.press("x")
    at.see(KEYS)
    at.press("\x1b[A")
    found, _ = acts.read(lab.folder / "reports" / acts.FILE)
    assert [act.said for act in found if act.kind == acts.HINTED] == [{"number": 1}, {"number": 2}]
    save(lab, SOLVED, at)
    at.see("2 of 2 hold.", KEYS)
    at.press("h")
    at.see("All 2 facts hold: there is nothing to hint at.")
    at.press(CTRL_D)
    assert at.end() == 0


@pytest.mark.parametrize("moment", ["at once", "while it runs", "while it waits", "twice"])
def test_ctrl_c_anywhere(opened: Open, lab: Any, moment: str) -> None:
    """Exit code 130, no traceback, and nothing is left."""
    save(lab, SOLVED if moment == "while it waits" else HANGS)
    at = opened()
    if moment != "at once":
        at.see(KEYS if moment == "while it waits" else "s, 60 s at most: tells")
    else:
        at.see("9.1 Things")
    at.press(CTRL_C * 2 if moment == "twice" else CTRL_C)

    assert at.end() == 130
    assert "Traceback" not in at.received
    assert_nothing_is_left(lab.folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_it_nothing_is_left(opened: Open, lab: Any, number: signal.Signals) -> None:
    """Its code is that of shells; where it can, it leaves the terminal as it was."""
    save(lab, HANGS)
    at = opened()
    # All else has been said by then.
    at.see("2 s, 60 s at most: tells")
    assert not modes(at) & termios.ECHO
    os.kill(at.pid, number)

    assert at.end() == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in at.received
    assert_nothing_is_left(lab.folder)


def modes(at: Screen) -> int:
    """The local modes of a screen's terminal."""
    found: int = termios.tcgetattr(at.terminal)[3]
    return found


def test_ctrl_z_gives_the_terminal_back(opened: Open, lab: Any) -> None:
    """To the shell it is as before; brought back, it takes single keys again."""
    save(lab, SOLVED)
    at = opened()
    at.see("2 of 2 hold.", KEYS)
    whole = termios.ECHO | termios.ICANON
    assert not modes(at) & whole
    at.press("\x1a")
    stopped = psutil.STATUS_STOPPED
    wait_until(lambda: psutil.Process(at.pid).status() == stopped, limit=20, what="the stop")
    assert modes(at) & whole == whole
    os.kill(at.pid, signal.SIGCONT)
    wait_until(lambda: not modes(at) & whole, limit=20, what="single keys")
    at.press("r")
    at.see("2 of 2 hold.", KEYS)
    at.press("q")
    assert at.end() == 0


@pytest.mark.parametrize("columns", [40, 80])
def test_it_fits_the_terminal(opened: Open, lab: Any, columns: int) -> None:
    """Only code, commands and prints may be wider."""
    save(lab, HANGS)
    at = opened(columns=columns)
    at.see("s, 60 s at most: tells")
    save(lab, BROKEN, at)
    at.see("1 of 2 hold.", "q quit")

    assert [line for line in at.sent if len(line) > columns and not is_code(line)] == []
    fleeting = [line for line in at.sent if "60 s at most" in line]
    assert fleeting
    assert max(map(len, fleeting)) < columns, "a full line would move the terminal"


def is_code(line: str) -> bool:
    """Whether a line is of the learner's code, which is never broken."""
    return bool(re.match(r"(>| ) +\d+  ", line))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour(opened: Open, lab: Any, environment: dict[str, str]) -> None:
    """The same words; on a terminal that can do nothing no sequence at all."""
    save(lab, BROKEN)
    at = opened(environment=environment)
    at.see("1 of 2 hold.", KEYS)

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", at.received)
    if "TERM" in environment:
        assert "\x1b" not in at.received


# Without a terminal


def test_without_a_terminal_it_goes_on_until_it_is_ended(lab: Any, tmp_path: Path) -> None:
    """On start and on each save; plain lines, and what takes long is told once."""
    save(lab, BROKEN)
    out = tmp_path / "out"
    command = [sys.executable, "-c", PLAYED_WATCH, "watch"]
    with (
        out.open("wb") as stdout,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stdout, start_new_session=True
        ) as process,
    ):
        try:
            waits = "Waiting for the next save. Ctrl-C ends it."
            see(out, "1 of 2 hold.", waits)
            save(lab, HANGS)
            see(out, "tells has been running for 5 s. It is ended after 60 s.")
            save(lab, SOLVED)
            see(out, "2 of 2 hold.", waits)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 143
        finally:
            process.kill()

    text = out.read_text("utf-8")
    assert text.count("has been running") == 1
    assert "\x1b" not in text
    assert "Traceback" not in text
    assert "q quit" not in text
    assert_nothing_is_left(lab.folder)


def see(out: Path, *texts: str) -> None:
    """Wait until a file has these texts."""
    wait_until(
        lambda: [each for each in texts if each not in " ".join(out.read_text("utf-8").split())],
        lambda missing: not missing,
        limit=60,
        what=f"{texts} in the output",
    )


# On a real Kafka


def test_a_task_on_a_real_kafka(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference holds; each save is judged on the same broker; a fact of its own comes last."""
    monkeypatch.delenv("KAFKALAB_CURRICULUM", raising=False)
    path = tmp_path / "my_lab" / "topics.py"
    path.parent.mkdir()
    shutil.copy(repository / "kafkalab" / "tasks" / "topics.py", path)
    command = [sys.executable, "-P", "-m", "kafkalab", "watch", "--backend=embedded"]
    facts = {each.slug: each for each in component_facts(load(), load().task("1.1"))}
    with screen(command, tmp_path) as at:
        at.see("14 of 14 hold.", "n goes on with 1.2", KEYS)
        at.forget()
        path.write_text(path.read_text("utf-8").replace("def describe(", "def tell("), "utf-8")
        at.see(
            "broken describe-tells-what-is-there",
            "topics.py",
            "5 more: each uses a Kafka of its own",
        )
        at.see("10 of 14 hold.", KEYS)
        at.press("q")
        assert at.end() == 0
        told = [line.split()[1].rstrip(",") for line in at.whole if line.startswith("  holds ")]

    own = [facts[slug].has_own_broker for slug in told[:14]]
    assert own == [False] * 9 + [True] * 5, "those with a Kafka of their own come last"
    (first, second) = sorted((tmp_path / "reports" / "runs").glob("*.json"))
    started = [json.loads(each.read_text("utf-8"))["broker"] for each in (first, second)]
    assert started[0]["start_seconds"] == started[1]["start_seconds"]
    assert_nothing_is_left(tmp_path)
