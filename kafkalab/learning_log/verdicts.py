"""From what happened to each test to what may be said of each fact."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
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
# How the reason begins where a component ran into that limit.
TOO_LATE = "it did not return in time: "

# What Python raises where a component is called, or its result used, in another way than
# it was written for.
MISFITS = (TypeError, AttributeError, ValueError, LookupError, StopIteration)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
CONTRACTS = Path(str(resources.files("kafkalab.contracts")))

# What pytest says where an exception was expected: with its class's full name, or without.
NOT_RAISED = re.compile(r"DID NOT RAISE (?:<class ')?(?:\w+\.)*(?P<what>[^']+)(?:'>)?")


class Outcome(StrEnum):
    """What happened to one test, a fact's or a control's."""

    PASSED = "passed"
    REFUTED = "refuted"
    """an expectation about Kafka, or about the component, did not hold"""
    INVALID = "invalid"
    """the broker, the environment or the harness failed: it says nothing about Kafka"""
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


# What outweighs what among the tests of one fact, worst first.
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

    A fact without controls has a stated reason for it; it is demonstrated
    when it passed.
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
        component_test: the file of the test, if it judges a component: a misfit
            that shows there, such as None where a list was asked for, is the
            component's.
        still_in: where code of the components has not returned in another thread:
            file and line, or nothing. A limit that ran out meanwhile is its doing.
    """
    places = _places_of(error.__traceback__)
    own = [
        f"{path.relative_to(solutions).as_posix()}:{line}"
        for path, line in places
        if is_own(path, solutions) and path != component_test
    ]
    if isinstance(error, BaseExceptionGroup) and not own:
        # hypothesis found several failures: of these too the worst counts.
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
    if isinstance(error, MISFITS) and _shows_in(component_test, [path for path, _ in places]):
        text = f"what the component takes or returns does not fit: {_named(error)}"
        return Outcome.REFUTED, text
    return Outcome.INVALID, _reason(error)


def _as_unwritten(error: NotImplementedError, solutions: Path) -> str:
    """What is not written yet; where a library lacks something, Python's own word."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    is_theirs = is_own(Path(frame.f_code.co_filename), solutions)
    return as_unwritten(error, frame.f_code) if is_theirs else _reason(error)


def _shows_in(test: Path | None, files: Sequence[Path]) -> bool:
    """Whether an error arose in a test, or in what was done for it with a result.

    Python itself did it, or a class of the contract, of which the component made an object.
    """
    if test not in files:
        return False
    after = files[len(files) - files[::-1].index(test) :]
    is_of_contract = bool(after) and after[0].is_relative_to(CONTRACTS)
    return is_of_contract or all(path.is_relative_to(STANDARD_LIBRARY) for path in after)


def _lacks_a_right(error: BaseException) -> bool:
    """Whether the broker refused a request because of an ACL, whoever made it."""
    # By name: to import the client for this would cost those who do not use it.
    if type(error).__name__ != "KafkaException" or not error.args:
        return False
    # Whoever raises one may have put a text in, where the client has its error.
    name = getattr(error.args[0], "name", None)
    return callable(name) and str(name()).endswith("_AUTHORIZATION_FAILED")


def _places_of(traceback: TracebackType | None) -> list[tuple[Path, int]]:
    """The files and lines that an exception came through, the one that raised it last."""
    return [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(traceback)]


def _reason(error: BaseException) -> str:
    text = str(error).strip() or "no message"
    if missed := NOT_RAISED.fullmatch(text):
        return f"it did not raise {missed['what']}"
    if isinstance(error, AssertionError | pytest.fail.Exception | BrokerError):
        return text
    return _named(error)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}"
