"""Whatever a user without the right sends, no handler runs that a rule closes; and every rule holds in any spelling."""

import itertools
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asgi_oidc import Rule
from asgi_oidc.policy.policy import Policy, read_public
from asgi_oidc.principal import User

from .attacked_site import ORIGIN, Scope, cookie_of, described, http_scope, is_ours, protect, run
from .frameworks import ELSEWHERE, METHODS, MOUNTS, PUBLIC, SITES, Run, Site, overriding_site
from .sizes import size
from .spellings import ENDS, as_websocket, attempt, disguises, readings

pytestmark = pytest.mark.usefixtures("quiet")

OVERRIDING = "starlette with overrides"
ALL_SITES = {**SITES, OVERRIDING: overriding_site}
SAMPLE = dict.fromkeys(ALL_SITES, 500) | {"django": 200}  # Django takes a thread for each request
# How many different requests of the sample the bare framework has to take to a handler that is closed, or the
# generator has gone blind.
FEWEST_HITS = dict.fromkeys(ALL_SITES, 15) | {"starlette-catch-all": 40}
NOT_SIGNED_IN = 0.1  # of all requests

RIGHT: Mapping[str | tuple[str, ...], str] = {"roles": "admin"}
# Apps that take their headers from a CGI-like environment take "_" for "-".
OVERRIDES = b"x-http-method-override X-HTTP-Method x_method_override X-Http_Method-Override x_http-method".split()
INSTEAD = (b"DELETE", b"delete", b" Post\t", b"\xa0DELETE", b"GET", b"HEAD", b"head", b"", b"DELETE, GET", b"WEBSOCKET")
ODD_METHODS = ("", " ", "get", "Get ", "HEAD", "head", "delete", "DELETE\n", "DELETE, GET", "BREW", "WEBSOCKET")
HANDLERS = ("/admin", "/admin/users/7", "/admin/users/*", "/private/file")
ANY = {*METHODS, "HEAD", "WEBSOCKET"}
WRITING = {"POST", "DELETE"}


def is_admin(user: User) -> bool:
    return "admin" in user.claims["roles"]


@dataclass(frozen=True)
class Case:
    """Rules, and by hand what they close.

    Attributes:
        closed: for each handler the methods by which it must not run.
    """

    rules: Sequence[Rule]
    closed: Mapping[str, set[str]]
    public: Sequence[str] | str = PUBLIC

    def closes(self, ran: Run) -> bool:
        path, method = ran
        return method.upper() in self.closed.get(path, ())


CASES = {
    "a path and all below": Case(
        [Rule("/admin/*", claims=RIGHT), Rule("/private/file", methods=["POST", "DELETE"], claims=RIGHT)],
        {"/admin": ANY, "/admin/users/7": ANY, "/admin/users/*": ANY, "/private/file": WRITING},
    ),
    "single paths": Case(
        [*(Rule(path, claims=RIGHT) for path in ("/admin", "/admin/users/7")), Rule("/private/file", check=is_admin)],
        {"/admin": ANY, "/admin/users/7": ANY, "/private/file": ANY},
    ),
    "methods": Case(
        [
            Rule("/admin", methods=["WEBSOCKET", "DELETE"], claims=RIGHT),
            Rule("/admin/users/*", methods=["GET"], claims=RIGHT),
            Rule("/private/*", methods=["HEAD", "POST"], check=is_admin),
        ],
        {
            "/admin": {"WEBSOCKET", "DELETE"},
            "/admin/users/7": {"GET", "HEAD"},
            "/admin/users/*": {"GET", "HEAD"},
            "/private/file": {"HEAD", "POST"},
        },
    ),
    "all that is not public": Case(
        [Rule("/*", claims=RIGHT)],
        dict.fromkeys((*HANDLERS, ELSEWHERE), ANY),
    ),
    "rules within public paths": Case(
        [
            Rule("/admin", methods=["GET"], claims=RIGHT),
            Rule("/admin/users/*", claims=RIGHT),
            Rule("/private/*", methods=["POST", "DELETE"], claims=RIGHT),
        ],
        {
            "/admin": {"GET", "HEAD", "WEBSOCKET"},
            "/admin/users/7": ANY,
            "/admin/users/*": ANY,
            "/private/file": WRITING,
        },
        public=[*PUBLIC, "/admin/*", "/private/*"],
    ),
    "rules alone": Case(
        [Rule("/admin/*", claims=RIGHT), Rule("/private/file", methods=["POST", "DELETE"], claims=RIGHT)],
        {"/admin": ANY, "/admin/users/7": ANY, "/admin/users/*": ANY, "/private/file": WRITING},
        public="everything-but-rules",
    ),
}


