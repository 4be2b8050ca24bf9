"""The setting `texts`: what it may replace, and what is refused at start-up."""

import re

import pytest

from asgi_oidc import SettingsError
from asgi_oidc.errors import RequestRejected
from asgi_oidc.integrations.refusals import Refusal
from asgi_oidc.integrations.route_checks import check_user, read_terms
from asgi_oidc.pages.texts import ENGLISH
from asgi_oidc.pages.translation import MAX_TEXT_LENGTH, read_translation, translate
from tests.pages.rendered import Reader, every_page, failures, navigation
from tests.protected_site import PROGRAM, Scope, Site


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"action.sign-in": "Log in"}, "'action.sign-in': unknown id; the closest one is 'action.sign_in'"),
        ({3: "Log in"}, "3: unknown id; the closest one is "),
        ({"action.sign_in": ""}, "'action.sign_in': must be text, got "),
        ({"action.sign_in": None}, "'action.sign_in': must be text, got None"),
        ({"action.sign_in": "x" * 2001}, "must have at most 2000 characters, got 2001"),
        ({"action.sign_in": "Log\nin"}, "must be on one line"),
        ({"action.sign_in": "Log \ud800"}, "must be on one line"),
        ({"action.sign_in": "Log\u2028in"}, "must be on one line"),
        ({"action.sign_in": "\u200b"}, "must be text, got "),
        ({"reference": "Please call us"}, "must contain {reference}, by which the log is searched"),
        ({"x" * 1000: "Log in"}, f"'{'x' * 59}: unknown id"),
        ({"forbidden.text": "Not {name}"}, "unknown placeholder {name}; this text has {user}"),
        ({"forbidden.title": "Not {user}"}, "unknown placeholder {user}; this text has none"),
        ({"forbidden.text": "Not {user} {}"}, "unknown placeholder {}"),
        ({"lang": "German, of course"}, "must be a language tag, such as 'de' or 'pt-BR'"),
        ({"lang": 'de" onload="x'}, "must be a language tag"),
        ({"dir": "left"}, "must be 'ltr' or 'rtl', got 'left'"),
        (["Log in"], "must be a mapping of ids to texts, such as "),
    ],
)
def test_a_text_that_cannot_be_shown_stops_the_start(texts, problem):
    """Better than a page that is wrong on the day when it is needed."""
    with pytest.raises(SettingsError, match=re.escape(problem)):
        Site(texts=texts)


def test_all_wrong_texts_are_named_at_once():
    """A translator fixes them in one go."""
    with pytest.raises(ValueError, match=r"'lang': .*; 'dir': .*"):
        read_translation({"lang": "-", "dir": "-"})


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"action.sign_in": "x" * MAX_TEXT_LENGTH},
        {"forbidden.text": "{user} {user}: no, } and { are no placeholders"},
        {"forbidden.text": "A placeholder may be left out"},
        {"action.sign_in": "\u0648\u0627\u0631\u062f \u0645\u06cc\u200c\u0634\u0648\u06cc\u0645"},  # with a joiner
        {"lang": "zh-Hant-TW", "dir": "rtl"},
        dict(ENGLISH),
    ],
    ids=["nothing", "longest", "braces", "without-placeholder", "joiner", "language", "all"],
)
def test_a_text_that_can_be_shown_is_taken(texts):
    """What is refused has to be wrong."""
    assert read_translation(texts) == texts


def test_a_partial_translation_keeps_english_for_the_rest():
    """An app that changes one button writes one text."""
    page = Reader(every_page(translate({"action.sign_in": "Log in"}))["sign_in"])

    assert ("Log in" in page.texts, ENGLISH["sign_in.title"] in page.texts) == (True, True)


async def test_the_setting_reaches_pages_and_problems():
    """One translation for people and for programs; codes stay."""
    site = Site(
        texts={
            "lang": "de",
            "problem.login_required": "Bitte melden Sie sich an",
            "login_cookie_missing.title": "Nicht angemeldet",
            "login_cookie_missing.text": "Bitte noch einmal.",
        }
    )
    path = "/auth/callback?state=x.2"

    page = await site.browser().get(path)
    told = await site.browser().fetch("/page", headers={"accept": "application/json"})

    assert ('<html lang="de" dir="ltr">' in page.text, "<h1>Nicht angemeldet</h1>" in page.text) == (True, True)
    assert (told.json()["error"], told.json()["title"]) == ("login_required", "Bitte melden Sie sich an")


def test_a_failure_tells_a_program_in_the_same_language():
    """Its title and detail are for people; its code is for the program."""
    texts = translate({"bad_request.title": "Titel", "bad_request.text": "Text"})

    response = failures(texts).response(navigation(accept="application/json"), RequestRejected("x"))

    assert all(part in response.body for part in (b'"error":"x"', b'"title":"Titel"', b'"detail":"Text"'))


async def test_the_checks_of_routes_use_the_texts():
    """A framework's dependency answers for the middleware."""
    titles: list[str] = []

    async def at_work(scope: Scope) -> None:
        refusal = check_user(scope, read_terms(scopes=["admin"]))
        assert isinstance(refusal, Refusal)
        titles.append(refusal.title)

    site = Site(public=["/public"], texts={"problem.login_required": "Bitte anmelden", "problem.forbidden": "Nein"})
    site.app.at_work = at_work
    await site.browser().get("/public", headers=PROGRAM)
    browser = await site.signed_in()
    await browser.get("/public", headers=PROGRAM)

    assert (titles[0], titles[-1]) == ("Bitte anmelden", "Nein")
