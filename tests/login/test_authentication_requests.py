"""What a login requires of the provider, for all rules together, and whether it was met (RFC 9470)."""

import pytest

from asgi_oidc.login.authentication_requests import REQUEST_LIFETIME, AuthenticationRequests
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, combined_request, is_met, read_authentication
from asgi_oidc.sessions.sealing import Sealer

NOW = 1_800_000_000
SEALER = Sealer([b"k" * 32], context=("a", "b", "c"))


@pytest.mark.parametrize(
    ("auth_requests", "together"),
    [
        ([], ANY_LOGIN),
        ([ANY_LOGIN, ANY_LOGIN], ANY_LOGIN),
        ([AuthenticationRequest((), 60), AuthenticationRequest((), 300)], AuthenticationRequest((), 60)),
        ([AuthenticationRequest(("a", "b")), AuthenticationRequest((), 0)], AuthenticationRequest(("a", "b"), 0)),
        (
            [AuthenticationRequest(("a", "b", "c")), AuthenticationRequest(("c", "b"))],
            AuthenticationRequest(("b", "c")),
        ),
        ([AuthenticationRequest(("a",)), AuthenticationRequest(("b",))], None),
    ],
)
def test_authentication_requests_combine_to_the_strictest(auth_requests, together):
    """One login has one `acr`: contexts that exclude each other can never be met."""
    assert combined_request(auth_requests) == together


@pytest.mark.parametrize(
    ("auth_request", "acr", "auth_time", "is_done"),
    [
        (ANY_LOGIN, None, None, True),
        (AuthenticationRequest(("mfa",)), "mfa", None, True),
        (AuthenticationRequest(("mfa", "gold")), "gold", None, True),
        (AuthenticationRequest(("mfa",)), "pwd", None, False),
        (AuthenticationRequest(("mfa",)), None, None, False),
        (AuthenticationRequest(("mfa",)), ["mfa"], None, False),
        (AuthenticationRequest((), 300), None, NOW - 300, True),
        (AuthenticationRequest((), 300), None, NOW - 330, True),
        (AuthenticationRequest((), 300), None, NOW - 331, False),
        (AuthenticationRequest((), 300), None, NOW + 30, True),
        (AuthenticationRequest((), 300), None, NOW + 31, False),
        (AuthenticationRequest((), 300), None, float(NOW), True),
        (AuthenticationRequest((), 300), None, None, False),
        (AuthenticationRequest((), 300), None, str(NOW), False),
        (AuthenticationRequest((), 300), None, True, False),
        (AuthenticationRequest(("mfa",), 300), "mfa", NOW - 400, False),
        (AuthenticationRequest(("mfa",), 300), "mfa", NOW - 100, True),
    ],
)
def test_a_login_is_checked_against_its_authentication_request(auth_request, acr, auth_time, is_done):
    """A claim that is missing or odd is never good enough."""
    assert is_met(auth_request, acr=acr, auth_time=auth_time, now=NOW, leeway=30) is is_done


@pytest.mark.parametrize(
    ("acr_values", "max_age", "problem"),
    [
        ([], None, "acr_values: must not be empty"),
        ("mfa", None, "acr_values: must be a list"),
        (["a b"], None, "acr_values: must be a list of texts"),
        ([""], None, "acr_values: must be a list of texts"),
        ([7], None, "acr_values: must be a list of texts"),
        (["x" * 513], None, "at most 512"),
        (None, -1, "max_age: must be"),
        (None, True, "max_age: must be"),
        (None, 1.5, "max_age: must be"),
        (None, "60", "max_age: must be"),
        (None, 10**9, "max_age: must be"),
    ],
)
def test_an_impossible_authentication_request_is_refused(acr_values, max_age, problem):
    """At start-up for a rule, at once for an app."""
    with pytest.raises(ValueError, match=problem):
        read_authentication(acr_values, max_age)


def test_an_authentication_request_in_a_url_is_sealed():
    """Only this site can ask for anything; what it did not write asks for nothing."""
    auth_request, auth_requests = AuthenticationRequest(("mfa",), 60, "login"), AuthenticationRequests(SEALER)
    sealed = auth_requests.write(auth_request, now=NOW)

    assert auth_requests.read(sealed, now=NOW).authentication == auth_request
    assert "mfa" not in sealed
    for forged in (
        "",
        "x",
        sealed[:-1],
        sealed[:-1] + "A" + "A",
        AuthenticationRequests(Sealer([b"l" * 32], context=("a", "b", "c"))).write(auth_request, now=NOW),
    ):
        assert auth_requests.read(forged, now=NOW).authentication == ANY_LOGIN
    assert auth_requests.read(SEALER.seal("ask", "ask", b"\xc1"), now=NOW).authentication == ANY_LOGIN


@pytest.mark.parametrize(
    ("age", "counts"),
    [(0, True), (REQUEST_LIFETIME - 1, True), (REQUEST_LIFETIME, False), (-REQUEST_LIFETIME, False), (-60, True)],
)
def test_an_authentication_request_is_valid_while_a_page_may_be_open(age, counts):
    """A URL that was found in a history or a log asks for nothing any more."""
    auth_request, auth_requests = AuthenticationRequest(("mfa",), 60, "login"), AuthenticationRequests(SEALER)

    read = auth_requests.read(auth_requests.write(auth_request, now=NOW), now=NOW + age)

    assert read.authentication == (auth_request if counts else ANY_LOGIN)
