"""Processes by their id: who runs, who owns a run, and what is cleared away after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from kafkalab.brokers.owner import Owner, start_of
from kafkalab.brokers.processes import KAFKA_MAIN, is_running, kill, wait_for_end
from kafkalab.brokers.runs import KEPT_LOGS, MARK, Run, clear_dead_runs, run_at
from kafkalab.brokers.watchdog import watch
from kafkalab.waiting import Expired, wait_until

# A process is started, or ends, within milliseconds; on a loaded machine within seconds.
LIMIT = 20.0

# -S -E: a bare interpreter starts in half the time. It ends when its input does.
BARE_PYTHON = [sys.executable, "-S", "-E", "-c"]
WAITS = "input()"
WAITS_DEAF_TO_TERM = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
input()
"""
# Never reaps its own child, whose id it tells.
WAITS_WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-E", "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts processes that wait for ever; they are ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str = WAITS, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*BARE_PYTHON, program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def become_zombie(process: psutil.Process) -> None:
    """Kill a process and leave it unreaped."""
    process.kill()
    wait_until(
        lambda: process.status() == psutil.STATUS_ZOMBIE, limit=LIMIT, what="a zombie to appear"
    )


# Whether a process runs


def test_a_living_process_runs(spawn: Spawn) -> None:
    """What was started and not ended runs."""
    process = psutil.Process(spawn().pid)

    assert is_running(process)


def test_a_zombie_does_not_run(spawn: Spawn) -> None:
    """A process that ended and was not reaped has an id, but nothing else."""
    process = psutil.Process(spawn().pid)

    become_zombie(process)

    assert psutil.pid_exists(process.pid), "it was not reaped"
    assert not is_running(process)


def test_a_reaped_process_does_not_run(spawn: Spawn) -> None:
    """Nothing is left of it, not even its id."""
    child = spawn()
    process = psutil.Process(child.pid)

    child.kill()
    child.wait(LIMIT)

    assert not is_running(process)


# Ending processes


def test_kill_ends_and_reaps(spawn: Spawn) -> None:
    """On return the processes are gone, and so are their ids."""
    processes = [psutil.Process(spawn().pid) for _ in range(2)]

    kill(processes)

    assert [psutil.pid_exists(process.pid) for process in processes] == [False, False]


def test_kill_ends_a_process_that_ignores_a_polite_request(spawn: Spawn) -> None:
    """A JVM that hangs in its shutdown hooks ends, too."""
    child = spawn(WAITS_DEAF_TO_TERM)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    process = psutil.Process(child.pid)
    process.terminate()

    kill([process])

    assert not psutil.pid_exists(process.pid)


def test_kill_takes_a_zombie_of_its_own_as_gone(spawn: Spawn) -> None:
    """A node that died by itself is reaped when its broker closes."""
    process = psutil.Process(spawn().pid)
    become_zombie(process)

    kill([process])

    assert not psutil.pid_exists(process.pid)


def test_kill_does_not_wait_for_another_parent_to_reap(spawn: Spawn) -> None:
    """A zombie of another parent counts as ended: an xdist worker may have started the JVM."""
    parent = spawn(WAITS_WITH_CHILD)
    assert parent.stdout is not None
    grandchild = psutil.Process(int(parent.stdout.readline()))

    kill([grandchild])

    assert psutil.Process(grandchild.pid).status() == psutil.STATUS_ZOMBIE
    assert not is_running(grandchild)


def test_kill_of_what_is_gone_is_fine(spawn: Spawn) -> None:
    """Two may clear up the same run: the owner and its watchdog."""
    process = psutil.Process(spawn().pid)
    kill([process])

    kill([process])

    assert not is_running(process)


def test_kill_of_nothing_is_fine() -> None:
    """A run may have started no broker."""
    kill([])


def test_a_process_that_does_not_end_is_told(spawn: Spawn) -> None:
    """Waiting for an end has a limit, and names the process."""
    process = psutil.Process(spawn().pid)

    with pytest.raises(Expired, match=rf"waited .* for processes to end; .*\[{process.pid}\]"):
        wait_for_end([process], limit=0)


# Who owns a run


def test_this_process_is_alive() -> None:
    """Whoever asks lives."""
    assert Owner.me().pid == os.getpid()
    assert Owner.me().is_alive()


def test_an_owner_that_was_reaped_is_not_alive(spawn: Spawn) -> None:
    """Its id leads nowhere."""
    process = psutil.Process(spawn().pid)
    owner = Owner.of(process.pid)

    kill([process])

    assert not owner.is_alive()


def test_an_owner_that_is_a_zombie_is_not_alive(spawn: Spawn) -> None:
    """A pytest that was killed in a container without init may stay a zombie for ever."""
    process = psutil.Process(spawn().pid)
    owner = Owner.of(process.pid)

    become_zombie(process)

    assert not owner.is_alive()


