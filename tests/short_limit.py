"""A plugin for runs of pytest that are to see hangs: facts have seconds, and no minute."""

from __future__ import annotations

import kafkalab.facts
import kafkalab.isolation
import kafkalab.observe.delivery_bench

kafkalab.facts.FACT_LIMIT = 16
kafkalab.isolation.TIDY_LIMIT = 2.0
# A process of its own that hangs is to be met by its wait, and not by the limit of the fact: on a
# loaded machine up to 10 s pass before it is started.
kafkalab.observe.delivery_bench.BENCH_LIMIT = 6.0
