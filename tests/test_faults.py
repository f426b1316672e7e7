"""Faults of a run of the embedded backend: a clear word, no hang, nothing left, and a next run.

Who can be killed when:

| victim | preparing, writing | starting | running | stopping |
| --- | --- | --- | --- | --- |
| pytest | yes | yes | yes | yes |
| worker | no: pytest prepares before it starts any | yes | yes | yes |
| broker | yes: the JVM that prepares | yes | yes | no: it is stopped by being killed |
| watchdog | yes: preparing has one | yes | yes | yes |
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from held_runs import Held, HeldRun

from kafkalab.brokers.embedded import PREPARE_LOCK
from kafkalab.brokers.processes import END_LIMIT, is_running
from kafkalab.brokers.runs import clear_dead_runs
from kafkalab.config import Settings
from kafkalab.waiting import wait_until

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

FILLS_THE_DISK = """
import os
import shutil

from kafkalab.lab import lab_key
from kafkalab.waiting import wait_until

def test_fills_the_disk(broker, topic, producer, request):
    folder, name, sender = request.config.stash[lab_key].run.folder, topic(), producer()
    (folder / "filler").write_bytes(bytes(shutil.disk_usage(folder).free))

    def send():
        sender.produce(name, os.urandom(100_000))
        sender.poll(0.1)

    wait_until(send, limit=50, what="the broker to notice")
"""

NOBODY = 65534
# By way of a shell: what setpriv itself starts, it starts with root's right to read all.
BY_SHELL = ("sh", "-ec", 'exec "$@"', "sh")
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
WHO_MAY_READ = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])


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
    # Gone, but not reaped: pytest's exit code is still to be read.
    wait_until(
        lambda: not any(is_running(process) for process in victims),
        limit=END_LIMIT,
        what="the victims to be gone",
    )
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


# While Kafka is prepared: in a cache folder of its own, which takes 15 s and more to fill


def cold_cache(folder: Path) -> Path:
    """A cache folder that has the jars, so that nothing is fetched, and nothing else."""
    (folder / "jars").mkdir(parents=True)
    for jar in (CACHE / "jars").glob("*.jar"):
        (folder / "jars" / jar.name).symlink_to(jar)
    return folder


def expect_no_preparation_left(cache: Path) -> None:
    """Nobody holds the lock, and no folder of a run is left: one fetches and prepares in it."""
    with FileLock(cache / PREPARE_LOCK, timeout=0):
        left = list((cache / "runs").iterdir())
    assert left == []


def preparations_in(cache: Path) -> list[Path]:
    """The prepared folders that are whole."""
    return list(cache.glob("prepared/*/prepared.json"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_preparation_leaves_a_cache_that_can_be_used(tmp_path: Path) -> None:
    """Whoever is killed, the next run prepares anew; without its watchdog a run goes on.

    The broker is the one that is rehearsed, then the JVM that writes the AOT cache.
    """
    cache = cold_cache(tmp_path / "cache")
    environment = {"KAFKALAB_CACHE": str(cache)}
    for victim, phase, code, word in (
        ("pytest", "preparing", KILLED, ""),
        ("broker", "preparing", REFUSED, "ERROR: Kafka did not do what lessons ask of it"),
        ("broker", "writing", REFUSED, "ERROR: The Java runtime wrote no AOT cache."),
        ("watchdog", "preparing", ENDED, ""),
    ):
        run = HeldRun(tmp_path / f"{victim} {phase}", phase=phase, environment=environment)

        held, ended_with = kill_in(run, victim)

        assert ended_with == code, run.printed
        assert word in run.printed
        assert "Traceback" not in run.printed
        held.expect_nothing_left()
        expect_no_preparation_left(cache)
        assert len(preparations_in(cache)) == (code == ENDED)
    expect_a_next_run(tmp_path / "next", environment=environment)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_cold_runs_prepare_once_and_two_warm_ones_go_side_by_side(tmp_path: Path) -> None:
    """In a folder with blanks and letters beyond ASCII, as home folders have them."""
    here = tmp_path / "Übung für Zoë 実験"
    cache = cold_cache(here / "cache")
    environment = {"KAFKALAB_CACHE": str(cache)}
    for temperature in ("cold", "warm"):
        runs = [HeldRun(here / f"{temperature} {n}", environment=environment) for n in (1, 2)]

        assert [run.wait() for run in runs] == [ENDED, ENDED], "\n".join(r.printed for r in runs)
        expect_no_preparation_left(cache)
        assert len(preparations_in(cache)) == 1
        said = sum(run.printed.count("formatting a data folder") for run in runs)
        assert said == (temperature == "cold"), "prepared once, by whichever was first"


# Who runs it, and where


@pytest.fixture
def as_nobody() -> tuple[str, ...]:
    """A command that makes somebody without rights of whoever runs these tests.

    Where this clone, or its Python, is hidden from others, it leaves the right to read.
    Skips the test where root cannot be left.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    tried = []
    for command in ((*AS_NOBODY, *BY_SHELL), (*AS_NOBODY, *WHO_MAY_READ, *BY_SHELL)):
        looks = [*command, sys.executable, "-c", "import kafkalab.plugin"]
        tried.append(subprocess.run(looks, cwd="/", capture_output=True, text=True, check=False))
        if tried[-1].returncode == 0:
            return command
    pytest.skip(f"somebody else cannot read this clone: {tried[-1].stderr.strip()[-200:]}")


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of somebody without rights, with a cache in it that has the jars."""
    # Below pytest's own folder nobody else may look.
    folder = Path(tempfile.mkdtemp(prefix="kafkalab-nobody-"))
    shutil.copytree(CACHE / "jars", folder / "cache" / "jars")
    give_to_nobody(folder)
    yield folder
    shutil.rmtree(folder)


def give_to_nobody(folder: Path) -> None:
    """Make somebody without rights the owner of all that is there."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_somebody_without_rights_prepares_and_runs(
    as_nobody: tuple[str, ...], nobodys: Path
) -> None:
    """Neither preparing nor running needs root, which these tests may run as."""
    cache = nobodys / "cache"
    environment = {"KAFKALAB_CACHE": str(cache), "HOME": str(nobodys)}
    # The folder is made by root, and handed over before pytest writes to it.
    hand_over = ("sh", "-ec", f'chown -R {NOBODY} .; exec "$@"', "sh")

    run = HeldRun(nobodys / "run", environment=environment, under=(*hand_over, *as_nobody))

    assert run.wait() == ENDED, run.printed
    assert [path.stat().st_uid for path in preparations_in(cache)] == [NOBODY]
    expect_no_preparation_left(cache)


