"""Every error of asgi-oidc, grouped by who has to act.

    OIDCError
    ├── SettingsError          the developer: a setting is wrong, at start-up
    ├── NotSignedIn            the developer: a token was requested, but no user is signed in
    │   └── SessionEnded           the session ended during the request
    ├── StepUpRequired         the app raises it: the user has to sign in again, more strongly or more recently
    ├── InsufficientScope      the app raises it: the user or the client lacks a scope
    ├── AccessTokenExpired     the developer: the access token has expired, and there is no refresh token
    ├── RefreshFailed          the developer: the access token has expired and cannot be refreshed right now
    ├── TokenNotGranted        the developer: the provider gives no token for another API
    ├── SessionTooLarge        the developer: the session does not fit into cookies or the store
    ├── StoreUnavailable       the operator: the session store is down, slow or full
    ├── UnsupportedScope       the server: an unknown ASGI scope type
    ├── LoginRefused           the app raises it in `on_login`: this user may not sign in
    ├── RequestRejected        the browser: a request that cannot be accepted
    │   └── LoginLoop              the browser is caught in a login loop
    ├── TokenRejected          the provider: a token failed a check
    │   └── ProofRejected          the client: it did not prove that a token is its own
    └── ProviderError          the provider
        ├── ProviderUnavailable    down, slow or overloaded ├── ProviderRefused        it answered with an OAuth error
        ├── ProviderUnsupported    its metadata rules out every login ├── ProviderGone           it was removed from the
        app └── AnswerRejected         its answer cannot be used

Each has a stable `code`. No message holds a token, a cookie, a code or a secret.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

SCOPE_TOKEN = re.compile(r"[!#-\[\]-~]+")  # RFC 6749 §3.3; no space, so that a scope cannot become two
RETRY_AFTER = 5  # seconds; the default Retry-After of a 503


MAX_QUOTED_LENGTH = 4  # characters


def describe_value(value: object) -> str:
    """Describe the value of a setting without quoting text, which may be a secret in the wrong place.

    Text of up to `MAX_QUOTED_LENGTH` characters is quoted: it is too short to be a secret.
    """
    if isinstance(value, str):
        if len(value) > MAX_QUOTED_LENGTH:
            return f"text of {len(value)} characters"
        return repr(value) if value else "empty text"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


class OIDCError(Exception):
    """The base class of all errors of this library.

    Attributes:
        code: a stable name for the cause, for logs and programs.
        detail: what was expected and what was received, for the log.
        provider: the name of the provider at which it happened, for the log; None if there is one only, or none.
        identified: `issuer` and `sub` of the user whose login failed, verified, for the audit trail.
    """

    default_code: ClassVar[str] = "error"
    provider: str | None = None
    identified: tuple[str, str] | None = None

    def __init__(self, code: str = "", detail: str = "") -> None:
        self.code = code or self.default_code
        self.detail = detail
        super().__init__(f"{self.code}: {detail}" if detail else self.code)


class SettingsError(OIDCError):
    """One or more settings are invalid; each problem names the setting and the fix."""

    default_code = "settings"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(detail=f"asgi-oidc: invalid settings:{listed}")
        self.args = (self.detail,)  # without the code, which tells a developer in a terminal nothing


class NotSignedIn(OIDCError):
    """No user is signed in."""

    default_code = "not_signed_in"


class SessionEnded(NotSignedIn):
    """The session ended during the request: a sign-out, an expiry, or the provider revoked it."""

    default_code = "session_ended"


class StepUpRequired(OIDCError):
    """Raise it in the app, before the response starts, to make the user sign in again (RFC 9470).

    A page navigation is redirected to the provider and comes back; any other request gets 401.

    Args:
        acr_values: authentication contexts; the login must satisfy one of them.
        max_age: how long ago the user may have signed in at the provider, in seconds.
    """

    default_code = "insufficient_user_authentication"

    def __init__(self, *, acr_values: Sequence[str] | None = None, max_age: int | None = None) -> None:
        super().__init__(detail="the app requires a stronger or more recent login")
        self.acr_values = acr_values
        self.max_age = max_age


class InsufficientScope(OIDCError):
    """Raise it in the app, before the response starts, if the request needs scopes that were not granted.

    The client gets 403 and the names of the scopes, together with those that the rules of the path require, so that it
    can get a token that has all of them (RFC 6750 §3.1). A user who is not signed in is asked to sign in.

    Args:
        scopes: all that the request needs, not only those that are missing.

    Raises:
        ValueError: no scope is named, or one of them is not a valid scope (RFC 6749 §3.3).
    """

    default_code = "insufficient_scope"

    def __init__(self, *scopes: str) -> None:
        super().__init__(detail="the app requires a scope that was not granted")
        if not scopes or not all(SCOPE_TOKEN.fullmatch(scope) for scope in scopes):
            raise ValueError("expected scopes without spaces, one argument for each (RFC 6749 §3.3)")
        self.scopes = scopes


class AccessTokenExpired(OIDCError):
    """The access token has expired, and there is no refresh token: the user has to sign in again."""

    default_code = "access_token_expired"


class RefreshFailed(OIDCError):
    """The access token has expired and could not be refreshed. The session continues; try again later.

    Attributes:
        retry_after: how long to wait, in seconds.
    """

    default_code = "refresh_failed"

    def __init__(self, code: str = "", detail: str = "", *, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class TokenNotGranted(OIDCError):
    """There is no token of this user for that API; `detail` says why, with the provider's `error_description` if any.

    The provider gives none, or the setting `tokens` keeps none.
    """

    default_code = "token_not_granted"


class StoreUnavailable(OIDCError):
    """The session store is down, slow or full, or returned something that asgi-oidc did not write.

    Attributes:
        retry_after: how long to wait, in seconds.
    """

    default_code = "store_unavailable"

    def __init__(self, code: str = "", detail: str = "", *, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class SessionTooLarge(OIDCError):
    """The session is too large for cookies, or for a record in the store."""

    default_code = "session_too_large"


class UnsupportedScope(OIDCError):
    """An ASGI scope type that is neither http, websocket nor lifespan."""

    default_code = "unsupported_scope"


class LoginRefused(OIDCError):
    """Raise it in `on_login` if this user may not sign in. The text appears in the log only."""

    default_code = "login_refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail=detail)


class RequestRejected(OIDCError):
    """The browser sent a request that cannot be accepted."""

    default_code = "request_rejected"

    def __init__(self, code: str, detail: str = "", *, status: int = 400) -> None:
        super().__init__(code, detail)
        self.status = status


class ForwardedRequestRejected(RequestRejected):
    """A proxy asked about a request in a way that is not accepted."""

    default_code = "forwarded_request_rejected"

    def __init__(self, code: str, detail: str = "", *, status: int = 403) -> None:
        super().__init__(code, detail, status=status)


class LoginLoop(RequestRejected):
    """The browser has signed in several times in a row, and would be sent to sign in once more."""

    default_code = "login_loop"


class TokenRejected(OIDCError):
    """A token from the provider failed a check."""

    default_code = "token_rejected"


class ProofRejected(TokenRejected):
    """A client did not prove that an access token is its own: a DPoP proof or a client certificate failed a check."""

    default_code = "proof_rejected"


class ProviderError(OIDCError):
    """A call to the provider failed.

    Attributes:
        answer_status: the HTTP status of the answer; None if there was no answer.
    """

    default_code = "provider_error"

    def __init__(self, code: str = "", detail: str = "", *, answer_status: int | None = None) -> None:
        super().__init__(code, detail)
        self.answer_status = answer_status

    @property
    def was_processed(self) -> bool:
        """Whether the provider processed the call, which uses up a code or a refresh token."""
        return self.answer_status is not None and 200 <= self.answer_status < 300


class ProviderUnavailable(ProviderError):
    """The provider is down, slow or overloaded."""

    default_code = "provider_unavailable"

    def __init__(
        self, code: str = "", detail: str = "", *, retry_after: int = RETRY_AFTER, answer_status: int | None = None
    ) -> None:
        super().__init__(code, detail, answer_status=answer_status)
        self.retry_after = retry_after


class ProviderRefused(ProviderError):
    """The provider answered with an OAuth error; `detail` contains its `error_description`, which no page shows.

    Attributes:
        error: the `error` of the answer, shortened and cleaned (RFC 6749 §4.1.2.1, §5.2).
    """

    default_code = "provider_refused"

    def __init__(self, error: str, detail: str = "", *, answer_status: int | None = None) -> None:
        super().__init__(detail=detail or error, answer_status=answer_status)
        self.error = error


class ProviderUnsupported(ProviderError):
    """The provider's metadata rules out every login: it requires or lacks something essential."""

    default_code = "provider_unsupported"


class ProviderGone(ProviderError):
    """The provider of a session was removed from the app, so no calls are made for that session."""

    default_code = "provider_gone"


class AnswerRejected(ProviderError):
    """The provider's answer cannot be used."""

    default_code = "answer_rejected"
