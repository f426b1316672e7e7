"""Waits for ever when it is imported."""

import os
import threading
from pathlib import Path

# Each import leaves a line, so that the test can count them.
with (Path(os.environ["WICKED_RUN"]) / "imports").open("a", encoding="utf-8") as imports:
    imports.write("routing\n")

threading.Event().wait()
