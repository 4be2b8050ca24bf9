"""The metadata of an API leads every client to the right provider, whoever asks and wherever the app is mounted."""

from typing import Any

import pytest

from asgi_oidc import Bearer, OAuth2Provider, Provider, Rule
from asgi_oidc.bearer.resource_metadata import MAX_LISTED_TENANTS, issuers_of, resources_of
from asgi_oidc.protocol.dpop.check_proof import PROOF_ALGORITHMS
from asgi_oidc.protocol.issuer_template import PERSONAL_ACCOUNTS
from asgi_oidc.testing.in_process import http_scope
from tests.bearer.token_calls import API, challenges, problem
from tests.protected_site import ORIGIN, Exchange, Site

PATH = "/.well-known/oauth-protected-resource"
FLAT: dict[str, Any] = {"issuer": ..., "client_id": ..., "client_secret": ...}


def api_site(**settings: Any) -> Site:
    """Make a site that accepts tokens for the API."""
    return Site(**{"bearer": Bearer(API), **settings})


def document(answer: Exchange) -> dict[str, Any]:
    """Return the metadata."""
    assert answer.status == 200
    return problem(answer)


async def ask(app: Any, url_path: str, method: str = "GET", **scope: Any) -> Exchange:
    """Make one request to any app."""
    exchange = Exchange({"type": "http.request", "body": b"", "more_body": False})
    await app({**http_scope(method, f"{ORIGIN}{url_path}", {}), **scope}, exchange.receive, exchange.send)
    return exchange


async def metadata(path: str = PATH, **settings: Any) -> dict[str, Any]:
    """Return the metadata of a site with these settings."""
    return document(await api_site(**settings).call(path))


def named(**providers: Any) -> dict[str, Any]:
    """Return the settings of several providers."""
    return {**FLAT, "providers": providers}


def provider(host: str) -> Provider:
    """Make an OpenID provider."""
    return Provider(issuer=f"https://{host}", client_id="web", client_secret="s3cret", title=host)


# --- what it says


async def test_metadata_needs_no_user_and_says_where_tokens_come_from():
    """It is what a client without a token reads first (RFC 9728 §3.2)."""
    site = api_site()

    answer = await site.call(PATH)

    assert document(answer) == {
        "resource": ORIGIN,
        "authorization_servers": [site.provider.issuer],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
    }
    assert answer.header(b"content-type") == b"application/json"
    assert answer.header(b"access-control-allow-origin") == b"*"
    assert answer.header(b"cache-control") == b"no-store"
    assert answer.header(b"set-cookie") is None
    assert site.app.scopes == []


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({"app_name": "Orders"}, {"resource_name": "Orders"}),
        ({"bearer": Bearer(API, dpop="require")}, {"dpop_bound_access_tokens_required": True}),
        ({"bearer": Bearer(API, mtls="require")}, {"tls_client_certificate_bound_access_tokens": True}),
        (
            {"bearer": Bearer(API, client_certificate_header="client-cert", client_certificate_proxies=["10.0.0.7"])},
            {"tls_client_certificate_bound_access_tokens": True},
        ),
        (
            {"rules": [Rule("/orders/*", scopes=["write", "read"]), Rule("/x", scopes=["read"]), Rule("/y")]},
            {"scopes_supported": ["read", "write"]},
        ),
    ],
)
async def test_a_member_is_there_where_it_applies(settings, members):
    """A client asks for the scopes, and for the kind of token, that the API needs."""
    found = await metadata(**settings)

    assert found == {**await metadata(), **members}


async def test_a_challenge_names_the_url_of_the_metadata():
    """A client that gets a 401 needs nothing but the URL of the API (RFC 9728 §5.1)."""
    site = api_site(rules=[Rule("/*", login=False)])

    answer = await site.call("/page", headers={"authorization": "Bearer no.such.token"})

    assert challenges(answer)[0].startswith(f'Bearer resource_metadata="{ORIGIN}{PATH}"')


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer no.such.token"}, {"cookie": "__Host-oidc=x"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_no_credential_matters(method, headers):
    """Even a client whose token is refused has to find out where to get another one."""
    site = api_site(rules=[Rule("/*", claims={"role": "admin"}), Rule("/.well-known/*", claims={"role": "admin"})])

    answer = await site.call(PATH, method=method, headers=headers)

    assert (answer.status, site.app.scopes) == (200, [])
    assert int(answer.header(b"content-length") or b"") > 0
    assert bool(answer.sent[1]["body"]) == (method == "GET")


async def test_a_script_of_any_site_may_read_it():
    """A browser-based client asks first, with the headers that it will send (Fetch §3.2)."""
    site = api_site()
    asked = {
        "origin": "https://inspector.example.org",
        "access-control-request-method": "GET",
        "access-control-request-headers": "mcp-protocol-version",
    }

    answer = await site.call(PATH, method="OPTIONS", headers=asked)

    assert answer.status == 204
    assert answer.header(b"access-control-allow-origin") == b"*"
    assert answer.header(b"access-control-allow-methods") == b"GET, HEAD"
    assert answer.header(b"access-control-allow-headers") == b"mcp-protocol-version"
    assert answer.header(b"access-control-allow-credentials") is None


