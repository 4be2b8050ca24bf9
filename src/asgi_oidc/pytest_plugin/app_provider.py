"""The fake provider that the app of a test gets instead of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from asgi_oidc.pytest_plugin.users import SignInTerms
from asgi_oidc.testing import FakeProvider
from asgi_oidc.testing.endpoints import ENDPOINTS, Endpoint
from asgi_oidc.testing.grants import Grant, SignIn
from asgi_oidc.testing.wire import Call

ALGORITHM = "ES256"  # its keys are made within a millisecond; those of RSA take a hundred


class TermsOfSignIns(FakeProvider):
    """A fake provider whose next sign-in has the terms that a test sets."""

    terms: SignInTerms | None = None
    """Those of the sign-in that is under way; None for a login that the test walks through itself."""
    last_sid: str | None = None
    """Of the last sign-in."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._claims_by_sid: dict[str, Mapping[str, Any]] = {}

    def requested_scopes(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Return the scopes to grant: those of the terms, or else those that are requested."""
        requested = super().requested_scopes(params)
        if self.terms is None or self.terms.scopes is None:
            return requested
        return tuple(dict.fromkeys([*self.required_scopes, *self.terms.scopes]))

    def remember(self, sign_in: SignIn) -> str:
        """Remember a session, with the terms of its sign-in."""
        self.last_sid = sign_in.sid
        if self.terms is not None:
            self._claims_by_sid[sign_in.sid] = self.terms.claims
        return super().remember(sign_in)

    def id_token_of(
        self,
        grant: Grant,
        access_token: str | None,
        *,
        further: Mapping[str, Any] | None = None,
        is_refreshed: bool = False,
    ) -> str:
        """Return the ID Token of a grant, with the claims that the terms of its sign-in have."""
        claims = {**self._claims_by_sid.get(grant.sign_in.sid, {}), **(further or {})}
        return super().id_token_of(grant, access_token, further=claims, is_refreshed=is_refreshed)


class AppProvider(TermsOfSignIns):
    """An OpenID provider that answers at any address: the app may have metadata elsewhere than below the issuer."""

    key_issuer: str | None = None
    """The member `issuer` of each key, which Microsoft Entra has; None for a provider without one."""

    def _endpoint_of(self, call: Call) -> Endpoint | None:
        found = (
            endpoint
            for (method, path), endpoint in ENDPOINTS.items()
            if call.method == method and call.path.endswith(path)
        )
        return next(found, None)

    def keys_at(self, call: Call) -> Sequence[Mapping[str, Any]]:
        """Return the keys of the JWKS."""
        keys = super().keys_at(call)
        return keys if self.key_issuer is None else [{**key, "issuer": self.key_issuer} for key in keys]
