"""A token that is bound to a key works with a proof of that key for this very request, once (RFC 9449)."""

from typing import Any

import pytest

from asgi_oidc import MemoryStore, Rule
from asgi_oidc.protocol.dpop.check_proof import PROOF_LIFETIME
from asgi_oidc.web.paths import MAX_PATH_LENGTH
from tests.bearer.bound_tokens import KEY, OTHER_KEY, BoundSite, challenge_of, result
from tests.bearer.token_calls import challenges
from tests.protected_site import ORIGIN, Exchange
from tests.scripted_store import ScriptedStore


async def test_a_bound_token_with_its_proof_is_accepted():
    """Each request has a proof of its own, also with a token that was seen before."""
    site = BoundSite()
    token = site.bound()

    answers = [await site.use(token) for _ in range(3)]

    assert [result(answer) for answer in answers] == [(200, "")] * 3
    assert site.app.scope["user"].sub == "alice"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "POST"}, "dpop_htm"),
        ({"url": f"{ORIGIN}/other"}, "dpop_htu"),
        ({"url": "https://evil.example/page"}, "dpop_htu"),
        ({"iat": 0}, "dpop_iat"),
        ({"ath": ...}, "dpop_ath"),
        ({"jti": ...}, "dpop_jti"),
        ({"header": {"typ": "JWT"}}, "dpop_typ"),
        ({"header": {"alg": "none"}}, "dpop_alg"),
        ({"header": {"jwk": {**KEY.public_jwk, "d": "AAAA"}}}, "dpop_jwk"),
        ({"signed_by": OTHER_KEY}, "dpop_signature"),
    ],
    ids=str,
)
async def test_a_wrong_proof_is_refused(changes, code):
    """The client learns that the proof is at fault, and what algorithms it may use."""
    site = BoundSite()
    token = site.bound()

    answer = await site.use(token, **changes)

    assert result(answer) == (401, code)
    assert challenge_of(answer).startswith("DPoP ")
    assert 'error="invalid_dpop_proof"' in challenge_of(answer)
    assert 'algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"' in challenge_of(answer)
    assert not site.app.scopes


async def test_a_proof_of_another_key_is_refused():
    """A stolen token is worth nothing to someone with another key."""
    site = BoundSite()

    answer = await site.use(site.bound(), key=OTHER_KEY)

    assert result(answer) == (401, "dpop_key_mismatch")
    assert 'error="invalid_token"' in challenge_of(answer)


@pytest.mark.parametrize(("count", "code"), [(0, "dpop_missing"), (2, "dpop_repeated")])
async def test_exactly_one_proof_is_needed(count, code):
    """With two, another part of the system might have looked at the other one."""
    site = BoundSite()
    token = site.bound()

    answer = await site.send(token, *(site.proof(token) for _ in range(count)))

    assert result(answer) == (401, code)
    assert 'error="invalid_dpop_proof"' in challenge_of(answer)


async def test_no_proof_is_valid_for_a_path_that_is_too_long_to_be_read():
    """Least of all one for the root, which stands for such a path elsewhere."""
    site = BoundSite()
    token, path = site.bound(), "/page" + "/" * MAX_PATH_LENGTH

    answers = [await site.send(token, site.proof(token, url=f"{ORIGIN}{it}"), path=path) for it in ("/", path)]

    assert [result(answer) for answer in answers] == [(401, "dpop_htu")] * 2


async def test_two_proofs_in_one_header_are_refused():
    """A proxy may join headers."""
    site = BoundSite()
    token = site.bound()

    assert result(await site.send(token, f"{site.proof(token)}, {site.proof(token)}")) == (401, "dpop_malformed")


async def test_a_bound_token_is_no_bearer_token():
    """Even with a good proof: the scheme says which checks the client relies on."""
    site = BoundSite()
    token = site.bound()

    with_proof = await site.send(token, site.proof(token), scheme="Bearer")
    without = await site.send(token, scheme="bearer")

    assert [result(answer) for answer in (with_proof, without)] == [(401, "dpop_scheme")] * 2
    refused, offered = challenges(without)
    assert refused.startswith('Bearer resource_metadata="')
    assert 'error="invalid_token"' in refused
    assert (offered.startswith("DPoP "), "error=" in offered, "algs=" in offered) == (True, False, True)


