"""A signed response that a real browser posts to the app: `form_post.jwt`, from another site, over https."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from tests.protected_site import SECRET
from tests.real.certificates import Certificate
from tests.real.fapi import client_with_key
from tests.real.processes import free_port
from tests.real.real_provider import RealProvider
from tests.real.rules_site import signed_in, watched
from tests.real.servers import server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def origin(fapi_provider: RealProvider, certificate: Certificate) -> Iterator[str]:
    """The app at https://localhost; the provider is at 127.0.0.1, another site."""
    port = free_port()
    origin = f"https://localhost:{port}"
    made = client_with_key(dpop="always", authorization_params={"response_mode": "form_post.jwt"})
    fapi_provider.register(made.at(origin))
    environ = {
        **made.environ,
        "OIDC_ISSUER": fapi_provider.issuer,
        "OIDC_BASE_URL": f"{origin}/",
        "OIDC_SECRET": SECRET,
        "SSL_CERT_FILE": certificate.ca,
    }
    with server("uvicorn-h11", "tests.real.app:app", port=port, environ=environ, certificate=certificate):
        yield origin


def test_a_signed_response_signs_a_user_in(chromium: Chromium, origin: str) -> None:
    """The form brings one field, and the browser complains about nothing."""
    posted: list[str] = []
    with watched(chromium) as context:
        context.on("request", lambda request: posted.append(request.post_data or ""))
        page = signed_in(context, f"{origin}/private?page=2", "Alice Adams")
        expect(page).to_have_url(f"{origin}/private?page=2")

    assert [body.partition("=")[0] for body in posted if body] == ["login", "response"]
