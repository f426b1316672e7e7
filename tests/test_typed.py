"""What is typed: Ctrl-C is heard whenever it comes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from screens import CTRL_C, screen

from kafkalab.typed import HEARD_WITHIN
from kafkalab.waiting import wait_until

# The flag of a signal that came just before the wait for a key: it interrupts no wait.
MISSED = """
import _thread, threading
from kafkalab import typed
{readline}
threading.Timer(0.5, _thread.interrupt_main).start()
try:
    typed.line("ask > ")
except KeyboardInterrupt:
    raise SystemExit(typed.ENDED_BY_CTRL_C) from None
"""

ASKING = """
from kafkalab import typed
print([typed.line("ask > "), typed.line("again > ")])
"""


@pytest.mark.parametrize(
    "readline", ["", "import sys; sys.modules['readline'] = None"], ids=["readline", "plain"]
)
def test_ctrl_c_that_comes_just_before_the_wait_is_heard(tmp_path: Path, readline: str) -> None:
    program = MISSED.format(readline=readline)
    with screen([sys.executable, "-c", program], tmp_path) as at:
        at.see("ask >")

        assert at.end() == 130


def test_what_is_typed_slowly_is_whole(tmp_path: Path) -> None:
    """The wait is interrupted between keys, and none is lost."""
    with screen([sys.executable, "-c", ASKING], tmp_path) as at:
        at.see("ask >")
        for typed in ("o", "ne", "\x1b[D", "\x7f", "\r"):
            at.press(typed)
            until = time.monotonic() + 2 * HEARD_WITHIN
            wait_until(lambda until=until: time.monotonic() > until, limit=5, what="a pause")
        at.see("again >")
        at.type("two")

        at.see("['oe', 'two']")
        assert at.end() == 0


def test_ctrl_c_at_a_prompt_ends_it(tmp_path: Path) -> None:
    with screen([sys.executable, "-c", ASKING], tmp_path) as at:
        at.see("ask >")
        at.press(CTRL_C)

        assert at.end() != 0
        assert "KeyboardInterrupt" in at.received
