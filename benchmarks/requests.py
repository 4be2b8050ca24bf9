"""What does a request pay to know who asks? This library and its peers, over the same small app.

Each is measured over what it stands on, which is asked the same: a long cookie takes time to make, whoever reads it.
Run it as `python -m benchmarks.requests`.
"""

from dataclasses import replace

from benchmarks.harness import Harness, Make
from benchmarks.peers import PEERS
from benchmarks.sites import NoOp, OurSite, Site, bare

from asgi_oidc import MemoryStore, Rule

ROUNDS = 3  # so that what else the machine does for a minute hits none of them alone
SEALED = 12_000  # cookies in turn: more than are kept, so that each is opened anew


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


OURS: dict[str, Make] = {
    "asgi-oidc, session seen before": seen_before,
    "asgi-oidc, the same with a claims rule": with_a_rule,
    "asgi-oidc, the same after 10,000 sign-outs": while_others_sign_out,
    "asgi-oidc, the same, other cookies change": while_others_change,
    "asgi-oidc, cookie not seen before": not_seen_before,
    "asgi-oidc, MemoryStore": in_memory,
    "asgi-oidc, public path, nobody": public_path,
}
REFERENCE = "SessionMiddleware with ID Token"


def asked_the_same(make: Make, make_under: Make) -> Make:
    """Ask one site what another one is asked."""

    async def under() -> Site:
        return replace(await make(), app=(await make_under()).app)

    return under


def main() -> None:
    """Measure all, then say what each adds to what it stands on."""
    harness = Harness("requests", processes=2, values=4)
    cases: list[tuple[str, Make, str, Make]] = [(name, make, "no-op middleware", no_op) for name, make in OURS.items()]
    cases += [(peer.name, peer.make, peer.under, peer.make_under) for peer in PEERS]
    for _ in range(ROUNDS):
        for name, make, under, make_under in cases:
            harness.request(f"{under}, asked as {name}", asked_the_same(make, make_under))
            harness.request(name, make)
    if not harness.is_main:
        return
    added = {name: harness.added(name, f"{under}, asked as {name}") for name, _, under, _ in cases}
    for name, seconds in added.items():
        harness.row(name, seconds * 1e6, "us", ratio=round(seconds / added[REFERENCE], 2))
    harness.save()


if __name__ == "__main__":
    main()
