"""The setting `pages`: the app's own HTML, under our status, headers and cookies, and our page whenever it fails."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from asgi_oidc import Rule
from asgi_oidc.pages import (
    ChooseProviderPage,
    FailurePage,
    ForbiddenPage,
    FormOfferPage,
    HiddenField,
    Page,
    ProviderNamePage,
    SafeHTML,
)
from asgi_oidc.pages.languages import Translations
from asgi_oidc.pages.page import RenderPages
from asgi_oidc.pages.pages import make_pages
from asgi_oidc.pages.rendering import MAX_PAGE_SIZE, PageRenderer
from asgi_oidc.pages.translation import IN_ENGLISH
from tests.pages.rendered import HOME, Reader, every_response
from tests.protected_site import Site

FAILED = "/auth/callback?state=x.2"
PAGE = Page(kind="any", status=400, title="Title", text="Text")


def shown_pages() -> dict[str, tuple[Page, bytes]]:
    """Return what the function of the app gets for each page, and our own page; a frame that nobody sees has none."""
    made = make_pages(Translations(IN_ENGLISH), app_name="Orders", home=HOME, render=lambda page: None)
    found: dict[str, tuple[Page, bytes]] = {}
    for name, response in every_response(made).items():
        if name != "in_frame":
            assert isinstance(response.write_body, partial)
            found[name] = response.write_body.args
    return found


PAGES = shown_pages()


def recording(seen: list[Page], write: Callable[[Page], str | None]) -> RenderPages:
    """Make a function that remembers the pages that it gets."""

    def render(page: Page) -> str | None:
        seen.append(page)
        return write(page)

    return render


class Parts(Reader):
    """The parts of a page without which it does not work."""

    @property
    def targets(self) -> set[str]:
        return {value or "" for name, value in self.attributes if name in ("href", "action")}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_object_has_all_that_our_own_page_shows(name):
    """An app's template can do whatever ours does."""
    page, own = PAGES[name]
    main = Parts(own.partition(b"<main>")[2].partition(b"</main>")[0])
    content = Parts(page.content.encode())

    known = str([getattr(page, field) for each in type(page).__mro__ for field in getattr(each, "__slots__", ())])
    links = {action.href for action in page.actions} | {form.action for form in page.forms}
    links |= {way.href for way in page.ways} if isinstance(page, ChooseProviderPage) else set()
    values = [text for name, text in main.attributes if name == "value" and text]
    values_of_forms = [field.value for form in page.forms for field in form.fields if field.value]
    values_of_forms += [form.button.value for form in page.forms if form.button.value]
    assert {target for target in main.targets if not target.startswith("#")} == links
    assert sorted(values) == sorted(values_of_forms)
    assert (content.targets, set(content.texts) <= set(main.texts)) == (main.targets, True)
    for text in ("".join(main.texts), page.title):
        assert page.title in text
    assert page.kind in known


def test_a_page_says_where_its_form_goes():
    """Without it, a user may send a form that another site made."""
    page, _ = PAGES["form_offer"]
    assert isinstance(page, FormOfferPage)

    assert (page.destination_label, page.destination, page.target) == ("To be sent to", "/orders?a=b", "_top")


@pytest.mark.parametrize("kind", [ChooseProviderPage, ProviderNamePage, ForbiddenPage, FormOfferPage, FailurePage])
def test_no_class_of_pages_gives_an_attribute_of_all_pages_another_meaning(kind):
    """What is set for all pages would replace what is of this one."""
    assert kind.__annotations__.keys() & Page.__annotations__.keys() == set()


@pytest.mark.parametrize("name", PAGES)
def test_the_script_and_the_ids_that_it_looks_for_are_there(name):
    """A script that finds no element leaves people on a page that promised to go on."""
    page, own = PAGES[name]

    ids = {action.id for action in page.actions} | {form.id for form in page.forms}
    assert (f"<script>{page.script}</script>".encode() in own) == bool(page.script)
    assert {word for word in ("login", "back", "leave") if f'ById("{word}")' in page.script} <= ids


