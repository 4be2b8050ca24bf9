"""What the provider says about a token makes it count, or not; what a JWT says itself holds too."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import AnswerRejected, OIDCError, TokenRejected
from asgi_oidc.protocol.bearer_token import AccessToken, ExpectedToken
from asgi_oidc.protocol.introspected_token import check_introspection, check_jwt
from asgi_oidc.protocol.issuer_template import IssuerTemplate
from asgi_oidc.protocol.jose import Verified

NOW = 1_800_000_000
LEEWAY = 30
ISSUER = "https://id.example.com"
API = "https://api.example.com"
EXPECTED = ExpectedToken(audiences=(API,))
LAX = ExpectedToken(audiences=(API,), allow_missing_audience=True)
THUMBPRINT = "a" * 43
MEMBERS: dict[str, Any] = {
    "active": True,
    "iss": ISSUER,
    "aud": API,
    "sub": "alice",
    "client_id": "program",
    "iat": NOW,
    "exp": NOW + 300,
    "scope": "read write",
    "token_type": "Bearer",
}
JWT: dict[str, Any] = {"iss": ISSUER, "azp": "program", "iat": NOW, "exp": NOW + 300, "typ": "Bearer", "jti": "a-token"}


def read(
    changes: dict[str, Any],
    *,
    jwt: dict[str, Any] | None = None,
    typ: str | None = "JWT",
    expected: ExpectedToken = EXPECTED,
    issuer: str | IssuerTemplate = ISSUER,
) -> AccessToken:
    """Read an answer with these changes; `...` leaves a member out."""
    members = {name: value for name, value in {**MEMBERS, **changes}.items() if value is not ...}
    token = None if jwt is None else Verified("ES256", typ, {k: v for k, v in jwt.items() if v is not ...})
    if token is not None:
        check_jwt(token, expected, issuer=issuer, now=NOW, leeway=LEEWAY)
    return check_introspection(members, expected, issuer=issuer, client_id="web", now=NOW, leeway=LEEWAY, jwt=token)


def code_of(changes: dict[str, Any], **more: Any) -> str:
    with pytest.raises(OIDCError) as caught:
        read(changes, **more)
    return caught.value.code


def test_the_answer_says_who_calls_and_what_is_granted():
    """As a JWT would."""
    token = read({"email": "alice@example.com"})

    assert (token.issuer, token.sub, token.client_id, token.is_machine) == (ISSUER, "alice", "program", False)
    assert (token.scopes, token.issued_at, token.expires_at) == (("read", "write"), NOW, NOW + 300)
    assert (token.claims["email"], "active" in token.claims) == ("alice@example.com", False)


def test_what_the_answer_leaves_open_is_not_made_up():
    """The issuer alone is known: it was asked."""
    token = read(dict.fromkeys(("iss", "iat", "exp", "client_id", "scope", "token_type"), ...))

    assert (token.issuer, token.claims["iss"], token.expires_at, token.issued_at) == (ISSUER, ISSUER, None, 0)
    assert (token.client_id, token.scopes) == (None, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["account", API]},
        {"token_type": "bearer"},
        {"token_type": "access_token"},
        {"token_type": "DPoP", "cnf": {"jkt": THUMBPRINT}},
        {"cnf": {"x5t#S256": THUMBPRINT}},
        {"token_use": "access_token"},
        {"token_use": "access"},
        {"typ": "Bearer"},
        {"exp": NOW - LEEWAY + 1},
        {"exp": NOW + 10**7},
        {"exp": NOW + 300.5},
        {"nbf": NOW + LEEWAY},
        {"scope": ["read"]},
        dict.fromkeys(("iss", "exp", "iat", "nbf", "client_id", "scope", "token_type", "username", "act"), None),
        {"username": "alice", "act": {"sub": "service"}, "realm_access": {"roles": ["admin"]}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_good_answer_passes(changes):
    """Providers differ in what they say; a null says nothing."""
    assert read(changes).sub == "alice"


@pytest.mark.parametrize("changes", [{}, {"sub": None}, {"exp": "never"}, {"aud": 7}], ids=str)
def test_an_inactive_token_is_refused(changes):
    """Whatever else the answer says."""
    assert code_of({"active": False, **changes}) == "token_inactive"


@pytest.mark.parametrize(
    "changes",
    [
        {"active": "true"},
        {"active": "false"},
        {"active": 1},
        {"active": 0},
        {"active": None},
        {"active": [True]},
        {"active": {}},
        {"active": ...},
        {"sub": 7},
        {"sub": None},
        {"sub": ["alice"]},
        {"iss": [ISSUER]},
        {"aud": 7},
        {"aud": [API, 7]},
        {"aud": {API: True}},
        {"exp": "1900000000"},
        {"exp": True},
        {"iat": "now"},
        {"nbf": []},
        {"client_id": 7},
        {"scope": 7},
        {"scope": [7]},
        {"token_type": 7},
        {"cnf": "jkt"},
        {"cnf": None},
        {"cnf": []},
    ],
    ids=str,
)
def test_a_malformed_answer_is_the_fault_of_the_provider(changes):
    """So the client is not told that its token is bad."""
    with pytest.raises(AnswerRejected) as caught:
        read(changes)

    assert caught.value.code == "introspection_malformed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://other.example.com"}, "claim_iss"),
        ({"iss": ISSUER + "/"}, "claim_iss"),
        ({"aud": "https://other.example.com"}, "claim_aud"),
        ({"aud": ["other"]}, "claim_aud"),
        ({"aud": []}, "claim_aud"),
        ({"aud": None}, "claim_aud"),
        ({"aud": ...}, "claim_aud"),
        ({"aud": "program"}, "claim_aud"),
        ({"exp": NOW - LEEWAY}, "claim_exp"),
        ({"exp": 1e300}, "claim_exp"),
        ({"exp": 10**400}, "claim_exp"),
        ({"exp": -1}, "claim_exp"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"iat": NOW + LEEWAY + 1}, "claim_iat"),
        ({"sub": ""}, "claim_sub"),
        ({"sub": "s" * 256}, "claim_sub"),
        ({"sub": ..., "username": "alice"}, "claim_sub"),
        ({"sub": ..., "client_id": ...}, "claim_sub"),
        ({"client_id": ""}, "claim_client_id"),
        ({"azp": "other"}, "claim_client_id"),
        ({"scope": "l\u00e4sen"}, "claim_scope"),
        ({"cnf": {}}, "claim_cnf"),
        ({"cnf": {"jwk": {}}}, "claim_cnf"),
        ({"token_type": "DPoP"}, "claim_cnf"),
        ({"token_type": "DPoP", "cnf": {"x5t#S256": THUMBPRINT}}, "claim_cnf"),
        ({"token_type": "refresh_token"}, "token_typ"),
        ({"token_type": "N_A"}, "token_typ"),
        ({"token_type": "id_token"}, "token_typ"),
        ({"token_use": "refresh_token"}, "token_typ"),
        ({"token_use": ["access_token"]}, "token_typ"),
        ({"token_use": ""}, "token_typ"),
        ({"typ": "Refresh"}, "token_typ"),
        ({"typ": "ID"}, "token_typ"),
        ({"nonce": "n"}, "token_typ"),
        ({"at_hash": "h"}, "token_typ"),
        ({"events": {}}, "token_typ"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_active_token_for_something_else_is_refused(changes, code):
    """The provider knows many tokens that are good elsewhere."""
    with pytest.raises(TokenRejected) as caught:
        read(changes)

    assert caught.value.code == code


@pytest.mark.parametrize("aud", [..., None, []], ids=str)
def test_a_missing_audience_is_a_named_exception(aud):
    """It does not open the API to refresh tokens, which have none either."""
    assert read({"aud": aud}, expected=LAX).sub == "alice"
    assert read({"aud": aud, "token_type": ..., "token_use": "access_token"}, expected=LAX).sub == "alice"
    assert code_of({"aud": "other"}, expected=LAX) == "claim_aud"


def test_without_audience_and_type_a_token_may_be_a_refresh_token():
    """The answer of oidc-provider for one has neither."""
    assert code_of({"aud": ..., "token_type": ...}, expected=LAX) == "token_typ"


def test_a_token_without_sub_is_that_of_a_machine():
    """As oidc-provider answers for client credentials."""
    token = read({"sub": ...})

    assert (token.is_machine, token.sub, token.client_id) == (True, "program", "program")


def test_with_a_template_the_answer_has_to_name_the_issuer():
    """Otherwise, nobody knows which tenant the user is from."""
    tenant = "4a5bbb1c-0000-4000-8000-000000000001"
    template = IssuerTemplate("https://login.example.com/{tenantid}/v2.0", tenants=(tenant,))
    issuer = f"https://login.example.com/{tenant}/v2.0"

    assert read({"iss": issuer, "tid": tenant}, issuer=template).issuer == issuer
    assert code_of({"iss": ..., "tid": tenant}, issuer=template) == "claim_iss"
    assert code_of({"iss": issuer}, issuer=template) == "claim_tid"


def test_a_lightweight_jwt_is_completed_by_the_answer():
    """Keycloak's have neither audience nor user."""
    token = read({"client_id": "program"}, jwt=JWT)

    assert (token.sub, token.client_id, token.scopes) == ("alice", "program", ("read", "write"))
    assert (token.claims["jti"], token.claims["typ"]) == ("a-token", "Bearer")


