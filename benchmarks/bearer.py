"""What does an access token cost a request, beside a session? Seen before, new, and with a proof of possession.

Run it as `python -m benchmarks.bearer`. Every case is measured in turn with the same requests at a middleware that does
nothing, and with what it is compared with: a session seen before, or a signature check by joserfc or PyJWT alone.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt as pyjwt
from benchmarks.harness import Harness, Make
from benchmarks.peers import no_op
from benchmarks.requests import asked_the_same, seen_before
from benchmarks.sites import ORIGIN, App, OurSite, Scope, Site, bare
from joserfc import jwt
from joserfc.jwk import KeySet

from asgi_oidc import Bearer
from asgi_oidc.testing import DPoPKey, FakeProvider

API = "https://api.example.com"
NEW = 12_000  # tokens in turn, each of another user: more than are kept, so that each is verified anew
PROOFS = 12_000  # each is used once
KNOWN_LIMIT, NEW_LIMIT = 3, 10  # us over a session seen before, and over one signature check
ALGORITHMS = ("RS256", "ES256")

Verify = Callable[[str], object]


class Verifier:
    """A middleware that does nothing but verify the token of each request, with a library alone."""

    def __init__(self, app: App, verify: Verify) -> None:
        self.app = app
        self.verify = verify

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Verify the token and call the app."""
        header = next(value for name, value in scope["headers"] if name == b"authorization")
        self.verify(header.decode("ascii").partition(" ")[2])
        await self.app(scope, receive, send)


def verify_with_joserfc(provider: FakeProvider) -> Verify:
    """Check signature and dates with joserfc."""
    keys = KeySet.import_key_set({"keys": [provider.key.public_jwk()]})
    claims = jwt.JWTClaimsRegistry(now=None, leeway=30, iss={"value": provider.issuer}, aud={"value": API})

    def verify(token: str) -> object:
        verified = jwt.decode(token, keys, algorithms=[provider.alg])
        claims.validate(verified.claims)
        return verified

    return verify


def verify_with_pyjwt(provider: FakeProvider) -> Verify:
    """Check signature, dates, issuer and audience with PyJWT."""
    key = pyjwt.PyJWK.from_dict(provider.key.public_jwk())
    return lambda token: pyjwt.decode(token, key, algorithms=[provider.alg], audience=API, issuer=provider.issuer)


VERIFIERS: Mapping[str, Callable[[FakeProvider], Verify]] = {
    "joserfc": verify_with_joserfc,
    "PyJWT": verify_with_pyjwt,
}


def tokens_of(provider: FakeProvider, count: int) -> list[str]:
    """Mint header lines with access tokens, each of another user."""
    return [
        f"authorization: Bearer {provider.access_token('alice', audience=API, claims={'sub': f'user-{number}'})}"
        for number in range(count)
    ]


def api(alg: str) -> OurSite:
    """Make a site that takes access tokens."""
    return OurSite(provider=FakeProvider(alg=alg), bearer=Bearer(audience=API))


async def token_seen_before() -> Site:
    site = api("ES256")
    return Site(site.app, lines=tokens_of(site.provider, 1))


async def session_of_an_api() -> Site:
    return await api("ES256").signed_in()


def new_token(alg: str) -> Make:
    """Make a site whose every request brings a token that is new to it."""

    async def make() -> Site:
        site = api(alg)
        return Site(site.app, lines=tokens_of(site.provider, NEW))

    return make


def verified_by(library: str, alg: str) -> Make:
    """Make a site that only verifies the same tokens with a library."""

    async def make() -> Site:
        provider = FakeProvider(alg=alg)
        verify = VERIFIERS[library](provider)
        return Site(Verifier(bare, verify), lines=tokens_of(provider, NEW))

    return make


async def with_proofs() -> Site:
    site, key = api("ES256"), DPoPKey(clock=time.time)
    token = site.provider.access_token("alice", audience=API, dpop_key=key)
    proofs = (key.proof("GET", f"{ORIGIN}/orders", access_token=token) for _ in range(PROOFS))
    return Site(site.app, lines=[f"authorization: DPoP {token}\ndpop: {proof}" for proof in proofs])


def main() -> None:
    """Measure what each adds, then what it adds beyond what it is compared with."""
    harness = Harness("bearer")
    over_no_op: dict[str, Make] = {
        "session seen before": seen_before,
        "session seen before, in an app that takes tokens": session_of_an_api,
        "token seen before": token_seen_before,
        **{f"new token, {alg}": new_token(alg) for alg in ALGORITHMS},
        **{f"{library} alone, {alg}": verified_by(library, alg) for library in VERIFIERS for alg in ALGORITHMS},
    }
    cases = {name: (make, asked_the_same(make, no_op)) for name, make in over_no_op.items()}
    for name, case in cases.items():
        harness.added(name, *case)
    known, session = cases["token seen before"], cases["session seen before"]
    compared = {"token seen before, over a session seen before": (known, session)}
    for alg in ALGORITHMS:
        for library in VERIFIERS:
            name = f"new token, {alg}, over {library} alone"
            compared[name] = (cases[f"new token, {alg}"], cases[f"{library} alone, {alg}"])
    for name, (case, reference) in compared.items():
        harness.difference(name, case, reference)
    with_proof = "token seen before, with a new DPoP proof"
    harness.added(with_proof, with_proofs, asked_the_same(with_proofs, no_op))
    if not harness.is_main:
        return
    for name in (*cases, with_proof):
        harness.row(name, harness.spread[name].times(1e6), "us")
    for name in compared:
        at_most = KNOWN_LIMIT if name.startswith("token") else NEW_LIMIT
        harness.row(name, harness.spread[name].times(1e6), "us", at_most=at_most)
    harness.save()


if __name__ == "__main__":
    main()
