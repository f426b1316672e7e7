"""The design's table of verdicts, row by row: first one test's outcome, then a fact's verdict."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st
from pytest_timeout import PYTEST_FAILURE_MESSAGE
from rich.color import Color

from kafkalab.brokers.errors import BrokerDied, BrokerError, NoImage, StartFailed
from kafkalab.contracts.routing import Distribution
from kafkalab.learning_log.verdicts import Outcome, Verdict, judge, verdict, worst
from kafkalab.waiting import wait_until

PASSED, SKIPPED, NOT_RUN = Outcome.PASSED, Outcome.SKIPPED, Outcome.NOT_RUN
REFUTED, INVALID, INTERRUPTED = Outcome.REFUTED, Outcome.INVALID, Outcome.INTERRUPTED

NO_SOLUTIONS = Path("/nowhere/my_lab")


def healthy() -> None:
    """A health probe that finds nothing wrong."""


def broken() -> str:
    """A health probe that finds the broker gone."""
    return "The broker died: node 1 is gone."


ROOT = Path(__file__).parents[1]


def error_of(action: Callable[[], object]) -> BaseException:
    """The exception that an action ends with."""
    try:
        action()
    except BaseException as error:  # noqa: BLE001
        return error
    raise LookupError("the action raised nothing")


def raising(error: BaseException) -> Callable[[], None]:
    """An action of the harness that ends with this exception."""

    def action() -> None:
        raise error

    return action


# What happened to one test


def fail_an_assertion() -> None:
    partitions = 2
    assert partitions == 3, "three partitions were asked for"


def run_out_of_time() -> None:
    wait_until(lambda: 0, limit=0, what="a leader for every partition")


def fail_by_word() -> None:
    pytest.fail("the group rebalanced")


def miss_an_exception() -> None:
    with pytest.raises(KeyError):
        pass


def raise_with_another_text() -> None:
    with pytest.raises(KeyError, match="UNKNOWN_TOPIC"):
        raise KeyError("TOPIC_EXISTS")


FAILED_EXPECTATIONS = pytest.mark.parametrize(
    ("action", "reason"),
    [
        pytest.param(fail_an_assertion, "three partitions were asked for", id="assertion"),
        pytest.param(run_out_of_time, "a leader for every partition", id="wait ran out"),
        pytest.param(fail_by_word, "the group rebalanced", id="pytest.fail"),
        pytest.param(miss_an_exception, "it did not raise KeyError", id="did not raise"),
        pytest.param(
            raise_with_another_text,
            "the error that it raised does not name 'UNKNOWN_TOPIC': \"'TOPIC_EXISTS'\"",
            id="raised with another text",
        ),
    ],
)


@FAILED_EXPECTATIONS
def test_a_failed_expectation_refutes(action: Callable[[], None], reason: str) -> None:
    """On a healthy broker, what does not hold is refuted, in the expectation's own words."""
    error = error_of(action)

    outcome, said = judge(error, NO_SOLUTIONS, healthy)

    assert outcome is REFUTED
    assert reason in said


@FAILED_EXPECTATIONS
def test_a_failed_expectation_on_a_broken_broker_is_invalid(
    action: Callable[[], None], reason: str
) -> None:
    """Where the health probe fails, the reason is the probe's text, not the expectation's."""
    error = error_of(action)

    outcome, said = judge(error, NO_SOLUTIONS, broken)

    assert outcome is INVALID
    assert said == broken()
    assert reason not in said


@pytest.mark.parametrize("kind", [BrokerError, BrokerDied, StartFailed, NoImage])
def test_a_broker_error_is_invalid(kind: type[BrokerError]) -> None:
    """Whichever way the broker failed, its error is no verdict on Kafka."""
    error = kind("It did not start.", suspect="a setting.", remedy="run again.", log="the log")

    outcome, said = judge(error, NO_SOLUTIONS, healthy)

    assert outcome is INVALID
    assert said == "It did not start. Suspected: a setting. To do: run again.\nthe log"


def test_a_broker_error_keeps_its_own_words() -> None:
    """The broker's error says more than a probe that finds the same broker gone."""
    error = BrokerDied("Node 2 ran out of disk.", suspect="the disk.", remedy="make room.")

    _, said = judge(error, NO_SOLUTIONS, broken)

    assert said.startswith("Node 2 ran out of disk.")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(OSError("disk full"), "OSError: disk full", id="operating system"),
        pytest.param(TimeoutError("no answer"), "TimeoutError: no answer", id="timeout"),
        pytest.param(TypeError("no such thing"), "TypeError: no such thing", id="a bug"),
        pytest.param(RuntimeError(), "RuntimeError: no message", id="without a text"),
    ],
)
def test_any_other_exception_of_the_harness_is_invalid(error: Exception, reason: str) -> None:
    """The apparatus failed: that is no verdict on Kafka or on the learner."""
    outcome, said = judge(error_of(raising(error)), NO_SOLUTIONS, healthy)

    assert (outcome, said) == (INVALID, reason)


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ],
)
def test_a_missing_right_is_invalid(code: int) -> None:
    """Whoever lacks a right learns that, even in a component: it is no verdict on it."""
    error = error_of(raising(KafkaException(KafkaError(code))))

    outcome, said = judge(error, Path(__file__).parent, healthy)

    assert outcome is INVALID
    assert said.startswith("the cluster's ACLs do not allow it: KafkaException: ")


