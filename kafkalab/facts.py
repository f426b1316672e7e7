"""A test item as a fact or a control: marks, needs, and what happened to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from kafkalab.curriculum import Curriculum, Statement
from kafkalab.learning_log.evidence import Evidence

PROPERTY = "kafkalab"
"""the name under which a test's data travels in `user_properties`"""

# A fact takes a second or two; ten times that, on a loaded machine, is a hang.
FACT_LIMIT = 60

REMEDIES = {
    "restart": "use --kafka-backend=embedded or container",
    "log_dirs": "use --kafka-backend=embedded, whose files are on this machine",
}

evidence_key = pytest.StashKey[Evidence]()


def statement_of(item: pytest.Item, curriculum: Curriculum) -> Statement | None:
    """The statement that an item makes; None for any other test."""
    if item.path.parent != curriculum.folder:
        return None
    return curriculum.statement_at(item.path.stem, getattr(item, "originalname", item.name))


def add_keywords(item: pytest.Item, statement: Statement) -> None:
    """Let `-k` select a fact with its controls by slug, hyphened or with underscores."""
    item.extra_keyword_matches.update({statement.slug, statement.slug.replace("-", "_")})


def skip_unmet_needs(item: pytest.Item, capabilities: frozenset[str], backend: str) -> None:
    """Skip an item that needs what the backend cannot do, with reason and remedy."""
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            if need not in capabilities:
                remedy = REMEDIES.get(need, "use another backend")
                reason = f"needs {need}, which the {backend} backend does not have: {remedy}"
                item.add_marker(pytest.mark.skip(reason=reason))


def limit_time(item: pytest.Item) -> None:
    """Give a fact a time limit, unless it names its own."""
    if item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(FACT_LIMIT))


@dataclass(frozen=True)
class PhaseData:
    """What one phase (setup, call, teardown) of a fact or control tells the controller."""

    outcome: str
    reason: str
    evidence: list[dict[str, Any]]

    def attach(self, report: pytest.TestReport) -> None:
        """Put the data on a report, as one string that any transport carries."""
        text = json.dumps([self.outcome, self.reason, self.evidence])
        report.user_properties.append((PROPERTY, text))

    @classmethod
    def take_from(cls, report: pytest.TestReport) -> PhaseData | None:
        """Take the data off a report, or it would swell JUnit XML; None when there is none."""
        for row in report.user_properties:
            if row[0] == PROPERTY:
                report.user_properties.remove(row)
                return cls(*json.loads(str(row[1])))
        return None
