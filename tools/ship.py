"""Writes down which tests Module A ships with, so that a changed one does not count as proof.

Call it after each change of `tests_module_a/`: `make shipped`.
"""

from __future__ import annotations

from kafkalab.curriculum import load, shipped


def main() -> None:
    """Write kafkalab/curriculum/shipped.json."""
    print(shipped.write(load()))


if __name__ == "__main__":
    main()
