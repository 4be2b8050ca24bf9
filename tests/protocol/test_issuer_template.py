"""A multi-tenant provider has an issuer for each tenant: made from the token's `tid`, and compared exactly."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import AnswerRejected, RequestRejected, TokenRejected
from asgi_oidc.protocol.authorization_endpoint import AuthorizationResponse, check_response_issuer
from asgi_oidc.protocol.id_token import Expected, check_id_token
from asgi_oidc.protocol.issuer_template import (
    PERSONAL_ACCOUNTS,
    IssuerTemplate,
    check_issuer,
    check_key_issuer,
    includes_issuer,
)
from asgi_oidc.protocol.jose import Verified, read_key_set_answer, verify_token
from asgi_oidc.protocol.logout_token import EVENT, read_logout_token
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.metadata import metadata_call, read_metadata_answer
from asgi_oidc.testing.keys import compact_jws, signing_key

NOW = 1_800_000_000
TEXT = "https://login.example.com/{tenantid}/v2.0"
ONE = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
TWO = "82229342-1101-4ab6-817b-70c0747630f3"
ISSUER_OF_ONE = f"https://login.example.com/{ONE}/v2.0"
ISSUER_OF_TWO = f"https://login.example.com/{TWO}/v2.0"
EVERY_TENANT = IssuerTemplate(TEXT)
ONLY_ONE = IssuerTemplate(TEXT, tenants=[ONE])

BAD_TENANTS = [
    None,
    "",
    7,
    True,
    [ONE],
    {"tid": ONE},
    ONE.upper(),
    ONE.replace("-", ""),
    f"{{{ONE}}}",
    f" {ONE}",
    f"{ONE}\n",
    f"{ONE}/..",
    f"../{ONE}",
    "../",
    "..",
    "%2e%2e",
    "{tenantid}",
    "organizations",
    "contoso.onmicrosoft.com",
    ONE[:-1],
    ONE + "0",
    ONE.replace("8", "\u0668"),
    f"{ONE}?",
    "x" * 10_000,
]


def code_of(claims: dict[str, Any], issuer: Any = EVERY_TENANT) -> str:
    with pytest.raises(TokenRejected) as caught:
        check_issuer(claims, issuer)
    return caught.value.code


# --- the template


@pytest.mark.parametrize(
    "text",
    [
        "",
        ISSUER_OF_ONE,
        TEXT + "{tenantid}",
        "https://login.example.com/{TENANTID}/v2.0",
        "https://login.example.com/{tenantid}/{policy}",
        "http://login.example.com/{tenantid}/v2.0",
        "ftp://login.example.com/{tenantid}",
        "{tenantid}",
    ],
)
def test_a_template_is_a_url_with_one_placeholder(text):
    """Anything else is a mistake in the settings."""
    with pytest.raises(ValueError, match="must"):
        IssuerTemplate(text)


def test_a_template_is_filled_with_the_tenant_of_the_token():
    """Microsoft, "Validate the issuer": replace, then compare exactly."""
    assert check_issuer({"iss": ISSUER_OF_ONE, "tid": ONE}, EVERY_TENANT) == ISSUER_OF_ONE
    assert check_issuer({"iss": ISSUER_OF_TWO, "tid": TWO}, EVERY_TENANT) == ISSUER_OF_TWO


@pytest.mark.parametrize("tid", BAD_TENANTS, ids=lambda tid: str(tid)[:30])
def test_a_tenant_is_a_uuid_in_lower_case(tid):
    """With a second spelling, a tenant would have a second issuer, and `../` would lead to another one."""
    issuer = TEXT.replace("{tenantid}", str(tid))

    assert code_of({"iss": issuer, "tid": tid}) == "claim_tid"
    assert not EVERY_TENANT.has_issuer(issuer)


def test_a_token_without_a_tenant_is_refused():
    """There is nothing to fill the template with."""
    assert code_of({"iss": ISSUER_OF_ONE}) == "claim_tid"
    assert code_of({"iss": TEXT}) == "claim_tid"


@pytest.mark.parametrize(
    "iss",
    [
        ISSUER_OF_TWO,
        TEXT,
        ISSUER_OF_ONE + "/",
        ISSUER_OF_ONE.upper(),
        "https://evil.example.com",
        None,
        [ISSUER_OF_ONE],
    ],
)
def test_the_issuer_is_that_of_the_tenant(iss):
    """A token of one tenant must not sign in a user of another."""
    assert code_of({"iss": iss, "tid": ONE}) == "claim_iss"


def test_only_listed_tenants_may_sign_in():
    """Anyone can register a tenant, and create any user there."""
    assert check_issuer({"iss": ISSUER_OF_ONE, "tid": ONE}, ONLY_ONE) == ISSUER_OF_ONE
    assert code_of({"iss": ISSUER_OF_TWO, "tid": TWO}, ONLY_ONE) == "claim_tid"
    assert code_of({"iss": ISSUER_OF_ONE, "tid": ONE}, IssuerTemplate(TEXT, tenants=[])) == "claim_tid"


def test_a_tenant_may_be_excluded():
    """Entra's `organizations` means every tenant but that of personal accounts."""
    organizations = IssuerTemplate(TEXT, excluded=[PERSONAL_ACCOUNTS])
    personal = TEXT.replace("{tenantid}", PERSONAL_ACCOUNTS)

    assert check_issuer({"iss": ISSUER_OF_ONE, "tid": ONE}, organizations)
    assert code_of({"iss": personal, "tid": PERSONAL_ACCOUNTS}, organizations) == "claim_tid"
    assert check_issuer({"iss": personal, "tid": PERSONAL_ACCOUNTS}, EVERY_TENANT)


