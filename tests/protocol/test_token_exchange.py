"""A token exchange says whose token it has, and for which API it wants another one."""

from urllib.parse import parse_qsl

import pytest

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import make_metadata
from asgi_oidc.protocol.token_exchange import ExchangeTarget, exchange_call

ISSUER = "https://id.example.com"
METADATA = make_metadata(
    ISSUER, {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
)
CLIENT = Client("web", "a-secret")
ALWAYS = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token": "an-access-token",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


@pytest.mark.parametrize(
    ("wanted", "more"),
    [
        (ExchangeTarget(), {}),
        (ExchangeTarget(resource="https://api.example.com/"), {"resource": "https://api.example.com/"}),
        (ExchangeTarget(audience="billing"), {"audience": "billing"}),
        (
            ExchangeTarget("https://a.example.com", "b", "c d"),
            {"resource": "https://a.example.com", "audience": "b", "scope": "c d"},
        ),
    ],
    ids=repr,
)
def test_the_call_says_what_is_wanted_and_nothing_more(wanted, more):
    """RFC 8693 §2.1."""
    call = exchange_call(METADATA, CLIENT, "an-access-token", wanted)

    assert (call.method, call.url) == ("POST", f"{ISSUER}/token_endpoint")
    assert dict(parse_qsl((call.body or b"").decode(), keep_blank_values=True)) == {**ALWAYS, **more}
    assert call.headers["authorization"].startswith("Basic ")


def test_the_users_token_stays_out_of_the_repr():
    """It stands in tracebacks."""
    assert "an-access-token" not in repr(exchange_call(METADATA, CLIENT, "an-access-token", ExchangeTarget()))
