"""Every page there is: translated, from right to left, and with markup in everything that others choose."""

import pytest

from asgi_oidc.errors import OIDCError
from asgi_oidc.pages import failure_table
from asgi_oidc.pages.failure_table import Failure
from asgi_oidc.pages.texts import ENGLISH
from asgi_oidc.pages.translation import IN_ENGLISH, Texts, placeholders, translate
from tests.pages.rendered import Reader, every_page, failures, navigation, pages

PLAIN = every_page()
FAILURES = [each for each in vars(failure_table).values() if isinstance(each, Failure)]
MARKUP = "<img src=x onerror=alert(1)>\"'&amp;"


def marked(text_id: str) -> str:
    return f"[{text_id}]" + "".join(f" {{{name}}}" for name in placeholders(text_id))


MARKED = Texts({**{text_id: marked(text_id) for text_id in ENGLISH}, "lang": "ar", "dir": "rtl"})


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_on_a_page_stays_in_english(name):
    """A page in two languages is understood in none."""
    page = Reader(every_page(MARKED, app="App", user="Ana")[name])

    scripts = ("{color-scheme", "=>", "window.")
    shown = [text for text in page.texts if text.strip(" ()") and not any(word in text for word in scripts)]
    known = ("[", "App", "Ana", "/orders", "https://", "password", "empty", "document.", "const ", " [", "]")
    assert [text for text in shown if not text.startswith(known) and text != "A"] == []  # the initial of Ana


@pytest.mark.parametrize("name", PLAIN)
def test_a_page_says_its_language_and_direction(name):
    """Screen readers pronounce by it, and browsers lay out by it."""
    page = every_page(MARKED)[name]

    assert page.startswith(b'<!doctype html><html lang="ar" dir="rtl">')
    assert PLAIN[name].startswith(b'<!doctype html><html lang="en" dir="ltr">')


@pytest.mark.parametrize("name", PLAIN)
def test_markup_in_texts_names_and_urls_is_shown_as_text(name):
    """Neither a translation, nor an app's name, nor a user's, may change what a page is made of."""
    texts = Texts({text_id: MARKUP + marked(text_id) for text_id in ENGLISH})

    page = Reader(every_page(texts, app=f"{MARKUP} App", user=MARKUP, url=MARKUP)[name])
    plain = Reader(every_page(Texts({text_id: marked(text_id) for text_id in ENGLISH}), app="App", user="Ana")[name])

    assert page.tags == plain.tags
    assert {attribute for attribute, _ in page.attributes if attribute.startswith("on")} == set()


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_every_failure_has_its_texts(failure):
    """Also in another language: the title, the text, and a label for each way on."""
    page = Reader(failure_body(failure, MARKED))

    labels = [f"[{action.label}]" for action in failure.actions]
    assert page.texts.count(f"[{failure.name}.title]") == 2
    assert [text for text in page.texts if text in (f"[{failure.name}.text]", *labels)] == [
        f"[{failure.name}.text]",
        *labels,
    ]


def failure_body(failure: Failure, texts: Texts) -> bytes:
    return failures(texts)._page(navigation(), failure, "code", "r1", None).body


def test_every_text_is_used():
    """A text that no page shows would be translated for nothing."""
    shown = b"".join(
        [
            *every_page(MARKED).values(),
            *every_page(MARKED, app="App").values(),
            *(failure_body(failure, MARKED) for failure in FAILURES),
        ]
    ).decode()

    unseen = {text_id for text_id in ENGLISH if f"[{text_id}]" not in shown}
    assert {text_id for text_id in unseen if not text_id.startswith("problem.")} == {"lang", "dir"}


def test_a_part_of_a_page_says_its_language():
    """It is put into a page of the app, which may be in another one."""
    request = navigation(hx_request="true")

    translated = pages(translate({"lang": "de"})).sign_in.required(request, login="/", is_step_up=False).body
    english = pages(IN_ENGLISH).sign_in.required(request, login="/", is_step_up=False).body

    assert translated.startswith(b'<div lang="de" dir="ltr"><h1>')
    assert translated.endswith(b"</div></div>")
    assert english.startswith(b"<h1>")


def test_a_name_is_never_taken_for_a_placeholder():
    """A user may be called {reference}, and an app {user}."""
    page = every_page(app="{user}", user="{app}")["sign_out"]
    named = every_page(user="{user}")["forbidden"]

    assert (b"sign out of <bdi>{user}</bdi>?" in page, b"<bdi>{user} ({user}@)</bdi>" in named) == (True, True)


def test_an_unknown_error_is_our_fault():
    """A page is shown whatever happens."""
    body = failures().response(navigation(), OIDCError()).body

    assert ENGLISH["internal_error.text"].encode() in body
