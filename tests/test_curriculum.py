"""The curriculum checks itself: manifest and tests' own text must fit together."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.curriculum import BadManifest, Concept, Curriculum, Task, Word, load
from kafkalab.curriculum.assertions import problems_of_assertions

MANIFEST = """\
[module]
id = "T"
title = "A small module"
package = "lessons"

[[task]]
id = "1.1"
title = "Topics"
question = "What is a topic made of?"
module = "test_topics"
component = "topics"

[task.facts.has-partitions]
hint = "Describe it."

[[task]]
id = "1.2"
title = "Routing"
question = "Where does a record go?"
module = "test_routing"
component = "routing"

[task.facts.key-decides]
hint = "Send two keys."
no_control = "a fact about a component"
"""

TOPICS = '''\
import pytest


@pytest.mark.fact("has-partitions", scope="any client")
@pytest.mark.parametrize("partitions", [1, 3])
def test_a_topic_has_partitions(partitions):
    """A topic has the partitions that were asked for.

    Why it matters comes after.
    """


@pytest.mark.control("has-partitions", changes="nothing was created")
def test_an_unknown_topic_has_none():
    """A topic that nobody created has no partitions."""


def test_that_states_nothing():
    """Checks a helper"""
'''

ROUTING = '''\
import pytest


@pytest.mark.fact("key-decides", scope="librdkafka")
def test_the_key_decides():
    """Records with the same key land in the same partition."""
'''


class Course:
    """A small module of a course, written to a folder, in which one thing can be changed."""

    def __init__(self, folder: Path) -> None:
        self.manifest = folder / "module.toml"
        self._lessons = folder / "lessons"
        self._lessons.mkdir()
        self.manifest.write_text(MANIFEST, "utf-8")
        self.lesson("test_topics").write_text(TOPICS, "utf-8")
        self.lesson("test_routing").write_text(ROUTING, "utf-8")

    def lesson(self, module: str) -> Path:
        return self._lessons / f"{module}.py"

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text("utf-8")
        assert old in text, "the change fits the text"
        path.write_text(text.replace(old, new), "utf-8")

    def load(self) -> Curriculum:
        return load(self.manifest)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path)


def test_module_a_has_no_problem() -> None:
    """The curriculum that kafkalab brings is whole."""
    assert load().problems() == []


def evidence_calls(kind: str) -> list[tuple[str, ast.Call]]:
    """The calls of `evidence.kind()` in Module A, with their places."""
    return [
        (f"{path.name}:{node.lineno}", node)
        for path in sorted(load().folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"evidence.{kind}"
    ]


@pytest.mark.parametrize("kind", ["shares", "timeline", "series"])
def test_every_picture_says_what_to_look_at(kind: str) -> None:
    """In a sentence or two that end in a full stop."""
    calls = evidence_calls(kind)

    assert calls, "there are such pictures"
    for place, call in calls:
        said = [ast.literal_eval(each.value) for each in call.keywords if each.arg == "look"]
        assert said, f"{place}: look= is missing"
        assert re.fullmatch(r"[A-Z].{20,200}\.", said[0]), f"{place}: {said[0]}"


def test_notes_tell_values_in_words() -> None:
    """A value is given beside the text, and not put into it as Python writes it."""
    for place, call in evidence_calls("note"):
        assert isinstance(call.args[0], ast.Constant | ast.Name), place


@pytest.mark.parametrize("kind", ["table", "note", "number"])
def test_evidence_is_plain_to_one_who_has_not_read_the_test(kind: str) -> None:
    """No sentinel, the device of a test; and errors with their names, not their text alone."""
    for place, call in evidence_calls(kind):
        texts = [each.value for each in ast.walk(call) if isinstance(each, ast.Constant)]
        assert not [each for each in texts if "sentinel" in str(each).lower()], place
        assert ".str()" not in ast.unparse(call), f"{place}: questions and answers have error names"


def test_the_readme_of_module_a_shows_a_test_as_it_is() -> None:
    """Line by line, but for the marks in it and what it leaves out."""
    folder = load().folder
    shown = (folder / "README.md").read_text("utf-8").partition("```python\n")[2]
    code = (folder / "test_task_1_1_topics.py").read_text("utf-8").splitlines()
    for line in shown.partition("```")[0].splitlines():
        plain = re.sub(r"\s+# \(\d\)$", "", line)
        assert plain.strip() == "..." or plain in code, plain


def test_the_readme_of_module_a_lists_its_modules() -> None:
    """Each with its parts, in the order in which they are read."""
    curriculum = load()
    text = (curriculum.folder / "README.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)\.py` \|", text, re.MULTILINE) == list(curriculum.modules)
    for task in curriculum.tasks:
        for title, (first, *_) in task.facts_by_part.items():
            (row,) = re.findall(rf"^\| `{curriculum.stated_facts[first].module}\.py.*", text, re.M)
            assert title in row


def test_each_assertion_of_module_a_is_a_sentence() -> None:
    """The terminal and the page show it alone, as what was expected."""
    assert list(problems_of_assertions(load())) == []


@pytest.mark.parametrize(
    ("assertion", "problem"),
    [
        ("assert seen == 1", "an assertion says in a sentence what is expected"),
        ('assert seen == 1, ""', "'' is no whole sentence that ends in a full stop"),
        (
            'assert seen == 1, "one each"',
            "'one each' is no whole sentence that ends in a full stop",
        ),
        (
            'assert seen == 1, "and it is the only one."',
            "'and it is the only one.' begins in the middle of a sentence",
        ),
        (
            'assert seen == 1, f"each of {seen} is there"',
            "'each of {seen} is there' is no whole sentence that ends in a full stop",
        ),
    ],
)
def test_a_flaw_of_an_assertion_is_told(course: Course, assertion: str, problem: str) -> None:
    """With its place."""
    end = '    """Checks a helper"""'
    whole = 'assert seen, f"Each of {seen} is there."'
    course.change(course.lesson("test_topics"), end, f"{end}\n    {whole}\n    {assertion}")
    (told,) = problems_of_assertions(course.load())
    assert told == f"test_topics.py:21: {problem}"


def test_a_good_curriculum_has_no_problem(course: Course) -> None:
    """The course that the tests below break is whole before."""
    assert course.load().problems() == []


# What a curriculum knows


def test_a_manifest_is_read_as_it_is_written(course: Course) -> None:
    """Module, tasks and facts have the manifest's words and its order."""
    curriculum = course.load()

    assert (curriculum.id, curriculum.title) == ("T", "A small module")
    assert [task.id for task in curriculum.tasks] == ["1.1", "1.2"]
    assert curriculum.task("1.2").question == "Where does a record go?"
    assert curriculum.task("1.2").facts["key-decides"].no_control == "a fact about a component"


