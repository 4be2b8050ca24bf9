"""One HTTP client can serve all providers, and a provider can have one of its own."""

from asgi_oidc import OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, FakeProvider, Network
from tests.protected_site import CLIENT_SECRET, ORIGIN, SECRET, App
from tests.providers.three_providers import issuer_of

ONE, TWO = issuer_of("one"), issuer_of("two")


async def test_one_client_for_all_providers():
    """A proxy or a private CA is configured once."""
    network = Network(FakeProvider(ONE), FakeProvider(TWO))
    app = OIDCMiddleware(
        App(),
        providers={
            name: Provider(issuer=issuer_of(name), client_id="web", client_secret=CLIENT_SECRET)
            for name in ("one", "two")
        },
        http_client=network.http_client(),
        base_url=ORIGIN,
        secret=SECRET,
    )

    for name in ("one", "two"):
        response = await Browser(app, ORIGIN, network.apps).sign_in("alice", f"/auth/login?provider={name}")
        assert response.status_code == 200, name


async def test_the_client_of_a_provider_comes_first():
    """The other one cannot reach it."""
    fakes = FakeProvider(ONE), FakeProvider(TWO)
    provider = Provider(issuer=ONE, client_id="web", client_secret=CLIENT_SECRET, http_client=fakes[0].http_client())
    app = OIDCMiddleware(
        App(),
        providers={"one": provider},
        http_client=Network(fakes[1]).http_client(),
        base_url=ORIGIN,
        secret=SECRET,
    )

    response = await Browser(app, ORIGIN, {ONE: fakes[0]}).sign_in("alice", "/auth/login?provider=one")

    assert response.status_code == 200


async def test_providers_of_the_environment_use_the_client_of_the_call():
    """A client cannot be written into a variable."""
    network = Network(FakeProvider(ONE))
    variables = {"PROVIDERS": "one", "ONE_ISSUER": ONE, "ONE_CLIENT_ID": "web", "ONE_CLIENT_SECRET": CLIENT_SECRET}
    environ = {f"OIDC_{name}": value for name, value in {**variables, "BASE_URL": ORIGIN, "SECRET": SECRET}.items()}
    app = OIDCMiddleware.from_env(App(), environ=environ, http_client=network.http_client())

    response = await Browser(app, ORIGIN, network.apps).sign_in("alice", "/private")

    assert response.status_code == 200
