"""A test item as a fact or a control: marks, needs, and what happened to it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from traceback import walk_stack

import pytest

from kafkalab.brokers import Backend, Broker
from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.brokers.errors import BrokerError
from kafkalab.brokers.node import MetadataProbe
from kafkalab.curriculum import Curriculum, Statement
from kafkalab.lab import Lab
from kafkalab.learning_log.comparison import Comparison
from kafkalab.learning_log.evidence import Evidence
from kafkalab.learning_log.phase import PhaseData
from kafkalab.learning_log.record import is_about_component
from kafkalab.learning_log.verdicts import MEANWHILE, SEVERITY, Outcome, judge
from kafkalab.own_code import is_own
from kafkalab.readable import shortened

# Seconds. A fact takes a second or two, and ten times that on a loaded machine: more is a hang.
FACT_LIMIT = 60
# Seconds. An external cluster may be far away and use TLS, and with Kafka's default intervals each
# step of a KIP-848 group takes 5 s: the longest fact measured took 44 s.
EXTERNAL_FACT_LIMIT = 180

# Characters of a reason that a record keeps: enough for the end of a broker's log, but not for
# megabytes that a component may put into an error.
MOST_OF_A_REASON = 20_000

evidence_key = pytest.StashKey[Evidence]()
running_key = pytest.StashKey[pytest.Item | None]()
"""in the config's stash: the fact or control that runs"""


def statement_of(item: pytest.Item, curriculum: Curriculum) -> Statement | None:
    """The statement that an item makes; None for any other test."""
    if item.path.parent != curriculum.folder:
        return None
    return curriculum.statement_at(item.path.stem, getattr(item, "originalname", item.name))


def add_keywords(item: pytest.Item, statement: Statement) -> None:
    """Let `-k` select a fact with its controls by slug, with hyphens or underscores."""
    item.extra_keyword_matches.update({statement.slug, statement.slug.replace("-", "_")})


def mark_component(item: pytest.Item, statement: Statement) -> None:
    """Let `-m component` select the facts that judge a component."""
    if is_about_component(statement.scope):
        item.add_marker(pytest.mark.component)


def skip_unmet_needs(
    item: pytest.Item, capabilities: frozenset[str], backend: str, needs: Iterable[str]
) -> None:
    """Skip an item that needs something the backend cannot do; give the reason and a remedy."""
    needs = list(needs)
    if "private_broker" in getattr(item, "fixturenames", ()):
        needs.append("private_broker")
    for reason in _unmet_needs(needs, capabilities, backend):
        item.add_marker(pytest.mark.skip(reason=reason))


def _unmet_needs(needs: Iterable[str], capabilities: frozenset[str], backend: str) -> Iterator[str]:
    for need in needs:
        if need not in capabilities:
            remedy = CAPABILITIES[need].remedy
            yield f"needs {need}, which the {backend} backend does not have: {remedy}"


def needs_of(item: pytest.Item) -> list[str]:
    """The capabilities that a fact or control needs of the broker."""
    return [need for mark in item.iter_markers("needs") for need in mark.args]


def skip_other_versions(item: pytest.Item, statement: Statement, kafka_version: str) -> None:
    """Skip an item that is not stated for this version of Kafka, or if the version is unknown."""
    if reason := _not_of_version(statement, kafka_version):
        item.add_marker(pytest.mark.skip(reason=reason))


def _not_of_version(statement: Statement, kafka_version: str) -> str:
    """Why a statement does not apply to this Kafka, or may not apply; empty if it applies."""
    if not statement.versions or (kafka_version and statement.is_stated_for(kafka_version)):
        return ""
    this = (
        f"this is {kafka_version}"
        if kafka_version
        else "your cluster does not report its version: name it with --kafkalab-version"
    )
    return f"stated for Kafka {statement.versions}, and {this}"


def why_not_here(statement: Statement, backend: Backend) -> str:
    """Why a fact cannot run on this backend; empty if it can.

    It does not check whether the fact starts a broker of its own: only the fixtures of its
    test show that.
    """
    unmet = _unmet_needs(statement.needs, backend.capabilities, backend.name)
    return next(unmet, "") or _not_of_version(statement, backend.kafka_version)


def time_limit(lab: Lab) -> float:
    """Seconds that a fact may take, unless it names its own limit."""
    return lab.limit or (EXTERNAL_FACT_LIMIT if lab.backend.name == "external" else FACT_LIMIT)


@contextlib.contextmanager
def plain_reasons(item: pytest.Item) -> Iterator[None]:
    """Have failed assertions described in plain words, and without colours.

    On a colour terminal pytest puts colour codes into the exception's text, and counts them
    when it shortens the text. A record must have the same text on every terminal.
    """
    config = item.config
    # With -p no:terminal there is nothing to colour.
    has_terminal = config.pluginmanager.hasplugin("terminalreporter")
    writer = config.get_terminal_writer() if has_terminal else None
    before = writer.code_highlight if writer else False
    config.stash[running_key] = item
    if writer:
        writer.code_highlight = False
    try:
        yield
    finally:
        config.stash[running_key] = None
        if writer:
            writer.code_highlight = before


