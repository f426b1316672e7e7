"""Put mistakes that developers make with Kafka into working code, one at a time.

Each operator finds the places for its mistake in the code's syntax tree, and changes the text
there. All other lines stay as they are and keep their numbers. This module only reads source
text; it runs none of it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

OPERATORS: Mapping[str, str] = {
    "drop-flush": "flush() is left out: records in the queue may never be sent",
    "drop-poll": "poll() is left out: no delivery report is served meanwhile",
    "drop-close": "{what} is left out: the consumer leaves the group, or the file is closed, late",
    "drop-commit": "{what}() is left out: the next consumer starts again at the old offset",
    "drop-transaction": "{what}() is left out of the transaction",
    "drop-seek": "seek() is left out: the consumer skips the records that were rolled back",
    "drop-assignment": "{what}() is left out: the client keeps the partitions that it had",
    "drop-purge": "purge() is left out: records that were given up may be sent later",
    "drop-wait": "{what}() is left out: the code goes on without waiting",
    "unread-future": "the result of the future is not read: its error goes unseen",
    "commit-too-early": "the commit comes before the work: a crash in between loses the work",
    "commit-too-late": "the commit comes after the next step: a crash in between repeats the work",
    "own-offset": "the record's own offset is used instead of the next one",
    "end-is-one-off": "an offset is compared as if the end were one higher, or one lower",
    "asynchronous": "the code does not wait for the answer to the commit",
    "ignore-rebalance": "{what} does nothing: the code misses that partitions come and go",
    "swallow-error": "the error is caught and ignored",
    "drop-raise": "the error is noticed but not raised",
    "ignore-error": "the code does not check whether there is an error",
    "any-error": "every error is treated as the expected one",
    "no-such-error": "the expected error is treated like any other",
    "drop-callback": "{what} is left out: the code never learns whether the record arrived",
    "forget-headers": "the headers are forgotten",
    "forget-key": "the key is forgotten",
    "null-as-empty": "None is treated like an empty value or 0",
    "other-setting": "{what} has another value",
    "drop-setting": "{what} is left out: the client's default applies",
    "drop-limit": "the time limit of {what}() is left out",
    "one-partition": "every record is treated as one of partition 0",
    "no-bound": "a bound is left out: {what}() of two values becomes one of them",
    "unsorted": "the values are not sorted",
    "any-for-all": "any() replaces all(): one match is enough",
    "sign-bit": "the sign bit of the hash stays",
    "other-encoding": "text is encoded or decoded in another way",
    "drop-condition": "a condition is left out",
}
"""The mistake that each operator makes, by the operator's name."""


@dataclass(frozen=True)
class Mutant:
    """Code with one mistake in it."""

    line: int
    """the number of the first line that differs, from 1"""
    operator: str
    mistake: str
    """a sentence without its full stop"""
    before: str
    """the lines that differ, joined into one"""
    after: str
    """the same lines with the mistake; empty if nothing is left of them"""
    within: str
    """the top-level function, class or value around the mistake; empty if there is none"""
    text: str
    """the whole file"""


class _Change(NamedTuple):
    """A mistake as an edit of the text."""

    operator: str
    start: int
    end: int
    new: str
    what: str = ""


def mutants_of(text: str) -> list[Mutant]:
    """All mutants of a file, by line; each is valid Python and differs from the original program.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the file cannot be parsed.
    """
    code = _Code(text)
    same = _dumped(text)
    found: dict[str, Mutant] = {}
    for change in sorted(
        (change for find in _FINDERS for change in find(code)),
        key=lambda each: (each.start, list(OPERATORS).index(each.operator)),
    ):
        # If the text does not parse with the empty lines, later lines get other numbers.
        for new in dict.fromkeys((change.new, change.new.rstrip("\n"))):
            mutated = text[: change.start] + new + text[change.end :]
            tree = _dumped(mutated)
            if tree:
                if tree != same and mutated not in found:
                    found[mutated] = code.mutant(change, mutated)
                break
    return sorted(found.values(), key=lambda each: each.line)


def _dumped(text: str) -> str:
    """The text's syntax tree as a string; empty if it cannot be parsed."""
    try:
        return ast.dump(parsed(text))
    except (SyntaxError, ValueError):
        return ""


