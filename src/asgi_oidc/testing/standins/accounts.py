"""The users of stand-ins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..accounts import Persona


@dataclass(frozen=True)
class EmailAddress:
    """One of the e-mail addresses of an account."""

    address: str
    is_verified: bool = True


@dataclass(frozen=True)
class Account(Persona):
    """A user of a stand-in: a persona whose `sub` is the id that the provider never changes.

    `claims` are further members of what the provider tells about the user, or other values for those that it has.
    """

    login: str = ""
    """The user name, which can change; by default the `sub`."""
    email_verified: bool = True
    """Whether the provider has verified `email`, the primary address; an empty `email` means that there is none."""
    other_emails: Sequence[EmailAddress] = ()
    """Addresses besides the primary one; only GitHub tells them."""

    @property
    def user_name(self) -> str:
        """The login, or the `sub` if there is none."""
        return self.login or self.sub

    @property
    def hint(self) -> str:
        """What the login page shows below the name."""
        return f"{self.user_name} {self.email}".strip()

    def claims_for(self, scopes: Sequence[str]) -> dict[str, Any]:
        """Return the claims that these scopes request (OpenID Connect Core §5.4)."""
        claims = super().claims_for(scopes)
        if "preferred_username" in claims:
            claims["preferred_username"] = self.user_name
        if "email_verified" in claims:
            claims["email_verified"] = self.email_verified
        if not self.email:
            claims = {name: value for name, value in claims.items() if name not in ("email", "email_verified")}
        return claims


def as_account(persona: Persona) -> Account:
    """Return a persona as an account; one that is not an account gets the defaults."""
    if isinstance(persona, Account):
        return persona
    return Account(persona.sub, persona.name, persona.email, persona.claims)


ACCOUNTS = (
    Account("1000001", "Alice Adams", "alice@example.com", login="alice"),
    Account("1000002", "Bob Brown", "bob@example.com", login="bob"),
    Account("1000003", "Mallory Moss", "alice@example.com", login="mallory", email_verified=False),
)
"""Who can sign in by default; mallory has entered alice's address, which is not verified."""
