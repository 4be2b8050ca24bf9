"""A person with a session and a program with a token of the same claims get the same decision, whatever the rules."""

import copy
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from asgi_oidc import Bearer, Rule
from asgi_oidc.principal import User
from asgi_oidc.testing import FakeProvider, Persona

from .attacked_site import METADATA, NOW, ORIGIN, AttackedSite, Clock, Exchange, Scope, http_scope, is_ours, protect
from .frameworks import METHODS, MOUNTS, OPEN, PROTECTED, PUBLIC, SITES, Site
from .sizes import size
from .spellings import as_websocket

pytestmark = pytest.mark.usefixtures("quiet")

API = "https://api.example.com"
FRAMEWORKS = ("starlette", "fastapi", "litestar", "quart", "falcon", "django")
SAMPLE = dict.fromkeys(FRAMEWORKS, 150) | {"django": 120}  # Django takes a thread for each request
FULL_FACTOR = 100
PEOPLE = 12
# Of the decisions of a sample, at least so many are of each kind, or the generator has gone blind.
FEWEST = 2
KINDS = ("allowed", "forbidden", "insufficient_scope", "insufficient_user_authentication")

PATHS = (*PROTECTED, "/admin/users/8", *OPEN, "/admin/", "//admin", "/admin/users/7/..", "/nowhere")
SCOPES = ("email", "orders:read", "orders:write")
Values = Callable[[random.Random], Any]


def is_admin(user: User) -> bool:
    return "admin" in user.claims.get("roles", ())


async def may_read(user: User, scope: Any) -> bool:
    return "orders:read" in scope["auth"].scopes


REQUIREMENTS: Mapping[str, Values] = {
    "claims": lambda source: {"roles": source.choice(["admin", ["admin", "staff"], "staff"])},
    "scopes": lambda source: source.sample(SCOPES, source.choice((1, 1, 2))),
    "email_domains": lambda source: [source.choice(["example.com", "other.example"])],
    "acr_values": lambda source: source.sample(["mfa", "pwd"], source.choice((1, 2))),
    "max_age": lambda source: source.choice([60, 300, 1000]),
    "check": lambda source: source.choice([is_admin, may_read]),
    "methods": lambda source: source.sample([*METHODS, "HEAD", "WEBSOCKET"], 2),
    "login": lambda source: False,
}
OPTIONS = (*REQUIREMENTS, "claims", "scopes", "scopes", "max_age", "acr_values")


@dataclass(frozen=True)
class Person:
    """One user, who can show a session and a token of the same claims."""

    cookie: bytes
    token: bytes


@dataclass(frozen=True)
class Outcome:
    """What became of a request: which handlers ran, and how it was refused."""

    ran: tuple[tuple[str, str], ...]
    status: int
    error: str | None
    needed: tuple[Any, ...]

    @property
    def kind(self) -> str:
        return self.error or ("allowed" if self.ran else "other")


@pytest.fixture
def anyio_backend() -> str:
    """Quart runs on asyncio alone, and decisions are the same on both."""
    return "asyncio"


def draw_claims(source: random.Random) -> dict[str, Any]:
    """Draw the claims of a user; `...` for one that the provider does not send."""
    age = source.choice((..., 10, 200, 5000))
    return {
        "roles": source.choice((..., [], ["admin"], ["staff"], ["staff", "admin"], "admin", {"admin": True})),
        "email": source.choice((..., "alice@example.com", "alice@other.example", "alice@example.com@other.example")),
        "email_verified": source.choice((..., True, False, "true")),
        "acr": source.choice((..., "mfa", "pwd")),
        "auth_time": age if age is ... else NOW - age,
    }


async def draw_person(source: random.Random, provider: FakeProvider, base_url: str) -> Person:
    """Sign somebody in, and mint a token with the same claims and scopes."""
    claims = draw_claims(source)
    scopes = ["openid", *source.sample(SCOPES, source.randint(0, len(SCOPES)))]
    provider.id_token_overrides = claims
    stage = AttackedSite(provider, scope=" ".join(scopes), userinfo="never", base_url=base_url)
    browser = await stage.signed_in(path=f"{base_url.removeprefix(ORIGIN)}/page")
    cookie = browser.jar.header(f"{ORIGIN}/", is_same_site=True, is_safe_navigation=True)
    token = provider.access_token("alice", audience=API, scopes=scopes, claims=claims)
    return Person(cookie.encode(), token.encode())


async def draw_people(seed: str, *, base_url: str = ORIGIN) -> tuple[FakeProvider, list[Person]]:
    source = random.Random(f"{seed} people")
    provider = FakeProvider(clock=Clock(), alg="ES256", personas=[Persona("alice", "Alice Adams", "")])
    return provider, [await draw_person(source, provider, base_url) for _ in range(PEOPLE)]


def draw_rules(source: random.Random) -> list[Rule]:
    """Draw up to three rules that can be met."""
    rules: list[Rule] = []
    for _ in range(source.randint(1, 3)):
        names = set(source.sample(OPTIONS, source.choice((1, 1, 2))))
        wanted = {name: REQUIREMENTS[name](source) for name in REQUIREMENTS if name in names}
        rules.append(Rule(source.choice(("/admin/*", "/admin", "/private/*", "/private/file", "/*")), **wanted))
    acr_values = [set(rule.acr_values) for rule in rules if rule.acr_values]
    # Two rules that no login can satisfy are a mistake, which the settings refuse.
    return rules if not acr_values or set.intersection(*acr_values) else draw_rules(source)


