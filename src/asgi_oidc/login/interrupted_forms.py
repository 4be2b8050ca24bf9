"""A form that found nobody signed in: kept sealed in the browser until its user is back, and sent if they agree."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.web.cookies import CookieStyle

_CLAIM = "claim"  # what is sealed, beside forms
CLAIM_PARAMETER = "claim"  # of the page that offers a form: which session its login became
FORM_LIFETIME = 600  # seconds; as long as a login may take
MAX_FORM_SIZE = 2048  # bytes of a form that is kept; it has to fit into one cookie
MAX_SEALED_FORM_LENGTH = 3800  # characters of it, sealed; with its name and attributes it stays below 4096 bytes


class InterruptedForm(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A form as it was sent.

    Attributes:
        target: path and query on our own site that it was sent to, checked.
        page: path of the page that it stands on, checked; None where that is not known.
        pairs: names and values, in order.
        sub: digest of the user whose session was over; None where there was none.
        created_at: seconds since the epoch.
        id: of the form, which the login knows that is started from its page.
    """

    target: str
    page: str | None
    pairs: list[tuple[str, str]]
    sub: str | None
    created_at: int
    id: str = ""

    def __repr__(self) -> str:
        return f"KeptForm(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


class FormClaim(msgspec.Struct, frozen=True, array_like=True):
    """That the login of a form became a session: ids of both."""

    form: str
    session: str

    def __repr__(self) -> str:
        return "Claim(...)"


_decoder = msgspec.msgpack.Decoder(InterruptedForm)
_claims = msgspec.msgpack.Decoder(FormClaim)


@dataclass(frozen=True, slots=True)
class InterruptedForms:
    """Seals a form, for a page of ours and then for the one cookie that holds the newest."""

    sealer: Sealer
    style: CookieStyle
    stem: str

    def seal(self, form: InterruptedForm) -> str:
        """Seal a form."""
        return self.sealer.seal("form", self._name, msgspec.msgpack.encode(form))

    def open(self, sealed: str, *, now: int) -> InterruptedForm | None:
        """Open what `seal` made in the last ten minutes."""
        data = self.sealer.open("form", self._name, sealed)
        if data is None:
            return None
        try:
            form = _decoder.decode(data)
        except (ValueError, RecursionError):
            return None
        return form if abs(now - form.created_at) < FORM_LIFETIME else None

    def find(self, cookies: Mapping[str, str], *, now: int) -> InterruptedForm | None:
        """Return the form that this browser has kept."""
        return self.open(cookies.get(self._name, ""), now=now)

    def write_claim(self, claim: FormClaim) -> str:
        """Seal what makes a form that had no user that of a session."""
        return self.sealer.seal("form", _CLAIM, msgspec.msgpack.encode(claim))

    def read_claim(self, sealed: str) -> FormClaim | None:
        """Open what `write_claim` made."""
        data = self.sealer.open("form", _CLAIM, sealed)
        try:
            return None if data is None else _claims.decode(data)
        except (ValueError, RecursionError):
            return None

    def delete_others(self, cookies: Mapping[str, str], *, sub: str, form: str | None, now: int) -> list[bytes]:
        """Forget the form of somebody else, or of nobody, when a user signs in.

        Args:
            sub: digest of the user.
            form: id of the form whose login that was, None for any other login.
        """
        kept = self.find(cookies, now=now) if self._name in cookies else None
        is_own = kept is not None and (kept.sub == sub or kept.id == form)
        return [] if is_own else self.delete(cookies)

    def delete_sent(self, cookies: Mapping[str, str], *, target: str, now: int) -> list[bytes]:
        """Forget the form when it is the one that was just sent there."""
        kept = self.find(cookies, now=now) if self._name in cookies else None
        return self.delete(cookies) if kept is not None and kept.target == target else []

    def set_cookie(self, sealed: str) -> bytes:
        """Write the cookie."""
        return self.style.set_cookie(self._name, sealed, max_age=FORM_LIFETIME)

    def with_form(self, cookies: Mapping[str, str], sealed: str) -> dict[str, str]:
        """Say which cookies a browser has that keeps a form besides, or none where `sealed` is empty."""
        return {**cookies, self._name: sealed} if sealed else dict(cookies)

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Forget the form."""
        return [self.style.delete_cookie(self._name)] if self._name in cookies else []

    @property
    def _name(self) -> str:
        return self.style.name(f"{self.stem}-form")
