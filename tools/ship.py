"""Records the tests that Module A ships with, so that a changed test does not count as proof.

Run it after each change of `tests_module_a/`: `make shipped`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kafkalab.curriculum import load, shipped, statements
from kafkalab.curriculum.assertions import problems_of_assertions


def main() -> int:
    """Write shipped.json and statements.json of the curriculum, unless the tests have faults."""
    curriculum = load()
    problems = [*curriculum.problems(), *problems_of_assertions(curriculum)]
    for problem in problems:
        print(problem)
    if not problems:
        print(shipped.write(curriculum))
        modules = [
            (curriculum.folder / f"{module}.py", task.id)
            for task in curriculum.tasks
            for module in task.modules
        ]
        print(statements.keep(Path(str(curriculum.beside)), modules))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