def parsed(text: str) -> ast.Module:
    """The tree of a file.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it cannot be parsed.
    """
    with warnings.catch_warnings():
        # Python prints these warnings anyway when the file is run.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def reaching(texts: Iterable[str], name: str) -> set[str]:
    """The definitions in these files that may use a definition, directly or not; with itself.

    It goes by names only, so it may include definitions that never use it.
    """
    users: dict[str, set[str]] = {}
    for text in texts:
        for definition, node in _definitions(parsed(text)):
            for each in ast.walk(node):
                used = getattr(each, "id", None) or getattr(each, "attr", None)
                if isinstance(used, str):
                    users.setdefault(used, set()).add(definition)
    found, waiting = {name}, [name]
    while waiting:
        new = users.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """The names that a file binds at its top level, with the statements that bind them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for name in _bound(node):
                yield name, node


class _Code:
    """A file's text and syntax tree, with the position of each node in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = parsed(text)
        self.parents = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }
        self._offsets: dict[ast.AST, set[str]] = {}
        """names that hold an offset: for each top-level definition, and for the whole file"""
        self._starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """All nodes of these kinds."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """The start and the end of a node in the text."""
        at: ast.expr = node  # type: ignore[assignment]
        return self._place(at.lineno, at.col_offset), self._place(
            at.end_lineno or at.lineno, at.end_col_offset or 0
        )

    def _place(self, line: int, column: int) -> int:
        """The position in characters: Python's columns count bytes of UTF-8."""
        start = self._starts[line - 1]
        head = self.text[start : start + column].encode("utf-8", "surrogatepass")[:column]
        return start + len(head.decode("utf-8", "surrogatepass"))

    def source(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def replace(self, operator: str, node: ast.AST, new: str, what: str = "") -> _Change:
        """Replace a node by another text."""
        start, end = self.span(node)
        gone = self.lines_in(start, end)[new.count("\n") :]
        return _Change(operator, start, end, new + gone, what)

    def remove(self, operator: str, start: int, end: int, what: str = "") -> _Change:
        """Remove an argument, or an entry, from its list, together with its comma."""
        if comma := re.compile(r"\s*,[ \t]*").match(self.text, end):
            end = comma.end()
        elif comma := re.search(r",\s*$", self.text[:start]):
            start = comma.start()
        return _Change(operator, start, end, self.lines_in(start, end), what)

    def lines_in(self, start: int, end: int) -> str:
        """Empty lines in place of a removed text, so that the other lines keep their numbers."""
        return "\n" * len(re.findall(r"\r\n|\r|\n", self.text[start:end]))

    def mutant(self, change: _Change, mutated: str) -> Mutant:
        """The mutant that a change has made."""
        before, after = (re.split(r"\r\n|\r|\n", each) for each in (self.text, mutated))
        pairs = list(zip(before, after, strict=False))
        differ = [at for at, (one, other) in enumerate(pairs) if one != other]
        first, last = differ[0], differ[-1]
        line = first + 1
        within = [
            name
            for name, node in _definitions(self.tree)
            if node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return Mutant(
            line,
            change.operator,
            OPERATORS[change.operator].format(what=change.what),
            " ".join(" ".join(before[first : last + 1]).split()),
            " ".join(" ".join(after[first : last + 1]).split()),
            within[0] if within else "",
            mutated,
        )

    def block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block of statements that contains a statement."""
        parent = self.parents[statement]
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and statement in block:
                return block
        return [statement]

    def _offsets_at(self, node: ast.AST) -> set[str]:
        """The names around a node that hold an offset, or a value computed from one."""
        while not isinstance(self.parents[node], ast.Module):
            node = self.parents[node]
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node = self.tree
        if node not in self._offsets:
            self._offsets[node] = names = set[str]()
            count = -1
            while len(names) > count:
                count = len(names)
                for target, value in self._bindings(node):
                    if _mentions(value, names):
                        names |= _bound(target)
        return self._offsets[node]

    def _bindings(self, within: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        for node in ast.walk(within):
            match node:
                case ast.Assign(value=value):
                    yield from ((target, value) for target in node.targets)
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value)
                    | ast.NamedExpr(target=target, value=value)
                    | ast.For(target=target, iter=value)
                    | ast.comprehension(target=target, iter=value)
                ):
                    yield target, value

    def is_of_offset(self, node: ast.AST) -> bool:
        """Whether an expression is about an offset, judged by the names in it."""
        return _mentions(node, self._offsets_at(node))


def _mentions(node: ast.AST, offsets: set[str]) -> bool:
    words = (getattr(each, "id", None) or getattr(each, "attr", None) for each in ast.walk(node))
    return any(
        isinstance(word, str) and (word in offsets or re.search("offset|position", word))
        for word in words
    )


def _bound(node: ast.AST) -> set[str]:
    """The names that a statement, or a target, binds."""
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _called(node: ast.AST | None) -> str:
    """The last word of the name that an expression calls, awaited or not; empty if no call."""
    if isinstance(node, ast.Await):
        node = node.value
    if not isinstance(node, ast.Call):
        return ""
    return _word(node.func)


def _word(node: ast.AST) -> str:
    """The last word of a name or an attribute; empty for anything else."""
    found = getattr(node, "attr", None) or getattr(node, "id", None)
    return found if isinstance(found, str) else ""


# Calls and conditions that are left out

_LEFT_OUT = {
    "flush": "drop-flush",
    "poll": "drop-poll",
    "close": "drop-close",
    "commit": "drop-commit",
    "store_offsets": "drop-commit",
    "init_transactions": "drop-transaction",
    "begin_transaction": "drop-transaction",
    "send_offsets_to_transaction": "drop-transaction",
    "commit_transaction": "drop-transaction",
    "abort_transaction": "drop-transaction",
    "seek": "drop-seek",
    "assign": "drop-assignment",
    "incremental_assign": "drop-assignment",
    "unassign": "drop-assignment",
    "incremental_unassign": "drop-assignment",
    "subscribe": "drop-assignment",
    "pause": "drop-assignment",
    "resume": "drop-assignment",
    "purge": "drop-purge",
    "wait_until": "drop-wait",
    "wait": "drop-wait",
    "join": "drop-wait",
    "result": "unread-future",
}


def _calls_left_out(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.Expr, ast.Call):
        if isinstance(node, ast.Expr):
            name = _called(node.value)
            if (operator := _LEFT_OUT.get(name)) and _is_of_a_client(node.value):
                what = f"{name}()" if operator == "drop-close" else name
                yield code.replace(operator, node, "pass", what)
        elif _called(node) == "flush" and not isinstance(code.parents[node], ast.Expr | ast.Await):
            # flush() returns how many records are left.
            yield code.replace("drop-flush", node, "0")
        elif _called(node) == "closing" and isinstance(code.parents[node], ast.withitem):
            given = ", ".join(code.source(each) for each in node.args)  # type: ignore[attr-defined]
            new = f'__import__("contextlib").nullcontext({given})'
            yield code.replace("drop-close", node, new, "closing()")


def _is_of_a_client(node: ast.AST) -> bool:
    """Whether it calls a method, as all calls of a client do, or `wait_until`."""
    call = node.value if isinstance(node, ast.Await) else node
    assert isinstance(call, ast.Call)
    return isinstance(call.func, ast.Attribute) or _called(call) == "wait_until"


def _raises_left_out(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.Raise):
        if not isinstance(code.parents[node], ast.ExceptHandler):
            yield code.replace("drop-raise", node, "pass")


def _errors_swallowed(code: _Code) -> Iterator[_Change]:
    for handler in code.nodes(ast.ExceptHandler):
        assert isinstance(handler, ast.ExceptHandler)
        body = handler.body
        if len(body) == 1 and isinstance(body[0], ast.Continue):
            continue
        start, end = code.span(body[0])[0], code.span(body[-1])[1]
        lines = code.lines_in(start, end)
        yield _Change("swallow-error", start, end, f"pass{lines}")
        for statement in body:
            if isinstance(statement, ast.Raise) and len(body) > 1:
                yield code.replace("drop-raise", statement, "pass")


_OF_A_REBALANCE = re.compile(
    r"(^|_)(on_)?(assign(ed|ment)?|revoked?|lost)(_cb|_callback|_partitions)?$"
)


def _rebalances_ignored(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.FunctionDef, ast.AsyncFunctionDef, ast.Call):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if _called(node) == "subscribe" and _OF_A_REBALANCE.search(keyword.arg or ""):
                    yield code.remove("ignore-rebalance", *code.span(keyword), keyword.arg or "")
            continue
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if body and _OF_A_REBALANCE.search(node.name):
            start, end = code.span(body[0])[0], code.span(body[-1])[1]
            new = f"pass{code.lines_in(start, end)}"
            yield _Change("ignore-rebalance", start, end, new, node.name)


_OF_A_REPORT = ("on_delivery", "callback", "delivery_callback")
_LIMITS = ("timeout", "operation_timeout")
# Calls that wait for ever without a limit, or far too long.
_WAITING = ("flush", "poll", "result", "wait")


def _arguments_left_out(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        name = _called(node)
        for keyword in node.keywords:
            span = code.span(keyword)
            if keyword.arg in _OF_A_REPORT:
                yield code.remove("drop-callback", *span, keyword.arg)
            elif keyword.arg in _LIMITS:
                yield code.remove("drop-limit", *span, name)
            elif keyword.arg == "headers" and name == "produce":
                yield code.remove("forget-headers", *span)
            elif keyword.arg == "key" and name == "produce":
                yield code.remove("forget-key", *span)
            elif keyword.arg == "asynchronous" and _is_constant(keyword.value, False):
                yield code.replace("asynchronous", keyword.value, "True")
        if name == "produce" and len(node.args) > 2:
            yield code.replace("forget-key", node.args[2], "None")
        if name in _WAITING and len(node.args) == 1 and not _is_constant(node.args[0], 0):
            yield code.remove("drop-limit", *code.span(node.args[0]), name)


def _is_constant(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value and node.value is not None


def _conditions_left_out(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.BoolOp):
        assert isinstance(node, ast.BoolOp)
        if not isinstance(node.op, ast.And):
            continue
        ends = [code.span(node)[0], *(code.span(each)[1] for each in node.values)]
        for at, value in enumerate(node.values):
            if at == 0:
                start, end = ends[0], code.span(node.values[1])[0]
                yield _Change("drop-condition", start, end, code.lines_in(start, end))
            else:
                start, end = ends[at], code.span(value)[1]
                yield _Change("drop-condition", start, end, code.lines_in(start, end))


# Commits at another time

_COMMITS = ("commit", "store_offsets", "commit_transaction", "send_offsets_to_transaction")


def _commits_moved(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.Expr):
        assert isinstance(node, ast.Expr)
        if _called(node.value) not in _COMMITS:
            continue
        step: ast.stmt = node
        block = code.block_of(step)
        while len(block) == 1 and isinstance(parent := code.parents[step], ast.If):
            if parent.orelse:
                break
            step, block = parent, code.block_of(parent)
        for one, other in pairwise(block):
            if other is step and _is_work(one) and not _bound(one) & _used(step):
                yield _swapped(code, "commit-too-early", one, step)
            elif one is step and _is_work(other) and not _bound(step) & _used(other):
                yield _swapped(code, "commit-too-late", step, other)


def _is_work(statement: ast.stmt) -> bool:
    """Whether a statement does work; leaving the block, or counting, is no work."""
    if isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue | ast.Import):
        return False
    return any(isinstance(each, ast.Call | ast.Yield | ast.Await) for each in ast.walk(statement))


def _used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _swapped(code: _Code, operator: str, one: ast.stmt, other: ast.stmt) -> _Change:
    (start, middle), (again, end) = code.span(one), code.span(other)
    return _Change(
        operator,
        start,
        end,
        code.text[again:end] + code.text[middle:again] + code.text[start:middle],
    )


# Other offsets, errors, settings and results

_MORE_OR_LESS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
}


def _offsets_confused(code: _Code) -> Iterator[_Change]:
    for node in ast.walk(code.tree):
        match node:
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                if _is_constant(right, 1) and code.is_of_offset(left):
                    yield code.replace("own-offset", node, code.source(left))
                elif _is_constant(left, 1) and code.is_of_offset(right):
                    yield code.replace("own-offset", node, code.source(right))
            case ast.AugAssign(target=target, op=ast.Add(), value=value):
                if _is_constant(value, 1) and code.is_of_offset(target):
                    yield code.replace("own-offset", value, "0")
            case ast.Call(args=[message]) if _called(node) == "commit":
                new = _own_place(code, code.source(message))
                yield code.replace("own-offset", message, f"offsets=[{new}]")
            case ast.Call(keywords=keywords) if _called(node) == "commit":
                for keyword in keywords:
                    if keyword.arg == "message":
                        new = _own_place(code, code.source(keyword.value))
                        yield code.replace("own-offset", keyword, f"offsets=[{new}]")
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                signs = _MORE_OR_LESS.get(type(op))
                if signs and (code.is_of_offset(left) or code.is_of_offset(right)):
                    start, end = code.span(left)[1], code.span(right)[0]
                    new = code.text[start:end].replace(*signs, 1)
                    yield _Change("end-is-one-off", start, end, new)


def _own_place(code: _Code, message: str) -> str:
    """An expression for the position of the record itself, not of the next record."""
    names = {alias.asname or alias.name: alias.name for alias in code.nodes(ast.alias)}  # type: ignore[attr-defined]
    known = [name for name, of in names.items() if of == "TopicPartition"]
    modules = [name for name, of in names.items() if of == "confluent_kafka"]
    module = modules[0] if modules else '__import__("confluent_kafka")'
    made = known[0] if known else f"{module}.TopicPartition"
    return f"{made}({message}.topic(), {message}.partition(), {message}.offset())"


_OF_AN_ERROR = re.compile(r"(^|_)(errs?|errors?|failures?|exc|exception)$")
_KINDS_OF_ERROR = ("txn_requires_abort", "retriable", "fatal")


def _is_error(node: ast.AST) -> bool:
    return bool(_OF_AN_ERROR.search(_called(node) or _word(node)))


def _errors_ignored(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.expr):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            operator = node.ops[0]
            is_not = isinstance(operator, ast.IsNot | ast.NotEq | ast.NotIn)
            if isinstance(operator, ast.Is | ast.IsNot) and _is_error(node.left):
                yield code.replace("ignore-error", node, str(not is_not))
            elif isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) and (
                _called(node.left) == "code" or _word(node.left) == "code"
            ):
                yield code.replace("any-error", node, str(not is_not))
                yield code.replace("no-such-error", node, str(is_not))
        elif isinstance(node, ast.Call) and _called(node) in _KINDS_OF_ERROR:
            yield code.replace("any-error", node, "True")
            yield code.replace("no-such-error", node, "False")
        elif _is_error(node) and _is_asked(code, node):
            yield code.replace("ignore-error", node, "False")


def _is_asked(code: _Code, node: ast.AST) -> bool:
    """Whether an expression is used only as true or false."""
    match code.parents.get(node):
        case (
            ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test)
        ):
            return test is node
        case ast.UnaryOp(op=ast.Not()) | ast.BoolOp():
            return True
        case ast.comprehension(ifs=ifs):
            return node in ifs
    return False


def _nulls_confused(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        match node.ops, node.comparators:
            case [ast.Is() | ast.IsNot() as operator], [ast.Constant(value=None)]:
                if _is_error(node.left):
                    continue
                left = code.source(node.left)
                if not isinstance(node.left, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                    left = f"({left})"
                new = left if isinstance(operator, ast.IsNot) else f"not {left}"
                yield code.replace("null-as-empty", node, new)


def _contents_forgotten(code: _Code) -> Iterator[_Change]:
    new = {"headers": ("forget-headers", "None"), "key": ("forget-key", "None")}
    new["partition"] = ("one-partition", "0")
    for node in code.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if node.args or node.keywords or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in new:
            operator, text = new[node.func.attr]
            yield code.replace(operator, node, text)


_OTHER_VALUES = {
    ("acks", "all"): 1,
    ("acks", "-1"): 1,
    ("acks", -1): 1,
    ("auto.offset.reset", "earliest"): "latest",
    ("auto.offset.reset", "latest"): "earliest",
    ("isolation.level", "read_committed"): "read_uncommitted",
    ("isolation.level", "read_uncommitted"): "read_committed",
    ("partitioner", "murmur2"): "consistent",
    ("partitioner", "murmur2_random"): "consistent_random",
    ("partitioner", "consistent"): "murmur2",
    ("partition.assignment.strategy", "cooperative-sticky"): "range",
    ("partition.assignment.strategy", "range"): "cooperative-sticky",
}
_OPPOSITES: Mapping[object, object] = {True: False, "true": "false", "false": "true"}
_OTHER_NAMES = {
    "READ_COMMITTED": "READ_UNCOMMITTED",
    "READ_UNCOMMITTED": "READ_COMMITTED",
    "OFFSET_BEGINNING": "OFFSET_END",
    "OFFSET_END": "OFFSET_BEGINNING",
}
_SETTING = re.compile(r"[a-z]+(\.[a-z]+)+")


def _settings_changed(code: _Code) -> Iterator[_Change]:
    for name, value, entry in _settings(code):
        given = value.value if isinstance(value, ast.Constant) else None
        other = _OTHER_VALUES.get((name, given))
        if name.startswith(("enable.", "allow.")):
            other = True if given is False else _OPPOSITES.get(given, other)
        if other is not None:
            new = f'"{other}"' if isinstance(other, str) else str(other)
            yield code.replace("other-setting", value, new, name)
        elif entry is not None:
            yield code.remove("drop-setting", *entry, name)
    for node in code.nodes(ast.Name, ast.Attribute, ast.Call):
        if (word := _word(node)) in _OTHER_NAMES:
            _, end = code.span(node)
            yield _Change("other-setting", end - len(word), end, _OTHER_NAMES[word], word)
        elif isinstance(node, ast.Call) and _called(node) in ("earliest", "latest"):
            word = _called(node)
            _, end = code.span(node.func)
            new = "latest" if word == "earliest" else "earliest"
            yield _Change("other-setting", end - len(word), end, new, f"{word}()")


def _settings(code: _Code) -> Iterator[tuple[str, ast.expr, tuple[int, int] | None]]:
    """Name and value of each client setting, and its position if it can be left out."""
    for node in ast.walk(code.tree):
        match node:
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if name := _setting(key):
                        assert key is not None
                        yield name, value, (code.span(key)[0], code.span(value)[1])
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=value):
                if name := _setting(key):
                    yield name, value, None
            case ast.Call(keywords=keywords) if _called(node) in ("dict", "update"):
                for keyword in keywords:
                    if keyword.arg and (keyword.arg == "acks" or "_" in keyword.arg):
                        yield keyword.arg.replace("_", "."), keyword.value, None


def _setting(key: ast.AST | None) -> str:
    """The setting that a string names; empty if it names none."""
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return ""
    return key.value if key.value == "acks" or _SETTING.fullmatch(key.value) else ""


def _results_confused(code: _Code) -> Iterator[_Change]:
    for node in code.nodes(ast.Call, ast.BinOp):
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.BitAnd):
                for mask, rest in ((node.right, node.left), (node.left, node.right)):
                    if _is_constant(mask, 0x7FFFFFFF):
                        yield code.replace("sign-bit", node, code.source(rest))
            continue
        assert isinstance(node, ast.Call)
        name = _called(node)
        if isinstance(node.func, ast.Name):
            if name in ("max", "min") and len(node.args) == 2 and not node.keywords:
                for each in node.args:
                    if not isinstance(each, ast.Constant):
                        yield code.replace("no-bound", node, code.source(each), name)
            elif name == "sorted" and node.args:
                new = f"list({code.source(node.args[0])})"
                if isinstance(node.args[0], ast.GeneratorExp):
                    new = f"list{code.source(node.args[0])}"
                yield code.replace("unsorted", node, new)
            elif name == "all":
                yield code.replace("any-for-all", node.func, "any")
        elif name in ("encode", "decode"):
            yield from _other_encoding(code, node)


def _other_encoding(code: _Code, node: ast.Call) -> Iterator[_Change]:
    is_utf_8 = not node.args or _is_constant(node.args[0], "utf-8")
    if not is_utf_8 or node.keywords or len(node.args) > 1:
        return
    new = '("latin-1")' if _called(node) == "encode" else '("utf-8", "replace")'
    yield _Change("other-encoding", code.span(node.func)[1], code.span(node)[1], new)


_FINDERS: Sequence[Callable[[_Code], Iterator[_Change]]] = (
    _calls_left_out,
    _raises_left_out,
    _errors_swallowed,
    _rebalances_ignored,
    _arguments_left_out,
    _conditions_left_out,
    _commits_moved,
    _offsets_confused,
    _errors_ignored,
    _nulls_confused,
    _contents_forgotten,
    _settings_changed,
    _results_confused,
)
