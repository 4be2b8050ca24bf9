"""The pages where a user chooses a provider: what they show, in which order, and what a program gets instead."""

import re

import pytest

from asgi_oidc.pages.providers import MAX_BUTTONS, MAX_IN_JSON, MAX_UNGROUPED, Choice, provider_members
from asgi_oidc.pages.untrusted import MAX_NAME_LENGTH
from asgi_oidc.web.response import Response
from tests.pages.rendered import HOME, LOGIN, Reader, navigation, pages

GOOGLE = Choice("google", "Google", f"{LOGIN}?provider=google&return_to=%2F", "google")
WORK = Choice("work", "Contoso", f"{LOGIN}?provider=work")
GITHUB = Choice("github", "GitHub", f"{LOGIN}?provider=github", "github")
CHOICES = [GOOGLE, WORK, GITHUB]
PROVIDERS = pages().providers
REQUEST = navigation()


def tenants(number: int) -> list[Choice]:
    """Make providers whose order by title is the opposite of the order they are in."""
    return [Choice(f"t{each}", f"Tenant {999 - each}", f"{LOGIN}?provider=t{each}") for each in range(number)]


def urls(page: bytes) -> list[str | None]:
    """Name where the links of a page lead, in its order."""
    return [value for name, value in Reader(page).attributes if name == "href"]


def policy(headers: dict[bytes, bytes]) -> list[bytes]:
    """Split the content security policy of a page."""
    return headers[b"content-security-policy"].split(b"; ")


def test_each_provider_is_a_plain_link():
    """It works without scripts, in a new tab, and for screen readers."""
    page = PROVIDERS.choose(REQUEST, CHOICES, last_used=None).body

    assert urls(page) == [choice.url for choice in CHOICES]
    assert re.findall(rb"Continue with <bdi>(\w+)</bdi>", page) == [b"Google", b"Contoso", b"GitHub"]


def test_the_provider_used_last_comes_first_and_says_so():
    """Most people use the same one again; the mark is text within the link, so everybody gets it."""
    page = PROVIDERS.choose(REQUEST, CHOICES, last_used="github").body

    [marked] = re.findall(rb"<a href=\"([^\"]+)\">(?:(?!</a>).)*Last used</span></span></a>", page)
    assert urls(page) == [GITHUB.url, GOOGLE.url, WORK.url]
    assert marked.decode() == GITHUB.url


@pytest.mark.parametrize("last_used", [None, "gone", "", "Google"])
def test_no_provider_is_marked_when_none_was_used(last_used):
    """A provider that was removed may still be remembered by a browser."""
    page = PROVIDERS.choose(REQUEST, CHOICES, last_used=last_used).body

    assert (b"Last used" in page, urls(page)) == (False, [choice.url for choice in CHOICES])


def test_a_few_providers_keep_their_order():
    """The app's developer has put the most likely one first."""
    few = tenants(MAX_BUTTONS)

    page = PROVIDERS.choose(REQUEST, few, last_used=None).body

    assert (urls(page), b'"choices compact"' in page) == ([choice.url for choice in few], False)


@pytest.mark.parametrize("number", [MAX_BUTTONS + 1, MAX_UNGROUPED + 2, 300])
def test_many_providers_are_a_compact_list_by_title(number):
    """People look for theirs by its first letter; the one used last stays on top, as a button."""
    many = tenants(number)

    page = PROVIDERS.choose(REQUEST, many, last_used="t4").body

    backwards = [choice.url for choice in reversed(many) if choice.name != "t4"]
    assert [url for url in urls(page) if url != "#group0"] == [many[4].url, *backwards]
    assert re.findall(rb"Continue with <bdi>([\w ]+)</bdi>", page) == [b"Tenant 995"]
    assert len(page) < 100_000


