"""What is over stays over, who signs in again lives, and the list of it stays small."""

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
    plain_name,
)
from asgi_oidc.sessions.session import Login, Session
from tests.sessions.test_session import LOGIN, TOKENS

NOW = 1000
LIFETIME = 5000
TARGETS = [{"sub": "alice", "sid": None}, {"sub": None, "sid": "s1"}, {"sub": "alice", "sid": "s1"}]


def ended(**options: Any) -> Revocations:
    return Revocations(plain_name, **{"lifetime": LIFETIME, "needed": LIFETIME, **options})


def login(ends: Revocations | None = None, *, now: float = NOW, **changes: Any) -> Login:
    """Sign in, knowing all marks."""
    made = msgspec.structs.replace(LOGIN, **{"sub": "alice", "sid": "s1", "created_at": int(now), **changes})
    ends = ended() if ends is None else ends
    began = ends.begin(ends.moment(now=now), sub=made.sub, sid=made.sid)
    return msgspec.structs.replace(made, began=began)


def test_what_nobody_ended_lives():
    """Only what is written down counts."""
    ends = ended()

    assert (ends.is_dead(LOGIN, now=NOW), ends.is_dead(LOGIN, now=math.inf), ends.is_ended(LOGIN.id)) == (
        False,
        False,
        False,
    )


def test_of_several_ends_the_first_counts():
    """Replaced first and signed out then, or the other way round."""
    replaced_last, signed_out_last = ended(), ended()
    one = login()
    replaced_last.sign_out(sub="alice", sid="s1", now=NOW)
    replaced_last.end(one.id, now=NOW, grace=30)
    signed_out_last.end(one.id, now=NOW, grace=30)
    signed_out_last.sign_out(sub="alice", sid="s1", now=NOW)

    assert [ends.over_from(one) for ends in (replaced_last, signed_out_last)] == [AT_ONCE, AT_ONCE]


def test_what_ended_is_dead_at_any_time():
    """Also when the clock is set back, and whenever it began."""
    ends = ended()

    ends.end(LOGIN.id, now=NOW)

    assert [ends.is_dead(LOGIN, now=now) for now in (0, NOW, NOW + LIFETIME)] == [True] * 3
    assert ends.is_dead(msgspec.structs.replace(LOGIN, began=FOR_EVER - 1), now=NOW)
    assert (ends.is_dead(LOGIN, now=math.inf), ends.is_ended(LOGIN.id)) == (True, True)


@pytest.mark.parametrize("grace", [0, 30])
def test_what_was_replaced_is_dead_after_its_grace(grace):
    """A session that another one took over from lives on for requests that are under way; nobody signed out."""
    ends = ended()

    ends.end(LOGIN.id, now=NOW, grace=grace)

    assert [ends.is_dead(LOGIN, now=NOW + after) for after in (grace - 1, grace)] == [grace == 0, True]
    assert (ends.is_dead(LOGIN, now=math.inf), ends.is_ended(LOGIN.id)) == (True, False)


def test_an_earlier_end_stands():
    """A sign-out during the grace ends it at once, and a second grace brings nothing back."""
    ends = ended()
    ends.end(LOGIN.id, now=NOW, grace=30)
    ends.end(LOGIN.id, now=NOW + 1)
    ends.end(LOGIN.id, now=NOW + 2, grace=30)

    assert ends.is_dead(LOGIN, now=NOW + 2)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_sign_out_ends_the_sessions_that_it_names(target):
    """By user, by session at the provider, or by both."""
    ends = ended()
    session = login(ends)

    ends.sign_out(**target, now=NOW)

    assert ends.is_dead(session, now=NOW)


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
    ends = ended()
    session = login(ends, **other)

    ends.sign_out(**target, now=NOW)

    assert not ends.is_dead(session, now=NOW)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_who_signs_in_again_lives_and_can_be_signed_out_again(target):
    """In the same second, as often as one likes; older copies stay dead."""
    ends, olds = ended(), list[Login]()
    for _ in range(5):
        session = login(ends)
        assert not ends.is_dead(session, now=NOW)
        ends.sign_out(**target, now=NOW)
        olds.append(session)

    assert all(ends.is_dead(old, now=NOW) for old in olds)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_sign_out_during_a_login_wins(target):
    """It came after the provider was asked: what the provider said is from before."""
    ends = ended()
    ends.sign_out(**target, now=NOW)
    moment = ends.moment(now=NOW)

    ends.sign_out(**target, now=NOW)
    began = ends.begin(moment, sub="alice", sid="s1")

    assert ends.is_dead(msgspec.structs.replace(login(), began=began), now=NOW)


