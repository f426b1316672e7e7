"""Where `kafkalab` begins: to load what a command uses takes a moment, too, in which to leave."""

from __future__ import annotations

import sys

from kafkalab.typed import ENDED_BY_CTRL_C


def main() -> None:
    """Load the command line and run a command; Ctrl-C is no traceback meanwhile."""
    try:
        from kafkalab.cli import main

        main()
    except KeyboardInterrupt:
        # The shell's next line begins at the left.
        sys.stderr.write("\n")
        sys.exit(ENDED_BY_CTRL_C)


if __name__ == "__main__":
    main()
