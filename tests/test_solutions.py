"""The components under test: the reference or a learner's, and clear words for each slip."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from kafkalab.contracts import BrokenContract, delivery
from kafkalab.contracts import topics as contracts_topics
from kafkalab.contracts.topics import Topics
from kafkalab.curriculum import Task, load
from kafkalab.learning_log.verdicts import Outcome, judge
from kafkalab.observe.children import Child, ChildFailed, Say
from kafkalab.solutions import REFERENCE, Solutions, asked_for


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
    write(my_lab, "def describe(config, names):\n    return 'mine'\n")

    assert Solutions(my_lab).topics.describe({}, []) == "mine"


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


# What a component offers


@pytest.mark.parametrize("task", load().tasks, ids=lambda task: task.component)
def test_the_reference_keeps_each_contract(task: Task) -> None:
    """Each task has a contract of its component's name, and an answer with all that it asks for.

    The Protocol of the module's own name says what that is.
    """
    module = importlib.import_module(f"kafkalab.contracts.{task.component}")
    contract = getattr(module, task.component.title().replace("_", ""))
    component = getattr(Solutions(None), task.component)

    names = asked_for(contract)

    assert names, "it asks for something"
    for name in names:
        assert getattr(component, name) is not None


def test_a_missing_name_breaks_the_contract(my_lab: Path) -> None:
    """The text names file, name and signature, not a module that the learner never wrote."""
    write(my_lab, "def provison(config, definitions, *, grow=False):\n    pass\n")
    topics = Solutions(my_lab).topics

    with pytest.raises(BrokenContract) as broken:
        topics.provision({}, [])

    assert str(broken.value) == (
        "topics.py has no 'provision', which this task asks for: "
        "provision(config, definitions, *, grow=False)"
    )


def test_half_a_component_offers_its_half(my_lab: Path) -> None:
    """Names are looked at one by one: whoever has written one function is judged by it."""
    write(my_lab, "def describe(config, names):\n    return []\n\nprovision = None\n")

    assert Solutions(my_lab).topics.describe({}, []) == []


@pytest.mark.parametrize(
    ("code", "saw"),
    [
        ("def provision(config, definitions): ...", "provision(config, definitions)"),
        (
            "def provision(config, definitions, *, may_grow=False): ...",
            "provision(config, definitions, *, may_grow=False)",
        ),
        (
            "def provision(config, topics, *, grow=False): ...",
            "provision(config, topics, *, grow=False)",
        ),
        ("def provision(definitions, *, grow=False): ...", "provision(definitions, *, grow=False)"),
        (
            "def provision(definitions, config, *, grow=False): ...",
            "provision(definitions, config, *, grow=False)",
        ),
        (
            "def provision(config, definitions, limit, *, grow=False): ...",
            "provision(config, definitions, limit, *, grow=False)",
        ),
        (
            "def provision(config, definitions, /, *, grow=False): ...",
            "provision(config, definitions, /, *, grow=False)",
        ),
        (
            "def provision(*, config, definitions, grow=False): ...",
            "provision(*, config, definitions, grow=False)",
        ),
        (
            "def provision(config, definitions, *, grow): ...",
            "provision(config, definitions, *, grow)",
        ),
        ("def provision(): ...", "provision()"),
        ("class provision: ...", "provision()"),
        (
            "def provision(config: dict[str, int], definitions: 'list[str]') -> None: ...",
            "provision(config, definitions)",
        ),
    ],
    ids=[
        "a parameter is missing",
        "renamed, given by name",
        "renamed, given by position",
        "the first one is missing",
        "in another order",
        "one more is required",
        "by position only",
        "by name only",
        "an optional one is required",
        "none at all",
        "a class that takes nothing",
        "with types",
    ],
)
def test_another_signature_breaks_the_contract(my_lab: Path, code: str, saw: str) -> None:
    """The text names file and line, what is asked for and what is there; nothing was run."""
    write(my_lab, f"import os\n\n{code}\n")

    with pytest.raises(BrokenContract) as broken:
        _ = Solutions(my_lab).topics.provision

    assert str(broken.value) == (
        f"topics.py{'' if 'class' in code else ':3'}: this task asks for "
        f"provision(config, definitions, *, grow=False), and finds {saw}"
    )


def test_what_cannot_be_called_breaks_the_contract(my_lab: Path) -> None:
    """A value in place of a function is shown."""
    write(my_lab, "describe = None\n")

    with pytest.raises(BrokenContract) as broken:
        _ = Solutions(my_lab).topics.describe

    assert str(broken.value) == (
        "topics.py: this task asks for describe(config, names), and finds None"
    )


@pytest.mark.parametrize(
    "code",
    [
        "def provision(config, definitions, *, grow=False): return 'mine'",
        "def provision(config, definitions, grow=False, limit=3): return 'mine'",
        "def provision(*args, **given): return 'mine'",
        "def provision(config, *more, grow: bool = True, **given) -> str: return 'mine'",
        "provision = lambda config, definitions, *, grow=False: 'mine'",
        "def whole(config, definitions, grow, note): return note\n"
        "provision = functools.partial(whole, grow=False, note='mine')",
        "class Provisioner:\n"
        "    def __call__(self, config, definitions, *, grow=False): return 'mine'\n"
        "provision = Provisioner()",
        "class Provisioner:\n"
        "    def run(self, config, definitions, *, grow=False): return 'mine'\n"
        "provision = Provisioner().run",
        "class provision(str):\n"
        "    def __new__(cls, config, definitions, *, grow=False): return str('mine')",
        "def logged(function):\n"
        "    @functools.wraps(function)\n"
        "    def call(*args, **given): return function(*args, **given)\n"
        "    return call\n"
        "@logged\n"
        "def provision(config, definitions, *, grow=False): return 'mine'",
        "def with_note(function):\n"
        "    @functools.wraps(function)\n"
        "    def call(*args, **given): return function('mine', *args, **given)\n"
        "    return call\n"
        "@with_note\n"
        "def provision(note, config, definitions, *, grow=False): return note",
        "@functools.cache\ndef provision(config, definitions, *, grow=False): return 'mine'",
    ],
    ids=[
        "as asked for",
        "more optional ones",
        "anything",
        "the rest as it comes",
        "a lambda",
        "a partial",
        "an object",
        "a bound method",
        "a class",
        "decorated",
        "decorated, with more inside",
        "cached",
    ],
)
def test_another_style_keeps_the_contract(my_lab: Path, code: str) -> None:
    """Whatever takes the calls that the contract allows will do, however it is written."""
    write(my_lab, f"import functools\n\n{code}\n")
    topics: Any = Solutions(my_lab).topics

    assert topics.provision((), (), grow=False) == "mine"


def test_a_function_that_shows_no_signature_is_not_refused(my_lab: Path) -> None:
    """Of one that is written in C it may be unknown; what it does will be judged."""
    (my_lab / "routing.py").write_text(
        "from confluent_kafka import consistent as crc32_partition\n", "utf-8"
    )

    assert Solutions(my_lab).routing.crc32_partition is confluent_kafka.consistent


CLOSED = """
class IdempotentSink:
    def __init__(self, path): self.path = path
    def apply(self, message): return True
    def values(self): return [self.path]
    def close(self): ...
