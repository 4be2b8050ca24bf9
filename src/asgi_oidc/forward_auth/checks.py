"""Answers the auth requests of a proxy: the middleware decides as if the request that each is about had come here."""

import hashlib
import logging
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from asgi_oidc import events
from asgi_oidc.errors import ForwardedRequestRejected
from asgi_oidc.forward_auth.answers import NO_STORE, Answer, allowed, denied, for_nginx, with_cookies_first
from asgi_oidc.forward_auth.forwarded_request import ForwardedRequest, read_forwarded_request
from asgi_oidc.forward_auth.identity import Identity
from asgi_oidc.forward_auth.identity_headers import IdentityTooLarge
from asgi_oidc.forward_auth.trusted_proxies import TrustedProxies
from asgi_oidc.forward_auth.upstream import KEY, Check
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.stores.replay_cache import ReplayCache
from asgi_oidc.web.asgi_types import Message, Receive, Scope
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import problem

MINUTE = 60  # seconds
MAX_SENT_AGAIN = 10_000  # browsers that were sent to the same page again within the last minute, to get their cookies
MAX_URLS = 1024  # URLs of which it is known whose they are
MAX_URL_LENGTH = 512  # characters of such a URL

OF_THE_APP, OWN, ELSEWHERE = "of the app", "our own", "elsewhere"  # whose URL a request is about

REFUSED_AGAIN = events.FORWARD_AUTH_REFUSED._replace(level=logging.INFO)  # repeats of a reason within the same minute
# nginx passes the request itself on to us if the answer is "no". So no login begins here, whose cookie would be lost.
_OF_A_NAVIGATION = frozenset({b"accept", b"sec-fetch-mode", b"sec-fetch-dest"})