@pytest.fixture
def anyio_backend() -> str:
    """Quart runs on asyncio alone, and a path is read alike on both."""
    return "asyncio"


def guarded(app: Any, **settings: Any) -> dict[str, Any]:
    """Give the app behind a middleware for each case."""
    return {name: protect(app, public=case.public, rules=case.rules, **settings) for name, case in CASES.items()}


def with_cookie(scope: Scope, cookie: bytes) -> Scope:
    """Let the user send a request; a websocket comes from our own page, or it would be refused for that."""
    headers = list(scope["headers"])
    if scope["type"] == "websocket":
        headers = [*((name, value) for name, value in headers if name != b"origin"), (b"origin", ORIGIN.encode())]
    return {**scope, "headers": [*headers, (b"cookie", cookie)]}


async def differences(
    site: Site, guards: Mapping[str, Any], *, tries: int, cookie: bytes, seed: str, change: Any = None
) -> tuple[set[str], list[str]]:
    """Try so many requests; give those that the bare framework takes to a closed handler, and those that slip by."""
    source = random.Random(seed)
    hits: set[str] = set()
    slips: list[str] = []
    for _ in range(tries):
        name = source.choice(list(CASES))
        scope = attempt(source, websockets=site.has_websockets)
        scope = scope if change is None else change(source, scope)
        scope = scope if source.random() < NOT_SIGNED_IN else with_cookie(scope, cookie)
        site.counts.reset()
        await run(site.app, scope)
        hits.update(
            f"{scope['root_path']} {scope['path']} {ran}" for ran in site.counts.runs if CASES[name].closes(ran)
        )
        site.counts.reset()
        error = await run(guards[name], scope)
        if any(map(CASES[name].closes, site.counts.runs)) or is_ours(error):
            slips.append(f"{name}: {site.counts.runs} {described(scope)} {error!r}")
    return hits, slips


def overridden(source: random.Random, scope: Scope) -> Scope:
    """Ask for another method in a header."""
    if source.random() < 0.4:
        return scope
    chosen = [(source.choice(OVERRIDES), source.choice(INSTEAD)) for _ in range(source.choice((1, 1, 2)))]
    return {**scope, "headers": [*scope["headers"], *chosen]}


@pytest.mark.long
@pytest.mark.parametrize("name", ALL_SITES)
async def test_no_request_without_the_right_reaches_what_a_rule_closes(name: str) -> None:
    """Each framework reads paths and methods in its own way; no disagreement may open a handler."""
    site = ALL_SITES[name]()
    change = overridden if name == OVERRIDING else None
    cookie, tries = await cookie_of(["reader"]), size(SAMPLE[name], 240 * SAMPLE[name])

    hits, slips = await differences(site, guarded(site.app), tries=tries, cookie=cookie, seed=name, change=change)

    print(f"{name}: {len(hits)} requests taken to closed handlers bare, {len(slips)} behind the middleware")
    assert slips == []
    assert len(hits) >= FEWEST_HITS[name]


