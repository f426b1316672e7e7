"""Shows which facts run, and how long they may take: a hang is visible while it lasts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kafkalab.cli import output
from kafkalab.judging import Running

# Seconds that a fact may take before it is told where no line can be taken back.
LONG = 5.0


class Following:
    """What runs, on one line of a terminal; elsewhere a line for each fact that takes long."""

    def __init__(self) -> None:
        self._told: set[Running] = set()

    def look(self, running: Sequence[Running]) -> None:
        """Show what runs now.

        Args:
            running: the facts that run, the one that has run longest first.
        """
        if output.moves():
            output.fleeting(_now(running[0], len(running) - 1) if running else "")
            return
        for each in running:
            if _seconds(each) >= LONG and each not in self._told:
                self._told.add(each)
                output.line(
                    f"{each.slug} has been running for {LONG:.0f} s. "
                    f"It is ended after {each.limit:.0f} s."
                )


def _now(running: Running, others: int) -> str:
    beside = f" and {others} more" if others else ""
    # Figures first: where a name is too long, they are still there.
    most = f"{running.limit:.0f} s at most"
    return f"  {_seconds(running):.0f} s, {most}: {running.slug}{beside}"


def _seconds(running: Running) -> float:
    return time.monotonic() - running.since
