"""Holds what the library does against the model: one request, or some at once, and what may come of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from asgi_oidc.testing.cookie_jar import CookieJar
from tests.attacked_provider import holds_nothing

from .session_model import Login, Memory, Model, Ticket, Tokens
from .session_world import CUT, Answer, Process, World

COOL_DOWN = 10  # seconds after a refresh that failed in which none need be tried
RECOVERY = 30  # seconds after an outage in which the provider need not be asked yet
AS_IT_WAS, RENEWED, NOT_NOW, RUN_OUT, OVER = "as it was", "renewed", "not now", "run out", "over"


@dataclass
class Asker:
    """A browser that asks for the token, by several processes at once; and what it had before."""

    jar: CookieJar
    ticket: Ticket
    processes: list[Process]
    was_sent: bool = False
    user: str | None = None
    old: Tokens | None = None
    is_renewable: bool = False

    @property
    def memory(self) -> Memory:
        """Of the process that counts; with a store, all of them agree."""
        return self.processes[0].memory


class SessionChecker:
    """Asks, and finds no difference.

    Args:
        run: calls an async function in the event loop of the world.
    """

    def __init__(self, run: Callable[..., Any], world: World, model: Model) -> None:
        self.run = run
        self.world = world
        self.model = model
        self.sure_from = model.now
        """When the provider has to be asked again after an outage."""
        self.withdrawn: set[Login] = set()
        self.retry_at: dict[Login, float] = {}
        self.cooling: dict[tuple[Login, Memory | None], float] = {}

    def check_visit(self, jar: CookieJar, ticket: Ticket, process: Process, path: str = "/page") -> None:
        user, is_public = self.model.user(ticket, process.memory), path.startswith("/public/")
        if self.world.store_state == "down" and has_cookie(jar):
            page = self.run(self.world.fetch, jar, process, path)
            assert (page.status, page.said.get("sub")) == (200 if is_public else 503, None)
            return
        if self.world.store is not None:
            self.world.store.forget_calls()

        page = self.run(self.world.fetch, jar, process, path)

        assert (page.status, page.said.get("sub")) == (200 if user or is_public else 401, user)
        if user is None:
            drop_what_is_gone(jar, ticket)
            return
        assert has_cookie(jar)
        if self.world.store is not None and not self.model.is_use_due(ticket):
            assert self.world.store.calls == ["get"]  # nothing is written for a request that changes nothing
        self.model.use(ticket, process.memory, is_writable=self.world.store_state == "up")

    def check_sign_out(self, jar: CookieJar, ticket: Ticket, process: Process) -> None:
        is_down = self.world.store_state in ("down", "read-only") and has_cookie(jar)
        must_act = has_cookie(jar) and self.model.is_alive(ticket, process.memory)
        must_not = self.model.is_long_over(ticket, process.memory)
        has_any = has_cookie(jar)
        tokens = self.model.tokens(ticket, process.memory) if ticket.login else None
        was_renewable = tokens is not None and self.is_renewable(tokens)

        status = self.run(self.world.sign_out, jar, process)

        assert status == (503 if is_down else 303)
        if self.world.store_state != "down" and has_any and not must_not:
            self.model.end(ticket, process.memory, is_removable=self.world.store_state != "read-only")
        if is_down:
            return
        assert not has_cookie(jar)
        if tokens is not None and must_act and not self.is_excused():
            assert not self.is_renewable(tokens)
        if tokens is not None and must_not:
            assert self.is_renewable(tokens) == was_renewable
        ticket.drop()

    def check_tokens(self, askers: list[Asker]) -> None:
        """Let all ask for their tokens at once, and hold what comes of it against the model."""
        for asker in askers:
            self.look_at(asker)
        visits = [(asker.jar, process) for asker in askers for process in asker.processes]

        answers, shown = self.run(self.world.ask, visits)

        for asker in askers:
            own, answers = answers[: len(asker.processes)], answers[len(asker.processes) :]
            calls = [token for token in shown if asker.old is not None and token == asker.old.refresh]
            shown = [token for token in shown if token not in calls]
            self.check_answers(asker, own, len(calls))
        assert shown == []  # each refresh token that was used was the newest of its session

    def look_at(self, asker: Asker) -> None:
        asker.user = self.model.user(asker.ticket, asker.memory)
        if any(self.model.user(asker.ticket, it.memory) != asker.user for it in asker.processes):
            del asker.processes[1:]  # one of them has ended it and could not tell the store
        if self.world.trouble == "refresh_not_json":
            del asker.processes[1:]  # what is left depends on what the process has seen of the provider
        asker.was_sent = has_cookie(asker.jar)
        if asker.user is not None:
            asker.old = self.model.tokens(asker.ticket, asker.memory)
            asker.is_renewable = self.is_renewable(asker.old)

    def check_answers(self, asker: Asker, answers: list[Answer], calls: int) -> None:
        statuses, ticket, old = {answer.status for answer in answers}, asker.ticket, asker.old
        is_down = self.world.store_state == "down" and asker.was_sent
        if old is None or ticket.login is None or is_down:
            assert (statuses, calls) == ({503 if is_down else 401}, 0)
            drop_what_is_gone(asker.jar, ticket)
            return
        outcome = observed(old, answers, self.model.now)
        assert outcome in self.outcomes(ticket.login, old, is_renewable=asker.is_renewable)
        self.check_calls(asker, outcome, calls)
        newest = self.take_over(asker, outcome, calls)
        is_good = old.is_good(self.model.now)
        allowed = {newest.access, old.access} if len(answers) > 1 and is_good else {newest.access}
        for answer in answers:
            if answer.status == 200:
                assert answer.said["sub"] == asker.user
                assert answer.said["token"] in allowed
                self.check_is_active(ticket.login, answer.said["token"])
        if outcome == OVER:
            ticket.drop()
            return
        assert has_cookie(asker.jar)
        assert statuses == {200 if newest.is_good(self.model.now) else 401 if outcome == RUN_OUT else 503}
        self.model.use(ticket, asker.memory, is_writable=self.world.store_state == "up")

    def outcomes(self, login: Login | None, tokens: Tokens, *, is_renewable: bool) -> set[str]:
        """Say what may come of asking for the token of a live session.

        Args:
            is_renewable: whether the provider takes the refresh token.
        """
        trouble, now = self.world.trouble, self.model.now
        if tokens.refresh is None and not tokens.is_good(now):
            return {RUN_OUT}
        if tokens.refresh is None or not tokens.is_due(now):
            return {AS_IT_WAS}
        if self.world.store_state != "up" or trouble in (CUT, "refresh_down", "refresh_not_json"):
            return {NOT_NOW}
        is_excused = self.is_excused() or (login is not None and now < self.retry_at.get(login, 0))
        perhaps = {NOT_NOW} if is_excused else set()
        if not is_renewable or trouble == "refresh_invalid_grant":
            return {OVER} | perhaps
        if trouble == "refresh_other_sub" and self.world.provider.id_token_on_refresh:
            return {NOT_NOW}
        return {RENEWED} | perhaps

    def check_calls(self, asker: Asker, outcome: str, calls: int) -> None:
        """One call at most, none that is not due, none a moment after one that failed."""
        login = asker.ticket.login
        assert login is not None
        place = (login, None if self.model.has_store else asker.memory)  # who remembers a failure
        assert calls == 1 if outcome in (RENEWED, OVER) else calls <= 1
        assert not (calls and (outcome in (AS_IT_WAS, RUN_OUT) or self.world.store_state != "up"))
        assert not (calls and self.model.now < self.cooling.get(place, 0))
        if outcome == NOT_NOW and calls:
            self.cooling[place] = self.model.now + COOL_DOWN
        if outcome == NOT_NOW and (calls or self.is_excused()):
            self.retry_at[login] = self.model.now + COOL_DOWN

    def take_over(self, asker: Asker, outcome: str, calls: int) -> Tokens:
        """Let the model go on with what came of it, and return the tokens that it has now."""
        login, old = asker.ticket.login, asker.old
        assert login is not None
        assert old is not None
        if calls and not asker.is_renewable:  # spent by an answer that was lost: the provider takes it for theft
            self.withdrawn.add(login)
        if outcome == OVER:
            self.model.end(asker.ticket, asker.memory)
        newest = old
        if outcome == RENEWED:
            newest = self.world.issued(number=old.number + 1, after=old)
        elif calls and asker.is_renewable and outcome == NOT_NOW:
            newest = self.after_a_useless_answer(asker, login, old)
        if newest is not old:
            self.model.renew(asker.ticket, asker.memory, newest)
        return newest

    def after_a_useless_answer(self, asker: Asker, login: Login, old: Tokens) -> Tokens:
        """The provider has answered, and where it rotates the old refresh token is spent."""
        if self.world.trouble == "refresh_not_json" and asker.processes[0].expects_rotation:
            return replace(old, refresh=None, number=old.number + 1)  # nobody could read the new one
        if not self.world.provider.rotates_refresh_tokens:
            return old
        if self.world.trouble == "refresh_other_sub":  # it may be somebody else's, and is not used
            return replace(old, refresh=None, number=old.number + 1)
        if self.world.trouble in (None, "jwks_down"):  # nobody could judge the ID Token: there were no keys
            return replace(old, refresh=self.world.issued(after=old).refresh, number=old.number + 1)
        return old

    def check_is_active(self, login: Login, token: str) -> None:
        info = self.world.provider.token_info(token)
        assert (info.sub, info.client_id) == (login.user, "web")
        # What the provider took back meanwhile, only the next refresh can tell.
        assert info.active or self.world.is_withdrawn(token)
        assert info.active or login in self.withdrawn or not self.model.has_store

    def is_renewable(self, tokens: Tokens) -> bool:
        return tokens.refresh is not None and self.world.provider.token_info(tokens.refresh).active

    def is_excused(self) -> bool:
        """Say whether the provider's keys or metadata may not be there: it is down, or came back a moment ago."""
        return self.world.trouble in (CUT, "jwks_down") or self.model.now < self.sure_from


def observed(old: Tokens, answers: list[Answer], now: float) -> str:
    """Say what became of a session by what its requests got."""
    if any(answer.status == 401 for answer in answers):
        return RUN_OUT if old.refresh is None else OVER
    if any(answer.said.get("token", old.access) != old.access for answer in answers):
        return RENEWED
    return NOT_NOW if old.is_due(now) and old.refresh is not None else AS_IT_WAS


def drop_what_is_gone(jar: CookieJar, ticket: Ticket) -> None:
    """Follow a browser whose session was found to be over: the answer may take its cookies, for all processes."""
    if not has_cookie(jar):
        ticket.drop()


def has_cookie(jar: CookieJar) -> bool:
    """Say whether a browser sends the cookie that signs somebody in."""
    names = (cookie.name for cookie in jar.starting_with("__Host-oidc-") if not holds_nothing(cookie.name))
    others = ("-seen", "-rounds", "-form")
    return any("-login-" not in name and "-tokens-" not in name and not name.endswith(others) for name in names)