@pytest.mark.parametrize(("number", "is_grouped"), [(MAX_UNGROUPED, False), (MAX_UNGROUPED + 1, True)])
def test_very_many_providers_are_grouped_by_their_first_letter(number, is_grouped):
    """Links to the letters stand above: there is no script to search with."""
    page = PROVIDERS.choose(REQUEST, tenants(number), last_used=None).body

    assert (b"<a href=#group0>T</a>" in page, b"<h2 id=group0>T</h2>" in page) == (is_grouped, is_grouped)


def test_letters_are_those_of_people_and_not_of_computers():
    """Capitals and accents make no difference, digits and signs share one heading, other scripts have their own."""
    titles = [
        "\u00c9cole",
        "~",
        "edge",
        "Eiger",
        "3M",
        "\u00dcnal",
        "unit",
        "(Zed)",
        "\u041c\u0438\u0440",
        "\u682a",
        "7",
    ]
    filler = [f"Z{number:02}" for number in range(MAX_UNGROUPED)]
    choices = [Choice(str(number), title, LOGIN) for number, title in enumerate([*titles, *filler])]

    page = PROVIDERS.choose(REQUEST, choices, last_used=None).body.decode()

    headings = re.findall(r"<h2 id=group\d>(.)</h2>", page)
    shown = re.findall(r"<bdi>(.*?)</bdi>", page)
    assert headings == ["#", "E", "U", "Z", "\u041c", "\u682a"]
    assert shown[:8] == ["(Zed)", "3M", "7", "~", "\u00c9cole", "edge", "Eiger", "\u00dcnal"]
    assert re.findall(r"<a href=#group(\d)>", page) == re.findall(r"<h2 id=group(\d)>", page)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("", "work"),
        (" \u202e\x00\n", "work"),
        ("\ud800", "work"),
        ("Con\u202etoso", "Contoso"),
        ("x" * 10_000, "x" * MAX_NAME_LENGTH + "\u2026"),
        ("<b>&amp;", "<b>&amp;"),
    ],
    ids=["empty", "unprintable", "surrogate", "bidi", "long", "markup"],
)
def test_a_title_is_short_plain_text_on_one_line(title, shown):
    """Titles of tenants come from a database; an empty link could not be read out."""
    choice = Choice("work", title, LOGIN)

    page = Reader(PROVIDERS.choose(REQUEST, [choice], last_used=None).body)

    assert (shown in page.texts, "b" in page.tags) == (True, False)
    assert provider_members([choice])["providers"] == [{"name": "work", "title": shown, "login_url": LOGIN}]


@pytest.mark.parametrize("number", [1, MAX_BUTTONS + 1])
def test_a_url_is_text_too(number):
    """It is ours, and still no reason to trust it."""
    hostile = '"><img src=x onerror=alert(1)>&amp;'

    page = Reader(PROVIDERS.choose(REQUEST, [Choice("work", "Contoso", hostile)] * number, last_used=None).body)

    assert (page.attributes.count(("href", hostile)), "img" in page.tags) == (number, False)


def test_a_notice_is_above_the_providers_and_announced():
    """Who comes from an old bookmark is told why this page is shown."""
    page = PROVIDERS.choose(REQUEST, CHOICES, last_used=None, notice="choose_provider.unknown").body

    notice = b"<p class=notice id=notice role=alert>This sign-in option is not available. Choose another one.</p>"
    assert page.index(b"<h1>") < page.index(notice) < page.index(b"<ul")
    assert b"role=alert" not in PROVIDERS.choose(REQUEST, CHOICES, last_used=None).body


@pytest.mark.parametrize(("app", "heading"), [(None, "Sign in"), ("Orders", "Sign in to Orders")])
def test_the_pages_are_named_for_what_they_are_for(app, heading):
    """The tab, and the one heading, say where somebody signs in."""
    made = pages(app=app).providers
    for response in (made.choose(REQUEST, CHOICES, last_used=None), made.ask_name(REQUEST, action=LOGIN, fields={})):
        read = Reader(response.body)

        assert (read.texts.count(heading), read.tags.count("h1"), read.tags.count("main")) == (2, 1, 1)


