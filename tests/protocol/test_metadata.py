"""Metadata counts only from the issuer that was asked, and only with endpoints that we may call."""

import json
from typing import Any

import pytest

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.messages import Answer
from asgi_oidc.protocol.metadata import (
    ENDPOINTS,
    ProviderMetadata,
    make_metadata,
    metadata_call,
    read_metadata_answer,
)

ISSUER = "https://id.example.com"
MEMBERS: dict[str, object] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}


def answer(**changes: object) -> Answer:
    return Answer(200, {}, json.dumps({**MEMBERS, **changes}).encode())


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://id.example.com", "https://id.example.com/.well-known/openid-configuration"),
        ("https://id.example.com/", "https://id.example.com/.well-known/openid-configuration"),
        ("https://id.example.com/realms/one", "https://id.example.com/realms/one/.well-known/openid-configuration"),
        ("https://id.example.com/tenant/", "https://id.example.com/tenant/.well-known/openid-configuration"),
    ],
)
def test_the_document_stands_below_the_issuer(issuer, url):
    """Discovery §4: append to the issuer, its path kept, a `/` at its end left out."""
    assert metadata_call(issuer).url == url


def test_valid_metadata_is_read():
    """What is not used is ignored; what is missing has the specification's default."""
    metadata = read_metadata_answer(answer(something={"else": 1}), issuer=ISSUER, configured={})

    assert metadata.token_endpoint == f"{ISSUER}/token"
    assert metadata.auth_methods == ["client_secret_basic"]
    assert metadata.userinfo_endpoint is None


def test_members_given_by_hand_win():
    """The developer knows better than a document that lies about its endpoints."""
    by_hand = {"token_endpoint": "https://inner.example.com/token"}

    metadata = read_metadata_answer(answer(), issuer=ISSUER, configured=by_hand)

    assert metadata.token_endpoint == "https://inner.example.com/token"
    assert metadata.jwks_uri == f"{ISSUER}/jwks"


@pytest.mark.parametrize(
    ("member", "value"),
    [("prompt_values_supported", [{}] * 8000), ("token_endpoint_auth_methods_supported", ["x" * 100] * 200)],
)
def test_what_is_kept_is_limited(member, value):
    """One tenant's provider cannot fill the memory for all; members that are not used may be long."""
    with pytest.raises(AnswerRejected) as caught:
        read_metadata_answer(answer(**{member: value}), issuer=ISSUER, configured={})

    assert caught.value.code == "metadata_invalid"
    assert read_metadata_answer(answer(claims_supported=["x" * 100] * 2000), issuer=ISSUER, configured={})


@pytest.mark.parametrize(
    "other", [f"{ISSUER}/", "https://ID.example.com", "http://id.example.com", "https://id.example.com:443", None, 7]
)
def test_another_issuer_is_refused(other):
    """Discovery §4.3: the issuer is compared exactly, or another provider stands in for ours."""
    with pytest.raises(AnswerRejected) as caught:
        read_metadata_answer(answer(issuer=other), issuer=ISSUER, configured={})

    assert caught.value.code == "metadata_issuer"
    assert caught.value.detail.startswith(f"configured {ISSUER}, but the provider says {other}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint": 7},
        {"jwks_uri": None},
        {"authorization_endpoint": ["x"]},
        {"token_endpoint_auth_methods_supported": "client_secret_basic"},
        {"id_token_signing_alg_values_supported": [1]},
        {"authorization_response_iss_parameter_supported": "yes"},
    ],
)
def test_members_of_the_wrong_type_are_refused(changes):
    """A number where a URL should be is a broken provider, not a crash of ours."""
    with pytest.raises(AnswerRejected) as caught:
        read_metadata_answer(answer(**changes), issuer=ISSUER, configured={})

    assert caught.value.code == "metadata_invalid"


@pytest.mark.parametrize("name", ENDPOINTS[:3])
def test_a_missing_endpoint_is_refused(name):
    """Without all three there is no login."""
    members = {other: value for other, value in MEMBERS.items() if other != name}

    with pytest.raises(AnswerRejected) as caught:
        make_metadata(ISSUER, members)

    assert (caught.value.code, name in caught.value.detail) == ("metadata_invalid", True)


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com/x",
        "javascript:alert(1)",
        "/token",
        "https://user:pass@id.example.com/",
        "https://h/#f",
        "",
    ],
)
def test_an_endpoint_that_must_not_be_called_is_refused(name, url):
    """Codes, secrets and browsers go nowhere but to https, and to loopback."""
    with pytest.raises(AnswerRejected) as caught:
        make_metadata(ISSUER, {**MEMBERS, name: url})

    assert (caught.value.code, caught.value.detail.startswith(name)) == ("metadata_endpoint", True)


