"""One set of rules decides for people with a session and for programs with a token."""

import json
from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware, Rule, SettingsError, StepUpRequired
from asgi_oidc.policy.rules import rule_of
from asgi_oidc.testing import Browser
from tests.bearer.token_calls import API, TokenSite, challenges, problem
from tests.protected_site import PROGRAM, Exchange, Site, cookie_header

METADATA = "https://app.example.com/.well-known/oauth-protected-resource"


async def page_of(site: Site, browser: Browser | None = None, *, is_page: bool = False) -> Exchange:
    """Call a page with a session, or without one."""
    headers = {"accept": "text/html"} if is_page else {}
    cookie = {} if browser is None else {"cookie": cookie_header(browser)}
    return await site.call("/page", headers={**headers, **cookie})


@pytest.mark.parametrize(
    ("rule", "token", "is_let_in"),
    [
        ({"credentials": ["bearer"]}, {}, True),
        ({"credentials": ["session"]}, {}, False),
        ({"credentials": ["session", "bearer"]}, {}, True),
        ({"machines": True}, {}, False),
        ({"machines": True}, {"sub": "cli"}, True),
        ({"machines": True}, {"sub": ...}, True),
        ({"machines": False}, {}, True),
        ({"machines": False}, {"sub": "cli"}, False),
        ({"client_ids": ["cli", "other"]}, {}, True),
        ({"client_ids": ["other"]}, {}, False),
        ({"client_ids": ["cli"]}, {"client_id": ...}, False),
        ({"scopes": ["orders:read"]}, {}, True),
        ({"scopes": ["orders:read"]}, {"scope": "orders"}, False),
        ({"scopes": ["orders:read"]}, {"scope": ..., "scp": ["orders:read"]}, True),
        ({"claims": {"roles": "admin"}}, {"roles": ["admin"]}, True),
        ({"claims": {"roles": "admin"}}, {}, False),
        ({"email_domains": ["example.com"]}, {"email": "a@example.com", "email_verified": True}, True),
        ({"email_domains": ["example.com"]}, {"email": "a@example.com"}, False),
        ({"check": lambda user: user.sub == "alice"}, {}, True),
        ({"check": lambda user, scope: scope["user"].credential == "session"}, {}, False),
        ({"acr_values": ["gold"]}, {"acr": "gold"}, True),
        ({"max_age": 60}, {"auth_time": 1_800_000_000 - 30}, True),
    ],
)
async def test_a_rule_decides_by_what_the_token_says(rule, token, is_let_in):
    """The claims of a token count as those of a session do."""
    site = TokenSite(rules=[Rule("/page", **rule)])

    answer = await site.call_with(site.token(**token))

    assert (answer.status, len(site.app.scopes)) == ((200, 1) if is_let_in else (403, 0))


async def test_a_machine_is_a_user_of_its_own_kind():
    """Apps can tell it from a person whose id is the same."""
    site = TokenSite()

    await site.call_with(site.token(sub=...))

    user = site.app.scope["user"]
    assert (user.is_machine, user.client_id, user.sub, user.display_name) == (True, "cli", "cli", "cli")


async def test_a_session_is_no_machine_and_has_no_client():
    """The new attributes exist for every user."""
    site = TokenSite(rules=[Rule("/page", machines=False)])

    answer = await page_of(site, await site.signed_in())
    user = site.app.scope["user"]
    await site.call("/public/page")
    nobody = site.app.scope["user"]

    assert (answer.status, user.credential, user.is_machine, user.client_id) == (200, "session", False, None)
    assert (nobody.credential, nobody.is_machine, nobody.client_id) == (None, False, None)


async def test_a_missing_scope_is_named_with_all_that_the_path_needs():
    """A client that asks for one scope after another would bother its user each time."""
    site = TokenSite(rules=[Rule("/*", scopes=["orders:read"]), Rule("/page", scopes=["orders:write", "orders:read"])])

    answer = await site.call_with(site.token())

    assert (answer.status, problem(answer)["error"]) == (403, "insufficient_scope")
    assert problem(answer)["scope"] == "orders:read orders:write"
    (challenge,) = challenges(answer)
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="orders:read orders:write"' in challenge


