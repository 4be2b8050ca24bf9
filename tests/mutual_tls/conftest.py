"""What the tests of mutual TLS share."""

import pytest

from tests.real.certificates import Certificate, make_certificate


@pytest.fixture(scope="module")
def server_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for this machine."""
    return make_certificate(tmp_path_factory.mktemp("server"))


@pytest.fixture
def _trusted(server_certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our own client trust it, as in a container."""
    monkeypatch.setenv("SSL_CERT_FILE", server_certificate.ca)
