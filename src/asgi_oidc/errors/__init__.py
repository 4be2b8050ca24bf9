"""Every error of asgi-oidc, split by who must act.

    OIDCError
    ├── SettingsError          the developer: a setting is wrong, at start-up
    ├── NotSignedIn            the developer: a token was asked for without a user
    │   └── SessionEnded           the session ended while the request was under way
    ├── StepUpRequired         the app: raise it where a user has to sign in again, in a stronger way or more freshly
    ├── AccessTokenExpired     the developer: the access token has run out, and nothing renews it
    ├── RefreshFailed          the developer: the access token has run out, and cannot be renewed right now
    ├── TokenNotGranted        the developer: the provider gives no token for another API
    ├── SessionTooLarge        the developer: the session does not fit into cookies
    ├── StoreUnavailable       the operator: the session store is down, slow or full: try again later
    ├── UnsupportedScope       the server: a scope type that nobody has checked
    ├── LoginRefused           the app: raised by `on_login` to turn a user away
    ├── RequestRejected        the browser: a request that we cannot accept
    │   └── LoginLoop              it signs in again and again, and never is
    ├── TokenRejected          the provider: a token failed a check
    └── ProviderError          the provider
        ├── ProviderUnavailable    down, slow or overloaded: try again later
        ├── ProviderRefused        an OAuth error answer, with its `error`
        ├── ProviderUnsupported    its metadata rules out every login
        └── AnswerRejected         an answer that we cannot use

Each has a stable `code`. No message holds a token, a cookie, a code or a secret.
"""

from collections.abc import Sequence
from typing import ClassVar

RETRY_AFTER = 5  # seconds; what a 503 of ours asks for when nothing better is known


def describe_value(value: object) -> str:
    """Describe the value of a setting without quoting text, which may be a secret in the wrong place."""
    if isinstance(value, str):
        return f"text of {len(value)} characters" if value else "empty text"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


class OIDCError(Exception):
    """The base of all errors of this library.

    Attributes:
        code: stable name of what went wrong, for logs and programs.
        detail: what was expected and what came, for the log.
    """

    default_code: ClassVar[str] = "error"

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
        self.args = (self.detail,)  # without the code, which means nothing to people who read this in a terminal


class NotSignedIn(OIDCError):
    """There is no signed-in user behind this request."""

    default_code = "not_signed_in"


class SessionEnded(NotSignedIn):
    """The session ended while the request was under way: signed out, run out, or withdrawn by the provider."""

    default_code = "session_ended"


class StepUpRequired(OIDCError):
    """Raise it in the app, before it answers, to have the user sign in again (RFC 9470).

    A page is sent to the provider and comes back; everybody else gets 401.

    Args:
        acr_values: authentication contexts, of which the login has to reach one.
        max_age: seconds since the user signed in at the provider.
    """

    default_code = "insufficient_user_authentication"

    def __init__(self, *, acr_values: Sequence[str] | None = None, max_age: int | None = None) -> None:
        super().__init__(detail="the app asks for a stronger or fresher login")
        self.acr_values = acr_values
        self.max_age = max_age


class AccessTokenExpired(OIDCError):
    """The access token of this session has run out, and there is no refresh token: sign in again."""

    default_code = "access_token_expired"


class RefreshFailed(OIDCError):
    """The access token has run out and could not be renewed; the session goes on, so try again later.

    Attributes:
        retry_after: seconds to wait.
    """

    default_code = "refresh_failed"

    def __init__(self, code: str = "", detail: str = "", *, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class TokenNotGranted(OIDCError):
    """The provider gives this session no token for that API; `detail` has its `error_description`."""

    default_code = "token_not_granted"


class StoreUnavailable(OIDCError):
    """The session store is down, slow, full, or answers with what is none of ours.

    Attributes:
        retry_after: seconds to wait.
    """

    default_code = "store_unavailable"

    def __init__(self, code: str = "", detail: str = "", *, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class SessionTooLarge(OIDCError):
    """The session does not fit into the cookies that a browser keeps for us."""

    default_code = "session_too_large"


class UnsupportedScope(OIDCError):
    """An ASGI scope type that is neither http, websocket nor lifespan."""

    default_code = "unsupported_scope"


class LoginRefused(OIDCError):
    """Raise it in `on_login` to turn a user away; the text goes to the log only."""

    default_code = "login_refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail=detail)


class RequestRejected(OIDCError):
    """The browser sent something that we cannot accept."""

    default_code = "request_rejected"

    def __init__(self, code: str, detail: str = "", *, status: int = 400) -> None:
        super().__init__(code, detail)
        self.status = status


class LoginLoop(RequestRejected):
    """This browser has signed in several times just now, and is sent to sign in again."""

    default_code = "login_loop"


class TokenRejected(OIDCError):
    """A token of the provider failed a check."""

    default_code = "token_rejected"


class ProviderError(OIDCError):
    """The provider did not do what we asked.

    Attributes:
        answer_status: the HTTP status of its answer, None if there was no answer.
    """

    default_code = "provider_error"

    def __init__(self, code: str = "", detail: str = "", *, answer_status: int | None = None) -> None:
        super().__init__(code, detail)
        self.answer_status = answer_status

    @property
    def was_processed(self) -> bool:
        """Whether the provider did what we asked, which uses up a code or a refresh token."""
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
    """The provider answered with an OAuth error; `detail` has its `error_description`, which no page ever shows.

    Attributes:
        error: the `error` of the answer, cut and cleaned (RFC 6749 §4.1.2.1, §5.2).
    """

    default_code = "provider_refused"

    def __init__(self, error: str, detail: str = "", *, answer_status: int | None = None) -> None:
        super().__init__(detail=detail or error, answer_status=answer_status)
        self.error = error


class ProviderUnsupported(ProviderError):
    """The provider's metadata rules out every login: it requires what we do not support, or lacks what we need."""

    default_code = "provider_unsupported"


class AnswerRejected(ProviderError):
    """The provider answered with something that we cannot use."""

    default_code = "answer_rejected"
