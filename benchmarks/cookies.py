"""How many bytes of cookies does a browser send with each request, for the tokens of real providers?

Run it as `python -m benchmarks.cookies`; `python -m benchmarks.rivals` measures other programs with the same tokens.
Both write the table of README.md.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.token_provider import TokenSet, TokenSetProvider
from benchmarks.token_sets import LARGE_SETS, REAL_SETS

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser

README = Path(__file__).parent / "README.md"
FIGURES = Path(__file__).parent / "cookies.json"
MADE = re.compile(r"<!-- made by benchmarks.cookies -->.*?<!-- end of cookies -->", re.S)
MAX_HEADER = 8_000  # bytes of cookies, above which a proxy may refuse every request
ORIGIN = "https://app.example.com"
SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"
OURS: Mapping[str, Mapping[str, Any]] = {
    "asgi-oidc": {},
    'tokens="refresh"': {"tokens": "refresh"},
    'tokens="none"': {"tokens": "none", "scope": "openid profile email"},
}
"""The settings by the column of the table."""
SETS = (*REAL_SETS, *LARGE_SETS)

Sizes = Mapping[str, int | None]
"""Bytes by the name of the token set; None for a session that does not fit."""


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer `ok`."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def cookie_header(token_set: TokenSet, **settings: Any) -> str | None:
    """Sign in with these tokens; return the Cookie header of the next click, or None if the session does not fit."""
    provider = TokenSetProvider(token_set)
    app = OIDCMiddleware(
        hello,
        issuer=provider.issuer,
        client_id=provider.client.client_id,
        client_secret=provider.client.client_secret,
        base_url=ORIGIN,
        secret=SECRET,
        http_client=provider.http_client(),
        **{"scope": "openid profile email offline_access", **settings},
    )
    browser = Browser(app, ORIGIN, {provider.origin: provider})
    page = await browser.sign_in(provider.user.sub, "/orders")
    if page.text != "ok":
        return None
    return browser.jar.header(ORIGIN + "/", is_same_site=True, is_safe_navigation=True)


def size(token_set: TokenSet, **settings: Any) -> int | None:
    """Return the bytes of the Cookie header, the names of the cookies included; None if the session does not fit."""
    header = asyncio.run(cookie_header(token_set, **settings))
    return None if header is None else len(header)


def keep(program: str, sizes: Sizes) -> None:
    """Keep the sizes of a program, and write the table again."""
    figures = {**json.loads(FIGURES.read_text("utf-8")), program: dict(sizes)}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    README.write_text(page(figures), "utf-8")


def page(figures: Mapping[str, Sizes]) -> str:
    """Return README.md with these sizes in its table."""
    lines = [["tokens", *figures], ["---", *("---:" for _ in figures)]]
    lines += [[each.name, *(cell(sizes.get(each.name)) for sizes in figures.values())] for each in SETS]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    made = f"<!-- made by benchmarks.cookies -->\n\n{table}\n\n<!-- end of cookies -->"
    return MADE.sub(lambda _: made, README.read_text("utf-8"))


def cell(found: int | None) -> str:
    """Write a size, with a mark if a proxy may refuse it."""
    if found is None:
        return "does not fit"
    return f"{found:,}" if found <= MAX_HEADER else f"{found:,} ✗"


def main() -> None:
    """Sign in with each token set."""
    for name, settings in OURS.items():
        sizes = {token_set.name: size(token_set, **settings) for token_set in SETS}
        for set_name, found in sizes.items():
            print(f"{name:<32}{set_name:<45}{cell(found)}", flush=True)
        keep(name, sizes)


if __name__ == "__main__":
    main()