def test_the_answer_says_what_a_jwt_grants_now():
    """Rights may have been taken away since it was issued."""
    jwt = {**JWT, "scp": ["read", "write", "delete"], "roles": ["admin"], "department": "sales"}

    token = read({"scope": "read", "roles": []}, jwt=jwt)

    assert (token.scopes, token.claims["roles"], token.claims["department"]) == (("read",), [], "sales")
    assert "scp" not in token.claims


def test_the_scopes_of_a_jwt_count_if_the_answer_has_none():
    """The member is optional (RFC 7662 §2.2)."""
    assert read({"scope": ...}, jwt={**JWT, "scope": "read"}).scopes == ("read",)


@pytest.mark.parametrize(("answer", "jwt"), [(300, 600), (600, 300)])
def test_the_earlier_end_counts(answer, jwt):
    """An answer does not prolong a JWT."""
    token = read({"exp": NOW + answer}, jwt={**JWT, "exp": NOW + jwt})

    assert token.expires_at == NOW + 300
    assert read({"exp": ...}, jwt=JWT).expires_at == NOW + 300
    assert read({"iat": NOW + 5}, jwt=JWT).issued_at == NOW


def test_a_jwt_stays_bound_to_its_key():
    """An answer that does not say so does not unbind it."""
    cnf = {"jkt": THUMBPRINT}

    token = read({}, jwt={**JWT, "cnf": cnf})

    assert token.confirmation is not None
    assert token.confirmation.jkt == THUMBPRINT


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "bob"},
        {"jti": "another-token"},
        {"azp": "other"},
        {"cnf": {"jkt": "b" * 43}},
    ],
    ids=str,
)
def test_an_answer_about_another_token_is_refused(changes):
    """A mix-up in a cache between us and the provider would make one user another."""
    jwt = {**JWT, "sub": "alice", "cnf": {"jkt": THUMBPRINT}}

    assert code_of(changes, jwt=jwt) == "introspection_mismatch"


