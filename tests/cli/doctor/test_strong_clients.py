"""`doctor` on clients with keys, certificates and assertions: what goes wrong is found by name, and nothing else is."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import ClientKey, DecryptionKey, FakeProvider, serve
from tests.certificate_texts import FOR_SERVERS, Made, make
from tests.cli.doctor.examined import ISSUER, ORIGIN, SECRET, Doctor, guarded, make_provider
from tests.mutual_tls.certificate_site import MINE, RENEWED, provider_over_tls, registered
from tests.real.certificates import make_certificate
from tests.real.processes import free_port

KEY = ClientKey()
SetUp = Callable[[], Any]


def strong(*faults: str, keys: Any = None, published: Any = (), **changes: Any) -> OIDCMiddleware:
    """Return an app that uses a key, PAR and DPoP, at a provider that demands nonces, and has these faults."""
    provider = strong_provider(*faults, keys=keys, published=published)
    chosen = {"client_secret": ..., "client_key": KEY.pem, "par": "always", "dpop": "always"}
    return guarded(provider, **{**chosen, **changes})


def strong_provider(*faults: str, keys: Any = None, published: Any = (), **client: Any) -> FakeProvider:
    provider = make_provider(client_secret=None, jwks=[KEY.public_jwk] if keys is None else keys, **client)
    provider.requires_par = provider.requires_dpop = True
    provider.dpop_nonces = "always"
    provider.metadata.update(published)
    for fault in faults:
        provider.faults.add(fault)
    return provider


@pytest.mark.parametrize("nonces", ["always", "every_answer", "errors_only"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"profile": "fapi2"}, {"profile": "fapi2-message-signing"}, {"dpop": "auto"}, {"request_object": True}],
    ids=["", "fapi2", "fapi2-message-signing", "dpop=auto", "signed requests"],
)
def test_nothing_is_found_in_a_good_set_up(changes, nonces, doctor):
    """The provider demands a nonce: the calls are repeated with it, as those of a login are."""
    provider = strong_provider()
    provider.dpop_nonces = nonces
    settings = {"client_secret": ..., "client_key": KEY.pem, "par": "always", "dpop": "always"}

    report = doctor.examine(guarded(provider, **{**settings, **changes}))

    assert (report.status, report.names) == (0, frozenset())
    made = Counter(call.path for call in provider.calls)
    assert made["/token"] <= 2
    assert all("dpop" in call.headers for call in provider.calls if call.path in ("/token", "/par"))


def with_assertion_in(file: Path) -> OIDCMiddleware:
    provider = make_provider(client_secret=None, jwks=[KEY.public_jwk])
    return guarded(provider, client_secret=..., client_assertion_file=str(file))


def test_nothing_is_found_with_an_assertion_of_another_system(doctor, tmp_path):
    """It is read from its file."""
    file = tmp_path / "token"
    file.write_text(KEY.assertion("web", ISSUER))

    report = doctor.examine(with_assertion_in(file))

    assert (report.status, report.names) == (0, frozenset())


@pytest.mark.parametrize("content", [None, "", "no JWT", KEY.assertion("web", ISSUER, claims={"exp": 1})])
@pytest.mark.parametrize("arguments", [(), ("--offline",)])
def test_an_assertion_that_cannot_be_used_is_found_by_name(content, arguments, doctor, tmp_path):
    """Missing, empty, malformed or expired; the file is ours, so no provider has to be called for it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    report = doctor.examine(with_assertion_in(file), *arguments)

    assert (report.status, report.names) == (1, {"assertion_unusable"})
    assert str(file) in report.findings["assertion_unusable"]["problem"]
    assert report.findings["assertion_unusable"]["fix"]