def test_a_test_that_hangs_is_invalid() -> None:
    """The limit of pytest-timeout ends the apparatus; it is no expectation about Kafka."""
    text = PYTEST_FAILURE_MESSAGE % 1.0

    outcome, said = judge(error_of(lambda: pytest.fail(text)), NO_SOLUTIONS, healthy)

    assert text == "Timeout (>1.0s) from pytest-timeout.", "pytest-timeout's words are known"
    assert (outcome, said) == (INVALID, text)


@pytest.mark.parametrize(
    "action",
    [
        lambda: pytest.fail(PYTEST_FAILURE_MESSAGE % 1.0),
        lambda: wait_until(lambda: 0, limit=0, what="a sign"),
    ],
    ids=["the test's limit", "a wait's limit"],
)
def test_a_limit_refutes_while_learner_code_has_not_returned(action: Callable[[], None]) -> None:
    """A limit that runs out while another thread is in a component is that component's doing."""
    outcome, said = judge(error_of(action), NO_SOLUTIONS, healthy, None, lambda: "rebalance.py:17")

    assert outcome is REFUTED
    assert said.startswith("rebalance.py:17: it did not return in time: ")


def test_an_expectation_is_told_whoever_has_not_returned() -> None:
    """What a test expected and did not see is its reason, whatever other threads do."""
    said = judge(
        error_of(lambda: pytest.fail("one record")), NO_SOLUTIONS, healthy, None, lambda: "x.py:1"
    )

    assert said == (REFUTED, "one record")


# A learner's component

COMPONENT = """
import json
import sys


def raise_an_error():
    return 1 / 0


def use_a_library_wrongly():
    return json.loads("{")


def leave():
    sys.exit(3)


def call(other):
    return other()
"""


@pytest.fixture
def my_lab(tmp_path: Path) -> Path:
    """A learner's folder with one component."""
    folder = tmp_path / "my_lab"
    folder.mkdir()
    (folder / "topics.py").write_text(COMPONENT, "utf-8")
    return folder


@pytest.fixture
def component(my_lab: Path) -> dict[str, Any]:
    """The names of the learner's component."""
    return runpy.run_path(str(my_lab / "topics.py"))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param("raise_an_error", "ZeroDivisionError: division by zero", id="own error"),
        pytest.param("use_a_library_wrongly", "JSONDecodeError: ", id="a library's error"),
        pytest.param("leave", "SystemExit: 3", id="sys.exit"),
    ],
)
def test_an_exception_out_of_learner_code_refutes(
    my_lab: Path, component: dict[str, Any], function: str, reason: str
) -> None:
    """A component that raises where its task promises a result is refuted."""
    error = error_of(component[function])

    outcome, said = judge(error, my_lab, healthy)

    assert outcome is REFUTED
    assert re.match(rf"topics\.py:\d+: {reason}", said), "where in the learner's code, and what"


def test_an_exception_through_learner_code_refutes(my_lab: Path, component: dict[str, Any]) -> None:
    """What comes from far below, as from a client, and the component lets through, counts."""
    error = error_of(lambda: component["call"](raising(OSError("refused"))))

    outcome, said = judge(error, my_lab, healthy)

    assert outcome is REFUTED
    assert re.fullmatch(r"topics\.py:\d+: OSError: refused", said)


def test_an_exception_out_of_learner_code_on_a_broken_broker_is_invalid(
    my_lab: Path, component: dict[str, Any]
) -> None:
    """Nobody's component works without a broker."""
    error = error_of(component["raise_an_error"])

    outcome, said = judge(error, my_lab, broken)

    assert (outcome, said) == (INVALID, broken())


def test_an_exception_out_of_another_folder_is_not_the_learners(
    my_lab: Path, component: dict[str, Any]
) -> None:
    """A folder's name counts as a whole: what lies in `my_lab` does not lie in `my`."""
    error = error_of(component["raise_an_error"])

    outcome, _ = judge(error, my_lab.with_name("my"), healthy)

    assert outcome is INVALID


