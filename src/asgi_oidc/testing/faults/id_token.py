"""Faults of the ID Token: in its claims, and in how it is signed."""

from cryptography.hazmat.primitives import hashes, hmac, serialization

from ..keys import base64url, compact_jws, json_bytes, public_parts, signing_key
from .registry import ID_TOKEN_CLAIMS, ID_TOKEN_SIGNING, Claims, Draft, Setting, named_in, without


@named_in(ID_TOKEN_CLAIMS)
def id_token_wrong_iss(claims: Claims, _setting: Setting) -> Claims:
    """`iss` is another provider."""
    return claims | {"iss": "https://someone-else.example.com"}


@named_in(ID_TOKEN_CLAIMS)
def id_token_wrong_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token was made for another client."""
    return without(claims, "azp") | {"aud": "another-client"}


@named_in(ID_TOKEN_CLAIMS)
def id_token_extra_aud(claims: Claims, _setting: Setting) -> Claims:
    """The token names a further audience beside ours."""
    return claims | {"aud": [claims["aud"], "another-client"], "azp": claims["aud"]}


@named_in(ID_TOKEN_CLAIMS)
def id_token_wrong_azp(claims: Claims, _setting: Setting) -> Claims:
    """The token was issued to another client, for us."""
    return claims | {"azp": "another-client"}


@named_in(ID_TOKEN_CLAIMS)
def id_token_expired(claims: Claims, setting: Setting) -> Claims:
    """The token expired an hour ago."""
    return claims | {"iat": setting.now - 7200, "exp": setting.now - 3600}


@named_in(ID_TOKEN_CLAIMS)
def id_token_iat_future(claims: Claims, setting: Setting) -> Claims:
    """The token was made in an hour."""
    return claims | {"iat": setting.now + 3600, "exp": setting.now + 7200}


@named_in(ID_TOKEN_CLAIMS)
def id_token_exp_1e300(claims: Claims, _setting: Setting) -> Claims:
    """`exp` is an absurd number."""
    return claims | {"exp": 1e300}


@named_in(ID_TOKEN_CLAIMS)
def id_token_no_exp(claims: Claims, _setting: Setting) -> Claims:
    """The token never expires."""
    return without(claims, "exp")


@named_in(ID_TOKEN_CLAIMS)
def id_token_wrong_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The token belongs to another login."""
    return claims | {"nonce": "nonce-of-another-login"}


@named_in(ID_TOKEN_CLAIMS)
def id_token_no_nonce(claims: Claims, _setting: Setting) -> Claims:
    """The token belongs to no login in particular."""
    return without(claims, "nonce")


@named_in(ID_TOKEN_CLAIMS)
def id_token_bad_at_hash(claims: Claims, _setting: Setting) -> Claims:
    """`at_hash` belongs to another access token."""
    return claims | {"at_hash": base64url(b"0123456789abcdef")}