def test_a_statement_is_read_off_its_test(course: Course) -> None:
    """The sentence is the docstring's first line; marks give the rest."""
    fact, control, _ = course.load().statements

    assert (fact.slug, fact.role, fact.task) == ("has-partitions", "fact", "1.1")
    assert fact.sentence == "A topic has the partitions that were asked for."
    assert (fact.scope, fact.changes) == ("any client", "")
    assert (fact.function, fact.line) == ("test_a_topic_has_partitions", 6)
    assert (control.slug, control.role) == ("has-partitions", "control")
    assert (control.scope, control.changes) == ("", "nothing was created")


def test_statements_stand_in_the_order_of_tasks_and_tests(course: Course) -> None:
    """The course is taught in this order."""
    statements = course.load().statements

    assert [(each.slug, each.role) for each in statements] == [
        ("has-partitions", "fact"),
        ("has-partitions", "control"),
        ("key-decides", "fact"),
    ]


@pytest.mark.parametrize(
    ("word", "modules"),
    [
        ("has_partitions", {"test_topics"}),
        ("has-partitions", {"test_topics"}),
        ("key_decides", {"test_routing"}),
        ("task_9_9", set()),
        ("partitions", None),
        ("has_partitions or key_decides", None),
        ("not has_partitions", None),
        ("", None),
    ],
)
def test_the_slug_of_a_fact_means_the_modules_that_have_it(
    course: Course, word: str, modules: set[str] | None
) -> None:
    """What else `-k` is given may mean any module: a name of parameters, a part of a name."""
    assert course.load().modules_meant(word) == modules


def test_a_slug_inside_of_another_one_means_both_modules(course: Course) -> None:
    """`-k` takes parts of names, too."""
    course.change(course.lesson("test_routing"), "key-decides", "has-partitions-by-key")
    assert course.load().modules_meant("has_partitions") == {"test_topics", "test_routing"}


def test_no_test_is_imported(course: Course) -> None:
    """A module that cannot be imported here can still be read."""
    course.change(course.lesson("test_topics"), "import pytest", "import there_is_no_such_module")

    assert len(course.load().statements) == 3


@pytest.mark.parametrize(
    ("nodeid", "function"),
    [
        pytest.param(
            "lessons/test_topics.py::test_an_unknown_topic_has_none",
            "test_an_unknown_topic_has_none",
            id="plain",
        ),
        pytest.param(
            "test_topics.py::test_a_topic_has_partitions[3]",
            "test_a_topic_has_partitions",
            id="parametrised",
        ),
        pytest.param(
            "test_topics.py::test_a_topic_has_partitions[a::b-[c]]",
            "test_a_topic_has_partitions",
            id="colons and brackets in a parameter",
        ),
        pytest.param(
            "../site-packages/lessons/test_topics.py::test_a_topic_has_partitions[1]",
            "test_a_topic_has_partitions",
            id="an installed copy",
        ),
    ],
)
def test_a_node_id_leads_to_its_statement(course: Course, nodeid: str, function: str) -> None:
    """Of folders only the last counts: a clone and an installed copy differ before."""
    statement = course.load().statement_of(nodeid)

    assert statement is not None
    assert statement.function == function


