"""A fake OpenID Provider: one small ASGI app with real signed tokens, for tests and demos.

It imports nothing of the library, on purpose: a provider that shared our checks would share our mistakes.
"""

import contextlib
import secrets
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import anyio
import httpx

from . import faults as fault_tables
from .accounts import CLIENTS, PERSONAS, Client, Persona
from .authorization import is_registered, metadata_of, why_not_even_redirect, why_refused, with_query
from .faults import ActiveFaults, Draft, Params, Setting
from .grants import (
    CODE_LIFETIME,
    Grant,
    Memory,
    SignIn,
    challenge_of,
    id_token_claims,
    is_authentic,
    overridden,
    read_client_credentials,
)
from .keys import ALGORITHMS, SigningKey, compact_jws, json_bytes, left_half_hash, signing_key
from .pages import form_post_page, login_page, message_page
from .wire import (
    Answer,
    Call,
    Receive,
    Scope,
    Send,
    answer_lifespan,
    error_answer,
    html_answer,
    json_answer,
    read_call,
    redirect_answer,
    send_answer,
)

ENDPOINTS = {
    ("GET", "/.well-known/openid-configuration"): "discovery",
    ("GET", "/jwks"): "jwks",
    ("GET", "/authorize"): "authorize",
    ("POST", "/authorize"): "authorize",
    ("POST", "/token"): "token",
    ("GET", "/userinfo"): "userinfo",
    ("POST", "/userinfo"): "userinfo",
    ("GET", "/end_session"): "end_session",
    ("POST", "/end_session"): "end_session",
}
COOKIE = "fake_provider_session"


