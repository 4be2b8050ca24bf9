"""Tokens that are bound to a key or a certificate, over real servers: replays elsewhere, and nginx that ends mTLS."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from asgi_oidc import Bearer
from asgi_oidc.testing import Client, DPoPKey, FakeProvider, serve
from tests.real.app import protected_app
from tests.real.certificates import make_certificate, make_client_certificate
from tests.real.fleet import SECRET, environ, fleet
from tests.real.nginx import nginx_with
from tests.real.processes import free_port
from tests.real.redis_server import redis

pytestmark = pytest.mark.real

API = "https://api.example.com"
CLIENT_SECRET = "web-secret"
NGINX = """\
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {server.chain};
        ssl_certificate_key {server.key};
        ssl_verify_client optional_no_ca;
        location / {{
            proxy_pass http://127.0.0.1:{app};
            proxy_set_header Client-Cert $ssl_client_escaped_cert;
        }}
    }}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """A provider that issues bound tokens."""
    fake = FakeProvider(clients=[Client("web", CLIENT_SECRET)], alg="ES256")
    with serve(fake) as running:
        fake.issuer = running.url
        yield fake


async def get(client: httpx.AsyncClient, url: str, token: str, proof: str) -> tuple[int, Any]:
    """Send a request with a token and a proof."""
    answer = await client.get(url, headers={"authorization": f"DPoP {token}", "dpop": proof})
    return answer.status_code, answer.json()


async def test_a_replayed_proof_is_refused_in_another_process(provider):
    """Two processes and a Redis: a proof that one of them has seen is refused by the other."""
    key = DPoPKey()
    token = provider.access_token("alice", audience=API, dpop_key=key)
    port = free_port()
    with redis() as server:
        settings = environ(provider.issuer, client_id="web", client_secret=CLIENT_SECRET, port=port, store=server.url)
        with fleet(settings | {"OIDC_BEARER_AUDIENCE": API}, count=2) as started:
            here, there = (f"{started.own_origin(index)}/page" for index in range(2))
            proofs = [key.proof("GET", f"{started.origin}/page", access_token=token) for _ in range(3)]
            async with httpx.AsyncClient(trust_env=False) as client:
                first = await get(client, here, token, proofs[0])
                replays = [await get(client, url, token, proofs[0]) for url in (there, here, there)]
                others = [
                    await get(client, url, token, proof) for url, proof in zip((there, here), proofs[1:], strict=True)
                ]

    assert first[0] == 200
    assert [(status, said["error"]) for status, said in replays] == [(401, "dpop_replayed")] * 3
    assert [status for status, _ in others] == [200] * 2
    assert len({said["process"] for status, said in (first, *others)}) == 2


@contextlib.contextmanager
def behind_nginx(provider: FakeProvider, folder: Path) -> Iterator[tuple[str, str, int]]:
    """Serve an app with uvicorn behind nginx, which asks clients for a certificate; give its URL, CA and inner port."""
    server = make_certificate(folder)
    port, app_port = free_port(), free_port()
    url = f"https://localhost:{port}"
    app = protected_app(
        issuer=provider.issuer,
        client_id="web",
        client_secret=CLIENT_SECRET,
        base_url=url,
        secret=SECRET,
        bearer=Bearer(API, client_certificate_header="Client-Cert", client_certificate_proxies=["127.0.0.1"]),
    )
    settings = NGINX.format(port=port, app=app_port, server=server)
    with serve(app, port=app_port), nginx_with(settings, url=f"{url}/public", ca=server.ca):
        yield url, server.ca, app_port


def client_with(ca: str, certificate: tuple[str, str] | None = None) -> httpx.AsyncClient:
    """Make a client that trusts the server, and may have a certificate of its own."""
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return httpx.AsyncClient(verify=context, trust_env=False)


async def test_nginx_passes_the_certificate_of_a_client_on(provider, tmp_path):
    """A bound token works over a connection with its certificate, whatever the client writes into the header."""
    certificate, other = make_client_certificate(tmp_path, "client"), make_client_certificate(tmp_path, "other")
    token = provider.access_token("alice", audience=API, claims={"cnf": {"x5t#S256": certificate.thumbprint}})
    bearer = {"authorization": f"Bearer {token}"}
    forged = {**bearer, "client-cert": certificate.escaped}
    seen = []
    with behind_nginx(provider, tmp_path) as (url, ca, app_port):
        for files, headers in (
            (certificate.files, bearer),
            (certificate.files, {**bearer, "client-cert": other.escaped}),
            (other.files, forged),
            (None, forged),
            (None, bearer),
        ):
            async with client_with(ca, files) as client:
                answer = await client.get(f"{url}/claims", headers=headers)
                seen.append((answer.status_code, answer.json().get("sub") or answer.json().get("error")))
        past_nginx = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=past_nginx) as client:
            answer = await client.get(f"http://127.0.0.1:{app_port}/claims", headers=forged)
            seen.append((answer.status_code, answer.json()["error"]))

    assert seen == [
        (200, "alice"),
        (200, "alice"),
        (401, "client_certificate_mismatch"),
        (401, "client_certificate_missing"),
        (401, "client_certificate_missing"),
        (401, "client_certificate_missing"),
    ]
