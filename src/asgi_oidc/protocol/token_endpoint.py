"""Calls to the token endpoint with a code or a refresh token, and their answers.

Source: RFC 6749 §4.1.3, §5.1, §6; OIDC Core §3.1.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from asgi_oidc.errors import AnswerRejected, ProviderRefused
from asgi_oidc.protocol.authorization_details import read_granted
from asgi_oidc.protocol.client_auth import authenticated_call
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer, Call, read_json_answer
from asgi_oidc.protocol.metadata import ServerMetadata
from asgi_oidc.protocol.oauth_error import make_oauth_error

MAX_TOKEN_LENGTH = 65_536  # characters; servers refuse a header with a longer token
# GitHub's own names for errors of the token endpoint, which it sends with status 200, and the standard names (GitHub,
# Troubleshooting OAuth app access token request errors; Refreshing user access tokens).
GITHUB_ERRORS = {
    "bad_verification_code": "invalid_grant",
    "bad_refresh_token": "invalid_grant",
    "incorrect_client_credentials": "invalid_client",
    "redirect_uri_mismatch": "invalid_request",
}
BEARER, DPOP = "Bearer", "DPoP"  # types of access tokens (RFC 6750 §6.1.1, RFC 9449 §5)
MAX_LIFETIME = 10 * 365 * 86_400  # seconds; a longer lifetime means "for ever", and is shortened to ten years


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The tokens of one login.

    Attributes:
        access_token: None if the provider issued none, and that is allowed.
        expires_in: seconds until the access token expires; None if the provider does not say.
        scope: the granted scopes; None if they are those requested.
        authorization_details: JSON list: what was granted in detail; None if the answer does not say.
    """

    access_token: str | None = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None
    scope: str | None = None
    authorization_details: msgspec.Raw | None = None


@dataclass(frozen=True, slots=True)
class RefreshAnswer:
    """The tokens of a refresh; attributes as in `TokenAnswer`.

    Attributes:
        id_token: None if there is no new one.
        refresh_token: None if the old one stays valid.
    """

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None
    scope: str | None = None
    authorization_details: msgspec.Raw | None = None


class UnusableTokens(AnswerRejected):
    """A successful answer to a refresh whose tokens cannot be used; what it says about the refresh token still counts.

    Attributes:
        refresh_token: the new one; None if there is none or it cannot be read.
        is_old_spent: whether the refresh token that was sent is used up.
    """

    def __init__(self, code: str, detail: str, *, refresh_token: str | None, is_old_spent: bool) -> None:
        super().__init__(code, detail, answer_status=200)
        self.refresh_token = refresh_token
        self.is_old_spent = is_old_spent


def token_call(
    metadata: ServerMetadata, client: Client, *, code: str, code_verifier: str | None, redirect_uri: str
) -> Call:
    """Return the call that exchanges an authorization code for tokens; a code is never sent twice.

    Args:
        code_verifier: None if the authorization request was without PKCE.
    """
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    if code_verifier is not None:
        fields["code_verifier"] = code_verifier
    return grant_call(metadata, client, fields)


def refresh_call(metadata: ServerMetadata, client: Client, refresh_token: str, *, resource: str | None = None) -> Call:
    """Return the call that exchanges a refresh token for new tokens.

    A refresh token is sent once, and again only if the call has failed.

    Args:
        resource: URI of the API that the access token is for (RFC 8707 §2.2).
    """
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    if resource is not None:
        fields["resource"] = resource
    return grant_call(metadata, client, fields)


def grant_call(metadata: ServerMetadata, client: Client, fields: Mapping[str, str]) -> Call:
    """Return a call to the token endpoint, with client authentication."""
    return authenticated_call(metadata, client, metadata.token_endpoint, fields)


def read_token_answer(answer: Answer, *, requires_access_token: bool = True, token_type: str = BEARER) -> TokenAnswer:
    """Read the answer to `token_call`.

    Args:
        requires_access_token: False for a provider that issues none if the scopes name no API, as Azure AD B2C does,
            against OIDC Core §3.1.3.3. An access token that is there is still checked.
        token_type: `DPOP` if the call had a DPoP proof, so that its access token has to be bound to the key.

    Raises:
        ProviderError: an OAuth error, an outage, or an answer without the tokens that OIDC requires.
    """
    members = _read_members(answer)
    has_access_token = requires_access_token or "access_token" in members
    return TokenAnswer(
        access_token=_access_token(members, token_type) if has_access_token else None,
        id_token=_header_token(members, "id_token"),
        refresh_token=_refresh_token(members),
        expires_in=_lifetime(members.get("expires_in")) if has_access_token else None,
        scope=_scope(members),
        authorization_details=read_granted(members),
    )


def read_refresh_answer(answer: Answer, *, token_type: str = BEARER) -> RefreshAnswer:
    """Read the answer to `refresh_call`.

    Args:
        token_type: as in `read_token_answer`.

    Raises:
        UnusableTokens: a successful answer whose tokens cannot be used.
        ProviderError: an OAuth error, an outage, or a successful answer that is not a JSON object.
    """
    members = _read_members(answer)
    try:
        return RefreshAnswer(
            access_token=_access_token(members, token_type),
            id_token=_header_token(members, "id_token") if "id_token" in members else None,
            refresh_token=_refresh_token(members),
            expires_in=_lifetime(members.get("expires_in")),
            scope=_scope(members),
            authorization_details=read_granted(members),
        )
    except AnswerRejected as error:
        raise _unusable(error, members) from error


