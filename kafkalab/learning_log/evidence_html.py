"""Evidence as HTML, the same on the run's page and in the learning log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from kafkalab.learning_log.alike import as_drawn
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.templates import environment


def evidence_html(
    items: Sequence[dict[str, Any]], pictures: Pictures, family: Sequence[dict[str, Any]] = ()
) -> Markup:
    """What one test observed, as tables, pictures, numbers and sentences.

    `family` is the evidence of the fact and all its controls, which share their colours.
    """
    drawn = as_drawn(items, family)
    return Markup(_macro()(drawn, pictures.of, _left_out))  # noqa: S704 - a macro escapes what it prints


def _left_out(item: dict[str, Any]) -> str:
    """What a picture does not show, in words; empty when it shows all."""
    point = "span" if item["kind"] == "timeline" else "point"
    counts = {"line": item.get("lines_left_out", 0), point: item.get("left_out", 0)}
    return ", ".join(
        f"{count} {thing}{'s' if count > 1 else ''}" for thing, count in counts.items() if count
    )


@cache
def _macro() -> Any:
    # A template's module has the macros as attributes, which its type does not declare.
    return environment().get_template("evidence.html.jinja").module.evidence  # type: ignore[attr-defined]
