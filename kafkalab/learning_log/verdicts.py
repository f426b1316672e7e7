"""Judges: from what happened to each test to the verdict on each fact."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

import pytest

from kafkalab.brokers.errors import BrokerError
from kafkalab.own_code import is_own
from kafkalab.unwritten import as_unwritten
from kafkalab.waiting import Expired

# pytest-timeout ends a test by pytest.fail with this text; it has no class of its own.
TIMEOUT_TEXT = "Timeout ("
# How the reason begins if a component ran into that limit.
TOO_LATE = "it did not return in time: "
# How the last line of a reason begins if a component harmed the fact from outside.
MEANWHILE = "meanwhile: "

# What Python raises if a component is called, or its result used, in another way than it was
# written for.
MISFITS = (TypeError, AttributeError, ValueError, LookupError, StopIteration)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
CONTRACTS = Path(str(resources.files("kafkalab.contracts")))

# What Python says if a result has another number of items than a test takes it apart into.
UNPACKED = re.compile(
    r"(?:not enough|too many) values to unpack \(expected (?:at least )?(?P<expected>\d+)"
    r"(?:, got (?P<seen>\d+))?\)"
)
# What pytest says if an expected exception was not raised: with its class's full name, or without.
NOT_RAISED = re.compile(r"DID NOT RAISE (?:<class ')?(?:\w+\.)*(?P<what>[^']+)(?:'>)?")

# What pytest says if an expected exception has another text.
OTHER_TEXT = re.compile(
    r"Regex pattern did not match\.\n +Expected regex: (?P<expected>.*)\n"
    r" +Actual message: (?P<seen>.*)"
)


class Outcome(StrEnum):
    """What happened to one test, a fact's or a control's."""

    PASSED = "passed"
    REFUTED = "refuted"
    """an expectation about Kafka, or about the component, did not hold"""
    INVALID = "invalid"
    """the broker, the environment or the harness failed: this says nothing about Kafka"""
    INTERRUPTED = "interrupted"
    """its process died, or the run ended, while it ran"""
    SKIPPED = "skipped"
    NOT_RUN = "not run"


class Verdict(StrEnum):
    """What may be said of one fact after a run."""

    DEMONSTRATED = "demonstrated"
    """it held, and every control made it false"""
    UNSUPPORTED = "unsupported"
    """it held, but a control did not make it false, was skipped or did not run"""
    REFUTED = "refuted"
    INVALID = "invalid"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not run"


# Which outcome counts among the tests of one fact, the worst first.
SEVERITY = (
    Outcome.REFUTED,
    Outcome.INVALID,
    Outcome.INTERRUPTED,
    Outcome.NOT_RUN,
    Outcome.SKIPPED,
    Outcome.PASSED,
)

WITHOUT_PASS = {
    Outcome.REFUTED: Verdict.REFUTED,
    Outcome.INVALID: Verdict.INVALID,
    Outcome.INTERRUPTED: Verdict.INTERRUPTED,
    Outcome.SKIPPED: Verdict.NOT_RUN,
    Outcome.NOT_RUN: Verdict.NOT_RUN,
}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that counts for a parametrised test; NOT_RUN when there is none."""
    return min(outcomes, key=SEVERITY.index, default=Outcome.NOT_RUN)


def verdict(fact: Outcome, controls: Sequence[Outcome]) -> Verdict:
    """The verdict on a fact from its own outcome and its controls'.

    A fact without controls states the reason for that; it is demonstrated when it passed.
    """
    if fact is not Outcome.PASSED:
        return WITHOUT_PASS[fact]
    support = worst(controls) if controls else Outcome.PASSED
    if support in (Outcome.INVALID, Outcome.INTERRUPTED):
        return WITHOUT_PASS[support]
    return Verdict.DEMONSTRATED if support is Outcome.PASSED else Verdict.UNSUPPORTED


