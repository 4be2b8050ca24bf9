"""What is stored of a session comes back exactly, whatever the provider issues."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.protocol.id_token import FIRST
from asgi_oidc.sessions.packing.short_texts import restore, shorten
from asgi_oidc.sessions.sealing import base64url
from asgi_oidc.sessions.session import Login, Session, Tokens, make_tokens, write_claims
from asgi_oidc.sessions.session_format import (
    decode_login,
    decode_session,
    decode_tokens,
    decode_use,
    encode_login,
    encode_session,
    encode_tokens,
    encode_use,
)
from tests.sessions.test_session import ID, LOGIN, SESSION, TOKENS, with_tokens

UUIDS = st.uuids().map(str)
IDS = st.one_of(st.text(max_size=40), UUIDS, UUIDS.map(str.upper), st.binary(max_size=40).map(base64url))
NUMBERS = st.one_of(st.integers(-(2**80), 2**80), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, IDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(IDS, inner, max_size=4)),
    max_leaves=12,
)
CLAIMS = st.dictionaries(st.one_of(st.sampled_from(["sub", "email", "groups", "aud"]), IDS), JSON, max_size=6)
SPACED = st.booleans()


@st.composite
def jwts(draw: st.DrawFn, claims: st.SearchStrategy[dict[str, Any]] = CLAIMS) -> str:
    """Make a JWT as providers spell their JSON: compact, with spaces, or by another encoder."""
    import json

    payload = draw(claims)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    written = json.dumps(payload, separators=separators, ensure_ascii=draw(st.booleans()))
    parts = (b'{"alg":"RS256","kid":"1"}', written.encode("utf-8", "replace"), draw(st.binary(max_size=70)))
    return ".".join(map(base64url, parts))


PIECES = st.one_of(IDS, st.sampled_from(["", "e30", "eyJhIjoxfQ", base64url(b'{"a":1,"a":2}'), base64url(b"{\x01}")]))
TOKENS_OF_PROVIDERS = st.one_of(
    jwts(), IDS, st.text(), st.lists(PIECES, min_size=1, max_size=6).map(".".join), st.just("ya29.a0-_" + "x" * 40)
)


def of_tokens(**texts: Any) -> Tokens:
    """Make tokens with these texts."""
    return make_tokens(**{"id_token": "", "access_token": None, "scopes": [], "access_expires_at": None, **texts})


@given(CLAIMS, TOKENS_OF_PROVIDERS, st.none() | TOKENS_OF_PROVIDERS, st.none() | TOKENS_OF_PROVIDERS)
def test_whatever_a_provider_issues_comes_back_byte_by_byte(claims, id_token, access_token, refresh_token):
    """Nobody can repair a signed token whose spelling has changed."""
    written = write_claims(claims)
    tokens = of_tokens(
        written_claims=written, id_token=id_token, access_token=access_token, refresh_token=refresh_token
    )

    read = decode_tokens(encode_tokens(tokens))

    assert read is not None
    assert (bytes(read.written_claims), read.claims) == (bytes(written), tokens.claims)
    assert (read.id_token, read.access_token, read.refresh_token) == (id_token, access_token, refresh_token)


@pytest.mark.parametrize("depth", [10, 100_000])
def test_a_token_of_deeply_nested_json_comes_back(depth):
    """Nobody reads the claims of an access token that is for an API."""
    payload = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    jwt = ".".join(map(base64url, (b'{"alg":"RS256"}', payload, bytes(64))))

    read = decode_tokens(encode_tokens(of_tokens(written_claims=write_claims({}), access_token=jwt)))

    assert read is not None
    assert read.access_token == jwt


@given(CLAIMS, st.data())
def test_claims_are_restored_from_the_id_token_and_what_changed(stated, data):
    """Claims of userinfo are added, and `on_login` changes, removes and reorders."""
    changes = data.draw(CLAIMS, "changes")
    kept = data.draw(st.lists(st.sampled_from([*stated, "none"]), unique=True), "kept") if stated else []
    claims = {name: stated[name] for name in kept if name in stated} | changes
    id_token = data.draw(jwts(st.just(stated)), "ID Token")
    tokens = of_tokens(written_claims=write_claims(claims), id_token=id_token)

    read = decode_tokens(encode_tokens(tokens))

    assert read is not None
    assert (bytes(read.written_claims), read.id_token) == (bytes(tokens.written_claims), id_token)


@given(
    st.builds(
        Login,
        id=IDS,
        issuer=st.text(),
        sub=IDS,
        sid=st.none() | IDS,
        first=st.dictionaries(st.sampled_from(FIRST), JSON),
        set_by_on_login=st.lists(st.text(), max_size=2),
        created_at=st.integers(0, 2**40),
        began=st.integers(0, 2**50),
        replaced=st.lists(IDS, max_size=2),
        provider=st.text(max_size=5),
        endpoints_digest=IDS,
        dpop_key=IDS,
        requested_details=st.lists(IDS, max_size=2).map(tuple),
    )
)
def test_logins_come_back_as_they_were(login):
    """Also those of providers with uncommon ids."""
    assert decode_login(encode_login(login)) == login


@given(
    st.builds(
        Tokens,
        generation=st.integers(0, 2**40),
        texts=st.just(TOKENS.texts),
        access_expires_at=st.none() | st.integers(0, 2**40),
        refresh_due_at=st.none() | st.integers(0, 2**40),
        scopes=st.lists(st.text("abc:/.", min_size=1), max_size=3),
        retry_at=st.integers(0, 2**40),
        forced_at=st.integers(0, 2**40),
        ends_at=st.none() | st.integers(0, 2**40),
        id_token_claim_names=st.none() | st.lists(st.text(), max_size=3),
        from_access_token=st.lists(st.text(), max_size=3),
        confirmed_at=st.integers(0, 2**40),
        authorization_details=st.lists(st.dictionaries(st.text(), st.text(), max_size=2), max_size=2).map(
            lambda details: msgspec.Raw(msgspec.json.encode(details))
        ),
    ),
    st.integers(0, 2**40),
)
def test_sessions_come_back_as_they_were(tokens, seen_at):
    """Every field counts."""
    session = Session(login=LOGIN, tokens=tokens, seen_at=seen_at)

    read = decode_session(encode_session(session))

    assert read is not None
    assert bytes(read.tokens.authorization_details) == bytes(tokens.authorization_details)
    tokens = msgspec.structs.replace(tokens, authorization_details=read.tokens.authorization_details)
    assert read == msgspec.structs.replace(session, tokens=tokens)


@given(IDS)
def test_short_texts_come_back_as_they_were(text):
    """Their spelling too: ids are compared byte for byte."""
    assert restore(shorten(text)) == text


@pytest.mark.parametrize("text", ["0b5cf6c2-0f0e-4c67-9d2e-3f6a8b1c2d3e", base64url(bytes(32)), "alice", "A" * 22])
def test_ids_take_the_bytes_that_they_encode(text):
    """A UUID takes 16, and 32 random bytes take 32."""
    assert len(shorten(text)) == {36: 16, 43: 32}.get(len(text), len(text))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xff", b"[]", b"[1]", b"{}", b'{"id":"x"}', b"[" * 90_000, b"[1" + b',"x"' * 20 + b"]", b"\x78junk"),
        b'[2,"id","https://id.example.com","alice",null,{},[],1,1]',
        *(b"\x04", b"\x04\xff", b"\x04\x90", b"\x04\x91\xc1", b"\x05" + encode_login(LOGIN)[1:]),
        b"\x04" + msgspec.msgpack.encode([7, "https://id.example.com", "alice", {}, 1, 1]),
    ],
    ids=lambda data: ascii(data[:12]),
)
def test_bytes_of_another_format_are_no_session(data):
    """They are ours, but from another release."""
    assert (decode_session(data), decode_login(data), decode_tokens(data), decode_use(data)) == (None,) * 4


def test_one_kind_of_value_does_not_decode_as_another():
    """A login is no session, and tokens are no login."""
    login, tokens, session = encode_login(LOGIN), encode_tokens(TOKENS), encode_session(SESSION)

    assert (decode_session(login), decode_session(tokens)) == (None, None)
    assert (decode_login(session), decode_login(tokens)) == (None, None)
    assert (decode_tokens(session), decode_tokens(login)) == (None, None)


@pytest.mark.parametrize("value", [2**70, 10**30, 1.5, [[]], {"a": None}])
def test_claims_of_any_json_value_are_kept(value):
    """A number may be larger than any machine's."""
    session = with_tokens(written_claims=write_claims({"odd": value}))

    decoded = decode_session(encode_session(session))

    assert decoded == session
    assert decoded is not None
    assert decoded.tokens.claims == {"odd": value}


def test_the_claims_of_an_id_token_take_no_space_of_their_own():
    """They are stored once, in the token."""
    claims = {"sub": "alice", "roles": [f"role-{number * 7919}" for number in range(60)]}
    id_token = ".".join(map(base64url, (b'{"alg":"RS256"}', msgspec.json.encode(claims), bytes(256))))

    alone = encode_tokens(of_tokens(written_claims=write_claims({}), id_token=id_token))
    both = encode_tokens(of_tokens(written_claims=write_claims(claims), id_token=id_token))

    assert len(both) <= len(alone)


def test_a_last_use_is_read_as_it_was_written():
    """It names the session that it belongs to."""
    assert decode_use(encode_use(ID, 1234)) == decode_use(b'["%s",1234]' % ID.encode())
    assert decode_use(encode_use("B" * 43, 1234)) != decode_use(encode_use(ID, 1234))
