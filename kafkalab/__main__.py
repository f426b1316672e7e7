"""Start `kafkalab`. Ctrl-C works from the beginning, also while modules are being loaded."""

from __future__ import annotations

import sys

from kafkalab.typed import ENDED_BY_CTRL_C

OF_KAFKA = "kafka-"
"""how the names of Kafka's own tools begin"""


def main() -> None:
    """Load the command line and run a command; Ctrl-C ends it without a traceback."""
    try:
        if sys.argv[1:] and sys.argv[1].startswith(OF_KAFKA):
            from kafkalab.kafka_tools import is_tool, run

            if is_tool(sys.argv[1:]):
                run(sys.argv[1], sys.argv[2:])
        from kafkalab.cli import main

        main()
    except KeyboardInterrupt:
        # The shell's next line begins at the left.
        sys.stderr.write("\n")
        sys.exit(ENDED_BY_CTRL_C)


if __name__ == "__main__":
    main()