def told_plainly(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """The lines that tell a failed comparison of a fact; None in any other test."""
    if (item := config.stash.get(running_key, None)) is None:
        return None
    return Comparison(op, left, right, partial(_renamed, item)).told()


def _renamed(item: pytest.Item, text: str) -> str:
    """The text with the names of topics and groups as the fact's evidence shows them."""
    evidence = item.stash.get(evidence_key, None)
    return evidence.renamed(text) if evidence is not None else text


def phase_of(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, lab: Lab
) -> PhaseData:
    """The result of this phase of a fact or control; ends the run if the shared broker is gone."""
    evidence = item.stash.get(evidence_key, None)
    observed = evidence.items if evidence is not None and report.when == "teardown" else []
    if report.passed:
        return PhaseData(Outcome.PASSED, "", observed)
    if report.skipped or call.excinfo is None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        if call.excinfo is not None and isinstance(call.excinfo.value, pytest.skip.Exception):
            # Without what hypothesis adds to it of the example that it had chosen.
            reason = str(call.excinfo.value.msg)
        return PhaseData(Outcome.SKIPPED, reason.removeprefix("Skipped: "), observed)
    outcome, reason = _judged(item, call.excinfo.value, lab)
    if deleted := _deleted_by_components(item):
        outcome, reason = Outcome.REFUTED, f"{reason}\n{MEANWHILE}{deleted}"
    reason = shortened(_renamed(item, reason), MOST_OF_A_REASON)
    if lab.trouble or outcome is not Outcome.INVALID:
        return PhaseData(outcome, reason, observed)
    if problem := shared_broker_is_gone(lab):
        item.session.shouldstop = f"the run ends: {problem.splitlines()[0]}"
    return PhaseData(outcome, reason, observed)


def _deleted_by_components(item: pytest.Item) -> str:
    """Which topics of a fact were deleted while components were judged; empty if none was.

    Only components can have done it: no test about one deletes topics, and facts about Kafka use
    another broker. It may be one that another worker judges now.
    """
    given = getattr(item, "funcargs", {})
    if "solutions" not in given or "topic" not in given:
        return ""
    names = given["topic"].deleted()
    if not names:
        return ""
    were = "was" if len(names) == 1 else "were"
    return f"{' and '.join(names)} {were} deleted, which none of your components may do"


def _judged(item: pytest.Item, error: BaseException, lab: Lab) -> tuple[Outcome, str]:
    given = getattr(item, "funcargs", {})
    return judge(
        error,
        lab.solutions_folder,
        lambda: _what_fails(given.get("broker")),
        item.path if "solutions" in given else None,
        lambda: _own_place_of_threads(lab.solutions_folder, item.path),
    )


def without_hypothesis(item: pytest.Item, call: pytest.CallInfo[None], lab: Lab) -> None:
    """Leave out of a failure what hypothesis adds to it: its words are not about the fact.

    Of several failures the worst stays, as in the verdict.
    """
    is_tried = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    if call.excinfo is None or not is_tried:
        return
    failures = sorted(
        _failures_in(call.excinfo.value),
        key=lambda each: SEVERITY.index(_judged(item, each, lab)[0]),
    )
    failures[0].__notes__ = []
    if failures[0] is not call.excinfo.value:
        failures[0].__suppress_context__ = True
        call.excinfo = pytest.ExceptionInfo.from_exception(failures[0])


def _failures_in(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, and in its groups; any other exception as it is."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [failure for each in error.exceptions for failure in _failures_in(each)]


def _own_place_of_threads(solutions: Path, test: Path) -> str:
    """The file and line at which another thread runs component code; empty if none does."""
    here = threading.get_ident()
    for thread, frame in sys._current_frames().items():
        stack = [] if thread == here else list(walk_stack(frame))
        for each, line in stack:
            file = Path(each.f_code.co_filename)
            if is_own(file, solutions) and file != test:
                return f"{file.relative_to(solutions).as_posix()}:{line}"
    return ""


def _what_fails(broker: Broker | None) -> str | None:
    """Probe a broker and say what is wrong with it; None if it answers, or if there is none."""
    if broker is None:
        return None
    try:
        broker.check_alive()
    except BrokerError as error:
        return str(error)
    if not broker.running_ids:
        return None
    # A healthy broker answers in milliseconds, on a loaded machine within a second.
    if MetadataProbe(broker.client_properties()).brokers(5.0) == 0:
        return f"The broker runs but does not answer.\n{broker.log_tail()}"
    return None


def shared_broker_is_gone(lab: Lab) -> str | None:
    """What is wrong with a shared broker of the run; None when all that were started answer."""
    for lease in (lab.lease, lab.lease_apart):
        try:
            broker = lease.broker_if_started()
        except BrokerError as error:
            return str(error)
        if failure := _what_fails(broker):
            return failure
    return None
