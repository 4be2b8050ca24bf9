"""An access token of a request counts if it is one, of this provider, for this API and valid now."""

import math
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.bearer_token import (
    MAX_CLIENT_ID_LENGTH,
    MAX_LIFETIME,
    AccessToken,
    ExpectedToken,
    check_bearer_token,
    claimed_issuer,
    issuer_unknown,
    token_types,
)
from asgi_oidc.protocol.id_token import MAX_SUB_LENGTH
from asgi_oidc.protocol.issuer_template import IssuerTemplate
from asgi_oidc.protocol.jose import MAX_TOKEN_LENGTH, Verified

NOW = 1_800_000_000
LEEWAY = 30
API = "https://api.example.com"
EXPECTED = ExpectedToken(audiences=(API, "https://v2.example.com"))
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example.com",
    "aud": API,
    "sub": "alice",
    "client_id": "program",
    "iat": NOW,
    "exp": NOW + 300,
    "jti": "a-token",
    "scope": "read write",
}
# An access token without anything that tells it from an ID Token, except that its audience is not its client.
BARE = {"scope": ..., "client_id": ..., "azp": "program"}


def read(
    changes: dict[str, Any],
    *,
    typ: str | None = "at+jwt",
    expected: ExpectedToken = EXPECTED,
    issuer: str | IssuerTemplate = CLAIMS["iss"],
) -> AccessToken:
    """Check a token with these changes; `...` leaves a claim out."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    token = Verified("RS256", typ, claims)
    return check_bearer_token(token, expected, issuer=issuer, client_id="web", now=NOW, leeway=LEEWAY)


def code_of(changes: dict[str, Any], **more: Any) -> str:
    with pytest.raises(TokenRejected) as caught:
        read(changes, **more)
    return caught.value.code


def test_it_says_who_calls_and_what_is_granted():
    """All that the rules and the app need."""
    token = read({"name": "Alice"})

    assert (token.issuer, token.sub, token.client_id) == ("https://id.example.com", "alice", "program")
    assert (token.scopes, token.issued_at, token.expires_at) == (("read", "write"), NOW, NOW + 300)
    assert (token.claims["name"], token.is_machine, token.confirmation) == ("Alice", False, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["account", API]},
        {"aud": "https://v2.example.com"},
        {"client_id": ..., "azp": "program"},
        {"client_id": ..., "cid": "program"},
        {"client_id": ..., "appid": "program"},
        {"client_id": ...},
        {"azp": "program"},
        {"client_id": "c" * MAX_CLIENT_ID_LENGTH},
        {"client_id": "c"},
        {"sub": "s"},
        {"scope": ...},
        {"typ": "Bearer"},
        {"typ": "DPoP"},
        {"token_use": "access"},
        {"exp": NOW - LEEWAY + 1, "iat": NOW - 300},
        {"exp": NOW + MAX_LIFETIME},
        {"exp": NOW + 0.5},
        {"iat": NOW + LEEWAY},
        {"nbf": NOW + LEEWAY},
        {"sub": "s" * MAX_SUB_LENGTH},
        {"sub": "\u6d4b \u8bd5"},
        {"sid": "a-session", "acr": "mfa", "auth_time": NOW},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_good_token_passes(changes):
    """Whatever provider has issued it: each names the client in its own way."""
    assert read(changes).sub


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"])
def test_its_type_is_that_of_an_access_token_or_says_nothing(typ):
    """Providers that predate RFC 9068 write JWT, or nothing."""
    assert read({}, typ=typ).sub == "alice"


@pytest.mark.parametrize(
    "typ",
    [
        "logout+jwt",
        "id_token+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "userinfo+jwt",
        "token-introspection+jwt",
        "oauth-id-jag+jwt",
        "txn_token",
        "client-authentication+jwt",
        "at",
        "at+jwt ",
        "",
    ],
)
def test_a_token_of_another_declared_type_is_refused(typ):
    """RFC 8725 §3.11: it says itself that it is something else."""
    assert code_of({}, typ=typ) == "token_typ"


@pytest.mark.parametrize("typ", [None, "JWT"])
def test_token_types_can_be_narrowed_to_those_of_rfc_9068(typ):
    """For a provider whose tokens declare what they are."""
    narrow = ExpectedToken(audiences=(API,), token_types=token_types(["application/AT+JWT"]))

    assert read({}, expected=narrow).sub == read({}, typ="application/at+jwt", expected=narrow).sub
    assert code_of({}, typ=typ, expected=narrow) == "token_typ"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "n"}, "token_typ"),
        ({"nonce": None}, "token_typ"),
        ({"at_hash": "h"}, "token_typ"),
        ({"c_hash": "h"}, "token_typ"),
        ({"s_hash": "h"}, "token_typ"),
        ({"events": {}}, "token_typ"),
        ({"token_introspection": {}}, "token_typ"),
        ({"typ": "ID"}, "token_typ"),
        ({"typ": "Refresh"}, "token_typ"),
        ({"typ": "Offline"}, "token_typ"),
        ({"typ": "Logout"}, "token_typ"),
        ({"typ": None}, "token_typ"),
        ({"typ": ["Bearer"]}, "token_typ"),
        ({"token_use": "id"}, "token_typ"),
        ({"token_use": "refresh"}, "token_typ"),
        ({"iss": "https://id.example.com/"}, "claim_iss"),
        ({"iss": "https://other.example.com"}, "claim_iss"),
        ({"iss": ["https://id.example.com"]}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"aud": ...}, "claim_aud"),
        ({"aud": None}, "claim_aud"),
        ({"aud": []}, "claim_aud"),
        ({"aud": ""}, "claim_aud"),
        ({"aud": API + "/"}, "claim_aud"),
        ({"aud": API.upper()}, "claim_aud"),
        ({"aud": f"{API} https://v2.example.com"}, "claim_aud"),
        ({"aud": ["account", "https://other.example.com"]}, "claim_aud"),
        ({"aud": [API, 7]}, "claim_aud"),
        ({"aud": [[API]]}, "claim_aud"),
        ({"aud": {API: 1}}, "claim_aud"),
        ({"aud": "web"}, "claim_aud"),
        ({"aud": "program"}, "claim_aud"),
        ({"exp": ...}, "claim_exp"),
        ({"exp": None}, "claim_exp"),
        ({"exp": True}, "claim_exp"),
        ({"exp": str(NOW + 300)}, "claim_exp"),
        ({"exp": math.inf}, "claim_exp"),
        ({"exp": math.nan}, "claim_exp"),
        ({"exp": 10**400}, "claim_exp"),
        ({"exp": 1e300}, "claim_exp"),
        ({"exp": -1}, "claim_exp"),
        ({"exp": NOW - LEEWAY, "iat": NOW - 300}, "claim_exp"),
        ({"exp": NOW + MAX_LIFETIME + 1}, "claim_exp"),
        ({"exp": NOW + 300, "iat": NOW + 301 - MAX_LIFETIME - 2}, "claim_exp"),
        ({"exp": NOW, "iat": NOW}, "claim_exp"),
        ({"exp": NOW - 10, "iat": NOW}, "claim_exp"),
        ({"iat": ...}, "claim_iat"),
        ({"iat": False}, "claim_iat"),
        ({"iat": "now"}, "claim_iat"),
        ({"iat": NOW + LEEWAY + 1}, "claim_iat"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"nbf": "now"}, "claim_nbf"),
        ({"sub": ""}, "claim_sub"),
        ({"sub": None}, "claim_sub"),
        ({"sub": 7}, "claim_sub"),
        ({"sub": ["alice"]}, "claim_sub"),
        ({"sub": "s" * (MAX_SUB_LENGTH + 1)}, "claim_sub"),
        ({"sub": "alice\n"}, "claim_sub"),
        ({"sub": "al\u202eice"}, "claim_sub"),
        ({"sub": ..., "client_id": ...}, "claim_sub"),
        ({"sub": ..., "client_id": "c" * (MAX_SUB_LENGTH + 1)}, "claim_sub"),
        ({"client_id": ""}, "claim_client_id"),
        ({"client_id": None}, "claim_client_id"),
        ({"client_id": ["program"]}, "claim_client_id"),
        ({"client_id": "pro\tgram"}, "claim_client_id"),
        ({"client_id": "c" * (MAX_CLIENT_ID_LENGTH + 1)}, "claim_client_id"),
        ({"azp": "other"}, "claim_client_id"),
        ({"azp": None}, "claim_client_id"),
        ({"cid": "other"}, "claim_client_id"),
        ({"appid": "program "}, "claim_client_id"),
        ({"scope": 7}, "claim_scope"),
        ({"scp": "read"}, "claim_scope"),
        ({"cnf": None}, "claim_cnf"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_token_is_refused(changes, code):
    """Each check, with its code; the signature of every one of these is good."""
    assert code_of(changes) == code


@pytest.mark.parametrize("aud", [..., []])
def test_a_missing_audience_is_a_named_exception(aud):
    """And no excuse for a token that is for another API."""
    lax = ExpectedToken(audiences=(API,), allow_missing_audience=True)

    assert read({"aud": aud}, expected=lax).sub == "alice"
    assert [code_of({"aud": other}, expected=lax) for other in ("other", None, ["other"], "")] == ["claim_aud"] * 4


ID_TOKENS = {
    "ours": {"aud": "web", "azp": "web"},
    "ours, without azp": {"aud": "web"},
    "that of another client": {"aud": "spa", "azp": "spa"},
    "that of another client, without azp": {"aud": "spa"},
    "ours, for another client": {"aud": "web", "azp": "spa"},
    "for several audiences": {"aud": [API, "web"], "azp": "web"},
    "with a claim typ that says nothing": {"aud": "web", "typ": "JWT"},
    "of a client whose id is a URL": {"aud": "https://client.example.com", "azp": "https://client.example.com"},
}


@pytest.mark.parametrize("claims", ID_TOKENS.values(), ids=ID_TOKENS)
@pytest.mark.parametrize("typ", [None, "JWT"])
def test_an_id_token_is_no_access_token_even_if_its_client_is_an_audience(claims, typ):
    """Without nonce and hashes, it differs in little: its audience is the client that it was issued to."""
    audiences = ("web", "spa", API, "https://client.example.com")
    changes = {**BARE, "azp": ..., "email": "alice@example.com", "auth_time": NOW, **claims}

    assert code_of(changes, typ=typ, expected=ExpectedToken(audiences=audiences)) == "token_typ"


def test_an_id_token_of_this_app_is_none_even_if_its_client_id_is_a_uri():
    """A token that names no client may be for any audience that is a URI, but not for this one."""
    claims = {**CLAIMS, "aud": API}
    for name in ("client_id", "scope"):
        del claims[name]

    with pytest.raises(TokenRejected) as caught:
        check_bearer_token(
            Verified("RS256", None, claims), EXPECTED, issuer=CLAIMS["iss"], client_id=API, now=NOW, leeway=LEEWAY
        )
    assert caught.value.code == "token_typ"


@pytest.mark.parametrize("typ", ["at+jwt", "application/AT+JWT"])
def test_a_declared_access_token_may_be_for_its_own_client(typ):
    """No ID Token has this type."""
    assert read({**BARE, "aud": "web", "azp": "web"}, typ=typ, expected=ExpectedToken(audiences=("web",))).sub


def test_an_id_token_is_no_access_token_without_an_audience_either():
    """The exception is about access tokens."""
    lax = ExpectedToken(audiences=(API,), allow_missing_audience=True)

    assert code_of({**BARE, "aud": ...}, typ=None, expected=lax) == "token_typ"


@pytest.mark.parametrize(
    "mark",
    [
        {"scope": "read"},
        {"scp": ["read"]},
        {"typ": "Bearer"},
        {"token_use": "access"},
        {"azpacr": "0"},
        {"appidacr": "1"},
        {"idtyp": "user"},
        {"gty": "client-credentials"},
    ],
    ids=str,
)
def test_an_access_token_for_its_own_client_has_a_mark_that_no_id_token_has(mark):
    """Entra issues such tokens if one registration is both the app and its API."""
    expected = ExpectedToken(audiences=("web",))

    assert read({**BARE, "aud": "web", "azp": "web", **mark}, typ="JWT", expected=expected).client_id == "web"


def test_an_access_token_for_another_audience_than_its_client_needs_no_mark():
    """Auth0's, if the client has requested no scope."""
    assert read(BARE, typ="JWT").scopes == ()
    assert read({**BARE, "azp": ...}, typ="JWT").client_id is None