def test_an_exception_out_of_a_file_further_down_is_the_learners(my_lab: Path) -> None:
    """A component may be a folder of files: each is named as it is called within the folder."""
    (my_lab / "helpers").mkdir()
    (my_lab / "helpers" / "inner.py").write_text(COMPONENT, "utf-8")
    inner = runpy.run_path(str(my_lab / "helpers" / "inner.py"))

    outcome, said = judge(error_of(inner["raise_an_error"]), my_lab, healthy)

    assert outcome is REFUTED
    assert re.fullmatch(r"helpers/inner\.py:\d+: ZeroDivisionError: division by zero", said)


@pytest.mark.parametrize(
    "action",
    [lambda: wait_until(lambda: 1 / 0, limit=1, what="it"), lambda: Color.parse("no colour")],
    ids=["kafkalab", "a library"],
)
def test_what_others_have_below_the_folder_is_not_the_learners(
    action: Callable[[], object],
) -> None:
    """A learner's folder may be the project's root, with kafkalab and libraries below it."""
    outcome, _ = judge(error_of(action), ROOT, healthy, Path(__file__))

    assert outcome is INVALID


def test_an_error_that_the_learner_caught_is_not_the_learners(
    my_lab: Path, component: dict[str, Any]
) -> None:
    """Only the exception that ended the test counts, not one that was handled before it."""
    caught = error_of(component["raise_an_error"])
    bug = RuntimeError("a bug in the harness")
    bug.__context__ = caught

    outcome, _ = judge(error_of(raising(bug)), my_lab, healthy)

    assert outcome is INVALID


# What may be said of a fact


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (REFUTED, Verdict.REFUTED),
        (INVALID, Verdict.INVALID),
        (INTERRUPTED, Verdict.INTERRUPTED),
        (SKIPPED, Verdict.NOT_RUN),
        (NOT_RUN, Verdict.NOT_RUN),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "controls",
    [(), (PASSED,), (REFUTED,), (INVALID,), (NOT_RUN,)],
    ids=lambda controls: f"control {controls[0]}" if controls else "no control",
)
def test_a_fact_that_did_not_pass_is_judged_by_itself(
    fact: Outcome, controls: tuple[Outcome, ...], expected: Verdict
) -> None:
    """No control can make more, or less, of a fact that did not pass."""
    assert verdict(fact, controls) is expected


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        pytest.param((), Verdict.DEMONSTRATED, id="there can be no control"),
        pytest.param((PASSED,), Verdict.DEMONSTRATED, id="control passed"),
        pytest.param((PASSED, PASSED), Verdict.DEMONSTRATED, id="both controls passed"),
        pytest.param((REFUTED,), Verdict.UNSUPPORTED, id="control refuted"),
        pytest.param((SKIPPED,), Verdict.UNSUPPORTED, id="control skipped"),
        pytest.param((NOT_RUN,), Verdict.UNSUPPORTED, id="control not run"),
        pytest.param((INVALID,), Verdict.INVALID, id="control invalid"),
        pytest.param((INTERRUPTED,), Verdict.INTERRUPTED, id="control interrupted"),
        pytest.param((PASSED, REFUTED), Verdict.UNSUPPORTED, id="one of two refuted"),
        pytest.param((SKIPPED, PASSED), Verdict.UNSUPPORTED, id="one of two skipped"),
        pytest.param((PASSED, NOT_RUN), Verdict.UNSUPPORTED, id="one of two not run"),
        pytest.param((INVALID, PASSED), Verdict.INVALID, id="one of two invalid"),
        pytest.param((SKIPPED, INVALID), Verdict.INVALID, id="invalid outweighs skipped"),
        pytest.param((NOT_RUN, INTERRUPTED), Verdict.INTERRUPTED, id="interrupted, other not run"),
    ],
)
def test_a_fact_that_passed_is_as_good_as_its_controls(
    controls: tuple[Outcome, ...], expected: Verdict
) -> None:
    """A fact that held is demonstrated only if every control made it false."""
    assert verdict(PASSED, controls) is expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param([], NOT_RUN, id="none"),
        pytest.param([PASSED, PASSED], PASSED, id="all passed"),
        pytest.param([PASSED, SKIPPED], SKIPPED, id="one skipped"),
        pytest.param([SKIPPED, NOT_RUN], NOT_RUN, id="one not run"),
        pytest.param([NOT_RUN, INTERRUPTED], INTERRUPTED, id="one interrupted"),
        pytest.param([INTERRUPTED, INVALID], INVALID, id="one invalid"),
        pytest.param([INVALID, REFUTED], REFUTED, id="one refuted"),
    ],
)
def test_of_a_parametrised_test_the_worst_counts(
    outcomes: list[Outcome], expected: Outcome
) -> None:
    """Each outcome outweighs those below it; nothing at all is not run."""
    assert worst(outcomes) is expected


OUTCOMES = st.sampled_from(Outcome)


