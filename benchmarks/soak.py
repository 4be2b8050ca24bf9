"""Does anything grow under full load, with logins, refreshes, sign-outs and requests mixed?

Run it as `python -m benchmarks.soak [SECONDS]`; the default is ten minutes. It needs `wrk`, which requests pages as
fast as the machine allows, while other users sign in and out. The app is a process of its own, with caches small enough
to be full after some minutes; its memory, sockets, tasks and locks are measured twelve times. It fails if there is more
at the end than in the middle, beyond normal variation.
"""

import asyncio
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import httpx
from benchmarks.fleet import Server, requests_per_second, serving, sign_in
from benchmarks.harness import Figures
from benchmarks.logins import NAVIGATION, TLS

SECONDS = 600
LOOKS = 12
PROCESSES = max(1, len(os.sched_getaffinity(0)) - 1)
BROWSERS = 8  # in each
LIFETIME = 2  # seconds of an access token: a request that asks for it renews it
OWN_PAGE = NAVIGATION | {"sec-fetch-site": "same-origin"}
OUT_OF_TEN = {"page": 6, "token": 2, "log in again": 1, "log out": 1}
COMES_AND_GOES = {
    "MB": 4.0,
    "files and sockets": BROWSERS * PROCESSES,
    "threads": 2,
    "tasks": 8,
    "locks and events": 24,
}


async def browse(url: str, ends_at: float, done: Counter[str]) -> None:
    """Act as one user after the other, until the time is over."""
    deeds = [deed for deed, times in OUT_OF_TEN.items() for _ in range(times)]
    while time.monotonic() < ends_at:
        async with httpx.AsyncClient(headers=OWN_PAGE | {"origin": url}, verify=TLS) as browser:
            await log_in(browser, url, done)
            for _ in range(random.randint(1, 40)):
                deed = random.choice(deeds)
                done[deed] += 1
                match deed:
                    case "page":
                        await expect(browser.get(f"{url}/orders"), 200)
                    case "token":
                        await expect(browser.get(f"{url}/token"), 200)
                    case "log in again":
                        await log_in(browser, url, done)
                    case _:
                        await expect(browser.post(f"{url}/auth/logout"), 303)
                        break


async def log_in(browser: httpx.AsyncClient, url: str, done: Counter[str]) -> None:
    """Sign in as a browser that the provider knows."""
    done["logins"] += 1
    headers = {"sec-fetch-user": "?1", "referer": f"{url}/"}
    away = await expect(browser.get(f"{url}/auth/login", headers=headers), 303)
    back = await expect(browser.send(away.next_request), 302, 303)  # type: ignore[arg-type]
    await expect(browser.send(back.next_request), 303)  # type: ignore[arg-type]


async def expect(asked: Any, *statuses: int) -> httpx.Response:
    """Return a response if it has the expected status."""
    answer: httpx.Response = await asked
    if answer.status_code not in statuses:
        raise RuntimeError(
            f"{answer.status_code} for {answer.request.method} {answer.request.url.path}: {answer.text[:300]}"
        )
    return answer


def look(app: Server, done: Counter[str]) -> dict[str, Any]:
    """Measure what the app's process holds."""
    inside = httpx.get(f"{app.url}/public/inside").json()
    return {
        "MB": round(app.memory() / 1e6, 1),
        "files and sockets": app.process.num_fds(),
        "threads": app.process.num_threads(),
        **inside,
        "requests": done.total(),
        "CPU s": round(app.cpu(), 1),
    }


async def browse_together(url: str, seconds: float) -> Counter[str]:
    """Act as several concurrent users."""
    done: Counter[str] = Counter()
    ends_at = time.monotonic() + seconds
    await asyncio.gather(*(browse(url, ends_at, done) for _ in range(BROWSERS)))
    return done


def load(url: str, seconds: float) -> Counter[str]:
    """Do the same in a process of its own, because browsers cost more than the app."""
    return asyncio.run(browse_together(url, seconds))


def soak(app: Server, seconds: float) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Load the app, and measure it from time to time."""
    done: Counter[str] = Counter()
    looks = []
    each = max(1, round(seconds / LOOKS))
    spawn = multiprocessing.get_context("spawn")  # a fork beside threads may take a lock along that nobody gives back
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool, ThreadPoolExecutor() as beside:
        for _ in range(LOOKS):
            one_more = sign_in(app.url)
            pages = beside.submit(requests_per_second, f"{app.url}/orders", one_more, seconds=each, connections=8)
            done += sum(pool.map(load, [app.url] * PROCESSES, [each] * PROCESSES), Counter())
            done["pages by wrk"] += round(pages.result() * each)
            time.sleep(0.2)  # what answers leave behind has landed
            looks.append(look(app, done))
            print("   ".join(f"{name} {value}" for name, value in looks[-1].items()), flush=True)
    return looks, done


def grown(middle: Mapping[str, float], end: Mapping[str, float]) -> list[str]:
    """Return the names of what has grown."""
    return [
        f"{name}: {middle[name]} in the middle, {end[name]} at the end, where at most {more} come and go"
        for name, more in COMES_AND_GOES.items()
        if end[name] > middle[name] + more
    ]


def main() -> int:
    """Run the soak test, and report what has grown between the middle and the end."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with (
        serving("provider", ACCESS_TOKEN_LIFETIME=str(LIFETIME)) as provider,
        serving("soak", provider=provider.url) as app,
    ):
        looks, done = soak(app, seconds)
    middle, end = looks[len(looks) // 2 - 1], looks[-1]
    figures = Figures("soak")
    for name in COMES_AND_GOES:
        figures.row(f"{name}, middle", middle[name], "")
        figures.row(f"{name}, end", end[name], "")
    figures.row(f"CPU of the app in {seconds:.0f} s", end["CPU s"], "s")
    for deed, count in sorted(done.items()):
        figures.row(deed, count, "times")
    figures.save()
    found = grown(middle, end)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
