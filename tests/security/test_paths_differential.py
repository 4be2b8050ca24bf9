"""Whatever spelling a framework serves a protected handler for, behind the middleware no handler runs."""

import random
from typing import Any

import pytest

from .attacked_site import ORIGIN, Scope, described, http_scope, is_ours, protect, run
from .frameworks import MOUNTS, PROTECTED, PUBLIC, SITES, Site
from .sizes import size
from .spellings import ODD_BYTES, attempt

pytestmark = pytest.mark.usefixtures("quiet")

SAMPLE = dict.fromkeys(SITES, 750) | {"django": 300}  # Django takes a thread for each request
# How many different spellings of protected handlers the sample has to find in each bare framework, or the
# generator has gone blind and the comparison says nothing.
FEWEST_HITS = dict.fromkeys(SITES, 20) | {"starlette-catch-all": 100}


@pytest.fixture
def anyio_backend() -> str:
    """Quart runs on asyncio alone, and a path is read alike on both."""
    return "asyncio"


async def differences(
    site: Site, guarded: Any, tries: int, seed: str, *, change: Any = None
) -> tuple[set[str], list[str]]:
    """Try so many spellings; give those that the bare framework serves, and those that slip through the guard."""
    source = random.Random(seed)
    hits: set[str] = set()
    slips: list[str] = []
    for _ in range(tries):
        scope = attempt(source, websockets=site.has_websockets)
        if change is not None:
            scope = change(source, scope)
        site.counts.reset()
        await run(site.app, scope)
        if site.counts.protected:
            hits.add(f"{scope['type']} {scope['root_path']} {scope['path']}")
        site.counts.reset()
        error = await run(guarded, scope)
        if site.counts.protected or is_ours(error):
            slips.append(f"{described(scope)} {error!r}")
    return hits, slips


@pytest.mark.long
@pytest.mark.parametrize("name", SITES)
async def test_no_spelling_of_a_protected_path_reaches_its_handler(name: str) -> None:
    """Each framework reads paths in its own way; no disagreement may open a handler."""
    site = SITES[name]()

    hits, slips = await differences(site, protect(site.app, public=PUBLIC), size(SAMPLE[name], 120_000), name)

    print(f"{name}: {len(hits)} spellings served bare, {len(slips)} behind the middleware")
    assert slips == []
    assert len(hits) >= FEWEST_HITS[name]


@pytest.mark.long
@pytest.mark.parametrize("name", SITES)
async def test_no_spelling_passes_where_the_app_is_below_a_path(name: str) -> None:
    """A proxy may strip the path of `base_url`, a server may put it into `root_path`, or both."""
    site = SITES[name]()
    guarded = protect(site.app, public=PUBLIC, base_url=f"{ORIGIN}/app")

    def below(source: random.Random, scope: Scope) -> Scope:
        kind = source.random()
        root = scope["root_path"] if kind < 0.2 else "/app"
        prefix = "" if kind < 0.6 else "/app"
        raw = scope.get("raw_path")
        return {
            **scope,
            "root_path": root,
            "path": prefix + scope["path"],
            "raw_path": raw if raw is None else prefix.encode() + raw,
        }

    hits, slips = await differences(site, guarded, size(SAMPLE[name] // 2, 60_000), name + " below", change=below)

    print(f"{name}: {len(hits)} spellings served bare, {len(slips)} behind the middleware")
    assert slips == []
    assert len(hits) >= FEWEST_HITS[name] / 4


@pytest.mark.long
@pytest.mark.parametrize("outer", MOUNTS)
async def test_no_spelling_passes_a_guard_that_is_mounted(outer: str) -> None:
    """The outer app reads the path first, and hands on what it likes; a server may have added to `root_path`."""
    mount = MOUNTS[outer]
    site = SITES[outer]()  # an app that reads paths as the outer one hands them on
    guarded = protect(site.app, base_url=f"{ORIGIN}/mounted", public=["/health", "/static/*"])

    def mounted(source: random.Random, scope: Scope) -> Scope:
        prefix = source.choice(("/mounted",) * 8 + ("/mounted/mounted", "//mounted", "/static/mounted", "/MOUNTED"))
        raw = scope.get("raw_path")
        path = scope["path"]
        return {**scope, "path": prefix + path, "raw_path": raw if raw is None else prefix.encode() + raw}

    bare = Site(mount(site.app), site.counts)
    hits, slips = await differences(bare, mount(guarded), size(1_500, 100_000), "mounted", change=mounted)

    print(f"mounted in {outer}: {len(hits)} spellings served bare, {len(slips)} behind the middleware")
    assert slips == []
    assert len(hits) >= 8


class DenyList:
    """A guard as it is often written: it names what is protected."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] in PROTECTED or scope["path"].startswith(("/admin/", "/private/")):
            return
        await self._app(scope, receive, send)


class Suffix:
    """Another one: it names what is public, by a look at the end or the middle of the path."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        path = scope["path"] + "?" + scope["query_string"].decode("latin-1")
        if path.startswith("/static") or "/health" in path or path.endswith((".css", "/?")):
            await self._app(scope, receive, send)


@pytest.mark.parametrize("guard", [DenyList, Suffix])
@pytest.mark.parametrize("name", SITES)
async def test_the_spellings_get_past_a_naive_guard(name: str, guard: Any) -> None:
    """Or the tests above would prove little."""
    site = SITES[name]()

    _, slips = await differences(site, guard(site.app), SAMPLE[name], name)

    print(f"{name}: {len(slips)} past {guard.__name__}")
    assert slips


@pytest.mark.parametrize("name", SITES)
async def test_the_canonical_paths_are_served_as_the_settings_say(name: str) -> None:
    """A guard that refuses everything would pass the tests above."""
    site = SITES[name]()
    guarded = protect(site.app, public=PUBLIC)

    for path in ("/", "/health", "/static/app.css", "/static/a/b.css"):
        site.counts.reset()
        await run(guarded, http_scope(path))
        assert (path, site.counts.public, site.counts.protected) == (path, 1, 0)


@pytest.mark.parametrize("name", SITES)
async def test_one_odd_byte_anywhere_opens_nothing(name: str) -> None:
    """Every odd byte at every place of a protected and of a public path, one by one."""
    site = SITES[name]()
    guarded = protect(site.app, public=PUBLIC)
    slips = []

    for seed in ("/admin", "/health", "/static/admin"):
        for place in range(len(seed) + 1):
            for odd in ODD_BYTES:
                for path in (seed[:place] + odd.decode("latin-1") + seed[place:],):
                    site.counts.reset()
                    error = await run(guarded, http_scope(path))
                    if site.counts.protected or is_ours(error):
                        slips.append((path, error))

    assert slips == []