@pytest.mark.parametrize(
    "nodeid",
    [
        "test_topics.py::test_that_states_nothing",
        "test_topics.py::test_of_nobody",
        "test_other.py::test_the_key_decides",
        "test_topics.py",
        "tests/test_topics.py::test_an_unknown_topic_has_none",
    ],
    ids=["without a mark", "unknown function", "function of another module", "a module", "a copy"],
)
def test_a_node_id_of_anything_else_leads_to_none(course: Course, nodeid: str) -> None:
    """A test that states nothing is no fact, whatever lies beside it."""
    assert course.load().statement_of(nodeid) is None


# What can be wrong with the tests


NO_SENTENCE = "the docstring's first line is not a sentence that ends in a full stop"
NOT_A_FACT = "the first line says what the test does, not what is true"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param(
            '"""Records with the same key land in the same partition."""',
            "assert True",
            f"test_routing.py:5: {NO_SENTENCE}",
            id="no docstring",
        ),
        pytest.param(
            "in the same partition.",
            "in the same partition",
            f"test_routing.py:5: {NO_SENTENCE}",
            id="no full stop",
        ),
        pytest.param(
            "land in the same",
            "land\n    in the same",
            f"test_routing.py:5: {NO_SENTENCE}",
            id="sentence over two lines",
        ),
        pytest.param(
            "Records with",
            "Test that records with",
            f"test_routing.py:5: {NOT_A_FACT}",
            id="test that",
        ),
        pytest.param(
            "Records with",
            "Tests that records with",
            f"test_routing.py:5: {NOT_A_FACT}",
            id="tests that",
        ),
        pytest.param(
            "Records with",
            "Verifies that records with",
            f"test_routing.py:5: {NOT_A_FACT}",
            id="verifies that",
        ),
        pytest.param(
            "@pytest.mark.fact",
            '@pytest.mark.needs("patience")\n@pytest.mark.fact',
            f"test_routing.py:6: no broker has 'patience': there are {', '.join(CAPABILITIES)}",
            id="a need that nothing meets",
        ),
        pytest.param(
            ', scope="librdkafka"',
            "",
            "test_routing.py:5: a fact names its scope",
            id="no scope",
        ),
    ],
)
def test_a_flaw_of_a_test_is_told_with_its_place(
    course: Course, old: str, new: str, problem: str
) -> None:
    """File and line lead to the flaw; nothing else is complained of."""
    course.change(course.lesson("test_routing"), old, new)

    assert course.load().problems() == [problem]


def test_a_control_names_what_it_changes(course: Course) -> None:
    """A control without its one factor is no experiment."""
    course.change(course.lesson("test_topics"), ', changes="nothing was created"', "")

    assert course.load().problems() == [
        "test_topics.py:14: a control names the one factor that it changes"
    ]


def test_a_slug_that_the_manifest_does_not_know_is_told(course: Course) -> None:
    """A mistyped slug is told from both sides."""
    course.change(course.lesson("test_routing"), '"key-decides"', '"key-decidse"')

    assert course.load().problems() == [
        "test_routing.py:5: the manifest does not know 'key-decidse'",
        "key-decides: no test states it",
    ]


def test_a_fact_in_another_tasks_module_is_told(course: Course) -> None:
    """A slug belongs to one task, and so do the tests that state it."""
    course.change(course.lesson("test_routing"), '"key-decides"', '"has-partitions"')

    assert course.load().problems() == [
        "test_routing.py:5: has-partitions belongs to task 1.1",
        "key-decides: no test states it",
    ]


def test_a_fact_without_control_needs_a_reason(course: Course) -> None:
    """Either a control makes it false, or the manifest says why none can."""
    course.change(course.manifest, 'no_control = "a fact about a component"\n', "")

    assert course.load().problems() == [
        "key-decides: no control makes it false, and the manifest gives no reason"
    ]


def test_a_fact_with_control_needs_no_reason(course: Course) -> None:
    """A reason that is not true any more is told."""
    course.change(
        course.manifest, 'hint = "Describe it."', 'hint = "Describe it."\nno_control = "no way"'
    )

    assert course.load().problems() == [
        "has-partitions: has a control, and a reason why there is none"
    ]


