"""How the app behind the proxy is told who the user is: values that cannot be forged, joined or split."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc import MemoryStore, SettingsError
from asgi_oidc.forward_auth.identity_headers import MAX_VALUE_LENGTH, claim_of, header_value
from asgi_oidc.forward_auth.identity_tokens import LIFETIME
from asgi_oidc.principal import ANONYMOUS, User
from asgi_oidc.testing import FakeProvider, Persona
from asgi_oidc.testing.in_process import call_app
from tests.forward_auth.forward_site import ForwardSite
from tests.protected_site import NOW, ORIGIN

TOKENS: dict[str, Any] = {"headers": {}, "token_header": "X-Identity"}


def pem() -> str:
    """Make a private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def site_of(persona: Persona, options: dict[str, Any]) -> ForwardSite:
    """Make a site with one user."""
    return ForwardSite(
        options, provider=FakeProvider(personas=[persona], alg="ES256"), store=MemoryStore(clock=lambda: NOW)
    )


@pytest.mark.parametrize(
    ("claim", "written"),
    [
        ("alice", "alice"),
        ("Alice Adams", "Alice Adams"),
        ("", ""),
        (None, ""),
        ("a,b;c=d", "a,b;c=d"),
        ("Chloë", "UTF-8''Chlo%C3%AB"),
        (" alice", "UTF-8''%20alice"),
        ("alice ", "UTF-8''alice%20"),
        ("a\r\nX-Roles: admin", "UTF-8''a%0D%0AX-Roles%3A%20admin"),
        ("a\x00b\x7f", "UTF-8''a%00b%7F"),
        ("utf-8''alice", "UTF-8''utf-8%27%27alice"),
        ("\ud800", "UTF-8''%3F"),
        (7, "7"),
        (True, "true"),
        (["a,b", "c"], '["a,b","c"]'),
        (["ü", "\r\n"], '["\\u00fc","\\r\\n"]'),
        ({"a": [1]}, '{"a":[1]}'),
        ([], "[]"),
    ],
)
def test_a_value_is_one_line_of_plain_characters_and_is_never_joined(claim, written):
    """A list whose values are joined is forged by a value that has the separator."""
    assert header_value(claim) == written.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(json_values)
def test_no_claim_can_break_out_of_its_header(claim):
    """Whatever the provider says."""
    value = header_value(claim)

    assert all(0x20 <= code < 0x7F for code in value)
    assert value == value.strip()


@given(st.text(), st.text())
def test_different_texts_are_different_values(one, other):
    """Else one user could be taken for another; half characters are no text."""
    if one != other and not any(0xD800 <= ord(char) < 0xE000 for char in one + other):
        assert header_value(one) != header_value(other)


@pytest.mark.parametrize(
    ("claims", "claim", "told"),
    [
        ({"email": "a@example.com", "email_verified": True}, "email", "a@example.com"),
        ({"email": "a@example.com", "email_verified": False}, "email", None),
        ({"email": "a@example.com"}, "email", None),
        ({"phone_number": "+1", "phone_number_verified": True}, "phone_number", "+1"),
        ({"phone_number": "+1", "phone_number_verified": "true"}, "phone_number", None),
        ({"phone_number": "+1"}, "phone_number", None),
        ({"sub": "mallory"}, "sub", "alice"),
        ({"iss": "https://evil.example"}, "iss", "https://id.example.com"),
        ({"department": "x"}, "department", "x"),
        ({}, "department", None),
    ],
)
def test_an_address_counts_only_if_it_is_verified(claims, claim, told):
    """Apps take it for the account."""
    assert claim_of(User("alice", "https://id.example.com", claims), claim) == told


def test_an_anonymous_user_has_no_claims():
    """Not even an empty subject."""
    assert [claim_of(ANONYMOUS, claim) for claim in ("sub", "iss", "email", "x")] == [None] * 4


@pytest.mark.parametrize("proxy", ["nginx", "traefik"])
@pytest.mark.parametrize("path", ["/page", "/public/x"])
@pytest.mark.parametrize(
    "name", ["x-user", "X-User", "x_user", "X_USER", "x-Roles", "X_Roles", "x-identity", "X_Identity"]
)
async def test_a_request_that_brings_an_identity_header_is_refused(proxy, path, name):
    """Whatever the proxy makes of it: to many apps, `X_User` is the same as `X-User`."""
    site = ForwardSite({"token_header": "X-Identity"})

    replies = [
        await site.ask(path, cookie=cookie, headers={name: "mallory"}, proxy=proxy)
        for cookie in ("", await site.cookie())
    ]

    assert [(reply.status, reply.all("x-user")) for reply in replies] == [(403, [])] * 2


async def test_no_other_character_stands_for_the_dash_of_an_identity_header():
    """PHP takes `X.User` for `X-User`, and lighttpd all of these."""
    site = ForwardSite()

    replies = [await site.ask("/public/x", headers={f"X{each}User": "mallory"}) for each in ".!#$%&'*+^`|~ \xa0"]

    assert {(reply.status, reply.error) for reply in replies} == {(403, "forwarded_identity_header")}


