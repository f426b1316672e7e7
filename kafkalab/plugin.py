"""The pytest plugin: hooks and options only.

In a project that has nothing to do with kafkalab it stays silent: it adds its
options, markers and fixtures, and imports no client.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from kafkalab import collection, experiments, facts, preflight, questions
from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.brokers.errors import BrokerError
from kafkalab.collection import FactModule
from kafkalab.config import KNOBS
from kafkalab.curriculum import BadManifest
from kafkalab.lab import WORKER_INPUT, Lab, lab_key
from kafkalab.learning_log.terminal import StepLines, Terminal
from kafkalab.readable import readable
from kafkalab.recorder import Recorder
from kafkalab.run_page import RunPage
from kafkalab.telling import Teller

pytest_plugins = ["kafkalab.fixtures"]

TASK_NAME = re.compile(r"task_\d+_\d+")

HYPOTHESIS = "hypothesispytest"
"""the name of hypothesis's own pytest plugin"""

PAGE, RECORDER, QUESTIONS = "kafkalab-page", "kafkalab-recorder", "kafkalab-questions"
ISOLATION = "kafkalab-isolation"

MARKERS = (
    "fact(slug, scope, versions=''): a sentence about Kafka, or about a component, that this test "
    "demonstrates; versions such as '>=4.1' say for which Kafka it is stated",
    "control(slug, changes, versions=''): the same apparatus with one factor changed; the fact's "
    "opposite",
    f"needs(*capabilities): what the broker must be able to do: {', '.join(CAPABILITIES)}",
    "slow: takes a minute and is left out, unless -m names it",
    "component: judges a component of a task; kafkalab gives it to such facts, for -m component",
)
CLUSTER_MARKER = (
    "cluster(brokers=1, settings={}): the broker that private_broker starts for this test"
)
"""of a fixture that any test may use; the others are for facts, and a host may have namesakes"""


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
    group.addoption(
        questions.FLAG,
        action="store_true",
        dest="kafkalab_predict",
        help="ask before each fact about Kafka what will come of it, in the terminal",
    )


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
        if lab.is_active and not lab.is_worker:
            _set_up_views(config, lab)
        if lab.is_active and lab.settings.solutions and not _is_debugged(config):
            # Imported here: what runs no code of the learner's starts without it.
            from kafkalab.isolation import Isolation

            config.pluginmanager.register(Isolation(config, lab), ISOLATION)
        config.pluginmanager.register(experiments.Experiments(lab))
        if not lab.is_worker:
            config.pluginmanager.register(experiments.ExperimentPages(config, lab))
    except BadManifest as error:
        raise preflight.usage_error(f"kafkalab's curriculum: {readable(str(error))}") from error


def _is_debugged(config: pytest.Config) -> bool:
    """Whether somebody goes through the tests by hand, in this process."""
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
    if lab.voice >= 0 and not config.option.collectonly:
        config.pluginmanager.register(Teller(lab, recorder.tests, recorder.begin))


def _go_on_without_facts(config: pytest.Config, lab: Lab, error: pytest.UsageError) -> None:
    """Where a host's tests were asked for too, they run; each fact tells why it cannot.

    Raises:
        UsageError: nothing but facts was asked for.
    """
    if lab.is_alone:
        raise error
    lab.trouble = str(error)
    for name in (PAGE, RECORDER, QUESTIONS):
        if config.pluginmanager.hasplugin(name):
            config.pluginmanager.unregister(name=name)


def _prepare_for_facts(config: pytest.Config, lab: Lab) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    for plugin, marker in collection.NEIGHBOURS_MARKERS.items():
        if not config.pluginmanager.hasplugin(plugin):
            config.addinivalue_line("markers", marker)
    # What else says which modules explain their assertions, python_files, is the host's.
    for task in lab.curriculum.tasks:
        # In a package, and in a folder that is none.
        package = lab.curriculum.folder.name
        pytest.register_assert_rewrite(f"{package}.{task.module}", task.module)


def pytest_sessionstart(session: pytest.Session) -> None:
    # In the controller, before any worker: a worker cannot say a clear line.
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
        # Only who collects and runs nothing comes here; whoever runs was told before.
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
    # `-k task_1_3` can only mean one module: to import the others, in every worker, would
    # take as long as several of its facts.
    named = TASK_NAME.fullmatch(config.option.keyword or "")
    lab = config.stash[lab_key]
    if named is None or not lab.is_active or not lab.curriculum.is_task_module(collection_path):
        return None
    return True if named[0] not in collection_path.stem else None


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
                # A cluster is asked what it can do, which only who runs the facts needs.
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
    with facts.plain_reasons(item.config):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    lab = item.config.stash[lab_key]
    if lab.trouble and facts.statement_of(item, lab.curriculum) is not None:
        raise BrokerError.told_again(lab.trouble)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    lab = item.config.stash[lab_key]
    if lab.is_active and facts.statement_of(item, lab.curriculum) is not None:
        facts.phase_of(item, call, report, lab).attach(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # hypothesis's part of the summary imports all of hypothesis, in every process, to
    # find that it has nothing to say: longer than many a lesson. Not where it was used.
    plugins, lab = session.config.pluginmanager, session.config.stash[lab_key]
    is_unused = "hypothesis" not in sys.modules and not lab.saw_hypothesis
    if lab.is_active and is_unused and plugins.hasplugin(HYPOTHESIS):
        plugins.unregister(name=HYPOTHESIS)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    # Where pytest gives up early it has no terminal yet.
    reporter = config.pluginmanager.getplugin("terminalreporter")
    tell = Terminal(reporter).line if reporter is not None else print
    if lab := config.stash.get(lab_key, None):
        try:
            lab.close(tell)
        except BrokerError as error:
            tell(f"kafkalab: {error}")