class FakeProvider:
    """An OpenID Provider whose people, keys and faults belong to the test.

    Args:
        issuer: Its URL; a path and an ending "/" are kept as they are. It can be set again later, for a
            server whose port is known only once it runs.
        clients: Registered applications; by default `web` (with a secret) and `spa` (public).
        personas: Who can sign in; by default alice, bob, chloe and erin (200 groups).
        clock: Gives seconds since the epoch.
        alg: What the ID Tokens are signed with: RS256, PS256, ES256, EdDSA, ...
        claims_in_id_token: False leaves profile and email to the userinfo endpoint, as many providers do.
        signed_userinfo: True makes the userinfo answer a signed JWT.
    """

    def __init__(
        self,
        issuer: str = "https://id.example.com",
        *,
        clients: Iterable[Client] | None = None,
        personas: Iterable[Persona] | None = None,
        clock: Callable[[], float] = time.time,
        alg: str = "RS256",
        claims_in_id_token: bool = True,
        signed_userinfo: bool = False,
    ) -> None:
        if alg not in ALGORITHMS:
            raise ValueError(f"alg {alg!r} is not one of {', '.join(ALGORITHMS)}")
        self.clients = {client.client_id: client for client in (CLIENTS if clients is None else clients)}
        self.personas = {persona.sub: persona for persona in (PERSONAS if personas is None else personas)}
        self.clock = clock
        self.alg = alg
        self.claims_in_id_token = claims_in_id_token
        self.signed_userinfo = signed_userinfo
        self.calls: list[Call] = []
        """Every request that came in, oldest first."""
        self.faults = ActiveFaults()
        self.slow_by = 30.0
        """Seconds that the `..._slow` faults take."""
        self.latency = 0.0
        """Seconds that every answer takes."""
        self.access_token_lifetime = 3600
        self.id_token_lifetime = 300
        self.id_token_overrides: dict[str, Any] = {}
        """Claims put into every ID Token at the very end; `...` takes a claim away."""
        self.userinfo_overrides: dict[str, Any] = {}
        """The same for userinfo."""
        self.jwks_headers: dict[str, str] = {}
        """Further headers of the key set, `{"cache-control": "max-age=60"}` for one."""
        self._memory = Memory()
        self._number = 0
        self._kept_numbers: list[int] = []
        self._signed_in_as: Persona | None = None
        self.issuer = issuer

    @property
    def issuer(self) -> str:
        """The issuer; to set it writes `metadata` anew."""
        return self._issuer

    @issuer.setter
    def issuer(self, issuer: str) -> None:
        self._issuer = issuer
        self._base_path = urllib.parse.urlsplit(issuer).path.rstrip("/")
        self.metadata = metadata_of(issuer, self.alg)
        """What discovery answers; tests may edit it."""

    @property
    def origin(self) -> str:
        """The origin that a browser finds this provider at."""
        parts = urllib.parse.urlsplit(self._issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def http_client(self) -> httpx.AsyncClient:
        """Give a client that reaches this provider in process, whatever host is asked for."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self))

    def sign_in_as(self, sub: str | None) -> None:
        """Let `/authorize` answer at once for this persona; `None` shows the login page again."""
        self._signed_in_as = None if sub is None else self.personas[sub]

    def count(self, path: str) -> int:
        """Count the calls whose path ends so: `count("/token")`."""
        return sum(call.path.endswith(path) for call in self.calls)

    @contextlib.contextmanager
    def fault(self, *names: str) -> Iterator[None]:
        """Put faults in force for a while."""
        for name in names:
            self.faults.add(name)
        try:
            yield
        finally:
            for name in names:
                self.faults.discard(name)

    def rotate_keys(self, *, keep_old: bool = False) -> str:
        """Sign with a new key from now on and give its `kid`.

        Args:
            keep_old: Whether the key set goes on showing the keys from before.
        """
        self._kept_numbers = [*self._kept_numbers, self._number] if keep_old else []
        self._number += 1
        return self.key.kid

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return signing_key(self.alg, self._number)

    def sign(self, claims: Mapping[str, Any] | bytes, **header: Any) -> str:
        """Sign anything with the provider's key, in the compact form."""
        payload = claims if isinstance(claims, bytes) else json_bytes(dict(claims))
        return compact_jws({"alg": self.alg, "kid": self.key.kid, **header}, payload, self.key)

    def id_token(
        self,
        sub: str = "alice",
        *,
        client_id: str = "web",
        nonce: str | None = None,
        access_token: str | None = None,
        **claims: Any,
    ) -> str:
        """Make an ID Token by hand, with further or other claims; faults have their say."""
        sign_in = SignIn(self.personas[sub], self._now())
        grant = Grant(sign_in, client_id, ("openid", "profile", "email"), nonce=nonce)
        return self._id_token(grant, access_token, claims)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the fake provider speaks http, not {scope['type']}")
        call = await read_call(scope, receive)
        self.calls.append(call)
        answer = self._answer(call)
        await anyio.sleep(max(self.latency, answer.delay))
        await send_answer(answer, send)

    def _answer(self, call: Call) -> Answer:
        is_below = call.path.startswith(self._base_path + "/")
        endpoint = ENDPOINTS.get((call.method, call.path[len(self._base_path) :])) if is_below else None
        if endpoint is None:
            return html_answer(message_page("Not found", "The fake provider has no such page."), 404)
        handlers: dict[str, Callable[[Call], Answer]] = {
            "discovery": lambda _: json_answer(self.metadata),
            "jwks": self._jwks,
            "authorize": self._authorize,
            "token": self._token,
            "userinfo": self._userinfo,
            "end_session": self._end_session,
        }
        return self.faults.change_answer(endpoint, handlers[endpoint](call), self._setting())

    def _now(self) -> int:
        return int(self.clock())

    def _setting(self) -> Setting:
        return Setting(self._issuer, self._now(), self.slow_by)

    def _jwks(self, _call: Call) -> Answer:
        numbers = [*self._kept_numbers, self._number]
        keys = [signing_key(self.alg, number).public_jwk() for number in numbers]
        answer = Answer(200, json_bytes({"keys": keys}), {"content-type": "application/json"})
        return replace(answer, headers={**answer.headers, **self.jwks_headers})

    # --- authorization endpoint: RFC 6749 §4.1.1, OpenID Connect Core §3.1.2

    def _authorize(self, call: Call) -> Answer:
        params = call.params
        client = self.clients.get(params.get("client_id", ""))
        wrong = why_not_even_redirect(client, call)
        if client is None or wrong:
            return html_answer(message_page("This login cannot go on", wrong), 400)
        error = why_refused(params)
        if error:
            return self._respond(params, [("error", error[0]), ("error_description", error[1])])
        if call.form.get("cancel"):
            return self._respond(params, [("error", "access_denied")])
        sign_in = self._who_signs_in(call)
        if sign_in is not None:
            return self._give_code(params, sign_in)
        if params.get("prompt") == "none":
            return self._respond(params, [("error", "login_required")])
        page = login_page(
            self.personas.values(),
            action="?" + urllib.parse.urlencode(call.query),
            client_id=client.client_id,
            login_hint=params.get("login_hint", ""),
        )
        return html_answer(page)

    def _who_signs_in(self, call: Call) -> SignIn | None:
        picked = self.personas.get(call.form.get("sub", "")) or self._signed_in_as
        if picked is not None:
            return SignIn(picked, self._now())
        known = self._memory.sign_ins.get(call.cookies.get(COOKIE, ""))
        if known is None or call.params.get("prompt") in ("login", "select_account"):
            return None
        max_age = call.params.get("max_age", "")
        is_fresh = not max_age.isdigit() or self._now() - known.auth_time <= int(max_age)
        return known if is_fresh else None

    def _give_code(self, params: dict[str, str], sign_in: SignIn) -> Answer:
        code = secrets.token_urlsafe(24)
        self._memory.codes[code] = Grant(
            sign_in,
            params["client_id"],
            tuple(params["scope"].split()),
            nonce=params.get("nonce"),
            acr=next(iter(params.get("acr_values", "").split()), None),
            redirect_uri=params["redirect_uri"],
            code_challenge=params["code_challenge"],
            made_at=self._now(),
        )
        cookie = secrets.token_urlsafe(24)
        self._memory.sign_ins[cookie] = sign_in
        secure = "; Secure" if self._issuer.startswith("https:") else ""
        path = self._base_path or "/"
        answer = self._respond(params, [("code", code)])
        return answer.having(
            set_cookie=f"{COOKIE}={cookie}; Path={path}; HttpOnly; SameSite=Lax{secure}",
        )

    def _respond(self, params: dict[str, str], response: Params) -> Answer:
        """Send the authorization response back to the client, as a redirect or a posted form."""
        state = [("state", params["state"])] if "state" in params else []
        table = fault_tables.CALLBACK_PARAMS
        pairs = self.faults.change(table, [*response, *state, ("iss", self._issuer)], self._setting())
        if params.get("response_mode") == "form_post":
            return html_answer(form_post_page(params["redirect_uri"], pairs))
        return redirect_answer(with_query(params["redirect_uri"], pairs))

    # --- token endpoint: RFC 6749 §4.1.3 and §6, RFC 7636 §4.6, OpenID Connect Core §3.1.3

    def _token(self, call: Call) -> Answer:
        method, client_id, secret = read_client_credentials(call)
        client = self.clients.get(client_id)
        if client is None or not is_authentic(client, method, secret):
            refusal = error_answer("invalid_client", "who are you?", 401)
            return refusal.having(www_authenticate='Basic realm="token"')
        match call.form.get("grant_type"):
            case "authorization_code":
                return self._exchange_code(call.form, client)
            case "refresh_token":
                return self._refresh(call.form, client)
            case _:
                return error_answer("unsupported_grant_type", "authorization_code or refresh_token")

    def _exchange_code(self, form: dict[str, str], client: Client) -> Answer:
        code = form.get("code", "")
        stolen = self._memory.used.get(code)
        if stolen is not None:
            self._memory.revoke(stolen)
            return error_answer("invalid_grant", "the code was used before; its tokens are revoked")
        grant = self._memory.codes.pop(code, None)
        if grant is None or grant.client_id != client.client_id:
            return error_answer("invalid_grant", "no such code")
        self._memory.used[code] = grant
        if self._now() - grant.made_at > CODE_LIFETIME:
            return error_answer("invalid_grant", "the code has expired")
        if form.get("redirect_uri") != grant.redirect_uri:
            return error_answer("invalid_grant", "redirect_uri is not the one of the login")
        if challenge_of(form.get("code_verifier", "")) != grant.code_challenge:
            return error_answer("invalid_grant", "code_verifier does not fit")
        return self._give_tokens(grant)

    def _refresh(self, form: dict[str, str], client: Client) -> Answer:
        token = form.get("refresh_token", "")
        stolen = self._memory.used.get(token)
        if stolen is not None:
            self._memory.revoke(stolen)
            return error_answer("invalid_grant", "the refresh token was used before; all are revoked")
        grant = self._memory.refresh_tokens.get(token)
        if grant is None or grant.client_id != client.client_id:
            return error_answer("invalid_grant", "no such refresh token")
        del self._memory.refresh_tokens[token]
        self._memory.used[token] = grant
        return self._give_tokens(replace(grant, nonce=None))

    def _give_tokens(self, grant: Grant) -> Answer:
        access_token = "at-" + secrets.token_urlsafe(24)
        self._memory.access_tokens[access_token] = (grant, self._now() + self.access_token_lifetime)
        members: dict[str, Any] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.access_token_lifetime,
            "scope": " ".join(grant.scopes),
            "id_token": self._id_token(grant, access_token, {}),
        }
        if "offline_access" in grant.scopes:
            members["refresh_token"] = "rt-" + secrets.token_urlsafe(24)
            self._memory.refresh_tokens[members["refresh_token"]] = grant
        return json_answer(self.faults.change(fault_tables.TOKEN_MEMBERS, members, self._setting()))

    def _id_token(self, grant: Grant, access_token: str | None, further: Mapping[str, Any]) -> str:
        lifetime, with_profile = self.id_token_lifetime, self.claims_in_id_token
        claims = id_token_claims(grant, now=self._now(), lifetime=lifetime, with_profile=with_profile)
        claims["iss"] = self._issuer
        if access_token is not None:
            claims["at_hash"] = left_half_hash(access_token, self.alg)
        claims = self.faults.change(fault_tables.ID_TOKEN_CLAIMS, claims, self._setting())
        claims = overridden(claims, {**further, **self.id_token_overrides})
        header = {"alg": self.alg, "kid": self.key.kid, "typ": "JWT"}
        id_token = self.faults.sign(Draft(header, json_bytes(claims), self.key))
        self._memory.id_tokens[id_token] = grant
        return id_token

    # --- userinfo endpoint: OpenID Connect Core §5.3

    def _userinfo(self, call: Call) -> Answer:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        grant, expires_at = self._memory.access_tokens.get(token, (None, 0))
        if scheme.lower() != "bearer" or grant is None or expires_at <= self._now():
            refusal = error_answer("invalid_token", "no such access token", 401)
            return refusal.having(www_authenticate='Bearer error="invalid_token"')
        persona = grant.sign_in.persona
        claims = {"sub": persona.sub, **persona.claims_for(grant.scopes)}
        claims = self.faults.change(fault_tables.USERINFO_CLAIMS, claims, self._setting())
        claims = overridden(claims, self.userinfo_overrides)
        if not self.signed_userinfo:
            return json_answer(claims)
        signed = self.sign({"iss": self._issuer, "aud": grant.client_id, **claims})
        return Answer(200, signed.encode(), {"content-type": "application/jwt", "cache-control": "no-store"})

    # --- end_session endpoint: OpenID Connect RP-Initiated Logout 1.0

    def _end_session(self, call: Call) -> Answer:
        params = call.form if call.method == "POST" else call.params
        hinted = self._memory.id_tokens.get(params.get("id_token_hint", ""))
        if "id_token_hint" in params and hinted is None:
            return html_answer(message_page("Cannot sign out", "This ID Token is not one of ours."), 400)
        client_id = params.get("client_id") or (hinted.client_id if hinted else "")
        if hinted and hinted.client_id != client_id:
            return html_answer(message_page("Cannot sign out", "The ID Token is another client's."), 400)
        target = params.get("post_logout_redirect_uri")
        client = self.clients.get(client_id)
        if target and not (client and is_registered(target, client.post_logout_redirect_uris)):
            return html_answer(message_page("Cannot sign out", "The way back is not registered."), 400)
        known = self._memory.sign_ins.get(call.cookies.get(COOKIE, ""))
        for sid in {sign_in.sid for sign_in in (known, hinted and hinted.sign_in) if sign_in}:
            self._memory.end_session(sid)
        if not target:
            return html_answer(message_page("Signed out", "You are signed out of the fake provider."))
        state = [("state", params["state"])] if "state" in params else []
        return redirect_answer(with_query(target, state))
