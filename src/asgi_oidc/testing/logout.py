"""The provider's side of logout: OpenID Connect Back-Channel Logout 1.0 and Front-Channel Logout 1.0."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import anyio
import httpx

from . import faults as fault_tables
from .authorization import with_query
from .faults import Draft
from .faults.logout_token import EVENT
from .grants import DueLogout, SignIn, overridden
from .keys import json_bytes
from .provider_state import ProviderState

LOGOUT_TOKEN_LIFETIME = 120  # seconds; the most that Back-Channel Logout 1.0 §2.4 recommends

log = logging.getLogger(__name__)


class LogoutAnswer(NamedTuple):
    """What a client answered to a logout token."""

    client_id: str
    status: int | None
    """`None`: it failed or was too slow; the log says why."""


class ProviderLogout(ProviderState):
    """A fake provider that signs people out, without its endpoints."""

    def logout_token(
        self,
        sub: str | None = "alice",
        *,
        sid: str | None = None,
        client_id: str = "web",
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Make a logout token by hand (Back-Channel Logout 1.0 §2.4); faults have their say.

        Args:
            header: Put in place of what the header has; `...` takes a member away.
            claims: The same for the claims.
        """
        named = {name: value for name, value in {"sub": sub, "sid": sid}.items() if value is not None}
        made = self.faults.change(
            fault_tables.LOGOUT_TOKEN_CLAIMS, {**self._logout_claims(client_id), **named}, self.setting()
        )
        payload = json_bytes(overridden(made, claims))
        full_header = overridden({"alg": self.alg, "kid": self.key.kid, "typ": "logout+jwt"}, header or {})
        return self.faults.sign(Draft(full_header, payload, self.key), fault_tables.LOGOUT_TOKEN_SIGNING)

    def frontchannel_logout_url(self, client_id: str, sid: str) -> str:
        """Say what a browser loads to sign out at this client (Front-Channel Logout 1.0 §2).

        Raises:
            ValueError: The client has no `frontchannel_logout_uri`.
        """
        client = self.clients.get(client_id)
        if client is None or client.frontchannel_logout_uri is None:
            raise ValueError(f"the client {client_id!r} has no frontchannel_logout_uri")
        return with_query(client.frontchannel_logout_uri, [("iss", self.issuer), ("sid", sid)])

    def end_sign_in(self, sign_in: SignIn) -> list[str]:
        """End one sign-in, note in `due_logouts` who has to hear, and give the URLs that the browser has to load."""
        sid, signed_out = sign_in.sid, self.memory.end_session(sign_in.sid)
        self.due_logouts += self._due(signed_out, sign_in.persona.sub, sid)
        in_front = (
            it for it in signed_out if it in self.clients and self.clients[it].frontchannel_logout_uri is not None
        )
        return [self.frontchannel_logout_url(client_id, sid) for client_id in in_front]

    async def sign_out(
        self, sub: str, *, sid: str | None = None, client: httpx.AsyncClient | None = None
    ) -> list[LogoutAnswer]:
        """Let somebody sign out at the provider itself, and tell every client that they had signed in to.

        Each client gets one logout token: with `sub` alone when all sign-ins end, else with the `sid` too. All
        are told at once, each has `backchannel_timeout` seconds, and none that fails keeps the others from
        hearing. What the clients were given, refresh tokens for one, stays good.

        Args:
            sid: Ends this sign-in of theirs alone; `None` ends all.
            client: Posts the tokens; by default `backchannel_client`. In process it is
                `httpx.AsyncClient(transport=httpx.ASGITransport(app))`.

        Returns:
            The answers of those that have a `backchannel_logout_uri`; none when nobody was signed in.

        Raises:
            ValueError: There is no client to post with.
        """
        post_with = self._backchannel_client(client)
        theirs = (it.sid for it in self.memory.sign_ins.values() if it.persona.sub == sub)
        ending = dict.fromkeys(it for it in theirs if sid in (None, it))
        signed_out = dict.fromkeys(client_id for it in ending for client_id in self.memory.end_session(it))
        return await self._send(self._due(list(signed_out), sub, sid), post_with)

    def tell_clients_by_network(self) -> None:
        """Post logout tokens over the network from now on, as a provider that really runs somewhere does."""
        # No connection outlives the server's loop.
        self.backchannel_client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    async def send_due_logouts(self, client: httpx.AsyncClient | None = None) -> list[LogoutAnswer]:
        """Tell the clients in `due_logouts`, as `sign_out` does; given a `backchannel_client`, `/end_session` does so.

        Raises:
            ValueError: There is no client to post with.
        """
        post_with = self._backchannel_client(client)
        due, self.due_logouts = self.due_logouts, []
        return await self._send(due, post_with)

    def _logout_claims(self, client_id: str) -> dict[str, Any]:
        now = self.now()
        return {
            "iss": self.issuer,
            "aud": client_id,
            "iat": now,
            "exp": now + LOGOUT_TOKEN_LIFETIME,
            "jti": secrets.token_urlsafe(16),
            "events": {EVENT: {}},
        }

    def _due(self, client_ids: Sequence[str], sub: str, sid: str | None) -> list[DueLogout]:
        return [DueLogout(it, sub, sid) for it in client_ids if self._backchannel_uri(it) is not None]

    def _backchannel_uri(self, client_id: str) -> str | None:
        client = self.clients.get(client_id)
        return None if client is None else client.backchannel_logout_uri

    def _backchannel_client(self, client: httpx.AsyncClient | None) -> httpx.AsyncClient:
        post_with = client or self.backchannel_client
        if post_with is None:
            raise ValueError("nothing to post logout tokens with: give client, or set backchannel_client")
        return post_with

    async def _send(self, due: Sequence[DueLogout], client: httpx.AsyncClient) -> list[LogoutAnswer]:
        statuses: list[int | None] = [None] * len(due)

        async def send(number: int) -> None:
            statuses[number] = await self._post(due[number], client)

        async with anyio.create_task_group() as tasks:
            for number in range(len(due)):
                tasks.start_soon(send, number)
        return [LogoutAnswer(it.client_id, status) for it, status in zip(due, statuses, strict=True)]

    async def _post(self, logout: DueLogout, client: httpx.AsyncClient) -> int | None:
        """Post one logout token (Back-Channel Logout 1.0 §2.5) and give the status, if an answer came."""
        uri = self._backchannel_uri(logout.client_id) or ""
        form = {"logout_token": self.logout_token(logout.sub, sid=logout.sid, client_id=logout.client_id)}
        try:
            with anyio.fail_after(self.backchannel_timeout):
                return (await client.post(uri, data=form)).status_code
        except Exception:  # an app in process may raise anything, and the others are to hear
            log.warning("no answer to the logout token from %s", logout.client_id, exc_info=True)
            return None
