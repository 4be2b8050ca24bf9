"""Client authentication with an assertion: made for one call, for one provider, and signed as both sides can."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, import_key

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import authenticated_call, choose_method
from asgi_oidc.protocol.client_auth.assertion import ASSERTION_TYPE, LIFETIME
from asgi_oidc.protocol.client_registration import AssertionForm, Client
from asgi_oidc.protocol.jose_signing import public_jwk, read_signing_key
from asgi_oidc.protocol.metadata import ServerMetadata
from asgi_oidc.testing import ClientKey

NOW = 1_800_000_000
ISSUER = "https://id.example.com"
SECRET = "s" * 31 + "%"
EC, RSA, ED = (read_signing_key(ClientKey(alg).pem) for alg in ("ES256", "PS256", "EdDSA"))
BOTH = ["client_secret_basic", "private_key_jwt"]


def metadata(**members: Any) -> ServerMetadata:
    endpoints = {"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/a", "token_endpoint": f"{ISSUER}/t"}
    return ServerMetadata(**{**endpoints, "token_endpoint_auth_methods_supported": BOTH, **members})


def form_of(client: Client, jti: str = "j", **members: Any) -> dict[str, str]:
    armed = client.for_call(now=NOW, audience=ISSUER, jti=jti)
    call = authenticated_call(metadata(**members), armed, f"{ISSUER}/t", {"code": "c"})
    assert "authorization" not in call.headers
    return {name: values[0] for name, values in parse_qs((call.body or b"").decode()).items()}


def parts_of(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (urlsafe_b64decode(part + "==") for part in assertion.split("."))
    return json.loads(header), json.loads(claims)


def test_an_assertion_is_for_one_call_at_one_issuer():
    """RFC 7523 §3, OIDC Core §9, FAPI 2.0: `aud` is the issuer, as text."""
    form = form_of(Client("web", keys=(EC,)))

    assert form | {"client_assertion": ""} == {
        "code": "c",
        "client_id": "web",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": "",
    }
    header, claims = parts_of(form["client_assertion"])
    assert header == {"alg": "ES256", "kid": EC.kid, "typ": "client-authentication+jwt"}
    assert claims == {"iss": "web", "sub": "web", "aud": ISSUER, "jti": "j", "iat": NOW, "exp": NOW + LIFETIME}


@pytest.mark.parametrize("typ", ["client-authentication+jwt", "JWT"])
@pytest.mark.parametrize(
    "client", [Client("web", keys=(EC,)), Client("web", SECRET, "client_secret_jwt")], ids=["key", "secret"]
)
def test_the_typ_of_an_assertion_is_as_set(client, typ):
    """Providers made with Nimbus refuse the standard's own."""
    form = form_of(replace(client, assertion_form=AssertionForm(typ)))

    assert parts_of(form["client_assertion"])[0]["typ"] == typ


@pytest.mark.filterwarnings("ignore:EdDSA")
@pytest.mark.parametrize("key", [EC, RSA, ED], ids=lambda key: key.alg)
def test_the_published_key_verifies_it(key):
    """The provider gets the key from `/auth/jwks`."""
    assertion = form_of(Client("web", keys=(key,)))["client_assertion"]

    published = public_jwk(key)
    verified = jws.deserialize_compact(assertion, import_key(dict(published)), [key.alg])

    assert json.loads(verified.payload)["sub"] == "web"
    assert not {"d", "p", "q", "k"} & published.keys()
    assert (published["kid"], published["use"]) == (key.kid, "sig")


def test_a_client_without_an_attempt_makes_no_assertion():
    """An assertion that is made once would be sent twice."""
    with pytest.raises(ValueError, match="for_call"):
        authenticated_call(metadata(), Client("web", keys=(EC,)), f"{ISSUER}/t", {})


