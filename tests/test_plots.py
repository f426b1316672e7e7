"""Pictures show what they are given, and break nothing."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from kafkalab.learning_log.plots import shares


def texts(picture: str) -> list[str]:
    """All texts of a picture; it must be well-formed to be read at all."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
    return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]


def test_shares_tell_counts_in_figures_and_words() -> None:
    """Each place has its count and share, and the whole stands in words for who cannot see it."""
    picture = shares("Thirty records", {"0": {"a": 10}, "1": {"b": 10, "c": 10}, "2": {}})

    shown = texts(picture)
    assert {"10 (33%)", "20 (67%)", "0 (0%)"} <= {each.strip() for each in shown}
    assert {"a", "b", "c"} <= set(shown), "the parts are named"
    assert 'aria-label="Thirty records. Records of each partition: 0: 10, 1: 20, 2: 0."' in picture


def test_many_parts_become_others() -> None:
    """More parts than colours go together, and none is lost."""
    picture = shares("Many", {"0": {f"key-{n}": 1 for n in range(20)}, "1": {"key-0": 5}})

    shown = texts(picture)
    assert "others" in shown
    assert {"20 (80%)", "5 (20%)"} <= {each.strip() for each in shown}


@pytest.mark.parametrize(
    "name", ["<script>", "$x^2$", "a & b", "東京", "\u202e", "🦊", "_hidden", "]]>"]
)
def test_any_name_is_shown_as_text(name: str) -> None:
    """Names are data: markup, formulas and foreign letters stand there as they are."""
    picture = shares(name, {name: {name: 1}, "1": {"other": 1}})

    assert name in texts(picture), "the name is there as text"
    assert "<script>" not in picture


def test_nothing_is_shown_as_nothing() -> None:
    """No records make empty bars, and no error."""
    assert "0 (0%)" in {each.strip() for each in texts(shares("None", {"0": {}, "1": {}}))}
