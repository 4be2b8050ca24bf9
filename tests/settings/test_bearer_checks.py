"""The setting `bearer` beside the providers: what could never accept a token, or accept a wrong one, is refused."""

from typing import Any

import pytest

from asgi_oidc import Bearer, OAuth2Provider, Provider, Rule
from asgi_oidc.settings.bearer_checks import introspecting_provider, providers_that_count
from tests.settings.required_settings import problems, read

FLAT: dict[str, Any] = {"issuer": ..., "client_id": ..., "client_secret": ...}
AUDIENCE = "https://api.example.com"
NO_NAME = "needs the setting providers; with the flat keywords, providers have no name: leave it out"
CREDENTIALS = "needs client_secret or client_key: providers introspect only for clients that authenticate"
SET_INTROSPECT = "introspect_jwt: set introspect to the name of a provider at which this client has a secret"

WORK = Provider(issuer="https://work.example.com", client_id="web", client_secret="s3cret", title="Work")
PARTNERS = Provider(issuer="https://partners.example.com", client_id="portal", client_secret="s3cret")
PUBLIC = Provider(issuer="https://public.example.com", client_id="spa")
GITHUB = OAuth2Provider.github(client_id="gh", client_secret="s3cret")


class Tenants:
    """Looks providers up by name."""

    async def get(self, name: str) -> Provider | None:
        """Find nothing."""


def bearer(**settings: Any) -> Bearer:
    """Make the setting."""
    return Bearer(**{"audience": AUDIENCE, **settings})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"providers": ["work"]}, f"providers: {NO_NAME}"),
        ({"introspect": "work"}, f"introspect: {NO_NAME}"),
    ],
)
def test_what_does_not_fit_a_single_provider_is_refused(settings, text):
    """The flat keywords name no provider."""
    assert problems(bearer=bearer(**settings)) == (f"bearer: {text}",)


@pytest.mark.parametrize("changes", [{"client_secret": None}, {"client_secret": None, "client_auth": "none"}])
def test_a_public_client_cannot_introspect_every_token(changes):
    """It would refuse all of them."""
    text = f"bearer: introspect_jwt: {CREDENTIALS}"

    assert problems(**changes, bearer=bearer(introspect_jwt=True)) == (text,)
    assert read(**changes, bearer=bearer()).bearer is not None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"introspect": False},
        {"introspect_jwt": True},
        {"audience": "web"},
        {"dpop": "require", "dpop_nonce": True},
        {"mtls": "require"},
    ],
)
def test_what_fits_a_single_provider_is_accepted(settings):
    """At Entra, the audience of an API is its client id; tokens are then held against what only ID Tokens lack."""
    assert read(bearer=bearer(**settings)).bearer == bearer(**settings)


@pytest.mark.parametrize("value", [AUDIENCE, {"audience": AUDIENCE}, Bearer, True])
def test_anything_but_a_bearer_is_refused(value):
    """An audience alone looks as if it could do."""
    (problem,) = problems(bearer=value)

    assert problem.startswith("bearer: expected Bearer(audience='https://api.example.com'), got ")


@pytest.mark.parametrize(
    ("providers", "settings", "text"),
    [
        (
            {"work": WORK, "github": GITHUB},
            {"providers": ["wrok"]},
            "providers: there is no provider 'wrok'; providers has work, github",
        ),
        (
            {"work": WORK, "github": GITHUB},
            {"providers": ["work", "github"]},
            "providers: github is an OAuth2Provider, and only tokens of OpenID providers count: remove it",
        ),
        (
            {"github": GITHUB},
            {},
            "providers has no OpenID provider, and only tokens of OpenID providers count: add one, or remove bearer",
        ),
        (
            {"work": WORK, "partners": PARTNERS},
            {"introspect": "wrok"},
            "introspect: there is no provider 'wrok'; providers has work, partners",
        ),
        (
            {"work": WORK, "github": GITHUB},
            {"introspect": "github"},
            "introspect: github is an OAuth2Provider, and only tokens of OpenID providers count: name another one",
        ),
        ({"work": WORK, "public": PUBLIC}, {"introspect": "public"}, f"introspect: public {CREDENTIALS}"),
        ({"work": WORK, "partners": PARTNERS}, {"introspect_jwt": True}, SET_INTROSPECT),
        ({"public": PUBLIC}, {"introspect_jwt": True}, SET_INTROSPECT),
    ],
)
def test_what_does_not_fit_the_providers_is_refused(providers, settings, text):
    """A name that is misspelt would accept no token, or show a token to nobody."""
    assert problems(**FLAT, providers=providers, bearer=bearer(**settings)) == (f"bearer: {text}",)


