"""What the guide says about providers that are not by the book: every exception is there, and every block works."""

import re
from dataclasses import fields

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.provider.provider_exceptions import ProviderExceptions
from tests.examples.test_providers_guide import app, filled_in, section_of

SECTION = section_of("Providers that are not by the book")
ROWS = dict(re.findall(r"^\| \[`(\w+)`(\].*)\|$", SECTION, re.MULTILINE))
PARTS = dict(re.findall(r"^## (.*)\n((?:(?!##).*\n)*)", SECTION, re.MULTILINE))
REST = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "web",
    "OIDC_CLIENT_SECRET": "a-client-secret-of-more-than-32-bytes",
    "OIDC_BASE_URL": "https://app.example.com",
    "OIDC_SECRET": filled_in("RANDOM-SECRET"),
}


def variables_of(part: str) -> dict[str, str]:
    """Return the variables of the block of a part, filled in."""
    (block,) = re.findall(r"```ini\n(.*?)```", PARTS[part], re.DOTALL)
    return dict(line.split("=", 1) for line in filled_in(block).splitlines())


def test_the_table_has_every_exception():
    """A reviewer finds its risk and its source there."""
    assert set(ROWS) == {field.name for field in fields(ProviderExceptions)}


@pytest.mark.parametrize("setting", sorted(ROWS))
def test_every_row_links_to_the_setting_and_to_its_source(setting):
    """Facts about providers have a source."""
    reference, source = re.findall(r"\]\((\S+)\)", ROWS[setting])[0], ROWS[setting].rsplit(" | ", 1)[1]

    assert reference == f"../reference/settings.md#{setting}"
    assert "](https://" in source


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_block_is_a_configuration(part):
    """It is copied as it stands, with the secrets filled in; the last block only shows one more setting."""
    middleware = OIDCMiddleware.from_env(app, environ={**REST, **variables_of(part)})

    assert middleware.base_url == "https://app.example.com"
