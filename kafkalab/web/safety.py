"""Which requests the server accepts: Host, Origin and token; and headers for the browser."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kafkalab.web.problems import Problem

LARGEST_BODY = 4_000_000
"""bytes"""

COOKIE = "kafkalab-session"
MOST_SESSIONS = 1000

# A name or an address (IPv6 in brackets), and perhaps a port.
HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::\d{1,5})?")

LOOPBACK = ("localhost", "127.0.0.1", "::1")

# Paths without data, open without a token: the page that asks for the token needs them.
OPEN_PATHS = ("/", "/docs", "/favicon.ico", "/api/session")
OPEN_FOLDER = "/static/"

TOO_LONG = f"The body is too long: {LARGEST_BODY} bytes is the most; send less at a time."

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; img-src 'self' data:"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Door:
    """Decides which requests may come in.

    A server on the loopback accepts only requests of this machine's programs and of its own pages.
    A page of another site has another Origin; another site's name that leads here (DNS rebinding)
    is another Host. A server that other machines can reach demands a token in addition.
    """

    def __init__(self, host: str, token: str = "") -> None:
        """Make a door.

        Args:
            host: the address that the server listens at.
            token: the token that requests need; empty: they need none.
        """
        self.host = host
        self.token = token
        self._sessions: dict[str, None] = {}

    def knows(self, host: str) -> bool:
        """Whether a Host is this server's: an address, or a name that it was started with.

        Another site's name can lead here; an address cannot belong to another site.
        """
        name = _name_of(host)
        if name in LOOPBACK:
            return True
        if is_loopback(self.host):
            return False
        return name in (self.host.lower(), socket.gethostname().lower()) or _is_address(name)

    def open_session(self, token: str) -> str:
        """Open a session for the right token; return its secret, for a cookie.

        Raises:
            Problem: the token is wrong.
        """
        if not self._is_token(token):
            raise not_let_in()
        secret = secrets.token_urlsafe(32)
        self._sessions[secret] = None
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return secret

    def lets_in(self, headers: Headers) -> bool:
        """Whether a request has the token or a session's cookie, or needs none.

        It never looks for the token in the address, which ends up in logs and histories.
        """
        if not self.token:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(given.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and cookie.value in self._sessions

    def _is_token(self, given: str) -> bool:
        return bool(self.token) and hmac.compare_digest(
            given.encode("utf-8", "replace"), self.token.encode("utf-8", "replace")
        )


class Guard:
    """Checks each request at the door, before the app sees it."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Guard an app.

        Args:
            app: the app behind it.
            door: decides which requests may come in.
        """
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, _limited(receive), send_with_headers)
        else:
            await problem.response()(scope, receive, send_with_headers)

    def _problem(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if not self._door.knows(headers.get("host", "")):
            return Problem(
                421,
                "The Host of the request is not this server's: "
                "open it by the address that it was started with.",
            )
        if not _is_of_here(headers, scope):
            return Problem(403, "A page of another site may not use this server.")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > LARGEST_BODY:
            return Problem(413, TOO_LONG)
        if not _is_open(scope["path"]) and not self._door.lets_in(headers):
            return not_let_in()
        return None


def not_let_in() -> Problem:
    """The problem that a request has no token, or a wrong one."""
    return Problem(
        401,
        "This server demands its token: send it as `Authorization: Bearer TOKEN`, "
        "or POST it to /api/session.",
        headers={"WWW-Authenticate": 'Bearer realm="kafkalab"'},
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at this address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _is_of_here(headers: Headers, scope: Scope) -> bool:
    """Whether a request comes from a page of this server, or from no page."""
    origin = headers.get("origin")
    if origin is not None:
        here = headers.get("host", "").lower()
        return origin.lower() in (f"http://{here}", f"https://{here}")
    # Another site may link to the page, but may not embed or fetch anything.
    site = headers.get("sec-fetch-site", "none")
    is_visit = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
    return site in ("none", "same-origin") or (is_visit and _is_open(scope["path"]))


def _name_of(host: str) -> str:
    """The name in a Host, without its port; empty if it is not valid."""
    found = HOST.fullmatch(host.lower())
    return (found["address"] or found["name"]) if found else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _limited(receive: Receive) -> Receive:
    """Receive a body up to LARGEST_BODY, also one that does not name its length.

    FastAPI's own limit would answer without a problem, and without the headers.
    """
    came = 0

    async def limited() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > LARGEST_BODY:
            raise HTTPException(413, TOO_LONG)
        return message

    return limited
