"""How the client proves who it is: as set, else the strongest that both sides know; never less."""

from base64 import b64decode
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.certificate_pair import read_certificate_pair
from asgi_oidc.protocol.client_auth import METHODS, choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.end_session import cognito_logout_parameters, end_session_parameters, with_parameters
from asgi_oidc.protocol.messages import Call
from tests.certificate_texts import SELF_SIGNED

CALLBACK = "https://app.example.com/auth/callback"
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1)
BASIC_AND_POST = ["client_secret_post", "client_secret_basic"]


def call_of(method: str, client: Client) -> Call:
    return METHODS[method](client, "https://id.example.com/token", {"code": "c"})


def form_of(call: Call) -> dict[str, str]:
    return dict(parse_qsl((call.body or b"").decode(), keep_blank_values=True))


@pytest.mark.parametrize(
    ("secret", "set_by_hand", "supported", "chosen"),
    [
        ("s", None, ["client_secret_basic"], "client_secret_basic"),
        ("s", None, ["client_secret_post"], "client_secret_post"),
        ("s", None, BASIC_AND_POST, "client_secret_basic"),
        ("s", None, ["private_key_jwt", "client_secret_post"], "client_secret_post"),
        ("s", "client_secret_post", ["client_secret_basic"], "client_secret_post"),
        (None, None, ["client_secret_basic"], "none"),
        (None, "none", [], "none"),
    ],
)
def test_the_method_is_as_set_or_the_first_in_common(secret, set_by_hand, supported, chosen):
    """Most providers need no setting at all."""
    assert choose_method(Client("web", secret, set_by_hand), supported) == chosen


@pytest.mark.parametrize("supported", [["private_key_jwt"], ["none"], []])
def test_there_is_no_silent_step_down(supported):
    """A client with a secret never goes without one."""
    with pytest.raises(AnswerRejected) as caught:
        choose_method(Client("web", "s"), supported)

    assert caught.value.code == "client_auth_unsupported"


@pytest.mark.parametrize(
    ("secret", "supported", "chosen"),
    [
        (None, ["client_secret_basic", "tls_client_auth"], "tls_client_auth"),
        (None, ["self_signed_tls_client_auth", "none"], "self_signed_tls_client_auth"),
        ("s", ["client_secret_basic", "tls_client_auth"], "tls_client_auth"),
        ("s", ["client_secret_basic"], "client_secret_basic"),
        (None, ["none"], "none"),  # a public client whose tokens are bound (RFC 8705 §4)
    ],
)
def test_a_certificate_authenticates_where_the_provider_takes_it(secret, supported, chosen):
    """It is stronger than a secret."""
    client = Client("web", secret, certificate=read_certificate_pair(SELF_SIGNED.both))

    assert choose_method(client, supported) == chosen


def test_a_certificate_is_no_public_client():
    """A provider that takes neither has been set up otherwise."""
    client = Client("web", certificate=read_certificate_pair(SELF_SIGNED.both))

    with pytest.raises(AnswerRejected) as caught:
        choose_method(client, ["client_secret_basic"])

    assert (caught.value.code, "client_certificate" in caught.value.detail) == ("client_auth_unsupported", True)


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_certificate_needs_the_client_id_alone(method):
    """RFC 8705 §2: the connection says the rest, and a secret would be given away."""
    call = call_of(method, Client("web", "s3cret", method))

    assert form_of(call) == {"code": "c", "client_id": "web"}
    assert "authorization" not in call.headers


@given(TEXT, TEXT)
def test_basic_form_encodes_both_parts_first(client_id, secret):
    """RFC 6749 §2.3.1: else a ":" or "%" would be read as something else."""
    call = call_of("client_secret_basic", Client(client_id, secret))

    scheme, _, encoded = call.headers["authorization"].partition(" ")
    pair = b64decode(encoded).decode("ascii").split(":")
    assert (scheme, [unquote_plus(part) for part in pair]) == ("Basic", [client_id, secret])
    assert form_of(call) == {"code": "c"}


@given(TEXT, TEXT)
def test_post_puts_both_into_the_form(client_id, secret):
    """And nothing into the header."""
    call = call_of("client_secret_post", Client(client_id, secret))

    assert form_of(call) == {"code": "c", "client_id": client_id, "client_secret": secret}
    assert "authorization" not in call.headers


def test_a_public_client_only_names_itself():
    """RFC 6749 §3.2.1."""
    call = call_of("none", Client("spa"))

    assert form_of(call) == {"code": "c", "client_id": "spa"}
    assert "authorization" not in call.headers


def test_the_secret_stays_out_of_the_repr():
    """It stands in tracebacks."""
    assert "s3cret" not in repr(Client("web", "s3cret"))


@pytest.mark.parametrize(("endpoint", "joint"), [("https://id/end", "?"), ("https://id/end?a=b", "&")])
def test_the_sign_out_url_says_who_and_whereto(endpoint, joint):
    """RP-Initiated Logout §2; a query of the endpoint is kept."""
    client = Client("web")

    parameters = end_session_parameters(client, id_token_hint="t", post_logout_redirect_uri="https://a/?b", state="s")

    assert with_parameters(endpoint, **parameters) == (
        f"{endpoint}{joint}id_token_hint=t&client_id=web&post_logout_redirect_uri=https%3A%2F%2Fa%2F%3Fb&state=s"
    )


def test_cognito_has_parameters_of_its_own():
    """Neither a hint nor a state, and the page to go on to under another name."""
    parameters = cognito_logout_parameters(Client("web", CALLBACK), logout_uri="https://a/bye")

    assert parameters == {"client_id": "web", "logout_uri": "https://a/bye"}
