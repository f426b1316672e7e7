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

# Characters of one text on a page, which must open at once; the run's record has the whole text.
LONGEST = 4000


@cache
def environment() -> Environment:
    """Templates that escape all texts, show control characters, and refuse undefined names."""
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy_of(asset: str) -> str:
    """The hash by which the page's policy allows one script or style, and no other."""
    return f"sha256-{b64encode(sha256(asset.encode()).digest()).decode()}"


def prose(text: str) -> Markup:
    """A sentence as HTML; text between backticks becomes code."""
    parts = (escape(readable(part)) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def _shown(value: Any) -> Any:
    """The text that a template prints for a value, before it is escaped."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return readable(shortened(value, LONGEST), keep="\n\t")
