"""GET /auth/login: starts a login (OIDC Core §3.1.2.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from asgi_oidc.endpoints.endpoint import only_value
from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.authentication_requests import AuthenticationRequests
from asgi_oidc.login.interrupted_forms import InterruptedForms
from asgi_oidc.login.start_login import LoginStarter
from asgi_oidc.protocol.step_up import ANY_LOGIN
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response
from asgi_oidc.web.return_to import ReturnPaths


@dataclass(frozen=True, slots=True, repr=False)
class LoginEndpoint:
    """Starts the logins that our pages and the app link to.

    Attributes:
        form_path: path of our page for interrupted forms.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET",)

    logins: LoginStarter
    authentication_requests: AuthenticationRequests
    forms: InterruptedForms
    return_paths: ReturnPaths
    form_path: str
    now: Callable[[], int]

    async def handle(self, request: Request, receive: Receive) -> Response:
        """Start a login that comes back to `return_to`, or to the start page.

        Raises:
            OIDCError: the request is not a page navigation, or the provider's metadata is unavailable.
        """
        if request.denies_navigation:
            raise RequestRejected("not_a_navigation", "a login can be started by a page navigation only")
        parameters = request.parameters()
        sealed = only_value(parameters, "ask")
        authentication = ANY_LOGIN if sealed is None else self.authentication_requests.read(sealed, now=self.now())
        # A login that the user asked for does not count towards a login loop: users may click our links as often as
        # they like. A script may start a login whenever it gets a step-up response, so a step-up has to be a click
        # (Sec-Fetch-User). An app that is never satisfied may redirect every login to the next one; that chain leads
        # through the provider, so the browser does not call it same-origin.
        is_step_up = bool(authentication.acr_values) or authentication.max_age is not None
        is_clicked = request.header(b"sec-fetch-user") == "?1" or not is_step_up
        is_wanted = is_clicked and request.is_same_origin(self.return_paths.origin)
        return await self.logins.start(
            request, return_to=self._return_to(parameters), authentication=authentication, is_wanted=is_wanted
        )

    def _return_to(self, parameters: Sequence[tuple[str, str]]) -> str | None:
        value = only_value(parameters, "return_to")
        if value is None:
            return None
        # The only one of our own pages that a login may return to: it shows what happened to an interrupted form.
        path, _, sealed = value.partition("?form=")
        if path == self.form_path:
            return value if self.forms.open(sealed, now=self.now()) else self.form_path
        return self.return_paths.check(value)
