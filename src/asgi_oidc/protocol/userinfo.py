"""The userinfo call and its answer (OIDC Core §5.3)."""

from collections.abc import Collection, Iterable

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, Claims, check_kind, check_lifetime, merge_claims, same
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.messages import Answer, Call, check_status, read_json_answer

# Which claims a scope asks for (OIDC Core §5.4): a token that has one of them is taken to have been filled.
CLAIMS_OF_SCOPE = {
    "profile": ("name", "given_name", "family_name", "preferred_username", "nickname"),
    "email": ("email",),
    "address": ("address",),
    "phone": ("phone_number",),
}

USERINFO_TYPES = (None, "jwt", "jose", "userinfo+jwt")


def lacks_claims(scope: str, claims: Claims, *, named: Iterable[Collection[str]] = ()) -> bool:
    """Say whether claims are asked for that the ID Token does not carry.

    Args:
        scope: scopes ask for claims.
        named: claims that rules ask for; each with the names under which it may stand.
    """
    asked = [CLAIMS_OF_SCOPE[word] for word in scope.split() if word in CLAIMS_OF_SCOPE]
    return any(not any(name in claims for name in names) for names in (*asked, *named))


def userinfo_call(endpoint: str, access_token: str) -> Call:
    """Ask who the access token stands for (RFC 6750 §2.1)."""
    headers = {"authorization": f"Bearer {access_token}", "accept": "application/json, application/jwt"}
    return Call("GET", endpoint, headers, secrets=(access_token,))


def signed_userinfo(answer: Answer) -> str | None:
    """Return the JWT of an answer that is signed, None when it is plain JSON.

    Raises:
        ProviderError: the answer is no success, or not text.
    """
    check_status(answer, what="userinfo")
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/jwt":
        return None
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError as exc:
        raise AnswerRejected("userinfo_not_jwt", "it is not ASCII") from exc


def read_userinfo_answer(answer: Answer) -> Claims:
    """Read the claims of a plain answer.

    Raises:
        ProviderError: no usable JSON.
    """
    return read_json_answer(answer, what="userinfo")


def check_signed_userinfo(token: Verified, *, issuer: str, client_id: str, now: int, leeway: int) -> None:
    """Refuse a signed answer that was made for somebody else, at another time, or for something else.

    Raises:
        TokenRejected: `iss` or `aud` is there and is not ours, it has ended, or it is another kind of token.

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
    """Add what the ID Token lacks; what it says stands, and protocol claims are its alone.

    Raises:
        TokenRejected: the answer is about somebody else, or does not say about whom (OIDC Core §5.3.4).
    """
    sub = userinfo.get("sub")
    if not same(sub, str(claims["sub"])):
        raise TokenRejected("userinfo_sub", "it is not the sub of the ID Token")
    news = {name: value for name, value in userinfo.items() if name not in PROTOCOL_CLAIMS}
    return merge_claims(claims, news)