def test_loopback_may_use_http():
    """A provider on one's own machine needs no certificate."""
    issuer = "http://localhost:9000"
    members = {**MEMBERS, "token_endpoint": "http://127.0.0.1:9000/token"}

    assert make_metadata(issuer, members).token_endpoint == "http://127.0.0.1:9000/token"


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_provider_on_the_net_has_no_endpoint_on_our_machine(name):
    """It has no business with the services that run here."""
    with pytest.raises(AnswerRejected) as caught:
        make_metadata(ISSUER, {**MEMBERS, name: "http://127.0.0.1:9000/x"})

    assert caught.value.code == "metadata_endpoint"


# --- aliases for clients with a certificate (RFC 8705 §5)

MTLS = "https://mtls.example.com"
ALIASES = {
    "token_endpoint": f"{MTLS}/token",
    "userinfo_endpoint": f"{MTLS}/userinfo",
    "authorization_endpoint": f"{MTLS}/authorize",
    "jwks_uri": f"{MTLS}/jwks",
    "registration_endpoint": "not a URL, and not used",
}


def with_aliases(aliases: object, *, uses_aliases: bool = True, **configured: object) -> ProviderMetadata:
    return read_metadata_answer(
        answer(mtls_endpoint_aliases=aliases), issuer=ISSUER, configured=configured, uses_aliases=uses_aliases
    )


def test_a_client_with_a_certificate_calls_the_aliases():
    """The endpoints themselves need not ask for a certificate; browsers and keys stay where they are."""
    metadata = with_aliases(ALIASES)

    assert (metadata.token_endpoint, metadata.userinfo_endpoint) == (f"{MTLS}/token", f"{MTLS}/userinfo")
    assert (metadata.authorization_endpoint, metadata.jwks_uri) == (f"{ISSUER}/authorize", f"{ISSUER}/jwks")


@pytest.mark.parametrize("aliases", [ALIASES, "nonsense", {"token_endpoint": 7}])
def test_any_other_client_calls_none(aliases):
    """Without a certificate they would refuse it, so a wrong one does no harm."""
    assert with_aliases(aliases, uses_aliases=False).token_endpoint == f"{ISSUER}/token"


@pytest.mark.parametrize(
    ("aliases", "code"),
    [
        (None, "metadata_invalid"),
        ("https://mtls.example.com/token", "metadata_invalid"),
        ([ALIASES], "metadata_invalid"),
        ({"token_endpoint": None}, "metadata_invalid"),
        ({"token_endpoint": 7}, "metadata_invalid"),
        ({"token_endpoint": [f"{MTLS}/token"]}, "metadata_invalid"),
        ({"token_endpoint": ""}, "metadata_endpoint"),
        ({"token_endpoint": "/token"}, "metadata_endpoint"),
        ({"token_endpoint": "http://mtls.example.com/token"}, "metadata_endpoint"),
        ({"token_endpoint": "http://127.0.0.1/token"}, "metadata_endpoint"),
        ({"userinfo_endpoint": "https://user:word@mtls.example.com/"}, "metadata_endpoint"),
    ],
)
def test_a_wrong_alias_never_leads_to_the_endpoint_itself(aliases, code):
    """There the client would be without its certificate, and tokens would be bound to nothing."""
    with pytest.raises(AnswerRejected) as caught:
        with_aliases(aliases)

    assert (caught.value.code, "mtls_endpoint_aliases" in caught.value.detail) == (code, True)


def test_an_endpoint_given_by_hand_has_no_alias_of_the_document():
    """But one that is given by hand as well."""
    by_hand: dict[str, Any] = {"token_endpoint": "https://inner.example.com/token"}

    assert with_aliases(ALIASES, **by_hand).token_endpoint == "https://inner.example.com/token"
    own: dict[str, Any] = {"mtls_endpoint_aliases": {"token_endpoint": f"{MTLS}/own"}}
    assert with_aliases(ALIASES, **by_hand, **own).token_endpoint == f"{MTLS}/own"


def test_aliases_at_the_issuer_are_called_by_the_internal_url():
    """They are as far from this app as the endpoints are."""
    metadata = make_metadata(
        ISSUER,
        {**MEMBERS, "mtls_endpoint_aliases": {"token_endpoint": f"{ISSUER}/mtls/token"}},
        back_channel=BackChannel("http://id:8080", {"id"}),
        uses_aliases=True,
    )

    assert metadata.token_endpoint == "http://id:8080/mtls/token"
