"""The users of a test: what the provider says about each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_oidc.testing import Persona

# What says something of the login and not of the user; `acr`, `auth_time` and `amr` may be chosen for one sign-in.
OF_THE_LOGIN = ("acr", "auth_time", "amr")
OF_THE_TOKEN = frozenset({"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "jti", "sid"})


@dataclass(frozen=True)
class StatedPersona(Persona):
    """A user with exactly these claims, whatever scopes were granted."""

    def claims_for(self, scopes: Sequence[str]) -> dict[str, Any]:
        """Return the claims, which do not depend on the scopes."""
        return dict(self.claims)


@dataclass(frozen=True)
class SignInTerms:
    """What one sign-in says beside who the user is.

    Attributes:
        claims: of the login, such as `acr` and `auth_time`, for its ID Tokens.
        scopes: that are granted; None for those that the app requests.
    """

    claims: Mapping[str, Any] = field(default_factory=dict)
    scopes: Sequence[str] | None = None


def make_persona(
    sub: str,
    *,
    known: Persona | None,
    scopes: Sequence[str],
    name: str | None,
    email: str | None,
    claims: Mapping[str, Any],
) -> StatedPersona:
    """Return the user with these claims; what is not given is made up, as far as the app requests it.

    Args:
        known: what the test has said about this user before, in `oidc.provider.personas`.
        scopes: that the app requests: without `email` among them, no address is made up.
        claims: the value `...` removes a claim.

    Raises:
        ValueError: a claim that the provider states itself.
    """
    if stated := OF_THE_TOKEN & claims.keys():
        raise ValueError(f"claims: remove {', '.join(sorted(stated))}: the provider states it for each login")
    known_name = sub.partition("@")[0].replace("-", " ").replace("_", " ").title() if known is None else known.name
    known_email = (sub if "@" in sub else f"{sub}@example.com") if known is None else known.email
    found: dict[str, Any] = {}
    if name is not None or "profile" in scopes:
        full = known_name if name is None else name
        given, _, family = full.partition(" ")
        found |= {"name": full, "given_name": given, "preferred_username": sub}
        found |= {"family_name": family} if family else {}
    if email is not None or ("email" in scopes and known_email):
        found |= {"email": known_email if email is None else email, "email_verified": True}
    found |= {} if known is None else dict(known.claims)
    found |= {claim: value for claim, value in claims.items() if claim not in OF_THE_LOGIN}
    stated_claims = {claim: value for claim, value in found.items() if value is not ...}
    return StatedPersona(sub, str(found.get("name", known_name)), str(found.get("email", known_email)), stated_claims)
