"""The token call and its answer (RFC 6749 §4.1.3, §5.1; OIDC Core §3.1.3)."""

from dataclasses import dataclass, field

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client import Client
from asgi_oidc.protocol.client_auth import METHODS, choose_method
from asgi_oidc.protocol.messages import Answer, Call, read_json_answer
from asgi_oidc.protocol.metadata import ProviderMetadata

LONGEST_TOKEN = 65_536  # characters; no header that carries it would pass a server
LONGEST_LIFETIME = 10 * 365 * 86_400  # seconds; beyond that a provider means "for ever", and we say ten years


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The tokens of one login.

    Attributes:
        expires_in: seconds that the access token lives on, None when the provider does not say.
        scope: as granted, None when it is as asked for.
    """

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    expires_in: int | None = None
    scope: str | None = None


def token_call(metadata: ProviderMetadata, client: Client, *, code: str, code_verifier: str) -> Call:
    """Ask for the tokens of a code; a code is never sent twice."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": code_verifier,
    }
    method = choose_method(client, metadata.auth_methods)
    return METHODS[method](client, metadata.token_endpoint, fields)


def read_token_answer(answer: Answer) -> TokenAnswer:
    """Read the answer to `token_call`.

    Raises:
        ProviderError: an OAuth error, an outage, or an answer without the tokens that OIDC promises.
    """
    members = read_json_answer(answer, what="token")
    token_type = members.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise AnswerRejected("token_type", f"expected Bearer, got {token_type}")
    scope = members.get("scope")
    return TokenAnswer(
        access_token=_token(members, "access_token"),
        id_token=_token(members, "id_token"),
        expires_in=_lifetime(members.get("expires_in")),
        scope=scope if isinstance(scope, str) else None,
    )


def _token(members: dict[str, object], name: str) -> str:
    token = members.get(name)
    if not isinstance(token, str) or not token:
        raise AnswerRejected(f"{name}_missing", "the token answer lacks it")
    # A header carries it later: only visible ASCII can stand there (RFC 6749 appendix A.12).
    if len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise AnswerRejected(f"{name}_malformed", "it is too long, or no plain text")
    return token


def _lifetime(value: object) -> int | None:
    # Some providers send "3600" or 3600.0 instead of 3600.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(max(0, min(value, LONGEST_LIFETIME)))
