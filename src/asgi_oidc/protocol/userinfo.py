"""The userinfo call and its answer (OIDC Core §5.3)."""

from collections.abc import Collection, Iterable

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, Claims, check_kind, check_lifetime, merge_claims, same
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.messages import Answer, Call, check_status, read_json_answer
from asgi_oidc.protocol.oauth_error import read_oauth_error

# The claims that a scope requests (OIDC Core §5.4). If the ID Token has one of them, it is assumed to have all that the
# provider has.
CLAIMS_OF_SCOPE = {
    "profile": ("name", "given_name", "family_name", "preferred_username", "nickname"),
    "email": ("email",),
    "address": ("address",),
    "phone": ("phone_number",),
}

USERINFO_TYPES = (None, "jwt", "jose", "userinfo+jwt")


def lacks_claims(scope: str, claims: Claims, *, named: Iterable[Collection[str]] = ()) -> bool:
    """Whether the ID Token lacks claims that the scopes or the rules ask for.

    Args:
        scope: scopes, each of which may request claims.
        named: the claims that rules require; for each, the names under which it may be found.
    """
    requested = [CLAIMS_OF_SCOPE[word] for word in scope.split() if word in CLAIMS_OF_SCOPE]
    return any(not any(name in claims for name in names) for names in (*requested, *named))


def userinfo_call(endpoint: str, access_token: str, *, scheme: str = "Bearer") -> Call:
    """Return the userinfo call, with the access token in a header (RFC 6750 §2.1, RFC 9449 §7.1).

    Args:
        scheme: `DPoP` for a token that is bound to a key; the caller then adds the proof.
    """
    headers = {"authorization": f"{scheme} {access_token}", "accept": "application/json, application/jwt"}
    return Call("GET", endpoint, headers, secrets=(access_token,))


def check_token_accepted(answer: Answer) -> None:
    """Refuse an answer that says that the access token is not valid any more (RFC 6750 §3.1).

    Raises:
        TokenRejected: `session_over`.
    """
    error = read_oauth_error(answer.headers, answer.body, answer.secrets)
    if answer.status == 401 and error.error == "invalid_token":
        raise TokenRejected("session_over", f"the userinfo endpoint does not accept the access token: {error}")


def signed_userinfo(answer: Answer) -> str | None:
    """Return the JWT of a signed answer; None if the answer is plain JSON.

    Raises:
        ProviderError: the status is not 200, or the JWT is not ASCII.
    """
    check_status(answer, endpoint="userinfo")
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/jwt":
        return None
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError as exc:
        raise AnswerRejected("userinfo_not_jwt", "expected a JWT in ASCII") from exc


def read_userinfo_answer(answer: Answer) -> Claims:
    """Read the claims of a plain JSON answer.

    Raises:
        ProviderError: no usable JSON.
    """
    return read_json_answer(answer, endpoint="userinfo")


def check_signed_userinfo(token: Verified, *, issuer: str, client_id: str, now: int, leeway: int) -> None:
    """Refuse a signed answer that is for another client, not valid now, or another kind of token.

    Raises:
        TokenRejected: `iss` or `aud` is present and wrong, the token is not valid now, or it is of another kind.

    Source: OIDC Core §5.3.2; RFC 7519 §4.1.
    """
    claims = token.claims
    check_kind(token.typ, claims, types=USERINFO_TYPES)
    if claims.get("iss", issuer) != issuer:
        raise TokenRejected("userinfo_iss", f"expected {issuer}, got {claims.get('iss')}")
    aud = claims.get("aud", client_id)
    if aud != client_id and not (isinstance(aud, list) and client_id in aud):
        raise TokenRejected("userinfo_aud", f"expected {client_id}, got {aud}")
    check_lifetime(claims, now=now, leeway=leeway)


def merge_userinfo(claims: Claims, userinfo: Claims) -> dict[str, object]:
    """Add claims of userinfo to those of the ID Token, which take precedence; protocol claims are never added.

    Raises:
        TokenRejected: userinfo is about another user, or has no `sub` (OIDC Core §5.3.4).
    """
    sub = userinfo.get("sub")
    if not same(sub, str(claims["sub"])):
        raise TokenRejected("userinfo_sub", "expected the sub of the ID Token, got another one or none")
    user_claims = {name: value for name, value in userinfo.items() if name not in PROTOCOL_CLAIMS}
    return merge_claims(claims, user_claims)
