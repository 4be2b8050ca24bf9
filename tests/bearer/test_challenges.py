"""The challenges of an API drive a client's own discovery, so each says exactly what is needed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.bearer.challenges import (
    BEARER,
    DPOP,
    INVALID_DPOP_PROOF,
    MAX_VALUE_LENGTH,
    USE_DPOP_NONCE,
    Challenges,
    Header,
)
from asgi_oidc.protocol.step_up import AuthenticationRequest

METADATA = "https://api.example.com/.well-known/oauth-protected-resource"
API = Challenges(METADATA, ("ES256", "PS256"))
DPOP_API = Challenges(METADATA, ("ES256", "PS256"), requires_dpop=True)

STEP_UP = "The user has to sign in again, in a stronger way or more recently"
LACKS = "The token lacks a scope that this request needs"

# The syntax of RFC 9110 §11.2 and §5.6.4, written down once more: a scheme, and parameters with quoted values.
_PARAMETER = r'[a-z_]+="(?:[ !#-\[\]-~]|\\["\\])*"'
_CHALLENGE = re.compile(rf"(Bearer|DPoP) {_PARAMETER}(, {_PARAMETER})*")


def text_of(header: Header) -> str:
    """Give the value of a header, which must be a challenge."""
    name, value = header
    text = value.decode("ascii")
    assert name == b"www-authenticate"
    assert _CHALLENGE.fullmatch(text)
    return text


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (API.token_missing(), f'Bearer resource_metadata="{METADATA}"'),
        (API.token_missing(["read", "write"]), f'Bearer resource_metadata="{METADATA}", scope="read write"'),
        (
            API.token_refused("The token has expired", scheme=BEARER),
            f'Bearer resource_metadata="{METADATA}", error="invalid_token", error_description="The token has expired"',
        ),
        (
            API.token_refused("The proof is too old", scheme=DPOP, error=INVALID_DPOP_PROOF),
            f'DPoP resource_metadata="{METADATA}", error="invalid_dpop_proof", '
            'error_description="The proof is too old", algs="ES256 PS256"',
        ),
        (
            API.token_refused("The proof needs a nonce", scheme=DPOP, error=USE_DPOP_NONCE),
            f'DPoP resource_metadata="{METADATA}", error="use_dpop_nonce", '
            'error_description="The proof needs a nonce", algs="ES256 PS256"',
        ),
        (
            API.scope_missing(["read", "write"], scheme=BEARER),
            f'Bearer resource_metadata="{METADATA}", error="insufficient_scope", '
            f'error_description="{LACKS}", scope="read write"',
        ),
        (
            API.step_up(AuthenticationRequest(("urn:a:1", "urn:a:2"), 0), scheme=BEARER),
            f'Bearer resource_metadata="{METADATA}", error="insufficient_user_authentication", '
            f'error_description="{STEP_UP}", acr_values="urn:a:1 urn:a:2", max_age="0"',
        ),
        (
            API.step_up(AuthenticationRequest(("mfa",)), scheme=DPOP),
            f'DPoP resource_metadata="{METADATA}", error="insufficient_user_authentication", '
            f'error_description="{STEP_UP}", acr_values="mfa", algs="ES256 PS256"',
        ),
        (
            API.step_up(AuthenticationRequest((), 300, prompt="login"), scheme=BEARER),
            f'Bearer resource_metadata="{METADATA}", error="insufficient_user_authentication", '
            f'error_description="{STEP_UP}", max_age="300"',
        ),
    ],
)
def test_a_challenge_has_the_parameters_of_its_specification(header, expected):
    """A client decides by them what to do next: sign in, ask for more scopes, or step up."""
    assert text_of(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        DPOP_API.token_missing(),
        DPOP_API.token_refused("Expired", scheme=BEARER),
        DPOP_API.scope_missing(["read"], scheme=BEARER),
        DPOP_API.step_up(AuthenticationRequest((), 300), scheme=BEARER),
    ],
)
def test_an_api_that_requires_dpop_offers_nothing_else(header):
    """A plain Bearer token would be refused at once again (RFC 9449 §7.1)."""
    text = text_of(header)

    assert text.startswith(f'DPoP resource_metadata="{METADATA}"')
    assert text.endswith('algs="ES256 PS256"')


@given(text=st.text(max_size=80))
def test_no_text_leaves_its_quotes(text):
    """A line break would start a header of its own, a quotation mark a parameter of its own (RFC 9110 §5.6.4)."""
    for header in (
        API.token_missing([text]),
        API.token_refused(text, scheme=BEARER),
        API.scope_missing([text], scheme=BEARER),
        API.step_up(AuthenticationRequest((text,)), scheme=BEARER),
    ):
        names = re.findall(r'([a-z_]+)="(?:[^"\\]|\\.)*"', text_of(header))
        assert len(names) == len(set(names)) <= 4


def test_a_quotation_mark_and_a_backslash_are_escaped():
    """Clients take the escapes off again, and get the very text."""
    assert r'scope="a\"b\\c ?~"' in text_of(API.token_missing(['a"b\\c', "\u00e9~"]))


def test_a_value_that_is_too_long_is_left_out():
    """A proxy would answer 502 to headers that are too long; half a list of scopes would mislead the client."""
    longest = "a" * MAX_VALUE_LENGTH

    assert f'scope="{longest}"' in text_of(API.token_missing([longest]))
    assert text_of(API.token_missing([f"{longest}a"])) == f'Bearer resource_metadata="{METADATA}"'


def test_a_path_with_several_readings_is_that_of_the_narrower_api():
    """Whichever the app serves, its client finds the metadata of that API."""
    mcp = Challenges(f"{METADATA}/mcp", ("ES256",))
    both = Challenges(METADATA, ("ES256",), narrower={"/mcp": mcp})

    assert both.at({"/other", "/mcp/x"}) is mcp
    assert both.at({"/other", "/mcpx"}) is both
    assert both.at(()) is both
