"""A nonce is good for minutes, in all processes with the secret, and nothing else is taken for one (RFC 9449 §8)."""

import pytest

from asgi_oidc.bearer.dpop_nonces import NONCE_LIFETIME, RENEWAL_AGE, DPoPNonces
from asgi_oidc.protocol.dpop.check_proof import MAX_NONCE_LENGTH
from asgi_oidc.sessions.sealing import Sealer

NOW = 1_800_000_000
LEEWAY = 30
CONTEXT = ("https://id.example.com", "web", "https://api.example.com")
SEALER = Sealer([b"s" * 32], context=CONTEXT)


def nonces(*, sealer: Sealer = SEALER, now: int = NOW) -> DPoPNonces:
    return DPoPNonces(sealer, leeway=LEEWAY, now=lambda: now)


@pytest.mark.parametrize(
    ("age", "is_valid", "is_renewal_due"),
    [
        (-LEEWAY - 1, False, False),
        (-LEEWAY, True, False),
        (0, True, False),
        (RENEWAL_AGE - 1, True, False),
        (RENEWAL_AGE, True, True),
        (NONCE_LIFETIME + LEEWAY - 1, True, True),
        (NONCE_LIFETIME + LEEWAY, False, True),
    ],
)
def test_a_nonce_is_good_for_minutes_and_renewed_in_time(age, is_valid, is_renewal_due):
    """A client that keeps sending never has to repeat a request."""
    nonce = nonces().make()

    later = nonces(now=NOW + age)

    assert (later.is_valid(nonce), later.is_renewal_due(nonce)) == (is_valid, is_renewal_due)


def test_no_two_nonces_are_equal():
    """They cannot be foreseen."""
    assert len({nonces().make() for _ in range(10)}) == 10


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonce",
        nonces().make()[:-1],
        nonces().make() + "A",
        SEALER.seal("session", "dpop", NOW.to_bytes(8, "big")),
        SEALER.seal("nonce", "another", NOW.to_bytes(8, "big")),
        nonces(sealer=Sealer([b"x" * 32], context=CONTEXT)).make(),
        nonces(sealer=Sealer([b"s" * 32], context=(*CONTEXT[:2], "https://other.example.com"))).make(),
        SEALER.seal("nonce", "dpop", NOW.to_bytes(8, "big") + bytes(MAX_NONCE_LENGTH)),
    ],
    ids=lambda text: str(text)[:12],
)
def test_what_this_server_has_not_issued_is_no_nonce(text):
    """Of another host, another deployment, or made up."""
    assert (nonces().is_valid(text), nonces().is_renewal_due(text)) == (False, True)


def test_a_nonce_outlives_a_rotation_of_the_secret():
    """The old secret still opens."""
    rotated = Sealer([b"n" * 32, b"s" * 32], context=CONTEXT)

    assert nonces(sealer=rotated).is_valid(nonces().make())
