"""Removes what runs have written into reports/ and can write again; `make clean` calls it.

What has no mark of ours stays, and so does what a link leads to.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from kafkalab.learning_log import experiment, page, run_report
from kafkalab.learning_log.pictures import PICTURES, Pictures
from kafkalab.learning_log.written import require_ours

REPORTS = Path(__file__).parents[1] / "reports"


def main() -> None:
    """Remove pages and pictures."""
    if REPORTS.is_symlink():
        print(f"{REPORTS} is a link: what it leads to stays")
        return
    pages = {REPORTS / page.NAME: page.MARK, REPORTS / run_report.RUN_PAGE: run_report.MARK}
    folder = REPORTS / experiment.PAGES
    if not folder.is_symlink():
        pages |= dict.fromkeys(folder.glob("*.html"), experiment.MARK)
    for path, mark in pages.items():
        try:
            require_ours(path, mark)
            path.unlink(missing_ok=True)
        except OSError as error:
            print(f"{path} stays: {error.strerror}")
    if not folder.is_symlink():
        # It may have files of others.
        with contextlib.suppress(OSError):
            folder.rmdir()
    if not (REPORTS / PICTURES).is_symlink():
        Pictures(REPORTS / PICTURES).forget_the_rest()
        # It may have files of others.
        with contextlib.suppress(OSError):
            (REPORTS / PICTURES).rmdir()


if __name__ == "__main__":
    main()
