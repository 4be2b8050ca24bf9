"""Faults of encrypted JWTs: ID Tokens, userinfo and introspection answers, and authorization responses (RFC 7516)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..encryption import RSA_ALGS, compact_jwe
from ..keys import base64url, compact_jws, json_bytes, public_parts, signing_key
from ..wire import Answer, json_answer
from .registry import ENCRYPTION, EncryptionDraft, Setting, answer_of, registered_in, with_members, without

BOMB = 20_000_000  # bytes of spaces, which compress to about 20 kB


@registered_in(ENCRYPTION)
def jwe_left_out(draft: EncryptionDraft) -> str:
    """The token is signed, but not encrypted."""
    return draft.plaintext.decode()


@registered_in(ENCRYPTION)
def jwe_foreign_key(draft: EncryptionDraft) -> str:
    """The token is encrypted to another key, under the `kid` of the client's key."""
    return compact_jwe(draft.header, draft.plaintext, _foreign_key(draft.header["alg"]))


@registered_in(ENCRYPTION)
def jwe_unknown_kid(draft: EncryptionDraft) -> str:
    """The `kid` is that of a key which the client does not have."""
    return _encrypted(replace(draft, header=draft.header | {"kid": "key-of-another-client"}))


@registered_in(ENCRYPTION)
def jwe_no_kid(draft: EncryptionDraft) -> str:
    """The header has no `kid`; the client's key fits nevertheless."""
    return _encrypted(replace(draft, header=without(draft.header, "kid")))


@registered_in(ENCRYPTION)
def jwe_no_cty(draft: EncryptionDraft) -> str:
    """The header does not say that a JWT is inside, as RFC 7519 §5.2 demands."""
    return _encrypted(replace(draft, header=without(draft.header, "cty")))


@registered_in(ENCRYPTION)
def jwe_rsa1_5(draft: EncryptionDraft) -> str:
    """The key is encrypted with `RSA1_5`, which leaks it to attackers who can ask often (RFC 8017 §7.2)."""
    return _encrypted_with_rsa(draft, "RSA1_5")


@registered_in(ENCRYPTION)
def jwe_rsa_oaep(draft: EncryptionDraft) -> str:
    """The key is encrypted with `RSA-OAEP`, which rests on SHA-1."""
    return _encrypted_with_rsa(draft, "RSA-OAEP")


@registered_in(ENCRYPTION)
def jwe_dir(draft: EncryptionDraft) -> str:
    """The token is encrypted with the client secret (`dir`, OpenID Connect Core §10.2), not to the client's key."""
    key = {"kty": "oct", "k": base64url(hashlib.sha256(draft.client_secret.encode()).digest())}
    return compact_jwe(without(draft.header, "kid") | {"alg": "dir", "enc": "A256GCM"}, draft.plaintext, key)


@registered_in(ENCRYPTION)
def jwe_pbes2(draft: EncryptionDraft) -> str:
    """The key comes from a password that must be hashed a thousand million times (`PBES2`)."""
    header = draft.header | {"alg": "PBES2-HS256+A128KW", "p2s": base64url(b"salt-of-16-bytes"), "p2c": 10**9}
    return _with_header(_encrypted(draft), header)


@registered_in(ENCRYPTION)
def jwe_another_enc(draft: EncryptionDraft) -> str:
    """The content is encrypted with another `enc` than the client registered."""
    enc = "A128GCM" if draft.header["enc"] != "A128GCM" else "A256GCM"
    return _encrypted(replace(draft, header=draft.header | {"enc": enc}))


@registered_in(ENCRYPTION)
def jwe_unknown_enc(draft: EncryptionDraft) -> str:
    """The header names an `enc` that does not exist."""
    return _with_header(_encrypted(draft), draft.header | {"enc": "A999GCM"})


@registered_in(ENCRYPTION)
def jwe_unknown_alg(draft: EncryptionDraft) -> str:
    """The header names an `alg` that does not exist."""
    return _with_header(_encrypted(draft), draft.header | {"alg": "RSA-OAEP-999"})


@registered_in(ENCRYPTION)
def jwe_zip(draft: EncryptionDraft) -> str:
    """The content is compressed, so that its length tells about secrets inside."""
    return _encrypted(replace(draft, header=draft.header | {"zip": "DEF"}))


@registered_in(ENCRYPTION)
def jwe_zip_bomb(draft: EncryptionDraft) -> str:
    """The content decompresses to 20 MB."""
    return _encrypted(replace(draft, header=draft.header | {"zip": "DEF"}, plaintext=b" " * BOMB))


@registered_in(ENCRYPTION)
def jwe_crit(draft: EncryptionDraft) -> str:
    """The header lists an extension that must be understood (RFC 7516 §4.1.13)."""
    return _with_header(_encrypted(draft), draft.header | {"crit": ["urn:example:must"], "urn:example:must": True})