@pytest.mark.parametrize("hint", ["", 'hint = ""'], ids=["no hint", "empty hint"])
def test_a_fact_without_hint_is_told(course: Course, hint: str) -> None:
    """Whoever is stuck gets a hint, for every fact."""
    course.change(course.manifest, 'hint = "Send two keys."', hint)

    assert course.load().problems() == ["key-decides: has no hint"]


def hint(course: Course, text: str) -> None:
    """Write the hints of the second task; its fact is about a component then."""
    course.change(course.lesson("test_routing"), "librdkafka", "the component routing")
    file = course.manifest.parent / "hints" / "task_1_2.toml"
    file.parent.mkdir()
    file.write_text(text, "utf-8")


def test_hints_are_read_in_their_order(course: Course) -> None:
    """What the manifest says comes first; it is what pytest and the log show."""
    hint(course, 'key-decides = ["Hash it.", "crc32(key)"]')

    curriculum = course.load()

    assert curriculum.problems() == []
    note = curriculum.task("1.2").facts["key-decides"]
    assert note.hints == ("Send two keys.", "Hash it.", "crc32(key)")
    assert note.hint == "Send two keys."
    assert curriculum.task("1.1").facts["has-partitions"].hints == ("Describe it.",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("key-decides = []", "key-decides: there are 1 hints, and not 2 to 4"),
        ('key-decides = ["b", "c", "d", "e"]', "key-decides: there are 5 hints, and not 2 to 4"),
        ('key-decides = ["b", " "]', "key-decides: one of its hints is empty"),
        ('key-decides = ["b", "b"]', "key-decides: one of its hints is there twice"),
        ('keys = ["b", "c"]', "task 1.2: hints are of 'keys', which is no fact of it"),
        ('keys = ["b", "c"]', "key-decides: has no hints beside those of its neighbours"),
    ],
)
def test_a_flaw_of_hints_is_told(course: Course, text: str, problem: str) -> None:
    """Two to four, each a text of its own, of every fact about the component."""
    hint(course, text)

    assert problem in course.load().problems()


@pytest.mark.parametrize("text", ['key-decides = "one"', "key-decides = [1]", "key-decides ="])
def test_hints_that_cannot_be_read_are_told(course: Course, text: str) -> None:
    """One clear line."""
    hint(course, text)

    with pytest.raises(BadManifest, match=r"module\.toml"):
        course.load()


def test_each_component_fact_of_module_a_has_several_hints() -> None:
    """The last says more than the first: it is the longest of the three as a rule."""
    curriculum = load()
    facts = [
        curriculum.task(each.task).facts[slug]
        for slug, each in curriculum.stated_facts.items()
        if each.scope.startswith("the component")
    ]

    assert len(facts) == 103
    assert all(2 <= len(fact.hints) <= 4 for fact in facts)
    longest = sum(fact.hints[-1] == max(fact.hints, key=len) for fact in facts)
    assert longest > 0.8 * len(facts), "nearly the code comes last"


@pytest.mark.parametrize("task", load().tasks, ids=lambda task: task.id)
def test_the_manifest_has_the_facts_in_the_order_of_the_tests(task: Task) -> None:
    """A part is successive facts of the manifest: in another order some land in another part."""
    stated = [
        each.slug for each in load().statements if (each.role, each.task) == ("fact", task.id)
    ]

    assert list(task.facts) == stated


def test_a_fact_of_two_tasks_is_told(course: Course) -> None:
    """A slug is an id: two tasks cannot both own it."""
    course.change(
        course.manifest,
        "[task.facts.key-decides]",
        "[task.facts.has-partitions]\nhint = 'x'\n[task.facts.key-decides]",
    )

    assert "has-partitions: belongs to two tasks, 1.1 and 1.2" in course.load().problems()


def test_a_task_may_have_several_modules(course: Course) -> None:
    """They are read in the order in which the manifest names them."""
    course.change(
        course.manifest,
        'module = "test_topics"',
        'module = "test_topics"\nsiblings = ["test_more"]',
    )
    course.change(
        course.manifest,
        "[task.facts.has-partitions]",
        "[task.facts.grows]\n\n[task.facts.has-partitions]",
    )
    more = TOPICS.replace("has-partitions", "grows").partition("def test_that_states")[0]
    course.lesson("test_more").write_text(more, "utf-8")

    curriculum = course.load()

    modules = ["test_topics", "test_topics", "test_more", "test_more", "test_routing"]
    assert [each.module for each in curriculum.statements] == modules
    assert curriculum.problems() == ["grows: has no hint"]
    assert curriculum.is_task_module(course.lesson("test_more"))
    assert curriculum.modules_meant("grows") == {"test_more"}


PARTS = """
[[task.parts]]
title = "What there is"
begins = "has-partitions"

[task.facts.has-partitions]
"""