@pytest.mark.long
@pytest.mark.parametrize("name", ALL_SITES)
async def test_no_request_passes_where_the_app_is_below_a_path(name: str) -> None:
    """A proxy may strip the path of `base_url`, a server may put it into `root_path`, or both."""
    site, base_url = ALL_SITES[name](), f"{ORIGIN}/app"
    cookie, tries = await cookie_of(["reader"], base_url=base_url), size(SAMPLE[name] // 2, 120 * SAMPLE[name])

    def below(source: random.Random, scope: Scope) -> Scope:
        kind = source.random()
        root = scope["root_path"] if kind < 0.2 else "/app"
        scope = overridden(source, scope) if name == OVERRIDING else scope
        return {**prefixed(scope, "" if kind < 0.6 else "/app"), "root_path": root}

    guards = guarded(site.app, base_url=base_url)
    hits, slips = await differences(site, guards, tries=tries, cookie=cookie, seed=f"{name} below", change=below)

    print(f"{name}: {len(hits)} requests taken to closed handlers bare, {len(slips)} behind the middleware")
    assert slips == []
    assert len(hits) >= FEWEST_HITS[name] / 4


@pytest.mark.long
@pytest.mark.parametrize("outer", MOUNTS)
async def test_no_request_passes_a_guard_that_is_mounted(outer: str) -> None:
    """The outer app reads the path first, and hands on what it likes; a server may have added to `root_path`."""
    mount, site, base_url = MOUNTS[outer], SITES[outer](), f"{ORIGIN}/mounted"
    cookie, tries = await cookie_of(["reader"], base_url=base_url), size(1_000, 100_000)

    def mounted(source: random.Random, scope: Scope) -> Scope:
        return prefixed(scope, source.choice(("/mounted",) * 8 + ("/mounted/mounted", "//mounted", "/admin/mounted")))

    guards = {name: mount(app) for name, app in guarded(site.app, base_url=base_url).items()}
    bare = Site(mount(site.app), site.counts)
    hits, slips = await differences(bare, guards, tries=tries, cookie=cookie, seed="mounted", change=mounted)

    print(f"mounted in {outer}: {len(hits)} requests taken to closed handlers bare, {len(slips)} behind the middleware")
    assert slips == []
    assert len(hits) >= 8


def prefixed(scope: Scope, prefix: str) -> Scope:
    raw = scope.get("raw_path")
    return {**scope, "path": prefix + scope["path"], "raw_path": raw if raw is None else prefix.encode() + raw}


class NaiveRules:
    """Rules as they are often written: for the path as it stands in the scope."""

    def __init__(self, app: Any, rules: Sequence[Rule]) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        method = scope.get("method", "WEBSOCKET")
        rules = [rule for rule in self._rules if self.matches(rule, scope["path"])]
        if not any(method in (rule.methods or [method]) for rule in rules):
            await self._app(scope, receive, send)

    def matches(self, rule: Rule, path: str) -> bool:
        stem = rule.path.removesuffix("/*")
        return path == stem or (stem != rule.path and path.startswith(f"{stem}/"))


class NaiveMethods(NaiveRules):
    """Rules for rather too many spellings of a path, but for the method as it stands in the scope."""

    def matches(self, rule: Rule, path: str) -> bool:
        return all(word in path.lower() for word in rule.path.removesuffix("/*").split("/"))


@pytest.mark.parametrize("name", ALL_SITES)
async def test_the_requests_get_past_naive_rules(name: str) -> None:
    """Or the tests above would prove little."""
    site = ALL_SITES[name]()
    guard, change = (NaiveMethods, overridden) if name == OVERRIDING else (NaiveRules, None)
    guards = {key: guard(site.app, case.rules) for key, case in CASES.items()}

    _, slips = await differences(site, guards, tries=SAMPLE[name], cookie=b"", seed=name, change=change)

    print(f"{name}: {len(slips)} past {guard.__name__}")
    assert slips


@pytest.mark.parametrize("name", ALL_SITES)
async def test_the_plain_requests_are_served_as_the_rules_say(name: str) -> None:
    """A guard that refuses everything would pass the tests above; and whoever has the right gets all."""
    site = ALL_SITES[name]()
    guards = guarded(site.app)
    reader, admin = await cookie_of(["reader"]), await cookie_of(["admin"])
    sockets = [("/admin", "WEBSOCKET")] if site.has_websockets else []

    for key, case in CASES.items():
        for ran in [*itertools.product(HANDLERS, METHODS), *sockets]:
            for cookie, is_served in ((reader, not case.closes(ran)), (admin, True)):
                site.counts.reset()
                scope = plain_scope(*ran)
                scope = as_websocket(scope) if ran in sockets else scope
                await run(guards[key], with_cookie(scope, cookie))
                assert (key, ran, site.counts.runs) == (key, ran, [ran] if is_served else [])


def plain_scope(path: str, method: str) -> Scope:
    return http_scope(path.replace("*", "8"), method=method)


@pytest.mark.parametrize("name", ALL_SITES)
async def test_no_odd_method_of_a_plain_request_runs_what_a_rule_closes(name: str) -> None:
    """Litestar takes a request without a method for a websocket, others do not mind case or blanks."""
    site, cookie = ALL_SITES[name](), await cookie_of(["reader"])
    slips = []

    for (key, guard), path, method in itertools.product(guarded(site.app).items(), HANDLERS, ODD_METHODS):
        site.counts.reset()
        await run(guard, with_cookie(plain_scope(path, method), cookie))
        slips += [(key, method, path, ran) for ran in site.counts.runs if CASES[key].closes(ran)]

    assert slips == []


async def test_no_override_of_a_plain_request_runs_what_a_rule_closes() -> None:
    """A method that a header asks for means as much as one that stands in the request."""
    site = overriding_site()
    guards, cookie = guarded(site.app), await cookie_of(["reader"])
    slips = []

    for name, path, method, header in itertools.product(
        CASES, HANDLERS, (*METHODS, "PUT"), itertools.product(OVERRIDES, INSTEAD)
    ):
        site.counts.reset()
        await run(guards[name], with_cookie({**plain_scope(path, method), "headers": [header]}, cookie))
        slips += [(name, method, path, header, ran) for ran in site.counts.runs if CASES[name].closes(ran)]

    assert slips == []


RULES = [
    Rule(path, claims=RIGHT)
    for path in (
        *("/admin", "/admin/users/*", "/private/file", "/Reports/*", "/a/b-c/d.json", "/7"),
        *("/caf\u00e9/*", "/Stra\u00dfe", "/\u0390/x", "/\u01f0"),
    )
]
POLICY = Policy(read_public("everything-but-rules"), RULES, base_path="")


@st.composite
def disguised_paths(draw: st.DrawFn) -> str:
    """Draw the path of a rule in another spelling, perhaps with something behind it."""
    letters = list(draw(st.sampled_from(RULES)).path.replace("*", "x"))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(letters) - 1))
        letters[place] = "".join(draw(st.sampled_from(disguises(letter))) for letter in letters[place])
    noise = draw(st.sampled_from(("", "", "", "a", "%", "\u0301", "\x00", "\u200b", "%2")))
    return "".join(letters) + draw(st.sampled_from(ENDS)) + noise


