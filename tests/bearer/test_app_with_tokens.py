"""What the app sees of a user with a token, raises for one, and sends to one."""

from typing import Any

import pytest

from asgi_oidc import NotSignedIn, RefreshFailed, Rule, StepUpRequired
from asgi_oidc.asgi.bearer_response import BearerResponse
from asgi_oidc.policy.policy import MatchedPolicy
from asgi_oidc.web.paths import UNREAD
from tests.bearer.token_calls import TokenSite, challenges, problem


async def raising(site: TokenSite, error: Exception, *, after: bool = False) -> Any:
    """Call an app that raises, before or after its response has started."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if after:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    site.middleware.app = app
    return await site.call_with(site.token())


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotSignedIn(), 401, "not_signed_in"),
        (StepUpRequired(max_age=5), 401, "insufficient_user_authentication"),
        (StepUpRequired(max_age=-5), 500, "step_up_invalid"),
        (RefreshFailed("refresh_timeout", ""), 503, "refresh_timeout"),
        (ExceptionGroup("", [NotSignedIn()]), 401, "not_signed_in"),
    ],
)
async def test_errors_of_ours_are_answered_for_programs(error, status, code):
    """The app need not know with what its user has come."""
    site = TokenSite()

    answer = await raising(site, error)

    assert (answer.status, problem(answer)["error"], answer.header(b"location")) == (status, code, None)
    assert [each.split()[0] for each in challenges(answer)] == (["Bearer"] if status == 401 else [])


@pytest.mark.parametrize(
    ("error", "after"),
    [(NotSignedIn(), True), (ZeroDivisionError(), False), (ExceptionGroup("", [NotSignedIn(), KeyError()]), False)],
)
async def test_all_other_errors_pass_through(error, after):
    """The server logs them; a response that has started cannot be replaced."""
    with pytest.raises(type(error)):
        await raising(TokenSite(), error, after=after)


async def test_the_app_receives_the_body_of_the_request():
    """And nothing is watched for a response that is complete at once."""
    received = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": b"done"})

    site = TokenSite(inner=app)
    answer = await site.call_with(site.token(), method="POST")

    assert received == [{"type": "http.request", "body": b"", "more_body": False}]
    assert [message.get("body") for message in answer.sent] == [None, b"", b"done"]


async def test_a_check_may_look_at_the_token_twice():
    """Rules with checks decide like others when nothing has changed."""
    site = TokenSite(rules=[Rule("/page", check=lambda user: user.credential == "bearer", max_age=60)])

    fresh = await site.call_with(site.token(auth_time=int(site.clock.now)))
    old = await site.call_with(site.token(auth_time=int(site.clock.now) - 600))

    assert (fresh.status, old.status) == (200, 401)


async def test_nothing_that_is_printed_has_the_token_or_the_user(capsys):
    """Consoles and error reporters print the objects of a request."""
    site = TokenSite()
    token = site.token()
    await site.call_with(token)
    oidc: Any = site.app.scope["oidc"]
    responses: Any = None
    response = BearerResponse(responses, None, MatchedPolicy(UNREAD, None), responses, responses, responses)

    printed = [repr(each) for each in (oidc, oidc._access, oidc._access._active, site.app.scope["user"], response)]

    assert not [text for text in printed if token in text or "alice" in text]
    assert printed[-1] == "BearerResponse(has_started=False)"


async def test_the_titles_of_problems_can_be_replaced():
    """Integrations show them too."""
    site = TokenSite(texts={"problem.forbidden": "Verboten"})
    await site.call_with(site.token())

    assert site.app.scope["oidc"]._title("problem.forbidden", site.app.scope) == "Verboten"
