"""A copy of a fact for experiments: a test file of its own, which never counts.

The copy has the fact, its controls, and the parts of their module that they use. One marker,
`experiment`, replaces kafkalab's markers: a project may have its own markers that are called
`fact`, `control`, `needs` or `slow`.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from kafkalab.curriculum import Curriculum, Statement
from kafkalab.curriculum.source import LONGEST_LINE, Piece, Source, source_of

FOLDER = "my_lab/experiments"
"""the folder for copies, below the folder in which `kafkalab try` is called"""

MARKER = "experiment"

QUOTES = '"""'
HEAD = re.compile(rf"(#.*\n)*{QUOTES}")

MOST_KNOBS = 4
LONGEST_KNOB = 72
"""characters; longer lines are too hard to find in the code"""

SETTINGS_OF_ONE_WORD = frozenset({"acks", "partitioner", "retries"})
"""names of settings without a dot; all others have one"""


def file_name(slug: str) -> str:
    """The file name of a fact's copy: pytest finds it, and it names the fact."""
    return f"test_{slug.replace('-', '_')}.py"


def copy_of(curriculum: Curriculum, slug: str, version: str, command: str) -> str:
    """The text of a fact's copy.

    Args:
        curriculum: the curriculum with the fact.
        slug: the fact's slug.
        version: kafkalab's version.
        command: the command that runs the copy.

    Raises:
        KeyError: the curriculum has no such fact.
        OSError, SyntaxError: its module cannot be read.
    """
    source, stated = source_of(curriculum, slug), curriculum.stated_facts[slug]
    return f"{_head(source, stated, version, command)}\n{_body(source)}"


def body_of(curriculum: Curriculum, slug: str) -> str:
    """A fact's copy without its head: experiments are compared with it.

    Raises:
        KeyError: the curriculum has no such fact.
        OSError, SyntaxError: its module cannot be read.
    """
    return _body(source_of(curriculum, slug))


def differences(original: str, experiment: str) -> list[str]:
    """How an experiment differs, as the lines of a unified diff; empty if it does not.

    Args:
        original: the body of a fresh copy, `body_of`.
        experiment: the whole file; its head is not compared.
    """
    old, new = original.strip().splitlines(), _without_head(experiment).strip().splitlines()
    # The first two lines name the files.
    return list(islice(difflib.unified_diff(old, new, lineterm=""), 2, None))


def _without_head(text: str) -> str:
    """The text after the docstring; a comment, such as the encoding, may be above that."""
    start = HEAD.match(text)
    return text[start.end() :].partition(QUOTES)[2] if start else text


def _head(source: Source, stated: Statement, version: str, command: str) -> str:
    lines = [
        f"An experiment: a copy of {stated.slug}, task {stated.task}, of kafkalab {version}.",
        "",
        "Change what you like. An experiment never counts, so nothing can go wrong.",
    ]
    if found := list(_knobs(source)):
        each_line = (line for knob in found for line in knob.split("\n"))
        lines += ["For a start, change:", "", *(f"    {line}" for line in each_line)]
    if stated.is_slow:
        lines += ["", "It takes a minute."]
    lines += ["", "Run it, and see what differs from the original:", "", f"    {command}"]
    # A folder's name may hold quotes or backslashes.
    text = "\n".join(lines).replace("\\", "\\\\").replace(QUOTES, '\\"\\"\\"')
    return f"{QUOTES}{text}\n{QUOTES}\n"


def _body(source: Source) -> str:
    """The code, in the order of the module, so that each name is defined before its use."""
    text = "\n".join(_grouped(source.imports))
    files = list(dict.fromkeys(each.file for each in source.tests))
    pieces = [*source.helpers, *source.tests]
    for piece in sorted(pieces, key=lambda each: (files.index(each.file), each.line)):
        written = _as_experiment(piece.text) if piece in source.tests else piece.text
        is_block = _is_block(written) or _is_block(text.rpartition("\n\n\n")[2])
        text += ("\n\n\n" if is_block else "\n\n") + written
    return text + "\n"