@given(st.lists(OUTCOMES))
def test_the_worst_does_not_depend_on_the_order(outcomes: list[Outcome]) -> None:
    """However workers interleave, the same outcome counts."""
    assert worst(outcomes) is worst(sorted(outcomes))


@given(st.sampled_from([each for each in Outcome if each is not PASSED]), st.lists(OUTCOMES))
def test_a_fact_that_did_not_pass_is_never_taught(fact: Outcome, controls: list[Outcome]) -> None:
    """Neither demonstrated nor unsupported, which both say that the fact held."""
    assert verdict(fact, controls) not in (Verdict.DEMONSTRATED, Verdict.UNSUPPORTED)


@given(OUTCOMES, st.lists(OUTCOMES))
def test_demonstrated_means_that_everything_passed(fact: Outcome, controls: list[Outcome]) -> None:
    """There is no other way to demonstrated."""
    everything_passed = all(each is PASSED for each in [fact, *controls])

    assert (verdict(fact, controls) is Verdict.DEMONSTRATED) == everything_passed


@given(OUTCOMES, st.lists(OUTCOMES))
def test_a_verdict_is_a_word_in_json(fact: Outcome, controls: list[Outcome]) -> None:
    """Records keep verdicts as the words that people read."""
    said = verdict(fact, controls)

    assert json.loads(json.dumps(said)) == str(said)


def test_of_several_failures_the_worst_counts(my_lab: Path) -> None:
    """hypothesis can find two failures at once: an expectation outweighs a harness error."""
    failures = [OSError("the disk is full"), AssertionError("one is not two")]

    outcome, said = judge(ExceptionGroup("two failures", failures), my_lab, healthy)

    assert (outcome, said) == (REFUTED, "one is not two")


@pytest.mark.parametrize(
    "use",
    [
        lambda found: found[0],
        lambda found: next(iter(found)),
        lambda _: json.loads("no JSON"),
        lambda _: Distribution((1j, 2)).chi_square(),  # type: ignore[arg-type]
        lambda _: Distribution(("a", "b")).skew,  # type: ignore[arg-type]
    ],
    ids=[
        "an index",
        "the next one",
        "Python's own parser",
        "what a class of the contract calls",
        "a class of the contract",
    ],
)
def test_a_result_that_does_not_fit_refutes_wherever_python_meets_it(
    tmp_path: Path, use: Callable[[list[int]], object]
) -> None:
    """An empty list where rows were asked for, and no JSON: the component's, not the harness's."""
    with pytest.raises((LookupError, StopIteration, ValueError, TypeError)) as met:
        use([])

    outcome, reason = judge(met.value, tmp_path, lambda: None, Path(__file__))

    assert outcome is Outcome.REFUTED
    assert re.match(r"what (the component|\w+\(\)) takes or returns does not fit: ", reason)


def test_an_error_of_kafka_that_is_only_a_text_is_judged(tmp_path: Path) -> None:
    """A learner may raise one, as the contract has it, without the client's error in it."""
    own = tmp_path / "topics.py"
    code = "from confluent_kafka import KafkaException\nraise KafkaException('cannot reach it')\n"
    own.write_text(code, "utf-8")
    with pytest.raises(Exception, match="cannot reach it") as raised:
        exec(compile(code, str(own), "exec"), {})  # noqa: S102 - our own

    outcome, reason = judge(raised.value, tmp_path, lambda: None)

    assert (outcome, reason) == (Outcome.REFUTED, "topics.py:2: KafkaException: cannot reach it")


def test_a_group_of_errors_out_of_a_component_refutes(tmp_path: Path) -> None:
    """With the line in which it was raised."""
    own = tmp_path / "topics.py"
    code = "raise ExceptionGroup('failed', [OSError('one')])\n"
    own.write_text(code, "utf-8")
    with pytest.raises(ExceptionGroup) as raised:
        exec(compile(code, str(own), "exec"), {})  # noqa: S102 - our own

    outcome, reason = judge(raised.value, tmp_path, lambda: None)

    assert outcome is Outcome.REFUTED
    assert reason.startswith("topics.py:1: ExceptionGroup: failed")


def publish() -> list[int]:
    """A component's function that neither raises nor returns what its contract says."""
    return [1]


def miss_a_contracts_exception() -> None:
    with pytest.raises(KeyError):
        publish()


def take_apart() -> None:
    _, _ = publish()


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (miss_a_contracts_exception, "publish() did not raise KeyError"),
        (take_apart, "what publish() returned does not fit: 2 items expected, 1 seen"),
    ],
    ids=["no exception", "too few items"],
)
def test_a_misfit_names_the_function(action: Callable[[], None], told: str) -> None:
    """It is told of the contract's function, and not in pytest's or Python's words."""
    outcome, reason = judge(error_of(action), NO_SOLUTIONS, healthy, Path(__file__))

    assert (outcome, reason) == (REFUTED, told)