@pytest.mark.parametrize(("ahead", "is_dead"), [(2, True), (2.5, False)])
def test_processes_that_do_not_know_of_each_other_go_by_the_clock(ahead, is_dead):
    """Without a shared store, a process that was told must not refuse for long who signs in again elsewhere."""
    told, elsewhere = ended(), ended()

    told.sign_out(sub="alice", sid=None, now=NOW)

    assert told.is_dead(login(elsewhere, now=NOW + ahead), now=NOW + ahead) is is_dead


def test_a_sign_out_with_the_clock_set_back_ends_who_signed_in_after_the_last():
    """What began is known by what was known then, not by the clock alone."""
    ends = ended()
    ends.sign_out(sub="alice", sid=None, now=NOW)
    session = login(ends)

    ends.sign_out(sub="alice", sid=None, now=NOW - 500)

    assert ends.is_dead(session, now=NOW - 500)


def test_what_another_process_ended_is_learnt_once():
    """The same mark is read again every second: it counts when it was first heard of."""
    here, there = ended(), ended()
    before = login(there)
    (mark,) = there.sign_out(sub="alice", sid=None, now=NOW)
    here.learn(mark, now=NOW)
    session = login(here)

    here.learn(mark, now=NOW)

    assert (here.is_dead(before, now=NOW), here.is_dead(session, now=NOW)) == (True, False)
    assert not here.is_dead(login(here), now=NOW)


@given(st.permutations(range(4)))
def test_marks_may_come_in_any_order(order):
    """Of several with one name, that which ends most counts."""
    marks = [
        Revocation("id x", FOR_EVER, over_from, made)
        for over_from, made in [(1030, 1), (0, 2), (REPLACED, 3), (1010, 4)]
    ]
    ends = ended()

    for index in order:
        ends.learn(marks[index], now=NOW)

    assert ends.is_ended("x")


def test_what_nothing_could_bring_back_is_forgotten():
    """The memory of a process is not endless."""
    ends = ended()
    for name in ("x", "y", "z"):
        ends.end(name, now=NOW)

    ends.end("late", now=NOW + LIFETIME)

    assert [ends.is_ended(name) for name in ("x", "y", "z", "late")] == [False, False, True, True]
    assert not ends.is_dead(login(), now=NOW + LIFETIME)


def test_beyond_the_most_all_sessions_of_before_are_over():
    """What was forgotten too early may be any of them: a guard that forgets fails closed."""
    ends = ended(most=3)
    before, after = login(ends, now=NOW), login(ends, now=NOW + 1)
    for number in range(4):
        ends.end(str(number), now=NOW + number)

    assert [ends.is_dead(each, now=NOW) for each in (before, after)] == [True, False]
    assert [ends.is_ended(str(number)) for number in range(4)] == [False, True, True, True]


def test_the_names_of_many_logins_are_not_kept_for_ever():
    """They are made anew where they were forgotten."""
    ends = ended()
    first, *others = [login(id=str(number), sub=f"user-{number}") for number in range(MAX_LOGINS + 10)]
    ends.end(first.id, now=NOW)

    assert ends.is_dead(first, now=NOW)
    assert not any(ends.is_dead(each, now=NOW) for each in others)
    assert ends.is_dead(first, now=NOW)
    assert len(ends._names_of_logins) == MAX_LOGINS


def test_a_sign_out_by_both_ends_sessions_that_have_no_sid():
    """The provider did not name it at the login, so it may be the one; better one too many."""
    ends = ended()
    session, of_bob = login(ends, sid=None), login(ends, sid=None, sub="bob")

    ends.sign_out(sub="alice", sid="s1", now=NOW)

    assert (ends.is_dead(session, now=NOW), ends.is_dead(of_bob, now=NOW)) == (True, False)
    assert not ends.is_dead(login(ends, sid=None), now=NOW)


def test_a_clock_that_is_set_back_hides_no_session():
    """It began in the future, by now."""
    ends = ended()
    session = login(ends, now=NOW + 60)

    ends.sign_out(sub="alice", sid=None, now=NOW)

    assert ends.is_dead(session, now=NOW)
    assert not ends.is_dead(login(ends, now=NOW), now=NOW)


@pytest.mark.parametrize(("skew", "is_dead"), [(2_000, False), (300_000, True)])
def test_sessions_of_a_machine_whose_clock_is_ahead_end_within_the_skew(skew, is_dead):
    """They began in the future of the machine that hears of the sign-out."""
    here, there = ended(skew=skew), ended(skew=skew)
    session = login(there, now=NOW + 200)

    (mark,) = here.sign_out(sub="alice", sid=None, now=NOW)
    there.learn(mark, now=NOW + 200)
    here.learn(mark, now=NOW)  # it reads what it wrote

    assert [ends.is_dead(session, now=NOW) for ends in (here, there)] == [is_dead] * 2
    assert not there.is_dead(login(there, now=NOW + 201), now=NOW + 201)


