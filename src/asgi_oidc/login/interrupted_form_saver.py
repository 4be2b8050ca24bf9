"""Saves a form that was submitted without a session: sealed, in the page that leads to the login."""

import secrets
from collections.abc import Callable

from asgi_oidc.errors import RequestRejected, StoreUnavailable
from asgi_oidc.login.cookie_budget import CookieBudget
from asgi_oidc.login.interrupted_forms import (
    MAX_FORM_SIZE,
    MAX_SEALED_FORM_LENGTH,
    InterruptedForm,
    InterruptedForms,
)
from asgi_oidc.request_body import read_form_body
from asgi_oidc.sessions.authentication import Authenticator
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request, read_form
from asgi_oidc.web.return_to import ReturnPaths

FORM_ID_BYTES = 12  # random bytes in the id of a form
MAX_PAGE_LENGTH = 1024  # characters of the path of a form's page; it is sealed twice, and must fit into a cookie


class InterruptedFormSaver:
    """Saves interrupted forms if `keep_forms` is set; of other forms, it remembers only the page."""

    __slots__ = ("_authenticator", "_budget", "_forms", "_is_on", "_now", "_origin", "_return_paths")

    def __init__(
        self,
        forms: InterruptedForms,
        budget: CookieBudget,
        authenticator: Authenticator,
        return_paths: ReturnPaths,
        *,
        is_on: bool,
        now: Callable[[], int],
    ) -> None:
        self._forms = forms
        self._budget = budget
        self._authenticator = authenticator
        self._return_paths = return_paths
        self._origin = return_paths.origin
        self._is_on = is_on
        self._now = now

    async def save(self, request: Request, receive: Receive | None, *, target: str | None) -> str | None:
        """Return a form, sealed; None if it is not from our site, is too large, or could not be sent again unchanged.

        Args:
            receive: of the request, for the body; None if the body may have been read already.
            target: path that the form was sent to; None if it must not be sent there again.
        """
        is_own = request.wants_page and request.is_form and request.is_same_origin(self._origin)
        if not (self._is_on and is_own) or receive is None or target is None:
            return None
        try:
            pairs = read_form(await read_form_body(request, receive, max_bytes=MAX_FORM_SIZE))
            before = await self._authenticator.find_even_if_over(request)
        except (RequestRejected, StoreUnavailable):
            return None
        if any("\0" in text for pair in pairs for text in pair):  # HTML parsers replace this character
            return None
        form = InterruptedForm(
            target=target,
            page=self._return_paths.check_page(request.page_url),
            pairs=pairs,
            user=None if before is None else self._forms.user_digests.of(before.session.login.user_id),
            created_at=self._now(),
            id=secrets.token_urlsafe(FORM_ID_BYTES),
        )
        sealed = self._forms.seal(form)
        fits = len(sealed) <= MAX_SEALED_FORM_LENGTH and self._budget.has_room_for(sealed, request.cookies)
        return sealed if fits else None

    def remember_page(self, page: str | None) -> str:
        """Return the page of a form that is not kept, sealed, so that the user can return to it after the login."""
        page = page if page is not None and len(page) <= MAX_PAGE_LENGTH else None
        return self._forms.seal(InterruptedForm(target="", page=page, pairs=[], user=None, created_at=self._now()))