@pytest.mark.parametrize(
    ("key", "pinned", "listed", "chosen"),
    [
        (RSA, None, None, "PS256"),
        (RSA, None, ["RS256", "PS256"], "PS256"),
        (RSA, None, ["HS256", "RS256"], "RS256"),
        (RSA, "RS512", ["PS256"], "RS512"),
        (EC, None, ["RS256", "ES256"], "ES256"),
        (ED, None, None, "EdDSA"),
        (ED, None, ["Ed25519"], "Ed25519"),
        (EC, None, "not a list", "ES256"),
    ],
)
def test_the_algorithm_is_as_set_or_the_strongest_in_common(key, pinned, listed, chosen):
    """RS256 only where nothing better is accepted."""
    client = Client("web", keys=(key,), signing_alg=pinned)

    form = form_of(client, token_endpoint_auth_signing_alg_values_supported=listed)

    assert parts_of(form["client_assertion"])[0]["alg"] == chosen


def test_an_algorithm_that_the_provider_refuses_is_not_tried():
    """The error says what both sides have."""
    with pytest.raises(AnswerRejected) as caught:
        form_of(Client("web", keys=(EC,)), token_endpoint_auth_signing_alg_values_supported=["RS256", "PS256"])

    assert caught.value.code == "client_auth_unsupported"
    assert ("RS256, PS256" in caught.value.detail, "ES256" in caught.value.detail) == (True, True)


@pytest.mark.parametrize(
    ("length", "pinned", "listed", "chosen"),
    [(32, None, [], "HS256"), (64, None, ["HS512"], "HS512"), (64, "HS384", [], "HS384")],
)
def test_a_secret_signs_only_where_that_is_set(length, pinned, listed, chosen):
    """`client_secret_jwt`, with the hash that fits the secret."""
    client = Client("web", "s" * length, "client_secret_jwt", signing_alg=pinned)

    form = form_of(client, token_endpoint_auth_signing_alg_values_supported=listed)

    assertion = form["client_assertion"]
    verified = jws.deserialize_compact(assertion, OctKey.import_key("s" * length), [chosen])
    assert json.loads(verified.payload)["aud"] == ISSUER
    assert "client_secret" not in form


@pytest.mark.parametrize(
    ("client", "supported", "chosen"),
    [
        (Client("web", keys=(EC,)), BOTH, "private_key_jwt"),
        (Client("web", SECRET, keys=(EC,)), BOTH, "private_key_jwt"),
        (Client("web", SECRET, keys=(EC,)), ["client_secret_basic"], "client_secret_basic"),
        (Client("web", SECRET, "client_secret_post", keys=(EC,)), BOTH, "client_secret_post"),
        (Client("web", assertion_file="/run/token"), BOTH, "private_key_jwt"),
        (Client("web", SECRET), ["client_secret_jwt", "client_secret_post"], "client_secret_post"),
    ],
)
def test_the_strongest_method_in_common_is_chosen(client, supported, chosen):
    """A key before a secret; `client_secret_jwt` by name only: providers list it and refuse it (Keycloak)."""
    assert choose_method(client, supported) == chosen


@pytest.mark.parametrize(
    ("client", "setting"),
    [(Client("web", keys=(EC,)), "client_key"), (Client("web", assertion_file="/run/token"), "client_assertion_file")],
)
def test_a_client_with_a_key_never_goes_without_one(client, setting):
    """No step down to a public client; the error names the setting."""
    with pytest.raises(AnswerRejected) as caught:
        choose_method(client, ["client_secret_basic", "none"])

    assert caught.value.code == "client_auth_unsupported"
    assert f"{setting} needs private_key_jwt" in caught.value.detail


def test_an_assertion_of_somebody_else_is_sent_as_it_is():
    """Workload identity: a cluster has signed it."""
    armed = Client("web", assertion_file="/run/token").for_call(now=NOW, audience=ISSUER, jti="j", assertion="a.b.c")

    call = authenticated_call(metadata(), armed, f"{ISSUER}/t", {})

    assert b"client_assertion=a.b.c" in (call.body or b"")
    assert "a.b.c" in call.secrets
    assert "a.b.c" not in repr(armed)


def test_no_key_is_in_a_repr():
    """It stands in tracebacks."""
    shown = repr(Client("web", keys=(EC,)))

    assert EC.kid in shown
    assert "native" not in shown
