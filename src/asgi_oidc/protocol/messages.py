"""A call to the provider and its answer, as plain values, and the checks that all answers have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from asgi_oidc.errors import AnswerRejected, ProviderRefused, ProviderUnavailable
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.protocol.oauth_error import read_message, read_oauth_error

SECRET_FIELDS = (
    "code",
    "code_verifier",
    "refresh_token",
    "subject_token",
    "token",
    "client_secret",
    "client_assertion",
)
_FIXES = {
    "invalid_client": ": check client_id and client_secret or client_key, then client_auth; some "
    "providers accept signed assertions only with client_assertion_typ (OIDC_CLIENT_ASSERTION_TYP) set to JWT",
    "invalid_dpop_proof": ": check this server's clock, as providers refuse proofs from the future; if the call had no "
    "proof, set dpop (OIDC_DPOP) to always",
    "use_dpop_nonce": ": set dpop (OIDC_DPOP) to always",  # with a proof, the call was repeated with a nonce
}
RETRY_AFTER_LIMIT = 300  # seconds; longer waits that a provider asks for are shortened to this

Fields = Mapping[str, str | Sequence[str]]
"""The fields of a form; a list is sent as a repeated field."""


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request to the provider; headers and body may contain secrets, so its repr hides them.

    Attributes:
        secrets: the values in it that must not be logged, even if the answer repeats them.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's answer.

    Attributes:
        headers: by lower-case name.
        body: complete; its size is limited by `Http.send`.
        secrets: those of the call.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def form_call(url: str, fields: Fields, headers: Mapping[str, str], *, secrets: tuple[str, ...] = ()) -> Call:
    """Return a POST of a form, as the token endpoint expects it (RFC 6749 §4.1.3).

    Args:
        secrets: those in the headers; those in the form are found by `SECRET_FIELDS`.
    """
    form_headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    secrets += tuple(str(fields[name]) for name in SECRET_FIELDS if name in fields)
    return Call("POST", url, {**form_headers, **headers}, urlencode(fields, doseq=True).encode("ascii"), secrets)


def read_json_answer(answer: Answer, *, endpoint: str, url: str = "", expected_status: int = 200) -> dict[str, object]:
    """Read a JSON object from a successful answer.

    Args:
        endpoint: which endpoint was called (`token`, `jwks`, ...): the first part of error codes.
        url: its URL, for the log; empty if that may contain a secret.

    Raises:
        ProviderUnavailable: the provider is temporarily overloaded or broken (429, 5xx).
        ProviderRefused: an OAuth error (RFC 6749 §5.2).
        AnswerRejected: anything else that is not a JSON object with the expected status.
    """
    check_status(answer, endpoint=endpoint, url=url, expected=expected_status)
    try:
        return read_object(answer.body)
    except InvalidJSON as exc:
        raise AnswerRejected(f"{endpoint}_not_json", str(exc), answer_status=answer.status) from exc


def check_status(answer: Answer, *, endpoint: str, url: str = "", expected: int = 200) -> None:
    """Refuse an answer with another status than the expected one.

    Raises:
        ProviderError: as in `read_json_answer`.
    """
    if answer.status == expected:
        return
    status, error = answer.status, read_oauth_error(answer.headers, answer.body, answer.secrets)
    if error.error:
        detail = f"{error}, from the {endpoint} endpoint with status {status}{_FIXES.get(error.error, '')}"
    else:
        message = read_message(answer.body, answer.secrets)
        source = f" from {url}" if url else ""
        detail = f"expected status {expected}{source}, got {status}" + (f": {message}" if message else "")
    if status == 429 or status >= 500:
        raise ProviderUnavailable(
            f"{endpoint}_unavailable", detail, retry_after=_retry_after(answer), answer_status=status
        )
    # An OAuth error may end a session, so it counts only in the body. One in the header is only logged: a proxy in
    # between can have written it.
    if status in (400, 401, 403) and error.is_in_body:
        raise ProviderRefused(error.error, detail, answer_status=status)
    raise AnswerRejected(f"{endpoint}_status", detail, answer_status=status)


def _retry_after(answer: Answer) -> int:
    seconds = answer.headers.get("retry-after", "")
    if seconds.isascii() and seconds.isdigit() and len(seconds) <= 6:
        return max(1, min(int(seconds), RETRY_AFTER_LIMIT))
    return 5
