"""What keeps others out of the server: the token, the names of host and origin, limits, and headers.

The server listens on 127.0.0.1 only, but every web page that the person visits, and every user of the machine, can send
requests there. Therefore a request needs the token, in a cookie that only pages of this server receive; its host must
be this server, so that no foreign name can be pointed at it (DNS rebinding); and a request that changes anything must
come from a page of this server.
"""

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 4 * 2**20
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_SAFE_METHODS = ("GET", "HEAD")


def make_token() -> str:
    """Return a new random token."""
    return secrets.token_hex(16)


class Guard:
    """ASGI middleware that refuses what is not from the person in front of the screen.

    Args:
        app: the application behind it.
        token: that a request must have.
        port: that the server listens on.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"htr_{port}"  # cookies are shared by all ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        response = self._check(scope)
        if response is not None:
            await response(scope, receive, _with_headers(send))
            return
        body = await _read_body(receive) if scope["method"] not in _SAFE_METHODS else b""
        if body is None:
            await _refuse(413, "The request is too large.")(scope, receive, _with_headers(send))
            return
        await self.app(scope, _replay(body, receive), _with_headers(send))

    def _check(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not passed on."""
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self.hosts:
            return _refuse(421, "This server answers to 127.0.0.1 only.")
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return _refuse(403, "Requests from other sites are refused.")
        if scope["method"] not in _SAFE_METHODS and origin is None:
            return _refuse(403, "A request that changes something must come from the page.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return _refuse(413, "The request is too large.")
        return self._check_token(scope, headers)

    def _check_token(self, scope: Scope, headers: Headers) -> Response | None:
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = dict(query).get("token")
        if given is not None and self._is_token(given) and scope["method"] in _SAFE_METHODS:
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            path = "/" + scope["path"].lstrip("/")  # never the start of another host's address
            response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            response.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
            return response
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        if self.cookie in cookies and self._is_token(cookies[self.cookie].value):
            return None
        return _refuse(403, "Open the address that the command printed; it ends in ?token=...")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def _refuse(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence + "\n", status)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too large, whatever length was stated."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives the application a body that was read already."""
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in names]
            if b"cache-control" not in names:
                more.append((b"cache-control", b"no-store"))
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return with_headers
