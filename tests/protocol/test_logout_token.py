"""Each check of a logout token lets the good one pass and refuses the others by the name of the claim."""

from typing import Any

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.id_token import MAX_SUB_LENGTH
from asgi_oidc.protocol.jose import Verified
from asgi_oidc.protocol.logout_token import EVENT, MAX_JTI_LENGTH, MAX_TOKEN_AGE, Logout, read_logout_token

NOW = 1_800_000_000
LEEWAY = 30
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example.com",
    "aud": "web",
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "a-token",
    "events": {EVENT: {}},
    "sid": "a-session",
    "sub": "alice",
}


def claims_with(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}


def read(
    changes: dict[str, Any],
    *,
    typ: str | None = "logout+jwt",
    trusted: tuple[str, ...] = (),
    trusts_azp: bool = False,
) -> Logout:
    return read_logout_token(
        Verified("RS256", typ, claims_with(changes)),
        issuer="https://id.example.com",
        client_id="web",
        trusted_audiences=trusted,
        now=NOW,
        leeway=LEEWAY,
        trusts_azp=trusts_azp,
    )


def code_of(changes: dict[str, Any], **more: Any) -> str:
    with pytest.raises(TokenRejected) as caught:
        read(changes, **more)
    return caught.value.code


def test_it_names_whom_to_sign_out():
    """Back-Channel Logout §2.4: a session, a user, or both."""
    both, by_sid, by_sub = read({}), read({"sub": ...}), read({"sid": ...})

    assert [(each.sid, each.sub) for each in (both, by_sid, by_sub)] == [
        ("a-session", "alice"),
        ("a-session", None),
        (None, "alice"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["web"]},
        {"exp": NOW - LEEWAY + 1},
        {"exp": NOW + 90_000},  # some providers give them a day
        {"exp": ...},  # Ory Hydra
        {"iat": NOW + LEEWAY},
        {"iat": NOW - MAX_TOKEN_AGE},
        {"iat": NOW + 0.5},
        {"nbf": NOW},
        {"jti": "j" * MAX_JTI_LENGTH},
        {"sub": "s" * MAX_SUB_LENGTH},
        {"sid": "\u6d4b"},
        {"events": {EVENT: {}, "http://schemas.example.com/event/other": {}}},
        {"events": {EVENT: {"reason": "admin"}}},
        {"auth_time": NOW},
    ],
    ids=str,
)
def test_a_good_token_passes(changes):
    """What the specification allows is allowed."""
    assert read(changes).jti


@pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt", "LOGOUT+JWT", "application/logout+jwt"])
def test_types_that_it_may_have(typ):
    """The name is new; providers from before it send JWT, or none (§2.4)."""
    assert read({}, typ=typ).sub == "alice"


def test_a_trusted_audience_may_stand_beside_us():
    """As in an ID Token."""
    assert read({"aud": ["web", "other"]}, trusted=("other",)).sub == "alice"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://id.example.com/"}, "claim_iss"),
        ({"iss": ...}, "claim_iss"),
        ({"aud": "other"}, "claim_aud"),
        ({"aud": ["web", "other"]}, "claim_aud"),
        ({"aud": ...}, "claim_aud"),
        ({"iat": ...}, "claim_iat"),
        ({"iat": "now"}, "claim_iat"),
        ({"iat": NOW + LEEWAY + 1}, "claim_iat"),
        ({"iat": NOW - MAX_TOKEN_AGE - LEEWAY}, "claim_iat"),
        ({"exp": None}, "claim_exp"),
        ({"exp": NOW - LEEWAY}, "claim_exp"),
        ({"exp": True}, "claim_exp"),
        ({"exp": 1e300}, "claim_exp"),
        ({"nbf": NOW + LEEWAY + 1}, "claim_nbf"),
        ({"jti": ...}, "claim_jti"),
        ({"jti": ""}, "claim_jti"),
        ({"jti": 7}, "claim_jti"),
        ({"jti": "j" * (MAX_JTI_LENGTH + 1)}, "claim_jti"),
        ({"events": ...}, "claim_events"),
        ({"events": EVENT}, "claim_events"),
        ({"events": [EVENT]}, "claim_events"),
        ({"events": {}}, "claim_events"),
        ({"events": {EVENT: None}}, "claim_events"),
        ({"events": {EVENT: "x"}}, "claim_events"),
        ({"events": {EVENT + "/": {}}}, "claim_events"),
        ({"nonce": "n"}, "claim_nonce"),
        ({"nonce": None}, "claim_nonce"),
        ({"sid": ..., "sub": ...}, "claim_sid"),
        ({"sid": ""}, "claim_sid"),
        ({"sid": None}, "claim_sid"),
        ({"sid": ["a-session"]}, "claim_sid"),
        ({"sid": "s" * (MAX_SUB_LENGTH + 1)}, "claim_sid"),
        ({"sub": ""}, "claim_sub"),
        ({"sub": 7}, "claim_sub"),
        ({"sub": "s" * (MAX_SUB_LENGTH + 1)}, "claim_sub"),
    ],
    ids=str,
)
def test_a_bad_token_is_refused(changes, code):
    """Each of the checks of §2.6, with its code."""
    assert code_of(changes) == code


@pytest.mark.parametrize("typ", ["at+jwt", "id_token+jwt", "secevent+jwt", "logout", "logout+jwt "])
def test_another_kind_of_token_is_refused(typ):
    """RFC 8725 §3.11: it says itself that it is something else."""
    assert code_of({}, typ=typ) == "token_typ"


@pytest.mark.parametrize(
    "changes", [{}, {"exp": NOW + 90_000}, {"exp": ...}, {"iat": NOW - MAX_TOKEN_AGE}, {"iat": NOW + LEEWAY}]
)
def test_its_jti_is_remembered_until_its_age_alone_refuses_it(changes):
    """Else it could be sent again after that."""
    forget_at = read(changes).forget_at

    with pytest.raises(TokenRejected) as caught:
        read_logout_token(
            Verified("RS256", "logout+jwt", claims_with(changes)),
            issuer="https://id.example.com",
            client_id="web",
            trusted_audiences=(),
            now=forget_at,
            leeway=LEEWAY,
        )

    assert caught.value.code in ("claim_exp", "claim_iat")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iat": NOW + 300}, "the token was issued 300 s in the future: check this server's clock"),
        (
            {"iat": NOW - 900},
            f"the token was issued 900 s ago, expected at most {MAX_TOKEN_AGE} s: check this server's clock",
        ),
        ({"exp": NOW - 300}, "the token expired 300 s ago: check this server's clock"),
    ],
    ids=str,
)
def test_a_clock_error_is_named_as_such(changes, words):
    """Else sign-outs at the provider stop working, and the log shows numbers."""
    with pytest.raises(TokenRejected) as caught:
        read(changes)

    assert caught.value.detail == words


@pytest.mark.parametrize(("azp", "code"), [("web", None), ("other", "claim_aud"), (..., "claim_aud")])
def test_further_audiences_pass_if_azp_is_trusted_and_ours(azp, code):
    """As in an ID Token."""
    changes = {"aud": ["web", "project"], "azp": azp}
    if code is None:
        assert read(changes, trusts_azp=True).sub == "alice"
        return

    assert code_of(changes, trusts_azp=True) == code
    assert code_of(changes) == "claim_aud"
