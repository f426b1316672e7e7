"""Runs of pytest, in processes of their own, that are held at a point where a fault can strike."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from kafkalab.brokers.ports import is_free
from kafkalab.brokers.processes import KAFKA_MAIN
from kafkalab.waiting import wait_until

# Seconds after the end of pytest within which nothing of its run may be left.
GONE_WITHIN = 5.0
# Preparing and starting take 20 s on an idle machine, and were seen to take 120 s on a loaded one.
HELD_LIMIT = 300.0

# pytest prepares Kafka only where it is called on a curriculum's tests.
MANIFEST = """
module = {id = "T", title = "A module for tests", package = "."}

[[task]]
id = "9.1"
title = "Holding"
question = "What is held?"
module = "test_holds"
component = "topics"
facts = {}
"""

HOLDS_A_BROKER = """
from conftest import pause
from kafkalab.lab import lab_key

def test_holds_a_broker(broker, request):
    pause("running", request.config.stash[lab_key].run.folder)
    broker.check_alive()

def test_uses_it_too(broker):
    broker.check_alive()
"""

# Loaded by the controller and by each worker. The first that comes to the place stops there,
# and says who it is and which run it is of.
PAUSES = """
import os
from pathlib import Path

import kafkalab.brokers.embedded
import kafkalab.brokers.prepared
from kafkalab.lab import Lab
from kafkalab.waiting import wait_until

HERE = Path(__file__).parent
PHASE = {phase!r}


def pause(phase, run):
    if phase != PHASE or (HERE / "held").exists():
        return
    (HERE / "draft").write_text(f"{{os.getpid()}}\\n{{run}}", "utf-8")
    (HERE / "draft").rename(HERE / "held")
    wait_until((HERE / "go").exists, limit=60, what="a word to go on")


def pause_before(phase, owner, name, run_of):
    real = getattr(owner, name)

    def paused(*arguments, **named):
        if phase == PHASE:
            pause(phase, run_of(*arguments))
        return real(*arguments, **named)

    setattr(owner, name, paused)


def only_run():
    (run,) = Path(os.environ["KAFKALAB_CACHE"], "runs").iterdir()
    return run


prepared, embedded = kafkalab.brokers.prepared, kafkalab.brokers.embedded
pause_before("preparing", prepared, "_exercise", lambda node: node.home)
pause_before("writing", prepared, "wait_until", lambda look: only_run())
pause_before("starting", embedded, "wait_until_ready", lambda nodes: nodes[0].home.parents[1])
pause_before("stopping", Lab, "close", lambda lab, _: lab.run.folder)
"""


class HeldRun:
    """A run of pytest that uses a broker, and is held in one phase of it.

    Args:
        folder: where it runs; its reports and temporary files lie there as well.
        arguments: of pytest.
        phase: where it is held: preparing, writing (the AOT cache), starting,
            running or stopping; in none if empty.
        more: more tests.
        environment: in addition to this process's own.
        under: a command that the run is started by.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        phase: str = "",
        more: str = "",
        environment: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (folder / "module.toml").write_text(MANIFEST, "utf-8")
        (folder / "pyproject.toml").write_text(
            "[tool.pytest.ini_options]\nkafkalab_curriculum = 'module.toml'\n", "utf-8"
        )
        (folder / "conftest.py").write_text(PAUSES.format(phase=phase), "utf-8")
        (folder / "test_holds.py").write_text(HOLDS_A_BROKER + more, "utf-8")
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "--kafkalab-backend=embedded",
            "-p",
            "no:randomly",
        ]
        with (folder / "printed").open("wb") as printed:
            self.process = subprocess.Popen(
                [*under, *pytest, *arguments],
                cwd=folder,
                env={**os.environ, "TMPDIR": str(self.temporary), **(environment or {})},
                stdout=printed,
                stderr=subprocess.STDOUT,
                # A shell that runs the tests in the background has SIGINT ignored, and hands
                # that on.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def printed(self) -> str:
        """What the run has printed so far."""
        return (self.folder / "printed").read_text("utf-8", "replace")

    def wait_until_held(self) -> Held:
        """Wait until the run is held.

        Raises:
            Expired: it was not, or ended before.
        """
        held = self.folder / "held"
        wait_until(
            lambda: held.exists() or self.process.poll() is not None,
            limit=HELD_LIMIT,
            what="the run to be held",
        )
        assert held.exists(), self.printed
        pid, run = held.read_text("utf-8").split("\n")
        return Held(int(pid), Path(run), self.temporary)

    def go_on(self) -> None:
        """Let the run end."""
        (self.folder / "go").touch()

    def wait(self) -> int:
        """The exit code of pytest, which ends within HELD_LIMIT."""
        return self.process.wait(HELD_LIMIT)


class Held:
    """A run that is held: who is in it, and what may be left of it."""

    def __init__(self, pid: int, run: Path, temporary: Path) -> None:
        self.pid = pid
        """the process that is held: pytest itself, or a worker"""
        self.run = run
        self._temporary = temporary
        self._ports = [
            socket.laddr.port
            for jvm in self.brokers()
            for socket in jvm.net_connections("tcp")
            if socket.status == psutil.CONN_LISTEN
        ]

    def brokers(self) -> list[psutil.Process]:
        """The JVMs of the run."""
        return [
            process
            for process, line in command_lines()
            if KAFKA_MAIN in line and any(str(self.run) in part for part in line)
        ]

    def watchdog(self) -> psutil.Process:
        """The watchdog of the run."""
        (watchdog,) = (process for process, line in command_lines() if line[-1:] == [str(self.run)])
        return watchdog

    def left(self) -> list[str]:
        """What is left of the run: processes, ports, locks, folders."""
        # pytest keeps the temporary folders of its own last runs, which xdist has it make.
        temporary = set(self._temporary.iterdir()) - set(self._temporary.glob("pytest-of-*"))
        files = [self.run, *temporary]
        return [
            *(str(path) for path in files if path.exists()),
            *(f"port {port}" for port in self._ports if not is_free(port)),
            *(
                " ".join(line)[-80:]
                for _, line in command_lines()
                if any(str(self.run) in part for part in line)
            ),
        ]

    def expect_nothing_left(self) -> None:
        """Within GONE_WITHIN nothing of the run is left."""
        wait_until(
            self.left,
            lambda left: not left,
            limit=GONE_WITHIN,
            what="nothing to be left of the run",
            interval=0.1,
        )


def command_lines() -> Iterator[tuple[psutil.Process, list[str]]]:
    """Every process that lives, with its command line."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            yield process, process.cmdline()