async def test_a_bearer_token_is_no_dpop_token():
    """Its proof would prove nothing."""
    site = BoundSite()
    token = site.bound(key=None)

    assert result(await site.use(token)) == (401, "dpop_unbound")
    assert result(await site.send(token, scheme="Bearer")) == (200, "")


async def test_both_schemes_of_one_token_are_told_apart_when_it_was_seen_before():
    """What was found out about a token holds for the way in which it was sent."""
    site = BoundSite()
    token = site.bound()

    in_turn = [
        await site.use(token),
        await site.send(token, scheme="Bearer"),
        await site.send(token),
        await site.use(token),
    ]

    assert [answer.status for answer in in_turn] == [200, 401, 401, 200]


async def test_with_require_only_bound_tokens_are_accepted():
    """On public paths too: never weaker than what was claimed."""
    site = BoundSite(bearer={"dpop": "require"})
    token = site.bound(key=None)

    answers = [await site.send(token, scheme="Bearer", path=path) for path in ("/page", "/public/page", "/page")]

    assert [result(answer) for answer in answers] == [(401, "dpop_required")] * 3
    assert challenge_of(answers[0]).startswith("DPoP ")
    assert result(await site.use(site.bound())) == (200, "")


async def test_a_wrong_proof_is_refused_on_public_paths_too():
    """A request that claims to be somebody is never served as anonymous."""
    site = BoundSite()

    assert result(await site.send(site.bound(), path="/public/page")) == (401, "dpop_missing")


async def test_a_proof_works_once():
    """Whoever overhears a request cannot repeat it."""
    site = BoundSite()
    token = site.bound()
    proof = site.proof(token)

    answers = [await site.send(token, proof) for _ in range(2)]

    assert [result(answer) for answer in answers] == [(200, ""), (401, "dpop_replayed")]
    assert 'error="invalid_dpop_proof"' in challenge_of(answers[1])
    assert len(site.app.scopes) == 1


@pytest.mark.parametrize("setting", ["store", "logout_store"])
async def test_a_proof_works_once_in_all_processes_that_share_a_store(setting):
    """Also if they share it for sign-outs only."""
    shared: dict[str, Any] = {setting: MemoryStore()}
    here = BoundSite(**shared)
    there = BoundSite(**shared, provider=here.provider, clock=here.clock)
    token = here.bound()
    proof = here.proof(token)

    assert result(await here.send(token, proof)) == (200, "")
    assert result(await there.send(token, proof)) == (401, "dpop_replayed")
    assert result(await there.use(token)) == (200, "")


async def test_without_the_store_no_request_is_served():
    """Then nobody can tell whether a proof was used."""
    store = ScriptedStore()
    site = BoundSite(store=store)
    token = site.bound()
    store.broken = {"add"}

    answer = await site.use(token)

    assert result(answer) == (503, "store_failed")
    assert answer.header(b"retry-after") is not None
    assert not site.app.scopes


async def test_a_refused_proof_uses_nothing_up():
    """Nothing is remembered before everything is verified, so nobody can use up the ids of others."""
    store = ScriptedStore()
    site = BoundSite(store=store)
    token = site.bound()
    for changes in ({"method": "POST"}, {"signed_by": OTHER_KEY}, {"key": OTHER_KEY}, {"iat": 0}):
        await site.use(token, jti="one", **changes)

    assert "add" not in store.calls
    assert result(await site.use(token, jti="one")) == (200, "")


@pytest.mark.parametrize(("seconds", "status"), [(PROOF_LIFETIME + 29, 200), (PROOF_LIFETIME + 30, 401)])
async def test_a_proof_is_good_for_a_minute(seconds, status):
    """And for the clock skew that is allowed."""
    site = BoundSite()
    token = site.bound()
    proof = site.proof(token)
    site.clock.advance(seconds)

    assert (await site.send(token, proof)).status == status


async def test_query_and_host_do_not_matter():
    """The URL is that of `base_url`: whatever a client writes in Host is not looked at."""
    site = BoundSite()
    token = site.bound()

    answer = await site.send(
        token, site.proof(token), query_string=b"page=2", headers=[("host", "evil.example"), ("x-forwarded-host", "e")]
    )

    assert result(answer) == (200, "")


async def test_a_proof_for_the_host_of_the_request_is_refused_if_that_is_not_ours():
    """A site that passes requests on could use the proofs that were made for it."""
    site = BoundSite()
    token = site.bound()
    proof = site.proof(token, url="https://evil.example/page")

    assert result(await site.send(token, proof, headers=[("host", "evil.example")])) == (401, "dpop_htu")


