"""The setting `providers`: what cannot be told apart is refused, with the names of both."""

from typing import Any

import pytest

from asgi_oidc import Provider
from tests.settings.required_settings import problems, read

FLAT: dict[str, Any] = {"issuer": ..., "client_id": ..., "client_secret": ...}


def provider(number: int = 1, **settings: Any) -> Provider:
    """Make one of several providers."""
    return Provider(issuer=f"https://{number}.example.com", client_id="web", client_secret="s3cret", **settings)


@pytest.mark.parametrize(
    ("names", "titles", "shown"),
    [
        (("one", "two"), ("Google", "Google"), "Google"),
        (("one", "two"), ("Google", "google"), "google"),
        (("my-id", "my_id"), (None, None), "My Id"),
        (("google", "two"), (None, "Google"), "Google"),
    ],
)
def test_two_providers_with_the_same_title_are_refused(names, titles, shown):
    """Users could not tell them apart, and would sign in at the wrong one."""
    one, two = (provider(number, title=title) for number, title in enumerate(titles))

    assert problems(**FLAT, providers={names[0]: one, names[1]: two}) == (
        f"providers: {names[0]} and {names[1]} are both shown as {shown!r}: give one of them another title",
    )


def test_different_titles_are_accepted():
    """Also if the names are alike."""
    settings = read(**FLAT, providers={"my-id": provider(1, title="Staff"), "my_id": provider(2, title="Guests")})

    assert [each.shown_title for each in settings.fixed_providers.values()] == ["Staff", "Guests"]


def test_the_same_client_twice_is_refused():
    """Their users would be the same people under two names."""
    text = "providers: one and two are the same client of https://1.example.com: remove one of them"

    assert problems(**FLAT, providers={"one": provider(title="A"), "two": provider(title="B")}) == (text,)


class Async:
    """A source as it should be."""

    async def get(self, name: str) -> Provider | None:
        """Find nothing."""


class Sync:
    """A source that would block the event loop."""

    def get(self, name: str) -> Provider | None:
        """Find nothing."""


class Called:
    """A source whose `get` is an object that can be called, as some decorators make it."""

    get = property(lambda self: Async())


@pytest.mark.parametrize("source", [Sync(), Async, object(), Called(), [provider()], "google"])
def test_what_is_no_source_is_refused(source):
    """With what it should be."""
    (text,) = problems(**FLAT, providers=source)

    assert "or an object with `async def get(self, name)`" in text


def test_a_source_is_accepted():
    """Nothing is known of its providers at start-up."""
    source = Async()

    settings = read(**FLAT, providers=source)

    assert (settings.providers, settings.fixed_providers, settings.is_flat) == (source, {}, False)