def means(rule: Rule, path: str) -> bool:
    """Say whether a path is plainly one that the rule names; some frameworks compare without case."""
    stems = {rule.pattern.stem, rule.pattern.stem.casefold()}
    return any(
        path in (stem, f"{stem}/") or (path.startswith(f"{stem}/") and not rule.pattern.is_exact) for stem in stems
    )


@pytest.mark.long
def test_a_rule_holds_whatever_three_readings_make_of_a_path() -> None:
    """No one knows what stands between us and a handler; so an independent model of it is asked."""
    meant = 0

    @settings(max_examples=size(200, 60_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(disguised_paths() | st.text("/admin%2561.;\\\n\uff05", max_size=12), st.booleans())
    @example("/\uff0561dmin", False)  # a wide percent sign
    @example("/%4a\u030c", False)  # a mark behind an escape
    @example("/Stra%\uff433%9fe", True)  # a wide letter in an escape
    def check(path: str, in_raw_path: bool) -> None:
        nonlocal meant
        raw = quote(path, safe=string.printable).encode() if in_raw_path else None
        scope = http_scope("/elsewhere" if in_raw_path else path, raw_path=raw)
        closed = POLICY.match(scope, ("GET",)).rules

        of_rules = [rule for rule in RULES if any(means(rule, reading) for reading in readings(path))]

        meant += bool(of_rules)
        assert [rule for rule in of_rules if rule not in closed] == []

    check()
    print(f"{meant} paths meant a rule")
    assert meant >= 30
