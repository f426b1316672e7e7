"""Files that appear whole, or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader never sees half of it.

    The draft beside it has a name that no other file has, so that neither
    another writer's nor a user's file is written over.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
