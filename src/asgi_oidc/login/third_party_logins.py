"""Logins that another site starts: an app portal, or the provider's own list of apps (OIDC Core §4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.login_links import LoginLink, Parameters
from asgi_oidc.login.login_parameters import LoginParameters
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.web.return_to import ReturnPaths

ISSUER = "iss"  # the parameter by which such a login is recognized
PASSED_ON = ("login_hint",)  # even if the setting `login_params` does not list it


@dataclass(frozen=True, slots=True, repr=False)
class ThirdPartyLogins:
    """Reads requests of other sites to start a login.

    Attributes:
        is_named: whether providers have names; False for the one provider of the flat keywords.
        url: absolute URL of our login endpoint.
    """

    choice: ProviderChoice
    login_parameters: LoginParameters
    return_paths: ReturnPaths
    is_named: bool
    url: str

    async def read(self, parameters: Parameters) -> LoginLink:
        """Return the login that another site asks for.

        Only `iss`, `login_hint`, `target_link_uri`, our own `provider` and the parameters in `login_params` count. A
        target on another site is ignored: the login then ends at the start page.

        Raises:
            RequestRejected: `issuer_missing`, `issuer_unknown`, or a parameter is repeated or malformed.
            ProviderUnavailable: the app's own look-up failed.
        """
        issuer, target = _once(parameters, ISSUER), _once(parameters, "target_link_uri")
        if issuer is None:
            raise RequestRejected("issuer_missing", "another site starts a login with iss (OIDC Core §4)")
        name = _once(parameters, "provider") if self.is_named else None
        names = await self._issued_by(issuer, name)
        if not names:
            # The issuer itself is not logged: it can be any text.
            raise RequestRejected("issuer_unknown", "iss: expected exactly the issuer of one of the providers")
        asked = self.login_parameters.read(parameters, also=PASSED_ON)
        return LoginLink(
            authentication=msgspec.structs.replace(asked, providers=tuple(names) if self.is_named else ()),
            return_to=None if target is None else self.return_paths.check(target),
            provider=names[0] if self.is_named and len(names) == 1 else None,
            is_from_third_party=True,
        )

    def get_url(self, parameters: Parameters, link: LoginLink) -> str:
        """Return the URL for a GET that asks for the same.

        A POST from another site comes without our cookies (SameSite=Lax), a GET of the user's browser has them: without
        them we would not know of the session, of login loops, and of the logins in progress, which are limited.
        """
        names = {ISSUER, "provider", *PASSED_ON, *self.login_parameters.names}
        pairs = [(name, value) for name, value in parameters if name in names]
        pairs += [] if link.return_to is None else [("target_link_uri", link.return_to)]
        return f"{self.url}?{urlencode(pairs)}"

    async def _issued_by(self, issuer: str, name: str | None) -> Sequence[str]:
        """Return the names of the providers with this issuer.

        Args:
            name: as in the URL that is registered as `initiate_login_uri`; needed where providers cannot be listed.
        """
        if name is None:
            listed = self.choice.directory.listed
            return [other for other, settings in listed.items() if settings.has_issuer(issuer)]
        try:
            provider = await self.choice.named(name)
        except RequestRejected:
            return ()
        return (name,) if provider.settings.has_issuer(issuer) else ()


def _once(parameters: Parameters, name: str) -> str | None:
    values = [value for other, value in parameters if other == name]
    if len(values) > 1:
        raise RequestRejected("parameter_repeated", f"expected {name} once")
    return values[0] if values else None
