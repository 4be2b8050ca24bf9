"""What people install and what a package index shows: licence, people, links, version."""

import email
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import asgi_oidc

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
README = (ROOT / "README.md").read_text("utf-8")
REPOSITORY = PROJECT["urls"]["Repository"]
IN_REPOSITORY = f"{REPOSITORY}/blob/main/"
PICTURES = f"{REPOSITORY.replace('github.com', 'raw.githubusercontent.com')}/main/"
LICENSE = (ROOT / ".github" / "LICENSE").read_text("utf-8")
LINKS = re.compile(r"\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]: (\S+)|(?:href|src|srcset)=[\"']?([^\"'>\s]+)", re.MULTILINE)


def links_in(text: str) -> list[str]:
    """Give every target: of links, images, definitions and HTML; code is none."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    return [next(filter(None, groups)) for groups in LINKS.findall(prose)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both distributions, as a release does."""
    pytest.importorskip("hatchling", reason="hatchling is missing: uv sync installs it")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, str]:
    """Give the texts in the wheel that say what it is, by name."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" in name]
        return {name.partition(".dist-info/")[2]: archive.read(name).decode() for name in names}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, str]) -> Message:
    """Give what a package index reads."""
    return email.message_from_string(wheel["METADATA"])


def test_the_licence_is_in_the_wheel_and_the_sdist(built, wheel, metadata):
    """Its own terms: the notice shall be included in all copies (PEP 639)."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("/LICENSE")]
        file = archive.extractfile(name)
        assert file is not None
        assert file.read().decode() == LICENSE

    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", ".github/LICENSE")
    assert wheel["licenses/.github/LICENSE"] == LICENSE
    assert LICENSE.startswith("MIT License\n\nCopyright (c) ")


def test_the_description_links_to_what_a_package_index_can_open(metadata):
    """A path means nothing there."""
    text = str(metadata.get_payload())
    found = links_in(text)

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert len(found) >= 7
    assert [link for link in found if not link.startswith(("https://", "#"))] == []


def test_links_into_the_repository_lead_to_files_that_are_there():
    """And to headings that are there."""
    paths = [link.removeprefix(IN_REPOSITORY) for link in links_in(README) if link.startswith(IN_REPOSITORY)]

    assert len(paths) >= 6
    for path, _, fragment in (each.partition("#") for each in paths):
        assert (ROOT / path).is_file(), path
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert fragment in ("", *(heading.lower().replace(" ", "-") for heading in headings))


def test_the_picture_is_there_for_light_and_dark_pages():
    """Both show the same; only their colours differ."""
    paths = [link.removeprefix(PICTURES) for link in links_in(README) if link.startswith(PICTURES)]
    drawn = [re.sub(r"--[\w-]+: #\w{6};", "", (ROOT / path).read_text("utf-8")) for path in paths]

    assert sorted(paths) == ["benchmarks/login-flow-dark.svg", "benchmarks/login-flow-light.svg"]
    assert drawn[0] == drawn[1]


def test_every_short_link_is_defined_and_every_definition_used():
    """Markdown shows the brackets of one that is not."""
    defined = set(re.findall(r"^\[([^\]]+)\]: ", README, re.MULTILINE))
    prose = re.sub(r"```.*?```|`[^`]*`", "", README, flags=re.DOTALL)
    used = set(re.findall(r"\]\[([^\]]+)\]", prose)) | {
        name for name in defined if re.search(rf"\[{name}\][^:(\[]", prose)
    }

    assert used == defined


def test_the_metadata_names_people_and_places(metadata):
    """Where to report, what has changed, who answers."""
    urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL", ()))

    assert {"Repository", "Documentation", "Changelog", "Issues", "Security"} <= urls.keys()
    assert all(url.startswith(REPOSITORY) for url in urls.values())
    assert (metadata["Author"], metadata["Maintainer"]) == ("asgi-oidc maintainers", "asgi-oidc maintainers")


def test_the_security_policy_says_how_to_report():
    """Privately, and by when somebody answers."""
    policy = (ROOT / ".github" / "SECURITY.md").read_text("utf-8")

    assert f"{REPOSITORY}/security/advisories/new" in policy
    assert "Supported versions" in policy
    assert "working days" in policy


def test_the_version_is_that_of_the_project(metadata):
    """One place says it: pyproject.toml."""
    assert asgi_oidc.__version__ == metadata["Version"] == PROJECT["version"]
    assert "__version__" in dir(asgi_oidc)


def test_the_version_costs_nothing_until_it_is_asked_for():
    """Reading the metadata of a distribution takes milliseconds."""
    program = "import sys, asgi_oidc; print('importlib.metadata' in sys.modules); asgi_oidc.__version__"

    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert printed == "False\n"


def test_without_an_installed_package_there_is_no_version():
    """Somebody may have copied the folder; `hasattr` then says no."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); import asgi_oidc; print(hasattr(asgi_oidc, '__version__'))"
    command = [sys.executable, "-S", "-c", program, str(ROOT / "src")]

    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"
