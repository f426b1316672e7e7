"""Repeats tests in random order and in parallel, then once with every core busy, and counts.

`make soak` repeats Module A 20 times; `make soak RUNS=5 TESTS=tests/test_processes.py` repeats
other tests.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Seconds of one run. Module A takes less than a minute, the slowest tests of the tool some minutes.
LIMIT = 1800


def main() -> int:
    """Repeat the tests, and print where each failed run's output is; 1 if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("tests", nargs=argparse.REMAINDER, help="what pytest is called with")
    given = parser.parse_args()
    held = sum(_holds(given.tests, f"run {n}") for n in range(1, given.runs + 1))
    with _every_core_busy():
        held_under_load = _holds(given.tests, "under load")
    print(f"{held} of {given.runs} held; under load {int(held_under_load)} of 1")
    return 0 if held == given.runs and held_under_load else 1


def _holds(tests: Sequence[str], name: str) -> bool:
    with tempfile.TemporaryDirectory() as reports:
        command = [sys.executable, "-m", "pytest", "-n4", "-q", f"--kafkalab-reports={reports}"]
        run = subprocess.run(
            [*command, *tests], capture_output=True, text=True, timeout=LIMIT, check=False
        )
    last = run.stdout.rstrip().rpartition("\n")[2]
    print(f"{name}: {last}", flush=True)
    if run.returncode:
        told = Path(tempfile.gettempdir()) / f"soak-{os.getpid()}-{name.replace(' ', '-')}.log"
        told.write_text(run.stdout + run.stderr, "utf-8")
        print(f"  {told}", flush=True)
    return run.returncode == 0


@contextmanager
def _every_core_busy() -> Iterator[None]:
    loops = [multiprocessing.Process(target=_loop, daemon=True) for _ in range(os.cpu_count() or 1)]
    for each in loops:
        each.start()
    try:
        yield
    finally:
        for each in loops:
            each.kill()


def _loop() -> None:
    while True:
        pass


if __name__ == "__main__":
    sys.exit(main())