def judge(
    error: BaseException,
    solutions: Path,
    broker_fails: Callable[[], str | None],
    component_test: Path | None = None,
    still_in: Callable[[], str] = str,
) -> tuple[Outcome, str]:
    """What an exception that ended a test says, and its reason in one line or more.

    Args:
        error: the exception.
        solutions: the folder of the components under test; an exception that
            comes out of a file of theirs, anywhere in it, refutes.
        broker_fails: the health probe: what is wrong with the broker, or None.
        component_test: the file of the test, if it judges a component. An error there
            because a result does not fit, such as None in place of a list, is the
            component's.
        still_in: file and line where the components' code still runs in another
            thread, or nothing. If a limit runs out then, that code is the cause.
    """
    places = _places_of(error.__traceback__)
    own = [
        f"{path.relative_to(solutions).as_posix()}:{line}"
        for path, line in places
        if is_own(path, solutions) and path != component_test
    ]
    if isinstance(error, BaseExceptionGroup) and not own:
        # hypothesis found several failures: the worst of them counts.
        said = [judge(each, solutions, broker_fails, component_test) for each in error.exceptions]
        return min(said, key=lambda each: SEVERITY.index(each[0]))
    if isinstance(error, BrokerError):
        return Outcome.INVALID, _reason(error)
    if _lacks_a_right(error):
        return Outcome.INVALID, f"the cluster's ACLs do not allow it: {_named(error)}"
    if failure := broker_fails():
        return Outcome.INVALID, failure
    is_expectation = isinstance(error, AssertionError | pytest.fail.Exception)
    timed_out = isinstance(error, pytest.fail.Exception) and str(error).startswith(TIMEOUT_TEXT)
    if own:
        reason = f"{TOO_LATE}{error}" if timed_out else _reason(error)
        if isinstance(error, NotImplementedError):
            reason = _as_unwritten(error, solutions)
        return Outcome.REFUTED, f"{own[-1]}: {reason}"
    if (timed_out or isinstance(error, Expired)) and (place := still_in()):
        return Outcome.REFUTED, f"{place}: {TOO_LATE}{error}"
    if is_expectation and not timed_out:
        return Outcome.REFUTED, _reason(error)
    if _is_of_hypothesis(error):
        # It calls the test twice with the same values, and the second call went another way.
        if component_test is not None and any(
            each.__name__ == "Flaky" for each in type(error).mro()
        ):
            return Outcome.REFUTED, "called twice with the same values, it did not do the same"
        return Outcome.INVALID, "no values were found to try it with: run it again"
    if isinstance(error, MISFITS) and _shows_in(component_test, [path for path, _ in places]):
        return Outcome.REFUTED, _as_misfit(error, component_test)
    return Outcome.INVALID, _reason(error)


def _is_of_hypothesis(error: BaseException) -> bool:
    """Whether hypothesis raised it about its own work; it is not imported for that."""
    return type(error).__module__.partition(".")[0] == "hypothesis"


def _as_misfit(error: BaseException, test: Path | None) -> str:
    """What does not fit: the contract's functions that the test calls, and the error."""
    codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    called = {
        name: None
        for code in codes
        if Path(code.co_filename) == test
        for name in code.co_names
        if name in _functions_of_contracts()
    }
    who = " or ".join(f"{name}()" for name in called) or "the component"
    if counts := UNPACKED.match(str(error)):
        expected, seen = counts["expected"], counts["seen"] or "more"
        return f"what {who} returned does not fit: {expected} items expected, {seen} seen"
    return f"what {who} takes or returns does not fit: {_named(error)}"


@cache
def _functions_of_contracts() -> frozenset[str]:
    """The names of all functions and methods that contracts ask for."""
    return frozenset(
        node.name
        for file in CONTRACTS.glob("*.py")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    )


def _function_asked(traceback: TracebackType | None) -> str:
    """The function of a contract of which a test expects an exception; "it" if there is none."""
    for path, line in reversed(_places_of(traceback)):
        for node in ast.walk(ast.parse(path.read_bytes())) if path.is_file() else ():
            if isinstance(node, ast.With) and node.lineno <= line < node.body[0].lineno:
                parts = (each for part in node.body for each in ast.walk(part))
                called = (getattr(each, "attr", getattr(each, "id", "")) for each in parts)
                found = (f"{each}()" for each in called if each in _functions_of_contracts())
                return next(found, "it")
    return "it"


def _as_unwritten(error: NotImplementedError, solutions: Path) -> str:
    """What is not written yet; for a NotImplementedError of a library, Python's own message."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    is_theirs = is_own(Path(frame.f_code.co_filename), solutions)
    return as_unwritten(error, frame.f_code) if is_theirs else _reason(error)


def _shows_in(test: Path | None, files: Sequence[Path]) -> bool:
    """Whether an error arose in a test, or below it while the test used a component's result.

    Below it there may be Python's own library, or a class of the contract that the component used.
    """
    if test not in files:
        return False
    after = files[len(files) - files[::-1].index(test) :]
    is_of_contract = bool(after) and after[0].is_relative_to(CONTRACTS)
    return is_of_contract or all(path.is_relative_to(STANDARD_LIBRARY) for path in after)


def _lacks_a_right(error: BaseException) -> bool:
    """Whether the broker refused a request because of an ACL; any client may have sent it."""
    # By name: importing the client for this would slow down runs that do not use it.
    if type(error).__name__ != "KafkaException" or not error.args:
        return False
    # A learner's code may raise one with a text, where the client puts its error.
    name = getattr(error.args[0], "name", None)
    return callable(name) and str(name()).endswith("_AUTHORIZATION_FAILED")


def _places_of(traceback: TracebackType | None) -> list[tuple[Path, int]]:
    """The files and lines that an exception passed through; the one that raised it is the last."""
    return [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(traceback)]


def _reason(error: BaseException) -> str:
    text = str(error).strip() or "no message"
    if missed := NOT_RAISED.fullmatch(text):
        return f"{_function_asked(error.__traceback__)} did not raise {missed['what']}"
    if other := OTHER_TEXT.match(text):
        who = _function_asked(error.__traceback__)
        return f"the error that {who} raised does not name {other['expected']}: {other['seen']}"
    if isinstance(error, AssertionError | pytest.fail.Exception | BrokerError):
        return text
    return _named(error)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}"