async def test_a_refusal_without_a_scope_has_no_challenge_and_no_login():
    """No other token would help, as far as the client can know."""
    site = TokenSite(rules=[Rule("/page", claims={"roles": "admin"})])

    answer = await site.call_with(site.token())

    assert (answer.status, challenges(answer), answer.header(b"location")) == (403, [], None)
    assert set(problem(answer)) == {"type", "title", "status", "error", "reference"}


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        ({"acr_values": ["gold", "silver"]}, {"acr_values": "gold silver"}),
        ({"max_age": 60}, {"max_age": "60"}),
    ],
)
async def test_a_token_of_a_weaker_login_gets_a_step_up_challenge(rule, needed):
    """RFC 9470: the client sends its user to sign in again, and comes back with another token."""
    site = TokenSite(rules=[Rule("/page", **rule)])

    answer = await site.call_with(site.token(acr="bronze", auth_time=1_800_000_000 - 600))

    assert (answer.status, problem(answer)["error"]) == (401, "insufficient_user_authentication")
    (challenge,) = challenges(answer)
    assert 'Bearer resource_metadata="' in challenge
    assert all(f'{name}="{value}"' in challenge for name, value in needed.items())


async def test_an_app_that_asks_for_a_step_up_gets_it_for_tokens_too():
    """Never a redirect: the client is no browser."""

    async def strict(scope: Any, receive: Any, send: Any) -> None:
        raise StepUpRequired(acr_values=["gold"])

    site = TokenSite(inner=strict)

    answer = await site.call_with(site.token(), headers={"accept": "text/html", "sec-fetch-mode": "navigate"})

    assert (answer.status, answer.header(b"location")) == (401, None)
    assert 'acr_values="gold"' in challenges(answer)[0]


async def test_what_the_app_needs_of_a_login_is_compared_with_the_token():
    """`meets` is about the login that the token comes from."""
    site = TokenSite()

    await site.call_with(site.token(acr="gold", auth_time=1_800_000_000 - 600))

    oidc = site.app.scope["oidc"]
    assert (oidc.meets(acr_values=["gold"]), oidc.meets(max_age=60), oidc.meets(max_age=900)) == (True, False, True)
    assert (oidc.id_token, oidc.session_id, oidc.expires_at) == (None, None, 1_800_000_600)
    assert oidc.login_url("/page").startswith("https://app.example.com/auth/login")


async def test_programs_without_a_token_learn_how_to_get_one():
    """Both kinds of clients find what is for them; pages are redirected as before."""
    site = TokenSite(rules=[Rule("/page", scopes=["orders:read"])])

    program, page = await page_of(site), await page_of(site, is_page=True)

    token_challenge, cookie_challenge = challenges(program)
    assert (program.status, page.status) == (401, 303)
    assert token_challenge == f'Bearer resource_metadata="{METADATA}", scope="orders:read"'
    assert cookie_challenge.startswith("Cookie ")
    assert problem(program)["login_url"].startswith("https://app.example.com/auth/login")


@pytest.mark.parametrize("is_page", [False, True])
async def test_a_path_for_tokens_only_sends_nobody_to_a_login(is_page):
    """A session would not be accepted there."""
    site = TokenSite(rules=[Rule("/page", credentials=["bearer"])])

    anonymous = await page_of(site, is_page=is_page)
    signed_in = await page_of(site, await signed_in_elsewhere(site), is_page=is_page)

    assert (anonymous.status, problem(anonymous)["error"]) == (401, "token_required")
    assert (signed_in.status, problem(signed_in)["error"]) == (403, "forbidden")
    for answer in (anonymous, signed_in):
        assert challenges(answer) == [f'Bearer resource_metadata="{METADATA}"']
        assert "login_url" not in problem(answer)
        assert answer.header(b"content-type") == b"application/problem+json"


