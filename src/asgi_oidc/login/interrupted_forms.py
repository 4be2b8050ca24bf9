"""Interrupted forms: a form submitted without a session is kept, sealed, in the browser, and sent after the login.

It is only sent once the user has confirmed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from asgi_oidc.sessions.digests import UserDigests
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import UserId
from asgi_oidc.web.cookies import CookieStyle

_CLAIM = "claim"  # the name that form claims are sealed for
CLAIM_PARAMETER = "claim"  # URL parameter of the page that offers the form: which session the form's login has created
FORM_LIFETIME = 600  # seconds; as long as a login may take
MAX_FORM_SIZE = 2048  # bytes of a form's body; it has to fit into one cookie
MAX_SEALED_FORM_LENGTH = 3800  # characters of a sealed form; with its name and attributes below 4096 bytes


class InterruptedForm(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A form as it was submitted.

    Attributes:
        target: path and query on our own site that it was sent to, checked.
        page: path of the page that contains the form, checked; None if it is not known.
        pairs: names and values, in order.
        user: digest of the user whose session had ended; None if there was no session.
        created_at: seconds since the epoch.
        id: random id, by which the login that the form starts refers to it.
    """

    target: str
    page: str | None
    pairs: list[tuple[str, str]]
    user: str | None
    created_at: int
    id: str = ""

    def __repr__(self) -> str:
        return f"InterruptedForm(created_at={self.created_at})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("created_at", self.created_at)]


class FormClaim(msgspec.Struct, frozen=True, array_like=True):
    """Links a form to the session that its login has created.

    Attributes:
        form: id of the form.
        session: id of the session.
    """

    form: str
    session: str

    def __repr__(self) -> str:
        return "FormClaim(...)"


class KeptForm(NamedTuple):
    """An interrupted form that is kept until its login has ended.

    Attributes:
        size: characters of the sealed form.
        sealed: the sealed form, for the cookie; empty if the browser has it already.
    """

    id: str
    size: int
    sealed: str = ""


_decoder = msgspec.msgpack.Decoder(InterruptedForm)
_claims = msgspec.msgpack.Decoder(FormClaim)


@dataclass(frozen=True, slots=True)
class InterruptedForms:
    """Seals forms, first for a page of ours, then for the cookie, which contains the newest form only."""

    sealer: Sealer
    style: CookieStyle
    stem: str
    user_digests: UserDigests

    def seal(self, form: InterruptedForm) -> str:
        """Seal a form."""
        return self.sealer.seal("form", self._name, msgspec.msgpack.encode(form))

    def open(self, sealed: str, *, now: int) -> InterruptedForm | None:
        """Return the form, None if it was not sealed by `seal` within the last ten minutes."""
        data = self.sealer.open("form", self._name, sealed)
        if data is None:
            return None
        try:
            form = _decoder.decode(data)
        except (ValueError, RecursionError):
            return None
        return form if abs(now - form.created_at) < FORM_LIFETIME else None

    def find(self, cookies: Mapping[str, str], *, now: int) -> InterruptedForm | None:
        """Return the form in the browser's cookie."""
        return self.open(cookies.get(self._name, ""), now=now)

    def write_claim(self, claim: FormClaim) -> str:
        """Return a sealed claim: with it, a session may send a form that was submitted without a user."""
        return self.sealer.seal("form", _CLAIM, msgspec.msgpack.encode(claim))

    def read_claim(self, sealed: str) -> FormClaim | None:
        """Return the claim, None if it was not sealed by `write_claim`."""
        data = self.sealer.open("form", _CLAIM, sealed)
        try:
            return None if data is None else _claims.decode(data)
        except (ValueError, RecursionError):
            return None

    def is_of(self, form: InterruptedForm, user: UserId) -> bool:
        """Return whether a user submitted the form, with a session that was over."""
        return form.user == self.user_digests.of(user)

    def delete_others(self, cookies: Mapping[str, str], *, user: UserId, form: str | None, now: int) -> list[bytes]:
        """Delete the form when a user signs in, unless it is this user's.

        A form that was submitted without a user is theirs only if it started the login.

        Args:
            form: id of the form that started the login, None for any other login.
        """
        form_in_cookie = self.find(cookies, now=now) if self._name in cookies else None
        is_own = form_in_cookie is not None and (self.is_of(form_in_cookie, user) or form_in_cookie.id == form)
        return [] if is_own else self.delete(cookies)

    def delete_sent(self, cookies: Mapping[str, str], *, target: str, now: int) -> list[bytes]:
        """Delete the form if it is the one that was just sent to `target`."""
        form_in_cookie = self.find(cookies, now=now) if self._name in cookies else None
        return self.delete(cookies) if form_in_cookie is not None and form_in_cookie.target == target else []

    def set_cookie(self, sealed: str) -> bytes:
        """Write the cookie with a sealed form."""
        return self.style.set_cookie(self._name, sealed, max_age=FORM_LIFETIME)

    def with_form(self, cookies: Mapping[str, str], sealed: str) -> dict[str, str]:
        """Return the cookies of a browser that also keeps a form; no form if `sealed` is empty."""
        return {**cookies, self._name: sealed} if sealed else dict(cookies)

    def delete(self, cookies: Mapping[str, str]) -> list[bytes]:
        """Delete the form, if the browser has one."""
        return [self.style.delete_cookie(self._name)] if self._name in cookies else []

    @property
    def _name(self) -> str:
        return self.style.name(f"{self.stem}-form")
