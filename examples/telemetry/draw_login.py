"""Signs a user in at the fake provider, and draws the spans of that login: `python examples/telemetry/draw_login.py`.

It writes `login-light.svg` and `login-dark.svg` next to this file. To see your own logins like this, send the spans to
Jaeger, Grafana Tempo or any other backend of OpenTelemetry.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import anyio
import httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from asgi_oidc import OIDCMiddleware
from asgi_oidc.testing import Browser, FakeProvider

FOLDER = Path(__file__).parent
ORIGIN = "https://app.example.com"
# Seconds that the provider takes, as one over the network does.
SECONDS = {"/.well-known/openid-configuration": 0.062, "/jwks": 0.048, "/token": 0.121, "/userinfo": 0.083}
COLOURS = {
    "light": {"back": "#ffffff", "edge": "#d5dbe3", "ink": "#1c2733", "soft": "#586574", "line": "#e4e9ef"}
    | {"server": "#b8c2cd", "internal": "#2b5fd9", "client": "#1a7f4b"},
    "dark": {"back": "#0f141b", "edge": "#303a46", "ink": "#e8edf3", "soft": "#a3afbc", "line": "#232c37"}
    | {"server": "#4a5664", "internal": "#7ba4ff", "client": "#5fd08f"},
}
ROW, LEFT, WIDTH, RIGHT, TOP, GAP = 30, 232, 400, 68, 64, 54  # pixels
BETWEEN = ("the user signs in at the provider", "signed in: nothing of ours is recorded from now on")
TRACER = trace.get_tracer("the server")


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Be an app with one page."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"orders"})


class Instrumented:
    """Opens a span for each request, as `opentelemetry-instrumentation-asgi` does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        name = f"{scope['method']} {scope['path']}"
        with TRACER.start_as_current_span(name, kind=trace.SpanKind.SERVER):
            await self.app(scope, receive, send)


async def sign_in() -> None:
    """Sign a user in, who then gets the page."""
    fake = FakeProvider(alg="ES256")

    async def over_the_network(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(SECONDS.get(scope["path"], 0))
        await fake(scope, receive, send)

    middleware = OIDCMiddleware(
        page,
        issuer=fake.issuer,
        client_id="web",
        client_secret=fake.clients["web"].client_secret,
        base_url=ORIGIN,
        secret="u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw",  # of an example
        userinfo="always",
        http_client=httpx.AsyncClient(transport=httpx.ASGITransport(app=over_the_network)),
    )
    browser = Browser(Instrumented(middleware), ORIGIN, {fake.origin: fake})
    await browser.sign_in("alice", "/orders")


def requests(finished: Sequence[ReadableSpan]) -> list[list[tuple[int, ReadableSpan]]]:
    """Return the spans of each request as a tree: each span with its depth, parents first."""
    spans = sorted(finished, key=lambda span: span.start_time or 0)
    roots = [span for span in spans if span.parent is None]
    return [list(_tree(root, spans, 0)) for root in roots]


def _tree(span: ReadableSpan, spans: Sequence[ReadableSpan], depth: int) -> Iterator[tuple[int, ReadableSpan]]:
    yield depth, span
    for child in spans:
        if child.parent is not None and span.context is not None and child.parent.span_id == span.context.span_id:
            yield from _tree(child, spans, depth + 1)


def draw(trees: Sequence[Sequence[tuple[int, ReadableSpan]]], colours: Mapping[str, str]) -> str:
    """Draw the requests below each other, on one scale of time."""
    longest = max(_milliseconds(tree[0][1]) for tree in trees)
    height = TOP + sum(len(tree) for tree in trees) * ROW + (len(trees) - 1) * GAP + 16
    width = LEFT + WIDTH + RIGHT
    parts = [_head(width, height, colours)]
    top = TOP
    for number, tree in enumerate(trees):
        if number:
            parts.append(_gap(top, width, BETWEEN[number - 1]))
            top += GAP
        began = tree[0][1].start_time or 0
        for depth, span in tree:
            parts.append(_row(span, depth, top, began=began, longest=longest))
            top += ROW
    return "\n".join([*parts, "</svg>", ""])


def _milliseconds(span: ReadableSpan) -> float:
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e6


def _head(width: int, height: int, colours: Mapping[str, str]) -> str:
    variables = " ".join(f"--{name}: {value};" for name, value in colours.items())
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" \
aria-labelledby="title description">
  <title id="title">The trace of a login</title>
  <desc id="description">
    Three requests. The first starts the login, and fetches the metadata of the provider. After the user has signed in
    there, the callback exchanges the code for tokens, fetches the keys, and calls userinfo. The third gets the page.
  </desc>
  <style>
    svg {{ {variables} }}
    text {{ font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
    text {{ fill: var(--ink); }}
    .soft, .key {{ font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }}
    .soft {{ fill: var(--soft); }}
    .back {{ fill: var(--back); stroke: var(--edge); }}
    .server {{ fill: var(--server); }} .internal {{ fill: var(--internal); }} .client {{ fill: var(--client); }}
    .line {{ stroke: var(--line); fill: none; }}
    .gap {{ stroke: var(--soft); stroke-dasharray: 2 5; fill: none; }}
  </style>
  <rect class="back" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="12"/>
  <rect class="server" x="20" y="22" width="14" height="14" rx="3"/><text class="key" x="42" y="34">the request</text>
  <rect class="internal" x="150" y="22" width="14" height="14" rx="3"/><text class="key" x="172" y="34">asgi-oidc</text>
  <rect class="client" x="268" y="22" width="14" height="14" rx="3"/>\
<text class="key" x="290" y="34">a call to the provider</text>"""


def _row(span: ReadableSpan, depth: int, top: int, *, began: int, longest: float) -> str:
    start = ((span.start_time or 0) - began) / 1e6 / longest * WIDTH
    length = max(_milliseconds(span) / longest * WIDTH, 2)
    kind, middle = span.kind.name.lower(), top + ROW // 2
    return f"""\
  <path class="line" d="M{LEFT} {top + ROW}h{WIDTH}"/>
  <text x="{20 + 14 * depth}" y="{middle + 4}">{escape(span.name)}</text>
  <rect class="{kind}" x="{LEFT + start:.1f}" y="{top + 6}" width="{length:.1f}" height="{ROW - 12}" rx="3"/>
  <text class="soft" x="{LEFT + start + length + 8:.1f}" y="{middle + 4}">{_milliseconds(span):.0f} ms</text>"""


def _gap(top: int, width: int, text: str) -> str:
    middle = top + GAP // 2
    return f"""\
  <path class="gap" d="M20 {middle}H{LEFT - 12}M{LEFT + 6.5 * len(text) + 12:.0f} {middle}H{width - 20}"/>
  <text class="soft" x="{LEFT}" y="{middle + 4}">{text}</text>"""


def main() -> None:
    """Record a login, and draw it for light and dark pages."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    anyio.run(sign_in)
    trees = requests(exporter.get_finished_spans())
    for name, colours in COLOURS.items():
        (FOLDER / f"login-{name}.svg").write_text(draw(trees, colours), encoding="utf-8")


if __name__ == "__main__":
    main()
