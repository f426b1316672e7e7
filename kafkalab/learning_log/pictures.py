"""Pictures of evidence, each drawn once: drawing them takes most of a page's time."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kafkalab.brokers.cache import make_folder
from kafkalab.config import Settings
from kafkalab.learning_log import plots
from kafkalab.learning_log.written import write_whole

# Items have colours and a clock only if they are drawn together with others; records of earlier
# versions have no `place`.
DRAWN_BY: Mapping[str, Callable[[dict[str, Any]], Markup]] = {
    "shares": lambda item: plots.shares(
        item["title"],
        item["counts"],
        place=item.get("place", "partition"),
        colours=item.get("colours"),
    ),
    "timeline": lambda item: plots.timeline(item["title"], item["spans"], **_common(item)),
    "series": lambda item: plots.series(
        item["title"], item["lines"], item["unit"], **_common(item)
    ),
}


def _common(item: dict[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in ("colours", "clock", "beside") if key in item}


PICTURES = "pictures"
"""the folder's name, below that of the reports"""
SHARED = "pages"
"""the folder's name, below that of the cache"""
MOST_SHARED = 200
"""files: the code of Module A takes 25 of 100 kB each"""


def pictures_of(settings: Settings) -> Pictures:
    """The pictures of the runs with these settings: what all reports share is in the cache."""
    return Pictures(settings.reports / PICTURES, settings.cache / SHARED)


class Pictures:
    """Draws evidence, and keeps the pictures in a folder, under the hash of what they show.

    What does not depend on a run, such as coloured code, is kept in a second folder, which all
    reports share: so it is not made again in each new folder of reports.

    The folders may be deleted at any time: missing pictures are drawn again. They may
    have other files, too: the first line of a picture says that it is ours.
    """

    def __init__(self, folder: Path, shared: Path | None = None) -> None:
        self._folder = folder
        self._shared = shared or folder
        self._asked_for: dict[str, Markup] = {}

    def of(self, item: dict[str, Any]) -> Markup:
        """The picture of an evidence item of a kind in DRAWN_BY."""
        # The page shows these beside the picture: they are no part of it.
        drawn = {key: value for key, value in item.items() if key not in ("look", "left_out")}
        seen = self._drawer + json.dumps(drawn, sort_keys=True).encode()
        return self.kept(seen, lambda: DRAWN_BY[item["kind"]](item), is_shared=False)

    def kept(self, seen: bytes, make: Callable[[], Markup], *, is_shared: bool) -> Markup:
        """What is kept under this hash; if there is nothing, what `make` returns.

        Args:
            seen: all that it depends on, and the code that makes it.
            make: makes it.
            is_shared: whether it is the same in all reports.
        """
        name = sha256(seen).hexdigest()[:32]
        if name not in self._asked_for:
            path = (self._shared if is_shared else self._folder) / f"{name}.html"
            self._asked_for[name] = _read(path) or _made(path, make, is_shared=is_shared)
            if path.parent != self._folder:
                _forget_the_unused(path)
        return self._asked_for[name]

    def forget_the_rest(self) -> None:
        """Delete the pictures that were not asked for since this object was made."""
        for path in self._folder.glob("*.html"):
            if path.stem not in self._asked_for and _read(path) is not None:
                # Another run that ends now may delete it, too.
                path.unlink(missing_ok=True)

    @cached_property
    def _drawer(self) -> bytes:
        """The code that draws: if it changes, all pictures are drawn again."""
        return Path(plots.__file__).read_bytes()


def _read(path: Path) -> Markup | None:
    """A kept picture; None if there is none, or a file that is not ours."""
    try:
        if path.is_symlink() or not path.is_file():
            return None
        mark, _, text = path.read_text("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    # It is safe as HTML: we made it, and its name is the hash of what it was made from.
    return Markup(text) if mark == _mark(path.stem) else None  # noqa: S704


def _made(path: Path, make: Callable[[], Markup], *, is_shared: bool) -> Markup:
    """Make a picture, and keep it."""
    made = make()
    # A folder that cannot be written to makes the next page slower, not this one wrong.
    with contextlib.suppress(OSError):
        # The cache folder is refused if others can write to it; reports have the user's rights.
        if is_shared:
            make_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path):
            write_whole(path, f"{_mark(path.stem)}\n{made}".encode())
    return made


def _forget_the_unused(used: Path) -> None:
    """Keep what was used last: each version of a test that is edited has files of its own."""
    # Another run may delete a file at the same time, and the folder may be anything.
    with contextlib.suppress(OSError):
        os.utime(used)
        paths = list(used.parent.glob("*.html"))
        if len(paths) > MOST_SHARED:
            paths.sort(key=lambda path: path.stat().st_mtime)
            for path in paths[:-MOST_SHARED]:
                if _read(path) is not None:
                    path.unlink()


def _mark(name: str) -> str:
    """The first line of a picture's file: a copy under another name is not ours."""
    return f"<!-- kafkalab: the picture {name}; where it is missing it is drawn anew -->"