def _grouped(imports: Sequence[Piece]) -> Iterator[str]:
    """The imports, in groups with a blank line between: Python's own, installed ones, kafkalab."""
    # A control in another module than its fact may import the same.
    groups = dict.fromkeys((_group_of(piece), piece.text) for piece in imports)
    before = None
    for group, text in sorted(groups, key=lambda each: each[0]):
        if before is not None and group != before:
            yield ""
        before = group
        yield text


def _group_of(piece: Piece) -> int:
    node = ast.parse(piece.text).body[0]
    name = node.module if isinstance(node, ast.ImportFrom) else piece.names[0]
    package = (name or "").partition(".")[0]
    groups = ({"__future__"}, sys.stdlib_module_names, None, {"kafkalab"})
    return next((at for at, group in enumerate(groups) if group and package in group), 2)


def _is_block(text: str) -> bool:
    """Whether it has a function or a class, which needs two blank lines around it."""
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(text.strip()).body
    )


def _as_experiment(text: str) -> str:
    """A fact's or control's function, with one marker in place of kafkalab's."""
    (node,) = [each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]
    lines = text.split("\n")
    first = min(each.lineno for each in node.decorator_list)
    kept = []
    slug = ""
    words: dict[str, str] = {}
    needs: list[str] = []
    for decorator in node.decorator_list:
        match _mark(decorator):
            case (("fact" | "control"), (slug,), given):
                words = {name: word for name, word in given.items() if name != "scope"}
            case "needs", more, _:
                needs += more
            case "slow", _, _:
                # An experiment runs by its name, also a slow one.
                pass
            case _:
                kept += lines[decorator.lineno - 1 : decorator.end_lineno]
    marker = _written(slug, words, needs)
    # Continue after the last decorator; comments between decorators are dropped.
    last = max(each.end_lineno or 0 for each in node.decorator_list)
    return "\n".join([*lines[: first - 1], marker, *kept, *lines[last:]])


def _mark(decorator: ast.expr) -> tuple[str, tuple[str, ...], dict[str, str]] | None:
    """Name and arguments of one of kafkalab's markers; None for any other decorator."""
    called = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
    package, _, name = ast.unparse(called.func).rpartition(".")
    if package != "pytest.mark" or name not in ("fact", "control", "needs", "slow"):
        return None
    named = {each.arg: ast.literal_eval(each.value) for each in called.keywords if each.arg}
    return name, tuple(map(ast.literal_eval, called.args)), named


def _written(slug: str, words: dict[str, str], needs: Sequence[str]) -> str:
    """The marker of an experiment, on as few lines as possible."""
    arguments = [_quoted(slug), *(f"{name}={_quoted(word)}" for name, word in words.items())]
    if needs:
        arguments.append(f"needs=[{', '.join(map(_quoted, needs))}]")
    head, inside = f"@pytest.mark.{MARKER}(", ", ".join(arguments)
    if len(head) + len(inside) + 1 <= LONGEST_LINE:
        return f"{head}{inside})"
    if len(inside) + 4 <= LONGEST_LINE:
        return f"{head}\n    {inside}\n)"
    return "\n".join([head, *(f"    {each}," for each in arguments), ")"])


def _quoted(text: str) -> str:
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _knobs(source: Source) -> Iterator[str]:
    """Proposals for a change: settings, sizes and numbers of the code, with another value.

    The lines of one proposal belong together.
    """
    tests = [(each.text, ast.parse(each.text)) for each in source.tests]
    helpers = [(each.text, ast.parse(each.text)) for each in source.helpers]
    looked_for = ((_settings_in, tests), (_sizes_in, tests), (_counts_in, tests))
    found = [knob for look, code in looked_for for text, tree in code for knob in look(text, tree)]
    found += [knob for text, tree in helpers for knob in _constants_in(text, tree)]
    fitting = (each for each in dict.fromkeys(found) if _longest_line(each) <= LONGEST_KNOB)
    return islice(fitting, MOST_KNOBS)


