"""Faults of the ID Token: in its claims and its signature."""

from cryptography.hazmat.primitives import hashes, hmac, serialization

from ..keys import base64url, compact_jws, json_bytes, public_parts, signing_key
from .registry import ID_TOKEN_CLAIMS, ID_TOKEN_SIGNING, Claims, Draft, Setting, registered_in, without


@registered_in(ID_TOKEN_CLAIMS)
def id_token_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """`iss` is another provider."""
    return claims | {"iss": "https://someone-else.example.com"}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token is for another client."""
    return without(claims, "azp") | {"aud": "another-client"}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_no_iss(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `iss`."""
    return without(claims, "iss")


@registered_in(ID_TOKEN_CLAIMS)
def id_token_no_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `aud`."""
    return without(claims, "aud")


@registered_in(ID_TOKEN_CLAIMS)
def id_token_aud_list(claims: Claims, _setting: Setting) -> Claims:
    """`aud` is a list with the client alone, which clients must accept."""
    return claims | {"aud": [claims["aud"]]}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_extra_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token has a further audience besides the client."""
    return claims | {"aud": [claims["aud"], "another-client"], "azp": claims["aud"]}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_wrong_azp(claims: Claims, _setting: Setting) -> Claims:
    """The token was issued to another client, with this client as the audience."""
    return claims | {"azp": "another-client"}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_expired(claims: Claims, setting: Setting) -> Claims:
    """The token expired an hour ago."""
    return claims | {"iat": setting.now - 7200, "exp": setting.now - 3600}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_iat_future(claims: Claims, setting: Setting) -> Claims:
    """The token was issued an hour in the future."""
    return claims | {"iat": setting.now + 3600, "exp": setting.now + 7200}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_exp_1e300(claims: Claims, _setting: Setting) -> Claims:
    """`exp` is an absurd number."""
    return claims | {"exp": 1e300}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_no_exp(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `exp`."""
    return without(claims, "exp")


@registered_in(ID_TOKEN_CLAIMS)
def id_token_wrong_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The token has the nonce of another login."""
    return claims | {"nonce": "nonce-of-another-login"}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_no_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The token has no nonce."""
    return without(claims, "nonce")


@registered_in(ID_TOKEN_CLAIMS)
def id_token_bad_at_hash(claims: Claims, _setting: Setting) -> Claims:
    """`at_hash` belongs to another access token."""
    return claims | {"at_hash": base64url(b"0123456789abcdef")}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_sub_empty(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is empty."""
    return claims | {"sub": ""}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_sub_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`sub` has 256 characters; at most 255 are allowed."""
    return claims | {"sub": "s" * 256}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_sub_number(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is a number."""
    return claims | {"sub": 12345}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_no_sub(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `sub`."""
    return without(claims, "sub")


@registered_in(ID_TOKEN_CLAIMS)
def id_token_old_auth_time(claims: Claims, setting: Setting) -> Claims:
    """The user signed in a day ago, regardless of `max_age`."""
    return claims | {"auth_time": setting.now - 86_400}


@registered_in(ID_TOKEN_CLAIMS)
def id_token_no_auth_time(claims: Claims, _setting: Setting) -> Claims:
    """The token has no `auth_time`."""
    return without(claims, "auth_time")


@registered_in(ID_TOKEN_CLAIMS)
def id_token_wrong_acr(claims: Claims, _setting: Setting) -> Claims:
    """The user signed in with a weaker authentication context than requested."""
    return claims | {"acr": "urn:example:weak"}


@registered_in(ID_TOKEN_SIGNING)
def id_token_alg_none(draft: Draft) -> str:
    """The token is not signed at all."""
    return f"{base64url(json_bytes({'alg': 'none'}))}.{base64url(draft.payload)}."


@registered_in(ID_TOKEN_SIGNING)
def id_token_bad_signature(draft: Draft) -> str:
    """The signature is that of other claims."""
    start, _, _ = compact_jws(draft.header, draft.payload, draft.key).rpartition(".")
    return f"{start}.{compact_jws(draft.header, b'{}', draft.key).rpartition('.')[2]}"


@registered_in(ID_TOKEN_SIGNING)
def id_token_foreign_key(draft: Draft) -> str:
    """The token is signed with another key, under the `kid` of the provider's key."""
    return compact_jws(draft.header, draft.payload, signing_key(draft.key.alg, 999))


@registered_in(ID_TOKEN_SIGNING)
def id_token_made_up_kid(draft: Draft) -> str:
    """The `kid` is unknown, and another one each time."""
    kid = f"made-up-{hash(draft.payload):x}"
    return compact_jws(draft.header | {"kid": kid}, draft.payload, draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_no_kid(draft: Draft) -> str:
    """The header has no `kid`, which is allowed while one key of the JWKS fits."""
    return compact_jws(without(draft.header, "kid"), draft.payload, draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_five_parts(draft: Draft) -> str:
    """The token has five parts, as an encrypted one."""
    header = base64url(json_bytes({"alg": "RSA-OAEP", "enc": "A256GCM"}))
    return f"{header}.{base64url(b'key')}.{base64url(b'iv')}.{base64url(draft.payload)}.{base64url(b'tag')}"


@registered_in(ID_TOKEN_SIGNING)
def id_token_duplicate_sub(draft: Draft) -> str:
    """The payload has `sub` twice; which one counts depends on the parser."""
    return compact_jws(draft.header, draft.payload[:-1] + b',"sub":"admin"}', draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_lone_surrogate(draft: Draft) -> str:
    """A claim contains a lone surrogate, which is not valid text."""
    return compact_jws(draft.header, draft.payload[:-1] + b',"name":"\\ud800"}', draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_deep_claims(draft: Draft) -> str:
    """A claim nests 20,000 lists."""
    deep = b"[" * 20_000 + b"]" * 20_000
    return compact_jws(draft.header, draft.payload[:-1] + b',"deep":' + deep + b"}", draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_array_payload(draft: Draft) -> str:
    """The payload is JSON, but not an object."""
    return compact_jws(draft.header, b"[" + draft.payload + b"]", draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_crit(draft: Draft) -> str:
    """The header lists an extension that must be understood (RFC 7515 §4.1.11)."""
    header = draft.header | {"crit": ["urn:example:must"], "urn:example:must": True}
    return compact_jws(header, draft.payload, draft.key)


@registered_in(ID_TOKEN_SIGNING)
def id_token_hs256_with_public_key(draft: Draft) -> str:
    """The public key, as PEM, was used as an HMAC secret."""
    pem = draft.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hs256_jws(draft, pem)


@registered_in(ID_TOKEN_SIGNING)
def id_token_hs256_with_oct_key(draft: Draft) -> str:
    """The `oct` key of `jwks_junk_keys`, which anyone can read, was used as an HMAC secret."""
    return hs256_jws(draft, b"secret-secret-secret-secret")


@registered_in(ID_TOKEN_SIGNING)
def id_token_embedded_jwk(draft: Draft) -> str:
    """The token's header contains the key that verifies it."""
    own = signing_key(draft.key.alg, 998)
    header = without(draft.header, "kid") | {"jwk": public_parts(own.private, own.alg)}
    return compact_jws(header, draft.payload, own)


@registered_in(ID_TOKEN_SIGNING)
def id_token_small_rsa_key(draft: Draft) -> str:
    """The token is signed with a 1024-bit key, which `jwks_junk_keys` publishes as `small`."""
    small = signing_key("RS256", rsa_bits=1024)
    return compact_jws({"alg": "RS256", "kid": "small"}, draft.payload, small)


@registered_in(ID_TOKEN_SIGNING)
def id_token_huge(draft: Draft) -> str:
    """The token has 100,000 characters of claims, and a valid signature."""
    padding = b',"padding":"' + b"x" * 100_000 + b'"}'
    return compact_jws(draft.header, draft.payload[:-1] + padding, draft.key)


def hs256_jws(draft: Draft, secret: bytes) -> str:
    """Return the token signed with a secret, as if that were its algorithm."""
    header = draft.header | {"alg": "HS256"}
    start = f"{base64url(json_bytes(header))}.{base64url(draft.payload)}"
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(start.encode())
    return f"{start}.{base64url(mac.finalize())}"
