"""Whatever path a browser asks for, the app behind the proxy gets it only if an app in process would get it."""

from random import Random
from urllib.parse import quote_from_bytes, unquote

import pytest

from asgi_oidc import Rule
from tests.forward_auth.forward_site import ForwardSite
from tests.protected_site import CLIENT_SECRET, PROGRAM
from tests.security.sizes import size
from tests.security.spellings import spelling

PUBLIC = ("/", "/health", "/static/*")
RULES = (
    Rule("/admin/*", claims={"roles": "admin"}),
    Rule("/private/file", methods=["POST"], claims={"roles": "admin"}),
)
HEADERS = {name: value for name, value in PROGRAM.items() if value is not None}
METHODS = ("GET", "GET", "POST", "HEAD", "DELETE", "OPTIONS")
TRIES = 600
FEWEST = 20  # of each outcome, or the generator has gone blind


def target_of(random: Random) -> str:
    """Write the target of one request, of characters that servers let through."""
    return quote_from_bytes(spelling(random), safe=bytes(range(0x21, 0x7F)))[:2000]


@pytest.fixture
def anyio_backend() -> str:
    """A path is read alike on both."""
    return "asyncio"


@pytest.mark.long
@pytest.mark.parametrize("user", ["nobody", "alice", "bob"])
async def test_the_decision_is_that_of_the_middleware_in_process(user):
    """Or a stricter one: what the proxy's app might resolve in another way is refused."""
    random = Random(f"forward auth {user}")
    site = ForwardSite(public=PUBLIC, rules=RULES, client_secret=CLIENT_SECRET)
    cookie = "" if user == "nobody" else await site.cookie(user)
    headers = {**HEADERS, **({"cookie": cookie} if cookie else {})}
    outcomes = {"allowed": 0, "denied": 0, "refused": 0}
    for _ in range(size(TRIES, 20_000)):
        target, method = target_of(random), random.choice(METHODS)
        reply = await site.ask(target, method, headers=headers)
        path, _, query = target.partition("?")
        app = site.twin.app
        app.scopes.clear()
        await site.twin.call(
            unquote(path), method=method, headers=headers, raw_path=path.encode(), query_string=query.encode()
        )
        if reply.status == 403 and reply.error.startswith("forwarded_"):
            outcomes["refused"] += 1
            continue
        assert (reply.status == 200) == bool(app.scopes), (target, method)
        outcomes["allowed" if app.scopes else "denied"] += 1
        if app.scopes:
            assert reply.header("x-user") == (app.scope["user"].sub or ""), (target, method)

    expected = {"allowed", "refused"} if user == "alice" else {"allowed", "refused", "denied"}
    assert {name for name in expected if outcomes[name] < FEWEST} == set()
