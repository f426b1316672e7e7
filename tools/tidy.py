"""Removes the pages and pictures that runs wrote into reports/; `make clean` calls it.

A file without kafkalab's mark stays, and so does the target of a link.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from kafkalab.learning_log import experiment, guides, page, run_report
from kafkalab.learning_log.pictures import PICTURES, Pictures
from kafkalab.learning_log.written import require_ours

REPORTS = Path(__file__).parents[1] / "reports"


def main() -> None:
    """Remove pages and pictures."""
    if REPORTS.is_symlink():
        print(f"{REPORTS} is a link: its target stays as it is")
        return
    pages = {REPORTS / page.NAME: page.MARK, REPORTS / run_report.RUN_PAGE: run_report.MARK}
    folders = {REPORTS / experiment.PAGES: experiment.MARK, REPORTS / guides.PAGES: guides.MARK}
    for folder, mark in folders.items():
        if not folder.is_symlink():
            pages |= dict.fromkeys(folder.glob("*.html"), mark)
    for path, mark in pages.items():
        try:
            require_ours(path, mark)
            path.unlink(missing_ok=True)
        except OSError as error:
            print(f"{path} stays: {error.strerror}")
    for folder in folders:
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
