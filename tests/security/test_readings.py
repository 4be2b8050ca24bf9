"""One list of readings: what opens a path opens each of them, and an odd spelling meets what the plain one meets."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from asgi_oidc import Rule
from asgi_oidc.policy.patterns import RulePatterns
from asgi_oidc.policy.policy import MatchedPolicy, Policy, read_public
from asgi_oidc.web.paths import read_path

from .attacked_site import http_scope
from .sizes import size
from .spellings import disguises

pytestmark = pytest.mark.long

CLAIMS: Mapping[str | tuple[str, ...], str] = {"roles": "admin"}
RULES = [
    Rule(path, claims=CLAIMS)
    for path in ("/admin/*", "/admin/panel", "/static/secret", "/app/*", "/panel", "/a/a/secret", "/v/x")
]
PUBLIC = ["/", "/static/*", "/static/files/*", "/files/x", "/app/files/*", "/admin/help/*"]
BASES = ("", "/app", "/a", "/static", "/v1.0", "/a/b")
WORDS = (
    "app",
    "a",
    "b",
    "admin",
    "panel",
    "static",
    "files",
    "secret",
    "apppanel",
    "app.css",
    "x",
    "v1.0",
    "v1x0",
    "help",
)
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

segments = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)
plain_paths = segments.map(lambda names: "/" + "/".join(names))
root_paths = st.sampled_from(["", "/", *BASES, "/app/", "app", "/ap", "/admin", "/app/static", "/.", "/v1.0/"])


def policy(base_path: str) -> Policy:
    return Policy(read_public(PUBLIC), RULES, base_path=base_path)


def closed(place: MatchedPolicy) -> set[str]:
    """Name the rules of a path that is not open."""
    return {rule.path for rule in place.rules}


POLICIES = {base: policy(base) for base in BASES}
INNER = policy("")


@settings(SETTINGS, max_examples=size(100, 200_000))
@given(plain_paths, root_paths, st.sampled_from(BASES))
@example("/app/static/files/app/secret", "/app", "/app")
def test_a_path_opens_only_where_each_of_its_readings_does(path: str, root_path: str, base_path: str) -> None:
    """And only where nobody can have chosen the root path."""
    place = POLICIES[base_path].match(http_scope(path, root_path=root_path), ("GET",))

    each = [INNER.match(http_scope(reading), ("GET",)) for reading in place.path.readings]

    if place.opened_by is not None:
        assert root_path.rstrip("/") in ("", base_path)
        assert [inner for inner in each if inner.opened_by is None] == []
    else:
        assert set().union(*map(closed, each)) <= closed(place)


@settings(SETTINGS, max_examples=size(100, 200_000))
@given(plain_paths, root_paths, st.sampled_from(BASES))
def test_what_a_canonical_path_meets_an_odd_one_of_the_same_readings_meets(
    path: str, root_path: str, base_path: str
) -> None:
    """By construction: the odd matcher asks the other one as well."""
    rule_patterns = RulePatterns([rule.pattern for rule in RULES])
    readings = read_path(http_scope(path, root_path=root_path), base_path=base_path)

    odd = rule_patterns.matching(replace(readings, is_canonical=False))

    assert set(rule_patterns.matching(replace(readings, is_canonical=True))) <= set(odd)


@st.composite
def disguised(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a plain path below `/app`, and another spelling of what is below that."""
    path = draw(plain_paths)
    letters = list(path)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(letters) - 1))
        letters[place] = "".join(draw(st.sampled_from(disguises(letter))) for letter in letters[place])
    return f"/app{path}", f"/app{''.join(letters)}"


@settings(SETTINGS, max_examples=size(100, 200_000))
@given(disguised())
@example(("/app/admin/apppanel", "/app/admin//apppanel"))
@example(("/app/admin/x/apppanel", "/app/admin/x/%61pppanel"))
def test_a_disguised_path_meets_what_the_plain_one_meets(pair: tuple[str, str]) -> None:
    """Also where a mount takes the root path off once more."""
    plain, odd = (POLICIES["/app"].match(http_scope(path, root_path="/app"), ("GET",)) for path in pair)
    assume(plain.opened_by is None and not odd.path.is_canonical)

    assert odd.opened_by is None
    assert closed(plain) <= closed(odd)


@st.composite
def taken_for_expressions(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a root path, and a path that becomes that of a rule when the root path is taken for a regular expression."""
    target = draw(st.sampled_from(("/admin/panel", "/static/secret", "/v/x", "/panel")))
    noise = draw(st.sampled_from(("/v1x0", "/zz", "ZZ", "/a", "+", "/a.b", "/files", "/static/files")))
    kinds = (
        "{0}",
        "x|{0}",
        ".{{{1}}}",
        "/.+?(?=/)",
        "({0})",
        "/[a-z0-9]+",
        "{0}*",
        "/v1.0",
        "{0}/{{0}}",
        "/..",
        "(?i){0}",
    )
    root = draw(st.sampled_from(kinds)).format(noise, len(noise))
    at = draw(st.sampled_from((0, 0, draw(st.integers(0, len(target))))))
    return root, target[:at] + noise + target[at:]


@settings(SETTINGS, max_examples=size(150, 200_000))
@given(taken_for_expressions(), st.sampled_from(BASES))
@example(("x|ZZ", "/adZZmin/panel"), "")
@example(("/v1.0", "/v1x0/admin/panel"), "/v1.0")
def test_no_root_path_leads_past_a_rule_that_is_taken_for_an_expression(pair: tuple[str, str], base_path: str) -> None:
    """Starlette 0.33 to 0.38 did so, and one server lets every client choose it."""
    root_path, path = pair
    try:
        route = re.sub(r"^" + root_path, "", path)
    except re.error:  # that request gets no answer
        assume(False)
        return
    assume(route.startswith("/"))  # no route of Starlette matches anything else, and INNER expects the worst of it
    place = POLICIES[base_path].match(http_scope(path, root_path=root_path), ("GET",))

    served = INNER.match(http_scope(route), ("GET",))

    assert place.opened_by is None or served.opened_by is not None
    assert served.opened_by is not None or closed(served) <= closed(place)