@pytest.mark.parametrize(("length", "count"), [(5000, 1), (4000, 4)])
async def test_claims_that_do_not_fit_let_nobody_in(length, count):
    """Cut values would be wrong ones."""
    claims = {f"claim{number}": "x" * length for number in range(count)}
    persona = Persona("erin", "Erin", "erin@example.com", claims)
    site = site_of(persona, {"headers": {f"X-Claim-{name}": name for name in claims}})
    reply = await site.ask(cookie=await site.cookie("erin"))

    assert (reply.status, reply.error) == (500, "identity_too_large")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"headers": {"User": "sub"}}, "a dash"),
        ({"headers": {"X_User": "sub"}}, "a dash"),
        ({"headers": {"X-User ": "sub"}}, "a dash"),
        ({"headers": {"X-Üser": "sub"}}, "a dash"),
        ({"headers": {"X-Forwarded-User": "sub"}}, "of its own"),
        ({"headers": {"Set-Cookie": "sub"}}, "of its own"),
        ({"headers": {"Content-Length": "sub"}}, "of its own"),
        ({"headers": {"X-Auth-Cookie-1": "sub"}}, "of its own"),
        ({"headers": {"X-User": "sub", "x-user": "email"}}, "twice"),
        ({"headers": {"X-User": ""}}, "the name of a claim"),
        ({"headers": {"X-User": "sub"}, "token_header": "x-user"}, "both"),
        ({"token_claims": ["email"]}, "needs token_header"),
        ({"token_audience": "app"}, "needs token_header"),
        ({"signing_keys": ["x"]}, "needs token_header"),
        ({"token_header": "X-Identity", "signing_keys": ["x"]}, "expected a private key"),
    ],
)
def test_options_that_cannot_work_are_refused_at_start_up(options, problem):
    """With what is expected."""
    with pytest.raises(SettingsError, match=problem):
        ForwardSite(options)


async def jwks_of(site: ForwardSite) -> dict[str, Any]:
    """Get the public keys, as the app behind the proxy does."""
    status, _, body = await call_app(site.app, "GET", "http://asgi-oidc:9000/forward-auth/jwks", {}, b"")
    assert status == 200
    keys: dict[str, Any] = json.loads(body)
    return keys


async def test_a_token_says_who_the_user_is_for_a_minute():
    """Any JWT library verifies it with the published keys."""
    site = ForwardSite({**TOKENS, "token_claims": ["email", "roles", "missing"]})
    token = str((await site.ask(cookie=await site.cookie())).header("x-identity"))

    read = jwt.decode(token, KeySet.import_key_set(await jwks_of(site)), algorithms=["ES256"])  # type: ignore[arg-type]

    assert read.header["typ"] == "JWT"
    assert read.claims == {
        "iss": ORIGIN,
        "aud": ORIGIN,
        "sub": "alice",
        "user_issuer": site.twin.provider.issuer,
        "iat": NOW,
        "exp": NOW + LIFETIME,
        "credential": "session",
        "is_machine": False,
        "email": "alice@example.com",
        "email_verified": True,
        "roles": ["admin"],
    }


async def test_no_claim_of_the_user_replaces_one_of_the_token():
    """The provider does not decide how long our token lives."""
    persona = Persona("erin", "Erin", "erin@example.com", {"is_machine": True, "credential": "x", "user_issuer": "y"})
    site = site_of(persona, {**TOKENS, "token_claims": ["exp", "aud", "credential", "is_machine", "user_issuer"]})
    token = str((await site.ask(cookie=await site.cookie("erin"))).header("x-identity"))

    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))

    assert (claims["exp"], claims["aud"], claims["credential"]) == (NOW + LIFETIME, ORIGIN, "session")
    assert (claims["is_machine"], claims["user_issuer"]) == (False, site.twin.provider.issuer)


async def test_the_audience_may_be_set():
    """An app has a name for itself."""
    site = ForwardSite({**TOKENS, "token_audience": "wiki"})
    token = str((await site.ask(cookie=await site.cookie())).header("x-identity"))

    assert json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["aud"] == "wiki"


async def test_nobody_gets_an_empty_token():
    """There is nothing to say."""
    assert (await ForwardSite(TOKENS).ask("/public/x")).header("x-identity") == ""


async def test_the_first_key_signs_and_all_are_published():
    """So that keys can be changed without a break."""
    new, old = pem(), pem()
    site = ForwardSite({**TOKENS, "signing_keys": [new, old]})
    keys = (await jwks_of(site))["keys"]
    token = str((await site.ask(cookie=await site.cookie())).header("x-identity"))

    assert [sorted(key) for key in keys] == [["alg", "crv", "kid", "kty", "use", "x", "y"]] * 2
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"] == keys[0]["kid"]
    assert [key["kid"] for key in (await jwks_of(ForwardSite({**TOKENS, "signing_keys": [old]})))["keys"]] == [
        keys[1]["kid"]
    ]


async def test_without_a_token_header_there_are_no_keys():
    """The path is like any other."""
    status, _, _ = await call_app(ForwardSite().app, "GET", f"{ORIGIN}/forward-auth/jwks", {}, b"")

    assert status == 401


async def test_a_token_that_does_not_fit_lets_nobody_in():
    """As for plain headers."""
    site = site_of(
        Persona("erin", "Erin", "erin@example.com", {"roles": ["r" * 30] * 100}), {**TOKENS, "token_claims": ["roles"]}
    )
    reply = await site.ask(cookie=await site.cookie("erin"))

    assert MAX_VALUE_LENGTH == 4096
    assert (reply.status, reply.error) == (500, "identity_too_large")