def test_pages_with_more_to_show_have_a_class_of_their_own():
    """A template finds the providers, the fields and the code in attributes, not in HTML."""
    kinds = {name: type(page) for name, (page, _) in PAGES.items() if type(page) is not Page}

    assert kinds == {
        "choose_provider": ChooseProviderPage,
        "choose_among_many": ChooseProviderPage,
        "ask_provider_name": ProviderNamePage,
        "ask_provider_name_again": ProviderNamePage,
        "forbidden": ForbiddenPage,
        "form_offer": FormOfferPage,
    }


def test_no_page_shows_the_fields_of_forms_in_its_repr():
    """Error reporters record the variables of a template; a form may contain a password."""
    for page, _ in PAGES.values():
        assert repr(page) == f"{type(page).__name__}(kind={page.kind!r}, status={page.status})"
    assert repr(HiddenField("password", "hunter2")) == "HiddenField('password', ...)"


def test_only_what_is_html_says_so_to_template_engines():
    """Everything else is escaped by them."""
    page, _ = PAGES["choose_provider"]
    assert isinstance(page, ChooseProviderPage)

    html = {type(value) for value in (page.content, page.style, page.script, page.ways[0].logo)}
    assert (html, page.content.__html__()) == ({SafeHTML}, page.content)
    assert not any(hasattr(text, "__html__") for text in (page.title, page.text, page.ways[0].label))


async def test_the_app_renders_the_page_and_the_rest_stays_ours():
    """Status, cookies, caching and policy: the function decides about none of them."""
    seen: list[Page] = []
    render = recording(seen, lambda page: f"<b>{page.kind}</b>é")
    site = Site(app_name="Orders", app_logo="/static/logo.svg", pages=render)

    page = await site.browser().get(FAILED)
    own = await Site(app_name="Orders").browser().get(FAILED)

    assert (page.status_code, page.text) == (400, "<b>login_cookie_missing</b>é")
    assert page.headers["content-length"] == str(len(page.text.encode()))
    for name in ("cache-control", "x-content-type-options", "referrer-policy", "x-frame-options", "content-type"):
        assert page.headers[name] == own.headers[name]
    [failure] = seen
    assert isinstance(failure, FailurePage)
    assert (failure.code, failure.status, failure.path) == ("transaction_missing", 400, "/auth/callback")
    assert (failure.app_name, failure.app_logo) == ("Orders", "/static/logo.svg")
    assert failure.reference is not None
    assert failure.reference_text == f"Reference: {failure.reference}"


async def test_the_policy_of_own_pages_allows_styles_and_images_of_the_own_origin_only():
    """No script but ours, no other origin, whatever the HTML says."""
    page = await Site(pages=lambda page: "<script>alert(1)</script>").browser().get(FAILED)

    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self' 'sha256-")
    assert "; img-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'" in policy
    assert "script-src" not in policy


async def test_an_async_function_is_awaited():
    """Some template engines render so."""

    async def render(page: Page) -> str:
        await anyio.lowlevel.checkpoint()
        return f"<p>{page.title}"

    page = await Site(pages=render).browser().get(FAILED)

    assert page.text == "<p>This sign-in could not be finished"


async def test_none_is_our_own_page():
    """For an app that changes one of them."""
    page = await Site(pages=lambda page: None).browser().get(FAILED)

    assert "<h1>This sign-in could not be finished</h1>" in page.text


def stumble(page: Page) -> str:
    raise RuntimeError("secret-of-the-app")


async def stumble_later(page: Page) -> str:
    await anyio.lowlevel.checkpoint()
    return stumble(page)


