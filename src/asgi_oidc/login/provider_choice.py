"""Chooses the provider of a login: by the link, the rule, the session, or the app's `choose_provider`."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from asgi_oidc.errors import OIDCError, RequestRejected, describe_value
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, AuthenticationRequest
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.sessions.session import Login
from asgi_oidc.web.asgi_types import Scope
from asgi_oidc.web.request import Request

HOOK_DEADLINE = 10.0  # seconds that `choose_provider` may take

ChooseProvider = Callable[[Scope], Awaitable[str | None] | str | None]
"""Returns the name of the provider for a request, or None to let the user choose."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def is_provider_name(text: object) -> bool:
    """Return whether a text may be the name of a provider."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, repr=False)
class ProviderChoice:
    """Chooses the providers of logins.

    Attributes:
        hook: the setting `choose_provider`.
    """

    directory: ProviderDirectory
    hook: ChooseProvider | None = None

    async def choose(
        self,
        request: Request,
        authentication: AuthenticationRequest,
        *,
        wanted: str | None = None,
        login: Login | None = None,
    ) -> ProviderConnection | None:
        """Return the provider of a login; None if the user has to choose.

        Args:
            wanted: the name in the link that the user has followed.
            login: of the user who is signed in now; a step-up goes to the same provider.

        Raises:
            RequestRejected: `provider_unknown`: there is no provider of the wanted name, or the rule does not allow it;
                or `choose_provider` returned a name for which the look-up found no provider.
            OIDCError: `choose_provider` failed, or returned the name of a provider that does not exist.
            ProviderUnavailable: the app's own look-up failed.
        """
        allowed = self.allowed(authentication)
        if wanted is not None:
            if authentication.providers and wanted not in authentication.providers:
                raise RequestRejected("provider_unknown", "a rule does not allow this provider", status=404)
            return await self.named(wanted)
        if len(allowed) == 1:
            return await self.named(allowed[0])
        if login is not None and _is_step_up(authentication) and (not allowed or login.provider in allowed):
            current = await self.named(login.provider)
            if current.settings.can_step_up:
                return current
        name = None if self.hook is None else await self._ask_hook(self.hook, request)
        if name is None or (authentication.providers and name not in authentication.providers):
            return None
        connection = await self._find(name)
        if connection is None and not self.directory.listed and is_provider_name(name):
            # Not a mistake of the app: it cannot know which names, such as those of hosts, have a provider.
            raise RequestRejected("provider_unknown", "choose_provider returned an unknown name", status=404)
        if connection is None:
            raise OIDCError("choose_provider_result", self._expected_instead_of(name))
        return connection

    def allowed(self, authentication: AuthenticationRequest) -> Sequence[str]:
        """Return the names of the providers that a login may use; empty if all are allowed and cannot be listed."""
        listed = self.directory.listed
        names = [name for name in authentication.providers or listed if not listed or name in listed]
        if not (authentication.acr_values or authentication.max_age is not None):
            return names
        return [name for name in names if name not in listed or listed[name].can_step_up] or names

    async def named(self, name: str) -> ProviderConnection:
        """Return the provider of this name.

        Raises:
            RequestRejected: `provider_unknown`, status 404.
            ProviderUnavailable: the app's own look-up failed.
        """
        connection = await self._find(name)
        if connection is None:
            detail = "no provider has this name" if name else "the path does not end with the name of a provider"
            raise RequestRejected("provider_unknown", detail, status=404)
        return connection

    async def _find(self, name: object) -> ProviderConnection | None:
        # A name from a URL reaches the app's own look-up only in the form that names have.
        is_possible = name == "" or is_provider_name(name)
        return await self.directory.find(str(name)) if is_possible else None

    def _expected_instead_of(self, name: object) -> str:
        known = ", ".join(self.directory.listed) or "the name of a provider"
        return f"choose_provider returned {describe_value(name)}; expected {known}, or None to let the user choose"

    async def _ask_hook(self, hook: ChooseProvider, request: Request) -> str | None:
        try:
            with anyio.fail_after(HOOK_DEADLINE):
                result: Any = hook(request.scope_copy())
                return await result if inspect.isawaitable(result) else result  # type: ignore[no-any-return]  # `_find` checks it
        except Exception as exc:  # the app's own code may raise anything; then the login does not start
            detail = f"choose_provider raised an exception, or took more than {HOOK_DEADLINE:g} s"
            raise OIDCError("choose_provider_failed", detail) from exc


def _is_step_up(authentication: AuthenticationRequest) -> bool:
    is_other = authentication.prompt == ANOTHER_ACCOUNT
    return not is_other and (bool(authentication.acr_values) or authentication.max_age is not None)
