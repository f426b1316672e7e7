"""The Jinja environment of all HTML that kafkalab writes."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from kafkalab.readable import readable, shortened

FOLDER = Path(__file__).parent

# Characters of one text: the record of the run has all of it, a page must open at once.
LONGEST = 4000


@cache
def environment() -> Environment:
    """Templates in which no text can be markup, and none can hide anything."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy_of(asset: str) -> str:
    """The one script or style that a browser may use, named by its hash: none from data."""
    return f"sha256-{b64encode(sha256(asset.encode()).digest()).decode()}"


def prose(text: str) -> Markup:
    """A sentence as HTML, in which what stands between backticks is code."""
    parts = (escape(readable(part)) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def _shown(value: Any) -> Any:
    """What a template prints of a value, before it is escaped."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return readable(shortened(value, LONGEST), keep="\n\t")