def test_without_a_template_the_tenant_does_not_matter():
    """Most providers have one issuer, and `tid` may be anything there."""
    assert check_issuer({"iss": "https://id.example.com", "tid": "../"}, "https://id.example.com")
    assert code_of({"iss": TEXT, "tid": ONE}, "https://id.example.com") == "claim_iss"


@pytest.mark.parametrize("host", ["sts.windows.net", "sts.chinacloudapi.cn"])
def test_a_token_of_version_1_is_refused_with_the_fix(host):
    """Its issuer is another one, and the manifest of the API decides about it."""
    claims = {"iss": f"https://{host}/{ONE}/", "tid": ONE}

    for check in (lambda: check_issuer(claims, ONLY_ONE), lambda: check_key_issuer(claims, TEXT)):
        with pytest.raises(TokenRejected, match="requestedAccessTokenVersion"):
            check()


@pytest.mark.parametrize(
    ("issuer", "iss", "is_included"),
    [
        (ISSUER_OF_ONE, ISSUER_OF_ONE, True),
        (ISSUER_OF_ONE, ISSUER_OF_TWO, False),
        (ONLY_ONE, ISSUER_OF_ONE, True),
        (ONLY_ONE, ISSUER_OF_TWO, False),
        (EVERY_TENANT, TEXT, False),
        (EVERY_TENANT, ISSUER_OF_ONE + "\udcff", False),
    ],
)
def test_an_issuer_is_one_of_the_provider_s(issuer, iss, is_included):
    """For sessions and responses, which have the issuer alone."""
    assert includes_issuer(issuer, iss) is is_included


@given(st.text(alphabet="0123456789abcdefABCDEF-{}./%", max_size=60))
def test_no_other_text_fills_a_template(tid):
    """Whatever somebody makes up."""
    assert code_of({"iss": TEXT.replace("{tenantid}", tid), "tid": tid}) == "claim_tid"


# --- the tokens


def test_an_id_token_is_one_of_its_tenant():
    """A login does not know beforehand in which tenant its user is."""
    expected = Expected(issuer=ONLY_ONE, client_id="web", nonce="n", access_token="at")
    claims = {"iss": ISSUER_OF_ONE, "tid": ONE, "sub": "a", "aud": "web", "exp": NOW + 60, "iat": NOW, "nonce": "n"}

    check_id_token(Verified("RS256", None, claims), expected, now=NOW, leeway=30)

    foreign = {**claims, "iss": ISSUER_OF_TWO, "tid": TWO}
    with pytest.raises(TokenRejected) as caught:
        check_id_token(Verified("RS256", None, foreign), expected, now=NOW, leeway=30)
    assert caught.value.code == "claim_tid"


def test_a_logout_token_names_the_tenant_whose_sessions_it_ends():
    """The same `sub` or `sid` in another tenant is somebody else."""
    claims = {"iss": ISSUER_OF_ONE, "tid": ONE, "sub": "a", "aud": "web", "iat": NOW, "jti": "1", "events": {EVENT: {}}}
    ours: dict[str, Any] = {"client_id": "web", "trusted_audiences": (), "now": NOW, "leeway": 30}

    assert read_logout_token(Verified("RS256", None, claims), issuer=ONLY_ONE, **ours).issuer == ISSUER_OF_ONE
    with pytest.raises(TokenRejected) as caught:
        read_logout_token(Verified("RS256", None, {**claims, "iss": ISSUER_OF_TWO}), issuer=ONLY_ONE, **ours)
    assert caught.value.code == "claim_iss"


# --- the keys


