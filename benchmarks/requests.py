"""What does it cost a request to know its user? This library and its peers, around the same small app.

Each case is measured in turn with the app or middleware below it, which gets the same requests: making a request with a
long cookie takes time, whoever reads it. Ratios are to `SessionMiddleware` with an ID Token, measured in turn as well:
they are stable while the machine is slow, microseconds are not. Run it as `python -m benchmarks.requests`.
"""

import itertools
from dataclasses import replace
from typing import Any

from benchmarks.harness import Harness, Make
from benchmarks.peers import PEERS, no_op
from benchmarks.sites import SEALED, App, OurSite, Scope, Site

from asgi_oidc import MemoryStore, Rule


class OthersSignOut:
    """Ends the session of another user before each request."""

    def __init__(self, app: App, watcher: Any) -> None:
        self.app = app
        self.watcher = watcher
        self.numbers = itertools.count()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Call the app."""
        self.watcher.revocations.end(f"session-{next(self.numbers)}", now=self.watcher.now())
        await self.app(scope, receive, send)


async def seen_before() -> Site:
    return await OurSite().signed_in()


async def with_a_rule() -> Site:
    return await OurSite(rules=[Rule("/orders/*", claims={"email": "alice@example.com"})]).signed_in()


async def while_others_sign_out() -> Site:
    site = OurSite()
    signed_in = await site.signed_in()
    return replace(signed_in, app=OthersSignOut(site.app, site.watcher))


async def no_op_while_others_sign_out() -> Site:
    return Site(OthersSignOut((await no_op()).app, OurSite().watcher))


async def not_seen_before() -> Site:
    return await OurSite().signed_in_again_and_again(SEALED)


async def while_others_change() -> Site:
    site = OurSite()
    own = await site.sign_in()
    return Site(site.app, [f"{own}; _ga_count={number}" for number in range(SEALED)])


async def in_memory() -> Site:
    return await OurSite(store=MemoryStore()).signed_in()


async def public_path() -> Site:
    return Site(OurSite().app, paths=["/public/page"])


OURS: dict[str, tuple[Make, Make]] = {
    "asgi-oidc, session seen before": (seen_before, no_op),
    "asgi-oidc, the same with a claims rule": (with_a_rule, no_op),
    "asgi-oidc, the same, somebody has signed out just now": (while_others_sign_out, no_op_while_others_sign_out),
    "asgi-oidc, the same, other cookies change": (while_others_change, no_op),
    "asgi-oidc, cookie not seen before": (not_seen_before, no_op),
    "asgi-oidc, MemoryStore": (in_memory, no_op),
    "asgi-oidc, public path, nobody": (public_path, no_op),
}
REFERENCE = "SessionMiddleware with ID Token"


def asked_the_same(make: Make, make_under: Make) -> Make:
    """Make the requests of one site at another site."""

    async def under() -> Site:
        return replace(await make(), app=(await make_under()).app)

    return under


def main() -> None:
    """Measure what each adds to the site below it, and its ratio to what the reference adds."""
    harness = Harness("requests")
    if harness.is_main:
        print(f"(us: more than without it; ratio: of what {REFERENCE} takes)", flush=True)
    sites = OURS | {peer.name: (peer.make, peer.make_under) for peer in PEERS}
    cases = {name: (make, asked_the_same(make, make_under)) for name, (make, make_under) in sites.items()}
    for name, case in cases.items():
        harness.ratio_of_added(f"{name}, over {REFERENCE}", case, cases[REFERENCE])
        harness.added(name, *case)
    if not harness.is_main:
        return
    for name in cases:
        ratio = harness.spread[f"{name}, over {REFERENCE}"]
        harness.row(name, harness.spread[name].times(1e6), "us", ratio=ratio)
    harness.save()


if __name__ == "__main__":
    main()