@pytest.mark.parametrize(
    ("providers", "settings"),
    [
        ({"work": WORK, "github": GITHUB}, {}),
        ({"work": WORK, "github": GITHUB}, {"introspect_jwt": True}),
        ({"work": WORK, "partners": PARTNERS}, {"introspect": "partners", "introspect_jwt": True}),
        ({"work": WORK, "partners": PARTNERS}, {"providers": ["work"], "introspect_jwt": True}),
        ({"work": WORK, "partners": PARTNERS}, {"audience": "portal"}),
    ],
)
def test_what_fits_the_providers_is_accepted(providers, settings):
    """Providers whose tokens do not count, cannot get in the way."""
    settings = read(**FLAT, providers=providers, bearer=bearer(**settings))

    assert settings.bearer is not None


@pytest.mark.parametrize("needs", [{"credentials": ["bearer"]}, {"machines": True}, {"client_ids": ["cli"]}])
def test_a_rule_that_needs_a_token_needs_bearer(needs):
    """Nobody would ever get in."""
    rule = Rule("/jobs/*", **needs)
    text = f"rules: {rule!r} accepts only access tokens: set bearer=Bearer(audience=...), so that the app takes any"

    assert problems(rules=[rule]) == (text,)
    assert read(rules=[rule], bearer=bearer()).rules == (rule,)


def test_a_rule_that_a_session_meets_needs_no_bearer():
    """It may be there before the API is."""
    rules = [Rule("/a", credentials=["session"]), Rule("/b", machines=False), Rule("/c", scopes=["c"])]

    assert list(read(rules=rules).rules) == rules


def test_providers_that_are_looked_up_are_named():
    """A token names its issuer, and the app looks up by name."""
    source = (
        "bearer: providers: name the providers whose tokens count: the setting providers looks them up by name, which "
        "a token does not have"
    )
    asks = bearer(providers=["acme"], introspect_jwt=True)

    assert problems(**FLAT, providers=Tenants(), bearer=bearer()) == (source,)
    assert problems(**FLAT, providers=Tenants(), bearer=asks) == (f"bearer: {SET_INTROSPECT}",)
    names = bearer(providers=["acme"], introspect="acme", introspect_jwt=True)
    assert read(**FLAT, providers=Tenants(), bearer=names).bearer == names


def test_providers_that_cannot_be_read_are_the_only_problem():
    """What follows from it would be a guess."""
    assert len(problems(**FLAT, providers={}, bearer=bearer(providers=["work"]))) == 1
    assert len(problems(client_id=..., bearer=bearer(introspect_jwt=True))) == 1


def test_tokens_of_all_openid_providers_count_by_default():
    """An access token of an OAuth2 provider says nothing about its audience."""
    providers = read(**FLAT, providers={"work": WORK, "github": GITHUB, "public": PUBLIC}).fixed_providers

    assert list(providers_that_count(bearer(), providers)) == ["work", "public"]
    assert list(providers_that_count(bearer(providers=["public"]), providers)) == ["public"]


@pytest.mark.parametrize(
    ("providers", "settings", "expected"),
    [
        ({"work": WORK, "github": GITHUB}, {}, "work"),
        ({"work": WORK, "github": GITHUB}, {"introspect": False}, None),
        ({"work": WORK, "partners": PARTNERS}, {}, None),
        ({"work": WORK, "partners": PARTNERS}, {"introspect": "partners"}, "partners"),
        ({"work": WORK, "partners": PARTNERS}, {"providers": ["partners"]}, "partners"),
        ({"public": PUBLIC}, {}, None),
    ],
)
def test_an_opaque_token_is_shown_to_one_provider_at_most(providers, settings, expected):
    """It does not say who has issued it; a provider that gets the tokens of another one could use them."""
    known = read(**FLAT, providers=providers).fixed_providers

    assert introspecting_provider(bearer(**settings), known) == expected


def test_the_provider_of_the_flat_keywords_introspects():
    """It has an empty name."""
    assert introspecting_provider(bearer(), read().fixed_providers) == ""
    assert introspecting_provider(bearer(), read(client_secret=None).fixed_providers) is None


@pytest.mark.parametrize("name", ["audience", "bearer_audience", "introspect", "introspect_jwt", "bearer_on_token"])
def test_a_field_of_bearer_among_the_settings_is_recognised(name):
    """`audience` looks like `trusted_audiences`, which is about ID Tokens and would open what should stay closed."""
    field = name.removeprefix("bearer_")

    assert problems(**{name: AUDIENCE}) == (f"{name}: unknown setting; did you mean bearer=Bearer({field}=...)?",)
