"""Client authentication with an assertion, a JWT that is made for one call (RFC 7523 §2.2, OIDC Core §9).

The audience is the issuer alone: a provider that gets an assertion for its token endpoint, or for several audiences,
could use it at another provider (CVE-2025-27370, CVE-2025-27371; draft-ietf-oauth-rfc7523bis §5). Only `Provider.entra`
has another one, a fixed address of Microsoft.
"""

from collections.abc import Sequence

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_registration import Attempt, Client
from asgi_oidc.protocol.jose_signing import SECRET_BYTES, sign_jwt, sign_jwt_with_secret
from asgi_oidc.protocol.messages import Call, Fields, form_call

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 60  # seconds; an assertion is for one call
DEFAULT_SECRET_ALGORITHM = "HS256"  # noqa: S105  # an algorithm


def private_key_call(client: Client, url: str, fields: Fields) -> Call:
    """`private_key_jwt`: an assertion that is signed with the client's key, or that a file has."""
    attempt = _attempt(client)
    if attempt.assertion is not None:
        return _call(client, url, fields, attempt.assertion)
    key = client.keys[0] if client.signing_alg is None else client.keys[0].with_algorithm(client.signing_alg)
    form = client.assertion_form
    signed = sign_jwt(_claims(client, attempt), key, typ=form.typ, certificate_thumbprint=form.certificate_thumbprint)
    return _call(client, url, fields, signed)


def secret_jwt_call(client: Client, url: str, fields: Fields) -> Call:
    """`client_secret_jwt`: an assertion whose signature is a MAC with the client secret."""
    claims, alg = _claims(client, _attempt(client)), client.signing_alg or DEFAULT_SECRET_ALGORITHM
    signed = sign_jwt_with_secret(claims, client.secret or "", alg=alg, typ=client.assertion_form.typ)
    return _call(client, url, fields, signed)


def choose_key_algorithm(client: Client, supported: Sequence[str]) -> str:
    """Choose the algorithm of the client's first key: as set, else the first that both sides support.

    Args:
        supported: `token_endpoint_auth_signing_alg_values_supported` of the metadata; empty if it lists none.

    Raises:
        AnswerRejected: no algorithm in common.
    """
    return _choose(client, client.keys[0].algorithms, supported, of="client_key")


def choose_secret_algorithm(client: Client, supported: Sequence[str]) -> str:
    """Choose the algorithm of `client_secret_jwt`; arguments and errors as in `choose_key_algorithm`."""
    length = len((client.secret or "").encode())
    able = [alg for alg, needed in SECRET_BYTES.items() if length >= needed]
    return _choose(client, able, supported, of="client_secret")


def _choose(client: Client, able: Sequence[str], supported: Sequence[str], *, of: str) -> str:
    if client.signing_alg is not None:
        return client.signing_alg
    for alg in able:
        if alg in supported or not supported:
            return alg
    detail = f"the provider accepts assertions with {', '.join(supported)}, but {of} signs with {', '.join(able)}"
    raise AnswerRejected("client_auth_unsupported", detail)


def _claims(client: Client, attempt: Attempt) -> dict[str, object]:
    # There is no `nbf`: with a clock that is a second ahead, it would only have the assertion refused.
    return {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": client.assertion_form.audience or attempt.audience,
        "jti": attempt.jti,
        "iat": attempt.now,
        "exp": attempt.now + LIFETIME,
    }


def _call(client: Client, url: str, fields: Fields, assertion: str) -> Call:
    # RFC 7521 §4.2 leaves client_id optional. Providers need it to find the client if somebody else has signed the
    # assertion, and Entra always does.
    credentials = {
        "client_id": client.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return form_call(url, {**fields, **credentials}, {})


def _attempt(client: Client) -> Attempt:
    if client.attempt is None:
        raise ValueError("make the call with Client.for_call(...)")
    return client.attempt
