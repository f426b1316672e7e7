"""Faults of a run of the embedded backend: a clear word, no hang, nothing left, and a next run.

Who can be killed when:

| victim | preparing, writing | starting | running | stopping |
| --- | --- | --- | --- | --- |
| pytest | yes | yes | yes | yes |
| worker | no: pytest prepares before it starts any | yes | yes | yes |
| broker | yes: the JVM that is rehearsed, or writes the AOT cache | yes | yes | no: killing is its end |
| watchdog | yes: preparing has one | yes | yes | yes |
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from held_runs import Held, HeldRun

from kafkalab.brokers.runs import clear_dead_runs
from kafkalab.config import Settings

# Read before any test runs: some have another home, and so another cache.
CACHE = Settings.from_environment().cache

ENDED = pytest.ExitCode.OK
FAILED = pytest.ExitCode.TESTS_FAILED
REFUSED = pytest.ExitCode.USAGE_ERROR
KILLED = -signal.SIGKILL

# Nobody listens there: a client that goes by a proxy fails at once.
DEAD_PROXY = "http://127.0.0.1:9"
PROXIES = {
    name: DEAD_PROXY
    for proxy in ("http_proxy", "https_proxy", "all_proxy")
    for name in (proxy, proxy.upper())
}

CRASHES = """
import os

def test_crashes(broker):
    os._exit(3)
"""

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def victims_of(victim: str, held: Held) -> list[psutil.Process]:
    """The processes that play a part in a run that is held."""
    if victim == "broker":
        return held.brokers()
    if victim == "watchdog":
        return [held.watchdog()]
    return [psutil.Process(held.pid)]


def kill_in(run: HeldRun, victim: str) -> tuple[Held, int]:
    """Kill the victim while the run is held, let it go on; the exit code of pytest."""
    held = run.wait_until_held()
    victims = victims_of(victim, held)
    assert victims, f"there is a {victim} to kill"
    for process in victims:
        process.kill()
    run.go_on()
    return held, run.wait()


def expect_a_next_run(folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
    """Another run, after the fault, works as if there had been none."""
    run = HeldRun(folder, environment=environment)

    assert run.wait() == ENDED, run.printed


@pytest.mark.parametrize(
    ("victim", "phase", "workers", "code"),
    [
        ("pytest", "starting", "-n0", KILLED),
        ("worker", "starting", "-n2", FAILED),
        ("broker", "starting", "-n2", FAILED),
        ("watchdog", "starting", "-n2", ENDED),
        ("worker", "running", "-n2", FAILED),
        ("broker", "running", "-n0", FAILED),
        ("watchdog", "running", "-n0", ENDED),
        ("pytest", "stopping", "-n0", KILLED),
        ("worker", "stopping", "-n2", ENDED),
        ("watchdog", "stopping", "-n0", ENDED),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_left_after_a_sigkill(
    tmp_path: Path, victim: str, phase: str, workers: str, code: int
) -> None:
    """Whoever is killed, and whenever: all is gone within 5 s, and the next run works."""
    run = HeldRun(tmp_path / "killed", workers, phase=phase)

    held, ended_with = kill_in(run, victim)

    assert ended_with == code, run.printed
    held.expect_nothing_left()
    expect_a_next_run(tmp_path / "next")


@WORKERS
def test_nothing_is_left_after_the_end(tmp_path: Path, workers: str) -> None:
    """After an ordinary end the broker, its watchdog and its files are gone."""
    run = HeldRun(tmp_path, workers, phase="running")
    held = run.wait_until_held()

    run.go_on()

    assert run.wait() == ENDED, run.printed
    held.expect_nothing_left()


@WORKERS
@pytest.mark.parametrize(
    "how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name
)
def test_nothing_is_left_after_pytest_was_ended(
    tmp_path: Path, workers: str, how: signal.Signals
) -> None:
    """After Ctrl-C, SIGTERM and SIGKILL of pytest nothing is left within 5 s."""
    run = HeldRun(tmp_path, workers, phase="running")
    held = run.wait_until_held()

    run.process.send_signal(how)

    assert run.wait() != ENDED
    held.expect_nothing_left()


def test_nothing_is_left_after_a_crashed_worker(tmp_path: Path) -> None:
    """A crashed worker takes neither the broker of the others with it, nor leaves it behind."""
    run = HeldRun(tmp_path, "-n2", phase="running", more=CRASHES)
    held = run.wait_until_held()

    run.go_on()

    assert run.wait() == FAILED, run.printed
    held.expect_nothing_left()


def test_the_next_run_clears_what_a_killed_watchdog_left(tmp_path: Path) -> None:
    """Should the watchdog be killed as well, the next run clears what is left."""
    run = HeldRun(tmp_path, phase="running")
    held = run.wait_until_held()

    held.watchdog().kill()
    run.process.kill()
    run.wait()
    clear_dead_runs(held.run.parents[1])

    held.expect_nothing_left()
