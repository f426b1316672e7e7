"""The components under test: the reference or a learner's, and clear words for each slip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kafkalab.learning_log.verdicts import Outcome, judge
from kafkalab.solutions import REFERENCE, BrokenContract, Solutions


@pytest.fixture
def my_lab(tmp_path: Path) -> Path:
    """A learner's folder, still empty."""
    folder = tmp_path / "my_lab"
    folder.mkdir()
    return folder


def write(folder: Path, code: str) -> Path:
    """Write the component of task 1.1."""
    path = folder / "topics.py"
    path.write_text(code, "utf-8")
    return path


def test_without_a_folder_the_reference_is_judged() -> None:
    """Kafkalab's own components are what the facts are tried on."""
    import kafkalab.tasks.topics as reference

    solutions = Solutions(None)

    assert solutions.folder == REFERENCE
    assert solutions.topics.provision is reference.provision


def test_the_references_own_folder_is_the_reference() -> None:
    """Naming it does not load it a second time: its classes stay the same."""
    import kafkalab.tasks.topics as reference

    assert Solutions(REFERENCE).topics.TopicDefinition is reference.TopicDefinition


def test_a_learners_component_is_judged(my_lab: Path) -> None:
    """What stands in the folder's file is used, not the reference."""
    write(my_lab, "def provision():\n    return 'mine'\n")

    assert Solutions(my_lab).topics.provision() == "mine"


def test_a_component_is_loaded_once(my_lab: Path) -> None:
    """All facts of a run judge the same module, with whatever it remembers."""
    write(my_lab, "made = []\n")
    solutions = Solutions(my_lab)

    solutions.topics.made.append("a topic")

    assert solutions.topics.made == ["a topic"]


def test_two_folders_do_not_mix(tmp_path: Path) -> None:
    """A later load of a component of the same name does not change the earlier one."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, f"name = '{name}'\n")
    one, two = Solutions(tmp_path / "one"), Solutions(tmp_path / "two")

    assert (one.topics.name, two.topics.name, one.topics.name) == ("one", "two", "one")


def test_a_component_hides_no_other_module(my_lab: Path) -> None:
    """A learner's `topics` is no top-level module: other code may have one."""
    before = sys.modules.get("topics")
    write(my_lab, "name = 'mine'\n")

    assert Solutions(my_lab).topics.name == "mine"
    assert sys.modules.get("topics") is before


def test_a_missing_name_breaks_the_contract(my_lab: Path) -> None:
    """The text names file and name, not a module that the learner never wrote."""
    path = write(my_lab, "def provison():\n    pass\n")
    topics = Solutions(my_lab).topics

    with pytest.raises(BrokenContract) as broken:
        topics.provision()

    assert str(broken.value) == f"{path.name} has no 'provision', which this task asks for"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        pytest.param("import os\n\ndef provision(:\n", 3, id="syntax"),
        pytest.param("def provision():\nreturn 1\n", 2, id="indentation"),
    ],
)
def test_a_syntax_error_breaks_the_contract(my_lab: Path, code: str, line: int) -> None:
    """The text names file and line, as an editor takes them."""
    path = write(my_lab, code)
    solutions = Solutions(my_lab)

    with pytest.raises(BrokenContract) as broken:
        solutions.topics.provision()

    assert str(broken.value).startswith(f"{path.name}:{line}: SyntaxError: ")


def test_a_syntax_error_of_another_file_is_told_with_that_file(my_lab: Path) -> None:
    """A line number without its own file would send the learner to the wrong place."""
    helper = my_lab / "helper.py"
    helper.write_text("good = 1\nbad =\n", "utf-8")
    write(my_lab, f"import runpy\n\n\n\nrunpy.run_path({str(helper)!r})\n")
    solutions = Solutions(my_lab)

    with pytest.raises((BrokenContract, SyntaxError)) as error:
        solutions.topics.provision()

    assert "helper.py" in str(error.value)
    assert "topics.py" not in str(error.value)


def test_a_broken_contract_refutes(my_lab: Path) -> None:
    """It is the component that does not do what its task promises."""
    write(my_lab, "")

    with pytest.raises(BrokenContract) as broken:
        Solutions(my_lab).topics.provision()

    assert judge(broken.value, my_lab, lambda: None)[0] is Outcome.REFUTED


def test_an_error_while_loading_is_the_learners(my_lab: Path) -> None:
    """The exception comes out as it is, and refutes."""
    write(my_lab, "import os\n\nnumber = 1 / 0\n")

    with pytest.raises(ZeroDivisionError) as error:
        Solutions(my_lab).topics.provision()

    assert judge(error.value, my_lab, lambda: None)[0] is Outcome.REFUTED


def test_a_missing_file_skips_with_reason_and_remedy(my_lab: Path) -> None:
    """Whoever has not come to a task yet is not refuted in it."""
    with pytest.raises(pytest.skip.Exception) as skipped:
        Solutions(my_lab).topics.provision()

    assert str(skipped.value) == (
        f"{my_lab / 'topics.py'} is not there: write it, or leave --kafkalab-solutions out"
    )


def test_a_file_is_looked_for_when_a_fact_needs_it(my_lab: Path) -> None:
    """A folder with the first task's component only is fine for the first task."""
    solutions = Solutions(my_lab)

    write(my_lab, "name = 'mine'\n")

    assert solutions.topics.name == "mine"