@named_in(ID_TOKEN_CLAIMS)
def id_token_sub_empty(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is empty."""
    return claims | {"sub": ""}


@named_in(ID_TOKEN_CLAIMS)
def id_token_sub_too_long(claims: Claims, _setting: Setting) -> Claims:
    """`sub` has 256 characters; 255 is the most."""
    return claims | {"sub": "s" * 256}


@named_in(ID_TOKEN_CLAIMS)
def id_token_sub_number(claims: Claims, _setting: Setting) -> Claims:
    """`sub` is a number."""
    return claims | {"sub": 12345}


@named_in(ID_TOKEN_CLAIMS)
def id_token_no_sub(claims: Claims, _setting: Setting) -> Claims:
    """The token names nobody."""
    return without(claims, "sub")


@named_in(ID_TOKEN_CLAIMS)
def id_token_old_auth_time(claims: Claims, setting: Setting) -> Claims:
    """The person signed in a day ago, whatever `max_age` asked for."""
    return claims | {"auth_time": setting.now - 86_400}


@named_in(ID_TOKEN_CLAIMS)
def id_token_no_auth_time(claims: Claims, _setting: Setting) -> Claims:
    """The token does not say when the person signed in."""
    return without(claims, "auth_time")


@named_in(ID_TOKEN_CLAIMS)
def id_token_wrong_acr(claims: Claims, _setting: Setting) -> Claims:
    """The person signed in in a weaker way than was asked for."""
    return claims | {"acr": "urn:example:weak"}


@named_in(ID_TOKEN_SIGNING)
def id_token_alg_none(draft: Draft) -> str:
    """The token is not signed at all."""
    return f"{base64url(json_bytes({'alg': 'none'}))}.{base64url(draft.payload)}."


@named_in(ID_TOKEN_SIGNING)
def id_token_bad_signature(draft: Draft) -> str:
    """The signature was made over other claims."""
    start, _, _ = compact_jws(draft.header, draft.payload, draft.key).rpartition(".")
    return f"{start}.{compact_jws(draft.header, b'{}', draft.key).rpartition('.')[2]}"


@named_in(ID_TOKEN_SIGNING)
def id_token_foreign_key(draft: Draft) -> str:
    """Another key signed under the `kid` of ours."""
    return compact_jws(draft.header, draft.payload, signing_key(draft.key.alg, 999))


@named_in(ID_TOKEN_SIGNING)
def id_token_made_up_kid(draft: Draft) -> str:
    """The `kid` is in no key set, and new each time."""
    kid = f"made-up-{hash(draft.payload):x}"
    return compact_jws(draft.header | {"kid": kid}, draft.payload, draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_no_kid(draft: Draft) -> str:
    """The header names no key; legal while the set has one key that fits."""
    return compact_jws(without(draft.header, "kid"), draft.payload, draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_five_parts(draft: Draft) -> str:
    """The token has the shape of an encrypted one."""
    header = base64url(json_bytes({"alg": "RSA-OAEP", "enc": "A256GCM"}))
    return f"{header}.{base64url(b'key')}.{base64url(b'iv')}.{base64url(draft.payload)}.{base64url(b'tag')}"


@named_in(ID_TOKEN_SIGNING)
def id_token_duplicate_sub(draft: Draft) -> str:
    """`sub` stands twice in the payload: which one counts depends on the reader."""
    return compact_jws(draft.header, draft.payload[:-1] + b',"sub":"admin"}', draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_lone_surrogate(draft: Draft) -> str:
    """A claim holds half a character, which is not text."""
    return compact_jws(draft.header, draft.payload[:-1] + b',"name":"\\ud800"}', draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_deep_claims(draft: Draft) -> str:
    """A claim nests 20,000 lists."""
    deep = b"[" * 20_000 + b"]" * 20_000
    return compact_jws(draft.header, draft.payload[:-1] + b',"deep":' + deep + b"}", draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_array_payload(draft: Draft) -> str:
    """The payload is JSON but no object."""
    return compact_jws(draft.header, b"[" + draft.payload + b"]", draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_crit(draft: Draft) -> str:
    """The header lists an extension that must be understood (RFC 7515 §4.1.11)."""
    header = draft.header | {"crit": ["urn:example:must"], "urn:example:must": True}
    return compact_jws(header, draft.payload, draft.key)


@named_in(ID_TOKEN_SIGNING)
def id_token_hs256_with_public_key(draft: Draft) -> str:
    """The public key, as PEM, was used as an HMAC secret."""
    pem = draft.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _hs256(draft, pem)


@named_in(ID_TOKEN_SIGNING)
def id_token_hs256_with_oct_key(draft: Draft) -> str:
    """The `oct` key of `jwks_junk_keys`, which everybody can read, was used as an HMAC secret."""
    return _hs256(draft, b"secret-secret-secret-secret")


@named_in(ID_TOKEN_SIGNING)
def id_token_embedded_jwk(draft: Draft) -> str:
    """The token brings the key that verifies it."""
    own = signing_key(draft.key.alg, 998)
    header = without(draft.header, "kid") | {"jwk": public_parts(own.private, own.alg)}
    return compact_jws(header, draft.payload, own)


@named_in(ID_TOKEN_SIGNING)
def id_token_small_rsa_key(draft: Draft) -> str:
    """A 1024-bit key signed; `jwks_junk_keys` publishes it as `small`."""
    small = signing_key("RS256", rsa_bits=1024)
    return compact_jws({"alg": "RS256", "kid": "small"}, draft.payload, small)


@named_in(ID_TOKEN_SIGNING)
def id_token_huge(draft: Draft) -> str:
    """The token has 100,000 characters of claims, well signed."""
    padding = b',"padding":"' + b"x" * 100_000 + b'"}'
    return compact_jws(draft.header, draft.payload[:-1] + padding, draft.key)


def _hs256(draft: Draft, secret: bytes) -> str:
    header = draft.header | {"alg": "HS256"}
    start = f"{base64url(json_bytes(header))}.{base64url(draft.payload)}"
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(start.encode())
    return f"{start}.{base64url(mac.finalize())}"
