"""Writes the tables and plots of README.md from the figures in `results/`: `python -m benchmarks.report`.

The figures are those of the last run of each question, for each version of Python that it was run with.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.pairs import format_number

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results"
COLOURS = {"ours": "#1d4ed8", "peers": "#9aa4b1"}
MADE = re.compile(r"<!-- made by benchmarks.report -->.*<!-- end -->", re.S)
Row = Mapping[str, Any]
Results = Mapping[str, Mapping[str, Any]]  # by question: when and where it was asked, and the rows

# Question, target, what was seen with places for figures, and those: the name of a row, and of what stands in it.
TARGETS: tuple[tuple[str, str, str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "signed-in request, session seen before, over a no-op middleware",
        "6 us, 1/5 of `SessionMiddleware`",
        "{:.1f} us; {:.2f} of it with an ID Token inside as ours has",
        "requests",
        (("asgi-oidc, session seen before", "value"), ("asgi-oidc, session seen before", "ratio")),
    ),
    (
        "the same, cookie not seen before",
        "1.3 of `SessionMiddleware`",
        "{:.1f} us; {:.2f} of it with an ID Token inside",
        "requests",
        (("asgi-oidc, cookie not seen before", "value"), ("asgi-oidc, cookie not seen before", "ratio")),
    ),
    (
        "public path, nobody signed in",
        "3 us",
        "{:.1f} us",
        "requests",
        (("asgi-oidc, public path, nobody", "value"),),
    ),
    (
        "whole server, of the requests per second without",
        "0.7",
        "{:.2f} of an app that does nothing (`SessionMiddleware`: {:.2f}), {:.2f} of Starlette (it: {:.2f})",
        "servers",
        (
            ("asgi-oidc", "ratio"),
            ("SessionMiddleware", "ratio"),
            ("Starlette in asgi-oidc", "ratio"),
            ("Starlette in SessionMiddleware", "ratio"),
        ),
    ),
    (
        "the same with FastAPI, with Litestar",
        "0.7",
        "{:.2f} (`SessionMiddleware`: {:.2f}), {:.2f} (it: {:.2f})",
        "servers",
        tuple(
            (f"{app} in {it}", "ratio") for app in ("FastAPI", "Litestar") for it in ("asgi-oidc", "SessionMiddleware")
        ),
    ),
    (
        "calls to the provider for a login, once warm",
        "1; 2 with userinfo",
        "{:.0f}; {:.0f}",
        "logins",
        tuple((f"calls of a login, once warm, userinfo={it}", "value") for it in ("auto", "always")),
    ),
    (
        "CPU of our side for a login, once warm",
        "2 ms",
        "{:.2f} ms",
        "logins",
        (("CPU of the app's process for a login", "value"),),
    ),
    (
        "100 first logins at once, cold, provider 100 ms slow",
        "1 discovery, 1 JWKS call",
        "{:.0f}, {:.0f}",
        "logins",
        tuple((f"100 first logins at once: {it}", "value") for it in ("openid-configuration", "jwks")),
    ),
    (
        "100 requests at once, access token expired, 4 processes",
        "1 refresh call",
        "{:.0f}",
        "refresh",
        (("calls to refresh for 100 requests at once, 4 processes, most of 5 rounds", "value"),),
    ),
    (
        "server memory for a visitor who has not signed in",
        "0 bytes",
        "{:.1f} bytes, {:.0f} entries",
        "memory",
        (
            ("for each of 5,000 visitors who have not signed in", "value"),
            ("the same, entries in the store", "value"),
        ),
    ),
    (
        "`import asgi_oidc`, over `import httpx`",
        "+30 ms",
        "{:+.0f} ms, as nothing is loaded before it is used; `from asgi_oidc import OIDCMiddleware` {:+.0f} ms",
        "start",
        (("import asgi_oidc", "over_httpx"), ("from asgi_oidc import OIDCMiddleware", "over_httpx")),
    ),
)


class Seen:
    """A value in a sentence: as the sentence wants it, or that no difference was seen."""

    def __init__(self, row: Row, name: str) -> None:
        self.value = row[name]
        self.verdict = row.get(f"{name}_spread", {}).get("verdict")

    def __format__(self, form: str) -> str:
        return str(self.verdict or format(self.value, form))


def all_results() -> dict[str, Results]:
    """Read all results, by version of Python, the oldest first."""
    paths = sorted(RESULTS.glob("[0-9]*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}


def targets(results: Results) -> Iterator[str]:
    """Compare the figures of one version of Python with the targets."""
    for asked, target, seen, question, places in TARGETS:
        told = "not measured"
        rows = {row["name"]: row for row in results.get(question, {}).get("rows", ())}
        if all(name in rows for name, _ in places):
            told = seen.format(*(Seen(rows[name], key) for name, key in places))
        yield f"| {asked} | {target} | {told} | `python -m benchmarks.{question}` |"


def tables(everything: Mapping[str, Results]) -> str:
    """Write all tables."""
    parts = []
    for python, results in everything.items():
        places = sorted({f"{it['machine']}, {it['date']}" for it in results.values()})
        parts += [f"### CPython {python} ({'; '.join(places)})", ""]
        parts += ["| question | target | seen | command |", "|---|---|---|---|", *targets(results), ""]
    newest, results = list(everything.items())[-1]
    parts += [f"### All figures of CPython {newest}", ""]
    for question, answer in sorted(results.items()):
        parts += [f"`python -m benchmarks.{question}`", "", "| | | |", "|---|---|---|"]
        parts += [f"| {row['name']} | {figure_of(row)} | {further(row)} |" for row in answer["rows"]]
        parts.append("")
    return "\n".join(parts).rstrip()


def instructions() -> str:
    """Write the table of the instructions that the steps took in the last release."""
    releases = json.loads((RESULTS / "instructions.json").read_text("utf-8"))
    versions = sorted(releases, key=lambda version: int(version.partition(".")[2]))
    measured = ", ".join(sorted({release["measured"] for release in releases.values()}))
    parts = [f"### CPU instructions, in the last release: {measured}", "", "`python -m benchmarks.instructions`", ""]
    parts += [
        "| | " + " | ".join(f"CPython {version}" for version in versions) + " |",
        "|---|" + "---|" * len(versions),
    ]
    for name in releases[versions[-1]]["steps"]:
        counts = [(releases[version]["steps"][name], releases[version]["reference"]) for version in versions]
        cells = " | ".join(f"{count:,} ({count / reference:.2f})" for count, reference in counts)
        parts.append(f"| {name} | {cells} |")
    return "\n".join(parts)


def figure_of(row: Row) -> str:
    """Write a figure, and how far it can be trusted."""
    return f"{with_spread(row, 'value')} {row['unit']}".rstrip()


def further(row: Row) -> str:
    """Write the additional values of a figure."""
    hidden = {"name", "value", "unit", *(name for name in row if name.endswith("_spread"))}
    return ", ".join(f"{name} {with_spread(row, name)}" for name in row if name not in hidden)


def with_spread(row: Row, name: str) -> str:
    """Write one value of a figure with its spread, or that no difference was seen."""
    value, spread = row[name], row.get(f"{name}_spread")
    if spread is None:
        return format_number(value) if name == "value" else str(value)
    written = spread.get("verdict", format_number(value))
    return f"{written} ({format_number(spread['low'])} to {format_number(spread['high'])})"


def page(everything: Mapping[str, Results]) -> str:
    """Write the README again, with these figures."""
    made = f"<!-- made by benchmarks.report -->\n\n{tables(everything)}\n\n{instructions()}\n\n<!-- end -->"
    return MADE.sub(lambda _: made, README.read_text("utf-8"))


def plot_requests(rows: list[Row]) -> None:
    """Draw the cost of a request."""
    from matplotlib import pyplot

    rows = rows[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.38 * len(rows) + 1))
    kinds = ["ours" if row["name"].startswith("asgi-oidc") else "peers" for row in rows]
    bars = axes.barh([row["name"] for row in rows], [row["value"] for row in rows], color=[COLOURS[it] for it in kinds])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel("microseconds that a request pays")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "requests")


def plot_growth(all_rows: list[Row]) -> None:
    """Draw how the cost of a request grows."""
    from matplotlib import pyplot

    names = list(dict.fromkeys(row["name"] for row in all_rows))
    figure, all_axes = pyplot.subplots(3, (len(names) + 2) // 3, figsize=(11, 8))
    for axes, name in zip(all_axes.flat, names, strict=False):
        rows = [row for row in all_rows if row["name"] == name]
        axes.plot([row["at"] for row in rows], [row["value"] for row in rows], marker="o", color=COLOURS["ours"])
        axes.set_title(name, fontsize=9)
        axes.set_ylim(0, 1.1 * max(row["value"] for row in rows))
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(all_axes.flat)[len(names) :]:
        axes.set_visible(False)
    figure.supylabel("microseconds of a request", fontsize=9)
    save(figure, "growth")


def save(figure: Any, name: str) -> None:
    """Save a plot that is readable on light and on dark pages."""
    figure.tight_layout()
    figure.savefig(HERE / f"{name}.svg", metadata={"Date": None}, facecolor="white")


def main() -> None:
    """Write the tables and the plots."""
    import matplotlib as mpl  # here, as whoever only reads the figures need not have it

    mpl.rcParams["svg.hashsalt"] = "asgi-oidc"
    everything = all_results()
    newest = list(everything.values())[-1]
    for question, plot in (("requests", plot_requests), ("growth", plot_growth)):
        if question in newest:
            plot(newest[question]["rows"])
    README.write_text(page(everything), "utf-8")


if __name__ == "__main__":
    main()
