"""Revokes refresh tokens (RFC 7009) on a best-effort basis: bounded in time, and a failure is only logged.

Some providers end, with one refresh token, all that the client has of that sign-in: Keycloak drops its session of this
client, and with it the refresh tokens of the browser's other logins and the way by which a sign-out at the provider
reaches the app. So apart from a sign-out, nothing is revoked that a live session may share, or where nobody can tell.
"""

import anyio

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.errors import OIDCError, StoreUnavailable
from asgi_oidc.login.login_transactions import Transaction
from asgi_oidc.sessions.revocations import AT_ONCE, REPLACED
from asgi_oidc.sessions.session import Login, is_live
from asgi_oidc.web.cookies import session_names
from asgi_oidc.web.request import Request

REVOKE_DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


async def revoke(refresh_token: str | None, parts: Parts) -> None:
    """Revoke a refresh token where the provider knows how; without it there is nothing to do."""
    if refresh_token is None:
        return
    code, detail = "revocation_timeout", f"no answer in {REVOKE_DEADLINE:g} s"
    with anyio.move_on_after(REVOKE_DEADLINE):
        try:
            await parts.provider.revoke(refresh_token)
        except OIDCError as error:
            code, detail = error.code, error.detail
        else:
            return
    events.log(events.PROVIDER_FAILED, code=code, detail=detail, fallback="the refresh token is not revoked")


async def revoke_of_session(refresh_token: str | None, login: Login, parts: Parts) -> None:
    """Revoke the newest refresh token of a session that is over, unless its user may have signed in again."""
    if not await _has_successor(login, parts):
        await revoke(refresh_token, parts)


async def revoke_of_login(
    refresh_token: str | None, parts: Parts, request: Request, transaction: Transaction, *, sub: str | None
) -> None:
    """Revoke the refresh token of a login that failed, unless a live session of this browser may share it.

    Args:
        sub: who signed in, None where the ID Token was not accepted.
    """
    try:
        is_shared = await _may_be_shared(parts, request, transaction, sub)
    except StoreUnavailable:
        is_shared = True
    if not is_shared:
        await revoke(refresh_token, parts)


async def _has_successor(login: Login, parts: Parts) -> bool:
    over_from = parts.ended.over_from(login)
    if over_from is not None:  # signed out, or another user's login took its place; else one of the same user
        return over_from not in (AT_ONCE, REPLACED)
    try:
        return await parts.sessions.may_have_live(sub=login.sub, sid=login.sid)
    except StoreUnavailable:
        return True


async def _may_be_shared(parts: Parts, request: Request, transaction: Transaction, sub: str | None) -> bool:
    cookies = request.cookies
    if transaction.form_post:  # a form of the provider's site does not bring the cookies of sessions along
        return True
    if parts.transactions.has_others(transaction.state, cookies):  # another tab may become a session any moment
        return True
    if len(session_names(cookies)) > parts.sessions.is_there(cookies):  # of another middleware, maybe the same client
        return True
    if not parts.sessions.is_there(cookies):
        return False
    live = await parts.sessions.open(cookies)
    if live is None:  # it is gone from the store, or nobody here can read it
        return sub is None or await parts.sessions.may_have_live(sub=sub, sid=None)
    session = live.session
    if sub is not None and sub != session.login.sub:
        return False
    if is_live(session, parts.limits, now=parts.now()) and parts.ended.over_from(session.login) is None:
        return True
    return await _has_successor(session.login, parts)
