"""The result of one phase of a test, and how it travels from a worker to the controller."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

PROPERTY = "kafkalab"
"""the name under which a test's data travels in `user_properties`"""


@dataclass(frozen=True)
class PhaseData:
    """What one phase (setup, call, teardown) of a fact or control sends to the controller."""

    outcome: str
    reason: str
    evidence: list[dict[str, Any]]

    def attach(self, report: pytest.TestReport) -> None:
        """Put the data on a report, as one string, which every transport can carry."""
        text = json.dumps([self.outcome, self.reason, self.evidence])
        report.user_properties.append((PROPERTY, text))

    @classmethod
    def take_from(cls, report: pytest.TestReport) -> PhaseData | None:
        """Take the data off a report; None when there is none.

        Data that stayed on the report would be written to JUnit XML.
        """
        for row in report.user_properties:
            if row[0] == PROPERTY:
                report.user_properties.remove(row)
                return cls(*json.loads(str(row[1])))
        return None
