"""Each named fault of the metadata about mutual TLS does what its sentence says."""

from typing import Any

import pytest

from asgi_oidc.testing.faults import FAULTS
from tests.testing.test_jarm import metadata_of
from tests.testing.test_mtls import BY_SUBJECT, MTLS_URLS, provider_for

# What the fault leaves of the alias of the token endpoint; `...` for none.
ALIASES: dict[str, Any] = {
    "mtls_no_token_alias": ...,
    "mtls_alias_plain_http": "http://mtls.id.example.com/token",
    "mtls_alias_number": 7,
    "mtls_alias_null": None,
}


@pytest.mark.parametrize("fault", ALIASES)
@pytest.mark.parametrize("mtls_url", [None, MTLS_URLS[0]])
async def test_faults_of_the_token_alias(fault, mtls_url):
    """The other aliases stay as they are."""
    provider = provider_for(BY_SUBJECT, mtls_url)
    with provider.fault(fault):
        aliases = (await metadata_of(provider))["mtls_endpoint_aliases"]

    assert aliases.get("token_endpoint", ...) == ALIASES[fault]
    assert ("userinfo_endpoint" in aliases) == (mtls_url is not None)


async def test_faults_of_all_aliases():
    """They are missing, or of the wrong type."""
    provider = provider_for(BY_SUBJECT, MTLS_URLS[0])
    with provider.fault("mtls_no_aliases"):
        missing = await metadata_of(provider)
    with provider.fault("mtls_aliases_list"):
        wrong = await metadata_of(provider)

    assert "mtls_endpoint_aliases" not in missing
    assert isinstance(wrong["mtls_endpoint_aliases"], list)
    assert {name for name in FAULTS if name.startswith("mtls_")} == {*ALIASES, "mtls_no_aliases", "mtls_aliases_list"}
