"""The setting `bearer`: an API never accepts tokens that are not for it, and says so at start-up."""

from collections.abc import Mapping
from typing import Any

import pytest

from asgi_oidc import Bearer, SettingsError

AUDIENCE = "https://api.example.com"
BAD_NAME = (
    "{} is not a valid name of a provider: names are part of URLs, so use 1 to 64 lower-case letters, digits, '-' and "
    "'_', such as 'google'"
)
SPAN = "must be a whole number of seconds such as 30, from 0 to 60, got {}"
OWN_HEADER = "{} has a meaning of its own: name the header that the proxy sets, such as 'client-cert'"
PROXIES = "must be addresses, networks such as '10.1.0.0/16' without bits after the prefix, or 'unix', got {}"
WIDE = "{} is most of the internet, so any client could send a certificate: name the proxies"


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
    assert len(Bearer([str(number) for number in range(16)]).audiences) == 16


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("providers", "work", "must be a list of names of providers, such as ['work'], got 'work'"),
        ("providers", [], "is empty: then no token would count; leave it out for all OpenID providers"),
        ("providers", ["Work"], BAD_NAME.format("'Work'")),
        ("providers", [None], BAD_NAME.format("None")),
        ("token_types", "at+jwt", "must be a list such as ['at+jwt'], got text of 6 characters"),
        ("token_types", [], "is empty: then no token would count; leave it out for the default"),
        ("token_types", [""], "must be a list of media types such as 'at+jwt', got empty text"),
        ("token_types", [None], "must be a list of media types such as 'at+jwt', got None"),
        ("token_types", ["a b"], "must be a list of media types such as 'at+jwt', got 'a b'"),
        ("token_types", ["at+jwt", "Logout+JWT"], "logout+jwt: not a type of access tokens; remove it"),
        ("token_types", ["application/dpop+jwt"], "dpop+jwt: not a type of access tokens; remove it"),
        ("allow_missing_audience", 1, "must be True or False, got 1"),
        ("introspect", True, "must be False or the name of a provider: leave it out, and opaque tokens are "
         "introspected if the provider offers it"),
        ("introspect", "Work", BAD_NAME.format("'Work'")),
        ("introspect", 0, BAD_NAME.format("0")),
        ("introspect_jwt", "yes", "must be True or False, got 'yes'"),
        ("introspection_cache", -1, SPAN.format("-1")),
        ("introspection_cache", 61, SPAN.format("61")),
        ("introspection_cache", True, SPAN.format("True")),
        ("introspection_cache", 1.5, SPAN.format("1.5")),
        ("dpop", "never", "must be 'accept' or 'require', got text of 5 characters"),
        ("dpop", True, "must be 'accept' or 'require', got True"),
        ("mtls", None, "must be 'accept' or 'require', got None"),
        ("dpop_nonce", None, "must be True or False, got None"),
        ("client_certificate_header", "", "must be the name of a header such as 'client-cert', got empty text"),
        ("client_certificate_header", "a:", "must be the name of a header such as 'client-cert', got 'a:'"),
        ("client_certificate_header", "a\n", "must be the name of a header such as 'client-cert', got 'a\\n'"),
        ("client_certificate_header", 7, "must be the name of a header such as 'client-cert', got 7"),
        ("client_certificate_header", "Authorization", OWN_HEADER.format("authorization")),
        ("client_certificate_header", "DPoP", OWN_HEADER.format("dpop")),
        ("client_certificate_proxies", "unix", "must be a list of addresses such as ['10.0.0.7', '10.1.0.0/16'], got "
         "'unix'"),
        ("client_certificate_proxies", ["10.0.0.1/8"], PROXIES.format("text of 10 characters")),
        ("client_certificate_proxies", ["proxy"], PROXIES.format("text of 5 characters")),
        ("client_certificate_proxies", [7], PROXIES.format("7")),
        ("client_certificate_proxies", ["0.0.0.0/0"], WIDE.format("0.0.0.0/0")),
        ("client_certificate_proxies", ["128.0.0.0/1"], WIDE.format("128.0.0.0/1")),
        ("client_certificate_proxies", ["10.0.0.0/7"], WIDE.format("10.0.0.0/7")),
        ("client_certificate_proxies", ["::/0"], WIDE.format("::/0")),
        ("client_certificate_proxies", ["2000::/3"], WIDE.format("2000::/3")),
        ("client_certificate_proxies", ["::ffff:0:0/96"], WIDE.format("::ffff:0:0/96")),
        ("client_certificate_proxies", ["::ffff:10.0.0.0/103"], WIDE.format("::ffff:a00:0/103")),
        ("client_certificate_proxies", ["::/8"], WIDE.format("::/8")),
        ("client_certificate_proxies", [f"10.0.0.{number}" for number in range(65)], "must have at most 64 values, got "
         "65: list networks instead of addresses"),
        ("on_token", print, "must be an async function of the user and the claims, got builtin_function_or_method"),
        ("on_token", Bearer, "must be an async function of the user and the claims, got the class Bearer"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused(setting, value, text):
    """A security setting that is silently not applied is a hole."""
    assert problems(AUDIENCE, **{setting: value}) == (f"Bearer: {setting}: {text}",)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("providers", ["work", "work", "a-b"], ("work", "a-b")),
        ("token_types", ["at+jwt", "application/AT+JWT", "JWT"], ("at+jwt", "jwt")),
        ("introspect", False, False),
        ("introspect", "work", "work"),
        ("introspection_cache", 0, 0),
        ("introspection_cache", 60, 60),
        ("dpop", "require", "require"),
        ("mtls", "require", "require"),
        ("on_token", on_token, on_token),
    ],
)
def test_a_value_is_kept_in_one_spelling(setting, value, expected):
    """What compares with it later need not know the others."""
    assert getattr(Bearer(AUDIENCE, **{setting: value}), setting) == expected