def private_mount(*mount: str) -> tuple[str, ...]:
    """A command that makes a mount which only what it starts can see.

    Skips the test where that is not possible: without root, or in a container.
    """
    inside = ("unshare", "--mount", "sh", "-ec", f'mount {" ".join(mount)}; exec "$@"', "sh")
    tried = subprocess.run([*inside, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"needs a mount of its own: {tried.stderr.strip()}")
    return inside


def test_a_read_only_home_is_told(tmp_path: Path) -> None:
    """The line names the folder, and the way to name another."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "KAFKALAB_CACHE": "", "XDG_CACHE_HOME": ""}
    run = HeldRun(
        tmp_path / "run",
        environment=environment,
        under=private_mount("-t", "tmpfs", "-o", "ro", "tmpfs", f"'{home}'"),
    )

    assert run.wait() == REFUSED, run.printed
    (line,) = run.printed.strip().splitlines()
    assert line.startswith(f"ERROR: The cache folder {home}")
    assert "--kafkalab-cache" in line


def test_a_read_only_home_is_enough_with_a_cache_elsewhere(tmp_path: Path) -> None:
    """Nothing else is written there."""
    home = tmp_path / "home"
    home.mkdir()
    run = HeldRun(
        tmp_path / "run",
        environment={"HOME": str(home), "KAFKALAB_CACHE": str(CACHE)},
        under=private_mount("-t", "tmpfs", "-o", "ro", "tmpfs", f"'{home}'"),
    )

    assert run.wait() == ENDED, run.printed


@pytest.mark.parametrize(
    "size", ["1m", "40m", "100m"], ids=["formatting", "rehearsing", "writing the AOT cache"]
)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_disk_that_is_full_while_preparing(tmp_path: Path, size: str) -> None:
    """The line says so, and nothing goes on."""
    cache = tmp_path / "cache"
    cache.mkdir()
    mount = private_mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", f"'{cache}'")
    jars = f"mkdir '{cache}/jars'; ln -s '{CACHE}'/jars/*.jar '{cache}/jars'; exec \"$@\""
    run = HeldRun(
        tmp_path / "run",
        environment={"KAFKALAB_CACHE": str(cache)},
        under=(*mount, "sh", "-ec", jars, "sh"),
    )

    assert run.wait() == REFUSED, run.printed
    assert "Traceback" not in run.printed
    assert "ERROR: " in run.printed
    assert "disk" in run.printed


def test_a_disk_that_is_full_when_the_broker_starts(tmp_path: Path) -> None:
    """The broker's folder cannot be filled: the line says why."""
    run = HeldRun(
        tmp_path / "run",
        under=private_mount("-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", f"'{CACHE}/runs'"),
    )

    assert run.wait() == FAILED, run.printed
    assert "Suspected: a full disk." in run.printed


def test_a_disk_that_fills_while_the_broker_runs(tmp_path: Path) -> None:
    """Kafka gives up; the line says why, as Kafka's own log could not be written."""
    run = HeldRun(
        tmp_path / "run",
        more=FILLS_THE_DISK,
        under=private_mount("-t", "tmpfs", "-o", "size=20m,mode=700", "tmpfs", f"'{CACHE}/runs'"),
    )

    assert run.wait() == FAILED, run.printed
    assert "The broker died: node 1 is gone. Suspected: the disk is full;" in run.printed


# The network


def test_proxies_do_not_matter_once_kafka_is_there(tmp_path: Path) -> None:
    """Brokers and clients of this machine speak to each other directly."""
    run = HeldRun(tmp_path, environment=PROXIES)

    assert run.wait() == ENDED, run.printed


def test_a_proxy_that_is_not_there_is_suspected(tmp_path: Path) -> None:
    """Where the jars are missing, the line names the proxy and the variable."""
    run = HeldRun(tmp_path, environment={**PROXIES, "KAFKALAB_CACHE": str(tmp_path / "cache")})

    assert run.wait() == REFUSED, run.printed
    (line,) = (line for line in run.printed.splitlines() if line.startswith("ERROR: "))
    assert "could not be fetched" in line
    assert "a proxy in between. To do: check HTTPS_PROXY" in line
    assert "Traceback" not in run.printed
    assert not list((tmp_path / "cache" / "runs").iterdir())
