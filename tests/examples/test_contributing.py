"""The guide for contributors says what there is."""

import re

from tests.examples.guides import ROOT, read_guide, section

GUIDE = read_guide("contributing")


def test_the_map_names_the_rooms_that_there_are():
    """A map that lies is worse than none."""
    drawn = section(GUIDE, "Map of the code")
    package = ROOT / "src" / "asgi_oidc"

    rooms = {path.name for path in package.iterdir() if not path.name.startswith("_") and path.name != "py.typed"}

    assert rooms == set(re.findall(r"[\w]+\.py\b", drawn)) | {f"{name}" for name in re.findall(r"(\w+)/ ", drawn)} - {
        "asgi_oidc"
    }


def test_the_folders_of_tests_that_are_named_are_there():
    """A command that is copied has to find them."""
    named = re.findall(r"\btests/[\w/]+", GUIDE)

    assert named != []
    assert [path for path in named if not (ROOT / path).is_dir()] == []
