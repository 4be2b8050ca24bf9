"""A certificate that is renewed in its files, as cert-manager and SPIFFE do, takes effect while the app runs."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asgi_oidc.testing import ClientCertificate, FakeProvider
from tests.certificate_texts import make
from tests.mutual_tls.certificate_site import MINE, RENEWED, certificates_at, normalized, provider_over_tls
from tests.reloading_site import ReloadingSite

LOG = "asgi_oidc"


def key_of(certificate: ClientCertificate) -> str:
    """Return the private key alone, as PEM."""
    return certificate.pem_with_key.removeprefix(certificate.pem)


def reloading_site(folder: Path, provider: FakeProvider, files: Mapping[str, str]) -> ReloadingSite:
    settings: dict[str, Any] = {"client_secret": None, "http_client": None}
    return ReloadingSite(folder, dict(files), provider=provider, **settings)


@pytest.mark.usefixtures("_trusted")
async def test_a_renewed_pair_is_presented_by_the_next_login(server_certificate, tmp_path, caplog):
    """In two files, as cert-manager mounts them; both have changed when the process looks."""
    caplog.set_level(logging.INFO, LOG)
    files = {"client_certificate": MINE.pem, "client_certificate_key": key_of(MINE)}
    with provider_over_tls(server_certificate, tmp_path) as provider:
        site = reloading_site(tmp_path, provider, files)
        await site.signed_in()
        site.write("client_certificate", RENEWED.pem)
        await site.change("client_certificate_key", key_of(RENEWED))
        await site.signed_in("bob")

    assert certificates_at(provider, "/token") == [normalized(MINE.pem), normalized(RENEWED.pem)]
    assert caplog.text.count("setting_reloaded") == 1
    assert "setting_not_reloaded" not in caplog.text


@pytest.mark.usefixtures("_trusted")
async def test_half_of_a_renewal_keeps_the_old_pair_and_is_logged(server_certificate, tmp_path, caplog):
    """Whoever writes the two files one after the other, or fails in between."""
    files = {"client_certificate": MINE.pem, "client_certificate_key": key_of(MINE)}
    with provider_over_tls(server_certificate, tmp_path) as provider:
        site = reloading_site(tmp_path, provider, files)
        await site.change("client_certificate", RENEWED.pem)
        await site.signed_in()
        problems = caplog.text.count("setting_not_reloaded")
        await site.change("client_certificate_key", key_of(RENEWED))
        await site.signed_in("bob")

    assert certificates_at(provider, "/token") == [normalized(MINE.pem), normalized(RENEWED.pem)]
    assert problems == 1
    assert "OIDC_CLIENT_CERTIFICATE_FILE" in caplog.text
    assert "the private key does not belong" in caplog.text
    assert "BEGIN" not in caplog.text


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize(
    "text", ["", RENEWED.pem_with_key[:-100], RENEWED.pem, "gone"], ids=["empty", "cut", "no key", "gone"]
)
async def test_one_file_that_is_half_written_keeps_the_old_pair(server_certificate, tmp_path, caplog, text):
    """Until it is whole."""
    with provider_over_tls(server_certificate, tmp_path) as provider:
        site = reloading_site(tmp_path, provider, {"client_certificate": MINE.pem_with_key})
        await site.change("client_certificate", text)
        if text == "gone":
            site.path("client_certificate").unlink()
        await site.signed_in()
        await site.change("client_certificate", RENEWED.pem_with_key)
        await site.signed_in("bob")

    assert certificates_at(provider, "/token") == [normalized(MINE.pem), normalized(RENEWED.pem)]
    assert "setting_not_reloaded variable=OIDC_CLIENT_CERTIFICATE_FILE" in caplog.text


@pytest.mark.parametrize(("days", "word"), [((-30, -1), "it has expired"), ((30, 60), "not valid yet")])
async def test_a_certificate_out_of_its_time_is_a_warning_at_start_up(tmp_path, caplog, days, word):
    """The app starts: a renewal may be under way, and the line says what to look at."""
    provider = FakeProvider(alg="ES256")
    site = reloading_site(tmp_path, provider, {"client_certificate": make(days=days).both})
    site.clock.now = make().certificate.not_valid_before_utc.timestamp()

    await site.call("/public/look")

    assert f"client_certificate_problem provider={provider.issuer}" in caplog.text
    assert word in caplog.text
