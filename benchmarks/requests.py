"""What does a request pay to know who asks? This library and its peers, over the same small app.

Run it as `python -m benchmarks.requests`.
"""

from typing import Any

from benchmarks.harness import Harness
from benchmarks.peers import PEERS
from benchmarks.sites import NoOp, OurSite, Site, bare

from asgi_oidc import MemoryStore, Rule

SEALED = 12_000  # cookies in turn: more than are kept, so that each is opened anew


async def bare_app() -> Site:
    return Site(bare)


async def no_op() -> Site:
    return Site(NoOp(bare))


async def seen_before() -> Site:
    return await OurSite().signed_in()


async def with_a_rule() -> Site:
    return await OurSite(rules=[Rule("/orders/*", claims={"email": "alice@example.com"})]).signed_in()


async def while_others_sign_out() -> Site:
    site = OurSite()
    signed_in = await site.signed_in()
    for number in range(10_000):
        site.app._parts.ended.end(f"session-{number}", now=site.app._parts.now())
    return signed_in


async def not_seen_before() -> Site:
    return await OurSite().signed_in_again_and_again(SEALED)


async def while_others_change() -> Site:
    site = OurSite()
    own = await site.sign_in()
    return Site(site.app, [f"{own}; _ga_count={number}" for number in range(SEALED)])


async def in_memory() -> Site:
    return await OurSite(store=MemoryStore()).signed_in()


async def public_path() -> Site:
    return Site(OurSite().app, path="/public/page")


OURS: dict[str, Any] = {
    "asgi-oidc, session seen before": seen_before,
    "asgi-oidc, the same with a claims rule": with_a_rule,
    "asgi-oidc, the same after 10,000 sign-outs": while_others_sign_out,
    "asgi-oidc, the same, other cookies change": while_others_change,
    "asgi-oidc, cookie not seen before": not_seen_before,
    "asgi-oidc, MemoryStore": in_memory,
    "asgi-oidc, public path, nobody": public_path,
}
REFERENCE = "SessionMiddleware with ID Token"


def main() -> None:
    """Measure all, then say what each adds to what it stands on."""
    harness = Harness("requests")
    harness.request("bare app", bare_app)
    harness.request("no-op middleware", no_op)
    for name, make in OURS.items():
        harness.request(name, make)
    for peer in PEERS:
        for name, make in ((peer.under, peer.make_under), (peer.name, peer.make)):
            if name not in harness.seen:
                harness.request(name, make)
    if not harness.is_main:
        return
    added = {name: harness.added(name, "no-op middleware") for name in OURS}
    added |= {peer.name: harness.added(peer.name, peer.under) for peer in PEERS}
    for name, seconds in added.items():
        harness.row(name, seconds * 1e6, "us", ratio=round(seconds / added[REFERENCE], 2))
    harness.save()


if __name__ == "__main__":
    main()
