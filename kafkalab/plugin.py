"""The pytest plugin: hooks and options only.

In a project that does not use kafkalab it prints nothing: it adds its options,
markers and fixtures, and does not import the Kafka client.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from kafkalab import collection, experiments, facts, preflight, questions, workers
from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.brokers.errors import BrokerError
from kafkalab.collection import FactModule
from kafkalab.config import KNOBS
from kafkalab.curriculum import BadManifest
from kafkalab.interrupts import Interrupts
from kafkalab.lab import WORKER_INPUT, Lab, lab_key
from kafkalab.learning_log.terminal import StepLines, Terminal
from kafkalab.readable import readable
from kafkalab.recorder import Recorder
from kafkalab.run_page import RunPage
from kafkalab.telling import Teller

pytest_plugins = ["kafkalab.fixtures"]

HYPOTHESIS = "hypothesispytest"
"""the name of hypothesis's own pytest plugin"""

HYPOTHESIS_SECTION = "Hypothesis"
"""the heading under which that plugin adds its words to a report"""

PAGE, RECORDER, QUESTIONS = "kafkalab-page", "kafkalab-recorder", "kafkalab-questions"
FACT_LINES, ISOLATION = "kafkalab-fact-lines", "kafkalab-isolation"

MARKERS = (
    "fact(slug, scope, versions=''): a sentence about Kafka, or about a component, that this test "
    "demonstrates; versions such as '>=4.1' say for which Kafka it is stated",
    "control(slug, changes, versions=''): the same experiment with one factor changed; the result "
    "is the opposite of the fact's",
    f"needs(*capabilities): what the broker must be able to do: {', '.join(CAPABILITIES)}",
    "slow: takes a minute and is left out, unless -m names it",
    "component: judges a component of a task; kafkalab sets this marker itself, for -m component",
)
CLUSTER_MARKER = (
    "cluster(brokers=1, settings={}): the broker that private_broker starts for this test"
)
"""registered in every project; the other markers only in runs of facts, to avoid name clashes"""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kafkalab", "kafkalab: Apache Kafka's behaviour as executable facts")
    for knob in KNOBS.values():
        text = f"{knob.help}; environment {knob.variable}, ini {knob.ini}"
        group.addoption(knob.flag, dest=knob.ini, default=None, help=text)
        parser.addini(knob.ini, text, default="")
    parser.addini(
        collection.FACTS_BESIDE,
        "whether pytest without a path, in the root folder, runs kafkalab's facts beside the tests "
        "in testpaths",
        type="bool",
        default=False,
    )
    parser.addini(
        workers.INI,
        "auto: pytest runs several facts at a time, as with -n of pytest-xdist, unless the call "
        "says how many",
        default="",
    )
    group.addoption(
        questions.FLAG,
        action="store_true",
        dest="kafkalab_predict",
        help="before each fact about Kafka, ask in the terminal for a prediction of its result",
    )


# Before xdist's own hook, which reads its options.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    try:
        workers.ask_for_them(config)
    except BadManifest as error:
        raise _bad_manifest(error) from error
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", CLUSTER_MARKER)
    config.addinivalue_line("markers", experiments.MARKER)
    preflight.check_root(config)
    try:
        lab = config.stash[lab_key] = Lab(config)
        if lab.adds_facts:
            collection.add_facts(config, lab.curriculum.folder)
        if lab.is_active:
            _prepare_for_facts(config, lab)
            config.pluginmanager.register(Interrupts())
            order = collection.ReadingOrder(lab.curriculum.modules, lab.curriculum.folder)
            config.pluginmanager.register(order)
        if lab.is_active and not lab.is_worker:
            _set_up_views(config, lab)
        if lab.is_active and lab.settings.solutions and not _is_debugged(config):
            # Imported here, so that runs without the learner's code start faster.
            from kafkalab.isolation import Isolation

            config.pluginmanager.register(Isolation(config, lab), ISOLATION)
        config.pluginmanager.register(experiments.Experiments(lab))
        if not lab.is_worker:
            config.pluginmanager.register(experiments.ExperimentPages(config, lab))
    except BadManifest as error:
        raise _bad_manifest(error) from error


def _bad_manifest(error: BadManifest) -> pytest.UsageError:
    return preflight.usage_error(f"kafkalab's curriculum: {readable(str(error))}")


def _is_debugged(config: pytest.Config) -> bool:
    """Whether the user debugs the tests in this process."""
    return bool(config.option.usepdb or config.option.trace)


def _set_up_views(config: pytest.Config, lab: Lab) -> None:
    if not config.option.collectonly:
        try:
            preflight.check_places(lab)
        except pytest.UsageError as error:
            _go_on_without_facts(config, lab, error)
            return
    page = RunPage(config, lab)
    page.ask_for_it()
    if config.option.kafkalab_predict and not config.option.collectonly:
        questions.check(config)
        config.pluginmanager.register(questions.Questions(config, lab), QUESTIONS)
    config.pluginmanager.register(page, PAGE)
    recorder = Recorder(config, lab, page)
    config.pluginmanager.register(recorder, RECORDER)
    if config.option.collectonly:
        return
    if lab.voice >= 0:
        config.pluginmanager.register(Teller(lab, recorder.tests, recorder.begin))
    config.pluginmanager.register(recorder.fact_lines, FACT_LINES)