"""


@pytest.mark.parametrize(
    "code",
    [
        CLOSED,
        CLOSED + "IdempotentSink = functools.partial(IdempotentSink)",
        CLOSED + "Made = IdempotentSink\ndef IdempotentSink(path): return Made(path)",
        CLOSED.replace("def apply(self, message)", "def apply(self, record, *, again=False)"),
        CLOSED.replace("def apply(self, message)", "@staticmethod\n    def apply(message)"),
        CLOSED.replace("def close(self): ...", "def __getattr__(self, name): return print"),
        CLOSED.replace("self.path = path", "self.path = path; self.close = print"),
        "@dataclasses.dataclass\n"
        + CLOSED.lstrip().replace("def __init__(self, path): self.path = path", "path: str"),
    ],
    ids=[
        "a class",
        "a partial",
        "a function",
        "the client's names are its own",
        "a static method",
        "any method",
        "a method of the instance",
        "a dataclass",
    ],
)
def test_another_style_of_class_keeps_the_contract(my_lab: Path, code: str) -> None:
    """What makes a sink may be anything that can be called; what it makes has the methods."""
    (my_lab / "delivery.py").write_text(f"import dataclasses, functools\n\n{code}\n", "utf-8")
    delivery: Any = Solutions(my_lab).delivery

    sink = delivery.IdempotentSink("here")

    assert (sink.apply("a record"), sink.values(), sink.close()) == (True, ["here"], None)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            CLOSED.replace("(self, path)", "(self)").replace("= path", "= None"),
            "delivery.py:4: this task asks for IdempotentSink(path), and finds IdempotentSink()",
        ),
        (
            CLOSED.replace("close", "shut"),
            "delivery.py has no 'close', which this task asks for: IdempotentSink.close(self)",
        ),
        (
            CLOSED.replace("apply(self, message)", "apply(self, message, offset)"),
            "delivery.py:5: this task asks for IdempotentSink.apply(self, message, /), "
            "and finds apply(self, message, offset)",
        ),
        (
            CLOSED.replace("values(self)", "values()"),
            "delivery.py:6: this task asks for IdempotentSink.values(self), and finds values()",
        ),
    ],
    ids=["the constructor", "a method is missing", "one more is required", "without self"],
)
def test_another_class_breaks_the_contract(my_lab: Path, code: str, told: str) -> None:
    """A class is held against its contract when it is looked up, what it makes when it is made."""
    (my_lab / "delivery.py").write_text(f"import functools\n{code}\n", "utf-8")

    with pytest.raises(BrokenContract) as broken:
        Solutions(my_lab).delivery.IdempotentSink(my_lab / "effects")

    assert str(broken.value) == told


def test_what_the_contract_gives_may_be_left_out(my_lab: Path) -> None:
    """Settings of the contract hold where a component has none of its own."""
    (my_lab / "delivery.py").write_text("", "utf-8")
    assert Solutions(my_lab).delivery.SETTINGS is delivery.SETTINGS

    (my_lab / "delivery.py").write_text("SETTINGS = {'at_least_once': {}}\n", "utf-8")
    assert Solutions(my_lab).delivery.SETTINGS == {**delivery.SETTINGS, "at_least_once": {}}

    (my_lab / "delivery.py").write_text("SETTINGS = None\n", "utf-8")
    with pytest.raises(BrokenContract, match=r"delivery.py: SETTINGS is not a mapping: None"):
        _ = Solutions(my_lab).delivery.SETTINGS


# Loading


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


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("number = 1 / 0", "ZeroDivisionError: division by zero"),
        ("import comon", "ModuleNotFoundError: No module named 'comon'"),
        (
            "from kafkalab.contracts.topics import Acton",
            "ImportError: cannot import name 'Acton' from 'kafkalab.contracts.topics'",
        ),
        ("admin = AdminClient({})", "NameError: name 'AdminClient' is not defined"),
        ("raise OSError('two\\nlines')", "OSError: two lines"),
        ("assert False", "AssertionError: no message"),
        ("import sys; sys.exit('no')", "SystemExit: no"),
        ("import json; json.loads('{')", "JSONDecodeError: Expecting property name"),
    ],
    ids=lambda value: value.partition(":")[0] if ": " in value else "",
)
def test_an_error_while_loading_breaks_the_contract(my_lab: Path, code: str, told: str) -> None:
    """Whatever a file raises is told in one line, with the line of the learner's that raised it."""
    write(my_lab, f"import os\n\n{code}\n")
    solutions = Solutions(my_lab)

    with pytest.raises(BrokenContract) as broken:
        _ = solutions.topics

    assert str(broken.value).startswith(f"topics.py:3: {told}")
    assert len(str(broken.value).splitlines()) == 1
    assert judge(broken.value, my_lab, lambda: None)[0] is Outcome.REFUTED


