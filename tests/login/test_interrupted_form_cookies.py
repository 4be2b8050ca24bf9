"""A kept form is sealed, for ten minutes, and gone once it was sent."""

import msgspec
import pytest

from asgi_oidc.login.interrupted_forms import FORM_LIFETIME, FormClaim, InterruptedForm, InterruptedForms
from asgi_oidc.sessions.digests import UserDigests
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.sessions.session import UserId
from asgi_oidc.web.cookies import CookieStyle

NOW = 1_800_000_000
ISSUER = "https://id.example.com"
ALICE, BOB = UserId(ISSUER, "alice"), UserId(ISSUER, "bob")
DIGESTS = UserDigests(ISSUER)
SEALER = Sealer([b"k" * 32], context=("a", "b", "c"))
FORMS = InterruptedForms(SEALER, CookieStyle(secure=True), "oidc-x", DIGESTS)
NAME = "__Host-oidc-x-form"
FORM = InterruptedForm(target="/save", page="/edit", pairs=[("note", "s3cret")], user=DIGESTS.of(ALICE), created_at=NOW)


def test_a_form_is_opened_as_it_was_sealed():
    """By its own name alone, and for as long as a login may take."""
    sealed = FORMS.seal(FORM)

    assert FORMS.open(sealed, now=NOW + FORM_LIFETIME - 1) == FORM
    assert FORMS.find({NAME: sealed}, now=NOW) == FORM
    assert FORMS.open(sealed, now=NOW + FORM_LIFETIME) is None
    assert FORMS.open(sealed, now=NOW - FORM_LIFETIME) is None
    assert InterruptedForms(SEALER, CookieStyle(secure=True), "oidc-y", DIGESTS).open(sealed, now=NOW) is None


@pytest.mark.parametrize("text", ["", "x", SEALER.seal("ask", NAME, b""), SEALER.seal("form", NAME, b"\xc1")])
def test_anything_else_is_no_form(text):
    """Forged, of another kind, or of another version."""
    assert FORMS.open(text, now=NOW) is None


OWNED, UNOWNED = FORM, msgspec.structs.replace(FORM, user=None, id="its-id")


@pytest.mark.parametrize(
    ("kept", "user", "form", "stays"),
    [
        (OWNED, ALICE, None, True),
        (OWNED, BOB, None, False),
        (UNOWNED, ALICE, "its-id", True),
        (UNOWNED, ALICE, "another-id", False),
        (UNOWNED, ALICE, None, False),
    ],
)
def test_a_login_leaves_the_form_of_its_user_or_its_own_and_no_other(kept, user, form, stays):
    """Whoever signs in next at a shared computer finds nothing of the one before."""
    cookies = {NAME: FORMS.seal(kept)}

    deleted = FORMS.delete_others(cookies, user=user, form=form, now=NOW)

    assert deleted == ([] if stays else FORMS.delete(cookies))
    assert FORMS.delete_others({}, user=user, form=form, now=NOW) == []
    assert FORMS.delete_others({NAME: "junk"}, user=user, form=form, now=NOW) == FORMS.delete({NAME: "junk"})


def test_a_claim_is_sealed():
    """Nobody else makes the form of one session that of another."""
    claim = FormClaim("its-id", "a-session")

    assert FORMS.read_claim(FORMS.write_claim(claim)) == claim
    for text in ("", "x", FORMS.seal(FORM), SEALER.seal("form", "claim", b"\xc1")):
        assert FORMS.read_claim(text) is None
    assert FORMS.open(FORMS.write_claim(claim), now=NOW) is None
    assert "a-session" not in repr(claim)


def test_a_form_that_was_sent_is_forgotten():
    """That one, and no other."""
    cookies = {NAME: FORMS.seal(FORM)}

    assert FORMS.delete_sent(cookies, target="/save", now=NOW) == FORMS.delete(cookies) != []
    assert FORMS.delete_sent(cookies, target="/other", now=NOW) == []
    assert FORMS.delete_sent({}, target="/save", now=NOW) == FORMS.delete({}) == []


def test_the_repr_of_a_kept_form_shows_no_fields():
    """People write anything into forms."""
    assert ("s3cret" in repr(FORM), dict(FORM.__rich_repr__())) == (False, {"created_at": NOW})
