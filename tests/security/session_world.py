"""The world of the session machine: processes that share a store and a provider, and what may break there."""

import itertools
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlencode

import anyio
import httpx

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser, FakeProvider
from asgi_oidc.testing.cookie_jar import CookieJar
from asgi_oidc.testing.in_process import call_app
from tests.attacked_provider import own_path, site_settings
from tests.internals import provider_of
from tests.protected_site import CLIENT_SECRET, ORIGIN, Clock
from tests.scripted_store import ScriptedStore

from .session_model import ACCESS, IDLE, LIFETIME, Memory, Tokens

SCOPE = "openid profile email offline_access"
STORE_STATES = {
    "up": (),
    "full": ("add", "replace", "link"),
    "read-only": ("add", "replace", "link", "remove", "unlink"),
    "down": ("get", "add", "replace", "remove", "link", "linked", "unlink"),
}
"""Which methods raise."""

MAX_SECRETS = 8  # at once, by the settings
CUT = "cut"  # no call of ours arrives at the provider; the other troubles are faults that it has
TROUBLES = (
    CUT,
    "jwks_down",
    "refresh_down",
    "refresh_invalid_grant",
    "refresh_not_json",
    "refresh_other_sub",
)


class Answer(NamedTuple):
    """What a page said."""

    status: int
    said: dict[str, Any]


