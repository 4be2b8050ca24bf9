"""Whatever path and root path a client sends to apps in one another: no handler runs that is closed at its place."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from django.conf import settings as django_settings

from asgi_oidc import Rule

from .attacked_site import ORIGIN, Scope, cookie_of, described, http_scope, is_ours, protect, run
from .mounts import TREES, Visits, random_tree
from .sizes import size
from .spellings import MUTATIONS

pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.long]

PUBLIC = ("/open/*", "/static/files/*", "/static/a/open/*", "/a/open/*", "/static/open/x")
CLOSED = (
    "/panel",
    "/static/secret",
    "/static/a/*",
    "/a/secret",
    "/a/a/*",
    "/b/panel",
    "/static/a/a/secret",
    "/static/panel",
)
RULES = [Rule(path, claims={"roles": "admin"}) for path in CLOSED]
BASES = ("", "/app", "/app.x/y")
CHOSEN = (
    *("/", "/app/", "/x", "/static", "/static/files", "/open", "/app/static", "/ap", "app", "/a", "/open/x", "/files"),
    *("/.*", "/[a-z]+", "x|/files", ".{5}", "/open/x|y", "(/open)", "/st.tic", "/..", "/a|/b", "/static|/open"),
)
TRIES = 500  # about a quarter of a second a tree
BARE = 2_000  # requests of them that the bare app gets as well
# So many handlers have to run for a path that is not theirs, or the generator has gone blind.
FEWEST_HITS = 2


@pytest.fixture
def anyio_backend() -> str:
    """Quart runs on asyncio alone, and a path is read alike on both."""
    return "asyncio"


@pytest.fixture(autouse=True)
def without_script_name() -> Iterator[None]:
    """Leave the settings of Django, of which a process has one, as they were."""
    yield
    if django_settings.configured:
        django_settings.FORCE_SCRIPT_NAME = None


def longest(patterns: Iterable[str], place: str) -> int:
    """Return the length of the longest pattern that means a place, 0 where none does."""
    stems = [(pattern.removesuffix("/*"), pattern.endswith("/*")) for pattern in patterns]
    return max(
        (len(stem) for stem, is_wide in stems if f"{place}/".startswith(f"{stem}/") and (is_wide or place == stem)),
        default=0,
    )


def is_public(place: str) -> bool:
    """Say whether anybody may have what is at a place; of a pattern and a rule the longer one wins."""
    return longest(PUBLIC, place) > longest(CLOSED, place)


def is_closed(place: str) -> bool:
    """Say whether a reader may not."""
    return longest(CLOSED, place) > longest(PUBLIC, place)


def tricky_path(source: random.Random, places: Sequence[str], root: str, base: str) -> str:
    """Write a path that leads to a handler, and may look like the path of another one."""
    path = source.choice(places)
    words = [
        root,
        base,
        "/app",
        "/static",
        "/a",
        "/b",
        "/static/files",
        "/open",
        "/static/a/open",
        "/x",
        "x",
        "/files/x",
    ]
    for _ in range(source.choice((0, 1, 1, 2, 2, 3))):
        cuts = [place.start() for place in re.finditer("/", path)] + [len(path)]
        at = source.choice(cuts)
        match source.random():
            case chance if chance < 0.6:
                path = path[:at] + source.choice(words) + path[at:]
            case chance if chance < 0.75:
                path = path[:at] + path[at + 1 :]
            case chance if chance < 0.85:
                at = source.randrange(len(path) + 1)
                path = path[:at] + source.choice(words) + path[at:]
            case _:
                path = source.choice(MUTATIONS)(source, path.encode()).decode("utf-8", "replace")[:3000]
    return source.choice((base, base, base, root, root, "")) + path


def attempt(source: random.Random, places: Sequence[str], base: str) -> Scope:
    """Make a request as a server may hand it over, also one that lets clients choose the root path."""
    root = source.choice((base, base, base, "", source.choice(CHOSEN)))
    path = tricky_path(source, places, root, base)
    scope = http_scope(path, root_path=root)
    if source.random() < 0.2:
        del scope["raw_path"]
    return scope


async def differences(
    app: Any, visits: Visits, source: random.Random, *, tries: int
) -> tuple[set[str], int, list[str]]:
    """Try so many requests; give those that reach a handler by another path, how many are served, and what slips by."""
    guards, cookies = {}, {}
    for base in BASES:
        guards[base] = protect(app, base_url=ORIGIN + base, public=PUBLIC, rules=RULES)
        cookies[base] = await cookie_of(["reader"], base_url=ORIGIN + base)
    places, hits, served, slips = sorted(visits.places), set[str](), 0, []
    for number in range(tries):
        base = source.choice(BASES)
        scope = attempt(source, places, base)
        if number < BARE:
            visits.ran.clear()
            await run(app, scope)
            names = (ran for ran in visits.ran if scope["path"] not in (ran, base + ran))
            hits.update(f"{scope['root_path']} {scope['path']} {ran}" for ran in names)
        is_reader = source.random() < 0.5
        visits.ran.clear()
        error = await run(guards[base], {**scope, "headers": [(b"cookie", cookies[base])]} if is_reader else scope)
        served += len(visits.ran)
        if any(is_closed(ran) or not (is_reader or is_public(ran)) for ran in visits.ran) or is_ours(error):
            slips.append(f"{base}: {visits.ran} {described(scope)} {is_reader} {error!r}")
    return hits, served, slips


@pytest.mark.parametrize("name", TREES)
async def test_no_path_bypasses_the_rules_of_a_handler(name: str) -> None:
    """However many apps take something off it: what opens and what closes is looked up in one list of readings."""
    visits = Visits()
    app = TREES[name].build(visits)

    hits, served, slips = await differences(app, visits, random.Random(name), tries=size(TRIES, 200_000))

    print(f"{name}: {len(hits)} places reached by another path bare, {served} served and {len(slips)} slips guarded")
    assert slips == []
    assert len(hits) >= FEWEST_HITS
    assert served >= FEWEST_HITS


@pytest.mark.parametrize("seed", range(size(4, 400)))
async def test_no_path_bypasses_the_rules_of_a_handler_in_any_framework(seed: int) -> None:
    """Put together at random."""
    source, visits = random.Random(seed), Visits()
    tree = random_tree(source)
    app = tree.build(visits)

    _, served, slips = await differences(app, visits, source, tries=size(500, 1_000))

    print(f"{seed}: {served} served and {len(slips)} slips guarded")
    assert (tree, slips) == (tree, [])