HOSTS = ["https://app.example.com", "https://api.example.net:8443"]


@pytest.mark.parametrize("asked", HOSTS)
@pytest.mark.parametrize("signed", HOSTS)
async def test_with_several_hosts_the_url_is_that_of_the_one_that_serves_the_request(asked, signed):
    """A proof for one host is not valid for another."""
    site = BoundSite(base_url=HOSTS)
    token = site.bound()
    host = ("host", asked.removeprefix("https://"))

    answer = await site.send(token, site.proof(token, url=f"{signed}/page"), headers=[host])

    assert answer.status == (200 if asked == signed else 401)


@pytest.mark.parametrize(
    ("base_url", "scope"),
    [
        (f"{ORIGIN}/api", {"path": "/api/page", "raw_path": b"/api/page", "root_path": "/api"}),
        (f"{ORIGIN}/api", {"path": "/api/page", "raw_path": b"/api/page", "root_path": ""}),
        (f"{ORIGIN}/api", {"path": "/page", "raw_path": b"/page", "root_path": ""}),  # a proxy removes /api
        (f"{ORIGIN}/api", {"path": "/page", "raw_path": b"/page", "root_path": "/api"}),
        (f"{ORIGIN}/api", {"path": "/page", "raw_path": b"/api/page", "root_path": "/api"}),
        (f"{ORIGIN}/api", {"path": "/api/page", "raw_path": None, "root_path": "/api"}),
    ],
)
async def test_behind_a_mount_the_url_is_the_one_that_the_client_requests(base_url, scope):
    """However the server and the framework split it."""
    site = BoundSite(base_url=base_url)
    token = site.bound()

    assert (await site.send(token, site.proof(token, url=f"{ORIGIN}/api/page"), **scope)).status == 200
    assert (await site.send(token, site.proof(token, url=f"{ORIGIN}/page"), **scope)).status == 401


async def test_methods_are_compared_exactly():
    """A proof for reading is not valid for deleting, nor one for a GET for a HEAD."""
    site = BoundSite()
    token = site.bound()

    statuses = {
        (sent, signed): (await site.send(token, site.proof(token, signed), method=sent)).status
        for sent in ("GET", "HEAD", "DELETE")
        for signed in ("GET", "HEAD", "DELETE")
    }

    assert {pair for pair, status in statuses.items() if status == 200} == {
        (each, each) for each in ("GET", "HEAD", "DELETE")
    }


async def test_a_header_that_overrides_the_method_does_not_change_what_has_to_be_proven():
    """The proof is for the request as it was sent."""
    site = BoundSite()
    token = site.bound()
    override = [("x-http-method-override", "DELETE")]

    assert result(await site.send(token, site.proof(token, "DELETE"), headers=override)) == (401, "dpop_htm")


# --- nonces


async def test_with_nonces_the_client_is_told_one_and_uses_it():
    """RFC 9449 §9: one round trip more, once."""
    site = BoundSite(bearer={"dpop_nonce": True})
    token = site.bound()

    first = await site.use(token)
    nonce = (first.header(b"dpop-nonce") or b"").decode()
    second = await site.use(token, nonce=nonce)

    assert result(first) == (401, "dpop_nonce")
    assert 'error="use_dpop_nonce"' in challenge_of(first)
    assert (first.header(b"cache-control"), nonce != "") == (b"no-store", True)
    assert result(second) == (200, "")
    assert second.header(b"dpop-nonce") is None


async def test_a_nonce_is_renewed_before_it_expires():
    """A client that keeps sending is never turned away."""
    site = BoundSite(bearer={"dpop_nonce": True})
    site.app.headers = [(b"cache-control", b"max-age=60")]
    token = site.bound()
    nonce = ((await site.use(token)).header(b"dpop-nonce") or b"").decode()

    seen = []
    for _ in range(5):
        answer = await site.use(token, nonce=nonce)
        renewed = answer.header(b"dpop-nonce")
        seen.append((answer.status, renewed is not None, answer.header(b"cache-control")))
        nonce = nonce if renewed is None else renewed.decode()
        site.clock.advance(100)

    stays, renews = (200, False, b"private, max-age=60"), (200, True, b"no-store")
    assert seen == [stays, stays, renews, stays, renews]


