"""Records the tests that Module A ships with, so that a changed test does not count as proof.

Run it after each change of `tests_module_a/`: `make shipped`.
"""

from __future__ import annotations

import sys

from kafkalab.curriculum import load, shipped
from kafkalab.curriculum.assertions import problems_of_assertions


def main() -> int:
    """Write kafkalab/curriculum/shipped.json, unless the tests have faults."""
    curriculum = load()
    problems = [*curriculum.problems(), *problems_of_assertions(curriculum)]
    for problem in problems:
        print(problem)
    if not problems:
        print(shipped.write(curriculum))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
