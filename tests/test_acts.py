"""The learner's acts are added and kept, whoever writes beside, and however a writer went."""

from __future__ import annotations

import json
import subprocess
from multiprocessing import get_context
from pathlib import Path

import pytest

from kafkalab.learning_log.acts import EXPLAINED, FILE, PREDICTED, append, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports" / FILE


def test_an_act_is_read_as_it_was_written(path: Path) -> None:
    """With its time, and all that belongs to its kind."""
    first = append(path, PREDICTED, "same-key-same-partition", chosen="In turn", right=False)
    second = append(path, EXPLAINED, "same-key-same-partition", text="Über den Hash.\n2 lines")

    assert read(path) == ((first, second), ())
    assert second.said == {"text": "Über den Hash.\n2 lines"}
    assert len(path.read_bytes().splitlines()) == 2, "a line is an act"


def test_without_a_file_nothing_was_done(path: Path) -> None:
    assert read(path) == ((), ())


def test_nothing_is_ever_rewritten(path: Path) -> None:
    """What stands there stays, byte for byte, also what no kafkalab can read."""
    append(path, PREDICTED, "one")
    held = path.read_bytes() + b'not an act\n{"kind": "of a later kafkalab", "depth": 3}\n'
    path.write_bytes(held)

    append(path, PREDICTED, "two")

    assert path.read_bytes().startswith(held)


def test_a_line_that_is_no_act_is_passed_over_and_named(path: Path) -> None:
    """The others count."""
    one = append(path, PREDICTED, "one")
    with path.open("ab") as file:
        file.write(b'{"id": 3, "at": "today", "kind": "x", "about": "y"}\n[]\n\xff\n')
    two = append(path, PREDICTED, "two")

    acts, set_aside = read(path)

    assert acts == (one, two)
    assert set_aside == tuple(f"{FILE}:{n} is set aside: it is no act" for n in (2, 3, 4))


@pytest.mark.parametrize("at", ["9999-12-31T00:00:00+00:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_at_the_calendars_end_is_no_acts(path: Path, at: str) -> None:
    """Nothing can be due after it; the others count."""
    one = append(path, PREDICTED, "one")
    line = {"id": "2", "at": at, "kind": PREDICTED, "about": "two"}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")

    assert read(path) == ((one,), (f"{FILE}:2 is set aside: it is no act",))


def test_an_act_of_a_kind_to_come_is_kept(path: Path) -> None:
    """A later kafkalab wrote it: it is there for whoever knows what it means."""
    act = append(path, "graded", "why-three-replicas", grade=3)

    assert read(path) == ((act,), ())


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_who_was_killed_in_the_middle_of_a_line_spoils_no_other(path: Path, cut: int) -> None:
    """The next act begins on a line of its own."""
    one = append(path, PREDICTED, "one")
    append(path, PREDICTED, "killed")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])

    three = append(path, PREDICTED, "three")

    acts, set_aside = read(path)
    assert one in acts
    assert three in acts
    assert len(acts) + len(set_aside) == 3


def _write(path: Path, name: str) -> None:
    for number in range(200):
        append(path, PREDICTED, f"{name}-{number}", text="x" * 300)


def test_two_may_write_at_once(path: Path) -> None:
    """No line is lost or torn."""
    context = get_context("spawn")
    writers = [context.Process(target=_write, args=(path, name)) for name in "ab"]
    for each in writers:
        each.start()
    for each in writers:
        # 60 s: 400 lines take less than a second.
        each.join(60)

    acts, set_aside = read(path)

    assert set_aside == ()
    assert len({act.about for act in acts}) == 400


def test_git_merges_two_days_into_one(path: Path, repository: Path) -> None:
    """Both sides' lines are kept, none twice, as `.gitattributes` says."""
    folder = path.parents[1]

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=ann", "-c", "user.email=ann@example.com"]
        # 60 s: git takes milliseconds.
        subprocess.run(
            ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, timeout=60
        )

    both = append(path, PREDICTED, "before")
    (folder / ".gitattributes").write_text((repository / ".gitattributes").read_text("utf-8"))
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "before")
    git("checkout", "-b", "laptop")
    on_laptop = append(path, PREDICTED, "on the laptop")
    git("commit", "-am", "laptop")
    git("checkout", "main")
    on_desk = append(path, PREDICTED, "at the desk")
    git("commit", "-am", "desk")

    git("merge", "laptop")

    assert read(path) == ((both, on_laptop, on_desk), ())
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())