@pytest.mark.parametrize("nonce", ["made-up", "x" * 600, None])
async def test_other_nonces_are_refused(nonce):
    """Made up, or of another server."""
    site = BoundSite(bearer={"dpop_nonce": True})

    answer = await site.use(site.bound(), nonce=nonce)

    assert answer.status == 401
    assert (answer.header(b"dpop-nonce") is None) == (nonce is not None and len(nonce) > 512)


async def test_an_old_nonce_is_refused_and_replaced():
    """It proves that the proof was made recently."""
    site = BoundSite(bearer={"dpop_nonce": True})
    token = site.bound()
    nonce = ((await site.use(token)).header(b"dpop-nonce") or b"").decode()
    site.clock.advance(330)

    answer = await site.use(token, nonce=nonce)

    assert result(answer) == (401, "dpop_nonce")
    assert answer.header(b"dpop-nonce") not in (None, nonce.encode())


async def test_a_nonce_counts_in_all_processes_with_the_secret():
    """Nothing about it is kept."""
    here = BoundSite(bearer={"dpop_nonce": True})
    there = BoundSite(bearer={"dpop_nonce": True}, provider=here.provider, clock=here.clock)
    token = here.bound()
    nonce = ((await here.use(token)).header(b"dpop-nonce") or b"").decode()

    assert result(await there.use(token, nonce=nonce)) == (200, "")


async def test_without_the_setting_nonces_are_ignored():
    """A client may repeat one of the provider."""
    site = BoundSite()

    answer = await site.use(site.bound(), nonce="of-the-provider")

    assert (result(answer), answer.header(b"dpop-nonce")) == ((200, ""), None)


# --- websockets


@pytest.mark.parametrize(
    ("url", "method", "is_accepted"),
    [
        (f"{ORIGIN}/socket", "GET", True),
        ("wss://app.example.com/socket", "GET", True),
        (f"{ORIGIN}/socket", "WEBSOCKET", False),
        ("ws://app.example.com/socket", "GET", False),
        (f"{ORIGIN}/page", "GET", False),
    ],
)
async def test_the_handshake_of_a_websocket_is_a_get_of_its_url(url, method, is_accepted):
    """RFC 9449 does not mention websockets; RFC 6455 §4.1 says what their handshake is."""
    site = BoundSite()
    token = site.bound()
    exchange = Exchange({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000})
    headers = [
        ("authorization", f"DPoP {token}"),
        ("dpop", site.proof(token, method, url)),
        ("host", "app.example.com"),
    ]
    scope = {
        "type": "websocket",
        "path": "/socket",
        "raw_path": b"/socket",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }

    await site.middleware(scope, exchange.receive, exchange.send)

    assert (exchange.sent[0]["type"] == "websocket.accept") == is_accepted


# --- scripts of other origins


async def test_scripts_of_allowed_origins_can_send_proofs_and_read_the_answers():
    """Otherwise a single-page app could neither find its mistake nor get a nonce."""
    origin = "https://spa.example.com"
    site = BoundSite(bearer={"dpop_nonce": True}, rules=[Rule("/page", origins=[origin])])
    asked = {
        "origin": origin,
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization,dpop",
    }

    preflight = await site.call("/page", method="OPTIONS", headers=asked)
    answer = await site.send(site.bound(), headers=[("origin", origin)])
    token = site.bound()
    told = await site.send(token, site.proof(token), headers=[("origin", origin)])

    assert preflight.header(b"access-control-allow-headers") == b"authorization,dpop"
    assert answer.header(b"access-control-allow-origin") == origin.encode()
    exposed = (told.header(b"access-control-expose-headers") or b"").split(b", ")
    assert {b"www-authenticate", b"dpop-nonce"} <= set(exposed)


# --- secrets


async def test_neither_token_nor_proof_gets_into_the_log(caplog):
    """Whoever reads a log could replay them within a minute."""
    caplog.set_level("DEBUG")
    site = BoundSite(bearer={"dpop_nonce": True})
    token = site.bound()
    proofs = [site.proof(token), site.proof(token, "POST"), site.proof(token, key=OTHER_KEY), site.proof(token, iat=0)]
    for proof in proofs:
        await site.send(token, proof)

    kept = " ".join(record.getMessage() for record in caplog.records)
    secrets = [token, *proofs, *(part for proof in proofs for part in proof.split("."))]
    assert "dpop_htm" in kept
    assert not [secret for secret in secrets if secret in kept]