@pytest.mark.parametrize(
    ("render", "logged"),
    [
        (stumble, "raised=RuntimeError at=rendering.py"),
        (stumble_later, "raised=RuntimeError at=rendering.py"),
        (lambda page: b"<p>", "detail='pages must return HTML as text, or None; got bytes'"),
        (lambda page: "", f"detail='pages must return 1 to {MAX_PAGE_SIZE} characters; got 0'"),
        (lambda page: "x" * (MAX_PAGE_SIZE + 1), f"got {MAX_PAGE_SIZE + 1}'"),
        (lambda page: "\ud800", "raised=UnicodeEncodeError"),
        (lambda page, missing: "<p>", "raised=TypeError"),
    ],
    ids=["raises", "raises-later", "bytes", "empty", "long", "surrogate", "signature"],
)
async def test_our_own_page_is_shown_when_the_function_fails(render, logged, caplog):
    """And the log says so once for each kind of page, with the lines of code and no text of the exception."""
    site = Site(pages=render)
    with caplog.at_level(logging.WARNING, "asgi_oidc"):
        shown = [await site.browser().get(FAILED) for _ in range(2)]

    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("page_failed")]
    assert ["<h1>This sign-in could not be finished</h1>" in page.text for page in shown] == [True, True]
    assert (len(lines), logged in lines[0], "page=login_cookie_missing" in lines[0]) == (1, True, True)
    assert "secret-of-the-app" not in caplog.text


async def test_a_function_that_never_ends_is_given_up():
    """People wait for a page, not for a template."""

    async def render(page: Page) -> str:
        await anyio.sleep_forever()
        return ""

    assert await PageRenderer(render, deadline=0.01).render(PAGE, b"own") == b"own"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_task_of_the_function_is_its_failure(caplog):
    """On asyncio that looks like a cancellation of the request, which would end without a response."""

    async def render(page: Page) -> str:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task
        return ""

    assert await PageRenderer(render).render(PAGE, b"own") == b"own"
    assert "page_failed" in caplog.text


async def test_a_client_that_leaves_is_no_failure_of_the_function(caplog):
    """Cancellation goes through."""

    async def render(page: Page) -> str:
        scope.cancel()
        await anyio.sleep_forever()
        return ""

    with anyio.CancelScope() as scope:
        await PageRenderer(render).render(PAGE, b"own")

    assert (scope.cancelled_caught, caplog.text) == (True, "")


@pytest.mark.parametrize(
    ("headers", "is_fragment", "frame_id"),
    [
        ({}, False, None),
        ({"hx-request": "true"}, True, None),
        ({"turbo-frame": "box"}, True, "box"),
    ],
)
async def test_the_page_says_whether_it_becomes_a_part_of_another(headers, is_fragment, frame_id):
    """The whole of the app's HTML is sent, so the template decides; ours is cut for htmx and Turbo."""
    seen: list[Page] = []
    site = Site(pages=recording(seen, lambda page: "<p>mine</p>"))

    page = await site.browser().get("/page", headers={"accept": "text/html", "sec-fetch-mode": "cors", **headers})
    page = page if seen else await site.browser().get(FAILED, headers=headers)

    assert ([(each.is_fragment, each.frame_id) for each in seen], page.text) == (
        [(is_fragment, frame_id)],
        "<p>mine</p>",
    )


async def test_a_user_without_access_is_named_and_so_is_the_rule():
    """For a template that tells how to get access."""
    seen: list[Page] = []
    rules = [Rule("/admin", claims={"roles": "owner"})]
    site = Site(rules=rules, pages=recording(seen, lambda page: None))

    await (await site.signed_in()).get("/admin")

    [page] = seen
    assert isinstance(page, ForbiddenPage)
    assert (page.user_name, page.requirement) == ("Alice Adams", "/admin needs claims roles")
    assert page.text.startswith("You are signed in as Alice Adams (")


async def test_a_head_request_has_the_length_of_the_page():
    """RFC 9110 §9.3.2."""
    response = (
        await Site(pages=lambda page: "<p>mine</p>")
        .browser()
        .fetch(
            FAILED,
            method="HEAD",
            headers={"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        )
    )

    assert (response.headers["content-length"], response.text) == ("11", "")


def test_a_renderer_may_be_any_callable():
    """A method of an object that holds the templates, for one."""

    class Templates:
        def __call__(self, page: Page) -> str:
            return page.title

    render: RenderPages = Templates()
    settings: dict[str, Any] = {"pages": render}
    assert Site(**settings)