def test_a_jarm_response_is_no_access_token():
    """It is signed by the same keys, for the same client (JARM §2.1)."""
    response = {"sub": ..., "client_id": ..., "scope": ..., "aud": "web", "code": "c", "state": "s"}

    assert code_of(response, typ="JWT", expected=ExpectedToken(audiences=("web",))) == "token_typ"


def test_a_template_takes_the_issuer_of_each_tenant():
    """Microsoft Entra."""
    one, other = "4a5bbb1c-0000-4000-8000-000000000001", "4a5bbb1c-0000-4000-8000-000000000002"
    template = IssuerTemplate("https://login.example.com/{tenantid}/v2.0", tenants=(one,))
    issuer = f"https://login.example.com/{one}/v2.0"

    assert read({"iss": issuer, "tid": one}, issuer=template).issuer == issuer
    assert code_of({"iss": issuer}, issuer=template) == "claim_tid"
    assert code_of({"iss": issuer.replace(one, other), "tid": other}, issuer=template) == "claim_tid"
    assert code_of({"iss": issuer.replace("login", "evil"), "tid": one}, issuer=template) == "claim_iss"


def test_nothing_about_the_user_is_in_an_error_or_a_repr():
    """They end up in logs."""
    secret = "alice-of-wonderland"
    token = read({"sub": secret, "email": secret, "cnf": {"jkt": "a" * 43}})

    assert secret not in repr(token)
    assert "aaa" not in repr(token)
    with pytest.raises(TokenRejected) as caught:
        read({"sub": secret * 20})
    assert secret not in str(caught.value)