class TokenApp:
    """An app whose page `/token` needs the access token; all pages tell who came."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        user, said = scope["user"], {"sub": scope["user"].sub}
        if user.is_authenticated:
            said["handle"] = scope["oidc"].session_id
        if scope["path"] == "/token":
            said["token"] = await scope["oidc"].access_token()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})


class Line(httpx.AsyncBaseTransport):
    """The way from us to the provider; it can be cut."""

    def __init__(self, provider: FakeProvider) -> None:
        self.is_cut = False
        self._inner = httpx.ASGITransport(app=provider)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("the line is cut")
        return await self._inner.handle_async_request(request)


class Process:
    """One process of the app, and what the model knows of its memory."""

    def __init__(self, middleware: OIDCMiddleware) -> None:
        self.middleware = middleware
        self.memory = Memory()

    @property
    def expects_rotation(self) -> bool:
        """Whether it has not seen that the provider gives no new refresh tokens: it learns that by a refresh."""
        return provider_of(self.middleware)._rotates_refresh_tokens


class World:
    """One app in some processes, one provider, one clock.

    Args:
        has_store: whether the processes share a store; else sessions are in sealed cookies.
    """

    def __init__(self, *, has_store: bool, processes: int) -> None:
        self.clock = Clock()
        self.provider = FakeProvider(clock=self.clock, alg="EdDSA")
        self.provider.access_token_lifetime = ACCESS
        self.line = Line(self.provider)
        self.http_client = httpx.AsyncClient(transport=self.line)
        self.store = ScriptedStore(self.clock) if has_store else None
        self.store_state = "up"
        self.trouble: str | None = None
        self._numbers = itertools.count()
        self._retired: list[tuple[str, float]] = []
        self._secret = self._new_secret()
        self.processes = [self._process() for _ in range(processes)]

    # --- what happens to the app

    def restart(self, number: int) -> None:
        """Lose all that one process remembers."""
        self.processes[number] = self._process()

    def rotate_secret(self) -> None:
        """Deploy a new secret; old ones stay for as long as a session may live."""
        retired = [(self._secret, self.clock.now), *self._retired]
        retired = [(secret, at) for secret, at in retired if self.clock.now < at + LIFETIME]
        if len(retired) == MAX_SECRETS:
            return
        self._retired = retired
        self._secret = self._new_secret()
        self.processes = [self._process() for _ in self.processes]

    def _new_secret(self) -> str:
        return sha256(f"secret {next(self._numbers)}".encode()).hexdigest()

    def _process(self) -> Process:
        return Process(
            OIDCMiddleware(
                TokenApp(),
                clock=self.clock,
                **site_settings(
                    {
                        "issuer": self.provider.issuer,
                        "client_id": "web",
                        "client_secret": CLIENT_SECRET,
                        "base_url": ORIGIN,
                        "secret": [self._secret, *(secret for secret, _ in self._retired)],
                        "public": ["/", "/public/*"],
                        "scope": SCOPE,
                        "store": self.store,
                        "session_idle": IDLE,
                        "session_lifetime": LIFETIME,
                        "http_client": self.http_client,
                    }
                ),
            )
        )

    # --- what happens to its neighbours

    def set_store(self, state: str) -> None:
        """Break the store, or repair it."""
        assert self.store is not None
        self.store.broken = set(STORE_STATES[state])
        self.store_state = state

    def set_trouble(self, trouble: str | None) -> None:
        """Break the provider, or repair it (None)."""
        self.provider.faults.clear()
        self.line.is_cut = trouble == CUT
        if trouble not in (CUT, None):
            self.provider.faults.add(trouble)
        self.trouble = trouble

    def withdraw(self, tokens: Tokens) -> None:
        """Let the provider take back what it granted."""
        memory = self.provider.memory
        memory.revoke(memory.access_tokens[tokens.access].grant)

    def is_withdrawn(self, access: str) -> bool:
        """Say whether it did, for whatever reason."""
        memory = self.provider.memory
        return memory.access_tokens[access].grant.id in memory.revoked_grants

    def issued(self, *, number: int = 0, after: Tokens | None = None) -> Tokens:
        """Name the tokens that the provider gave out last, or last in the place of others."""
        memory = self.provider.memory
        access, refresh = list(memory.access_tokens), list(memory.refresh_tokens)
        if after is not None:
            grant = memory.access_tokens[after.access].grant.id
            access = [name for name in access if memory.access_tokens[name].grant.id == grant]
            refresh = [name for name in refresh if memory.refresh_tokens[name].grant.id == grant]
        return Tokens(access[-1], refresh[-1], self.clock.now, number)

    # --- what browsers do

    def jar(self, *, keeps_all: bool) -> CookieJar:
        """Be a new browser, one that may keep cookies for ever."""
        return CookieJar(self.no_time if keeps_all else self.clock)

    @staticmethod
    def no_time() -> float:
        """Be a clock that stands still: no cookie ever ends by it."""
        return 0.0

    def browser(self, jar: CookieJar, process: Process) -> Browser:
        """Open a browser that ends up at one process."""
        others = {self.provider.origin: self.provider}
        return Browser(process.middleware, ORIGIN, others, clock=self.clock, jar=jar)

    async def fetch(self, jar: CookieJar, process: Process, path: str) -> Answer:
        """Ask for a page, as a script does."""
        response = await self.browser(jar, process).fetch(path)
        return Answer(response.status_code, response.json())

    async def ask_who_they_are(self, jars: Sequence[CookieJar]) -> list[Answer]:
        """Ask all processes about each browser; that keeps no session alive."""
        answers = []
        for jar in jars:
            cookies = jar.header(ORIGIN, is_same_site=True, is_safe_navigation=False)
            for process in self.processes:
                found = await call_app(process.middleware, "GET", ORIGIN + "/auth/session", {"cookie": cookies}, b"")
                answers.append(Answer(found[0], json.loads(found[2])))
        return answers

    async def ask(self, visits: Sequence[tuple[CookieJar, Process]]) -> tuple[list[Answer], list[str]]:
        """Ask for the page with the token, all at once.

        Returns:
            What each got, and the refresh tokens that the provider was shown.
        """
        before, answers = len(self.provider.calls), dict[int, Answer]()

        async def fetch(place: int, jar: CookieJar, process: Process) -> None:
            answers[place] = await self.fetch(jar, process, "/token")

        async with anyio.create_task_group() as tasks:
            for place, (jar, process) in enumerate(visits):
                tasks.start_soon(fetch, place, jar, process)
        forms = [call.form for call in self.provider.calls[before:]]
        shown = [form["refresh_token"] for form in forms if form.get("grant_type") == "refresh_token"]
        return [answers[place] for place in range(len(visits))], shown

    async def start_login(self, jar: CookieJar, sub: str, process: Process) -> str | None:
        """Start a login, and return the URL at the provider."""
        self.provider.sign_in_as(sub)
        # Whoever presses the button on our own page may sign in as often as they like, one login right after the other.
        away = await self.browser(jar, process).get("/auth/login", initiator=f"{ORIGIN}/", follow=False)
        return away.location if away.status_code == 303 else None

    async def finish_login(self, jar: CookieJar, url: str, process: Process) -> bool:
        """Come back from the provider, perhaps to another process."""
        browser = self.browser(jar, process)
        back = await browser.get(url, follow=False)
        home = await browser.get(back.location, follow=False)
        return home.status_code == 303 and home.location == ORIGIN + "/"

    async def sign_out(self, jar: CookieJar, process: Process) -> int:
        """Press the button."""
        return (await self.browser(jar, process).post("/auth/logout", follow=False)).status_code

    async def hear(self, process: Process, sub: str) -> int:
        """Let the provider sign somebody out, and tell one process."""
        url, form = ORIGIN + own_path("backchannel-logout"), {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode({"logout_token": self.provider.logout_token(sub)}).encode()
        status, _, _ = await call_app(process.middleware, "POST", url, form, body)
        return status

    async def sign_out_in_between(self, jar: CookieJar, asked: Process, process: Process) -> Answer:
        """Sign out while a refresh of the same browser is under way."""
        answers: list[Answer] = []

        async def fetch() -> None:
            answers.append(await self.fetch(jar, asked, "/token"))

        with self.provider.hold("refresh", when="after") as gate:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fetch)
                await gate.until_held()
                await self.sign_out(jar, process)
                gate.open()
        return answers[0]
