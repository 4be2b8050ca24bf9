"""Our pages carry the name of the app, so that people know whose page they are looking at."""

from typing import Any

import pytest

from asgi_oidc import Rule
from asgi_oidc.testing import Persona, Response
from tests.protected_site import ORIGIN, Site

NAME = "Orders & <Returns>"
WRITTEN = "Orders &amp; &lt;Returns&gt;"
RULES = [Rule("/admin", claims={"roles": "nobody-has-it"})]


async def failed_login(site: Site) -> Response:
    return await site.browser().get("/auth/callback?state=x.2")


async def forbidden(site: Site) -> Response:
    return await (await site.signed_in()).get("/admin")


async def stopped_form(site: Site) -> Response:
    return await site.browser().post("/page", {"a": "b"}, initiator=f"{ORIGIN}/edit")


async def no_form(site: Site) -> Response:
    return await (await site.signed_in()).get("/auth/form")


async def sign_out_from_elsewhere(site: Site) -> Response:
    return await (await site.signed_in()).get("/auth/logout", initiator="https://blog.example.com/")


async def signed_out(site: Site) -> Response:
    return await (await site.signed_in()).post("/auth/logout")


async def long_sign_out(site: Site) -> Response:
    site.provider.personas["alice"] = Persona("alice", "Alice", "a@example.com", {"note": "x" * 2500})
    return await (await site.signed_in()).post("/auth/logout", follow=False)


async def frame(site: Site) -> Response:
    headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": "text/html"}
    return await site.browser().fetch("/page", headers=headers)


async def fragment(site: Site) -> Response:
    return await site.restarted(keep_fragment=True).browser().get("/page")


WAYS: list[Any] = [
    failed_login,
    forbidden,
    stopped_form,
    no_form,
    sign_out_from_elsewhere,
    signed_out,
    long_sign_out,
    frame,
    fragment,
]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_a_page_carries_the_name_of_the_app(way):
    """In its title, for the tab, and above the heading; whatever is in it is text."""
    page = await way(Site(app_name=NAME, public=(), rules=RULES))

    title = page.text.partition("<title>")[2].partition("</title>")[0]
    assert (WRITTEN in title, f"<p class=app>{WRITTEN}</p><h1>" in page.text) == (True, way is not frame)
    assert NAME not in page.text


async def test_a_page_without_a_name_says_nothing_about_it(site):
    """No empty line, no word in its place."""
    page = await failed_login(site)

    assert "class=app" not in page.text
    assert "<title>This sign-in could not be finished</title>" in page.text


async def test_the_sign_in_page_names_its_destination():
    """In the words that people know from elsewhere."""
    page = await frame(Site(app_name="Orders"))

    assert "<title>Sign in to Orders</title>" in page.text
    assert "<h1>Sign in to Orders</h1>" in page.text


async def test_the_name_is_text_in_a_part_of_a_page_as_well():
    """What htmx inserts into a page of the app is not kept by our policy."""
    part = await Site(app_name=NAME).browser().get("/auth/callback?state=x.2", headers={"hx-request": "true"})

    assert f"<p class=app>{WRITTEN}</p>" in part.text
