"""The call to the user API of an OAuth2 provider without OpenID Connect, and its answer, which becomes claims.

Such a provider has no ID Token: its user API says who the user is. That is safe only with an access token that this
client has just received for a code of its own. A token from anywhere else may have been issued to another app, and
would sign its sender in as that app's user (RFC 6749 §10.16; OIDC Core §16.11).
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from asgi_oidc.errors import AnswerRejected, describe_value
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, VERIFIED_PAIRS, Claims, is_true
from asgi_oidc.protocol.id_token import MAX_SUB_LENGTH
from asgi_oidc.protocol.json_objects import InvalidJSON, read_array
from asgi_oidc.protocol.messages import Answer, Call, check_status, read_json_answer

ISSUER_PREFIX = "oauth2:"  # begins the issuer of providers without one; those of OpenID providers begin with https:

ClaimPath = str | Sequence[str]  # "id", "data.id", or ("data", "id") if a name contains a dot
ClaimSource = ClaimPath  # a path, or a text with paths in braces, such as "https://cdn.example.com/{id}/{avatar}.png"

_IN_BRACES = re.compile(r"\{([^{}]+)\}")
TEXT_CLAIMS = frozenset({"name", "email", "picture", "preferred_username"})
MAX_EMAIL_LENGTH = 254  # characters (RFC 5321 §4.5.3.1.3; the angle brackets of a path are not counted)
MAX_LISTED = 10  # members of the answer, in an error text


@dataclass(frozen=True, slots=True, kw_only=True)
class UserApi:
    """How a user API is called, and what its answer means.

    Attributes:
        subject: path of the id that never changes and is never given to another user.
        claims: for standard claims, where each is found.
        headers: what the provider needs besides the access token, such as an API version; never a secret.
        emails_endpoint: lists the e-mail addresses of the user, as GitHub does; then no other answer has one.
        emails_are_verified: whether an address counts as verified unless the provider says that it is not.
        app_secret_proof: whether the call proves that it knows the client secret, as Facebook requires of some apps.
    """

    endpoint: str
    subject: ClaimPath
    claims: Mapping[str, ClaimSource] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    emails_endpoint: str | None = None
    emails_are_verified: bool = False
    app_secret_proof: bool = False


def is_openid(issuer: str) -> bool:
    """Return whether this is the issuer of an OpenID provider, which can report how and when users sign in."""
    return not issuer.startswith(ISSUER_PREFIX)


def read_path(path: ClaimPath) -> tuple[str, ...]:
    """Return the names of a path into a JSON object.

    Raises:
        ValueError: it is empty, or one of its names is.
    """
    names = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    if not names or not all(names):
        raise ValueError('expected a path such as "id" or "data.id"')
    return names


def check_source(source: ClaimSource) -> None:
    """Check where a claim is found.

    Raises:
        ValueError: a path is empty, or one of its names is; or braces do not match.
    """
    if not _has_braces(source):
        read_path(source)
        return
    text = str(source)
    if set("{}") & set(_IN_BRACES.sub("", text)):
        raise ValueError('expected paths in braces, as in "https://cdn.example.com/{id}/{avatar}.png"')
    for path in _IN_BRACES.findall(text):
        read_path(path)


def user_api_call(
    endpoint: str, access_token: str, headers: Mapping[str, str], *, app_secret: str | None = None
) -> Call:
    """Return a call to the user API, with the access token in a header (RFC 6750 §2.1).

    Args:
        headers: further headers that the provider needs, such as `Accept` or an API version; never a secret.
        app_secret: the client secret, if the call has to prove that it knows it: by `appsecret_proof`, the HMAC of the
            access token (Facebook, Graph API, "Secure Graph API Calls").
    """
    secrets: tuple[str, ...] = (access_token,)
    if app_secret is not None:
        proof = hmac.new(app_secret.encode("utf-8"), access_token.encode("ascii"), "sha256").hexdigest()
        endpoint = f"{endpoint}{'&' if '?' in endpoint else '?'}appsecret_proof={proof}"
        secrets += (proof,)
    added = {name.lower(): value for name, value in headers.items()}
    standard = {"accept": "application/json", "user-agent": "asgi-oidc"}  # GitHub refuses calls without a user agent
    return Call("GET", endpoint, {**standard, **added, "authorization": f"Bearer {access_token}"}, secrets=secrets)


def read_user_answer(
    answer: Answer, *, subject: ClaimPath, claims: Mapping[str, ClaimSource], emails_are_verified: bool = False
) -> dict[str, object]:
    """Read the answer of the user API as claims about the user.

    Args:
        subject: path of the id that never changes and is never given to another user; it becomes `sub`.
        claims: for standard claims (`name`, `email`, `email_verified`, `picture`, `preferred_username`), where each is
            found. Such a claim comes from there or not at all.
        emails_are_verified: as in `UserApi`.

    Returns:
        `sub` as text, the claims, and the other members of the answer as they are. Members that would be protocol
        claims (`iss`, `acr`, `sid`, ...) are left out: no token confirms them. `email_verified` is a boolean, and is
        there only with the `email` that it is about; `phone_number_verified` likewise.

    Raises:
        AnswerRejected: `user_api_subject` if the subject is neither text nor a whole number.
        ProviderError: an error, an outage, or not a JSON object.
    """
    members = read_json_answer(answer, endpoint="user_api")
    sub = _subject(members, read_path(subject))
    user = {name: value for name, value in members.items() if name not in claims}
    for name, source in claims.items():
        value = _find_source(members, source)
        if value is not None and (isinstance(value, str) or name not in TEXT_CLAIMS):
            user[name] = value
    for value_name, verified in VERIFIED_PAIRS:
        is_about_it = verified in claims or user.get(value_name) == members.get(value_name)
        verification = user.pop(verified, None)
        if isinstance(user.get(value_name), str) and verification is not None and is_about_it:
            user[verified] = is_true(verification)
    if emails_are_verified and isinstance(user.get("email"), str):
        user.setdefault("email_verified", True)  # a denial in the answer counts
    return {"sub": sub, **{name: value for name, value in user.items() if name not in PROTOCOL_CLAIMS}}


def read_emails_answer(answer: Answer) -> str | None:
    """Return the primary address of a list of e-mail addresses if it is verified, else None.

    The list is that of GitHub's `/user/emails`: objects with `email`, `primary` and `verified`. It needs the scope
    `user:email`, and has 30 addresses per page unless `per_page` (at most 100) asks for more (GitHub, REST API
    endpoints for emails, "List email addresses for the authenticated user").

    Raises:
        ProviderError: an error, an outage, or not a JSON array.
    """
    check_status(answer, endpoint="user_api")
    try:
        entries = read_array(answer.body)
    except InvalidJSON as exc:
        raise AnswerRejected("user_api_not_json", str(exc), answer_status=answer.status) from exc
    verified = [entry for entry in entries if isinstance(entry, dict) and _is_verified_email(entry)]
    return next((str(entry["email"]) for entry in verified if entry.get("primary") is True), None)


def with_verified_email(claims: Claims, email: str | None) -> dict[str, object]:
    """Replace `email` by an address that the provider has verified.

    Args:
        email: as `read_emails_answer` returns it; None leaves no address, as no other one is known to be the user's.
    """
    others = {name: value for name, value in claims.items() if name not in ("email", "email_verified")}
    return others if email is None else {**others, "email": email, "email_verified": True}


def _subject(members: Claims, path: Sequence[str]) -> str:
    value = _find(members, path)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= MAX_SUB_LENGTH * 3:
        value = str(value)
    if isinstance(value, str) and 1 <= len(value) <= MAX_SUB_LENGTH and value.isprintable():
        return value
    expected = f"expected text of 1 to {MAX_SUB_LENGTH} printable characters or a whole number at {'.'.join(path)}"
    listed = ", ".join(list(members)[:MAX_LISTED])
    raise AnswerRejected("user_api_subject", f"{expected}, got {describe_value(value)}; the answer has {listed}")


def _find_source(members: Claims, source: ClaimSource) -> object:
    """Return the value at a path, or a text with the values of the paths in its braces; None if one is missing."""
    if not _has_braces(source):
        return _find(members, read_path(source))
    values = {path: _find(members, read_path(path)) for path in _IN_BRACES.findall(str(source))}
    if not all(isinstance(value, str) and value for value in values.values()):
        return None
    return _IN_BRACES.sub(lambda match: quote(str(values[match[1]]), safe=""), str(source))


def _has_braces(source: ClaimSource) -> bool:
    return isinstance(source, str) and ("{" in source or "}" in source)


def _find(members: Claims, path: Sequence[str]) -> object:
    """Return the value at a path; None if there is none."""
    value: object = members
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_verified_email(entry: Claims) -> bool:
    email = entry.get("email")
    is_address = isinstance(email, str) and 0 < len(email) <= MAX_EMAIL_LENGTH and email.isprintable() and "@" in email
    return is_address and entry.get("verified") is True