def test_the_list_is_a_list_everywhere():
    """Safari does not announce a list without bullets as a list."""
    read = Reader(PROVIDERS.choose(REQUEST, CHOICES, last_used=None).body)

    assert ("role", "list") in read.attributes
    assert read.attributes.count(("aria-hidden", "true")) == len(CHOICES)  # of logos, which say nothing new


def test_the_pages_are_never_cached():
    """They name what this browser used last, and lead back to a page of the app."""
    for response in both_pages():
        headers = dict(response.headers)

        assert (response.status, headers[b"cache-control"]) == (200, b"no-store")
        assert (headers[b"x-content-type-options"], headers[b"x-frame-options"]) == (b"nosniff", b"DENY")
        assert {b"default-src 'none'", b"base-uri 'none'", b"frame-ancestors 'none'"} <= set(policy(headers))


def test_a_page_without_a_form_allows_none():
    """The other one has a form that is redirected to a provider, wherever that may be."""
    choose, ask = (policy(dict(response.headers)) for response in both_pages())

    assert (choose[-1], [part for part in ask if part.startswith(b"form-action")]) == (b"form-action 'none'", [])


def test_the_name_of_a_provider_is_asked_for_in_a_labelled_field():
    """What the browser checks is what a name may be; what else the login needs goes along."""
    page = PROVIDERS.ask_name(REQUEST, action=LOGIN, fields={"return_to": '/a?b="c"', "ask": "s"}).body

    read = Reader(page)
    assert {("for", "provider"), ("id", "provider"), ("name", "provider"), ("maxlength", "64")} <= set(read.attributes)
    assert {("name", "return_to"), ("value", '/a?b="c"'), ("name", "ask"), ("value", "s")} <= set(read.attributes)
    assert ("aria-describedby", "hint") in read.attributes
    assert (("action", LOGIN) in read.attributes, b"method" in page) == (True, False)


def test_an_unknown_name_is_explained_at_the_field():
    """A screen reader reads the reason where the name is entered."""
    page = Reader(PROVIDERS.ask_name(REQUEST, action=LOGIN, fields={}, notice="provider_name.unknown").body)

    assert {("aria-invalid", "true"), ("aria-describedby", "notice hint"), ("id", "notice")} <= set(page.attributes)


@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("acme", True),
        ("0", True),
        ("a-b_c", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("-a", False),
        ("Acme", False),
        ("a b", False),
        ("a/b", False),
    ],
)
def test_the_field_takes_names_that_providers_may_have(name, is_allowed):
    """An error before the form is sent is the quickest help."""
    [pattern] = [value for name, value in Reader(field_page()).attributes if name == "pattern"]

    assert bool(re.fullmatch(pattern or "", name)) == is_allowed


def field_page() -> bytes:
    return PROVIDERS.ask_name(REQUEST, action=LOGIN, fields={}).body


def test_a_program_gets_the_same_choice():
    """As a member of its 401; it shows its own page."""
    assert provider_members([GOOGLE, Choice("b", "B", HOME)])["providers"] == [
        {"name": "google", "title": "Google", "login_url": GOOGLE.url},
        {"name": "b", "title": "B", "login_url": HOME},
    ]


def test_a_program_gets_a_bounded_list():
    """300 of them with every 401 would be 60 kB; `login_url` leads to the page that has all."""
    choices = [Choice(f"p{number}", f"P {number}", LOGIN) for number in range(300)]

    members = provider_members(choices)

    assert members["providers"] == provider_members(choices[:MAX_IN_JSON])["providers"]
    assert members["providers_left_out"] == 300 - MAX_IN_JSON
    assert provider_members([]) == {}


def both_pages() -> list[Response]:
    return [
        PROVIDERS.choose(REQUEST, CHOICES, last_used=None),
        PROVIDERS.ask_name(REQUEST, action=LOGIN, fields={}),
    ]
