"""Every guide beside the examples: its code compiles, its links lead somewhere, its names exist."""

import re
import types
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from asgi_oidc import OIDCMiddleware, SettingsError
from tests.examples.guides import (
    EXAMPLES,
    GUIDES,
    ROOT,
    anchors,
    blocks,
    compile_block,
    keywords_in,
    links,
    name_of,
    names_in_backticks,
    nothing,
)

HERE = "https://github.com/asgi-oidc/asgi-oidc/blob/main/"
# Names of others: of servers, proxies, frameworks and providers.
OTHERS = {
    "add_middleware",
    "asgi_oidc_entries",
    "asgi_oidc_members",
    "auth_request_set",
    "copy_headers",
    "request_header",
    "domain_hint",
    "env_file",
    "evicted_keys",
    "id_token_signed_response_alg",
    "logout_uri",
    "test_main",
    "xms_edov",
    "client_header_buffer_size",
    "client_id_metadata_document_supported",
    "django_app",
    "handle_path",
    "header_up",
    "large_client_header_buffers",
    "limit_req",
    "parse_qs",
    "proxy_buffer_size",
    "proxy_buffering",
    "proxy_buffers",
    "proxy_busy_buffers_size",
    "proxy_pass",
    "proxy_read_timeout",
    "proxy_set_header",
    "registration_endpoint",
    "redirect_field_name",
    "strip_prefix",
    "user_passes_test",
}

NOT_IN_ENVIRONMENT = {"http_client", "on_login", "on_event", "environ", "choose_provider", "bearer", "pages"}

python_blocks = [
    pytest.param(code, id=f"{name_of(guide)}-{number}")
    for guide in GUIDES
    if guide.parent.name != "reference"  # shows signatures, made from the code itself
    for number, code in enumerate(blocks(guide.read_text(encoding="utf-8"), "python"))
]
each_guide = pytest.mark.parametrize("guide", GUIDES, ids=name_of)


@pytest.mark.parametrize("code", python_blocks)
def test_a_python_block_is_python_and_its_settings_exist(code):
    """A typing error in a guide would meet everybody who copies it."""
    compiled = compile_block(code)

    assert isinstance(compiled, types.CodeType)
    named = keywords_in(code) - NOT_IN_ENVIRONMENT
    assert {name for name in named if not is_variable(f"OIDC_{name.upper()}")} == set()


@each_guide
def test_a_link_leads_to_a_file_and_a_heading(guide):
    """A dead link ends the way of a reader."""
    dead = [target for target in links(guide.read_text(encoding="utf-8")) if not leads_somewhere(guide, target)]

    assert dead == []


@each_guide
def test_a_name_in_backticks_exists(guide):
    """Settings, events and codes are searched for by the name that a guide gives."""
    unknown = set(names_in_backticks(guide.read_text(encoding="utf-8"))) - known_names() - OTHERS

    assert unknown == set()


@each_guide
def test_an_environment_variable_is_a_setting(guide):
    """A wrong variable is refused at start-up; it must not come from a guide."""
    text = guide.read_text(encoding="utf-8")
    named = set(re.findall(r"\bOIDC_[A-Z_]*[A-Z]\b", text))
    listed = ",".join(re.findall(r"\bOIDC_PROVIDERS=([a-z,-]+)", text)).split(",")
    providers = ",".join({*listed, "work", "hub"})  # guides call these two so wherever they are

    assert {name for name in named if not is_variable(name, providers)} == set()


@pytest.mark.parametrize("topic", sorted({path.parent.name for path in EXAMPLES.glob("*/README.md")}))
def test_a_guide_is_in_the_list_of_examples(topic):
    """People find it from there."""
    assert f"]({topic}/" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def leads_somewhere(guide: Path, target: str) -> bool:
    """Say whether a link to this repository names a file that there is, and a heading in it."""
    if target.startswith(HERE):
        path, anchor = ROOT / urlsplit(target.removeprefix(HERE)).path, urlsplit(target).fragment
    elif "://" in target or target.startswith("mailto:"):
        return True
    else:
        parts = urlsplit(target)
        path, anchor = (guide.parent / parts.path if parts.path else guide), parts.fragment
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in anchors(path.read_text(encoding="utf-8"))


def is_variable(name: str, providers: str = "") -> bool:
    """Say whether the environment may set this, beside the names of these providers."""
    try:
        OIDCMiddleware.from_env(nothing, environ={"OIDC_PROVIDERS": providers, name: "x"})
    except SettingsError as exc:
        return not any(problem.startswith(f"{name}: unknown setting") for problem in exc.problems)
    return True


@cache
def known_names() -> set[str]:
    """Give every word of the library's source, of its tests but this, and of the examples' own code."""
    code = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    files = [*(file for file in code if file != Path(__file__)), *EXAMPLES.rglob("*.py"), *EXAMPLES.rglob("*.js")]
    return {word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}
