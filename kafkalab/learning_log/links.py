"""Links from one page of the reports to another."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def relative_link(target: Path, folder: Path) -> str:
    """A link from a page in that folder; it holds when all of them are moved together."""
    return quote(Path(os.path.relpath(target, folder)).as_posix())
