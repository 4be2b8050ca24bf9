"""The token calls, with a code or a refresh token, and their answers (RFC 6749 §4.1.3, §5.1, §6; OIDC Core §3.1.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import METHODS, choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer, Call, read_json_answer
from asgi_oidc.protocol.metadata import ProviderMetadata
from asgi_oidc.protocol.oauth_error import make_oauth_error

MAX_TOKEN_LENGTH = 65_536  # characters; no header that carries it would pass a server
MAX_LIFETIME = 10 * 365 * 86_400  # seconds; beyond that a provider means "for ever", and we say ten years


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


class UnusableTokens(AnswerRejected):
    """A successful answer to a refresh that we cannot use; what it says about the refresh token still counts.

    Attributes:
        refresh_token: the new one, None where there is none that can be read.
        is_old_spent: whether the one that was sent is used up.
    """

    def __init__(self, code: str, detail: str, *, refresh_token: str | None, is_old_spent: bool) -> None:
        super().__init__(code, detail, answer_status=200)
        self.refresh_token = refresh_token
        self.is_old_spent = is_old_spent


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
        access_token=_access_token(members),
        id_token=_token_of_header(members, "id_token"),
        refresh_token=_refresh_token(members),
        expires_in=_lifetime(members.get("expires_in")),
        scope=_scope(members),
    )


def read_refresh_answer(answer: Answer) -> RefreshAnswer:
    """Read the answer to `refresh_call`.

    Raises:
        UnusableTokens: a successful answer whose tokens we cannot use.
        ProviderError: an OAuth error, an outage, or a successful answer that is no JSON object.
    """
    members = _read_members(answer)
    try:
        return RefreshAnswer(
            access_token=_access_token(members),
            id_token=_token_of_header(members, "id_token") if "id_token" in members else None,
            refresh_token=_refresh_token(members),
            expires_in=_lifetime(members.get("expires_in")),
            scope=_scope(members),
        )
    except AnswerRejected as error:
        raise _unusable(error, members) from error


def _unusable(error: AnswerRejected, members: dict[str, object]) -> UnusableTokens:
    """Say which refresh token is left: sending a spent one again looks like theft (RFC 9700 §4.14.2)."""
    try:
        newer = _refresh_token(members)
    except AnswerRejected:
        newer = None
    is_old_spent = "refresh_token" in members
    return UnusableTokens(error.code, error.detail, refresh_token=newer, is_old_spent=is_old_spent)


def _read_members(answer: Answer) -> dict[str, object]:
    # Some providers write null for what they do not give.
    members = {name: value for name, value in read_json_answer(answer, what="token").items() if value is not None}
    if "error" in members and "access_token" not in members:  # as GitHub does it
        error = make_oauth_error(members, answer.secrets)
        detail = f"{error}, with status {answer.status}"
        raise UnusableTokens("token_error", detail, refresh_token=None, is_old_spent=False)
    return members


def _scope(members: dict[str, object]) -> str | None:
    scope = members.get("scope")
    return scope if isinstance(scope, str) else None


def _check_type(members: dict[str, object]) -> None:
    token_type = members.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise AnswerRejected("token_type", f"expected Bearer, got {token_type}")


def _access_token(members: dict[str, object]) -> str:
    _check_type(members)
    return _token_of_header(members, "access_token")


def _token_of_header(members: dict[str, object], name: str) -> str:
    """Read a token that a header carries later: a space would end it there (RFC 6750 §2.1)."""
    token = _text(members, name)
    if " " in token:
        raise AnswerRejected(f"{name}_malformed", "expected no spaces")
    return token


def _refresh_token(members: dict[str, object]) -> str | None:
    """Read a token that is sent in forms alone: it may have spaces (RFC 6749 appendix A.17)."""
    return _text(members, "refresh_token") if "refresh_token" in members else None


def _text(members: dict[str, object], name: str) -> str:
    """Read visible ASCII and spaces, `VSCHAR` (RFC 6749 appendix A)."""
    text = members.get(name)
    if not isinstance(text, str) or not text:
        raise AnswerRejected(f"{name}_missing", "expected it in the token answer")
    if len(text) > MAX_TOKEN_LENGTH or not text.isascii() or not text.isprintable():
        raise AnswerRejected(f"{name}_malformed", f"expected at most {MAX_TOKEN_LENGTH} characters of printable ASCII")
    return text


def _lifetime(value: object) -> int | None:
    # Some providers send "3600" or 3600.0 instead of 3600.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(max(0, min(value, MAX_LIFETIME)))