class Checks:
    """Answers the auth requests of proxies."""

    def __init__(
        self,
        middleware: OIDCMiddleware,
        proxies: TrustedProxies,
        identity: Identity,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._middleware = middleware
        self._base_path = urlsplit(middleware.base_url).path.rstrip("/")
        self._proxies = proxies
        self._identity = identity
        self._identity_names = identity.header_names
        self._clock = clock
        self._reasons_logged = ReplayCache(max_names=256)
        self._sent_again = ReplayCache(max_names=MAX_SENT_AGAIN)
        self._urls: dict[str, str] = {}

    async def answer(self, scope: Scope, receive: Receive, *, is_nginx: bool) -> Answer:
        """Return the answer to one auth request.

        Args:
            scope: of the proxy's request.
        """
        try:
            forwarded = self._read(scope)
            answer = await self._decide(forwarded, scope, receive, is_nginx=is_nginx)
        except ForwardedRequestRejected as error:
            self._log_refusal(error)
            response = problem(error.status, error.code, "The proxy asked in a way that is not accepted.")
            answer = Answer(response.status, response.headers, response.body)
        return for_nginx(answer) if is_nginx else answer

    def _read(self, scope: Scope) -> ForwardedRequest:
        if not self._proxies.trust(scope):
            peer = scope.get("client")
            detail = f"{peer[0] if peer else 'unix'} is not a trusted proxy"
            raise ForwardedRequestRejected("proxy_not_trusted", detail)
        if scope["method"] != "GET":  # a request of a browser, which a proxy has passed on to our path
            raise ForwardedRequestRejected("auth_request_method", "expected the proxy to ask with GET")
        forwarded = read_forwarded_request(scope["headers"], identity_names=self._identity_names)
        whose = self._whose_url(forwarded)
        if whose == ELSEWHERE:
            detail = f"{forwarded.origin} and the path are not below a base_url"
            raise ForwardedRequestRejected("forwarded_url_unknown", detail)
        if whose == OWN:
            detail = "the proxy has to pass the URLs of asgi-oidc on to it, without asking first"
            raise ForwardedRequestRejected("forwarded_own_url", detail)
        return forwarded

    def _whose_url(self, forwarded: ForwardedRequest) -> str:
        """Return whose URL it is. What is found out is remembered."""
        url = forwarded.url
        known = self._urls.get(url)
        if known is not None:
            return known
        is_ours = self._middleware.explain(forwarded.raw_path.decode("ascii")).is_own_url
        whose = (OWN if is_ours else OF_THE_APP) if self._middleware.covers(url) else ELSEWHERE
        if len(url) <= MAX_URL_LENGTH:
            if len(self._urls) >= MAX_URLS:
                self._urls.clear()
            self._urls[url] = whose
        return whose

    async def _decide(self, forwarded: ForwardedRequest, outer: Scope, receive: Receive, *, is_nginx: bool) -> Answer:
        check, scope = Check(), forwarded.scope(outer, base_path=self._base_path)
        if is_nginx and b"state=" not in forwarded.query:  # with it, a browser may come back from a sign-out
            kept = [(name, value) for name, value in scope["headers"] if name.lower() not in _OF_A_NAVIGATION]
            scope["headers"] = [*kept, (b"accept", b"application/json")]
        scope[KEY] = check
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        receive = _receive_handshake() if forwarded.is_websocket else _receive_body(receive)
        await self._middleware(scope, receive, send)
        answer = _answer_from(sent)
        if check.user is None or answer.status != 200:
            return denied(answer)
        try:
            identity = self._identity.headers(check.user, audience=forwarded.origin)
        except IdentityTooLarge as error:
            raise ForwardedRequestRejected("identity_too_large", str(error), status=500) from None
        if not is_nginx and answer.cookies and self._may_send_again(forwarded, Request(scope)):
            return with_cookies_first(answer, forwarded.target_url)
        return allowed(answer, identity)

    def _may_send_again(self, forwarded: ForwardedRequest, request: Request) -> bool:
        """Whether to send a browser to the same page again: at most once a minute, if it should lose its cookies."""
        if forwarded.is_websocket or forwarded.method != "GET" or not request.is_navigation:
            return False
        browser = hashlib.sha256(request.cookie_header).hexdigest()
        return self._sent_again.add(browser, now=self._clock(), lifetime=MINUTE)

    def _log_refusal(self, error: ForwardedRequestRejected) -> None:
        now = self._clock()
        # Operators must see the reason. But many requests may have the same one, so it is a warning only once a minute.
        is_new = self._reasons_logged.add(f"{error.code} {now // MINUTE}", now=now, lifetime=MINUTE)
        event = events.FORWARD_AUTH_REFUSED if is_new else REFUSED_AGAIN
        events.log(event, status=error.status, code=error.code, detail=error.detail)


def _answer_from(sent: list[Message]) -> Answer:
    """Return what the middleware has sent; an accepted websocket is a 200, and whatever is no response a "no"."""
    start: Message = sent[0] if sent else {"type": ""}
    headers = [(bytes(name), bytes(value)) for name, value in start.get("headers", ())]
    if start["type"] == "websocket.accept":
        return Answer(200, headers)
    if start["type"] not in ("http.response.start", "websocket.http.response.start"):
        return Answer(403, [NO_STORE])
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def _receive_body(receive: Receive) -> Receive:
    """Return a `receive` for the body of a request: most proxies leave it out, so an empty one is no body at all."""
    is_first = True

    async def receive_body() -> Message:
        nonlocal is_first
        message = await receive()
        is_missing = is_first and not message.get("body") and not message.get("more_body")
        is_first = False
        return {"type": "http.disconnect"} if is_missing else message

    return receive_body


def _receive_handshake() -> Receive:
    """Return a `receive` for a websocket that is closed at once: only the decision counts."""
    messages = iter([{"type": "websocket.connect"}])

    async def receive_handshake() -> Message:
        return next(messages, {"type": "websocket.disconnect", "code": 1000})

    return receive_handshake
