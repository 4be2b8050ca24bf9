"""One word for one thing: names in the source are the field's terms, not the words that they replaced."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import asgi_oidc

SOURCE = Path(asgi_oidc.__file__).parent

# What a name in the source must not be, and the term that is used instead. Only the whole name counts, with or without
# underscores in front: many of these words are good English within a longer one.
TERMS = {
    "Closing": "a rule's pattern",
    "Door": "GuardedStore",
    "Errand": "BrowserRequest",
    "Handover": "the app's scope, and AppResponse",
    "Jar": "SessionCookies",
    "Judge": "checks",
    "Landing": "a response after a logout",
    "Live": "ActiveSession",
    "Log": "RevocationFeed",
    "MOST": "MAX_...",
    "Marks": "Revocations",
    "NOBODY": "the anonymous user",
    "Needs": "Requirements",
    "OURS": "..._PREFIX",
    "Opening": "a public pattern",
    "Parts": "what each object needs",
    "Person": "the subject of a decision",
    "Place": "MatchedPolicy",
    "ROOM": "MAX_..._BYTES",
    "Renewed": "UndeliveredTokens",
    "Rounds": "LoginLoops",
    "Seen": "SessionCache",
    "Turn": "RefreshLock",
    "Used": "ReplayCache",
    "WayBack": "LogoutState",
    "ask": "authentication",
    "asks": "authentication requests",
    "closing": "rule patterns",
    "door": "guarded store",
    "ended": "revocations",
    "ended_log": "revocation_feed",
    "errand": "request",
    "errands": "requests",
    "fade": "expire_with_grace",
    "gate": "denials",
    "granted": "cached tokens",
    "handover": "the app's scope, and app_response",
    "inner_scope": "app scope",
    "jar": "session_cookies",
    "judge": "check_...",
    "lacking": "app_errors, or missing",
    "lacks_user": "find_app_error",
    "landed": "is_drained",
    "live": "active",
    "mark": "revocation",
    "marks": "revocations",
    "mend": "fix",
    "needs": "requirements",
    "needs_of": "requirements",
    "nobody": "anonymous",
    "opening": "public patterns",
    "other_tokens": "resource_tokens",
    "parts": "services, segments, fields",
    "person": "subject",
    "place": "matched, or position",
    "places": "positions",
    "put_together": "compose",
    "read_ask": "read_authentication",
    "renewals": "refreshes",
    "renewed": "refreshed",
    "round": "login_count",
    "rounds": "login_loops",
    "turn": "refresh_lock",
    "turn_away": "deny",
    "way_back": "state",
    "who_was": "find_even_if_over",
}
# The parts of the test kit that its users know under these names.
KEPT = {("testing", "gate"), ("testing", "Gate"), ("testing", "jar"), ("pytest_plugin", "jar")}


def names_in(tree: ast.AST) -> Iterator[str]:
    """Return each name that a module gives or uses: of classes, functions, parameters, variables and attributes."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg", "asname", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


@pytest.fixture(scope="module")
def modules_by_name() -> dict[str, set[str]]:
    """For each name in the source, the modules that use it and those that have it as their own."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        module = path.relative_to(SOURCE)
        for name in {*names_in(ast.parse(path.read_text("utf-8"))), *module.with_suffix("").parts}:
            if (module.parts[0], name) not in KEPT:
                found[name.lstrip("_")].add(str(module))
    return found


@pytest.mark.parametrize("word", TERMS)
def test_a_word_that_was_replaced_by_a_term_names_nothing(word, modules_by_name):
    """Two words for one thing make readers look for two things."""
    assert word not in modules_by_name, f"say {TERMS[word]!r} instead of {word!r}: {sorted(modules_by_name[word])}"


def test_every_kind_of_name_is_looked_at():
    """A walk that overlooks one kind of name would let it through."""
    source = """
import a as b
class C:
    d: int
def e(f, *g, **h):
    i = j.k
match e:
    case {**m}: pass
    case [*n]: pass
"""

    assert set(names_in(ast.parse(source))) >= set("abCdefghijkmn")
