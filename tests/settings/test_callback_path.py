"""`callback_path` is one plain path that nothing else uses."""

from dataclasses import replace

import pytest

from asgi_oidc import Provider
from asgi_oidc.errors import OIDCError
from tests.settings.required_settings import REQUIRED, problems, read


class Tenants:
    """Looks providers up."""

    async def get(self, name: str) -> Provider | None:
        """Find nobody."""


FLAT = ("issuer", "client_id", "client_secret")


def provider(number: int, callback_path: str | None) -> Provider:
    """Make one of several providers."""
    return Provider(issuer=f"https://id{number}.example.com", client_id="web", callback_path=callback_path)


def with_providers(**paths: str | None) -> dict[str, object]:
    """Write settings with a provider for each path, by name."""
    providers = {name: provider(number, path) for number, (name, path) in enumerate(paths.items())}
    return {**dict.fromkeys(FLAT, ...), "providers": providers}


@pytest.mark.parametrize(
    "path",
    [
        "/login/oidc/return",
        "/accounts/oidc/login/callback/",
        "/cb",
        "/auth",
        "/auth/google/callback",
        "/auth/callback",
        "/.auth/login/aad/callback",
    ],
)
def test_a_redirect_uri_that_was_registered_elsewhere_is_kept(path):
    """Character by character, because that is how providers compare it."""
    settings = read(callback_path=path)

    (only,) = settings.fixed_providers.values()
    assert settings.redirect_uri(only) == f"{REQUIRED['base_url']}{path}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "//evil.example/cb",
        "/a//b",
        "cb",
        "/cb?x=1",
        "/cb#x",
        "/a/../b",
        "/a/..",
        "/./b",
        "/a%2fb",
        "/a b",
        "/a\\b",
        "/cb\n",
        "/ä",
        "https://app.example.com/cb",
        "/" + "x" * 256,
        "/cb/" * 2_500,
        7,
        ["/cb"],
    ],
)
def test_another_spelling_is_no_callback_path(path):
    """Servers, mounts and frameworks could disagree about it."""
    (problem,) = problems(callback_path=path)

    assert problem.startswith("callback_path: must be a path below base_url of plain segments")
    assert len(problem) < 300


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout/", "/auth/session", "/auth/backchannel-logout/x"])
def test_our_other_urls_are_taken(path):
    """A callback there would replace another endpoint."""
    assert problems(callback_path=path) == (
        f"callback_path: {path.rstrip('/')} is a URL of asgi-oidc: use another path, or change auth_path",
    )


def test_the_path_is_below_base_url():
    """As all other paths in the settings are."""
    assert problems(callback_path="/admin/cb", base_url="https://app.example.com/admin") == (
        "callback_path: is below base_url already: write '/cb'",
    )


def test_a_sign_out_does_not_end_at_a_callback():
    """It would start a login."""
    (problem,) = problems(callback_path="/cb/", post_logout_redirect_uri="https://app.example.com/cb?x")

    assert problem.startswith("post_logout_redirect_uri: must be a page of the app, not the callback_path")


@pytest.mark.parametrize("paths", [("/cb", "/cb"), ("/cb", "/cb/")])
def test_two_providers_cannot_share_a_path(paths):
    """Only the path tells whose answer it is (RFC 9700 §4.4)."""
    (problem,) = problems(**with_providers(one=paths[0], two=paths[1]))

    assert problem.startswith("providers: callback_path of two: one has /cb too")


@pytest.mark.parametrize("path", ["/auth/callback/two", "/auth/frontchannel-logout/two"])
def test_the_urls_of_another_provider_are_taken(path):
    """Even if that provider has a path of its own."""
    (problem,) = problems(**with_providers(one=path, two="/cb"))

    assert problem.startswith(f"providers: callback_path of one: {path} is a URL of asgi-oidc")


@pytest.mark.parametrize("path", ["/auth/callback", "/auth/callback/one", "/auth/callback/former-name"])
def test_a_provider_may_keep_the_callback_it_had_here(path):
    """It was the only one once, or has had another name."""
    settings = read(**with_providers(one=path, two=None))

    assert settings.redirect_uri(settings.fixed_providers["one"]) == f"https://app.example.com{path}"
    assert settings.redirect_uri(settings.fixed_providers["two"]) == "https://app.example.com/auth/callback/two"


def test_a_provider_that_is_looked_up_has_none():
    """Its path could not be compared with the others at start-up, and the app serves it."""
    settings = read(**{**dict.fromkeys(FLAT, ...), "providers": Tenants()})

    looked_up = replace(provider(1, "/cb").settings, name="acme")
    with pytest.raises(OIDCError) as caught:
        settings.redirect_uri(looked_up)

    assert caught.value.code == "callback_path_looked_up"
    assert settings.redirect_uri(replace(looked_up, callback_path=None)).endswith("/auth/callback/acme")
