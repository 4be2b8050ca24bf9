"""The language of a response: `Accept-Language` against the languages of the setting `texts`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc import SettingsError
from asgi_oidc.integrations.refusals import Refusal
from asgi_oidc.integrations.route_checks import check_user, read_terms
from asgi_oidc.pages.languages import MAX_HEADER_LENGTH, MAX_RANGES, make_translations, read_ranges, read_texts_setting
from tests.protected_site import PROGRAM, Scope, Site

TEXTS = {"de": {"action.home": "Start"}, "de-AT": {"action.back": "Retour"}, "fr-CA": {}, "zh-Hant-TW": {}, "ar": {}}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-CH", "de"),
        ("de-at", "de-AT"),
        ("de-AT-1996-x-private", "de-AT"),
        ("fr", "en"),  # lookup: a range never means a more specific language
        ("fr-CA", "fr-CA"),
        ("zh-Hant-TW-u-x", "zh-Hant-TW"),
        ("en", "en"),
        ("en-GB,de;q=0.9", "en"),
        ("de;q=0.5, fr-CA;q=0.8", "fr-CA"),
        ("de;q=0.8, fr-CA;q=0.8", "de"),
        ("it, de;q=0.1", "de"),
        ("*", "en"),
        ("*, de;q=0.5", "de"),
        ("de;q=0, fr-CA;q=0.1", "fr-CA"),
        ("de-AT;q=0, de-AT-x-y", "de"),
        ("de;q=0, de-CH", "en"),
        ("en;q=0", "en"),  # something has to be shown
        ("de ; q=0.5\t, fr-CA", "fr-CA"),
        ("de;q=2, fr-CA;q=0.1", "fr-CA"),  # what is malformed does not count
        ("de;q=0.1234, fr-CA;q=0.1", "fr-CA"),
        ("de;level=1, fr-CA;q=0.1", "fr-CA"),
        ("", "en"),
        (",,;", "en"),
        ("\xe4, de", "de"),
        (" " * MAX_HEADER_LENGTH + "de", "en"),  # the rest of a header is not looked at
        (f"fr-CA-{'-'.join('x' * 60)}, de;q=0.1", "de"),  # it would be shortened sixty times
        (", ".join(["it"] * MAX_RANGES + ["de"]), "en"),
    ],
)
def test_the_language_is_looked_up(header, language):
    """RFC 9110 §12.5.4 and RFC 4647 §3.4."""
    chosen = make_translations(read_texts_setting(TEXTS)).choose([header.encode("latin-1")])

    assert chosen.language == language


@given(st.lists(st.binary(max_size=3000), max_size=3))
def test_any_header_gives_a_language_that_there_is(headers):
    """Hostile headers neither fail nor cost much."""
    translations = make_translations(TEXTS)

    assert translations.choose(headers).language in ("en", *TEXTS)
    assert len(read_ranges(headers)) <= MAX_RANGES


@given(st.permutations(["de", "fr-CA", "ar"]), st.integers(0, 2))
def test_the_highest_quality_wins_wherever_it_stands(order, best):
    """Not the order, unless the qualities are the same."""
    ranges = [f"{tag};q={1 if number == best else 0.5}" for number, tag in enumerate(order)]

    chosen = make_translations(TEXTS).choose([",".join(ranges).encode()])

    assert chosen.language == order[best]


def test_several_headers_are_one_list():
    """RFC 9110 §5.3."""
    chosen = make_translations(TEXTS).choose([b"it;q=0.9", b"de"])

    assert chosen.language == "de"


def test_a_language_takes_what_it_lacks_from_a_more_general_one():
    """Austrian texts are few; what is in neither is that of the default."""
    default = {"lang": "he", "dir": "rtl", "action.sign_in": "Enter"}
    texts = make_translations(read_texts_setting({**default, **TEXTS})).others["de-at"]

    ids = ("action.back", "action.home", "action.sign_in")
    assert [texts.plain(text_id) for text_id in ids] == ["Retour", "Start", "Enter"]
    assert (texts.language, texts.direction) == ("de-AT", "ltr")  # those of the default are its own


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"de": {"action.hme": "x"}}, "de: 'action.hme': unknown id; the closest one is 'action.home'"),
        ({"deutsch-": {}}, "'deutsch-': must be a language tag"),
        ({7: {}}, "7: must be a language tag"),
        ({"de": {}, "DE": {}}, "'de' and 'DE' are the same language"),
        ({"fr": {"lang": "de"}}, "fr: the texts say that their language is 'de'"),
        ({"de": {"lang": "-"}}, "de: 'lang': must be a language tag"),
        ({"de": "Anmelden"}, "'de': unknown id"),
        ({"de": {"de": {}}}, "de: 'de': unknown id"),
        ({"de": {"action.home": ""}, "lang": "-"}, "'lang': must be a language tag"),
    ],
)
def test_a_language_that_cannot_be_shown_stops_the_start(texts, problem):
    """With the language in the message."""
    with pytest.raises(SettingsError, match=re.escape(problem)):
        Site(texts=texts)


def test_a_language_may_be_more_specific_than_its_tag():
    """`texts={"pt": json}` with a file of Brazilian texts."""
    assert make_translations(read_texts_setting({"pt": {"lang": "pt-BR"}})).others["pt"].language == "pt-BR"


@pytest.mark.parametrize("path", ["/auth/callback?state=x.2", "/auth/logout"])
async def test_a_page_is_in_the_language_of_the_browser(path):
    """Whoever shares a cache gets the right one, although ours are never stored."""
    site = Site(texts=TEXTS)
    german = await site.browser().get(path, headers={"accept-language": "de-DE,de;q=0.9,en;q=0.8"})
    other = await site.browser().get(path, headers={"accept-language": "it"})

    assert ('lang="de" dir="ltr"' in german.text, 'lang="en" dir="ltr"' in other.text) == (True, True)
    assert [page.headers["vary"] for page in (german, other)] == ["accept-language"] * 2


async def test_problems_are_in_the_language_of_the_client():
    """Their titles and details are for people (RFC 9457 §3.1.3); the code stays."""
    site = Site(texts={"de": {"problem.login_required": "Bitte anmelden", "login_cookie_missing.title": "Unbrauchbar"}})
    headers = {"accept": "application/json", "accept-language": "de"}

    told = await site.browser().fetch("/page", headers=headers)
    failed = await site.browser().fetch("/auth/callback", headers=headers)

    assert (told.json()["error"], told.json()["title"]) == ("login_required", "Bitte anmelden")
    assert (failed.json()["title"], failed.headers["vary"]) == ("Unbrauchbar", "accept-language")


async def test_a_site_in_one_language_does_not_vary():
    """As before."""
    page = await Site(texts={"lang": "de"}).browser().get("/auth/callback?state=x.2")

    assert "vary" not in page.headers


async def test_the_checks_of_routes_speak_the_language_of_the_client():
    """A framework's dependency answers for the middleware."""
    titles: list[str] = []

    async def at_work(scope: Scope) -> None:
        refusal = check_user(scope, read_terms(scopes=["admin"]))
        assert isinstance(refusal, Refusal)
        titles.append(refusal.title)

    site = Site(
        public=["/public"], texts={"de": {"problem.login_required": "Bitte anmelden", "problem.forbidden": "Nein"}}
    )
    site.app.at_work = at_work
    headers = {**PROGRAM, "accept-language": "de"}
    await site.browser().get("/public", headers=headers)
    await (await site.signed_in()).get("/public", headers=headers)

    assert (titles[0], titles[-1]) == ("Bitte anmelden", "Nein")