def test_an_answer_of_another_tenant_is_about_another_token():
    """Both are good issuers, but the user is in one of them."""
    one, other = "4a5bbb1c-0000-4000-8000-000000000001", "4a5bbb1c-0000-4000-8000-000000000002"
    template = IssuerTemplate("https://login.example.com/{tenantid}/v2.0")
    issuers = [f"https://login.example.com/{tenant}/v2.0" for tenant in (one, other)]
    jwt = {**JWT, "iss": issuers[0], "tid": one}

    assert read({"iss": issuers[0], "tid": one}, jwt=jwt, issuer=template).issuer == issuers[0]
    assert code_of({"iss": issuers[1], "tid": other}, jwt=jwt, issuer=template) == "introspection_mismatch"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "other"}, "claim_aud"),
        ({"aud": []}, "claim_aud"),
        ({"iss": "https://other.example.com"}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"exp": NOW - LEEWAY}, "claim_exp"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"typ": "Refresh"}, "token_typ"),
        ({"nonce": "n"}, "token_typ"),
        ({"events": {}}, "token_typ"),
        ({"azp": None}, "claim_client_id"),
    ],
    ids=str,
)
def test_no_answer_makes_a_bad_jwt_good(changes, code):
    """It is refused before the provider is asked."""
    token = Verified("ES256", "JWT", {k: v for k, v in {**JWT, **changes}.items() if v is not ...})

    with pytest.raises(TokenRejected) as caught:
        check_jwt(token, EXPECTED, issuer=ISSUER, now=NOW, leeway=LEEWAY)

    assert caught.value.code == code


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "token-introspection+jwt"])
def test_a_jwt_of_another_type_is_not_asked_about(typ):
    """RFC 8725 §3.11."""
    assert code_of({}, jwt=JWT, typ=typ) == "token_typ"
    assert code_of({}, jwt=JWT, expected=ExpectedToken(audiences=(API,), token_types=("at+jwt",))) == "token_typ"


def test_an_id_token_is_no_access_token_even_if_the_provider_says_that_it_is_active():
    """Some introspect any token that they have signed."""
    id_token = {"iss": ISSUER, "aud": "web", "sub": "alice", "iat": NOW, "exp": NOW + 300}
    answer = {"client_id": ..., "scope": ..., "aud": "web"}

    assert code_of(answer, jwt=id_token, expected=ExpectedToken(audiences=("web",))) == "token_typ"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*MEMBERS, "azp", "scp", "cnf", "typ", "token_use", "nbf", "tid", "username"])


@given(st.dictionaries(NAMES, JSON), st.none() | st.dictionaries(NAMES, JSON))
def test_answers_of_any_shape_pass_or_are_refused(changes, jwt):
    """A provider can answer anything; nothing else than a refusal may come of it."""
    try:
        token = read(changes, jwt=None if jwt is None else {**JWT, **jwt})
    except (TokenRejected, AnswerRejected):
        return

    assert changes.get("active", True) is True
    assert token.issuer == ISSUER