def test_an_error_while_loading_shows_no_line_of_ours(
    my_lab: Path, pytester: pytest.Pytester
) -> None:
    """The failure that pytest shows has the learner's place, and nothing of how it was loaded."""
    write(my_lab, "import comon\n")
    pytester.makepyfile(
        f"""
        from pathlib import Path
        from kafkalab.solutions import Solutions

        def test_it():
            Solutions(Path({str(my_lab)!r})).topics.provision
        """
    )

    printed = pytester.runpytest_subprocess("-p", "no:kafkalab.plugin").stdout.str()

    assert "topics.py:1: ModuleNotFoundError: No module named 'comon'" in printed
    assert "solutions.py" not in printed
    assert "own_code.py" not in printed


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


# Several files


def write_all(folder: Path, files: dict[str, str]) -> None:
    """Write files by their paths below a folder."""
    for path, code in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code, "utf-8")


@pytest.mark.parametrize(
    "files",
    [
        {"topics.py": "from common import name", "common.py": "name = 'mine'"},
        {"topics.py": "import common\nname = common.name", "common.py": "name = 'mine'"},
        {
            "topics.py": "import common as c\nname = c.again.name",
            "common.py": "import again",
            "again.py": "name = 'mine'",
        },
        {
            "topics.py": "from .common import name",
            "common.py": "name = 'mine'",
            "__init__.py": "",
        },
        {
            "topics.py": "from my_lab.common import name",
            "common.py": "name = 'mine'",
            "__init__.py": "",
        },
        {
            "topics.py": "import my_lab.common\nname = my_lab.common.name",
            "common.py": "name = 'mine'",
            "__init__.py": "",
        },
        {"topics/__init__.py": "from .names import name", "topics/names.py": "name = 'mine'"},
        {
            "topics/__init__.py": "import topics.names\nname = topics.names.name",
            "topics/names.py": "name = 'mine'",
        },
        {
            "topics/__init__.py": "from topics import names\nname = names.name",
            "topics/names.py": "from common import name",
            "common.py": "name = 'mine'",
        },
        {"topics.py": "from helpers.names import name", "helpers/names.py": "name = 'mine'"},
        {"topics.py": "from routing import name", "routing.py": "name = 'mine'"},
        {"topics.py": "from statistics import name", "statistics.py": "name = 'mine'"},
    ],
    ids=[
        "a name of a file",
        "a file",
        "files that import files",
        "by dots",
        "by the folder's name",
        "the folder and a file",
        "a package, by dots",
        "a package, by its name",
        "a package and a file beside",
        "a folder of files",
        "another component",
        "a file named as one of Python's",
    ],
)
def test_a_component_may_be_several_files(my_lab: Path, files: dict[str, str]) -> None:
    """Files import each other as Python does in that folder, and nobody else's imports change."""
    before = dict(sys.modules)
    write_all(my_lab, files)

    topics: Any = Solutions(my_lab).topics

    assert topics.name == "mine"
    changed = {each for each in sys.modules if sys.modules[each] is not before.get(each)}
    assert all(each.startswith("kafkalab_solutions_") for each in changed), "no plain names"