async def signed_in_elsewhere(site: Site) -> Browser:
    """Sign in on another page than the one of the test."""
    return await site.signed_in("bob", "/other")


async def test_a_path_for_sessions_only_has_no_challenge_for_tokens():
    """No token would be accepted there."""
    site = TokenSite(rules=[Rule("/page", credentials=["session"])])

    anonymous, with_token = await page_of(site), await site.call_with(site.token())

    assert (anonymous.status, [each.split()[0] for each in challenges(anonymous)]) == (401, ["Cookie"])
    assert (with_token.status, problem(with_token)["error"], challenges(with_token)) == (403, "forbidden", [])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (lambda: [Rule("/x", credentials=["session"], machines=True)], "machines and client_ids need 'bearer'"),
        (lambda: [Rule("/x", credentials=["session"], client_ids=["cli"])], "machines and client_ids need 'bearer'"),
        (lambda: [Rule("/x", credentials=["cookie"])], "'session' and 'bearer'"),
        (lambda: [Rule("/x", credentials="bearer")], "must be a list of text"),
        (lambda: [Rule("/x", credentials=[])], "is empty"),
        (lambda: [rule_of({"path": "/x", "machines": "yes"})], "must be True"),
        (lambda: [Rule("/x", client_ids=[""])], "must be a list of client ids"),
        (lambda: [Rule("/x", client_ids="cli")], "must be a list of text"),
        (lambda: [Rule("/*", credentials=["session"]), Rule("/x", credentials=["bearer"])], "satisfies both"),
        (lambda: [Rule("/*", machines=False), Rule("/x", machines=True)], "satisfies both"),
    ],
)
def test_a_rule_that_nobody_can_meet_is_a_mistake(rules, words):
    """Such a page would be closed for ever, and nobody would know why."""
    with pytest.raises(SettingsError, match=words):
        TokenSite(rules=rules())


@pytest.mark.parametrize("rule", [{"credentials": ["bearer"]}, {"machines": True}, {"client_ids": ["cli"]}])
def test_a_rule_that_needs_tokens_needs_the_setting(rule):
    """Without it, no request could meet the rule."""
    with pytest.raises(SettingsError, match="set bearer="):
        Site(rules=[Rule("/x", **rule)])


def test_rules_that_do_not_meet_may_differ():
    """Each is about its own pages."""
    site = TokenSite(rules=[Rule("/a/*", credentials=["session"]), Rule("/b/*", credentials=["bearer"])])

    assert "access tokens" not in str(site.middleware.explain("/a/x"))
    assert "access tokens" in str(site.middleware.explain("/b/x"))


def test_rules_can_come_from_a_variable():
    """As all others do."""
    site = TokenSite()
    rules = [{"path": "/x", "credentials": ["bearer"], "machines": True, "client_ids": ["cli"]}]
    middleware = OIDCMiddleware.from_env(
        site.app,
        environ={"OIDC_RULES": json.dumps(rules), "OIDC_BEARER_AUDIENCE": API},
        **{name: value for name, value in site.settings.items() if name != "bearer"},
    )

    assert "credentials=['bearer'], machines=True, client_ids=['cli']" in middleware.explain_all()


def test_explain_says_who_is_let_in():
    """It uses the same policy as requests."""
    site = TokenSite(rules=[Rule("/api/*", credentials=["bearer"]), Rule("/web/*", credentials=["session"])])

    api, web, both = (str(site.middleware.explain(path)) for path in ("/api/x", "/web/x", "/other"))

    assert "access tokens" in api
    assert "access tokens" not in web
    assert "access tokens" in both
    assert "redirect" not in api


def test_programs_are_programs():
    """The headers of the helper are those of no browser."""
    assert PROGRAM["accept"] == "application/json"
