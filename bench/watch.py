"""Times `kafkalab watch` from a save to its verdicts, with the reference as the learner's code.

It measures the first verdict, and the last one of the facts that use the warm broker. Facts that
need a Kafka of their own are left out. A save adds a comment to the file; the next save comes when
the run is over and the next pytest has had time to get ready.

    python bench/watch.py [--rounds 7] [--smoke]
"""

from __future__ import annotations

import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import side_by_side
from rich.console import Console

from kafkalab.curriculum import Task, load
from kafkalab.judging import component_facts
from kafkalab.solutions import REFERENCE
from kafkalab.waiting import wait_until

TASKS = ("1.1", "1.2", "1.3")
# The promises, in seconds.
MOST_TO_FIRST, MOST_TO_LAST = 2.0, 4.0
# Seconds between two saves, in which a learner reads the verdicts.
PAUSE = 6.0
LIMIT = 60.0


class Watched:
    """A `kafkalab watch` without a terminal, and what it prints, with the time of each line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[tuple[float, str]] = queue.Queue()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put((time.monotonic(), line))

    def until_done(self) -> list[tuple[float, str]]:
        """The lines of one run."""
        lines = [self._lines.get(timeout=LIMIT)]
        while "Waiting for the next save" not in lines[-1][1]:
            lines.append(self._lines.get(timeout=LIMIT))
        return lines


@contextmanager
def watched(task: Task, folder: Path) -> Iterator[Watched]:
    """Watch a task in a folder, until the block ends."""
    command = [sys.executable, "-m", "kafkalab", "watch", task.id, "--backend", "embedded"]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Watched(process)
        finally:
            process.terminate()


def measured(task: Task, rounds: int, pause: float) -> list[tuple[float, float]]:
    """For each round, the seconds to the first verdict and to the last on the warm broker."""
    own = {each.slug for each in component_facts(load(), task) if each.has_own_broker}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "my_lab", f"{task.component}.py")
        file.parent.mkdir()
        shutil.copy(REFERENCE / file.name, file)
        found = []
        with watched(task, Path(folder)) as at:
            at.until_done()
            for number in range(rounds):
                ready = time.monotonic() + pause
                wait_until(lambda at=ready: time.monotonic() > at, limit=LIMIT, what="the pause")
                with file.open("a", encoding="utf-8") as text:
                    text.write(f"# {number}\n")
                saved = time.monotonic()
                told = [
                    (when - saved, line.split()[1].rstrip(","))
                    for when, line in at.until_done()
                    if line.startswith("  holds ")
                ]
                warm = [seconds for seconds, slug in told if slug not in own]
                found.append((warm[0], warm[-1]))
    return found


def main() -> int:
    """Run the bench; the exit code is 1 when a promise does not hold."""
    options = side_by_side.options(__doc__)
    console = Console()
    is_kept = True
    for name in TASKS:
        pairs = measured(load().task(name), 1 if options.smoke else options.rounds, PAUSE)
        first, last = (statistics.median(each) for each in zip(*pairs, strict=True))
        console.print(
            f"{name}  first {first:.2f} s (worst {max(p[0] for p in pairs):.2f}), "
            f"all on the warm broker {last:.2f} s (worst {max(p[1] for p in pairs):.2f})"
        )
        is_kept &= first < MOST_TO_FIRST and last < MOST_TO_LAST
    return 0 if is_kept or options.smoke else 1


if __name__ == "__main__":
    sys.exit(main())
