"""The token calls, with a code or a refresh token, and their answers (RFC 6749 §4.1.3, §5.1, §6; OIDC Core §3.1.3)."""

from collections.abc import Mapping
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
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshAnswer:
    """What a refresh gave; attributes as in `TokenAnswer`.

    Attributes:
        id_token: None when there is no new one.
        refresh_token: None when the old one stays good.
    """

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
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
    return grant_call(metadata, client, fields)


def refresh_call(
    metadata: ProviderMetadata, client: Client, refresh_token: str, *, resource: str | None = None
) -> Call:
    """Ask for new tokens; a refresh token is sent once, and again only after the call has failed.

    Args:
        resource: URI of the API that the access token is for (RFC 8707 §2.2).
    """
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    if resource is not None:
        fields["resource"] = resource
    return grant_call(metadata, client, fields)


def grant_call(metadata: ProviderMetadata, client: Client, fields: Mapping[str, str]) -> Call:
    """Call the token endpoint as the client that we are."""
    method = choose_method(client, metadata.auth_methods)
    return METHODS[method](client, metadata.token_endpoint, fields)


def read_token_answer(answer: Answer) -> TokenAnswer:
    """Read the answer to `token_call`.

    Raises:
        ProviderError: an OAuth error, an outage, or an answer without the tokens that OIDC promises.
    """
    members = _read_members(answer)
    return TokenAnswer(
        access_token=_token(members, "access_token"),
        id_token=_token(members, "id_token"),
        refresh_token=_token(members, "refresh_token") if "refresh_token" in members else None,
        expires_in=_lifetime(members.get("expires_in")),
        scope=_scope(members),
    )


def read_refresh_answer(answer: Answer) -> RefreshAnswer:
    """Read the answer to `refresh_call`.

    Raises:
        ProviderError: an OAuth error, an outage, or an answer without an access token.
    """
    members = _read_members(answer)
    return RefreshAnswer(
        access_token=_token(members, "access_token"),
        id_token=_token(members, "id_token") if "id_token" in members else None,
        refresh_token=_token(members, "refresh_token") if "refresh_token" in members else None,
        expires_in=_lifetime(members.get("expires_in")),
        scope=_scope(members),
    )


def _read_members(answer: Answer) -> dict[str, object]:
    members = read_json_answer(answer, what="token")
    token_type = members.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise AnswerRejected("token_type", f"expected Bearer, got {token_type}")
    # Some providers write null for what they do not give.
    return {name: value for name, value in members.items() if value is not None}


def _scope(members: dict[str, object]) -> str | None:
    scope = members.get("scope")
    return scope if isinstance(scope, str) else None


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
