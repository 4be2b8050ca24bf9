"""The users of the stand-in for Microsoft Entra ID, and their tenants."""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..accounts import Persona
from .accounts import Account

CONTOSO = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
FABRIKAM = "82229342-1101-4ab6-817b-70c0747630f3"
STRANGERS = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
"""A tenant that anyone could create; its administrator enters other people's addresses."""
PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts."""
MAX_GROUPS = 200  # in a JWT


@dataclass(frozen=True)
class EntraAccount(Account):
    """A user of one tenant; the `oid` and the `sub` in tokens are made from the account's `sub`.

    `email_verified` is whether the owner of the address's domain was verified; Entra's name for that is `xms_edov`.
    """

    tid: str = CONTOSO
    groups: Sequence[str] = ()
    """Object ids."""
    pairwise_sub: str = ""
    """The `sub` in tokens for every client; by default it depends on tenant, user and client, as at Entra."""

    @property
    def oid(self) -> str:
        """The id of the user in the tenant, the same for all clients."""
        return object_id(f"{self.sub}.{self.tid}")

    def sub_for(self, client_id: str) -> str:
        """Return the `sub` in the tokens for a client."""
        digest = hashlib.sha256(f"{self.tid} {self.sub} {client_id}".encode()).digest()
        return self.pairwise_sub or base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def claims_for(self, scopes: Sequence[str]) -> dict[str, Any]:
        """Return the claims that these scopes request; Entra has no `email_verified`."""
        claims = super().claims_for(scopes)
        claims.pop("email_verified", None)
        if "preferred_username" in claims:
            claims["oid"] = self.oid
        return claims


def as_entra_account(persona: Persona) -> EntraAccount:
    """Return a persona as an account; one of another kind is in the first tenant."""
    if isinstance(persona, EntraAccount):
        return persona
    return EntraAccount(persona.sub, persona.name, persona.email, persona.claims)


def object_id(name: str) -> str:
    """Return an id as Entra gives them to users and groups, always the same for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def group_ids(count: int) -> tuple[str, ...]:
    """Return that many ids of groups."""
    return tuple(object_id(f"group-{number:03}") for number in range(count))


ENTRA_ACCOUNTS = (
    EntraAccount("alice", "Alice Adams", "alice@contoso.com", login="alice@contoso.com", groups=group_ids(2)),
    EntraAccount("erin", "Erin Everywhere", "erin@contoso.com", login="erin@contoso.com", groups=group_ids(250)),
    EntraAccount("bob", "Bob Brown", "bob@fabrikam.com", login="bob@fabrikam.com", tid=FABRIKAM),
    EntraAccount(
        "mallory",
        "Mallory Moss",
        "alice@contoso.com",
        login="mallory@strangers.onmicrosoft.com",
        email_verified=False,
        tid=STRANGERS,
    ),
    EntraAccount("pat", "Pat Private", "pat@outlook.com", login="pat@outlook.com", tid=PERSONAL_ACCOUNTS),
)
"""Who can sign in by default; mallory's administrator has given her alice's address."""
