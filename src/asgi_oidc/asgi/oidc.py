"""What the app may do with the live session of a request: the other end of `scope["oidc"]`."""

from asgi_oidc.composition import Parts
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.principal import OIDC
from asgi_oidc.protocol.exchange import Wanted
from asgi_oidc.protocol.step_up import AuthenticationRequest, is_met
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.sessions.session import expires_at
from asgi_oidc.tokens.httpx_auth import HiddenToken
from asgi_oidc.tokens.refresh import live_tokens
from asgi_oidc.tokens.resource_tokens import exchanged_token, resource_token

MAX_ARGUMENT_LENGTH = 2048  # characters


class SessionAccess:
    """`Access` for one request."""

    __slots__ = ("_live", "_parts")

    def __init__(self, live: ActiveSession, parts: Parts) -> None:
        self._live = live
        self._parts = parts

    def __repr__(self) -> str:
        return "LiveAccess(...)"

    @property
    def id_token(self) -> str:
        """Of the newest tokens that the request knows."""
        return self._live.session.tokens.id_token

    @property
    def expires_at(self) -> int:
        """Seconds since the epoch."""
        return expires_at(self._live.session, self._parts.limits)

    @property
    def session_id(self) -> str:
        """The hash of the id, as in the store."""
        return self._parts.records.handle(self._live.session.id)

    def meets(self, ask: AuthenticationRequest) -> bool:
        """Hold the login against what is asked for."""
        first, leeway = self._live.session.login.first, self._parts.settings.leeway
        acr, auth_time = first.get("acr"), first.get("auth_time")
        return is_met(ask, acr=acr, auth_time=auth_time, now=self._parts.now(), leeway=leeway)

    async def access_token(self, *, resource: str | None = None, refused: HiddenToken | None = None) -> str:
        """Return the token of the session, or that for a resource."""
        if resource is None:
            return await self._session_token(refused)
        _check_resource(resource)
        return await self._resource_token(resource, refused)

    async def exchange_token(
        self,
        *,
        audience: str | None = None,
        resource: str | None = None,
        scope: str | None = None,
        refused: HiddenToken | None = None,
    ) -> str:
        """Return a token that was got in exchange."""
        for name, value in (("audience", audience), ("scope", scope)):
            if value is not None and not _is_text(value):
                raise ValueError(f"{name} must be text, on one line")
        if resource is not None:
            _check_resource(resource)
        return await self._exchanged_token(Wanted(resource, audience, scope), refused)

    @sanitizes_errors
    async def _session_token(self, refused: HiddenToken | None) -> str:
        return (await live_tokens(self._live, self._parts, refused=_shown(refused))).access_token

    @sanitizes_errors
    async def _resource_token(self, resource: str, refused: HiddenToken | None) -> str:
        return await resource_token(self._live, self._parts, resource, refused=_shown(refused))

    @sanitizes_errors
    async def _exchanged_token(self, wanted: Wanted, refused: HiddenToken | None) -> str:
        return await exchanged_token(self._live, self._parts, wanted, refused=_shown(refused))


class SignedInOIDC(OIDC):
    """`OIDC` of somebody who is signed in; every request makes one, and few look into it."""

    __slots__ = ("_live", "_parts")

    def __init__(self, live: ActiveSession, parts: Parts) -> None:
        self._urls = parts.urls
        self._live = live
        self._parts = parts

    @property
    def _access(self) -> SessionAccess:
        return SessionAccess(self._live, self._parts)


def _shown(token: HiddenToken | None) -> str | None:
    return None if token is None else token.value


def _check_resource(resource: str) -> None:
    """Refuse what no provider takes, before a refresh token is used for it (RFC 8707 §2)."""
    if not _is_text(resource) or not resource.partition(":")[1] or "#" in resource or " " in resource:
        raise ValueError("resource must be an absolute URI without a fragment, such as https://orders.example.com")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value.strip() != "" and len(value) <= MAX_ARGUMENT_LENGTH
