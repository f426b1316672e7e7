"""The learner's journal: read, edited by command, and never harmed."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.learning_log import journal
from kafkalab.learning_log.journal import BadJournal, Entry

SAMPLES = Path(__file__).parent / "journals"
EXPECTED: Mapping[str, Any] = tomllib.loads((SAMPLES / "expected.toml").read_text("utf-8"))

BY_HAND = """\
# My journal.

[task_1_1] # the first
minutes = 30 # about
aha = [
    # on the train
    "Partitions only grow.", # really
]

# Routing took me a while.
[task_1_2]
started = 2026-01-31
difficulty = 4
challenges = "Which partitioner?"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is, or will be."""
    return tmp_path / "reports" / "journal.toml"


def by_hand(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    return path


def test_there_need_be_no_journal(path: Path) -> None:
    """Who writes nothing has no entries, and no file."""
    assert journal.read(path) == {}
    assert not path.exists()


def test_a_journal_written_by_hand_is_read(path: Path) -> None:
    """Dates, numbers and texts; a single text may do without a list."""
    assert journal.read(by_hand(path, BY_HAND)) == {
        "1.1": Entry(minutes=30, aha=("Partitions only grow.",)),
        "1.2": Entry(started=date(2026, 1, 31), difficulty=4, challenges=("Which partitioner?",)),
    }


def test_the_first_note_makes_the_journal(path: Path) -> None:
    """It begins with what may be written into it, for those who go on by hand."""
    entry = journal.note(path, "1.3", minutes=40, aha=("Reading removes nothing.",))

    assert journal.read(path) == {"1.3": entry}
    assert entry == Entry(minutes=40, aha=("Reading removes nothing.",))
    assert path.read_text("utf-8").startswith(journal.HEAD)


def test_what_the_new_journal_shows_is_valid(path: Path) -> None:
    """Its examples, without their comment signs, are an entry."""
    examples = [line.removeprefix("#   ") for line in journal.HEAD.splitlines()[3:]]

    entry = journal.read(by_hand(path, "\n".join(examples)))["1.3"]

    assert None not in (entry.started, entry.completed, entry.minutes, entry.difficulty)
    assert all((entry.aha, entry.challenges, entry.questions))


def test_texts_are_added_and_the_rest_is_replaced(path: Path) -> None:
    """A second note has the last word on numbers and dates, and one word more."""
    journal.note(path, "1.1", minutes=10, aha=("One.",), questions=("Why?",))

    entry = journal.note(path, "1.1", minutes=20, difficulty=2, aha=("Two.", "Three."))

    assert entry == Entry(
        minutes=20, difficulty=2, aha=("One.", "Two.", "Three."), questions=("Why?",)
    )


def test_a_note_leaves_the_rest_as_it_is(path: Path) -> None:
    """Comments, order and blank lines stay; a comment above a task stays above it."""
    by_hand(path, BY_HAND)

    journal.note(path, "1.1", minutes=45, difficulty=3, aha=("Keys move.",))

    edited = BY_HAND.replace("minutes = 30", "minutes = 45")
    edited = edited.replace("# really\n]\n", '# really\n    "Keys move.",\n]\ndifficulty = 3\n')
    assert path.read_text("utf-8") == edited


def test_a_text_becomes_a_list_when_another_is_added(path: Path) -> None:
    """Both are kept."""
    entry = journal.note(by_hand(path, BY_HAND), "1.2", challenges=("And the default?",))

    assert entry.challenges == ("Which partitioner?", "And the default?")


@pytest.mark.parametrize(
    "text",
    [
        "task_1_1 = {minutes = 3}",
        "task_1_1.minutes = 3\ntask_1_2.minutes = 4\n",
        "[task_1_1]\r\nminutes = 3\r\n# end\r\n[task_1_2]\r\n",
        "[task_1_1]",
        "[task_1_2]\nminutes = 4\n[task_1_1]",
    ],
    ids=["inline", "dotted", "Windows", "no line end", "last"],
)
def test_toml_may_be_written_in_many_ways(path: Path, text: str) -> None:
    """Whatever is valid can be read and edited."""
    before = journal.read(by_hand(path, text))

    entry = journal.note(path, "1.1", minutes=5, difficulty=2, aha=("x",))

    assert entry == Entry(minutes=5, difficulty=2, aha=("x",))
    assert journal.read(path) == {**before, "1.1": entry}


BROKEN = {
    "[task_1_1\n": "1:10: ",
    "[task_1_1]\nminutes = \n": "2:11: Invalid value",
    "[task_1_1]\nminutes = 3\nminutes = 4\n": "3:12: minutes is there twice: keep one",
    "[task_1_1]\naha = [\n  'a',\n": "4:1: ",
    "[task_1_1]\n  mintes = 3\n": "2:3: a journal has no 'mintes': did you mean minutes?",
    "[task_1_1]\nzzz = 3\n": "2:1: a journal has no 'zzz': there are started, completed, ",
    "[task_1_1]\nminutes = 'x'\n": "2:1: minutes is a whole number from 0 to 525600",
    "[task_1_1]\nminutes = true\n": "2:1: minutes is a whole number",
    "[task_1_1]\nminutes = -1\n": "2:1: minutes is a whole number",
    "[task_1_1]\n[task_1_2]\ndifficulty = 6\n": "3:1: difficulty is a whole number from 1 to 5",
    "[task_1_1]\nstarted = '2026-01-31'\n": "2:1: started is a date such as 2026-01-05, without",
    "[task_1_1]\naha = [3]\n": "2:1: aha is a list of texts",
    "\n[1.3]\nminutes = 3\n": "1:1: '1' is no task: write [task_1_3] above what you say of",
    "\n[topics]\n": "2:2: 'topics' is no task: write [task_1_3]",
    "minutes = 3\n": "1:1: 'minutes' is no task",
    "a = " + "[" * 100_000: "1:1: it is nested too deeply",
}


@pytest.mark.parametrize(("text", "said"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_journal_is_one_line_and_is_never_written_over(
    path: Path, text: str, said: str
) -> None:
    """The line names the file, the line and the column, and what is wrong there."""
    by_hand(path, text)

    with pytest.raises(BadJournal) as error:
        journal.note(path, "1.1", minutes=3)

    assert str(error.value).startswith(f"{path}:{said}")
    assert "\n" not in str(error.value)
    assert path.read_bytes() == text.encode()


def test_each_sample_has_its_expectation() -> None:
    """A file without one would be tried by nobody."""
    assert {path.name for path in SAMPLES.iterdir()} - {"expected.toml"} == set(EXPECTED)


def sample(name: str, path: Path) -> Path:
    """A journal as people write it, as the journal."""
    path.parent.mkdir()
    shutil.copy(SAMPLES / name, path)
    return path


@pytest.mark.parametrize("name", [name for name in EXPECTED if "says" in EXPECTED[name]])
def test_a_sample_is_told(path: Path, name: str) -> None:
    """What is wrong is one line with its place; a note does not touch the file."""
    sample(name, path)

    with pytest.raises(BadJournal) as read:
        journal.read(path)
    with pytest.raises(BadJournal) as noted:
        journal.note(path, "1.3", minutes=3)

    assert str(read.value).startswith(f"{path}:{EXPECTED[name]['says']}")
    assert str(noted.value) == str(read.value)
    assert "\n" not in str(read.value)
    assert path.read_bytes() == (SAMPLES / name).read_bytes()


@pytest.mark.parametrize("name", [name for name in EXPECTED if "entry" in EXPECTED[name]])
def test_a_sample_is_read(path: Path, name: str) -> None:
    """A byte order mark, Windows' line ends and full times are fine, and stay when a note comes."""
    sample(name, path)
    before = path.read_bytes()
    said = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in EXPECTED[name]["entry"].items()
    }
    assert journal.read(path)["1.3"] == Entry(**said)

    entry = journal.note(path, "1.3", difficulty=2)

    assert entry == Entry(**said, difficulty=2)
    assert journal.read(path)["1.3"] == entry
    after = path.read_bytes()
    ending = b"\r\n" if b"\r\n" in before else b"\n"
    assert after.replace(b"difficulty = 2" + ending, b"", 1) == before
    assert set(re.findall(rb"\r?\n", after)) == {ending}