def encoded(part: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(part)).decode().rstrip("=")


def jwt(claims: object, header: object = None) -> str:
    return f"{encoded(header or {'alg': 'RS256'})}.{encoded(claims)}.c2ln"


def filled(length: int) -> str:
    token = jwt(CLAIMS)
    return token + "A" * (length - len(token))


NAME = b'"iss":'


@pytest.mark.parametrize(
    ("token", "issuer"),
    [
        (jwt(CLAIMS), CLAIMS["iss"]),
        (jwt({"sub": "alice"}), ""),
        (jwt({"iss": None}), ""),
        (jwt({"iss": ["https://id.example.com"]}), ""),
        ("opaque", None),
        ("", None),
        ("a.b.c", None),
        ("..", None),
        (jwt(CLAIMS) + ".e", None),
        (jwt(CLAIMS).rpartition(".")[0], None),
        (jwt([CLAIMS]), None),
        (jwt(CLAIMS, header=["RS256"]), None),
        (jwt(CLAIMS, header="{"), None),
        (f"{encoded({'alg': 'RS256'})}.{urlsafe_b64encode(b'x').decode()}.c2ln", None),
        (f"{encoded({'alg': 'RS256'})}.{urlsafe_b64encode(b'[' * 9000).decode()}.c2ln", None),
        (f"{encoded({'alg': 'RS256'})}.{urlsafe_b64encode(b'{' + NAME + b'[' * 9000 + b'}').decode()}.c2ln", None),
        (f"{encoded({'alg': 'RS256'})}.{urlsafe_b64encode(b'{' + NAME + bytes([255]) + b'}').decode()}.c2ln", None),
        (filled(MAX_TOKEN_LENGTH), CLAIMS["iss"]),
        (filled(MAX_TOKEN_LENGTH + 1), None),
        (jwt(CLAIMS, header={"alg": "RS256", "x": "y" * 9000}), None),
        (jwt(CLAIMS) + "\u00e9", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_issuer_that_a_token_claims_tells_whose_keys_verify_it(token, issuer):
    """Other tokens are opaque."""
    assert claimed_issuer(token) == issuer


@given(st.text() | st.from_regex(r"[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}"))
def test_any_text_has_an_issuer_or_none(token):
    """Anyone can send anything."""
    assert claimed_issuer(token) is None or isinstance(claimed_issuer(token), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [*CLAIMS, "azp", "cid", "appid", "scp", "cnf", "typ", "token_use", "gty", "idtyp", "nbf", "tid"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON, min_size=1), st.sampled_from([None, "JWT", "at+jwt"]))
def test_claims_of_any_shape_pass_or_are_refused(changes, typ):
    """A provider can sign anything; nothing else than a refusal may come of it."""
    try:
        token = read(changes, typ=typ)
    except TokenRejected:
        return

    assert token.issuer == CLAIMS["iss"]
    assert token.claims["aud"] in EXPECTED.audiences or API in list(changes["aud"])
    assert NOW - LEEWAY < int(str(token.expires_at)) <= NOW + LEEWAY + MAX_LIFETIME


def test_a_token_of_entra_version_1_comes_with_the_fix():
    """Its issuer is none that version 2.0 has."""
    error = issuer_unknown("https://sts.windows.net/4a5bbb1c-0000-4000-8000-000000000001/", ["https://id.example.com"])

    assert (error.code, "requestedAccessTokenVersion to 2" in error.detail) == ("claim_iss", True)
    assert len(issuer_unknown("x" * 9000, ["https://id.example.com"]).detail) < 400