@pytest.mark.parametrize(("keys", "names"), [([MINE.public_jwk], set()), ([RENEWED.public_jwk], {"client_rejected"})])
def test_a_certificate_is_tried_at_the_provider(keys, names, doctor, tmp_path, monkeypatch):
    """The calls of the checks present it, at the endpoints that are meant for it."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca)
    client = registered(jwks=keys, redirect_uris=[f"{ORIGIN}/auth/callback"], post_logout_redirect_uris=[ORIGIN])
    with provider_over_tls(certificate, tmp_path, client=client) as provider:
        provider.clock = time.time
        app = guarded(issuer=provider.issuer, http_client=..., client_secret=..., client_certificate=MINE.pem_with_key)
        report = doctor.examine(app)

    assert report.names == names
    assert provider.count("/mtls/token") == 1
    assert not names or "register the certificate" in report.findings["client_rejected"]["fix"]


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (make(days=(-400, -1)), "certificate_expired"),
        (make(days=(-300, 29)), "certificate_expires_soon"),
        (make(days=(-2.5, 0.5)), "certificate_expires_soon"),
        (make(days=(1, 400)), "certificate_not_yet_valid"),
        (make(usages=FOR_SERVERS), "certificate_not_for_clients"),
    ],
)
def test_a_certificate_that_needs_attention_is_found_by_name(certificate, name, doctor):
    """Providers refuse it in the handshake, and seldom say why."""
    report = doctor.examine(with_certificate(certificate), "--offline")

    assert (report.names, bool(report.findings[name]["fix"])) == ({name}, True)


@pytest.mark.parametrize("days", [(-300, 31), (-0.5, 0.5)])
def test_a_certificate_that_is_renewed_in_time_is_not_found(days, doctor):
    """Some live for a day only."""
    assert doctor.examine(with_certificate(make(days=days)), "--offline").names == frozenset()


def with_certificate(made: Made) -> OIDCMiddleware:
    return guarded(http_client=..., client_secret=..., client_certificate=made.both)


MISTAKES: dict[str, tuple[SetUp, str]] = {
    "the provider does not know the key": (lambda: strong(keys=[ClientKey().public_jwk]), "client_rejected"),
    "no nonce is ever accepted": (lambda: strong("dpop_nonce_forever", par="auto"), "dpop_refused"),
    "a proxy removes the nonce": (lambda: strong("dpop_nonce_error_without_header"), "dpop_refused"),
    "the provider refuses the proof": (lambda: strong("dpop_proof_refused"), "dpop_refused"),
    "DPoP is not announced": (
        lambda: strong(published={"dpop_signing_alg_values_supported": None}),
        "dpop_not_listed",
    ),
    "requests cannot be pushed": (
        lambda: strong(published={"pushed_authorization_request_endpoint": None}),
        "par_unsupported",
    ),
    "the profile needs proofs": (
        lambda: strong(profile="fapi2", published={"dpop_signing_alg_values_supported": ["EdDSA"]}),
        "profile_unsupported",
    ),
    "requests cannot be signed with the key": (
        lambda: strong(request_object=True, published={"request_object_signing_alg_values_supported": ["RS256"]}),
        "request_object_unsupported",
    ),
    "tokens cannot be encrypted like that": (
        lambda: strong(
            decryption_key=DecryptionKey().pem,
            id_token_encrypted_response_alg="RSA-OAEP-256",
            published={"id_token_encryption_alg_values_supported": ["ECDH-ES"]},
        ),
        "algorithms_unsupported",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_by_name(mistake, doctor):
    """And nothing else is: one mistake, one finding, one fix."""
    make_app, name = MISTAKES[mistake]

    report = doctor.examine(make_app())

    assert (report.names, bool(report.findings[name]["fix"])) == ({name}, True)


@pytest.mark.parametrize(
    ("mode", "names"), [(0o600, set()), (0o640, {"key_file_readable"}), (0o604, {"key_file_readable"})]
)
def test_a_key_that_others_can_read_is_found_by_name(mode, names, doctor, tmp_path):
    """Whoever has it is this client; the file of a certificate alone is public."""
    files = {name: tmp_path / name for name in ("key", "certificate", "certificate_key")}
    made = make()
    contents = {"key": KEY.pem, "certificate": made.pem, "certificate_key": made.key_pem}
    for name, file in files.items():
        file.write_text(contents[name])
        file.chmod(0o600)
    files["certificate"].chmod(0o644)
    for name in ("key", "certificate_key"):
        files[name].chmod(mode)
    variables = {f"OIDC_CLIENT_{name.upper()}_FILE": str(file) for name, file in files.items()}
    fixed = {"OIDC_ISSUER": ISSUER, "OIDC_CLIENT_ID": "web", "OIDC_BASE_URL": ORIGIN, "OIDC_SECRET": SECRET}

    report = doctor.examine(None, "--offline", **fixed, **variables)

    assert report.names == names
    assert report.text.count('"key_file_readable"') == (2 if names else 0)


def deployed(doctor: Doctor, answer: Any = None, **changes: Any) -> Any:
    """Examine an app with a key where it runs, with other settings or another answer with the keys."""
    port = free_port()
    provider = make_provider(
        client_secret=None, jwks=[KEY.public_jwk], redirect_uris=None, post_logout_redirect_uris=None
    )
    common = {"client_secret": ..., "base_url": f"http://127.0.0.1:{port}"}
    runs = guarded(provider, **common, **{"client_key": KEY.pem, **changes})

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if answer is None or scope["type"] != "http" or scope["path"] != "/auth/jwks":
            await runs(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": answer[0], "headers": []})
        await send({"type": "http.response.body", "body": answer[1]})

    with serve(proxy, port=port):
        return doctor.examine(guarded(provider, **common, client_key=KEY.pem), "--call-app").names


@pytest.mark.parametrize(
    ("answer", "changes", "name"),
    [
        (None, {"client_key": ClientKey().pem}, "keys_differ"),
        (None, {"client_key": [KEY.pem, ClientKey().pem]}, "keys_differ"),
        ((200, b'{"keys": []}'), {}, "keys_differ"),
        ((403, b""), {}, "keys_not_published"),
        ((200, b"<h1>Sign in</h1>"), {}, "keys_not_published"),
        ((200, b'{"keys": [7]}'), {}, "keys_not_published"),
        ((200, b'{"keys": [{"kid": "a"}]}'), {}, "keys_not_published"),
    ],
)
def test_keys_that_are_not_those_of_the_settings_are_found_by_name(answer, changes, name, doctor):
    """The provider fetches them there; a login would fail at the provider, with an error that does not say so."""
    assert deployed(doctor, answer, **changes) == {name}


def test_nothing_is_found_where_the_keys_are_published(doctor):
    """They are exactly those of the settings."""
    assert deployed(doctor) == frozenset()