def test_a_part_goes_on_until_the_next_one_begins() -> None:
    """Parts are what a reader sees as headings."""
    task = load().task("1.4")

    parts = task.facts_by_part
    assert list(parts) == [part.title for part in task.parts]
    assert [slugs[0] for slugs in parts.values()] == [part.begins for part in task.parts]
    assert [slug for slugs in parts.values() for slug in slugs] == list(task.facts)
    assert task.part_of("the-lag-spike") == "What moving costs"


def test_without_parts_all_facts_are_of_the_task(course: Course) -> None:
    """A small task needs no headings."""
    task = course.load().task("1.1")
    assert task.facts_by_part == {"Topics": ("has-partitions",)}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"What there is"', '" "', "task 1.1: a part has no title"),
        (
            'begins = "has-partitions"',
            'begins = "key-decides"',
            "task 1.1: 'What there is' begins at 'key-decides', which is no fact of it",
        ),
        (
            "[task.facts.has-partitions]",
            '[[task.parts]]\ntitle = "More"\nbegins = "has-partitions"\n\n'
            "[task.facts.has-partitions]",
            "task 1.1: 'More' begins before the part above it",
        ),
        (
            "[task.facts.has-partitions]",
            '[task.facts.first]\nhint = "Look."\n\n[task.facts.has-partitions]',
            "task 1.1: its first fact is in no part",
        ),
    ],
)
def test_a_flaw_of_parts_is_told(course: Course, old: str, new: str, problem: str) -> None:
    """Who moves a fact sees where its part begins now."""
    course.change(course.manifest, "[task.facts.has-partitions]\n", PARTS)
    assert course.load().problems() == []
    course.change(course.manifest, old, new)
    assert problem in course.load().problems()


def test_a_module_that_is_not_there_is_told(course: Course) -> None:
    """The manifest names a file that nobody wrote."""
    course.lesson("test_routing").unlink()

    assert course.load().problems() == [
        "task 1.2: test_routing.py does not exist",
        "key-decides: no test states it",
    ]


def test_a_module_that_is_no_python_is_told_with_its_line(course: Course) -> None:
    """A slip in a test is told as a line, not as a crash of the curriculum's check."""
    course.change(course.lesson("test_routing"), "def test_the_key_decides():", "def (:")

    with pytest.raises(BadManifest, match=r"test_routing\.py:5: invalid syntax"):
        course.load().problems()


# What can be wrong with the manifest


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The text names the file and the system's reason."""
    with pytest.raises(BadManifest, match=r"absent\.toml: No such file or directory$"):
        load(tmp_path / "absent.toml")


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    """What cannot be read as a file is named, too."""
    with pytest.raises(BadManifest, match=f"^{re.escape(str(tmp_path))}: Is a directory$"):
        load(tmp_path)


def test_a_slip_in_the_toml_is_told_with_its_line(course: Course) -> None:
    """The text names file, line and column."""
    course.change(course.manifest, 'title = "Topics"', "title = Topics")

    with pytest.raises(BadManifest, match=r"module\.toml: .*\(at line 8, column 9\)$"):
        course.load()


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ('title = "A small module"\n', "title"),
        ('package = "lessons"\n', "package"),
        ('id = "1.1"\n', "id"),
        ('question = "What is a topic made of?"\n', "question"),
        ('module = "test_topics"\n', "module"),
        ('component = "topics"\n', "component"),
        ('[task.facts.has-partitions]\nhint = "Describe it."\n', "facts"),
    ],
    ids=lambda value: value if "=" not in value else "without",
)
def test_what_is_missing_in_a_manifest_is_named(course: Course, line: str, missing: str) -> None:
    """The text names the file and the missing word."""
    course.change(course.manifest, line, "")

    with pytest.raises(BadManifest, match=rf"module\.toml: '{missing}' is missing$"):
        course.load()


@pytest.mark.parametrize("package", ["no_such_lessons", "no_such.lessons"])
def test_a_package_that_is_nowhere_is_told_with_the_manifest(course: Course, package: str) -> None:
    """The text names the manifest, as for every other flaw, and the package."""
    course.change(course.manifest, 'package = "lessons"', f'package = "{package}"')

    with pytest.raises(BadManifest, match=r"module\.toml: .*no_such"):
        course.load()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("[[task]]", "[task]", id="a task that is no list"),
        pytest.param("[task.facts.has-partitions]\nhint =", "facts =", id="facts without slugs"),
    ],
)
def test_a_manifest_of_another_shape_is_named(tmp_path: Path, old: str, new: str) -> None:
    """TOML that is not a manifest is a bad manifest, told with its file."""
    one_task = MANIFEST[: MANIFEST.rindex("[[task]]")]
    (tmp_path / "lessons").mkdir()
    (tmp_path / "module.toml").write_text(one_task.replace(old, new), "utf-8")

    with pytest.raises(BadManifest, match=r"module\.toml"):
        load(tmp_path / "module.toml")


