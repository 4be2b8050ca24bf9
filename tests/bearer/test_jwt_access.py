"""Programs with a JWT access token get what its user may have; nothing else counts then."""

from tests.bearer.token_calls import TokenSite, challenges, problem


async def test_a_valid_token_reaches_the_app_with_its_user():
    """The same app serves programs."""
    site = TokenSite()

    answer = await site.call_with(site.token())

    user = site.app.scope["user"]
    assert (answer.status, user.sub, user.credential, user.client_id) == (200, "alice", "bearer", "cli")
    assert site.app.scope["auth"].scopes == ["authenticated", "orders:read", "profile"]


async def test_a_token_for_another_api_is_refused():
    """Another API that got a token of the user could act as the user here."""
    site = TokenSite()

    answer = await site.call_with(site.token(aud="https://other.example.com"))

    assert (answer.status, problem(answer)["error"], site.app.scopes) == (401, "claim_aud", [])
    assert challenges(answer)[0].startswith("Bearer ")
    assert 'error="invalid_token"' in challenges(answer)[0]
