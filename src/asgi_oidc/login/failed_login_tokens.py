"""Revokes the refresh token of a failed login, unless a valid session of the same browser may share it."""

from collections.abc import Callable

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.login.login_transactions import Transaction, Transactions
from asgi_oidc.provider.connection import ProviderConnection
from asgi_oidc.sessions.lifetimes import Limits, is_live
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.session import UserId
from asgi_oidc.tokens.revoke import TokenRevoker
from asgi_oidc.web.cookies import session_names
from asgi_oidc.web.request import Request


class FailedLoginTokens:
    """Revokes the tokens that a failed login got from the provider."""

    __slots__ = ("_limits", "_now", "_revocations", "_revoker", "_sessions", "_transactions")

    def __init__(
        self,
        revoker: TokenRevoker,
        sessions: SessionRepository,
        transactions: Transactions,
        revocations: Revocations,
        limits: Limits,
        *,
        now: Callable[[], int],
    ) -> None:
        self._revoker = revoker
        self._sessions = sessions
        self._transactions = transactions
        self._revocations = revocations
        self._limits = limits
        self._now = now

    async def revoke(
        self,
        provider: ProviderConnection,
        refresh_token: str | None,
        request: Request,
        transaction: Transaction,
        *,
        user: UserId | None,
    ) -> None:
        """Revoke the refresh token of a failed login if no other session may depend on it.

        Args:
            user: who signed in, None if the ID Token was not accepted.
        """
        try:
            is_shared = await self._may_be_shared(request, transaction, user)
        except StoreUnavailable:
            is_shared = True
        if not is_shared:
            await self._revoker.revoke_at(provider, refresh_token, dpop_key=transaction.dpop_key)

    async def _may_be_shared(self, request: Request, transaction: Transaction, user: UserId | None) -> bool:
        cookies, sessions = request.cookies, self._sessions
        if transaction.form_post:  # a form post from the provider's site does not bring session cookies along
            return True
        if self._transactions.has_others(transaction.state, cookies):  # another tab may complete its login any moment
            return True
        if len(session_names(cookies)) > sessions.has_cookie(cookies):  # another middleware's, maybe of the same client
            return True
        if not sessions.has_cookie(cookies):
            return False
        active = await sessions.open(cookies)
        if active is None:  # it is not in the store any more, or cannot be read with our secrets
            return user is None or await sessions.may_have_active_session(user, sid=None)
        session = active.session
        if user is not None and user != session.login.user_id:
            return False
        if is_live(session, self._limits, now=self._now()) and self._revocations.effective_at(session.login) is None:
            return True
        return await self._revoker.has_successor(session.login)
