"""Calls the function of the setting `pages`, and shows our own page whenever that does not work."""

import asyncio
import inspect

import anyio

from asgi_oidc import events
from asgi_oidc.errors.cancelled import is_cancelled
from asgi_oidc.pages.page import Page, RenderPages

RENDER_DEADLINE = 10.0  # seconds of an async function; a sync one cannot be interrupted
MAX_PAGE_SIZE = 1_048_576  # bytes of HTML; more is a mistake


class PageRenderer:
    """Renders pages with the app's own function; logs the first failure of each kind of page."""

    __slots__ = ("_deadline", "_logged", "_render")

    def __init__(self, render: RenderPages, *, deadline: float = RENDER_DEADLINE) -> None:
        self._render = render
        self._deadline = deadline
        self._logged: set[str] = set()  # kinds of pages, of which there are some fifty

    async def render(self, page: Page, own: bytes) -> bytes:
        """Return the HTML of a page, which is our own if the app has none.

        Args:
            own: the HTML of our own page.
        """
        try:
            with anyio.fail_after(self._deadline):
                rendered = self._render(page)
                if inspect.isawaitable(rendered):
                    rendered = await rendered
            if rendered is None:
                return own
            return _encoded(rendered)
        except Exception as error:  # noqa: BLE001  # the app's own code may raise anything, and users still need a page
            self._log(page, error)
            return own
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            self._log(page, error)  # the function awaited a task that was cancelled
            return own

    def _log(self, page: Page, error: BaseException) -> None:
        if page.kind not in self._logged:
            self._logged.add(page.kind)
            detail = str(error) if isinstance(error, _UnusableResult) else None
            events.log(events.PAGE_FAILED, page=page.kind, detail=detail, error=None if detail else error)


class _UnusableResult(Exception):
    """The function has returned something that is not a page; the text is ours."""


def _encoded(rendered: object) -> bytes:
    if not isinstance(rendered, str):
        raise _UnusableResult(f"pages must return HTML as text, or None; got {type(rendered).__name__}")
    if not rendered or len(rendered) > MAX_PAGE_SIZE:
        raise _UnusableResult(f"pages must return 1 to {MAX_PAGE_SIZE} characters; got {len(rendered)}")
    return rendered.encode()
