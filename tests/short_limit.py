"""A plugin for runs of pytest that are to see hangs: facts have seconds, and no minute."""

from __future__ import annotations

import kafkalab.facts
import kafkalab.isolation

kafkalab.facts.FACT_LIMIT = 10
kafkalab.isolation.TIDY_LIMIT = 2.0
