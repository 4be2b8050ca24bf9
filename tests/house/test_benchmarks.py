"""The page on benchmarks names every one of them, each command that is named is there, and no figure is made up."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks import cookies
from benchmarks.__main__ import ALWAYS_WHOLE, chosen, commands
from benchmarks.growth import grows_too_fast
from benchmarks.harness import Figures
from benchmarks.pairs import Spread
from benchmarks.report import all_results, figure_of, further, page
from benchmarks.serve import sites
from benchmarks.servers import comparisons
from benchmarks.soak import COMES_AND_GOES, grown

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
README = (BENCHMARKS / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", BENCHMARKS / "README.md", *(ROOT / "examples").glob("*/README.md")]
PARTS = {
    "__main__",
    "callgrind",
    "counted_requests",
    "fleet",
    "harness",
    "pairs",
    "peers",
    "report",
    "serve",
    "sites",
    "stores",
    "token_provider",
    "token_sets",
}  # what questions are made of
TAKE_ARGUMENTS = {"soak", "instructions", "servers"}
QUESTIONS = {path.stem for path in BENCHMARKS.glob("*.py")} - PARTS
FOLDERS = {path.parent.name for path in BENCHMARKS.glob("*/__main__.py")}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_every_question_is_in_the_table_and_says_how_to_ask_it(question):
    """Whoever finds a figure finds the command."""
    source = (BENCHMARKS / f"{question}.py").read_text("utf-8")

    assert f"[{question}.py]({question}.py)" in README
    assert f"`python -m benchmarks.{question}" in source


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_command_that_is_named_is_there(path):
    """A page that was made by hand goes stale."""
    commands = re.findall(r"python -m benchmarks\.(\w+)(?: (?!\[)([^`]+))?`", path.read_text("utf-8"))

    assert {question for question, _ in commands} <= QUESTIONS | FOLDERS
    assert [argument for question, argument in commands if argument and question not in TAKE_ARGUMENTS] == []


def test_every_file_that_is_named_is_there():
    """Plots as well."""
    files = set(re.findall(r"\]\(([\w.]+)\)", README))

    assert {name for name in files if not (BENCHMARKS / name).exists()} == set()


def test_the_figures_of_the_page_are_those_that_were_measured():
    """Nobody writes them by hand."""
    assert page(all_results()) == README


def test_the_sizes_of_cookies_on_the_page_are_those_that_were_measured():
    """They are measured by commands of their own, other programs' with what CI does not install."""
    assert cookies.page(json.loads(cookies.FIGURES.read_text("utf-8"))) == README


def test_a_figure_without_a_difference_is_stored_and_shown_as_such():
    """A number that another run would contradict reads like a fact."""
    figures = Figures("some question")
    figures.row("first", Spread(6.618, 6.412, 6.95, (6.3, 7.1), 0), "us", ratio=Spread(1.01, 0.98, 1.02, (0.9, 1.1), 1))

    (row,) = figures.rows

    assert row["ratio_spread"]["verdict"] == "no difference seen"
    assert "verdict" not in row["value_spread"]
    assert (figure_of(row), further(row)) == ("6.62 (6.41 to 6.95) us", "ratio no difference seen (0.98 to 1.02)")


def test_a_curve_that_grows_faster_than_its_input_is_named():
    """The guard itself can fail."""
    rows: list[dict[str, Any]] = [
        {"name": name, "at": at, "value": value} for name, at, value in [("a", 0, 10.0), ("b", 2, 10.0)]
    ]

    assert grows_too_fast([*rows, {"name": "a", "at": 500, "value": 40.0}, {"name": "b", "at": 4, "value": 20.0}]) == []

    assert grows_too_fast([*rows, {"name": "b", "at": 4, "value": 25.0}]) == [
        "b: 2.5 times the cost at 2.0 times the input"
    ]


def test_every_site_that_is_compared_can_be_served():
    """A name that is misspelt would show up after a quarter of an hour."""
    compared = {site.name for comparison in comparisons() for site in comparison.sites}

    assert compared <= sites(80, "", None).keys()


def test_growth_in_a_soak_test_is_named():
    """That one as well."""
    middle = dict.fromkeys(COMES_AND_GOES, 70.0)
    usual = {name: 70.0 + more for name, more in COMES_AND_GOES.items()}
    assert grown(middle, usual) == []

    assert grown(middle, usual | {"tasks": 79}) == [
        "tasks: 70.0 in the middle, 79 at the end, where at most 8 come and go"
    ]


def test_a_quick_run_of_several_questions_is_quick_and_saves_nothing():
    """It is what the page says to try first; the figures of the page would be those of a busy minute."""
    questions, is_quick = chosen(["requests", "sessions", "--quick"])

    assert [command[2:] for command in commands(questions, is_quick=is_quick)] == [
        ["benchmarks.requests", "--quick"],
        ["benchmarks.sessions", "--quick"],
    ]
    assert not set(chosen(["--quick"])[0]) & set(ALWAYS_WHOLE)
    assert commands(*chosen(["requests"])[:1], is_quick=False)[-1][2:] == ["benchmarks.report"]


@pytest.mark.parametrize(
    ("arguments", "told"), [(["nothing"], "choose from requests"), (["soak", "--quick"], "without")]
)
def test_a_question_that_cannot_be_asked_is_refused(capsys, arguments, told):
    """A traceback of Python would not say which questions there are."""
    with pytest.raises(SystemExit):
        chosen(arguments)

    assert told in capsys.readouterr().err