@registered_in(ENCRYPTION)
def jwe_wrong_tag(draft: EncryptionDraft) -> str:
    """The content was changed on the way: its tag is that of another content."""
    start, _, tag = _encrypted(draft).rpartition(".")
    return f"{start}.{'A' if tag[0] != 'A' else 'B'}{tag[1:]}"


@registered_in(ENCRYPTION)
def jwe_short_tag(draft: EncryptionDraft) -> str:
    """The tag is cut to four bytes, which can be guessed."""
    start, _, tag = _encrypted(draft).rpartition(".")
    return f"{start}.{tag[:6]}"


@registered_in(ENCRYPTION)
def jwe_off_the_curve(draft: EncryptionDraft) -> str:
    """The ephemeral key is not a point of the curve, which could reveal the private key."""
    epk = {"kty": "EC", "crv": "P-256", "x": base64url(b"\x01" * 32), "y": base64url(b"\x01" * 32)}
    return _with_header(_encrypted(draft), draft.header | {"alg": "ECDH-ES", "epk": epk})


@registered_in(ENCRYPTION)
def jwe_two_recipients(draft: EncryptionDraft) -> str:
    """The token is in the JSON form (RFC 7516 §7.2.1), for two recipients, one of them unknown."""
    protected, encrypted_key, iv, ciphertext, tag = _encrypted(draft).split(".")
    recipients = [{"header": {"kid": "unknown"}, "encrypted_key": "AAAA"}, {"encrypted_key": encrypted_key}]
    members = {"protected": protected, "recipients": recipients, "iv": iv, "ciphertext": ciphertext, "tag": tag}
    return json.dumps(members)


@registered_in(ENCRYPTION)
def jwe_unsigned(draft: EncryptionDraft) -> str:
    """The claims are inside without a signature: anyone who knows the public key can make this."""
    return _encrypted(replace(draft, header=without(draft.header, "cty"), plaintext=draft.inner.payload))


@registered_in(ENCRYPTION)
def jwe_unsigned_with_cty(draft: EncryptionDraft) -> str:
    """The claims are inside without a signature, and the header says that a JWT is inside."""
    return _encrypted(replace(draft, plaintext=draft.inner.payload))


@registered_in(ENCRYPTION)
def jwe_alg_none_inside(draft: EncryptionDraft) -> str:
    """The JWT inside has the algorithm `none`."""
    unsigned = f"{base64url(json_bytes({'alg': 'none'}))}.{base64url(draft.inner.payload)}."
    return _encrypted(replace(draft, plaintext=unsigned.encode()))


@registered_in(ENCRYPTION)
def jwe_signed_by_foreign_key(draft: EncryptionDraft) -> str:
    """The JWT inside is signed with another key, under the `kid` of the provider's key."""
    foreign = signing_key(draft.inner.key.alg, 999)
    return _encrypted(replace(draft, plaintext=compact_jws(draft.inner.header, draft.inner.payload, foreign).encode()))


@registered_in(ENCRYPTION)
def jwe_encrypted_twice(draft: EncryptionDraft) -> str:
    """An encrypted JWT is inside the encrypted JWT."""
    return _encrypted(replace(draft, plaintext=_encrypted(draft).encode()))


@answer_of("discovery")
def jwe_not_in_metadata(answer: Answer, _setting: Setting) -> Answer:
    """The metadata does not mention encryption."""
    members = json.loads(answer.body)
    return json_answer({name: value for name, value in members.items() if "_encryption_" not in name})


@answer_of("discovery")
def jwe_rsa1_5_in_metadata(answer: Answer, _setting: Setting) -> Answer:
    """The metadata offers `RSA1_5` alone for ID Tokens."""
    return with_members(answer, id_token_encryption_alg_values_supported=["RSA1_5"])


def _encrypted(draft: EncryptionDraft) -> str:
    return compact_jwe(draft.header, draft.plaintext, draft.key)


def _with_header(token: str, header: Mapping[str, Any]) -> str:
    """Replace the header of an encrypted token, which its tag protects."""
    return f"{base64url(json_bytes(dict(header)))}.{token.partition('.')[2]}"


def _encrypted_with_rsa(draft: EncryptionDraft, alg: str) -> str:
    """Encrypt with this algorithm, to the client's key if it is an RSA key."""
    key = draft.key if draft.key["kty"] == "RSA" else _foreign_key(alg)
    return compact_jwe(draft.header | {"alg": alg}, draft.plaintext, key)


def _foreign_key(alg: str) -> dict[str, Any]:
    signing_alg = "RS256" if alg in RSA_ALGS else "ES256"
    return public_parts(signing_key(signing_alg, 997).private, signing_alg)