def test_what_ended_long_ago_may_be_forgotten_at_no_cost():
    """No session is left that it could end: of too many, only the younger ones count against anybody."""
    ends = ended(needed=100, most=3)
    session = login(ends, now=NOW + 200)
    for number in range(6):
        ends.end(str(number), now=NOW + number)
    ends.end("last", now=NOW + 200)

    assert not ends.is_dead(session, now=NOW + 200)


def test_a_mark_that_is_too_old_is_not_learnt():
    """A process that starts anew must not keep it for as long as the others did already."""
    ends = ended()

    ends.learn(Revocation("id x", FOR_EVER, 0, NOW - LIFETIME), now=NOW)

    assert not ends.is_ended("x")


def test_a_sign_out_that_nobody_is_told_of_ends_no_later_login_elsewhere():
    """The store took nothing: the others know of no mark that their logins would begin after."""
    here, there = ended(skew=300_000), ended(skew=300_000)
    before = login(there)

    here.sign_out(sub="alice", sid=None, now=NOW)
    later = login(there, now=NOW + 3)

    assert [here.is_dead(each, now=NOW + 3) for each in (before, later)] == [True, False]


def with_generation(generation: int, **changes: Any) -> Session:
    """Make a session with tokens of a generation."""
    tokens = msgspec.structs.replace(TOKENS, generation=generation)
    return Session(login=msgspec.structs.replace(LOGIN, **changes), tokens=tokens, seen_at=NOW)


def test_tokens_that_newer_ones_outdated_count_no_more_and_the_session_lives():
    """Of this session alone, and the newest mark counts."""
    ends = ended()

    ends.outdate(with_generation(7), now=NOW)
    ends.outdate(with_generation(5), now=NOW)

    assert [ends.is_outdated(with_generation(number)) for number in (0, 6, 7, 8)] == [True, True, False, False]
    assert (ends.least_generation(LOGIN), ends.is_dead(LOGIN, now=math.inf)) == (7, False)
    assert not ends.is_outdated(with_generation(0, id="another"))


def test_a_mark_about_tokens_ends_no_session_whose_login_begins_later():
    """Its number is none of milliseconds."""
    ends = ended()
    before = login(ends)

    ends.outdate(with_generation(7), now=NOW)

    assert (login(ends).began, ends.is_dead(before, now=math.inf)) == (before.began, False)
    assert not ended().is_outdated(with_generation(0))


def test_a_mark_about_tokens_that_has_to_go_ends_all_sessions_of_before():
    """As any other: what cannot be remembered is over."""
    ends = ended(most=1)
    ends.outdate(with_generation(7, created_at=NOW), now=NOW)
    ends.outdate(with_generation(7, id="another", created_at=NOW), now=NOW)

    assert ends.is_dead(msgspec.structs.replace(LOGIN, created_at=NOW), now=NOW)


@pytest.mark.parametrize("target", ["both", "sid alone"])
def test_sign_outs_of_one_user_never_sign_out_another(target):
    """Whoever signs in and out at the provider all day fills what is theirs, and no memory that all share."""
    ends = ended(most=50, max_per_user=10)
    of_bob, of_alice = login(ends, sub="bob", sid="of bob"), login(ends, sid="other")
    for number in range(200):
        ends.remember_user(sub="alice", sid=f"s{number}")
        ends.sign_out(sub="alice" if target == "both" else None, sid=f"s{number}", now=NOW + number)

    assert (ends.is_dead(of_bob, now=NOW + 200), ends.is_dead(of_alice, now=NOW + 200)) == (False, True)
    assert len(ends._known) <= 10 + 2  # a bound of memory, which nothing else shows


def test_beyond_the_most_of_one_user_all_sessions_of_that_user_end():
    """One mark serves for what has a name of its own no more; who signs in after it lives."""
    ends = ended(max_per_user=2)
    before = login(ends, sid="other")
    for number in range(2):
        ends.sign_out(sub="alice", sid=f"s{number}", now=NOW)
    assert not ends.is_dead(before, now=NOW)

    ends.sign_out(sub="alice", sid="s2", now=NOW)

    assert ends.is_dead(before, now=NOW)
    assert not ends.is_dead(login(ends, sid="other"), now=NOW)