def test_a_file_is_imported_late_too(my_lab: Path) -> None:
    """An import inside of a function finds the file beside it, whenever the function is called."""
    late = "def describe(config, names):\n    from common import name\n    return name\n"
    write_all(my_lab, {"topics.py": late, "common.py": "name = 'mine'"})
    topics: Any = Solutions(my_lab).topics

    assert topics.describe({}, []) == "mine"


def test_files_of_two_folders_do_not_mix(tmp_path: Path) -> None:
    """Each folder's files find their own, also when both have the names of an installed module."""
    for name in ("one", "two"):
        files = {"topics.py": "import rich\nname = rich.name", "rich.py": f"name = '{name}'"}
        write_all(tmp_path / name, files)
    one: Any = Solutions(tmp_path / "one").topics
    two: Any = Solutions(tmp_path / "two").topics

    import rich

    assert (one.name, two.name) == ("one", "two")
    assert not hasattr(rich, "name"), "whoever else imports it gets the installed one"


def test_a_component_and_the_files_beside_it_are_one(my_lab: Path) -> None:
    """What one component imports of another is the one that is judged, with all it remembers."""
    write_all(my_lab, {"topics.py": "made = []", "routing.py": "from topics import made"})
    solutions: Any = Solutions(my_lab)

    solutions.topics.made.append("a topic")

    assert solutions.routing.made == ["a topic"]


