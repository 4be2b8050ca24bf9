"""What we say to the provider, and what it says: a call and an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from asgi_oidc.errors import AnswerRejected, ProviderRefused, ProviderUnavailable
from asgi_oidc.protocol.json_objects import NotAnObject, read_object
from asgi_oidc.protocol.oauth_error import read_oauth_error

SECRET_FIELDS = ("code", "code_verifier", "refresh_token", "subject_token", "token", "client_secret")
RETRY_AFTER_LIMIT = 300  # seconds; a provider does not decide how long our users wait


@dataclass(frozen=True, slots=True)
class Call:
    """A request of ours to the provider; headers and body may be secret, so its repr hides them.

    Attributes:
        secrets: what of it must not stand in a log, also where the answer repeats it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider answered: status, headers by lower-case name, the whole body (bounded).

    Attributes:
        secrets: those of the call.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def form_call(
    url: str, fields: Mapping[str, str], headers: Mapping[str, str], *, secrets: tuple[str, ...] = ()
) -> Call:
    """Make a POST with a form, as the token endpoint wants it (RFC 6749 §4.1.3).

    Args:
        secrets: those of the headers.
    """
    form_headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    secrets += tuple(fields[name] for name in SECRET_FIELDS if name in fields)
    return Call("POST", url, {**form_headers, **headers}, urlencode(fields).encode("ascii"), secrets)


def read_json_answer(answer: Answer, *, what: str) -> dict[str, object]:
    """Read a JSON object from a successful answer.

    Args:
        what: whose answer it is, for the error: `token`, `jwks`, ...

    Raises:
        ProviderUnavailable: the provider is overloaded or broken for now (429, 5xx).
        ProviderRefused: an OAuth error (RFC 6749 §5.2).
        AnswerRejected: anything else that is not a JSON object with status 200.
    """
    check_status(answer, what=what)
    try:
        return read_object(answer.body)
    except NotAnObject as exc:
        raise AnswerRejected(f"{what}_not_json", str(exc), answer_status=answer.status) from exc


def check_status(answer: Answer, *, what: str) -> None:
    """Let an answer pass only with status 200.

    Raises:
        ProviderError: as in `read_json_answer`.
    """
    if answer.status == 200:
        return
    status, error = answer.status, read_oauth_error(answer.headers, answer.body, answer.secrets)
    detail = f"{error}, from {what} with status {status}" if error.error else f"expected status 200, got {status}"
    if status == 429 or status >= 500:
        raise ProviderUnavailable(f"{what}_unavailable", detail, retry_after=_wait(answer), answer_status=status)
    # The header says it for the log alone: a proxy can write it, and an error may end a session.
    if status in (400, 401, 403) and error.is_in_body:
        raise ProviderRefused(error.error, detail, answer_status=status)
    raise AnswerRejected(f"{what}_status", detail, answer_status=status)


def _wait(answer: Answer) -> int:
    asked = answer.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit() and len(asked) <= 6:
        return max(1, min(int(asked), RETRY_AFTER_LIMIT))
    return 5
