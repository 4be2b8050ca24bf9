"""Reads the scopes that an access token grants (RFC 9068 §2.2.3, RFC 8693 §4.2)."""

from asgi_oidc.errors import SCOPE_TOKEN, TokenRejected
from asgi_oidc.protocol.claims import Claims

# RFC 9068, and Okta, Entra and Ory Hydra. Auth0's `permissions` are not scopes: they are what the user may do, not what
# the user has let the client do; a rule can require them as a claim.
SCOPE_CLAIMS = ("scope", "scp")


def read_scopes(claims: Claims) -> tuple[str, ...]:
    """Return the scopes, in order and without repetitions; none if there is no such claim.

    Both claims are text with spaces or a list, by provider (Duende IdentityServer has lists in `scope`).

    Raises:
        TokenRejected: `claim_scope` if it is malformed, or the two claims contradict each other.
    """
    named = [_scopes(claims[name]) for name in SCOPE_CLAIMS if name in claims]
    if len(named) > 1 and set(named[0]) != set(named[1]):
        raise TokenRejected("claim_scope", "expected the same scopes in scope and scp")
    return named[0] if named else ()


def _scopes(claim: object) -> tuple[str, ...]:
    scopes = claim.split(" ") if isinstance(claim, str) else claim
    if not isinstance(scopes, list):
        raise TokenRejected("claim_scope", "expected text or a list of text")
    if isinstance(claim, str):
        scopes = [scope for scope in scopes if scope]
    if not all(isinstance(scope, str) and SCOPE_TOKEN.fullmatch(scope) for scope in scopes):
        raise TokenRejected("claim_scope", "expected scopes of printable ASCII characters without spaces")
    return tuple(dict.fromkeys(scopes))
