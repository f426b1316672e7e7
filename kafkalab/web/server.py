"""The server's process: it listens, and ends its streams before it ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

# Seconds for requests that run when the server ends.
END_LIMIT = 5


class Server(uvicorn.Server):
    """A server that ends its streams first: an open stream would keep it running."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End properly when the terminal closes too: with uvicorn alone SIGHUP would kill it."""
        with super().capture_signals():
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams, then all the rest."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.hub.end_streams()
        super().handle_exit(sig, frame)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C; then close what the app opened.

    Args:
        app: an app of create_app().
        listener: the socket for requests; it is bound already.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        # An address may hold a key or a name.
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=END_LIMIT,
        ws="none",
        lifespan="on",
    )
    Server(config).run([listener])