@pytest.mark.parametrize(
    ("seconds", "is_alive"),
    [(0.0, True), (0.02, True), (-0.02, True), (5.0, False), (-5.0, False)],
    ids=["same start", "rounded up", "rounded down", "started earlier", "started later"],
)
def test_an_owner_is_known_by_its_start(spawn: Spawn, seconds: float, is_alive: bool) -> None:
    """An id that is used again, by a process with another start, is another process."""
    process = psutil.Process(spawn().pid)

    owner = replace(Owner.of(process.pid), start=start_of(process) + seconds)

    assert owner.is_alive() is is_alive


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells starts by a boot that moves")
@pytest.mark.parametrize("jump", [-3600.0, 3600.0], ids=["back", "forward"])
def test_an_owner_outlives_a_jump_of_the_clock(
    monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """A clock that is set moves the boot, and so the start that psutil tells, of every process."""
    owner, boot = Owner.me(), psutil.boot_time()
    told = psutil.Process().create_time()

    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + jump)

    assert psutil.Process().create_time() == pytest.approx(told + jump), "the clock was set"
    assert owner.is_alive()


# What is left of a run


@pytest.fixture
def dead(spawn: Spawn) -> Owner:
    """An owner that has ended."""
    process = psutil.Process(spawn().pid)
    owner = Owner.of(process.pid)
    kill([process])
    return owner


def opened(cache: Path, name: str, owner: Owner) -> Run:
    """A run as `Run.open` leaves it, with lock and log, but without a watchdog."""
    run = Run(cache / "runs" / name, owner, "embedded", began=0.0)
    log = run.folder / "shared" / "node-1" / "broker.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"the log of {name}\n", "utf-8")
    run.mark.write(run.folder / MARK)
    run.lock_file.touch()
    return run


def test_a_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Another process learns of a run what its owner knows, from its mark or as a worker."""
    run = opened(tmp_path, "mine", Owner.me())

    assert run_at(run.folder) == run
    assert Run.from_data(json.loads(json.dumps(run.as_data()))) == run


def test_runs_of_dead_owners_are_closed_and_living_ones_stay(tmp_path: Path, dead: Owner) -> None:
    """The next run clears what a killed one left, and nobody else's."""
    gone, living = opened(tmp_path, "gone", dead), opened(tmp_path, "living", Owner.me())

    clear_dead_runs(tmp_path)

    assert not gone.folder.exists()
    assert run_at(living.folder) == living
    assert living.lock_file.exists()


def test_a_run_whose_owners_id_is_used_again_is_closed(tmp_path: Path) -> None:
    """A process with the owner's id, but a later start, is not the owner."""
    earlier = replace(Owner.me(), start=Owner.me().start - 3600)
    run = opened(tmp_path, "gone", earlier)

    clear_dead_runs(tmp_path)

    assert not run.folder.exists()


def test_the_watchdog_ends_what_a_worker_started_while_it_cleared(
    tmp_path: Path, dead: Owner, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed owner's worker may be about to start a broker, and makes the folder anew."""
    run, late = opened(tmp_path, "gone", dead), []
    really_close = Run.close

    def close_and_have_one_started(run: Run) -> None:
        really_close(run)
        if not late:
            run.folder.mkdir()
            home = f"{run.folder}/private-1-1/node-1"
            late.append(spawn(WAITS, KAFKA_MAIN, f"{home}/server.properties"))

    monkeypatch.setattr(Run, "close", close_and_have_one_started)
    watch(run)

    assert not psutil.pid_exists(late[0].pid)
    assert not run.folder.exists()


def test_without_a_cache_there_is_nothing_to_clear(tmp_path: Path) -> None:
    """The first run of all finds no folder."""
    clear_dead_runs(tmp_path / "absent")

    assert list(tmp_path.iterdir()) == []


def test_the_log_of_a_dead_runs_broker_is_kept(tmp_path: Path, dead: Owner) -> None:
    """Whoever killed a run that hung may want to know why it did."""
    run = opened(tmp_path, "gone", dead)

    clear_dead_runs(tmp_path)

    assert (run.logs / "node-1.log").read_text("utf-8") == "the log of gone\n"


def test_only_the_newest_logs_are_kept(tmp_path: Path, dead: Owner) -> None:
    """Logs do not fill the disk: the oldest go first."""
    for age in range(KEPT_LOGS):
        old = tmp_path / "logs" / f"old-{age}"
        old.mkdir(parents=True)
        Run(old, dead, "embedded", began=0.0).mark.write(old / MARK)
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    opened(tmp_path, "gone", dead)

    clear_dead_runs(tmp_path)

    kept = {path.name for path in (tmp_path / "logs").iterdir()}
    assert kept == {"gone", *(f"old-{age}" for age in range(KEPT_LOGS - 1))}


def test_the_brokers_of_a_dead_run_are_ended(tmp_path: Path, dead: Owner, spawn: Spawn) -> None:
    """A broker is known by the run's folder on its command line; nothing else is touched."""
    gone, living = opened(tmp_path, "gone", dead), opened(tmp_path, "gone-not", Owner.me())
    its_broker = spawn(WAITS, KAFKA_MAIN, f"{gone.folder}/shared/node-1/server.properties")
    others_broker = spawn(WAITS, KAFKA_MAIN, f"{living.folder}/shared/node-1/server.properties")
    no_broker = spawn(WAITS, f"{gone.folder}/shared/node-1/broker.log")

    clear_dead_runs(tmp_path)

    assert not psutil.pid_exists(its_broker.pid)
    assert is_running(psutil.Process(others_broker.pid))
    assert is_running(psutil.Process(no_broker.pid)), "such as an editor on the log"
