"""A test item as a fact or a control: marks, needs, and what happened to it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from traceback import walk_stack

import pytest

from kafkalab.brokers import Backend, Broker
from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.brokers.errors import BrokerError
from kafkalab.brokers.node import MetadataProbe
from kafkalab.curriculum import Curriculum, Statement
from kafkalab.lab import Lab
from kafkalab.learning_log.evidence import Evidence
from kafkalab.learning_log.phase import PhaseData
from kafkalab.learning_log.record import is_about_component
from kafkalab.learning_log.verdicts import Outcome, judge
from kafkalab.own_code import is_own
from kafkalab.readable import shortened

# A fact takes a second or two; ten times that, on a loaded machine, is a hang.
FACT_LIMIT = 60
# A cluster of others may be far, encrypts, and with stock floors each step of a KIP-848 group
# takes 5 s: the longest fact was seen to take 44 s.
EXTERNAL_FACT_LIMIT = 180

# Characters of a reason that a record keeps: a broker's log has its place in it, and megabytes
# that a component puts into an error have not.
MOST_OF_A_REASON = 20_000

evidence_key = pytest.StashKey[Evidence]()


def statement_of(item: pytest.Item, curriculum: Curriculum) -> Statement | None:
    """The statement that an item makes; None for any other test."""
    if item.path.parent != curriculum.folder:
        return None
    return curriculum.statement_at(item.path.stem, getattr(item, "originalname", item.name))


def add_keywords(item: pytest.Item, statement: Statement) -> None:
    """Let `-k` select a fact with its controls by slug, hyphened or with underscores."""
    item.extra_keyword_matches.update({statement.slug, statement.slug.replace("-", "_")})


def mark_component(item: pytest.Item, statement: Statement) -> None:
    """Let `-m component` select the facts that judge a component."""
    if is_about_component(statement.scope):
        item.add_marker(pytest.mark.component)


def skip_unmet_needs(
    item: pytest.Item, capabilities: frozenset[str], backend: str, needs: Iterable[str]
) -> None:
    """Skip an item that needs what the backend cannot do, with reason and remedy."""
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
    """What a fact or control says that the broker must be able to do."""
    return [need for mark in item.iter_markers("needs") for need in mark.args]


def skip_other_versions(item: pytest.Item, statement: Statement, kafka_version: str) -> None:
    """Skip an item that states nothing about this version of Kafka, or perhaps not about it."""
    if reason := _not_of_version(statement, kafka_version):
        item.add_marker(pytest.mark.skip(reason=reason))


def _not_of_version(statement: Statement, kafka_version: str) -> str:
    """Why a statement says nothing of this Kafka, or perhaps not; else empty."""
    if not statement.versions or (kafka_version and statement.is_stated_for(kafka_version)):
        return ""
    this = (
        f"this is {kafka_version}"
        if kafka_version
        else "your cluster does not tell which it is: name it with --kafkalab-version"
    )
    return f"stated for Kafka {statement.versions}, and {this}"


def why_not_here(statement: Statement, backend: Backend) -> str:
    """Why a fact cannot run on this backend; empty where it can.

    That a fact starts a broker of its own, only its test tells.
    """
    unmet = _unmet_needs(statement.needs, backend.capabilities, backend.name)
    return next(unmet, "") or _not_of_version(statement, backend.kafka_version)


def time_limit(lab: Lab) -> float:
    """Seconds that a fact may take, unless it names its own limit."""
    return lab.limit or (EXTERNAL_FACT_LIMIT if lab.backend.name == "external" else FACT_LIMIT)


@contextlib.contextmanager
def plain_reasons(config: pytest.Config) -> Iterator[None]:
    """Have pytest tell what an assertion compared without colours.

    It puts them into the exception's text, where the terminal has any, and counts them
    where it cuts that text: a record is to say the same wherever it was made.
    """
    if not config.pluginmanager.hasplugin("terminalreporter"):
        # With -p no:terminal there is nothing to colour.
        yield
        return
    writer = config.get_terminal_writer()
    before = writer.code_highlight
    writer.code_highlight = False
    try:
        yield
    finally:
        writer.code_highlight = before


def phase_of(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, lab: Lab
) -> PhaseData:
    """What this phase of a fact or control says; ends the run when the shared broker is gone."""
    evidence = item.stash.get(evidence_key, None)
    observed = evidence.items if evidence is not None and report.when == "teardown" else []
    if report.passed:
        return PhaseData(Outcome.PASSED, "", observed)
    if report.skipped or call.excinfo is None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        return PhaseData(Outcome.SKIPPED, reason.removeprefix("Skipped: "), observed)
    given = getattr(item, "funcargs", {})
    outcome, reason = judge(
        call.excinfo.value,
        lab.solutions_folder,
        lambda: _what_fails(given.get("broker")),
        item.path if "solutions" in given else None,
        lambda: _own_place_of_threads(lab.solutions_folder, item.path),
    )
    reason = shortened(reason, MOST_OF_A_REASON)
    if lab.trouble or outcome is not Outcome.INVALID:
        return PhaseData(outcome, reason, observed)
    if problem := shared_broker_is_gone(lab):
        item.session.shouldstop = f"the run ends: {problem.splitlines()[0]}"
    return PhaseData(outcome, reason, observed)


def _own_place_of_threads(solutions: Path, test: Path) -> str:
    """File and line in which another thread is in the components' code; empty if none is."""
    here = threading.get_ident()
    for thread, frame in sys._current_frames().items():
        stack = [] if thread == here else list(walk_stack(frame))
        for each, line in stack:
            file = Path(each.f_code.co_filename)
            if is_own(file, solutions) and file != test:
                return f"{file.relative_to(solutions).as_posix()}:{line}"
    return ""


def _what_fails(broker: Broker | None) -> str | None:
    """The health probe: what is wrong with a broker; None when it answers or none is used."""
    if broker is None:
        return None
    try:
        broker.check_alive()
    except BrokerError as error:
        return str(error)
    if not broker.running_ids:
        return None
    # 5 s: a healthy broker answers in milliseconds, in a second on a loaded machine.
    if MetadataProbe(broker.client_properties()).brokers(5.0) == 0:
        return f"The broker runs but does not answer.\n{broker.log_tail()}"
    return None


def shared_broker_is_gone(lab: Lab) -> str | None:
    """What is wrong with the run's broker; None when it answers, or none was started."""
    try:
        broker = lab.lease.broker_if_started()
    except BrokerError as error:
        return str(error)
    return _what_fails(broker)
