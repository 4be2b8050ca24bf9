"""Which claims are kept, and under which names: the setting `claims`, applied before claims are stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, VERIFIED_PAIRS, Claims, with_partners


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Keeps, drops and renames claims about the user; those about the login itself always stay.

    `email` and `email_verified` travel together, and so do `phone_number` and `phone_number_verified`: whatever drops
    one drops both, and the verification of a value that is renamed is dropped, because it would be about nothing.

    Attributes:
        keep: names of the claims to keep besides those in `rename`; None keeps all.
        drop: names of the claims to drop.
        rename: the new names, by the names that the provider uses. A claim that already has a new name is dropped, so
            that its value always comes from the same source.
    """

    keep: frozenset[str] | None = None
    drop: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self.keep is None and not self.drop and not self.rename

    def apply(self, claims: Claims) -> dict[str, object]:
        """Return the claims to store."""
        if self.is_empty:
            return dict(claims)
        stored = {name: self.stored_name(name) for name in claims}
        return {stored_name: claims[name] for name, stored_name in stored.items() if stored_name is not None}

    def names(self, names: Iterable[str]) -> frozenset[str]:
        """Return the names under which claims are stored; those that are dropped are missing."""
        return frozenset(stored for name in names if (stored := self.stored_name(name)) is not None)

    def source_of(self, name: str) -> str:
        """Return the name that the provider uses for a stored claim."""
        return next((source for source, stored in self.rename.items() if stored == name), name)

    def stored_name(self, name: str) -> str | None:
        """Return the name under which a claim is stored; None if it is dropped."""
        if name in PROTOCOL_CLAIMS:
            return name
        if name in self.rename:
            return self.rename[name]
        if name in self.rename.values() or name in with_partners(self.drop) or name in self._without_value:
            return None
        return name if self.keep is None or name in with_partners(self.keep) else None

    @property
    def _without_value(self) -> frozenset[str]:
        return frozenset(verified for value, verified in VERIFIED_PAIRS if value in self.rename)


ALL_CLAIMS = ClaimMapping()
