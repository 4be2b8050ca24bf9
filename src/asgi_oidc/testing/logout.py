"""The fake provider's side of logout: OpenID Connect Back-Channel Logout 1.0 and Front-Channel Logout 1.0."""

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
from .provider_rules import ProviderRules

LOGOUT_TOKEN_LIFETIME = 120  # seconds; the maximum that Back-Channel Logout 1.0 §2.4 recommends

log = logging.getLogger(__name__)


class LogoutAnswer(NamedTuple):
    """A client's answer to a logout token."""

    client_id: str
    status: int | None
    """`None` if the call failed or took too long; the log has the reason."""


class ProviderLogout(ProviderRules):
    """The part of the fake provider that signs users out."""

    def logout_token(
        self,
        sub: str | None = "alice",
        *,
        sid: str | None = None,
        client_id: str = "web",
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a logout token (Back-Channel Logout 1.0 §2.4), changed by the active faults.

        Args:
            header: Members that replace those of the header; the value `...` removes one.
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
        """Return the URL that a browser loads to sign out at this client (Front-Channel Logout 1.0 §2).

        Raises:
            ValueError: The client has no `frontchannel_logout_uri`.
        """
        client = self.clients.get(client_id)
        if client is None or client.frontchannel_logout_uri is None:
            raise ValueError(f"the client {client_id!r} has no frontchannel_logout_uri")
        return with_query(client.frontchannel_logout_uri, [("iss", self.issuer), ("sid", sid)])

    def end_sign_in(self, sign_in: SignIn) -> list[str]:
        """End a session, and add its logout tokens to `due_logouts`; return the front-channel logout URLs to load."""
        sid, signed_out = sign_in.sid, self.memory.end_session(sign_in.sid)
        self.due_logouts += self._due(signed_out, sign_in.persona.sub, sid)
        return [
            self.frontchannel_logout_url(client_id, sid)
            for client_id in signed_out
            if client_id in self.clients and self.clients[client_id].frontchannel_logout_uri is not None
        ]

    async def sign_out(
        self, sub: str, *, sid: str | None = None, client: httpx.AsyncClient | None = None
    ) -> list[LogoutAnswer]:
        """Sign a user out at the provider itself, and send a logout token to every client of the ended sessions.

        Each client gets one logout token: with `sub` only if all sessions end, else also with the `sid`. All are
        sent at once; each client has `backchannel_timeout` seconds, and a failure does not affect the others. The
        tokens that clients have got, such as refresh tokens, stay valid.

        Args:
            sid: Ends only this session; `None` ends all sessions of the user.
            client: Posts the tokens; by default `backchannel_client`. For an app in process, use
                `httpx.AsyncClient(transport=httpx.ASGITransport(app))`.

        Returns:
            The answers of the clients with a `backchannel_logout_uri`; empty if the user was not signed in.

        Raises:
            ValueError: Neither `client` nor `backchannel_client` is set.
        """
        http_client = self._backchannel_client(client)
        sids = (sign_in.sid for sign_in in self.memory.sign_ins.values() if sign_in.persona.sub == sub)
        ending = dict.fromkeys(own_sid for own_sid in sids if sid in (None, own_sid))
        signed_out = dict.fromkeys(client_id for own_sid in ending for client_id in self.memory.end_session(own_sid))
        return await self._send(self._due(list(signed_out), sub, sid), http_client)

    def tell_clients_by_network(self) -> None:
        """Send logout tokens over the network from now on, as a real provider does."""
        # Without keep-alive, so that no connection outlives the server's event loop.
        self.backchannel_client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    async def send_due_logouts(self, client: httpx.AsyncClient | None = None) -> list[LogoutAnswer]:
        """Send the logout tokens in `due_logouts`. If `backchannel_client` is set, `/end_session` does this itself.

        Raises:
            ValueError: Neither `client` nor `backchannel_client` is set.
        """
        http_client = self._backchannel_client(client)
        due, self.due_logouts = self.due_logouts, []
        return await self._send(due, http_client)

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
        return [
            DueLogout(client_id, sub, sid) for client_id in client_ids if self._backchannel_uri(client_id) is not None
        ]

    def _backchannel_uri(self, client_id: str) -> str | None:
        client = self.clients.get(client_id)
        return None if client is None else client.backchannel_logout_uri

    def _backchannel_client(self, client: httpx.AsyncClient | None) -> httpx.AsyncClient:
        http_client = client or self.backchannel_client
        if http_client is None:
            raise ValueError("no client to post logout tokens with: pass client=..., or set backchannel_client")
        return http_client

    async def _send(self, due: Sequence[DueLogout], client: httpx.AsyncClient) -> list[LogoutAnswer]:
        statuses: list[int | None] = [None] * len(due)

        async def send(number: int) -> None:
            statuses[number] = await self._post(due[number], client)

        async with anyio.create_task_group() as tasks:
            for number in range(len(due)):
                tasks.start_soon(send, number)
        return [LogoutAnswer(logout.client_id, status) for logout, status in zip(due, statuses, strict=True)]

    async def _post(self, logout: DueLogout, client: httpx.AsyncClient) -> int | None:
        """Post one logout token (Back-Channel Logout 1.0 §2.5); return the status, or None without an answer."""
        uri = self._backchannel_uri(logout.client_id) or ""
        form = {"logout_token": self.logout_token(logout.sub, sid=logout.sid, client_id=logout.client_id)}
        try:
            with anyio.fail_after(self.backchannel_timeout):
                return (await client.post(uri, data=form)).status_code
        except Exception:  # an app in process may raise anything, and the other clients must get their tokens
            log.warning("no answer to the logout token from %s", logout.client_id, exc_info=True)
            return None
