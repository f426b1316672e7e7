"""End a run's brokers when its owner has ended in any way, SIGKILL included.

Run as `python -m kafkalab.brokers.watchdog FOLDER`, one process for each run.
It watches the owner of the run, and not the xdist worker that started the broker.
It ends when the owner has closed the run itself.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from kafkalab.brokers.runs import Run, run_at
from kafkalab.waiting import Expired, wait_until

# Seconds. A run that is a week old was forgotten.
LONGEST_RUN = 7 * 24 * 3600.0
# Seconds between two checks: a dead owner's broker must be gone within 5 s.
LOOK_EVERY = 0.5
# Seconds. A dead owner's workers soon end, too; until then one of them may start a broker.
AFTERMATH = 1.0


def watch(run: Run) -> None:
    """Wait until the run is over or its owner is gone, then close it."""
    with contextlib.suppress(Expired):
        wait_until(
            lambda: not run.folder.exists() or not run.owner.is_alive(),
            limit=LONGEST_RUN,
            what="the end of the run",
            interval=LOOK_EVERY,
        )
    run.close()
    if not run.owner.is_alive():
        with contextlib.suppress(Expired):
            wait_until(lambda: False, limit=AFTERMATH, what="nothing: there is no sign to wait for")
        run.close()


if __name__ == "__main__":
    watched = run_at(Path(sys.argv[1]))
    if watched is not None:
        watch(watched)
