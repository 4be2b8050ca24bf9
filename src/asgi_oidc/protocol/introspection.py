"""Asking the provider about an access token: the call, and its answer, plain (RFC 7662 §2) or signed (RFC 9701).

A plain answer is as good as a signed one: TLS guarantees that it is the provider's, as at the token endpoint. So one is
accepted even if a signed one was asked for; many providers sign answers only for clients that are registered for it.
Settings that name an algorithm of these answers change that.
"""

from dataclasses import replace

from asgi_oidc.errors import AnswerRejected, TokenRejected
from asgi_oidc.protocol.bearer_token import ExpectedToken, check_bearer_audience
from asgi_oidc.protocol.claims import Claims, check_issued_at, check_kind
from asgi_oidc.protocol.client_auth import authenticated_call, choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.issuer_template import Issuer, check_issuer
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.messages import Answer, Call, check_status, read_json_answer
from asgi_oidc.protocol.metadata import ProviderMetadata

SIGNED_ANSWER = "token-introspection+jwt"  # `typ`, and the media type after `application/`
MAX_ANSWER_AGE = 60  # seconds since a signed answer was issued; the provider makes it for this call


def introspection_call(
    metadata: ProviderMetadata, client: Client, token: str, *, requires_jwt: bool = False
) -> Call | None:
    """Return the call that asks about an access token.

    Args:
        requires_jwt: whether only a signed answer is accepted.

    Returns:
        None if the provider has no introspection endpoint, or the client cannot authenticate, as it has to (§2.1).

    Raises:
        AnswerRejected: no client authentication method that both sides support.
    """
    if metadata.introspection_endpoint is None:
        return None
    if choose_method(client, metadata.auth_methods_of("introspection")) == "none":
        return None
    fields = {"token": token, "token_type_hint": "access_token"}
    call = authenticated_call(metadata, client, metadata.introspection_endpoint, fields, endpoint="introspection")
    if requires_jwt:
        return replace(call, headers={**call.headers, "accept": f"application/{SIGNED_ANSWER}"})
    if not metadata.introspection_signing_alg_values_supported:
        return call
    return replace(call, headers={**call.headers, "accept": f"application/{SIGNED_ANSWER}, application/json;q=0.5"})


def signed_introspection(answer: Answer) -> str | None:
    """Return the JWT of a signed answer; None if the answer is plain JSON.

    Raises:
        ProviderError: the status is not 200, or the JWT is not ASCII.
    """
    check_status(answer, endpoint="introspection")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != f"application/{SIGNED_ANSWER}":
        return None
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError as exc:
        raise AnswerRejected("introspection_jwt", "expected a JWT in ASCII", answer_status=200) from exc


def read_introspection_answer(answer: Answer) -> Claims:
    """Read the members of a plain answer; `check_introspection` checks them.

    Raises:
        ProviderError: no usable JSON.
    """
    return read_json_answer(answer, endpoint="introspection")


def check_signed_introspection(token: Verified, *, issuer: Issuer, client_id: str, now: int, leeway: int) -> Claims:
    """Return the members of a signed answer; refuse an old one, one for another client, and another kind of token.

    Args:
        token: signature already checked.

    Raises:
        TokenRejected: the code names the claim that is wrong.

    Source: RFC 9701 §5.
    """
    claims = token.claims
    check_kind(token.typ, claims, types=(SIGNED_ANSWER,))
    check_issuer(claims, issuer)
    # oidc-provider puts the audience of the token beside the client.
    check_bearer_audience(claims, ExpectedToken(audiences=(client_id,)))
    if check_issued_at(claims, now=now, leeway=leeway) < now - leeway - MAX_ANSWER_AGE:
        raise TokenRejected("claim_iat", f"expected an answer of the last {MAX_ANSWER_AGE} s")
    members = claims.get("token_introspection")
    if not isinstance(members, dict):
        raise TokenRejected("claims_malformed", "expected token_introspection to be an object")
    return members
