"""A broker that stays warm: one for many runs of pytest, and nothing left after them."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kafkalab.brokers.choose import embedded_backend
from kafkalab.brokers.names import prefix_of
from kafkalab.brokers.runs import Run
from kafkalab.config import Settings
from kafkalab.learning_log.stored import read_runs
from kafkalab.waiting import wait_until
from kafkalab.warm import VARIABLE, BadShare, Share, WarmBroker

FACT = "test_task_1_3_partition_log.py::test_offsets_ascend_without_gaps"
CONTROL = "test_task_1_3_partition_log.py::test_transactions_leave_gaps"


def test_a_fact_runs_again_and_again_on_one_broker(tmp_path: Path, repository: Path) -> None:
    """Each run has a record and topics of its own; at the end the run's folder is gone."""
    settings = Settings.from_environment(reports=str(tmp_path / "reports"))
    warm = WarmBroker(embedded_backend(settings), settings)
    folder = warm.run.folder
    try:
        warm.ensure(pytest.fail)
        tests = [str(repository / "tests_module_a" / name) for name in (FACT, CONTROL)]
        told = ("kafkalab", "learn")
        ended = [warm.pytest(*tests, *more, told_as=told) for more in ([], ["-n", "1"])]
        is_there = folder.exists()
    finally:
        warm.close(pytest.fail)

    assert [each.exit_code for each in ended] == [0, 0], ended[-1].output
    runs, _ = read_runs(tmp_path / "reports" / "runs")
    assert {run.run for run in runs} == {each.id for each in ended}
    assert [fact.verdict for run in runs for fact in run.facts] == ["demonstrated"] * 2
    assert len({run.broker["start_seconds"] for run in runs}) == 1, "it started once"
    assert {run.command for run in runs} == {told}
    assert is_there, "pytest closed nothing"
    assert not folder.exists()


def test_a_broker_that_is_closed_while_it_starts_is_gone(tmp_path: Path) -> None:
    """Whoever leaves in the first second leaves nothing."""
    settings = Settings.from_environment(reports=str(tmp_path / "reports"))

    warm = WarmBroker(embedded_backend(settings), settings)
    warm.close(pytest.fail)

    assert not warm.run.folder.exists()


def test_runs_of_other_threads_end_with_their_record(tmp_path: Path, repository: Path) -> None:
    """As by Ctrl-C; and none begins afterwards."""
    settings = Settings.from_environment(reports=str(tmp_path / "reports"))
    warm = WarmBroker(embedded_backend(settings), settings)
    module = str(repository / "tests_module_a" / "test_task_1_3_partition_log.py")
    runs = tmp_path / "reports" / "runs"
    try:
        warm.ensure(pytest.fail)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(warm.pytest, module, told_as=("kafkalab", "mutants"))
            wait_until(lambda: list(runs.glob("*.json")), limit=60, what="a record to begin")
            warm.end_runs()
            ended = waiting.result()
        with pytest.raises(KeyboardInterrupt):
            warm.pytest(module, told_as=("kafkalab", "mutants"))
    finally:
        warm.close(pytest.fail)

    assert ended.exit_code == pytest.ExitCode.INTERRUPTED, ended.output
    ((run,), _) = read_runs(runs)
    assert (run.run, run.completed) == (ended.id, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_moment_of_a_start_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """It comes when the pytest has started, and nobody knows of it yet."""
    settings = Settings.from_environment(reports=str(tmp_path / "reports"))
    warm = WarmBroker(embedded_backend(settings), settings)
    started: list[subprocess.Popen[bytes]] = []

    def start(*given: Any, **how: Any) -> subprocess.Popen[bytes]:
        process = popen(*given, **how)
        # The broker starts meanwhile, in another thread.
        if "pytest" in given[0]:
            started.append(process)
            signal.raise_signal(number)
        return process

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    popen = subprocess.Popen
    before = signal.signal(number, leave)
    try:
        monkeypatch.setattr(subprocess, "Popen", start)
        with pytest.raises(KeyboardInterrupt):
            warm.made_ready("--version", told_as=("kafkalab", "watch"))
    finally:
        monkeypatch.undo()
        signal.signal(number, before)
        warm.close(pytest.fail)

    assert [each.poll() for each in started] == [-signal.SIGKILL]


def test_a_share_comes_through_as_it_was(tmp_path: Path) -> None:
    """Its names are the run's own, so that who closes the run finds them; no two have the same."""
    run = Run.new(tmp_path, "embedded")
    one, other = Share.lent(run, ["learn"], limit=7.5), Share.lent(run, [])

    assert Share.from_data(one.as_data()) == one
    assert one.prefix.startswith(run.prefix)
    assert prefix_of(f"{one.prefix}topic-1") == run.prefix
    assert one.prefix != other.prefix
    assert (one.limit, other.limit) == (7.5, 0.0)
    assert one.backend == "embedded"


@pytest.mark.parametrize("text", ["x", "{}", "[]", '{"run": 3}', "null"])
def test_a_share_that_is_none_is_one_line(
    project: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Somebody else has set the variable: it says what to do."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(BadShare, match="unset it"):
        Share.from_environment()

    project.teach("def test_nothing():\n    pass")
    result = project.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [each for each in result.errlines if each]
    assert line.startswith(f"ERROR: {VARIABLE} is only for a pytest that kafkalab starts")
    assert os.environ[VARIABLE] == text
