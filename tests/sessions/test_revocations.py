"""A revoked session stays dead, a new login is active, and the list of revocations stays bounded."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.sessions.revocations import (
    AT_ONCE,
    FOR_EVER,
    LONG_AGO,
    MAX_LOGINS,
    MAX_SIDS,
    REPLACED,
    Revocation,
    Revocations,
    plain_names,
)
from asgi_oidc.sessions.session import Login, Session
from tests.sessions.test_session import ISSUER, LOGIN, TOKENS, user

NOW = 1000
LIFETIME = 5000
TARGETS = [{"sub": "alice", "sid": None}, {"sub": None, "sid": "s1"}, {"sub": "alice", "sid": "s1"}]


def revocations_with(**options: Any) -> Revocations:
    return Revocations(plain_names, **{"lifetime": LIFETIME, "needed_for": LIFETIME, **options})


def login(revocations: Revocations | None = None, *, now: float = NOW, **changes: Any) -> Login:
    """Sign in, knowing all revocations."""
    made = msgspec.structs.replace(LOGIN, **{"sub": "alice", "sid": "s1", "created_at": int(now), **changes})
    revocations = revocations_with() if revocations is None else revocations
    began = revocations.session_start(revocations.moment(now=now), made.user_id, sid=made.sid)
    return msgspec.structs.replace(made, began=began)


def test_a_session_that_was_not_revoked_is_active():
    """Only what is written down counts."""
    revocations = revocations_with()

    assert (
        revocations.is_revoked(LOGIN, now=NOW),
        revocations.is_revoked(LOGIN, now=math.inf),
        revocations.is_ended(LOGIN.id),
    ) == (
        False,
        False,
        False,
    )


def test_of_several_revocations_the_first_counts():
    """Replaced first and signed out then, or the other way round."""
    replaced_last, signed_out_last = revocations_with(), revocations_with()
    one = login()
    replaced_last.sign_out(issuer=ISSUER, sub="alice", sid="s1", now=NOW)
    replaced_last.end(one.id, now=NOW, grace=30)
    signed_out_last.end(one.id, now=NOW, grace=30)
    signed_out_last.sign_out(issuer=ISSUER, sub="alice", sid="s1", now=NOW)

    assert [revocations.effective_at(one) for revocations in (replaced_last, signed_out_last)] == [AT_ONCE, AT_ONCE]


def test_a_revoked_session_is_dead_at_any_time():
    """Also when the clock is set back, and whenever it began."""
    revocations = revocations_with()

    revocations.end(LOGIN.id, now=NOW)

    assert [revocations.is_revoked(LOGIN, now=now) for now in (0, NOW, NOW + LIFETIME)] == [True] * 3
    assert revocations.is_revoked(msgspec.structs.replace(LOGIN, began=FOR_EVER - 1), now=NOW)
    assert (revocations.is_revoked(LOGIN, now=math.inf), revocations.is_ended(LOGIN.id)) == (True, True)


@pytest.mark.parametrize("grace", [0, 30])
def test_a_replaced_session_is_dead_after_its_grace(grace):
    """A session that another one took over from lives on for requests that are under way; nobody signed out."""
    revocations = revocations_with()

    revocations.end(LOGIN.id, now=NOW, grace=grace)

    assert [revocations.is_revoked(LOGIN, now=NOW + after) for after in (grace - 1, grace)] == [grace == 0, True]
    assert (revocations.is_revoked(LOGIN, now=math.inf), revocations.is_ended(LOGIN.id)) == (True, False)


def test_an_earlier_revocation_stands():
    """A sign-out during the grace ends it at once, and a second grace brings nothing back."""
    revocations = revocations_with()
    revocations.end(LOGIN.id, now=NOW, grace=30)
    revocations.end(LOGIN.id, now=NOW + 1)
    revocations.end(LOGIN.id, now=NOW + 2, grace=30)

    assert revocations.is_revoked(LOGIN, now=NOW + 2)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_sign_out_ends_the_sessions_that_it_names(target):
    """By user, by session at the provider, or by both."""
    revocations = revocations_with()
    session = login(revocations)

    revocations.sign_out(issuer=ISSUER, **target, now=NOW)

    assert revocations.is_revoked(session, now=NOW)


@pytest.mark.parametrize(
    ("target", "other"),
    [
        ({"sub": "alice", "sid": None}, {"sub": "bob"}),
        ({"sub": None, "sid": "s1"}, {"sid": "s2"}),
        ({"sub": None, "sid": "s1"}, {"sid": None}),
        ({"sub": "alice", "sid": "s1"}, {"sid": "s2"}),
        ({"sub": "alice", "sid": "s1"}, {"sub": "bob"}),
        ({"sub": "s1", "sid": None}, {}),  # what one is called is no name of the other
        ({"sub": None, "sid": "alice"}, {}),
        ({"sub": "alic", "sid": "e s1"}, {}),
        ({"sub": "4 alice s", "sid": None}, {}),
    ],
    ids=str,
)
def test_a_sign_out_ends_no_other_session(target, other):
    """A user with five sessions signs out of one."""
    revocations = revocations_with()
    session = login(revocations, **other)

    revocations.sign_out(issuer=ISSUER, **target, now=NOW)

    assert not revocations.is_revoked(session, now=NOW)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_who_signs_in_again_lives_and_can_be_signed_out_again(target):
    """In the same second, as often as one likes; older copies stay dead."""
    revocations, olds = revocations_with(), list[Login]()
    for _ in range(5):
        session = login(revocations)
        assert not revocations.is_revoked(session, now=NOW)
        revocations.sign_out(issuer=ISSUER, **target, now=NOW)
        olds.append(session)

    assert all(revocations.is_revoked(old, now=NOW) for old in olds)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_sign_out_during_a_login_wins(target):
    """It came after the provider was asked: what the provider said is from before."""
    revocations = revocations_with()
    revocations.sign_out(issuer=ISSUER, **target, now=NOW)
    moment = revocations.moment(now=NOW)

    revocations.sign_out(issuer=ISSUER, **target, now=NOW)
    began = revocations.session_start(moment, user("alice"), sid="s1")

    assert revocations.is_revoked(msgspec.structs.replace(login(), began=began), now=NOW)


@pytest.mark.parametrize(("ahead", "is_dead"), [(2, True), (2.5, False)])
def test_processes_that_do_not_know_of_each_other_go_by_the_clock(ahead, is_dead):
    """Without a shared store, a process that was told must not refuse for long who signs in again elsewhere."""
    told, elsewhere = revocations_with(), revocations_with()

    told.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW)

    assert told.is_revoked(login(elsewhere, now=NOW + ahead), now=NOW + ahead) is is_dead


def test_a_revocation_is_found_under_the_names_of_a_new_secret():
    """A process that knows only the new one has made it, and the names of the session were already known here."""
    secret = ["old"]

    def names(kind: str, value: str, *, issuer: str | None = None) -> tuple[str, ...]:
        return tuple(f"{secret[0]} {name}" for name in plain_names(kind, value, issuer=issuer))

    revocations = Revocations(names, lifetime=LIFETIME, needed_for=LIFETIME)
    session = login(revocations)
    revocations.end("another", now=NOW)
    assert not revocations.is_revoked(session, now=NOW)

    secret[0] = "new"
    revocations.rename()
    revocations.add(Revocation(names("id", session.id)[0], FOR_EVER, AT_ONCE, NOW), now=NOW)

    assert revocations.is_revoked(session, now=NOW)


def test_a_sign_out_with_the_clock_set_back_ends_who_signed_in_after_the_last():
    """What began is known by what was known then, not by the clock alone."""
    revocations = revocations_with()
    revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW)
    session = login(revocations)

    revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW - 500)

    assert revocations.is_revoked(session, now=NOW - 500)


def test_a_revocation_of_another_process_is_learnt_once():
    """The same revocation is read again every second: it counts from when it was first read."""
    here, there = revocations_with(), revocations_with()
    before = login(there)
    (mark,) = there.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW)
    here.add(mark, now=NOW)
    session = login(here)

    here.add(mark, now=NOW)

    assert (here.is_revoked(before, now=NOW), here.is_revoked(session, now=NOW)) == (True, False)
    assert not here.is_revoked(login(here), now=NOW)


@given(st.permutations(range(4)))
def test_revocations_may_arrive_in_any_order(order):
    """Of several with one name, that which ends most counts."""
    marks = [
        Revocation("id x", FOR_EVER, effective_at, made)
        for effective_at, made in [(1030, 1), (0, 2), (REPLACED, 3), (1010, 4)]
    ]
    revocations = revocations_with()

    for index in order:
        revocations.add(marks[index], now=NOW)

    assert revocations.is_ended("x")


def test_a_revocation_is_forgotten_when_its_sessions_have_expired():
    """The memory of a process is not endless."""
    revocations = revocations_with()
    for name in ("x", "y", "z"):
        revocations.end(name, now=NOW)

    revocations.end("late", now=NOW + LIFETIME)

    assert [revocations.is_ended(name) for name in ("x", "y", "z", "late")] == [False, False, True, True]
    assert not revocations.is_revoked(login(), now=NOW + LIFETIME)


def test_over_the_limit_all_earlier_sessions_are_revoked():
    """What was forgotten too early may be any of them: a guard that forgets fails closed."""
    revocations = revocations_with(max_revocations=3)
    before, after = login(revocations, now=NOW), login(revocations, now=NOW + 1)
    for number in range(4):
        revocations.end(str(number), now=NOW + number)

    assert [revocations.is_revoked(each, now=NOW) for each in (before, after)] == [True, False]
    assert [revocations.is_ended(str(number)) for number in range(4)] == [False, True, True, True]


def test_the_names_of_many_logins_are_not_kept_for_ever():
    """They are made anew where they were forgotten."""
    revocations = revocations_with()
    first, *others = [login(id=str(number), sub=f"user-{number}") for number in range(MAX_LOGINS + 10)]
    revocations.end(first.id, now=NOW)

    assert revocations.is_revoked(first, now=NOW)
    assert not any(revocations.is_revoked(each, now=NOW) for each in others)
    assert revocations.is_revoked(first, now=NOW)
    assert len(revocations._names_by_login) == MAX_LOGINS


def test_a_sign_out_by_both_ends_sessions_that_have_no_sid():
    """The provider did not name it at the login, so it may be the one; better one too many."""
    revocations = revocations_with()
    session, of_bob = login(revocations, sid=None), login(revocations, sid=None, sub="bob")

    revocations.sign_out(issuer=ISSUER, sub="alice", sid="s1", now=NOW)

    assert (revocations.is_revoked(session, now=NOW), revocations.is_revoked(of_bob, now=NOW)) == (True, False)
    assert not revocations.is_revoked(login(revocations, sid=None), now=NOW)


def test_a_clock_that_is_set_back_hides_no_session():
    """It began in the future, by now."""
    revocations = revocations_with()
    session = login(revocations, now=NOW + 60)

    revocations.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW)

    assert revocations.is_revoked(session, now=NOW)
    assert not revocations.is_revoked(login(revocations, now=NOW), now=NOW)


@pytest.mark.parametrize(("skew", "is_dead"), [(2_000, False), (300_000, True)])
def test_sessions_of_a_machine_whose_clock_is_ahead_end_within_the_skew(skew, is_dead):
    """They began in the future of the machine that hears of the sign-out."""
    here, there = revocations_with(skew=skew), revocations_with(skew=skew)
    session = login(there, now=NOW + 200)

    (mark,) = here.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW)
    there.add(mark, now=NOW + 200)
    here.add(mark, now=NOW)  # it reads what it wrote

    assert [revocations.is_revoked(session, now=NOW) for revocations in (here, there)] == [is_dead] * 2
    assert not there.is_revoked(login(there, now=NOW + 201), now=NOW + 201)


def test_dropping_an_old_revocation_revokes_nothing_else():
    """No session is left that it could end: of too many, only the younger ones count against anybody."""
    revocations = revocations_with(needed_for=100, max_revocations=3)
    session = login(revocations, now=NOW + 200)
    for number in range(6):
        revocations.end(str(number), now=NOW + number)
    revocations.end("last", now=NOW + 200)

    assert not revocations.is_revoked(session, now=NOW + 200)


def test_a_revocation_that_is_too_old_is_not_learnt():
    """A process that starts anew must not keep it for as long as the others did already."""
    revocations = revocations_with()

    revocations.add(Revocation("id x", FOR_EVER, 0, NOW - LIFETIME), now=NOW)

    assert not revocations.is_ended("x")


def test_an_unshared_sign_out_does_not_end_a_later_login_elsewhere():
    """The store took nothing: the others have no revocation that their logins would begin after."""
    here, there = revocations_with(skew=300_000), revocations_with(skew=300_000)
    before = login(there)

    here.sign_out(issuer=ISSUER, sub="alice", sid=None, now=NOW)
    later = login(there, now=NOW + 3)

    assert [here.is_revoked(each, now=NOW + 3) for each in (before, later)] == [True, False]


def with_generation(generation: int, **changes: Any) -> Session:
    """Make a session with tokens of a generation."""
    tokens = msgspec.structs.replace(TOKENS, generation=generation)
    return Session(login=msgspec.structs.replace(LOGIN, **changes), tokens=tokens, seen_at=NOW)


def test_tokens_that_newer_ones_outdated_count_no_more_and_the_session_lives():
    """Of this session alone, and the newest revocation counts."""
    revocations = revocations_with()

    revocations.revoke_older_tokens(with_generation(7), now=NOW)
    revocations.revoke_older_tokens(with_generation(5), now=NOW)

    assert [revocations.is_outdated(with_generation(number)) for number in (0, 6, 7, 8)] == [True, True, False, False]
    assert (revocations.least_generation(LOGIN), revocations.is_revoked(LOGIN, now=math.inf)) == (7, False)
    assert not revocations.is_outdated(with_generation(0, id="another"))


def test_a_token_revocation_does_not_end_later_logins():
    """Its number is none of milliseconds."""
    revocations = revocations_with()
    before = login(revocations)

    revocations.revoke_older_tokens(with_generation(7), now=NOW)

    assert (login(revocations).began, revocations.is_revoked(before, now=math.inf)) == (before.began, False)
    assert not revocations_with().is_outdated(with_generation(0))


def test_a_token_revocation_that_is_dropped_ends_all_earlier_sessions():
    """As any other: what cannot be remembered is over."""
    revocations = revocations_with(max_revocations=1)
    revocations.revoke_older_tokens(with_generation(7, created_at=NOW), now=NOW)
    revocations.revoke_older_tokens(with_generation(7, id="another", created_at=NOW), now=NOW)

    assert revocations.is_revoked(msgspec.structs.replace(LOGIN, created_at=NOW), now=NOW)


@pytest.mark.parametrize("target", ["both", "sid alone"])
def test_sign_outs_of_one_user_never_sign_out_another(target):
    """Whoever signs in and out at the provider all day fills what is theirs, and no memory that all share."""
    revocations = revocations_with(max_revocations=50, max_per_user=10)
    of_bob, of_alice = login(revocations, sub="bob", sid="of bob"), login(revocations, sid="other")
    for number in range(200):
        revocations.remember_user(user("alice"), sid=f"s{number}")
        revocations.sign_out(
            issuer=ISSUER, sub="alice" if target == "both" else None, sid=f"s{number}", now=NOW + number
        )

    assert (revocations.is_revoked(of_bob, now=NOW + 200), revocations.is_revoked(of_alice, now=NOW + 200)) == (
        False,
        True,
    )
    assert len(revocations._entries) <= 10 + 2  # a bound of memory, which nothing else shows


def test_over_the_limit_of_one_user_all_their_sessions_end():
    """One revocation covers all that lost their own; a session that begins after it is active."""
    revocations = revocations_with(max_per_user=2)
    before = login(revocations, sid="other")
    for number in range(2):
        revocations.sign_out(issuer=ISSUER, sub="alice", sid=f"s{number}", now=NOW)
    assert not revocations.is_revoked(before, now=NOW)

    revocations.sign_out(issuer=ISSUER, sub="alice", sid="s2", now=NOW)

    assert revocations.is_revoked(before, now=NOW)
    assert not revocations.is_revoked(login(revocations, sid="other"), now=NOW)


def test_repeating_a_sign_out_adds_no_revocation():
    """It costs its author nothing, so it must not cost us anything."""
    revocations = revocations_with(max_per_user=10)
    for _ in range(100):
        revocations.sign_out(issuer=ISSUER, sub="alice", sid="s1", now=NOW)
        revocations.sign_out(issuer=ISSUER, sub=None, sid="s1", now=NOW)
        revocations.end("id", user=user("alice"), now=NOW)

    assert (len(revocations._entries), revocations.is_at_limit(user("alice"))) == (4, False)


def test_forgotten_revocations_do_not_count_towards_the_limit():
    """A user has room again."""
    revocations = revocations_with(max_per_user=2)
    for number in range(2):
        revocations.end(str(number), user=user("alice"), now=NOW)
    assert revocations.is_at_limit(user("alice"))

    revocations.end("of bob", user=user("bob"), now=NOW + LIFETIME)

    assert (revocations.is_at_limit(user("alice")), revocations._count_by_user[user("bob")]) == (False, 1)


def test_revocations_of_other_processes_count_against_nobody():
    """Their names do not tell whose they are, and the other process has counted them."""
    revocations = revocations_with(max_per_user=1)
    revocations.add(Revocation("id x", FOR_EVER, AT_ONCE, NOW - 1), now=NOW)

    revocations.end("x", user=user("alice"), now=NOW)
    assert not revocations.is_at_limit(user("alice"))
    revocations.end("y", now=NOW + LIFETIME)

    assert (len(revocations._entries), revocations._count_by_user) == (1, {})


def test_a_session_at_the_provider_of_several_users_ends_for_all_of_them():
    """Over the limit of one of them there is a revocation for each."""
    revocations = revocations_with(max_per_user=1)
    of_alice, of_bob = login(revocations), login(revocations, sub="bob")
    for sub in ("alice", "bob"):
        revocations.remember_user(user(sub), sid="s1")
    revocations.end("x", user=user("bob"), now=NOW)

    revocations.sign_out(issuer=ISSUER, sub=None, sid="s1", now=NOW)

    assert [revocations.is_revoked(each, now=NOW) for each in (of_alice, of_bob)] == [True, True]


def test_users_of_sids_are_bounded():
    """Those of the oldest logins go first; what no logout token may name is not kept at all."""
    revocations = revocations_with()
    for number in range(MAX_SIDS + 1):
        revocations.remember_user(user("alice"), sid=f"s{number}")
    for sub in ("a", "b", "c", "d", "e"):
        revocations.remember_user(user(sub), sid="of many")
    for sid in (None, 7, "x" * 256):
        revocations.remember_user(user("alice"), sid=sid)

    known = [list(revocations.users_of(sid, issuer=ISSUER)) for sid in ("s0", f"s{MAX_SIDS}", "of many", "x" * 256)]
    assert known == [[], [user("alice")], [user(sub) for sub in "abcd"], []]
    assert len(revocations._users_by_sid) == MAX_SIDS


@pytest.mark.parametrize(
    ("how", "ended_at"),
    [
        (lambda revocations: revocations.end(LOGIN.id, now=NOW), NOW),
        (lambda revocations: revocations.end(LOGIN.id, now=NOW, grace=0), NOW),
        (lambda revocations: revocations.end(LOGIN.id, now=NOW, grace=30), None),
        (lambda revocations: revocations.end(LOGIN.id, now=NOW - 50, grace=30), NOW - 20),
        (lambda revocations: revocations.sign_out(issuer=ISSUER, sub=LOGIN.sub, sid=None, now=NOW), LONG_AGO),
    ],
)
def test_the_time_of_a_revocation_is_known(how, ended_at):
    """By that an old cookie is told from a double click; of those that ended together nobody knows."""
    revocations = revocations_with()

    how(revocations)

    assert revocations.ended_at(LOGIN, now=NOW) == ended_at


def test_an_unshared_revocation_has_not_happened_for_others():
    """It can be tried again."""
    revocations = revocations_with(is_shared=True)
    marks = [
        *revocations.end(LOGIN.id, now=NOW),
        *revocations.sign_out(issuer=ISSUER, sub=LOGIN.sub, sid=None, now=NOW),
    ]
    assert (revocations.is_revoked(LOGIN, now=NOW), revocations.ended_at(LOGIN, now=NOW)) == (True, None)

    revocations.mark_published(marks[0])

    assert revocations.ended_at(LOGIN, now=NOW) == NOW


def test_the_time_of_a_forgotten_revocation_is_unknown():
    """Too long ago to matter, and nothing of it is left."""
    revocations = revocations_with(max_revocations=1, is_shared=True)
    session = login(revocations)
    for number in range(3):
        revocations.end(str(number), user=user("alice"), now=NOW + number)

    assert (revocations.ended_at(session, now=NOW + 3), len(revocations._unpublished), revocations._count_by_user) == (
        LONG_AGO,
        1,
        {user("alice"): 1},
    )


def test_the_first_replacement_is_known_after_a_sign_out():
    """Then another session may have to end with it."""
    revocations = revocations_with()
    revocations.end("x", now=NOW, grace=30)
    revocations.end("x", now=NOW)
    revocations.end("y", now=NOW)

    assert [revocations.was_replaced(name) for name in ("x", "y", "z")] == [True, False, False]