def _go_on_without_facts(config: pytest.Config, lab: Lab, error: pytest.UsageError) -> None:
    """Let the project's own tests run; each fact fails with the error.

    Raises:
        UsageError: the call selects only facts.
    """
    if lab.is_alone:
        raise error
    lab.trouble = str(error)
    for name in (PAGE, RECORDER, QUESTIONS, FACT_LINES):
        if config.pluginmanager.hasplugin(name):
            config.pluginmanager.unregister(name=name)


def _prepare_for_facts(config: pytest.Config, lab: Lab) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    for plugin, marker in collection.NEIGHBOURS_MARKERS.items():
        if not config.pluginmanager.hasplugin(plugin):
            config.addinivalue_line("markers", marker)
    # pytest rewrites the assertions of modules that match python_files, a setting of the project.
    for module in lab.curriculum.modules:
        # The module's name differs: its folder may be a package or a plain folder.
        pytest.register_assert_rewrite(f"{lab.curriculum.folder.name}.{module}", module)


def pytest_sessionstart(session: pytest.Session) -> None:
    # In the controller, before any worker starts: a worker cannot print one clear line.
    config = session.config
    lab = config.stash[lab_key]
    if lab.is_worker or not lab.is_active:
        return
    try:
        preflight.check_run(lab)
        if not config.option.collectonly and not lab.trouble:
            _prepare_broker(config, lab)
    except pytest.UsageError as error:
        _go_on_without_facts(config, lab, error)


def _prepare_broker(config: pytest.Config, lab: Lab) -> None:
    page: RunPage = config.pluginmanager.getplugin(PAGE)
    try:
        lab.backend.prepare(StepLines(config.pluginmanager.getplugin("terminalreporter")))
        page.tell_environment()
    except BrokerError as error:
        raise preflight.usage_error(str(error)) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    lab = config.stash[lab_key]
    if not lab.is_active or lab.is_worker:
        return []
    if lab.trouble:
        return [f"kafkalab: no fact can run: {lab.trouble.splitlines()[0]}"]
    try:
        why = f" ({lab.reason})" if lab.reason else ""
        lines = [f"kafka: {readable(lab.backend.describe())}{readable(why)}"]
    except BrokerError as error:
        # Only --collect-only comes here: in a run, the session has ended with this error before.
        return [f"kafka: {error}"]
    if _leaves_out_slow(config):
        lines.append("facts that take a minute are left out: -m slow runs them")
    return lines


def _leaves_out_slow(config: pytest.Config) -> bool:
    return re.search(r"\bslow\b", config.option.markexpr) is None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[WORKER_INPUT] = node.config.stash[lab_key].worker_input()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Modules that `-k` cannot select are not imported: in every worker that would take as long
    # as several facts.
    lab = config.stash[lab_key]
    if not lab.is_active or not lab.curriculum.is_task_module(collection_path):
        return None
    meant = lab.curriculum.modules_meant(config.option.keyword or "")
    return True if meant is not None and collection_path.stem not in meant else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    found = yield
    lab = parent.config.stash[lab_key]
    if lab.is_active and lab.curriculum.is_task_module(file_path):
        return [FactModule.at(file_path, parent)]
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lab = config.stash[lab_key]
    if not lab.is_active:
        return
    stated = [(item, facts.statement_of(item, lab.curriculum)) for item in items]
    for item, statement in stated:
        if statement is not None:
            facts.add_keywords(item, statement)
            facts.mark_component(item, statement)
            collection.shield(item, lab.curriculum.folder)
            if lab.trouble:
                continue
            collection.limit_time(item, facts.time_limit(lab))
            if not config.option.collectonly:
                # This asks the cluster for its capabilities, so do it only if the facts will run.
                needs = facts.needs_of(item)
                facts.skip_unmet_needs(item, lab.backend.capabilities, lab.backend.name, needs)
                facts.skip_other_versions(item, statement, lab.backend.kafka_version)
    slow = [item for item, statement in stated if statement is not None and statement.is_slow]
    if slow and _leaves_out_slow(config):
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    lab = item.config.stash[lab_key]
    if not lab.is_active or facts.statement_of(item, lab.curriculum) is None:
        return (yield)
    with facts.plain_reasons(item):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(
    config: pytest.Config, op: str, left: object, right: object
) -> list[str] | None:
    return facts.told_plainly(config, op, left, right)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    lab = item.config.stash[lab_key]
    if lab.trouble and facts.statement_of(item, lab.curriculum) is not None:
        raise BrokerError.told_again(lab.trouble)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    lab = item.config.stash[lab_key]
    is_fact = lab.is_active and facts.statement_of(item, lab.curriculum) is not None
    if is_fact:
        facts.without_hypothesis(item, call, lab)
    report = yield
    if is_fact:
        report.sections = [each for each in report.sections if each[0] != HYPOTHESIS_SECTION]
        facts.phase_of(item, call, report, lab).attach(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # For its part of the summary, hypothesis's plugin imports all of hypothesis in every process,
    # even if no test used it. That takes longer than many facts.
    plugins, lab = session.config.pluginmanager, session.config.stash[lab_key]
    is_unused = "hypothesis" not in sys.modules and not lab.saw_hypothesis
    if lab.is_active and is_unused and plugins.hasplugin(HYPOTHESIS):
        plugins.unregister(name=HYPOTHESIS)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    # If pytest fails early, it has no terminal reporter yet.
    reporter = config.pluginmanager.getplugin("terminalreporter")
    tell = Terminal(reporter).line if reporter is not None else print
    if lab := config.stash.get(lab_key, None):
        try:
            lab.close(tell)
        except BrokerError as error:
            tell(f"kafkalab: {error}")