def test_a_journal_that_is_not_utf_8(path: Path) -> None:
    """It is told where, and left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"[task_1_1]\naha = '\xe4'\n")

    with pytest.raises(BadJournal, match=r":2:8: this is not UTF-8: save it as UTF-8"):
        journal.read(path)


def test_a_folder_is_no_journal(path: Path) -> None:
    """What cannot be read is told."""
    path.mkdir(parents=True)

    with pytest.raises(BadJournal, match="it cannot be read: Is a directory"):
        journal.read(path)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"difficulty": 0}, "difficulty is a whole number from 1 to 5"),
        ({"minutes": 10**9}, "minutes is a whole number from 0 to 525600"),
        ({"mood": "good"}, "a journal has no 'mood'"),
    ],
)
def test_a_wrong_value_is_not_written(path: Path, said: dict[str, Any], problem: str) -> None:
    """The journal is not even made."""
    with pytest.raises(BadJournal, match=problem):
        journal.note(path, "1.1", **said)

    assert not path.exists()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """Where nothing can be written that is told in one line."""
    (tmp_path / "reports").write_text("", "utf-8")

    with pytest.raises(BadJournal, match="it cannot be written: File exists: check its rights"):
        journal.note(tmp_path / "reports" / "journal.toml", "1.1", minutes=3)


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """Whoever keeps the journal elsewhere keeps it there."""
    elsewhere = tmp_path / "mine.toml"
    path.parent.mkdir()
    path.symlink_to(elsewhere)

    journal.note(path, "1.1", minutes=3)

    assert path.is_symlink()
    assert journal.read(elsewhere) == {"1.1": Entry(minutes=3)}


def test_a_link_that_leads_nowhere_makes_no_folder(path: Path, tmp_path: Path) -> None:
    """Where its target's folder is not there, nothing is made in its place."""
    path.parent.mkdir()
    path.symlink_to(tmp_path / "gone" / "mine.toml")

    with pytest.raises(BadJournal, match="it is a link that leads nowhere"):
        journal.note(path, "1.1", minutes=3)

    assert not (tmp_path / "gone").exists()


