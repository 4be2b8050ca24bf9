"""The parameter `ask` of the login URL: what a login must satisfy, sealed, so that only this site can write it."""

from dataclasses import dataclass

import msgspec

from asgi_oidc.login.interrupted_forms import KeptForm
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest
from asgi_oidc.sessions.sealing import Sealer

# A page with such a URL may stay open as long as its session, 12 hours by default. An older URL, such as from a browser
# history or a log, leads to a plain login; if the page needs more, its rule starts a step-up afterwards.
REQUEST_LIFETIME = 43_200  # seconds


class SealedRequest(msgspec.Struct, frozen=True, array_like=True):
    """The content of the parameter.

    Attributes:
        created_at: seconds since the epoch.
        form, form_size: the interrupted form that is kept while the user chooses a provider, as in `Transaction`.
    """

    authentication: AuthenticationRequest
    created_at: int
    form: str | None = None
    form_size: int = 0

    @property
    def kept_form(self) -> KeptForm | None:
        """The form; the browser has it in a cookie."""
        return None if self.form is None else KeptForm(self.form, self.form_size)


_decoder = msgspec.msgpack.Decoder(SealedRequest)


@dataclass(frozen=True, slots=True)
class AuthenticationRequests:
    """Seals and opens the parameter `ask` of our login URL."""

    sealer: Sealer

    def write(self, authentication: AuthenticationRequest, *, now: int, form: KeptForm | None = None) -> str:
        """Return a sealed value for a URL."""
        form_id, form_size = (None, 0) if form is None else (form.id, form.size)
        sealed = SealedRequest(authentication, now, form_id, form_size)
        return self.sealer.seal("ask", "ask", msgspec.msgpack.encode(sealed))

    def read(self, text: str, *, now: int) -> SealedRequest:
        """Return the authentication request; a plain login if the value is not ours or too old."""
        data, plain = self.sealer.open("ask", "ask", text), SealedRequest(ANY_LOGIN, now)
        if data is None:
            return plain
        try:
            sealed = _decoder.decode(data)
        except (ValueError, RecursionError):
            return plain
        return sealed if abs(now - sealed.created_at) < REQUEST_LIFETIME else plain
