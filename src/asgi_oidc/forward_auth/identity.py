"""Who the user is, as the app behind the proxy is told: plain headers, a signed one, or both."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from asgi_oidc.forward_auth.identity_headers import Names, identity_headers, read_name, read_names
from asgi_oidc.forward_auth.identity_tokens import IdentityTokens
from asgi_oidc.principal import AnonymousUser, User
from asgi_oidc.protocol.jose_signing import make_signing_key, read_p256_key


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityOptions:
    """The arguments of `ForwardAuth` about identity, which describes them."""

    headers: Mapping[str, str]
    token_header: str | None
    token_audience: str | None
    token_claims: Sequence[str]
    signing_keys: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """The headers of every allowed answer.

    Attributes:
        names: the claim in each plain header.
        tokens: makes the signed header; None if there is none.
    """

    names: Names
    tokens: IdentityTokens | None

    @property
    def header_names(self) -> frozenset[bytes]:
        """The names of all headers, in lower case."""
        return frozenset(self.names) | ({self.tokens.header} if self.tokens is not None else frozenset())

    def headers(self, user: User | AnonymousUser, *, audience: str) -> list[tuple[bytes, bytes]]:
        """Return all headers; for an anonymous user, they are empty.

        Args:
            audience: the origin of the request, for a token without an audience of its own.

        Raises:
            IdentityTooLarge: they do not fit.
        """
        headers = identity_headers(self.names, user)
        if self.tokens is not None:
            token = b"" if isinstance(user, AnonymousUser) else self.tokens.write(user, audience=audience)
            headers.append((self.tokens.header, token))
        return headers


def read_identity(options: IdentityOptions, *, issuer: str, clock: Callable[[], float] = time.time) -> Identity:
    """Read the options about identity.

    Raises:
        ValueError: one of them is wrong, or useless without another one.
    """
    names = read_names(options.headers)
    if options.token_header is None:
        for option in ("token_audience", "token_claims", "signing_keys"):
            if getattr(options, option):
                raise ValueError(f"{option} needs token_header, the header that carries the token")
        return Identity(names, None)
    header = read_name(options.token_header)
    if header in names:
        raise ValueError(f"{options.token_header} cannot carry both the token and a claim")
    keys = tuple(read_p256_key(text) for text in options.signing_keys) or (make_signing_key(),)
    claims = tuple(options.token_claims)
    return Identity(names, IdentityTokens(header, issuer, options.token_audience, claims, keys, clock))
