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


class Pictures:
    """Draws evidence, and keeps the pictures in a folder, under the hash of what they show.

    The folder may be deleted at any time: missing pictures are drawn again. It may
    have other files, too: the first line of a picture says that it is ours.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked_for: dict[str, Markup] = {}

    def of(self, item: dict[str, Any]) -> Markup:
        """The picture of an evidence item of a kind in DRAWN_BY."""
        # The page shows these beside the picture: they are no part of it.
        drawn = {key: value for key, value in item.items() if key not in ("look", "left_out")}
        seen = self._drawer + json.dumps(drawn, sort_keys=True).encode()
        return self.kept(seen, lambda: DRAWN_BY[item["kind"]](item))

    def kept(self, seen: bytes, draw: Callable[[], Markup]) -> Markup:
        """The kept picture; if there is none, what `draw` returns.

        Args:
            seen: all that the picture depends on, and the code that draws it.
            draw: draws it.
        """
        name = sha256(seen).hexdigest()[:32]
        if name not in self._asked_for:
            self._asked_for[name] = self._kept(name) or self._drawn(name, draw)
        return self._asked_for[name]

    def forget_the_rest(self) -> None:
        """Delete the pictures that were not asked for since this object was made."""
        for path in self._folder.glob("*.html"):
            if path.stem not in self._asked_for and self._kept(path.stem) is not None:
                # Another run that ends now may delete it, too.
                path.unlink(missing_ok=True)

    def _kept(self, name: str) -> Markup | None:
        """The picture of that name; None if there is none, or a file that is not ours."""
        path = self._path(name)
        try:
            if path.is_symlink() or not path.is_file():
                return None
            mark, _, text = path.read_text("utf-8").partition("\n")
        except (OSError, UnicodeDecodeError):
            return None
        # It is safe as HTML: plots drew it, and its name is the hash of what it was drawn from.
        return Markup(text) if mark == _mark(name) else None  # noqa: S704

    def _drawn(self, name: str, draw: Callable[[], Markup]) -> Markup:
        picture = draw()
        path = self._path(name)
        # A folder that cannot be written to makes the next page slower, not this one wrong.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(path):
                write_whole(path, f"{_mark(name)}\n{picture}".encode())
        return picture

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.html"

    @cached_property
    def _drawer(self) -> bytes:
        """The code that draws: if it changes, all pictures are drawn again."""
        return Path(plots.__file__).read_bytes()


def _mark(name: str) -> str:
    """The first line of a picture's file: a copy under another name is not ours."""
    return f"<!-- kafkalab: the picture {name}; where it is missing it is drawn anew -->"
