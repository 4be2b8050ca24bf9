"""Sessions over time, in any order of events: the library and a small model of a session never differ."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asgi_oidc import StoreUnavailable
from asgi_oidc.sessions.lifetimes import MAX_SKEW
from asgi_oidc.sessions.revocations import SKEW
from asgi_oidc.testing.cookie_jar import CookieJar

from .session_checker import RECOVERY, RENEWED, Asker, SessionChecker, drop_what_is_gone, has_cookie
from .session_model import ACCESS, AHEAD, Login, Model, Ticket
from .session_world import CUT, STORE_STATES, TROUBLES, Process, World
from .sizes import size

pytestmark = pytest.mark.usefixtures("one_or_three_providers", "quiet")

MAX_SAVED = 3
SEATS, NUMBERS, USERS = st.integers(0, 2), st.integers(0, 1), st.sampled_from(["alice", "bob"])
SPANS = st.sampled_from([1, 9, 10, 29, 30, 59, 60, 120, 239, 240, 300, 599, 600, 2400])
PAUSES = st.sampled_from([0, 10, 60, 239, 240, 240, 299, 300, 300, 599])


class SessionMachine(RuleBasedStateMachine):
    """Three browsers, some thieves, two users, and everything that happens to them."""

    def __init__(self, portal: BlockingPortal, *, has_store: bool, processes: int) -> None:
        super().__init__()
        self.run: Callable[..., Any] = portal.call
        self.world = World(has_store=has_store, processes=processes)
        self.issuer = self.world.provider.issuer
        self.model = Model(has_store=has_store, now=self.world.clock.now)
        self.checker = SessionChecker(self.run, self.world, self.model)
        # One browser throws old cookies away; the limits must not depend on that.
        self.seats = [(self.world.jar(keeps_all=number > 0), Ticket()) for number in range(3)]
        self.saved: list[tuple[CookieJar, Ticket]] = []
        self.keys_from = self.world.clock.now

    # --- what a person does

    @initialize(rotates=st.booleans(), id_token=st.booleans(), lifetime=st.sampled_from([None, 400]))
    def choose_a_provider(self, rotates: bool, id_token: bool, lifetime: int | None) -> None:
        provider = self.world.provider
        provider.rotates_refresh_tokens, provider.id_token_on_refresh = rotates, id_token
        provider.refresh_token_lifetime = lifetime
        for seat, user in enumerate(["alice", "alice", "bob"]):
            self.sign_in(seat, user, start=0, finish=0, saves=False)

    @rule(seat=SEATS, user=USERS, start=NUMBERS, finish=NUMBERS, saves=st.booleans())
    def sign_in(self, seat: int, user: str, start: int, finish: int, saves: bool) -> None:
        jar, ticket = self.seats[seat]
        if saves:
            self.save_cookies(seat)
        began, ended = self.process(start), self.process(finish)
        may = self.world.store_state == "up" and self.model.may_sign_in(ticket, began.memory, ended.memory)
        may = may and self.world.trouble != CUT

        url = self.run(self.world.start_login, jar, user, began)
        drop_what_is_gone(jar, ticket)
        is_in = url is not None and self.run(self.world.finish_login, jar, url, ended)

        assert may or not is_in
        assert is_in or not may or self.checker.is_excused()
        if not is_in:
            return
        page = self.run(self.world.fetch, jar, ended, "/public/hello")
        assert page.said["sub"] == user
        login = Login(user, self.model.now, page.said["handle"])
        self.model.sign_in(ticket, ended.memory, login, self.world.issued())

    @rule(seat=SEATS, number=NUMBERS, path=st.sampled_from(["/page", "/public/page"]))
    def visit(self, seat: int, number: int, path: str) -> None:
        self.checker.check_visit(*self.seats[seat], self.process(number), path)

    @rule(
        seat=SEATS,
        number=NUMBERS,
        user=USERS,
        how=st.sampled_from(["alone", "with old cookies", "at once"]),
        pauses=st.lists(PAUSES, min_size=1, max_size=6),
    )
    def ask_for_tokens(self, seat: int, number: int, user: str, how: str, pauses: list[int]) -> None:
        """Work for a while."""
        self.be_signed_in(seat, number, user)
        for pause in pauses:
            self.wait(pause)
            jar, ticket = self.seats[seat]
            old = Asker(jar.copy(), self.model.copy(ticket), [self.process(number)])
            self.checker.check_tokens([Asker(jar, ticket, self.some(number, 4 if how == "at once" else 1))])
            if how == "with old cookies":  # a request that was sent before the answer came
                self.checker.check_tokens([old])

    @rule(number=NUMBERS, pause=PAUSES)
    def all_ask_for_tokens(self, number: int, pause: int) -> None:
        self.wait(pause)
        self.checker.check_tokens([Asker(jar, ticket, self.some(number, 2)) for jar, ticket in self.seats])

    @rule(seat=SEATS, number=NUMBERS, saves=st.booleans())
    def sign_out(self, seat: int, number: int, saves: bool) -> None:
        if saves:
            self.save_cookies(seat)
        self.checker.check_sign_out(*self.seats[seat], self.process(number))

    @rule(seat=SEATS, number=NUMBERS, other=NUMBERS, user=USERS)
    def sign_out_while_a_token_is_renewed(self, seat: int, number: int, other: int, user: str) -> None:
        self.be_signed_in(seat, number, user)
        self.wait(ACCESS - AHEAD)
        (jar, ticket), asked = self.seats[seat], self.process(number)
        process = self.process(other) if self.model.has_store else asked
        if not all(self.model.is_alive(ticket, it.memory) for it in (asked, process)):
            return
        tokens = self.model.tokens(ticket, asked.memory)
        if self.checker.outcomes(ticket.login, tokens, is_renewable=self.checker.is_renewable(tokens)) != {RENEWED}:
            return

        answer = self.run(self.world.sign_out_in_between, jar, asked, process)

        assert answer.status == 401
        assert self.world.is_withdrawn(self.world.issued(after=tokens).access)
        self.model.end(ticket, process.memory)
        ticket.drop()

    # --- what a thief does

    @rule(seat=SEATS)
    def save_cookies(self, seat: int) -> None:
        jar, ticket = self.seats[seat]
        copy = jar.copy()
        copy.clock = self.world.no_time  # a thief throws nothing away
        self.saved = [*self.saved[1 - MAX_SAVED :], (copy, self.model.copy(ticket))]

    @precondition(lambda self: self.saved)
    @rule(which=st.integers(0, MAX_SAVED - 1), number=NUMBERS, deed=st.sampled_from(["visit", "tokens", "sign_out"]))
    def replay_cookies(self, which: int, number: int, deed: str) -> None:
        jar, ticket = self.saved[which % len(self.saved)]
        jar, ticket, process = jar.copy(), self.model.copy(ticket), self.process(number)
        if deed == "tokens":
            self.checker.check_tokens([Asker(jar, ticket, [process])])
        else:
            (self.checker.check_visit if deed == "visit" else self.checker.check_sign_out)(jar, ticket, process)

    # --- what the app does

    @precondition(lambda self: self.model.has_store)
    @rule(seat=SEATS, number=NUMBERS, user=USERS)
    def end_one(self, seat: int, number: int, user: str) -> None:
        login = self.seats[seat][1].login
        if login is None:
            return
        was_there = login.user == user and self.model.is_stored(login)
        try:
            end = partial(self.process(number).middleware.sessions.end, issuer=self.issuer)
            ended = self.run(end, user, login.handle)
        except StoreUnavailable:
            assert self.world.store_state in ("down", "read-only")
            return
        assert self.world.store_state in ("up", "full") or not was_there
        assert ended is was_there
        login.is_gone = login.is_gone or was_there

    @precondition(lambda self: self.model.has_store)
    @rule(number=NUMBERS, user=USERS)
    def end_all(self, number: int, user: str) -> None:
        process = self.process(number)
        there = [it for it in self.model.records if it.user == user and self.model.is_stored(it)]
        try:
            ended = self.run(partial(process.middleware.sessions.end_all, issuer=self.issuer), user)
        except StoreUnavailable:
            assert self.world.store_state != "up"
        else:
            assert (self.world.store_state, ended) == ("up", len(there))
        self.model.sign_out_user(user, process.memory, store_state=self.world.store_state)
        self.wait_for_other_clocks()

    @rule(number=NUMBERS, user=USERS)
    def sign_out_at_the_provider(self, number: int, user: str) -> None:
        """Everywhere; the provider tells one process."""
        if self.world.trouble is not None or self.model.now < self.checker.sure_from:
            return
        process = self.process(number)

        status = self.run(self.world.hear, process, user)

        assert status == (200 if self.world.store_state == "up" else 503)
        self.model.sign_out_user(user, process.memory, store_state=self.world.store_state)
        self.wait_for_other_clocks()

    @rule(number=NUMBERS)
    def restart(self, number: int) -> None:
        self.world.restart(number % len(self.world.processes))

    @rule()
    def rotate_the_secret(self) -> None:
        self.world.rotate_secret()

    # --- what happens around it

    @rule(seconds=SPANS)
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        self.model.now = self.world.clock.now

    @precondition(lambda self: self.model.has_store)
    @rule(state=st.sampled_from(sorted(STORE_STATES)))
    def break_or_repair_the_store(self, state: str) -> None:
        self.world.set_store(state)

    @precondition(lambda self: self.world.trouble is None and self.model.now >= self.checker.sure_from)
    @rule(trouble=st.sampled_from(TROUBLES), new_keys=st.booleans(), seat=SEATS, number=NUMBERS, user=USERS)
    def break_the_provider(self, trouble: str, new_keys: bool, seat: int, number: int, user: str) -> None:
        """Somebody notices at once."""
        self.be_signed_in(seat, number, user)
        if new_keys and self.model.now >= self.keys_from:
            self.rotate_keys_of_the_provider(keep_old=True)
        self.world.set_trouble(trouble)
        self.ask_for_tokens(seat, number, user, how="alone", pauses=[ACCESS - AHEAD])

    @precondition(lambda self: self.world.trouble is not None)
    @rule(pause=PAUSES, number=NUMBERS)
    def repair_the_provider(self, pause: int, number: int) -> None:
        if self.world.trouble in (CUT, "jwks_down"):
            self.checker.sure_from = self.model.now + RECOVERY
        self.world.set_trouble(None)
        self.all_ask_for_tokens(number, pause)

    @precondition(lambda self: self.model.now >= self.keys_from)
    @rule(keep_old=st.booleans())
    def rotate_keys_of_the_provider(self, keep_old: bool) -> None:
        """Not faster than keys are looked for: anyone could make us ask."""
        self.keys_from = self.model.now + RECOVERY
        self.world.provider.rotate_keys(keep_old=keep_old)

    @rule(seat=SEATS, number=NUMBERS)
    def withdraw(self, seat: int, number: int) -> None:
        ticket, memory = self.seats[seat][1], self.process(number).memory
        if ticket.login is not None:
            self.world.withdraw(self.model.tokens(ticket, memory))
            self.checker.withdrawn.add(ticket.login)

    # --- what must be so

    @invariant()
    def everybody_is_who_the_model_says(self) -> None:
        everybody = [*self.seats, *self.saved]
        answers = iter(self.run(self.world.ask_who_they_are, [jar for jar, _ in everybody]))
        for jar, ticket in everybody:
            for process in self.world.processes:
                answer = next(answers)
                if self.world.store_state == "down" and has_cookie(jar):
                    assert answer.status == 503
                    continue
                user = self.model.user(ticket, process.memory)
                assert (answer.status, answer.said.get("sub")) == (401 if user is None else 200, user)

    @invariant()
    def lists_show_what_is_there(self) -> None:
        if not self.model.has_store or self.world.store_state in ("down", "read-only"):
            return
        for user in ("alice", "bob"):
            infos = self.run(partial(self.world.processes[0].middleware.sessions.of, issuer=self.issuer), user)
            assert {info.id for info in infos} == self.model.of(user)

    # --- how it is checked

    def wait_for_other_clocks(self) -> None:
        """Wait for as long as the clocks of processes may differ.

        A sign-out that could not be shared is shared when the store is back. It then ends logins in between as well: by
        the clocks, nobody can tell whether they were before or after.
        """
        self.wait(SKEW // 1000 + 1 if self.world.store_state == "up" else MAX_SKEW + 1)

    def be_signed_in(self, seat: int, number: int, user: str) -> None:
        if self.model.user(self.seats[seat][1], self.process(number).memory) is None:
            self.sign_in(seat, user, start=number, finish=number, saves=False)

    def some(self, number: int, count: int) -> list[Process]:
        """Without a store, one process: several would not know of each other."""
        return [self.process(number + place if self.model.has_store else number) for place in range(count)]

    def process(self, number: int) -> Process:
        return self.world.processes[number % len(self.world.processes)]


@pytest.fixture
def portal(anyio_backend_name: str) -> Iterator[BlockingPortal]:
    """An event loop in a thread: hypothesis itself does not wait."""
    with start_blocking_portal(anyio_backend_name) as portal:
        yield portal


@pytest.mark.long
@pytest.mark.parametrize(("has_store", "processes"), [(False, 1), (False, 2), (True, 2)])
def test_sessions_match_the_model_in_any_order_of_events(
    portal: BlockingPortal, has_store: bool, processes: int
) -> None:
    """Dead stays dead, nobody becomes another one, no outage ends a session, and no refresh token is used twice."""

    class Machine(SessionMachine):
        def __init__(self) -> None:
            super().__init__(portal, has_store=has_store, processes=processes)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=size(8, 500),
            stateful_step_count=size(30, 60),
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
