"""The apps of the guide to pages: each shows every page with its own templates, and signs people in."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from jinja2 import Environment, FileSystemLoader

from asgi_oidc.cli.demo_providers import EXAMPLE
from asgi_oidc.pages import Page
from asgi_oidc.testing import FakeProvider, serve
from tests.examples.guides import EXAMPLES
from tests.examples.running import Example, environ_of, run_example
from tests.pages.rendered import Reader
from tests.pages.test_own_pages import PAGES
from tests.real.processes import free_port

TEMPLATES = EXAMPLES / "pages" / "templates"


@pytest.fixture(scope="module", params=["starlette_app", "fastapi_app"])
def example(request: pytest.FixtureRequest) -> Iterator[Example]:
    """One of the apps, running in this process."""
    provider, port = FakeProvider(clients=[EXAMPLE]), free_port()
    with serve(provider) as served, pytest.MonkeyPatch.context() as patch:
        provider.issuer = served.url
        for name, value in environ_of(provider, origin := f"http://127.0.0.1:{port}").items():
            patch.setenv(name, value)
        app = importlib.import_module(f"examples.pages.{request.param}").app
        with serve(app, port=port):
            yield Example(origin, provider)


@pytest.fixture
def anyio_backend() -> str:
    """The app is another process: one backend is enough on our side."""
    return "asyncio"


async def test_the_app_shows_a_page_in_its_own_look_and_signs_people_in(example: Example):
    """Its header, its stylesheet, our text; and the stylesheet is there for people who are not signed in."""
    await try_out(example)


async def test_so_does_the_project_of_django():
    """In a process of its own, because it sets Django up."""
    with run_example("examples.pages.django_app:app") as example:
        await try_out(example)


async def try_out(example: Example) -> None:
    async with example.browsing() as browser:
        page = await browser.get("/auth/callback?state=x.2")
        part = await browser.get("/auth/callback?state=x.2", headers={"hx-request": "true"})
        style = await browser.get("/static/site.css")
        signed_in = await browser.sign_in("alice", "/me")

    read = Reader(page.text.encode())
    assert (page.status_code, "This sign-in could not be finished" in read.texts) == (400, True)
    assert ("href", "/static/site.css") in read.attributes
    assert (part.text.lstrip().startswith("<h1>"), style.status_code) == (True, 200)
    assert "Hello, Alice Adams" in signed_in.text


def by_jinja() -> Callable[[Page], str]:
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    return lambda page: templates.get_template("sign_in_pages.html").render(page=page)


def by_django() -> Callable[[Page], str]:
    engine = importlib.import_module("django.template").Engine(dirs=[str(TEMPLATES)])
    context = importlib.import_module("django.template").Context
    return lambda page: str(engine.get_template("sign_in_pages.html").render(context({"page": page}, use_l10n=False)))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("engine", [by_jinja, by_django])
def test_the_templates_show_all_of_every_page(engine, name):
    """The links, the forms with their hidden fields, and the script, unchanged."""
    page, own = PAGES[name]
    rendered = Reader(engine()(page).encode())
    ours = Reader(own)

    def of(read: Reader, *names: str) -> set[str | None]:
        return {value for attribute, value in read.attributes if attribute in names and value}

    links = {link for link in of(ours, "href", "action") if link and not link.startswith("#")}
    assert links <= of(rendered, "href", "action")
    assert of(ours, "value") <= of(rendered, "value")
    assert (str(page.script) in rendered.texts) == bool(page.script)
    assert page.title in rendered.texts


@pytest.mark.parametrize("engine", [by_jinja, by_django])
def test_the_templates_say_where_a_form_goes(engine):
    """A form that another site made must not be sent blindly."""
    page, _ = PAGES["form_offer"]

    assert "<dd>/orders?a=b</dd>" in engine()(page)


@pytest.mark.parametrize("engine", [by_jinja, by_django])
def test_the_templates_escape_what_others_choose(engine):
    """A user may be called anything."""
    page = replace(PAGES["forbidden"][0], text="<img src=x onerror=alert(1)>")

    assert ("<img" in engine()(page), "&lt;img src=x" in engine()(page)) == (False, True)
