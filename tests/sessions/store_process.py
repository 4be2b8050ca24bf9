"""One process with sessions in a store that the test scripts, and what a refresh makes of a session."""

from collections.abc import Sequence

import msgspec

from asgi_oidc.sessions.in_store import StoredSessions
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.revocation_feed import NoFeed
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.sealed_records import SealedRecords
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import Session, with_changes
from asgi_oidc.sessions.session_cookies import SessionCookies
from asgi_oidc.stores.guarded_store import GuardedStore
from asgi_oidc.web.cookies import CookieStyle
from tests.scripted_store import ScriptedStore
from tests.sessions.test_session import ISSUER, SESSION

CONTEXT = ("https://id.example.com", "web", "https://app.example.com")
SECRET = b"s" * 32


class Process:
    """One process with sessions in a store.

    Args:
        other: a process that shares its store and clock with this one.
    """

    def __init__(self, other: "Process | None" = None, *, secrets: Sequence[bytes] = (SECRET,)) -> None:
        self.clock: list[int] = [SESSION.login.created_at] if other is None else other.clock
        self.store: ScriptedStore = ScriptedStore(lambda: float(self.clock[0])) if other is None else other.store
        self.names = RecordNames(secrets, context=CONTEXT, default_issuer=ISSUER)
        self.session_cookies = SessionCookies(
            Sealer(secrets, context=CONTEXT), CookieStyle(secure=True), "oidc-abcdefgh"
        )
        self.limits = Limits(idle=600, lifetime=3600)
        self.revocations = Revocations(self.names.revocation_names, lifetime=10_000, needed_for=0)
        self.sessions = StoredSessions(
            GuardedStore(self.store),
            self.names,
            self.session_cookies,
            self.limits,
            self.revocations,
            NoFeed(),
            has_provider=lambda _login: True,
            now=lambda: self.clock[0],
        )

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self.clock[0] += seconds

    def cookies(self, session: Session = SESSION) -> dict[str, str]:
        """What the browser of a session sends."""
        return {self.session_cookies.name: session.id}

    async def begin(self, session: Session = SESSION) -> None:
        """Write a session, and count from here."""
        await self.sessions.begin(session, {})
        self.store.forget_calls()

    async def stored(self, session: Session = SESSION) -> Session | None:
        """Look at the record, past everything that a process remembers."""
        record = await self.store.memory.get(self.names.key(self.names.handle(session.id)))
        return None if record is None else SealedRecords(self.names).open(session.id, record)

    async def linked(self, kind: str, name: str) -> list[str]:
        """Read an index."""
        return list(await self.store.memory.linked(self.names.index_keys(kind, SESSION.login.issuer, name)[0]))


def refreshed(session: Session, generation: int = 1) -> Session:
    """Make what a refresh makes of a session."""
    tokens = with_changes(session.tokens, generation=generation, access_token=f"at-{generation}")
    return msgspec.structs.replace(session, tokens=tokens)
