"""Writes the tables and plots of README.md from the figures in `results/`: `python -m benchmarks.report`.

The figures are those of the last run of each question, on each Python that has answered it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from benchmarks.harness import RESULTS
from matplotlib import pyplot

HERE = Path(__file__).parent
COLOURS = {"ours": "#1d4ed8", "peers": "#9aa4b1"}
Row = Mapping[str, Any]
Results = dict[str, dict[str, list[Row]]]  # by Python, by question


def all_results() -> Results:
    """Read what there is, older Pythons first."""
    paths = sorted(RESULTS.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}


def value(results: Mapping[str, list[Row]], question: str, name: str, key: str = "value") -> float | None:
    """Find one figure."""
    return next((float(row[key]) for row in results.get(question, ()) if row["name"] == name), None)


def targets(results: Mapping[str, list[Row]]) -> Iterator[tuple[str, str, str, str]]:
    """Hold the figures of one Python against the design: question, target, figure, command."""

    def us(name: str) -> float:
        return value(results, "requests", name) or float("nan")

    plain, signed = us("SessionMiddleware"), us("SessionMiddleware with ID Token")
    hot, cold, public = (
        us(f"asgi-oidc, {name}") for name in ("session seen before", "cookie not seen before", "public path, nobody")
    )
    yield (
        "signed-in request, session seen before, over a no-op middleware",
        "4 us, 1/5 of `SessionMiddleware`",
        f"{hot:.1f} us; {hot / signed:.2f} of it with an ID Token inside as ours has, {hot / plain:.2f} without",
        "requests",
    )
    yield (
        "the same, cookie not seen before",
        "no more than `SessionMiddleware`",
        f"{cold:.1f} us; {cold / signed:.2f} of it with an ID Token, {cold / plain:.2f} without",
        "requests",
    )
    yield "public path, nobody signed in", "2 us", f"{public:.1f} us", "requests"
    kept = value(results, "servers", "asgi-oidc", "ratio") or float("nan")
    theirs = value(results, "servers", "SessionMiddleware", "ratio") or float("nan")
    starlette = value(results, "servers", "Starlette in asgi-oidc", "ratio") or float("nan")
    yield (
        "whole server, of the requests per second without",
        "0.85",
        f"{kept:.2f} of an app that does nothing (`SessionMiddleware`: {theirs:.2f}), {starlette:.2f} of Starlette",
        "servers",
    )
    auto, always = (
        value(results, "logins", f"calls of a login, once warm, userinfo={it}") for it in ("auto", "always")
    )
    yield "calls to the provider for a login, once warm", "1; 2 with userinfo", f"{auto:.0f}; {always:.0f}", "logins"
    cpu = value(results, "logins", "CPU of the app's process for a login") or float("nan")
    yield "CPU of our side for a login, once warm", "3 ms", f"{cpu:.2f} ms", "logins"
    first = [value(results, "logins", f"100 first logins at once: {it}") for it in ("openid-configuration", "jwks")]
    yield (
        "100 first logins at once, cold, provider 100 ms slow",
        "1 discovery, 1 JWKS call",
        f"{first[0]:.0f}, {first[1]:.0f}",
        "logins",
    )
    refreshes = [float(row["value"]) for row in results.get("refresh", ())] or [float("nan")]
    yield (
        "100 requests at once, access token expired, 4 processes",
        "1 refresh call",
        f"{refreshes[0]:.0f}",
        "refresh",
    )
    visitor = value(results, "memory", "for each of 5,000 visitors who have not signed in") or 0.0
    entries = value(results, "memory", "the same, entries in the store")
    yield (
        "server memory for a visitor who has not signed in",
        "0 bytes",
        f"{visitor:.1f} bytes, {entries:.0f} entries",
        "memory",
    )
    bare = (value(results, "start", "import asgi_oidc") or 0) - (value(results, "start", "import httpx") or 0)
    whole = value(results, "start", "from asgi_oidc import OIDCMiddleware, and construct it") or 0
    whole -= value(results, "start", "import httpx") or 0
    yield (
        "`import asgi_oidc`, over `import httpx`",
        "+30 ms",
        f"{bare:+.0f} ms; with a middleware that is made, {whole:+.0f} ms",
        "start",
    )


def tables(everything: Results) -> str:
    """Write all tables."""
    parts = []
    for python, results in everything.items():
        parts += [
            f"### CPython {python}, {results['machine']}, {results['date']}",
            "",
            "| question | target | seen | command |",
        ]
        parts += ["|---|---|---|---|"]
        parts += [f"| {it[0]} | {it[1]} | {it[2]} | `python -m benchmarks.{it[3]}` |" for it in targets(results)]
        parts.append("")
    newest, results = list(everything.items())[-1]
    parts += [f"### All figures of CPython {newest}", ""]
    for question, rows in sorted(results.items()):
        if isinstance(rows, list):
            parts += [f"`python -m benchmarks.{question}`", "", "| | | |", "|---|---|---|"]
            parts += [f"| {row['name']} | {figure_of(row)} | {further(row)} |" for row in rows]
            parts.append("")
    return "\n".join(parts).rstrip()


def figure_of(row: Row) -> str:
    """Write a figure without digits that do not count."""
    digits = 0 if abs(row["value"]) >= 1000 or row["value"] == int(row["value"]) else 2
    return f"{row['value']:,.{digits}f} {row['unit']}".rstrip()


def further(row: Row) -> str:
    """Write what else is known of a figure."""
    return ", ".join(f"{name} {it}" for name, it in row.items() if name not in ("name", "value", "unit"))


def plot_requests(results: Mapping[str, list[Row]]) -> None:
    """Draw what a request pays."""
    rows = list(results["requests"])[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.38 * len(rows) + 1))
    kinds = ["ours" if row["name"].startswith("asgi-oidc") else "peers" for row in rows]
    bars = axes.barh([row["name"] for row in rows], [row["value"] for row in rows], color=[COLOURS[it] for it in kinds])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel("microseconds that a request pays")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "requests")


def plot_growth(results: Mapping[str, list[Row]]) -> None:
    """Draw how that grows."""
    names = list(dict.fromkeys(row["name"] for row in results["growth"]))
    figure, all_axes = pyplot.subplots(2, (len(names) + 1) // 2, figsize=(11, 5.5))
    for axes, name in zip(all_axes.flat, names, strict=False):
        rows = [row for row in results["growth"] if row["name"] == name]
        axes.plot([row["at"] for row in rows], [row["value"] for row in rows], marker="o", color=COLOURS["ours"])
        axes.set_title(name, fontsize=9)
        axes.set_ylim(0, 1.1 * max(row["value"] for row in rows))
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(all_axes.flat)[len(names) :]:
        axes.set_visible(False)
    figure.supylabel("microseconds of a request", fontsize=9)
    save(figure, "growth")


def save(figure: Any, name: str) -> None:
    """Write a plot that reads on light and on dark pages."""
    figure.tight_layout()
    figure.savefig(HERE / f"{name}.svg", metadata={"Date": None}, facecolor="white")


def main() -> None:
    """Write them."""
    mpl.rcParams["svg.hashsalt"] = "asgi-oidc"
    everything = all_results()
    newest = list(everything.values())[-1]
    plot_requests(newest)
    plot_growth(newest)
    readme = HERE / "README.md"
    text = readme.read_text("utf-8")
    made = f"<!-- made by benchmarks.report -->\n\n{tables(everything)}\n\n<!-- end -->"
    readme.write_text(
        re.sub(r"<!-- made by benchmarks.report -->.*<!-- end -->", lambda _: made, text, flags=re.S), "utf-8"
    )


if __name__ == "__main__":
    main()