def draw_request(source: random.Random, *, websockets: bool, base_path: str) -> Scope:
    """Draw a request of a program."""
    path = base_path + source.choice(PATHS)
    scope = http_scope(path, method=source.choice(METHODS), headers=[(b"accept", b"application/json")])
    return as_websocket(scope) if websockets and source.random() < 0.2 else scope


def with_session(scope: Scope, person: Person) -> Scope:
    """Show the session; it counts only on requests from our own pages."""
    return {**scope, "headers": [*scope["headers"], (b"origin", ORIGIN.encode()), (b"cookie", person.cookie)]}


def with_token(scope: Scope, person: Person, origin: bytes | None) -> Scope:
    """Show the token, from whatever page."""
    origins = [] if origin is None else [(b"origin", origin)]
    return {**scope, "headers": [*scope["headers"], *origins, (b"authorization", b"Bearer " + person.token)]}


async def outcome(site: Site, guard: Any, scope: Scope) -> Outcome:
    """Make a request, and say what became of it."""
    first = {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request", "body": b""}
    exchange = Exchange(first)
    site.counts.reset()
    error: Exception | None = None
    try:
        await guard(copy.deepcopy(scope), exchange.receive, exchange.send)
    except Exception as exc:  # noqa: BLE001  # whatever a framework raises
        error = exc
    assert not is_ours(error)
    ran = (*site.counts.runs, *([("public", "")] * site.counts.public))
    if scope["type"] == "websocket" or not exchange.sent:
        codes = [message.get("code", 0) for message in exchange.sent if message["type"] == "websocket.close"]
        return Outcome(ran, codes[0] if codes and not ran else 0, None, ())
    problem = json.loads(exchange.body) if b"application/problem+json" in exchange.headers(b"content-type") else {}
    needed = (problem.get("acr_values"), problem.get("max_age"))
    return Outcome(ran, exchange.status, problem.get("error"), needed)


async def compare(
    site: Site, seed: str, *, tries: int, mount: Any = None, base_url: str = ORIGIN
) -> tuple[Counter[str], list[str]]:
    """Make so many requests twice; return how often each decision was made, and the requests that differ."""
    source = random.Random(seed)
    provider, people = await draw_people(seed, base_url=base_url)
    kinds: Counter[str] = Counter()
    differences: list[str] = []
    for number in range(tries):
        if number % 5 == 0:
            rules = draw_rules(source)
            guard: Any = make_guard(site.app, provider, rules, base_url=base_url)
            guard = guard if mount is None else mount(guard)
        person = source.choice(people)
        scope = draw_request(source, websockets=site.has_websockets, base_path=base_url.removeprefix(ORIGIN))
        origin = source.choice((None, ORIGIN.encode(), b"https://elsewhere.example"))
        for_session = await outcome(site, guard, with_session(scope, person))
        for_token = await outcome(site, guard, with_token(scope, person, origin))
        kinds[for_session.kind] += 1
        if for_session != for_token:
            differences.append(f"{scope['path']} {scope.get('method')} {rules}: {for_session}, {for_token}")
    return kinds, differences


def make_guard(app: Any, provider: FakeProvider, rules: Sequence[Rule], *, base_url: str) -> Any:
    return protect(
        app,
        issuer=provider.issuer,
        client_secret="web-secret-for-tests",
        metadata={**METADATA, **provider.metadata},
        http_client=provider.http_client(),
        rules=rules,
        public=PUBLIC,
        base_url=base_url,
        bearer=Bearer(audience=API),
    )


@pytest.mark.long
@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_a_session_and_a_token_of_the_same_claims_get_the_same_decision(name: str) -> None:
    """One set of rules decides for both; a difference would be a way around a rule."""
    tries = size(SAMPLE[name], FULL_FACTOR * SAMPLE[name])

    kinds, differences = await compare(SITES[name](), name, tries=tries)

    print(f"{name}: {sum(kinds.values())} requests twice, {dict(kinds)}, {len(differences)} differences")
    assert differences == []
    assert [kind for kind in KINDS if kinds[kind] < FEWEST] == []


@pytest.mark.long
@pytest.mark.parametrize("outer", MOUNTS)
async def test_so_they_do_where_the_app_is_mounted(outer: str) -> None:
    """The path of the mount belongs to the resource as well."""
    tries = size(150, 15_000)

    kinds, differences = await compare(
        SITES[outer](), f"mounted {outer}", tries=tries, mount=MOUNTS[outer], base_url=f"{ORIGIN}/mounted"
    )

    print(f"mounted in {outer}: {sum(kinds.values())} requests twice, {dict(kinds)}, {len(differences)} differences")
    assert differences == []
    assert [kind for kind in KINDS if kinds[kind] < FEWEST] == []


async def test_the_comparison_sees_a_difference() -> None:
    """Or the tests above would prove little: a rule that names one kind of credential tells the two apart."""
    site = SITES["starlette"]()
    provider, people = await draw_people("difference")
    guard = make_guard(site.app, provider, [Rule("/admin", credentials=["session"])], base_url=ORIGIN)
    scope = http_scope("/admin", headers=[(b"accept", b"application/json")])

    for_session = await outcome(site, guard, with_session(scope, people[0]))
    for_token = await outcome(site, guard, with_token(scope, people[0], None))

    assert (for_session.kind, for_token.kind) == ("allowed", "forbidden")
