"""Anyone can send any path: what the policy remembers of them is bounded, and so is the work that each one makes."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from asgi_oidc import Rule
from asgi_oidc.policy.patterns import MAX_ODD_PATH_LENGTH
from asgi_oidc.policy.policy import MAX_KEY_LENGTH, MAX_MATCHES, MatchedPolicy, Policy, read_public
from asgi_oidc.web.paths import MAX_PATH_LENGTH
from asgi_oidc.web.request import METHODS

MAX_PLACE_SIZE = 16_384  # bytes that one path may keep; a usual one keeps 1 kB
MAX_CALLS = 50_000  # of functions, for one path; a usual one makes 100
RULES = [Rule(f"/team-{number}/*", methods=["POST"], claims={"roles": "admin"}) for number in range(500)]


def new_policy() -> Policy:
    return Policy(read_public(["/", "/open/*"]), RULES, base_path="/app")


def place(policy: Policy, path: str, *, method: str = "POST", **scope: Any) -> MatchedPolicy:
    return policy.match({"type": "http", "path": path, "headers": [], **scope}, (method,))


def places_alive() -> int:
    gc.collect()
    return sum(type(each) is MatchedPolicy for each in gc.get_objects())


def bytes_kept(use: Callable[[], None]) -> int:
    """Measure what is left of some work, in bytes."""
    gc.collect()
    tracemalloc.start()
    use()
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept


def calls_for(policy: Policy, path: str, **scope: Any) -> int:
    """Count the functions that are called to look at a path; unlike time, it is the same on each run."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        place(policy, path, **scope)
    finally:
        sys.setprofile(None)
    return calls


def test_so_many_paths_are_remembered_and_no_more() -> None:
    """Whoever asks for path after path only makes us forget the others."""
    policy = new_policy()
    before = places_alive()

    for number in range(10_000):
        place(policy, f"/open/{number}", method=sorted(METHODS)[number % len(METHODS)])

    assert places_alive() - before == MAX_MATCHES


@pytest.mark.parametrize(
    "scope",
    [
        {"path": "/open/" + "a" * MAX_KEY_LENGTH},
        {"path": "/open", "raw_path": b"/%6fpen" + b"/" * MAX_KEY_LENGTH},
        {"path": "/open", "root_path": "/a" * MAX_KEY_LENGTH},
        {"path": "/open", "methods": tuple(f"METHOD-{number}" for number in range(MAX_KEY_LENGTH))},
    ],
    ids=["path", "raw path", "root path", "methods"],
)
def test_a_long_path_is_not_remembered(scope: dict[str, Any]) -> None:
    """Nor one whose other parts are long."""
    policy = new_policy()
    before = places_alive()

    for number in range(10):
        policy.match({**scope, "path": f"{scope['path']}{number}"}, scope.get("methods", ("GET",)))

    assert places_alive() == before


@pytest.mark.parametrize(
    "path",
    [
        "/open/" + "\U0001f512" * (MAX_KEY_LENGTH - 20),
        "//" + "\U0001f512" * (MAX_KEY_LENGTH - 20),
        "/open/" + "%25" * 20,  # decoded without an end: every rule holds
        "/open",
    ],
    ids=["plain", "odd", "endless", "short"],
)
def test_a_path_that_is_remembered_takes_little_memory(path: str) -> None:
    """Four bytes a character, percent-encoded, and all rules of an app that has many."""
    policy = new_policy()

    def fill() -> None:
        for number in range(200):
            place(policy, f"{path}{number}")

    assert bytes_kept(fill) < 200 * MAX_PLACE_SIZE


def test_what_was_forgotten_is_found_again() -> None:
    """The memory makes it faster and changes nothing."""
    policy = new_policy()
    asked = [
        ("/open", "GET"),
        ("/team-1", "POST"),
        ("/team-1", "GET"),
        ("//team-1", "POST"),
        ("/open/" + "a" * 600, "GET"),
    ]
    first = [place(policy, path, method=method) for path, method in asked]

    for number in range(MAX_MATCHES):
        place(policy, f"/{number}")

    assert [place(policy, path, method=method) for path, method in asked] == first


HOSTILE = [
    "/a" * 4000,
    "/" + "a" * (MAX_PATH_LENGTH - 1),
    "/a" * 32_000,
    "//a" * 20_000,
    "//a" * (MAX_ODD_PATH_LENGTH // 3),
    "/" + "." * MAX_ODD_PATH_LENGTH,
    "/.." * (MAX_ODD_PATH_LENGTH // 3),
    "/%" + "25" * 1000 + "61",
    "/" + "%25252561" * (MAX_ODD_PATH_LENGTH // 9),
    "/" + "%61" * (MAX_ODD_PATH_LENGTH // 3),
    "/" + "%" * (MAX_ODD_PATH_LENGTH - 1),
    "/" + "team" * (MAX_ODD_PATH_LENGTH // 4) + ";",
    "/;" + "\ufdfa" * (MAX_ODD_PATH_LENGTH - 2),  # 18 letters each, for who folds them
    "/;" + "\u0315\u0300" * (MAX_ODD_PATH_LENGTH // 2 - 1),  # marks in the wrong order
    "/;" + "\U0001f512" * (MAX_ODD_PATH_LENGTH - 2),
    "/;" + "\ud800" * (MAX_ODD_PATH_LENGTH - 2),
    "",
    "\x00" * MAX_ODD_PATH_LENGTH,
]


@pytest.mark.parametrize("path", HOSTILE, ids=[f"{path[:12]!a}...{len(path)}" for path in HOSTILE])
def test_no_path_makes_much_work(path: str) -> None:
    """However it is written, and wherever it stands in the scope; and none of them is open."""
    policy = new_policy()
    raw = quote(path, safe="/%;\\", errors="surrogatepass").encode()

    for scope in (
        {"path": path},
        {"path": path, "raw_path": raw},
        {"path": "/x", "raw_path": raw, "root_path": path},
        {"path": path, "root_path": path[:2]},
    ):
        assert calls_for(policy, **scope) < MAX_CALLS
        assert place(policy, **scope).opened_by is None


@pytest.mark.parametrize("part", ["a", "/a", "//a", "/.", "%61", "%25", "\uff0f"])
def test_a_path_beyond_all_reason_is_not_looked_at(part: str) -> None:
    """From there on its length costs nothing, and every rule holds."""
    policy = new_policy()
    long, longer = ("/" + part * (length // len(part)) for length in (2 * MAX_PATH_LENGTH, 65_536))

    assert calls_for(policy, long) == calls_for(policy, longer)
    assert len(place(policy, longer).rules) == len(RULES)


def test_a_root_path_that_comes_again_makes_no_memory() -> None:
    """Behind thousands of segments, each of which might be a mount."""
    policy, path = new_policy(), "/b" * (MAX_PATH_LENGTH // 2 - 1) + "/a"

    tracemalloc.start()
    place(policy, path, root_path="/a")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000


def test_a_rule_holds_far_below_its_path() -> None:
    """Depth is not a way out."""
    policy = new_policy()

    deep = place(policy, "/team-7" + "/a" * 4000)

    assert [rule.path for rule in deep.rules] == ["/team-7/*"]