@pytest.mark.parametrize("names", [None, "a\r\nset-cookie: b", "a" * 1025, "a b(c)"])
async def test_a_preflight_grants_no_header_that_it_cannot_read(names):
    """What is sent back has to be plain names."""
    asked = {"origin": "https://x.example", "access-control-request-method": "GET"}
    headers = asked if names is None else {**asked, "access-control-request-headers": names}

    answer = await api_site().call(PATH, method="OPTIONS", headers=headers)

    assert (answer.status, answer.header(b"access-control-allow-headers")) == (204, None)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_any_other_method_is_refused(method):
    """There is nothing to change."""
    answer = await api_site().call(PATH, method=method)

    assert (answer.status, answer.header(b"allow")) == (405, b"GET, HEAD, OPTIONS")


async def test_without_bearer_the_path_belongs_to_the_app():
    """An app may describe an API of its own."""
    site = Site(public=[PATH])

    assert (await site.call(PATH)).status == 200
    assert len(site.app.scopes) == 1


@pytest.mark.parametrize(
    ("base_url", "audiences", "expected"),
    [
        (ORIGIN, [API], [(ORIGIN, PATH)]),
        (ORIGIN, ["api://orders", "orders", "http://app.example.com"], [(ORIGIN, PATH)]),
        (ORIGIN, [ORIGIN], [(ORIGIN, PATH)]),
        (ORIGIN, [f"{ORIGIN}/"], [(f"{ORIGIN}/", PATH)]),
        (f"{ORIGIN}/", [API], [(f"{ORIGIN}/", PATH)]),
        (ORIGIN, [f"{ORIGIN}/mcp"], [(f"{ORIGIN}/mcp", f"{PATH}/mcp")]),
        (ORIGIN, [f"{ORIGIN}/mcp/"], [(f"{ORIGIN}/mcp/", f"{PATH}/mcp")]),
        (ORIGIN, [f"{ORIGIN}:443/mcp"], [(f"{ORIGIN}:443/mcp", f"{PATH}/mcp")]),
        (
            ORIGIN,
            [f"{ORIGIN}/mcp", API, ORIGIN],
            [(ORIGIN, PATH), (f"{ORIGIN}/mcp", f"{PATH}/mcp")],
        ),
        (ORIGIN, [f"{ORIGIN}/mcp?x=1"], [(ORIGIN, PATH)]),
        (f"{ORIGIN}/admin", [API], [(f"{ORIGIN}/admin", f"{PATH}/admin")]),
        (f"{ORIGIN}/admin", [f"{ORIGIN}/admin"], [(f"{ORIGIN}/admin", f"{PATH}/admin")]),
        (f"{ORIGIN}/admin", [f"{ORIGIN}/admin/mcp"], [(f"{ORIGIN}/admin/mcp", f"{PATH}/admin/mcp")]),
        (f"{ORIGIN}/admin", [ORIGIN], [(f"{ORIGIN}/admin", f"{PATH}/admin")]),
        (f"{ORIGIN}/admin", [f"{ORIGIN}/administration"], [(f"{ORIGIN}/admin", f"{PATH}/admin")]),
    ],
)
def test_the_resource_is_the_audience_if_that_is_a_url_of_ours(base_url, audiences, expected):
    """A client compares it with the URL that it started from, and gets tokens for it (RFC 9728 §3.3, RFC 8707)."""
    found = resources_of(base_url, audiences)

    assert [(resource.url, resource.metadata_path) for resource in found] == expected
    assert all(resource.metadata_url == f"{ORIGIN}{resource.metadata_path}" for resource in found)


@pytest.mark.parametrize(
    ("path", "resource", "scopes"),
    [
        (PATH, ORIGIN, ["admin", "all", "mcp", "tools"]),
        (f"{PATH}/", ORIGIN, ["admin", "all", "mcp", "tools"]),
        (f"{PATH}/mcp", f"{ORIGIN}/mcp", ["all", "mcp", "tools"]),
        (f"{PATH}/mcp/", f"{ORIGIN}/mcp", ["all", "mcp", "tools"]),
    ],
)
async def test_each_of_several_resources_has_its_own_scopes(path, resource, scopes):
    """A client that asks for all of them asks for no more than its API needs."""
    rules = [
        Rule("/*", scopes=["all"]),
        Rule("/mcp", scopes=["mcp"]),
        Rule("/mcp/tools/*", scopes=["tools"]),
        Rule("/mc", scopes=["admin"]),
        Rule("/mcpx/*", scopes=["admin"]),
    ]

    found = await metadata(path, rules=rules, bearer=Bearer([f"{ORIGIN}/mcp", ORIGIN]))

    assert (found["resource"], found["scopes_supported"]) == (resource, scopes)


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/mcp", "/mcp"),
        ("/mcp/tools", "/mcp/tools"),
        ("/mcp/tools/x", "/mcp/tools"),
        ("/mcp/toolsx", "/mcp"),
        ("/mcpx", ""),
        ("/page", ""),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer no.such.token"}])
