"""A token is read from one Authorization header of our schemes, and nothing that looks like one is passed over."""

import pytest

from asgi_oidc.bearer.authorization_header import MAX_HEADER_LENGTH, has_token, read_token, scheme_of
from asgi_oidc.errors import TokenRejected
from asgi_oidc.web.request import Request


def request_with(*values: bytes) -> Request:
    return Request({"type": "http", "method": "GET", "headers": [(b"authorization", value) for value in values]})


@pytest.mark.parametrize(
    ("value", "scheme", "token"),
    [
        (b"Bearer abc", "Bearer", "abc"),
        (b"bearer abc", "Bearer", "abc"),
        (b"BEARER   abc  ", "Bearer", "abc"),
        (b" Bearer abc", "Bearer", "abc"),
        (b"DPoP a.b.c", "DPoP", "a.b.c"),
        (b"dpop a-b_c~d+e/f==", "DPoP", "a-b_c~d+e/f=="),
        (b"Bearer " + b"x" * (MAX_HEADER_LENGTH - 7), "Bearer", "x" * (MAX_HEADER_LENGTH - 7)),
    ],
)
def test_a_token_is_read(value, scheme, token):
    """The scheme is compared without case (RFC 9110 §11.1)."""
    request = request_with(value)

    presented = read_token(request)

    assert has_token(request)
    assert (presented.scheme, presented.token, presented.header, scheme_of(request)) == (scheme, token, value, scheme)
    assert token not in repr(presented)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([b"Bearer a", b"Bearer a"], "authorization_repeated"),
        ([b"Basic abc", b"Bearer a"], "authorization_repeated"),
        ([b"Bearer a", b"Basic abc"], "authorization_repeated"),
        ([b"Bearer " + b"x" * (MAX_HEADER_LENGTH - 6)], "authorization_too_long"),
        ([b"Bearer " + b"x" * 100_000], "authorization_too_long"),
        ([b"Bearer"], "authorization_malformed"),
        ([b"Bearer "], "authorization_malformed"),
        ([b"Bearer a b"], "authorization_malformed"),
        ([b"Bearer a, Bearer b"], "authorization_malformed"),
        ([b"Basic abc, Bearer a"], "authorization_malformed"),
        ([b"Basic abc,dpop a"], "authorization_malformed"),
        ([b"Basic abc, Bearer"], "authorization_malformed"),
        ([b"Bearer\ta"], "authorization_malformed"),
        ([b"Bearer, a"], "authorization_malformed"),
        ([b"Bearer: a"], "authorization_malformed"),
        ([b"Bearer=a"], "authorization_malformed"),
        ([b"Bearer \xc3\xa9"], "authorization_malformed"),
        ([b"Bearer a\x00"], "authorization_malformed"),
        ([b"Bearer a\n"], "authorization_malformed"),
        ([b'DPoP token="a"'], "authorization_malformed"),
    ],
)
def test_what_claims_to_be_a_token_and_is_none_is_refused(values, code):
    """It never counts as a request without a token, which a cookie would decide on."""
    request = request_with(*values)

    assert has_token(request)
    assert scheme_of(request) in ("Bearer", "DPoP")
    with pytest.raises(TokenRejected) as refused:
        read_token(request)
    assert refused.value.code == code
    assert "xxx" not in refused.value.detail


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Basic abc"],
        [b"Basic abc", b"Digest x"],
        [b"BearerX a"],
        [b"Bear er"],
        [b"Token Bearer a"],
        [b'Digest username="a", bearer="b", nonce=bearer'],
        [b"Basic abc, BearerX a"],
        [b"\xff"],
    ],
)
def test_other_schemes_are_not_ours(values):
    """A proxy or the app has its own use for them."""
    assert not has_token(request_with(*values))
