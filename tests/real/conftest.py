"""What is real in these tests: a certified provider, a browser, certificates; each started once and ended for sure."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect, sync_playwright

from tests.real import programs
from tests.real.certificates import Certificate, ClientAuthority, make_certificate, make_client_authority
from tests.real.keycloak import Keycloak, keycloak
from tests.real.postgres_server import LOGGING, PostgresServer, postgres
from tests.real.real_provider import RealProvider, real_provider

expect.set_options(timeout=10_000)  # milliseconds; a machine may be busy


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The real parts run elsewhere: one backend is enough on our side."""
    return "asyncio"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost, by an authority of its own."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def provider() -> Iterator[RealProvider]:
    """The certified provider over http."""
    with real_provider() as running:
        yield running


@pytest.fixture(scope="session")
def https_provider(certificate: Certificate) -> Iterator[RealProvider]:
    """The certified provider over https."""
    with real_provider(certificate) as running:
        yield running


@pytest.fixture(scope="session")
def client_authority(tmp_path_factory: pytest.TempPathFactory) -> ClientAuthority:
    """The authority for certificates of clients."""
    return make_client_authority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="session")
def fapi_provider(certificate: Certificate, client_authority: ClientAuthority) -> Iterator[RealProvider]:
    """The certified provider in its FAPI 2.0 profile."""
    with real_provider(certificate, client_authority=client_authority.ca) as running:
        yield running


@pytest.fixture(scope="session")
def keycloak_server(certificate: Certificate, client_authority: ClientAuthority) -> Iterator[Keycloak]:
    """One Keycloak for all; each test has a client of its own."""
    with keycloak(certificate, client_authority.ca) as started:
        yield started


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests that do not hurt it."""
    with postgres(*LOGGING) as started:
        yield started


@pytest.fixture(scope="module")
def chromium(certificate: Certificate) -> Iterator[Chromium]:
    """Debian's Chromium, headless; it trusts our certificate and no other of its kind.

    It lives as long as a module: while it does, no other event loop can run in this thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=programs.chromium(),
            args=["--no-sandbox", f"--ignore-certificate-errors-spki-list={certificate.spki}"],
        )
        yield browser
        browser.close()