def test_a_manifest_that_is_not_utf_8_is_named(course: Course) -> None:
    """TOML is UTF-8: anything else is a bad manifest, told with its file."""
    course.manifest.write_bytes(MANIFEST.replace("Topics", "Thémes").encode("latin-1"))

    with pytest.raises(BadManifest, match=r"module\.toml"):
        course.load()


# Predictions


PREDICTED = """
[key-decides]
question = "Two records have one key. Where do they land?"
choices = [
  { text = "In one partition", right = true },
  { text = "In turn", tempting = "Without a key they may." },
]
"""


def predict(course: Course, text: str) -> None:
    file = course.manifest.parent / "predictions" / "task_1_2.toml"
    file.parent.mkdir()
    file.write_text(text, "utf-8")


def test_a_fact_has_its_prediction(course: Course) -> None:
    """A file beside the manifest asks, and says of each wrong choice why it is tempting."""
    predict(course, PREDICTED)

    curriculum = course.load()
    prediction = curriculum.task("1.2").predictions["key-decides"]

    assert curriculum.problems() == []
    assert prediction.right.text == "In one partition"
    assert [each.tempting for each in prediction.choices] == ["", "Without a key they may."]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("right = true", 'tempting = "No."', "of a prediction's choices exactly one is right"),
        ("tempting", "right = true, tempting", "of a prediction's choices exactly one is right"),
        (', tempting = "Without a key they may."', "", "a wrong choice says why it is tempting"),
        (
            '  { text = "In turn", tempting = "Without a key they may." },\n',
            "",
            "a prediction has 2 to 4 choices",
        ),
    ],
)
def test_a_flaw_of_a_prediction_is_told(course: Course, old: str, new: str, problem: str) -> None:
    """The slug leads to it."""
    predict(course, PREDICTED.replace(old, new))

    assert course.load().problems() == [f"key-decides: {problem}"]


def test_predictions_are_of_facts_and_of_all_of_them(course: Course) -> None:
    """One of another fact is told, and a Kafka fact without one."""
    predict(course, PREDICTED.replace("key-decides", "keys-decide"))

    assert course.load().problems() == [
        "task 1.2: a prediction is of 'keys-decide', which is no fact of it",
        "key-decides: has no prediction",
    ]


def test_a_file_of_predictions_that_cannot_be_read_is_told(course: Course) -> None:
    """As of the manifest itself."""
    predict(course, "[key-decides")

    with pytest.raises(BadManifest):
        course.load()


def test_where_the_right_choice_stands_tells_nothing() -> None:
    """Of Module A's predictions it is at each place about as often, and rarely the longest."""
    predictions = [each for task in load().tasks for each in task.predictions.values()]
    of_three = [each for each in predictions if len(each.choices) == 3]
    places = Counter([choice.is_right for choice in each.choices].index(True) for each in of_three)
    lengths = [
        (len(each.right.text), [len(one.text) for one in each.choices]) for each in predictions
    ]

    assert len(of_three) > 0.9 * len(predictions)
    assert all(abs(places[at] / len(of_three) - 1 / 3) < 0.1 for at in range(3)), places
    assert sum(right == max(all_) for right, all_ in lengths) <= 0.4 * len(predictions)


# Questions of an interview


ASKED = """
[[question]]
slug = "what-orders"
asks = "What keeps two records in order?"
answer = "One key, one partition."
follow_up = "And without a key?"
follow_up_answer = "Then nothing does."
wrong = "Kafka orders a topic."
why_wrong = "It orders a partition."
goes_on = "I would ask who needs the order."
facts = ["key-decides", "has-partitions"]
"""


def ask(course: Course, text: str, task: str = "1_2") -> Path:
    file = course.manifest.parent / "interview" / f"task_{task}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_a_task_has_its_questions(course: Course) -> None:
    """A file beside the manifest has them in their order; a fact of another task may prove one."""
    ask(course, ASKED + ASKED.replace("what-orders", "what-else"))

    curriculum = course.load()
    first, second = curriculum.task("1.2").interview

    assert curriculum.problems() == []
    assert (first.slug, second.slug) == ("what-orders", "what-else")
    assert first.asks == "What keeps two records in order?"
    assert first.facts == ("key-decides", "has-partitions")
    assert curriculum.task("1.1").interview == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('["key-decides", "has-partitions"]', "[]", "what-orders: no fact proves it"),
        ("has-partitions", "no-such-fact", "what-orders: 'no-such-fact' is no fact"),
        ("has-partitions", "key-decides", "what-orders: names key-decides 2 times"),
        ('"what-orders"', '"key-decides"', "key-decides: a fact has this slug"),
        (
            '"what-orders"',
            '"What Orders"',
            "'What Orders': its slug is not words in small letters with hyphens",
        ),
        ('"Then nothing does."', '" "', "what-orders: its follow_up_answer is empty"),
    ],
)
def test_a_flaw_of_a_question_is_told(course: Course, old: str, new: str, problem: str) -> None:
    """The question's slug leads to it."""
    ask(course, ASKED.replace(old, new))

    assert course.load().problems() == [f"question {problem}"]


