"""Walks through a login with a test client: the app, the fake provider, the callback, and back to the page."""

from collections.abc import Generator, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from asgi_oidc.pytest_plugin.clients import WrongClient, at_once, is_of, settled
from asgi_oidc.pytest_plugin.other_thread import run_in_thread
from asgi_oidc.safe_urls import check_url, origin_of
from asgi_oidc.testing import Browser, FakeProvider

MAX_STEPS = 12  # a login takes four; an app that redirects for ever should fail its test
REDIRECTS = (301, 302, 303, 307, 308)
NAVIGATION = {
    "accept": "text/html,application/xhtml+xml",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-user": "?1",
}
FORM = "application/x-www-form-urlencoded"


class Step(NamedTuple):
    """A request of the client to the app.

    Attributes:
        path: with its query.
        form: what a form posts; None for a GET.
        site: `sec-fetch-site`.
    """

    path: str
    form: Mapping[str, str] | None = None
    site: str = "none"


class Reply(NamedTuple):
    """The app's response to a step."""

    status: int
    location: str
    response: Any


class AtProvider(NamedTuple):
    """A page of the provider that the client is sent to."""

    url: str


Walk = Generator[Step | AtProvider, Any, Any]
"""Yields a step, and is sent its reply; or a page of the provider, and is sent the next step. Returns the response."""


class EndlessRedirects(Exception):
    """The app redirects again and again; the message has the last URL."""


def follow(client: Any, path: str, *, base_url: str, provider: FakeProvider) -> Any:
    """Open a page with a client, and follow redirects until the app shows a page; return that response.

    Raises:
        WrongClient: the client has an async API, or follows redirects by itself.
        EndlessRedirects: no page comes.
    """
    steps = _walk(path, base_url=base_url, provider=provider)
    wanted = next(steps)
    while True:
        sent = (
            run_in_thread(partial(_visit, provider, wanted.url))
            if isinstance(wanted, AtProvider)
            else _reply_of(at_once(_send(client, wanted), instead="await oidc.afollow_login(...)"))
        )
        try:
            wanted = steps.send(sent)
        except StopIteration as end:
            return end.value


async def afollow(client: Any, path: str, *, base_url: str, provider: FakeProvider) -> Any:
    """Do the same with a client that has an async API."""
    steps = _walk(path, base_url=base_url, provider=provider)
    wanted = next(steps)
    while True:
        sent = (
            await _visit(provider, wanted.url)
            if isinstance(wanted, AtProvider)
            else _reply_of(await settled(_send(client, wanted)))
        )
        try:
            wanted = steps.send(sent)
        except StopIteration as end:
            return end.value


def _walk(path: str, *, base_url: str, provider: FakeProvider) -> Walk:
    """Open a page, and follow redirects through the provider until the app shows a page."""
    origin = origin_of(check_url(base_url))
    step = Step(path)
    for _ in range(MAX_STEPS):
        reply = yield step
        if reply.status not in REDIRECTS or not reply.location:
            return reply.response
        url = urljoin(f"{origin}{step.path}", reply.location)
        target = origin_of(check_url(url))
        if target in provider.origins:
            step = yield AtProvider(url)
        elif target == origin:
            step = Step(_path_of(url), site=step.site)
        else:
            return reply.response
    raise EndlessRedirects(f"no page after {MAX_STEPS} redirects; the last one led to {step.path.partition('?')[0]}")


async def _visit(provider: FakeProvider, url: str) -> Step:
    """Open a page of the provider, which signs the user in at once; return the request that the client is sent to."""
    page = await Browser(provider, origin_of(check_url(url))).get(url, follow=False)
    if page.location:
        return Step(_path_of(page.location), site="cross-site")
    (form,) = page.page.forms  # `response_mode` is form_post
    return Step(_path_of(form.action), dict(form.data(None, {})), site="cross-site")


def _send(client: Any, step: Step) -> Any:
    """Send a request of a browser with a client; return its response, or something to await."""
    headers, method = {**NAVIGATION, "sec-fetch-site": step.site}, "GET" if step.form is None else "POST"
    if step.form is not None:
        headers["origin"] = "https://provider.invalid"  # browsers send one with each form; what it says does not matter
    if is_of(client, "playwright"):
        raise WrongClient("a browser follows redirects by itself: use oidc.serve(app), and page.goto(...)")
    if is_of(client, "django.test"):
        body = "" if step.form is None else urlencode(step.form)
        return client.generic(method, step.path, body, FORM, headers=headers)
    if is_of(client, "quart"):
        return client.open(step.path, method=method, headers=headers, form=step.form)
    return client.request(method, step.path, headers=headers, data=step.form, follow_redirects=False)


def _reply_of(response: Any) -> Reply:
    """Read the response of any client."""
    headers = getattr(response, "headers", {})
    return Reply(int(response.status_code), str(headers.get("location") or ""), response)


def _path_of(url: str) -> str:
    split = urlsplit(url)
    return f"{split.path or '/'}?{split.query}" if split.query else split.path or "/"