def test_the_proxies_are_read_as_networks():
    """A list of texts would have to be read for each request."""
    addresses = ["10.0.0.7", "10.0.0.0/8", "fc00::/7", "::ffff:10.0.0.0/104", "unix"]

    bearer = Bearer(AUDIENCE, client_certificate_header="X-Client-Cert", client_certificate_proxies=addresses)

    assert bearer.client_certificate_header == "x-client-cert"
    networks = ["10.0.0.7/32", "10.0.0.0/8", "fc00::/7", "::ffff:a00:0/104"]
    assert [str(network) for network in bearer.proxies.networks] == networks
    assert bearer.proxies.has_unix


def test_without_unix_no_socket_is_trusted():
    """Each way in is named."""
    bearer = Bearer(AUDIENCE, client_certificate_header="client-cert", client_certificate_proxies=["10.0.0.7"])

    assert not bearer.proxies.has_unix


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"dpop": "require", "mtls": "require"},
            "dpop: contradicts mtls='require': a provider binds a token to a key or to a certificate, not to both",
        ),
        (
            {"client_certificate_header": "client-cert"},
            "client_certificate_header: needs client_certificate_proxies, the addresses of the proxies that set it: "
            "otherwise, any client could send it",
        ),
        (
            {"client_certificate_proxies": ["10.0.0.7"]},
            "client_certificate_proxies: needs client_certificate_header, the header that these proxies set",
        ),
        (
            {"introspect_jwt": True, "introspect": False},
            "introspect_jwt: contradicts introspect=False: remove one of them",
        ),
        (
            {"providers": ["work"], "introspect": "other"},
            "introspect: other is not one of the providers whose tokens count: add it to providers of Bearer",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, text):
    """One of them would be ignored otherwise, and nobody knows which."""
    assert problems(AUDIENCE, **settings) == (f"Bearer: {text}",)


def test_all_problems_are_reported_at_once():
    """Nobody wants to fix one and meet the next."""
    assert len(problems("", dpop="x", mtls="y", introspection_cache=999)) == 4


def test_a_repr_shows_what_was_given():
    """As the developer wrote it."""
    assert repr(Bearer(AUDIENCE, dpop="require", on_token=on_token)) == (
        f"Bearer(audience={AUDIENCE!r}, dpop='require')"
    )


def test_a_bearer_cannot_be_changed():
    """It is checked once."""
    bearer = Bearer(AUDIENCE)

    with pytest.raises(AttributeError):
        bearer.dpop = "require"  # type: ignore[misc]  # as a mistake
