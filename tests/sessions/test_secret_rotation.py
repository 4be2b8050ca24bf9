"""When a new secret seals: only once every process may be expected to open what it seals."""

from asgi_oidc.sessions.secret_rotation import GRACE, SecretRotation

OLD, NEW, NEWEST = b"old", b"new", b"newest"
NOW = 1_800_000_000


def running(*secrets: bytes) -> SecretRotation:
    """Return the state of a process that has run for long."""
    return SecretRotation.begin(secrets, written_at=NOW - 86_400, now=NOW)


def test_the_first_secret_seals():
    """As with a setting that is no file."""
    assert running(NEW, OLD) == SecretRotation((NEW, OLD), NEW)


def test_a_process_that_starts_with_a_new_file_waits_as_the_others_do():
    """They may not have read the file yet."""
    begun = SecretRotation.begin((NEW, OLD), written_at=NOW - 5, now=NOW)

    assert (list(begun.in_order), begun.seals_at) == ([OLD, NEW], NOW + GRACE)


def test_a_process_with_a_single_secret_has_nothing_to_wait_for():
    """No other secret could seal."""
    assert SecretRotation.begin((NEW,), written_at=NOW, now=NOW).seals_at is None


def test_a_new_first_secret_opens_at_once_and_seals_after_the_grace():
    """A process that has not read it yet could not open what it seals."""
    changed = running(OLD).change((NEW, OLD), now=NOW)

    assert list(changed.in_order) == [OLD, NEW]
    assert changed.advance(now=NOW + GRACE - 1) is changed
    assert list(changed.advance(now=NOW + GRACE).in_order) == [NEW, OLD]


def test_a_removed_secret_is_out_at_once():
    """This is how a leaked secret is taken out of use."""
    assert list(running(OLD).change((NEW,), now=NOW).in_order) == [NEW]


def test_a_secret_that_is_removed_during_the_grace_is_out_at_once():
    """Somebody has changed their mind in a hurry."""
    waiting = running(OLD).change((NEW, OLD), now=NOW)

    assert waiting.change((NEW,), now=NOW + 1) == SecretRotation((NEW,), NEW)


def test_a_rotation_that_is_taken_back_is_over():
    """The old secret is the first again."""
    waiting = running(OLD).change((NEW, OLD), now=NOW)

    assert waiting.change((OLD, NEW), now=NOW + 1) == SecretRotation((OLD, NEW), OLD)


def test_a_further_old_secret_does_not_make_the_new_one_wait_longer():
    """The first one is the same."""
    waiting = running(OLD).change((NEW, OLD), now=NOW)

    assert waiting.change((NEW, OLD, NEWEST), now=NOW + 60).seals_at == NOW + GRACE


def test_a_second_new_secret_has_a_grace_of_its_own():
    """Other processes may know only the one before it."""
    waiting = running(OLD).change((NEW, OLD), now=NOW)

    assert waiting.change((NEWEST, NEW, OLD), now=NOW + 60).seals_at == NOW + 60 + GRACE


def test_a_clock_that_is_set_back_does_not_make_it_wait_for_hours():
    """The wait is never longer than the grace."""
    waiting = running(OLD).change((NEW, OLD), now=NOW)

    assert list(waiting.advance(now=NOW - 3600).in_order) == [NEW, OLD]


def test_it_prints_no_secret():
    """It may be in the frame of an error."""
    assert repr(running(NEW, OLD)) == "SecretRotation(seals_at=None)"
