"""Removes what runs have written into reports/ and can write again; `make clean` calls it.

What has no mark of ours stays, and so does what a link leads to.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from kafkalab.learning_log import page, run_report
from kafkalab.learning_log.pictures import PICTURES, Pictures
from kafkalab.learning_log.written import require_ours

REPORTS = Path(__file__).parents[1] / "reports"


def main() -> None:
    """Remove pages and pictures."""
    if REPORTS.is_symlink():
        print(f"{REPORTS} is a link: what it leads to stays")
        return
    for name, mark in ((page.NAME, page.MARK), (run_report.RUN_PAGE, run_report.MARK)):
        try:
            require_ours(REPORTS / name, mark)
            (REPORTS / name).unlink(missing_ok=True)
        except OSError as error:
            print(f"{REPORTS / name} stays: {error.strerror}")
    if not (REPORTS / PICTURES).is_symlink():
        Pictures(REPORTS / PICTURES).forget_the_rest()
        # It may have files of others.
        with contextlib.suppress(OSError):
            (REPORTS / PICTURES).rmdir()


if __name__ == "__main__":
    main()
