"""The files of the guide to forward auth: each proxy replaces every header that the app believes."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from joserfc.errors import JoseError

from asgi_oidc.testing.in_process import call_app
from tests.examples.guides import EXAMPLES, blocks, read_guide, run_block
from tests.forward_auth.forward_site import NAVIGATION, PROXY, ForwardSite, Reply
from tests.protected_site import ORIGIN

FOLDER = EXAMPLES / "forward-auth"
GUIDE = read_guide("forward-auth")
NGINX = (FOLDER / "nginx.conf").read_text("utf-8")
CADDY = (FOLDER / "Caddyfile").read_text("utf-8")
TRAEFIK = yaml.safe_load((FOLDER / "traefik.yml").read_text("utf-8"))["http"]
FORWARD_AUTH: dict[str, Any] = TRAEFIK["middlewares"]["signed-in"]["forwardAuth"]
IDENTITY = {"X-User", "X-Email", "X-Groups", "X-Identity"}
CONNECTION = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "content-length"}

Headers = dict[str, str]


class Traefik:
    """What Traefik is documented to do for a router with `forwardAuth`, with the options of the guide's file.

    Source: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/
    """

    def __init__(self, site: ForwardSite, options: Mapping[str, Any] = FORWARD_AUTH) -> None:
        self._site = site
        self._options = options
        self.reached_app: list[Headers] = []

    async def request(self, path: str, method: str = "GET", headers: Headers | None = None) -> Reply:
        """Ask, and pass the request on if the answer is a 2xx; else the answer is for the browser."""
        own = {name.lower(): value for name, value in (headers or {}).items()}
        for name, value in TRAEFIK["middlewares"]["without-other-spellings"]["headers"]["customRequestHeaders"].items():
            assert value == ""
            own.pop(name.lower(), None)
        forwarded = {
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-method": method,
            "x-forwarded-proto": "https",
            "x-forwarded-host": ORIGIN.removeprefix("https://"),
            "x-forwarded-uri": path,
        }
        asked = {name: value for name, value in own.items() if name not in CONNECTION} | forwarded
        answer = await self._site.ask(headers=asked, forwarded=[], peer=PROXY)
        if not 200 <= answer.status < 300:
            return answer
        for name in self._options["authResponseHeaders"]:
            own.pop(name.lower(), None)
            own |= {name.lower(): value for value in answer.all(name.lower())}
        self.reached_app.append(own)
        return Reply(200, [], b"the app")


@pytest.fixture
def site() -> ForwardSite:
    return ForwardSite(
        {"headers": {"X-User": "sub", "X-Email": "email", "X-Groups": "groups"}, "token_header": "X-Identity"}
    )


def test_each_file_names_the_same_headers_and_replaces_all_of_them():
    """One that is forgotten could be set by anybody."""
    set_for_app = dict(re.findall(r"proxy_set_header (X-\S+) (\$auth_\w+);", NGINX))
    taken_from = dict(re.findall(r"auth_request_set (\$auth_\w+) \$upstream_http_(\w+);", NGINX))
    (copied,) = re.findall(r"^\t+copy_headers (.*)$", CADDY, re.MULTILINE)
    command = GUIDE.partition("$ asgi-oidc serve ")[2].partition("```")[0]
    removed = re.findall(r"request_header -(\S+)", CADDY)

    assert set(set_for_app) == set(re.findall(r"--(?:token-)?header ([\w-]+)", command)) == IDENTITY
    assert {name: taken_from[variable] for name, variable in set_for_app.items()} == {
        name: name.lower().replace("-", "_") for name in IDENTITY
    }
    assert set(copied.split()) == IDENTITY
    assert set(removed) == IDENTITY | {"*_*"}
    assert CADDY.rindex("request_header -") < CADDY.index("forward_auth ")
    assert set(FORWARD_AUTH["authResponseHeaders"]) == IDENTITY


def test_traefik_believes_no_browser_and_asks_before_the_app():
    """And our own URLs come without a question."""
    routers, services = TRAEFIK["routers"], TRAEFIK["services"]

    assert FORWARD_AUTH["trustForwardHeader"] is False
    assert FORWARD_AUTH["address"].endswith(":9000/forward-auth")
    assert "signed-in" in routers["app"]["middlewares"]
    assert "middlewares" not in routers["sign-in"]
    assert {router["service"] for router in routers.values()} == set(services)
    spellings = TRAEFIK["middlewares"]["without-other-spellings"]["headers"]["customRequestHeaders"]
    assert set(spellings) == {name.replace("-", "_") for name in IDENTITY}


@pytest.mark.parametrize("name", [*sorted(IDENTITY), *sorted(name.replace("-", "_") for name in IDENTITY)])
@pytest.mark.parametrize("path", ["/wiki", "/public/x"])
async def test_behind_traefik_a_header_of_the_browser_never_gets_through(site, name, path):
    """Signed in or not."""
    traefik = Traefik(site)
    for cookie in ("", await site.cookie("bob")):
        await traefik.request(path, headers={name: "mallory", **({"cookie": cookie} if cookie else {})})

    assert [each for each in traefik.reached_app if "mallory" in each.values()] == []


async def test_behind_traefik_a_user_signs_in_and_the_app_knows_who_it_is(site):
    """The redirect to the provider is passed on with its cookie; the callback comes to us without a question."""
    traefik, browser = Traefik(site), site.browser()
    redirect = await traefik.request("/wiki", headers=NAVIGATION)
    for line in redirect.all("set-cookie"):
        browser.jar.receive(line, f"{ORIGIN}/wiki")
    await browser.get(str(redirect.header("location")))
    back = await browser.submit(button="alice", follow=False)
    await browser.get(back.location, follow=False)
    cookie = browser.jar.header(f"{ORIGIN}/", is_same_site=True, is_safe_navigation=True)
    page = await traefik.request("/wiki", headers={**NAVIGATION, "cookie": cookie})

    assert (redirect.status, page.body) == (303, b"the app")
    assert [each["x-user"] for each in traefik.reached_app] == ["alice"]


async def test_the_code_of_the_guide_verifies_a_token_and_refuses_others(site):
    """It is copied into apps."""
    names: dict[str, Any] = {}
    run_block(next(block for block in blocks(GUIDE, "python") if "user_of" in block), names)
    status, _, body = await call_app(site.app, "GET", "http://asgi-oidc:9000/forward-auth/jwks", {}, b"")
    keys = json.loads(body)
    now = int(time.time())
    site.clock.now = now - 600
    cookie = await site.cookie()
    old = str((await site.ask(cookie=cookie)).header("x-identity"))
    site.clock.now = now
    good = str((await site.ask(cookie=cookie)).header("x-identity"))
    other = str((await ForwardSite({"token_header": "X-Identity"}).ask(cookie=cookie)).header("x-identity"))

    for token in (old, other, good[:-6] + "AAAAAA", "", "x.y.z"):
        with pytest.raises((JoseError, ValueError)):
            names["user_of"](token, keys)
    assert (status, names["user_of"](good, keys)) == (200, "alice")
