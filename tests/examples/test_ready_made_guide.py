"""What the guide to providers says about the ready-made ones works when it is copied."""

import ast
import re
from typing import Any

import pytest
from joserfc.jwk import ECKey

from asgi_oidc import Provider
from asgi_oidc.settings.environment import read_environment
from tests.examples.test_providers_guide import filled_in, section_of

NAMES = {"Google": "google", "GitLab": "gitlab", "LinkedIn": "linkedin", "Apple": "apple"}
IDS = {"TEAM-ID": "DEF123GHIJ", "KEY-ID": "ABC123DEFG", "APP-ID": "1234567890"}


class Path:
    """A file with a private key, wherever the guide has it."""

    def __init__(self, name: str) -> None:
        assert name.endswith("/AuthKey_ABC123DEFG.p8")

    def read_text(self) -> str:
        """Return the key."""
        return ECKey.generate_key("P-256").as_pem(private=True).decode()


def calls_of(provider: str) -> list[str]:
    """Return the blocks that make a provider, filled in."""
    blocks = re.findall(r"```python\n(Provider\..*?)```", section_of(provider), re.DOTALL)
    for placeholder, value in IDS.items():
        blocks = [block.replace(placeholder, value) for block in blocks]
    return [filled_in(block) for block in blocks]


CALLS = [(name, call) for name in NAMES for call in calls_of(name)]


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_every_call_makes_that_provider(name, call):
    """It is copied into `providers={...}`."""
    provider: Any = eval(call, {"Provider": Provider, "Path": Path})

    assert call.startswith(f"Provider.{NAMES[name]}(")
    assert provider.settings.shown_title == name


@pytest.mark.parametrize("name", NAMES)
def test_every_section_says_which_redirect_uri_to_register(name):
    """And where its facts are from."""
    section = section_of(name)

    assert f"https://app.example.com/auth/callback/{NAMES[name]}" in section
    assert "| fact | source |" in section
    assert "Sources: [" in section
    assert calls_of(name)


@pytest.mark.parametrize("name", ["GitLab", "LinkedIn", "Apple", "GitHub", "Discord", "Facebook", "X"])
def test_every_block_of_variables_describes_that_provider(name, tmp_path):
    """It is copied into the `.env` of a site."""
    key = tmp_path / "key.p8"
    key.write_text(Path("/AuthKey_ABC123DEFG.p8").read_text())
    (block,) = re.findall(r"```ini\n(OIDC_PROVIDERS.*?)```", section_of(name), re.DOTALL)
    for placeholder, value in IDS.items():
        block = block.replace(placeholder, value)
    environ = dict(line.split("=", 1) for line in filled_in(block).splitlines())
    files = {variable: str(key) for variable in environ if variable.endswith("_FILE")}

    found, problems = read_environment({**environ, **files})

    assert problems == []
    assert found["providers"][name.lower()].settings.shown_title == name


def test_the_hook_that_stores_a_name_is_python():
    """It is copied as it stands."""
    (block,) = re.findall(r"```python\n(async def on_login.*?)```", section_of("Apple"), re.DOTALL)

    assert ast.parse(block).body