def test_a_question_of_two_tasks_is_told(course: Course) -> None:
    """The grades of both would be one list."""
    ask(course, ASKED)
    ask(course, ASKED, task="1_1")

    assert course.load().problems() == ["question what-orders: is there 2 times"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[question]\n", r".*\(at line 1, column \d+\)"),
        (ASKED.replace('asks = "What', 'ask = "What'), r".* - at `\$\.question\[0\]`"),
        (ASKED.replace('wrong = "Kafka orders a topic."\n', ""), r".*`wrong`.*"),
        (ASKED.replace('"And without a key?"', "3"), r".*`\$\.question\[0\]\.follow_up`"),
        (ASKED.replace('["key-decides", "has-partitions"]', '"key-decides"'), r".*\.facts`"),
        ("", r".*`question`"),
    ],
    ids=["no TOML", "another key", "a key is missing", "a number", "no list", "empty"],
)
def test_questions_that_cannot_be_read_are_told(course: Course, text: str, told: str) -> None:
    """In one line, which names the file and the place in it."""
    file = ask(course, text)

    with pytest.raises(BadManifest, match=f"^{re.escape(str(file))}: {told}$"):
        course.load()


def test_questions_that_are_not_utf_8_are_told(course: Course) -> None:
    """In one line, which names the file."""
    file = ask(course, ASKED)
    file.write_bytes(b"\xff")

    with pytest.raises(BadManifest, match=f"^{re.escape(str(file))}: .*utf-8.*$"):
        course.load()


# What a task is for


PURPOSE = """
minutes = 20
objectives = ["You can say where a record goes."]
builds = ["route() says it beforehand."]

[[task.concepts]]
title = "Who assigns a partition"
facts = ["key-decides"]

[[task.words]]
term = "key"
meaning = "What a record is told apart by."

[task.facts.key-decides]
"""


def give_purpose(course: Course, purpose: str = PURPOSE) -> None:
    """Of the second task only: a course may say it of some tasks."""
    course.change(course.manifest, "\n[task.facts.key-decides]\n", purpose)


def test_a_task_says_what_it_is_for(course: Course) -> None:
    """Time, aims and concepts are read as they are written; a task may leave them out."""
    give_purpose(course)

    curriculum = course.load()
    first, second = curriculum.tasks

    assert curriculum.problems() == []
    assert (second.minutes, second.objectives, second.builds) == (
        20,
        ("You can say where a record goes.",),
        ("route() says it beforehand.",),
    )
    assert second.concepts == (Concept("Who assigns a partition", ("key-decides",)),)
    assert second.words == (Word("key", "What a record is told apart by."),)
    assert (first.minutes, first.objectives, first.builds, first.concepts) == (None, (), (), ())
    assert first.words == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param(
            "minutes = 20",
            "minutes = 0",
            "task 1.2: it takes 0 minutes, which is no time",
            id="no time",
        ),
        pytest.param(
            "minutes = 20",
            "minutes = -5",
            "task 1.2: it takes -5 minutes, which is no time",
            id="less than no time",
        ),
        pytest.param(
            '"You can say where a record goes."',
            '"You can say it.", " "',
            "task 1.2: one of its objectives is empty",
            id="an empty objective",
        ),
        pytest.param(
            '"route() says it beforehand."',
            '""',
            "task 1.2: one of its builds is empty",
            id="nothing that is built",
        ),
        pytest.param(
            '"Who assigns a partition"',
            '" "',
            "task 1.2: a concept has no title",
            id="a concept without a title",
        ),
        pytest.param(
            '["key-decides"]',
            '["key-decides", "keys-decide"]',
            "task 1.2: 'Who assigns a partition' is of 'keys-decide', which is no fact of it",
            id="a slug that nobody knows",
        ),
        pytest.param(
            '["key-decides"]',
            '["key-decides", "has-partitions"]',
            "task 1.2: 'Who assigns a partition' is of 'has-partitions', which is no fact of it",
            id="a fact of another task",
        ),
        pytest.param(
            '["key-decides"]',
            '["key-decides"]\n[[task.concepts]]\ntitle = "Keys"\nfacts = ["key-decides"]',
            "key-decides: is in 2 concepts, and not in one",
            id="a fact of two concepts",
        ),
        pytest.param(
            '["key-decides"]',
            '["key-decides", "key-decides"]',
            "key-decides: is in 2 concepts, and not in one",
            id="a fact that a concept names twice",
        ),
        pytest.param(
            '["key-decides"]',
            '["key-decides"]\n[[task.concepts]]\ntitle = "Keys"\nfacts = []',
            "task 1.2: the concept 'Keys' has no fact",
            id="a concept of nothing",
        ),
        pytest.param(
            '["key-decides"]',
            '["key-decides"]\n[[task.concepts]]\ntitle = "Keys"',
            "task 1.2: the concept 'Keys' has no fact",
            id="a concept that names no facts",
        ),
        pytest.param('"key"', '" "', "task 1.2: a word has no term", id="a word without a term"),
        pytest.param(
            "told apart by.",
            "told apart by",
            "task 1.2: the meaning of 'key' is not one sentence that ends in a full stop",
            id="a meaning without an end",
        ),
        pytest.param(
            "told apart by.",
            "told apart by. It may be null.",
            "task 1.2: the meaning of 'key' is not one sentence that ends in a full stop",
            id="a meaning of two sentences",
        ),
        pytest.param(
            '"key"',
            '"key"\nmeaning = "A name."\n[[task.words]]\nterm = "key"',
            "task 1.2: the word 'key' is explained 2 times",
            id="a word that is explained twice",
        ),
    ],
)
def test_a_flaw_of_a_tasks_purpose_is_told(
    course: Course, old: str, new: str, problem: str
) -> None:
    """Task or slug lead to the flaw; nothing else is complained of."""
    give_purpose(course, PURPOSE.replace(old, new))

    assert course.load().problems() == [problem]


