"""Shows which facts run, and for how long: so a hang can be seen while it lasts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kafkalab.cli import output
from kafkalab.judging import Running

# Seconds after which a line is printed for a running fact, if the output is no terminal.
LONG = 5.0


class Following:
    """Shows what runs: on one line of a terminal, else in a line for each fact that takes long."""

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
    # Figures first: a line that is too long is cut at its end.
    most = f"{running.limit:.0f} s at most"
    return f"  {_seconds(running):.0f} s, {most}: {running.slug}{beside}"


def _seconds(running: Running) -> float:
    return time.monotonic() - running.since
