"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket

# Below every system's range for outgoing connections (Linux: from 32768), so that
# no client's connection can take a port while its node is down for a restart.
PORT_RANGE = range(20000, 32000)


def free_ports(count: int) -> list[int]:
    """So many different ports on which nothing listens right now.

    Another process may take one before the node binds it; then the backend
    draws again.
    """
    found: list[int] = []
    # Not the global generator: if a test seeds it, every worker gets the same ports.
    for port in random.SystemRandom().sample(PORT_RANGE, 500):
        if is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise OSError("no free port on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a listener could bind the port on 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