def test_nothing_is_left_beside_the_target_of_a_link(path: Path, tmp_path: Path) -> None:
    """Its folder is somebody's."""
    elsewhere = tmp_path / "theirs" / "mine.toml"
    elsewhere.parent.mkdir()
    elsewhere.write_text("[task_1_1]\n")
    path.parent.mkdir()
    path.symlink_to(elsewhere)

    journal.note(path, "1.1", minutes=3)

    assert list(elsewhere.parent.iterdir()) == [elsewhere]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_who_may_read_a_journal_stays_as_it_is(path: Path, mode: int) -> None:
    """Private notes stay private."""
    path.parent.mkdir()
    path.touch(mode)
    path.chmod(mode)

    journal.note(path, "1.1", aha=("mine",))

    assert path.stat().st_mode & 0o777 == mode


def test_a_journal_that_may_only_be_read_is_not_written(path: Path) -> None:
    """Whoever took the right to write away meant it."""
    path.parent.mkdir()
    path.touch(0o444)

    with pytest.raises(BadJournal, match="it cannot be written: Permission denied"):
        journal.note(path, "1.1", minutes=3)

    assert path.read_text("utf-8") == ""


def test_a_pipe_is_no_journal(path: Path) -> None:
    """It is not waited for."""
    path.parent.mkdir()
    os.mkfifo(path)

    with pytest.raises(BadJournal, match="it is not a file"):
        journal.note(path, "1.1", minutes=3)


def test_notes_at_the_same_time_are_all_kept(path: Path) -> None:
    """One waits for the other."""
    with ThreadPoolExecutor(4) as threads:
        notes = [
            threads.submit(journal.note, path, "1.1", aha=(f"number {number}",))
            for number in range(12)
        ]
        for each in notes:
            each.result()

    expected = sorted(f"number {number}" for number in range(12))
    assert sorted(journal.read(path)["1.1"].aha) == expected


HOSTILE = ["\x00", "\x1b[31mred", "\u202e", '"""', "\\", "\ud800", "a\nb\r\n", "x" * 1_000_000]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_kept_as_text(path: Path, text: str) -> None:
    """It comes back as it was; what no file can hold comes back written out."""
    journal.note(path, "1.1", aha=(text,))

    kept = text.encode("utf-8", "backslashreplace").decode()
    assert journal.read(path)["1.1"].aha == (kept,)


entries = st.fixed_dictionaries(
    {},
    optional={
        "minutes": st.integers(0, 525_600),
        "difficulty": st.integers(1, 5),
        "started": st.dates(),
        "aha": st.lists(st.text(), min_size=1, max_size=3).map(tuple),
        "questions": st.lists(st.text(), min_size=1, max_size=3).map(tuple),
    },
)


@given(st.lists(st.tuples(st.sampled_from(["1.1", "1.2", "2.10"]), entries), max_size=5))
def test_any_notes_make_a_valid_journal(
    tmp_path_factory: pytest.TempPathFactory, notes: list[tuple[str, dict[str, Any]]]
) -> None:
    """What was noted is what is read, in whatever order; comments by hand survive all of it."""
    path = by_hand(tmp_path_factory.mktemp("journal") / "journal.toml", BY_HAND)
    comments = [line.partition("#")[2] for line in BY_HAND.splitlines() if "#" in line]
    expected = dict(journal.read(path))

    for task_id, said in notes:
        entry = journal.note(path, task_id, **said)
        assert entry.aha[len(expected.get(task_id, Entry()).aha) :] == said.get("aha", ())
        expected[task_id] = entry

    text = path.read_text("utf-8")
    assert journal.read(path) == expected
    assert tomllib.loads(text)["task_1_2"]["difficulty"] == expected["1.2"].difficulty
    assert all(f"#{comment}" in text for comment in comments)