def test_the_same_sign_out_again_makes_no_further_mark():
    """It costs its author nothing, so it must not cost us anything."""
    ends = ended(max_per_user=10)
    for _ in range(100):
        ends.sign_out(sub="alice", sid="s1", now=NOW)
        ends.sign_out(sub=None, sid="s1", now=NOW)
        ends.end("id", user="alice", now=NOW)

    assert (len(ends._known), ends.is_full("alice")) == (4, False)


def test_what_was_forgotten_does_not_count():
    """A user has room again."""
    ends = ended(max_per_user=2)
    for number in range(2):
        ends.end(str(number), user="alice", now=NOW)
    assert ends.is_full("alice")

    ends.end("of bob", user="bob", now=NOW + LIFETIME)

    assert (ends.is_full("alice"), ends._made_for["bob"]) == (False, 1)


def test_marks_of_other_processes_count_against_nobody_here():
    """Their names do not tell whose they are, and the other process has counted them."""
    ends = ended(max_per_user=1)
    ends.learn(Revocation("id x", FOR_EVER, AT_ONCE, NOW - 1), now=NOW)

    ends.end("x", user="alice", now=NOW)
    assert not ends.is_full("alice")
    ends.end("y", now=NOW + LIFETIME)

    assert (len(ends._known), ends._made_for) == (1, {})


def test_a_session_at_the_provider_of_several_users_ends_for_all_of_them():
    """Beyond the most of one of them there is a mark for each."""
    ends = ended(max_per_user=1)
    of_alice, of_bob = login(ends), login(ends, sub="bob")
    for sub in ("alice", "bob"):
        ends.remember_user(sub=sub, sid="s1")
    ends.end("x", user="bob", now=NOW)

    ends.sign_out(sub=None, sid="s1", now=NOW)

    assert [ends.is_dead(each, now=NOW) for each in (of_alice, of_bob)] == [True, True]


def test_users_of_sids_are_bounded():
    """Those of the oldest logins go first; what no logout token may name is not kept at all."""
    ends = ended()
    for number in range(MAX_SIDS + 1):
        ends.remember_user(sub="alice", sid=f"s{number}")
    for sub in ("a", "b", "c", "d", "e"):
        ends.remember_user(sub=sub, sid="of many")
    for sid in (None, 7, "x" * 256):
        ends.remember_user(sub="alice", sid=sid)

    known = [list(ends.users_of(sid)) for sid in ("s0", f"s{MAX_SIDS}", "of many", "x" * 256)]
    assert known == [[], ["alice"], ["a", "b", "c", "d"], []]
    assert len(ends._users) == MAX_SIDS


@pytest.mark.parametrize(
    ("how", "ended_at"),
    [
        (lambda ends: ends.end(LOGIN.id, now=NOW), NOW),
        (lambda ends: ends.end(LOGIN.id, now=NOW, grace=0), NOW),
        (lambda ends: ends.end(LOGIN.id, now=NOW, grace=30), None),
        (lambda ends: ends.end(LOGIN.id, now=NOW - 50, grace=30), NOW - 20),
        (lambda ends: ends.sign_out(sub=LOGIN.sub, sid=None, now=NOW), LONG_AGO),
    ],
)
def test_when_a_session_ended_is_known(how, ended_at):
    """By that an old cookie is told from a double click; of those that ended together nobody knows."""
    ends = ended()

    how(ends)

    assert ends.ended_at(LOGIN, now=NOW) == ended_at


def test_what_others_were_not_told_of_has_not_ended_yet():
    """It can be tried again."""
    ends = ended(is_shared=True)
    marks = [*ends.end(LOGIN.id, now=NOW), *ends.sign_out(sub=LOGIN.sub, sid=None, now=NOW)]
    assert (ends.is_dead(LOGIN, now=NOW), ends.ended_at(LOGIN, now=NOW)) == (True, None)

    ends.told(marks[0])

    assert ends.ended_at(LOGIN, now=NOW) == NOW


def test_when_what_was_forgotten_ended_nobody_knows():
    """Too long ago to matter, and nothing of it is left."""
    ends = ended(most=1, is_shared=True)
    session = login(ends)
    for number in range(3):
        ends.end(str(number), user="alice", now=NOW + number)

    assert (ends.ended_at(session, now=NOW + 3), len(ends._untold), ends._made_for) == (LONG_AGO, 1, {"alice": 1})


def test_who_was_replaced_first_is_known_after_the_sign_out():
    """Then another session may have to end with it."""
    ends = ended()
    ends.end("x", now=NOW, grace=30)
    ends.end("x", now=NOW)
    ends.end("y", now=NOW)

    assert [ends.was_replaced(name) for name in ("x", "y", "z")] == [True, False, False]