def test_an_error_of_another_file_is_told_with_that_file(my_lab: Path) -> None:
    """File and line are those of the file that failed, wherever it lies in the folder."""
    write_all(my_lab, {"topics.py": "import inner.bad", "inner/bad.py": "\nraise OSError('no')\n"})

    with pytest.raises(BrokenContract) as broken:
        _ = Solutions(my_lab).topics

    assert str(broken.value) == "inner/bad.py:2: OSError: no"


def test_an_edit_that_follows_at_once_is_seen(my_lab: Path) -> None:
    """What stands in the files now is judged, and nothing is written beside them."""
    for name in ("one", "two"):
        write(my_lab, f"name = '{name}'\n")
        topics: Any = Solutions(my_lab).topics
        assert topics.name == name

    assert [each.name for each in my_lab.iterdir()] == ["topics.py"]


def test_a_component_travels_to_another_process(my_lab: Path) -> None:
    """It pickles as its place, with the files beside it: who is handed one loads it anew."""
    late = "import common\n\ndef describe(config, names):\n    return common.name\n"
    write_all(my_lab, {"topics.py": late, "common.py": "import os\nname = os.getpid()"})
    topics: Any = Solutions(my_lab).topics

    child = Child(says_what_is_described, topics)

    (there,) = child.wait(20)
    assert there != topics.describe({}, []) == os.getpid()


def says_what_is_described(say: Say, topics: Topics) -> None:
    say(topics.describe({}, []))


def test_a_broken_contract_is_told_out_of_another_process(my_lab: Path) -> None:
    """The text is the same as here: it names the learner's place, not the one that raised it."""
    write(my_lab, "")
    child = Child(says_what_is_described, Solutions(my_lab).topics)

    with pytest.raises(ChildFailed, match=r"^topics\.py has no 'describe'"):
        child.wait(20)


# What was tried, and went wrong once


def test_an_async_function_is_told_before_it_is_called(my_lab: Path) -> None:
    """It would return at once, and have done nothing."""
    write(my_lab, "async def provision(config, definitions, *, grow=False): ...\n")

    with pytest.raises(BrokenContract, match=r"topics.py:1: .* a plain provision\(.*an async func"):
        _ = Solutions(my_lab).topics.provision


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "from abc import ABC, abstractmethod\n\nclass RebalanceListener(ABC):\n"
            "    def __init__(self, member, changes): ...\n"
            "    @abstractmethod\n    def on_assign(self, consumer, partitions): ...\n",
            "rebalance.py: RebalanceListener() fails: Can't instantiate abstract class",
        ),
        (
            "def RebalanceListener(member, changes): ...\n",
            "rebalance.py: RebalanceListener() returned None",
        ),
    ],
    ids=["abstract", "nothing"],
)
def test_a_class_that_makes_nothing_is_told(my_lab: Path, code: str, said: str) -> None:
    """In one sentence that names the component."""
    (my_lab / "rebalance.py").write_text(code, "utf-8")

    with pytest.raises(BrokenContract) as broken:
        Solutions(my_lab).rebalance.RebalanceListener("a", [])

    assert str(broken.value).startswith(said)


def test_kafkalab_is_never_the_learners(my_lab: Path) -> None:
    """Where a folder holds a package of that name, as a clone's root does, types stay the same."""
    (my_lab / "kafkalab" / "contracts").mkdir(parents=True)
    (my_lab / "kafkalab" / "contracts" / "topics.py").write_text("NotKnownEverywhere = None\n")
    write(my_lab, "from kafkalab.contracts.topics import NotKnownEverywhere as given\n")

    assert Solutions(my_lab).topics.given is contracts_topics.NotKnownEverywhere