def test_each_task_of_module_a_explains_its_words() -> None:
    """A few each, which are read in a moment."""
    assert all(3 <= len(task.words) <= 8 for task in load().tasks)


def test_a_fact_of_no_concept_is_told(course: Course) -> None:
    """Where a task has concepts, no fact of it is left out."""
    give_purpose(course, PURPOSE.replace('["key-decides"]', "[]"))

    assert course.load().problems() == [
        "task 1.2: the concept 'Who assigns a partition' has no fact",
        "key-decides: is in 0 concepts, and not in one",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("minutes = 20", 'minutes = "20"', "minutes is no whole number: '20'"),
        ("minutes = 20", "minutes = 2.5", "minutes is no whole number: 2.5"),
        ("minutes = 20", "minutes = true", "minutes is no whole number: True"),
        ('["You can say where a record goes."]', '"You can."', "objectives is no list of texts"),
        ('["route() says it beforehand."]', "[1, 2]", "builds is no list of texts"),
        ('"Who assigns a partition"', "3", "a concept's title is no text: 3"),
        ('["key-decides"]', '"key-decides"', "facts is no list of texts: 'key-decides'"),
        ("[[task.concepts]]", "[task.concepts]", "it has not the shape of a manifest"),
        ('title = "Who assigns a partition"\n', "", "'title' is missing"),
        ('"key"', "3", "a word's term is no text: 3"),
        ('"What a record is told apart by."', "[]", "a word's meaning is no text: []"),
        ('term = "key"\n', "", "'term' is missing"),
        ("[[task.words]]", "[task.words]", "it has not the shape of a manifest"),
    ],
)
def test_a_purpose_of_another_type_is_named(course: Course, old: str, new: str, told: str) -> None:
    """One line tells the file, and what was written there."""
    give_purpose(course, PURPOSE.replace(old, new))

    with pytest.raises(BadManifest, match=rf"^.*module\.toml: .*{re.escape(told)}.*$"):
        course.load()


@pytest.mark.parametrize("task", load().tasks, ids=lambda task: task.id)
def test_each_task_of_module_a_says_what_it_is_for(task: Task) -> None:
    """A learner is told how long it takes, what for, and what is to be understood."""
    stated = load().stated_facts

    assert task.minutes
    assert 3 <= len(task.objectives) <= 6
    assert 2 <= len(task.builds) <= 5
    assert 5 <= len(task.concepts) <= 10
    for concept in task.concepts:
        kinds = {stated[slug].scope.startswith("the component") for slug in concept.facts}
        assert len(kinds) == 1, f"'{concept.title}' mixes Kafka's facts with the component's"


@pytest.mark.parametrize("task", load().tasks, ids=lambda task: task.id)
def test_what_is_built_is_what_the_contract_asks_for(task: Task) -> None:
    """Each function and class of the contract is named."""
    contract = importlib.import_module(f"kafkalab.contracts.{task.component}")
    protocol = getattr(contract, task.component.title().replace("_", ""))
    asked = {
        name for name in vars(protocol) if name[0] != "_" and callable(getattr(protocol, name))
    }
    named = set(re.findall(r"\w+", " ".join(task.builds)))

    assert asked
    assert asked <= named