async def test_a_challenge_leads_to_the_metadata_of_its_own_api(path, resource, headers):
    """A client compares `resource` with the URL of its request (RFC 9728 §3.3)."""
    site = api_site(bearer=Bearer([f"{ORIGIN}/mcp", ORIGIN, f"{ORIGIN}/mcp/tools"]))

    answer = await site.call(path, headers=headers)

    assert f'resource_metadata="{ORIGIN}{PATH}{resource}"' in challenges(answer)[0]


async def test_a_rule_above_an_api_counts_for_it_and_one_of_the_same_name_elsewhere_does_not():
    """Paths are compared from their start, segment by segment."""
    rules = [Rule("/api/*", scopes=["api"]), Rule("/api", scopes=["exact"]), Rule("/mcp/*", scopes=["other"])]

    found = await metadata(f"{PATH}/api/mcp", rules=rules, bearer=Bearer(f"{ORIGIN}/api/mcp"))

    assert found["scopes_supported"] == ["api"]


async def test_scopes_of_sessions_are_not_offered():
    """No token gets in there, whatever its scopes."""
    rules = [Rule("/a", scopes=["a"], credentials=["session"]), Rule("/b", scopes=["b"], credentials=["bearer"])]

    assert (await metadata(rules=rules))["scopes_supported"] == ["b"]


async def test_a_path_of_no_resource_belongs_to_the_app():
    """Another app of the site may be there."""
    site = api_site(public=[f"{PATH}/other"])

    await site.call(f"{PATH}/other")

    assert len(site.app.scopes) == 1


async def test_each_host_describes_its_own_resource():
    """The origin is that of the host; any other host gets the first."""
    site = api_site(base_url=["https://a.example.com", "https://b.example.org"], bearer=Bearer("https://a.example.com"))

    found = [
        document(await site.call(PATH, headers={"host": host}))["resource"]
        for host in ("a.example.com", "B.example.org", "evil.example")
    ]

    assert found == ["https://a.example.com", "https://b.example.org", "https://a.example.com"]


# --- which providers


async def test_every_provider_whose_tokens_count_is_listed():
    """A client chooses one of them; an OAuth2 provider issues no tokens for this API."""
    github = OAuth2Provider.github(client_id="gh", client_secret="s3cret")
    providers = named(work=provider("work.example"), github=github, partners=provider("partners.example"))

    all_of_them = await metadata(**providers)
    one = await metadata(**providers, bearer=Bearer(API, providers=["partners"]))

    assert all_of_them["authorization_servers"] == ["https://work.example", "https://partners.example"]
    assert one["authorization_servers"] == ["https://partners.example"]


class Tenants:
    """Looks providers up by name; fails on request."""

    def __init__(self) -> None:
        self.fails = False

    async def get(self, name: str) -> Provider | None:
        """Find all but one."""
        if self.fails:
            raise OSError("down")
        return None if name == "gone" else provider(f"{name}.example")


async def test_providers_that_are_looked_up_are_listed_too():
    """Those that exist now."""
    bearer = Bearer(API, providers=["acme", "gone", "umbrella"])

    found = await metadata(**FLAT, providers=Tenants(), bearer=bearer)

    assert found["authorization_servers"] == ["https://acme.example", "https://umbrella.example"]


async def test_without_any_provider_no_list_is_there():
    """Empty lists must be left out (RFC 9728 §3.2)."""
    found = await metadata(**FLAT, providers=Tenants(), bearer=Bearer(API, providers=["gone"]))

    assert "authorization_servers" not in found


async def test_a_look_up_that_fails_is_a_503():
    """A list without the provider would send clients nowhere."""
    tenants = Tenants()
    tenants.fails = True
    site = api_site(**FLAT, providers=tenants, bearer=Bearer(API, providers=["acme"]))

    answer = await site.call(PATH)
    outer = await ask(site.middleware.protected_resource_metadata, PATH)

    assert (answer.status, outer.status) == (503, 503)
    assert outer.header(b"retry-after") == b"5"


TENANTS = [f"{number:08x}-2b34-4da1-9baa-8bc8c9d6a490" for number in range(MAX_LISTED_TENANTS + 1)]


@pytest.mark.parametrize(
    ("tenants", "issuers"),
    [
        (TENANTS[:1], [f"https://login.microsoftonline.com/{TENANTS[0]}/v2.0"]),
        (TENANTS[:2], [f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in TENANTS[:2]]),
        (TENANTS[:-1], [f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in TENANTS[:-1]]),
        (TENANTS, ["https://login.microsoftonline.com/organizations/v2.0"]),
        ([*TENANTS, PERSONAL_ACCOUNTS], ["https://login.microsoftonline.com/common/v2.0"]),
        ("organizations", ["https://login.microsoftonline.com/organizations/v2.0"]),
    ],
)
def test_each_tenant_is_an_authorization_server(tenants, issuers):
    """As long as a client can choose from the list."""
    entra = Provider.entra(tenants=tenants, client_id="web", client_secret="s3cret")

    assert issuers_of(entra.settings) == issuers
