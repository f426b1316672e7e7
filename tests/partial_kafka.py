"""A server that speaks Kafka only in part: a proxy that leaves out some of a broker's requests.

Clients ask first which requests a server knows, and in which versions (ApiVersions). The proxy
answers for the broker with some of them taken away, and gives its own address for the broker's.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Numbers of requests, as in Kafka's protocol guide.
METADATA, CREATE_TOPICS, API_VERSIONS, INIT_PRODUCER_ID = 3, 19, 18, 22
DESCRIBE_GROUPS, DESCRIBE_CONFIGS, DELETE_GROUPS = 15, 32, 42

UNSUPPORTED_VERSION = 35


@contextmanager
def partial_kafka(broker: str, without: Mapping[int, int]) -> Iterator[str]:
    """Serve a broker's clients with less than it knows.

    Args:
        broker: its `127.0.0.1:port`.
        without: for each number of a request the newest version that is known; below 0 where
            none is.

    Yields:
        The `127.0.0.1:port` to ask.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = int(broker.rpartition(":")[2]), server.getsockname()[1]
        threading.Thread(target=_accept, args=(server, ports, without), daemon=True).start()
        yield f"127.0.0.1:{ports[1]}"


def _accept(server: socket.socket, ports: tuple[int, int], without: Mapping[int, int]) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        broker = socket.create_connection(("127.0.0.1", ports[0]))
        asked: dict[int, int] = {}
        for work in (_send_requests, _send_answers):
            arguments = (client, broker, asked, ports, without)
            threading.Thread(target=work, args=arguments, daemon=True).start()


def _send_requests(
    client: socket.socket,
    broker: socket.socket,
    asked: dict[int, int],
    ports: tuple[int, int],
    without: Mapping[int, int],
) -> None:
    del ports, without
    for frame in _frames(client):
        request, version, number = struct.unpack(">hhi", frame[:8])
        if request == API_VERSIONS and version > 0:
            # So the client asks again, in the version with the simplest answer.
            _send(client, struct.pack(">ihi", number, UNSUPPORTED_VERSION, 0))
            continue
        asked[number] = request
        _send(broker, frame)
    broker.close()


def _send_answers(
    client: socket.socket,
    broker: socket.socket,
    asked: dict[int, int],
    ports: tuple[int, int],
    without: Mapping[int, int],
) -> None:
    host = b"127.0.0.1"
    theirs, ours = (host + struct.pack(">i", port) for port in ports)
    for frame in _frames(broker):
        (number,) = struct.unpack(">i", frame[:4])
        if asked.pop(number) == API_VERSIONS:
            _send(client, frame[:6] + _less(frame[6:], without))
        else:
            _send(client, frame.replace(theirs, ours))
    client.close()


def _less(known: bytes, without: Mapping[int, int]) -> bytes:
    """A list of requests with their oldest and newest versions, shortened."""
    rows = [
        (request, oldest, min(newest, without.get(request, newest)))
        for request, oldest, newest in struct.iter_unpack(">hhh", known[4:])
    ]
    kept = [struct.pack(">hhh", *row) for row in rows if row[2] >= row[1]]
    return struct.pack(">i", len(kept)) + b"".join(kept)


def _frames(connection: socket.socket) -> Iterator[bytes]:
    """What comes, frame by frame, until the other side or we hang up."""
    with connection.makefile("rb") as file:
        while True:
            try:
                head = file.read(4)
                body = file.read(*struct.unpack(">i", head)) if len(head) == 4 else b""
            except OSError:
                return
            if not body:
                return
            yield body


def _send(connection: socket.socket, frame: bytes) -> None:
    try:
        connection.sendall(struct.pack(">i", len(frame)) + frame)
    except OSError:
        # The other side has hung up, and the next frame is the last.
        return
