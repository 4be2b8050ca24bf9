"""The setting `bearer`: an API never accepts tokens that are not for it, and says so at start-up."""

from collections.abc import Mapping
from typing import Any

import pytest

from asgi_oidc import Bearer, SettingsError

AUDIENCE = "https://api.example.com"


async def on_token(user: Any, claims: Any) -> Mapping[str, Any] | None:
    """Change nothing."""


def problems(*args: Any, **settings: Any) -> tuple[str, ...]:
    """Say what is wrong with a Bearer."""
    with pytest.raises(SettingsError) as caught:
        Bearer(*args, **settings)
    assert caught.value.code == "settings"
    return caught.value.problems


def test_an_audience_is_enough():
    """Everything else has the default of the design."""
    bearer = Bearer(AUDIENCE)

    assert bearer.audiences == (AUDIENCE,)
    assert (bearer.providers, bearer.token_types, bearer.introspect, bearer.introspection_cache) == (
        None,
        None,
        None,
        30,
    )
    assert (bearer.dpop, bearer.mtls, bearer.client_certificate_header) == ("accept", "accept", None)
    assert not any((bearer.allow_missing_audience, bearer.introspect_jwt, bearer.dpop_nonce, bearer.proxies.networks))


def test_an_audience_is_required():
    """A token for any other API of the provider would count."""
    with pytest.raises(TypeError):
        Bearer()  # type: ignore[call-arg]  # as a mistake


@pytest.mark.parametrize(
    ("audience", "text"),
    [
        ("", "must be text such as 'https://api.example.com', got empty text"),
        (" ", "must be text such as 'https://api.example.com', got ' '"),
        ([], "must have 1 to 16 values, got 0: without one, any token would do"),
        ([str(number) for number in range(17)], "must have 1 to 16 values, got 17: without one, any token would do"),
        (None, "must be text such as 'https://api.example.com', or a list, got None"),
        (7, "must be text such as 'https://api.example.com', or a list, got 7"),
        (b"api", "must be text such as 'https://api.example.com', or a list, got bytes"),
        ({AUDIENCE: 1}, "must be text such as 'https://api.example.com', or a list, got dict"),
        ([AUDIENCE, None], "must be text such as 'https://api.example.com', got None"),
        ("one two", "must not contain spaces, line breaks or control characters"),
        ("one\n", "must not contain spaces, line breaks or control characters"),
        ("a" * 513, "must have at most 512 characters, got 513"),
        ("*", "is compared exactly: '*' is not a wildcard; list the audiences"),
        ("https://*.example.com", "is compared exactly: '*' is not a wildcard; list the audiences"),
    ],
)
def test_an_audience_that_says_nothing_is_refused(audience, text):
    """With an empty one, a check might pass by accident."""
    assert problems(audience) == (f"Bearer: audience: {text}",)


def test_one_of_several_audiences_is_enough():
    """An API that has moved accepts its old identifier as well; each counts once."""
    assert Bearer([AUDIENCE, "api://old", AUDIENCE, "a" * 512]).audiences == (AUDIENCE, "api://old", "a" * 512)