def read_oauth2_token_answer(answer: Answer) -> TokenAnswer:
    """Read the answer to `token_call` of a provider without OpenID Connect.

    An ID Token in it is left out: it is not verified, so nothing in it may be used.

    Raises:
        ProviderError: an OAuth error, an outage, or an answer without an access token.
    """
    members = _read_oauth2_members(answer)
    return TokenAnswer(
        access_token=_access_token(members),
        id_token="",
        refresh_token=_refresh_token(members),
        expires_in=_lifetime(members.get("expires_in")),
        scope=_scope_with_spaces(members),
        authorization_details=read_granted(members),
    )


def read_oauth2_refresh_answer(answer: Answer) -> RefreshAnswer:
    """Read the answer to `refresh_call` of a provider without OpenID Connect; an ID Token in it is left out.

    Raises:
        UnusableTokens: a successful answer whose tokens cannot be used.
        ProviderError: an OAuth error, an outage, or a successful answer that is not a JSON object.
    """
    members = _read_oauth2_members(answer)
    try:
        return RefreshAnswer(
            access_token=_access_token(members),
            refresh_token=_refresh_token(members),
            expires_in=_lifetime(members.get("expires_in")),
            scope=_scope_with_spaces(members),
            authorization_details=read_granted(members),
        )
    except AnswerRejected as error:
        raise _unusable(error, members) from error


def _read_oauth2_members(answer: Answer) -> dict[str, object]:
    members = {name: value for name, value in read_json_answer(answer, endpoint="token").items() if value is not None}
    if "error" in members and "access_token" not in members:
        error = make_oauth_error(members, answer.secrets)
        detail = f"{error}, from the token endpoint with status {answer.status}"
        raise ProviderRefused(GITHUB_ERRORS.get(error.error, error.error), detail, answer_status=answer.status)
    return members


def _scope_with_spaces(members: dict[str, object]) -> str | None:
    """Return the scopes separated by spaces: GitHub separates them by commas (Authorizing OAuth apps, step 2)."""
    scope = _scope(members)
    return None if scope is None else " ".join(scope.replace(",", " ").split())


def _unusable(error: AnswerRejected, members: dict[str, object]) -> UnusableTokens:
    """Make the error, with the refresh token that is left: sending a used one looks like theft (RFC 9700 §4.14.2)."""
    try:
        newer = _refresh_token(members)
    except AnswerRejected:
        newer = None
    is_old_spent = "refresh_token" in members
    return UnusableTokens(error.code, error.detail, refresh_token=newer, is_old_spent=is_old_spent)


def _read_members(answer: Answer) -> dict[str, object]:
    # Some providers send null for members that they leave out.
    members = {name: value for name, value in read_json_answer(answer, endpoint="token").items() if value is not None}
    if "error" in members and "access_token" not in members:  # GitHub sends errors with status 200
        error = make_oauth_error(members, answer.secrets)
        detail = f"{error}, with status {answer.status}"
        raise UnusableTokens("token_error", detail, refresh_token=None, is_old_spent=False)
    return members


def _scope(members: dict[str, object]) -> str | None:
    scope = members.get("scope")
    return scope if isinstance(scope, str) else None


def _check_type(members: dict[str, object], expected: str) -> None:
    """Refuse a token that is not bound although it should be, or the reverse; case does not matter (RFC 6749 §5.1)."""
    token_type = members.get("token_type")
    if isinstance(token_type, str) and token_type.lower() == expected.lower():
        return
    detail = f"expected token_type {expected}, got {token_type}"
    if expected == DPOP:
        detail += ": the provider does not bind tokens to keys: enable DPoP for this client there, or set dpop"
        detail += " (OIDC_DPOP) to never"
    elif isinstance(token_type, str) and token_type.lower() == DPOP.lower():
        detail += ": the provider wants tokens to be bound to a key: set dpop (OIDC_DPOP) to always"
    raise AnswerRejected("token_type", detail)


def _access_token(members: dict[str, object], token_type: str = BEARER) -> str:
    _check_type(members, token_type)
    return _header_token(members, "access_token")


def _header_token(members: dict[str, object], name: str) -> str:
    """Read a token that is later sent in a header, where a space would end it (RFC 6750 §2.1)."""
    token = _text(members, name)
    if " " in token:
        raise AnswerRejected(f"{name}_malformed", "expected a token without spaces")
    return token


def _refresh_token(members: dict[str, object]) -> str | None:
    """Read the refresh token: it is sent only in forms, so it may contain spaces (RFC 6749 appendix A.17)."""
    return _text(members, "refresh_token") if "refresh_token" in members else None


def _text(members: dict[str, object], name: str) -> str:
    """Read a text of visible ASCII characters and spaces (`VSCHAR`, RFC 6749 appendix A)."""
    text = members.get(name)
    if not isinstance(text, str) or not text:
        raise AnswerRejected(f"{name}_missing", f"expected {name} in the token answer")
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
