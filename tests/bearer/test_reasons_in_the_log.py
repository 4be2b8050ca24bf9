"""The log line of a refusal says what was wrong with the set-up of the client, the API or the provider."""

import logging
from typing import Any

import pytest

from asgi_oidc import Bearer
from tests.bearer.test_token_issuers import Providers
from tests.bearer.token_calls import API, TokenSite
from tests.protected_site import Site

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


def line(caplog: pytest.LogCaptureFixture, event: str) -> str:
    """Return the only line of an event."""
    (found,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith(event)]
    return found


@pytest.fixture(autouse=True)
def everything(caplog):
    caplog.set_level(logging.DEBUG, logger="asgi_oidc")


async def test_a_wrong_issuer_is_shown_beside_those_that_count(caplog):
    """A missing slash at the end is seen only beside the other spelling."""
    site = TokenSite()

    await site.call_with(site.token(iss=f"{site.provider.issuer}/"))

    assert f"expected {site.provider.issuer}, got {site.provider.issuer}/" in line(caplog, "token_refused")


async def test_the_issuers_of_all_providers_that_count_are_shown(caplog):
    """And no others."""
    providers = Providers()
    site = providers.site(bearer={"providers": ["home", "work"]})

    await site.call_with(providers.home.access_token("alice", audience=API, claims={"iss": "https://evil.example"}))

    expected = f"expected one of {providers.home.issuer}, {providers.work.issuer}, got https://evil.example"
    assert expected in line(caplog, "token_refused")


@pytest.mark.parametrize("aud", [..., [], ""])
async def test_a_token_without_audience_is_called_so(caplog, aud):
    """The provider has to be told for which API it issues tokens."""
    site = TokenSite()

    await site.call_with(site.token(aud=aud))

    assert f"expected {API}, got none" in line(caplog, "token_refused")


@pytest.mark.parametrize(
    ("bearer", "settings", "reason"),
    [
        ({}, {"client_secret": None}, "introspection needs client_secret or client_key"),
        ({"introspect": False}, {}, "introspect is False"),
    ],
)
async def test_a_refused_opaque_token_names_the_setting(caplog, bearer, settings, reason):
    """What to change, or why nothing needs to be."""
    site = TokenSite(bearer=bearer, **settings)

    await site.call_with("opaque")

    assert reason in line(caplog, "token_refused")


async def test_of_several_providers_one_has_to_be_named(caplog):
    """An opaque token does not say whose it is."""
    site = Providers().site()

    await site.call_with("opaque")

    assert "set introspect to the name of the one to ask" in line(caplog, "token_refused")


@pytest.mark.parametrize(
    ("bearer", "header", "query", "hint"),
    [
        (None, f"Bearer {JWT}", "", "the setting bearer is missing, so no token counts"),
        (Bearer(API), JWT, "", "expected `Bearer`, a space and the token"),
        (Bearer(API), "opaque-token", "", "expected `Bearer`, a space and the token"),
        (Bearer(API), f"Token {JWT}", "", "expected `Bearer`, a space and the token"),
        (Bearer(API), None, f"a=1&access_token={JWT}", "a token in the query does not count"),
        (Bearer(API), "Basic YWxpY2U6c2VjcmV0", "", None),
        (Bearer(API), None, "", None),
        (None, JWT, "access_token=x", None),
    ],
)
async def test_a_token_that_was_not_read_is_hinted_at(caplog, bearer, header, query, hint):
    """The client is sure that it has sent one."""
    settings: dict[str, Any] = {} if bearer is None else {"bearer": bearer}
    site = Site(**settings)

    headers = {} if header is None else {"authorization": header}
    await site.call("/page", headers=headers, query_string=query.encode())

    found = line(caplog, "login_required")
    assert hint in found if hint else "hint=" not in found
    assert "eyJ" not in found
