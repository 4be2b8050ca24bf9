"""How many requests per second does a whole server keep, with one worker, if each request needs its user?

Run it as `python -m benchmarks.servers`; it needs `wrk`, `redis-server` and `postgresql`. Sites that are compared run
at the same time, and are loaded in short bursts, in turn and back again. Figures are requests per second of the
server's own CPU, which other load on the machine hardly changes; the ratio by the clock stands beside them. With
`--quick` there are only a few bursts, and nothing is saved; names of apps (`Starlette`), `others` or `stores` choose
what is measured.
"""

import argparse
import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

from benchmarks.fleet import Burst, Server, burst, postgres_server, redis_server, serving, sign_in
from benchmarks.harness import Figures
from benchmarks.pairs import Spread, spread_of, there_and_back
from benchmarks.sites import OurSite, signed_cookie

STARTS, GROUPS = 4, 8  # of the servers; and of bursts each time
SECONDS = 0.4  # of a burst
BARE = "bare app"
APPS = (BARE, "Starlette", "FastAPI", "Litestar")
SERVERS = ("uvicorn", "granian")
STORE_SERVERS = {"redis": redis_server, "postgres": postgres_server}
STORES = {None: "", "memory": ", MemoryStore", "redis": ", Redis", "postgres": ", PostgreSQL"}


@dataclass(frozen=True)
class Site:
    """One of the sites that `benchmarks/serve.py` serves."""

    name: str
    store: str | None = None
    server: str = "uvicorn"

    @property
    def label(self) -> str:
        """What the tables call it."""
        return self.name + STORES[self.store] + ("" if self.server == "uvicorn" else f", {self.server}")

    def cookie(self, server: Server) -> str:
        """Sign in, if the site needs it; return the cookies, which other sites get with the same content."""
        if "asgi-oidc" in self.name:
            return sign_in(server.url)
        if self.name == "starsessions":
            return sign_in(server.url, "/sign-in")
        return signed_cookie(asyncio.run(OurSite().content()))


@dataclass(frozen=True)
class Comparison:
    """Sites that are measured together, and the pairs of them that are compared.

    Attributes:
        pairs: by the name of the figure, the places of a site and of its reference.
    """

    name: str
    sites: Sequence[Site]
    pairs: Mapping[str, tuple[int, int]]


def comparison_of(app: str, server: str) -> Comparison:
    """Compare an app alone, in `SessionMiddleware` and in this library."""
    wrapped = [each if app == BARE else f"{app} in {each}" for each in ("SessionMiddleware", "asgi-oidc")]
    sites = [Site(name, server=server) for name in (app, *wrapped)]
    _, session_middleware, ours = (site.label for site in sites)
    return Comparison(app, sites, {session_middleware: (1, 0), ours: (2, 0), f"{ours}, over SessionMiddleware": (2, 1)})


def comparisons() -> Iterator[Comparison]:
    """Return all comparisons."""
    for server, app in product(SERVERS, APPS):
        yield comparison_of(app, server)
    others = [Site(BARE), Site("no-op middleware"), Site("SessionMiddleware + AuthenticationMiddleware")]
    yield Comparison("others", others, {site.label: (place, 0) for place, site in enumerate(others) if place})
    stores = [Site("asgi-oidc", store) for store in ("memory", "redis", "postgres")]
    sites = [Site(BARE), *stores, Site("starsessions", "redis"), Site("asgi-oidc")]
    pairs = {sites[place].label: (place, 0) for place in range(1, 5)}
    pairs |= {f"{sites[1].label}, over sealed cookies": (1, 5), f"{sites[2].label}, over starsessions": (2, 4)}
    yield Comparison("stores", sites, pairs)


class Load:
    """Starts the sites of comparisons, and loads them."""

    def __init__(self, *, starts: int, groups: int) -> None:
        self.starts = starts
        self.groups = groups
        self.app_core, *_, self.load_core = sorted(os.sched_getaffinity(0))

    def bursts(self, sites: Sequence[Site]) -> list[list[list[Burst]]]:
        """Return what each site did in both bursts of a group, for each start, each group."""
        return [list(self._once(sites)) for _ in range(self.starts)]

    def _once(self, sites: Sequence[Site]) -> Iterator[list[Burst]]:
        with ExitStack() as stack:
            running = list(self._started(sites, stack))
            self._group(running)  # the first requests are slower
            for _ in range(self.groups):
                yield self._group(running)

    def _started(self, sites: Sequence[Site], stack: ExitStack) -> Iterator[tuple[Server, str]]:
        provider = stack.enter_context(serving("provider"))
        urls = {
            name: stack.enter_context(start())
            for name, start in STORE_SERVERS.items()
            if name in {site.store for site in sites}
        }
        for site in sites:
            store = urls.get(site.store or "", site.store)
            server = stack.enter_context(
                serving(site.name, provider=provider.url, store=store, core=self.app_core, SERVER=site.server)
            )
            yield server, site.cookie(server)

    def _group(self, running: Sequence[tuple[Server, str]]) -> list[Burst]:
        found: list[list[Burst]] = [[] for _ in running]
        for which in there_and_back(len(running)):
            server, cookie = running[which]
            found[which].append(burst(server, cookie, seconds=SECONDS, core=self.load_core))
        return [
            Burst(sum(it.per_second for it in both) / 2, sum(it.per_cpu_second for it in both) / 2) for both in found
        ]


def spread_of_ratio(runs: Sequence[Sequence[Sequence[float]]], site: int, reference: int) -> Spread:
    """Return the ratio of two sites.

    Args:
        runs: for each start, each group, what each site reached.
    """
    return spread_of([[group[site] / group[reference] for group in run] for run in runs], neutral=1)


def measure(load: Load, comparison: Comparison, figures: Figures) -> None:
    """Load the sites of one comparison, and add a figure for each pair."""
    found = load.bursts(comparison.sites)
    rates = [[[it.per_second for it in group] for group in run] for run in found]
    per_cpu = [[[it.per_cpu_second for it in group] for group in run] for run in found]
    for name, (site, reference) in comparison.pairs.items():
        figures.row(
            name,
            spread_of([[group[site] for group in run] for run in per_cpu]),
            "requests/s of CPU",
            over=comparison.sites[reference].label,
            ratio=spread_of_ratio(per_cpu, site, reference),
            ratio_by_clock=spread_of_ratio(rates, site, reference),
        )


def main() -> None:
    """Measure one comparison after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="measure little, and save nothing")
    parser.add_argument("only", nargs="*", help="apps, 'others' or 'stores'; nothing is saved either")
    arguments = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        raise RuntimeError("a server and its load need a core each")
    load = Load(starts=1, groups=3) if arguments.quick else Load(starts=STARTS, groups=GROUPS)
    figures = Figures("servers", is_quick=arguments.quick or bool(arguments.only))
    for comparison in comparisons():
        if not arguments.only or comparison.name in arguments.only:
            measure(load, comparison, figures)
    figures.save()


if __name__ == "__main__":
    main()