@pytest.mark.parametrize(
    ("key_issuer", "code"),
    [
        (None, None),
        (TEXT, None),
        (ISSUER_OF_ONE, None),
        (ISSUER_OF_TWO, "key_issuer"),
        ("https://login.example.com/{tenantid}", "key_issuer"),
        ("https://other.example.com/{tenantid}/v2.0", "key_issuer"),
        ("{tenantid}", "key_issuer"),
        ("", "key_issuer"),
    ],
)
def test_a_key_is_for_the_tokens_of_its_issuer(key_issuer, code):
    """The JWKS of all tenants has keys of single ones, which must not sign for the others."""
    signer = signing_key("ES256")
    jwk = {**signer.public_jwk(), **({} if key_issuer is None else {"issuer": key_issuer})}
    keys, _ = read_key_set_answer(Answer(200, {}, json.dumps({"keys": [jwk]}).encode()))
    payload = json.dumps({"iss": ISSUER_OF_ONE, "tid": ONE}).encode()
    token = compact_jws({"alg": "ES256", "kid": signer.kid}, payload, signer)

    assert verify_token(token, keys, ["ES256"]).claims["tid"] == ONE
    if code is None:
        assert verify_token(token, keys, ["ES256"], honours_key_issuer=True)
        return
    with pytest.raises(TokenRejected) as caught:
        verify_token(token, keys, ["ES256"], honours_key_issuer=True)
    assert caught.value.code == code


@pytest.mark.parametrize("tid", BAD_TENANTS, ids=lambda tid: str(tid)[:30])
def test_the_template_of_a_key_is_filled_as_strictly(tid):
    """It is the same text from the same provider."""
    with pytest.raises(TokenRejected) as caught:
        check_key_issuer({"iss": TEXT.replace("{tenantid}", str(tid)), "tid": tid}, TEXT)

    assert caught.value.code == "claim_tid"


@pytest.mark.parametrize("issuer", [7, True, [], {}, ["https://login.example.com"]])
def test_a_key_whose_issuer_is_not_text_is_skipped(issuer):
    """It is unknown for which issuer it is."""
    jwk = signing_key("ES256").public_jwk()

    usable, skipped = read_key_set_answer(Answer(200, {}, json.dumps({"keys": [{**jwk, "issuer": issuer}]}).encode()))

    assert (usable, skipped) == ([], ["issuer_is_no_text"])


# --- the metadata


def answer(issuer: object) -> Answer:
    members = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
    urls = {name: f"https://login.example.com{path}" for name, path in members.items()}
    return Answer(200, {}, json.dumps({"issuer": issuer, **urls}).encode())


def test_the_metadata_has_exactly_the_template():
    """It is text like any other issuer."""
    metadata = read_metadata_answer(answer(TEXT), issuer=TEXT, configured={})

    assert (metadata.issuer, metadata.jwks_uri) == (TEXT, "https://login.example.com/keys")


@pytest.mark.parametrize(
    "issuer", [ISSUER_OF_ONE, TEXT + "/", "https://evil.example.com/{tenantid}/v2.0", "{tenantid}", None, 7]
)
def test_any_other_issuer_in_the_metadata_is_refused(issuer):
    """Discovery §4.3; a template of another host would make its tokens ours."""
    with pytest.raises(AnswerRejected) as caught:
        read_metadata_answer(answer(issuer), issuer=TEXT, configured={})

    assert caught.value.code == "metadata_issuer"


def test_metadata_may_be_at_another_url_than_below_the_issuer():
    """Entra has that of all tenants below `organizations`."""
    url = "https://login.example.com/organizations/v2.0/.well-known/openid-configuration"

    assert metadata_call(TEXT, url=url).url == url


# --- the authorization response


@pytest.mark.parametrize(
    ("iss", "template", "passes"),
    [
        (None, EVERY_TENANT, True),
        (ISSUER_OF_ONE, EVERY_TENANT, True),
        (ISSUER_OF_TWO, EVERY_TENANT, True),
        (ISSUER_OF_TWO, ONLY_ONE, False),
        (TEXT, EVERY_TENANT, False),
        (ISSUER_OF_ONE + "/", EVERY_TENANT, False),
        ("https://evil.example.com", EVERY_TENANT, False),
        ("", EVERY_TENANT, False),
        ("\ud800" * 100, EVERY_TENANT, False),
    ],
)
def test_a_response_is_from_one_of_the_tenants(iss, template, passes):
    """RFC 9207 §2.4; which tenant it is, the ID Token shows."""
    metadata = read_metadata_answer(answer(TEXT), issuer=TEXT, configured={})
    response = AuthorizationResponse("s", "c", iss)
    if passes:
        check_response_issuer(response, metadata, template=template)
        return

    with pytest.raises(RequestRejected) as caught:
        check_response_issuer(response, metadata, template=template)

    assert caught.value.code == "iss_mismatch"