def _longest_line(knob: str) -> int:
    return max(map(len, knob.split("\n")))


def _settings_in(text: str, tree: ast.AST) -> Iterator[str]:
    """Settings of clients and topics, such as `"linger.ms": 50`."""
    for node in _given_in(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                    name = str(key.value)
                    if name in SETTINGS_OF_ONE_WORD or (name.count(".") and name != "group.id"):
                        written = f"{_segment(text, key)}: {_segment(text, value)}"
                        yield f"{written} to {_other(value.value)}"


def _sizes_in(text: str, tree: ast.AST) -> Iterator[str]:
    """Arguments that are sizes, such as `topic(partitions=3)`.

    Calls of one test with the same argument make one proposal: a test that creates three
    partitions also waits for three.
    """
    calls: dict[str, dict[str, int]] = {}
    for node in _given_in(tree):
        if isinstance(node, ast.Call):
            for given in filter(_is_size, node.keywords):
                name, value = str(given.arg), ast.literal_eval(given.value)
                calls.setdefault(name, {})[_call(text, node, given)] = value
    for name, values in calls.items():
        places = "".join(f"\n    {call}" for call in values)
        value = next(iter(values.values()))
        change = f"{name}={value} to {name}={value + 1 if value < 10 else 2 * value}"
        if len(values) == 1:
            yield f"{next(iter(values))}: {change}"
        elif len(set(values.values())) == 1:
            yield f"{change}, in {'both' if len(values) == 2 else 'all'} places:{places}"
        else:
            yield f"{name}, which belong together:{places}"


def _call(text: str, node: ast.Call, given: ast.keyword) -> str:
    """A call with one of its arguments, and dots for the others."""
    at = node.keywords.index(given)
    before = "..., " if node.args or at else ""
    after = ", ..." if node.keywords[at + 1 :] else ""
    return f"{_segment(text, node.func)}({before}{_segment(text, given)}{after})"


def _is_size(given: ast.keyword) -> bool:
    value = given.value.value if isinstance(given.value, ast.Constant) else None
    # A record's partition, or a time to wait, is not a size.
    return given.arg not in (None, "partition", "limit", "timeout") and type(value) is int


def _counts_in(text: str, tree: ast.AST) -> Iterator[str]:
    """Numbers of repetitions, such as `range(30)` or `[b"x"] * 300`."""
    for node in _given_in(tree):
        match node:
            case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(often))]):
                yield f"{_segment(text, node)} to range({2 * often})"
            case ast.BinOp(
                left=ast.List() as once, op=ast.Mult(), right=ast.Constant(value=int(often))
            ):
                yield f"{_segment(text, node)} to {_segment(text, once)} * {2 * often}"


def _constants_in(text: str, tree: ast.Module) -> Iterator[str]:
    """Constants that are numbers or settings, such as `CALM = 20`."""
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Constant(value=int() | float() as value)
            ):
                # A limit of time changes nothing in the result.
                if not name.endswith("LIMIT"):
                    yield f"{_segment(text, node)} to {name} = {_other(value)}"
            case ast.Assign():
                yield from _settings_in(text, node)


def _other(value: object) -> str:
    """A value to try instead: a number ten times smaller or larger, for example."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, str) and value.isdecimal():
        return f'"{_other(int(value)).replace("_", "")}"'
    if isinstance(value, int) and value >= 0:
        return f"{value // 10 if value >= 100 else value * 10 or 1:_}"
    if isinstance(value, float):
        return f"{value * 10:.4g}"
    return "another value"


def _given_in(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a test without its assertions and evidence: what it does with Kafka."""
    if isinstance(tree, ast.Assert) or ast.unparse(tree).startswith("evidence."):
        return
    yield tree
    for each in ast.iter_child_nodes(tree):
        yield from _given_in(each)


def _segment(text: str, node: ast.AST) -> str:
    return " ".join((ast.get_source_segment(text, node) or "").split())
