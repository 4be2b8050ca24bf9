"""A public pattern matches one spelling of a path; a rule matches every spelling that may lead to it."""

from typing import Any

import pytest

from asgi_oidc.policy.patterns import MAX_ODD_PATH_LENGTH, PublicPatterns, RulePatterns, read_pattern
from asgi_oidc.web.paths import PathReadings, read_path


def path(spelt: str, **scope: Any) -> PathReadings:
    return read_path({"path": spelt, **scope}, base_path="")


def opens(pattern: str, spelt: str, **scope: Any) -> bool:
    return PublicPatterns([read_pattern(pattern)]).opens(path(spelt, **scope))


def closes(pattern: str, spelt: str, **scope: Any) -> bool:
    return RulePatterns([read_pattern(pattern)]).matching(path(spelt, **scope)) == (0,)


@pytest.mark.parametrize(
    ("text", "stem", "is_exact"),
    [
        ("/", "", True),
        ("/*", "", False),
        ("/a", "/a", True),
        ("/a/b.c/*", "/a/b.c", False),
        ("/\u00e9~@", "/\u00e9~@", True),
    ],
)
def test_a_pattern_is_a_path_or_all_below_it(text, stem, is_exact):
    """`str()` gives the pattern as it was written."""
    pattern = read_pattern(text)

    assert (pattern.stem, pattern.is_exact, str(pattern)) == (stem, is_exact, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "*",
        "/a/",
        "/a*",
        "//a",
        "/a//b",
        "/a/../b",
        "/.",
        "/a/*/b",
        "/a b",
        "/a%20b",
        "/a%2f",
        "/a;b",
        "/e\u0301",
        7,
        None,
    ],
)
def test_anything_else_is_no_pattern(text):
    """A pattern must mean exactly what it says, so the app does not start with an unclear one."""
    with pytest.raises(ValueError, match=r"is not a path|written in several ways"):
        read_pattern(text)


@pytest.mark.parametrize(
    ("pattern", "spelt", "is_open"),
    [
        ("/", "/", True),
        ("/", "/a", False),
        ("/a", "/a", True),
        ("/a", "/a/", False),
        ("/a", "/A", False),
        ("/a/*", "/a", True),
        ("/a/*", "/a/", True),
        ("/a/*", "/a/b/c", True),
        ("/a/*", "/ab", False),
        ("/a/*", "/a//b", False),
        ("/a/b/*", "/a", False),
        ("/*", "/anything/at/all", True),
        ("/*", "/a;b", False),
    ],
)
def test_a_public_pattern_matches_whole_segments_in_exact_case(pattern, spelt, is_open):
    """Any other spelling stays closed."""
    assert opens(pattern, spelt) is is_open


def test_the_narrowest_pattern_is_found():
    """It is the one that is compared with rules."""
    public_patterns = PublicPatterns([read_pattern(text) for text in ("/a/*", "/a/b/*", "/a/b/c", "/*")])

    found = [str(public_patterns.narrowest(spelt)) for spelt in ("/x", "/a/x", "/a/b/x", "/a/b/c")]

    assert found == ["/*", "/a/*", "/a/b/*", "/a/b/c"]


@pytest.mark.parametrize(
    "spelt",
    [
        *("/admin", "/admin/", "/ADMIN", "/Admin/", "//admin", "///admin", "/./admin", "/x/../admin", "/admin;x=1"),
        *(
            "/admin\n",
            "/admin%0a",
            " /admin",
            "/%61dmin",
            "/%2561dmin",
            "\\admin",
            "/admin\\",
            "admin",
            "/ad\tmin",
            "/adm\u200bin",
            "/\uff0561dmin",
        ),
        *(
            "/admin\x00",
            "/\uff41dmin",
            "/admin%2f",
            "/admin?x",
            "/admin#",
            "/;x/admin",
            "/a%2564min/../admin",
            "/adm\u0131n",
        ),
        *("http://evil/admin", "/%u0061/admin", "/admin/%", "/admin%"),
    ],
)
def test_a_rule_pattern_matches_any_spelling(spelt):
    """Frameworks decode, fold, strip or cut paths, but none of them adds letters."""
    assert closes("/admin", spelt)


@pytest.mark.parametrize(
    "spelt", ["/x/admin/y", "/admin/users", "/administration", "/nimda", "/adm", "/a/d/m/i/n", "/"]
)
def test_a_rule_pattern_does_not_match_other_plain_paths(spelt):
    """A page must not be closed because its plain path contains a word of the rule."""
    assert not closes("/admin", spelt)


def test_a_rule_pattern_for_a_subtree_matches_its_root():
    """`/x/*` is `/x` and everything below it."""
    assert [closes("/admin/*", spelt) for spelt in ("/admin", "/admin/", "/ADMIN/x", "/adminx")] == [True] * 3 + [False]
    assert [closes("/*", spelt) for spelt in ("/", "/x", "//", "", "*")] == [True] * 5
    assert [closes("/", spelt) for spelt in ("/", "/x")] == [True, False]


def test_the_raw_path_is_read_as_well():
    """Some frameworks use it for routing."""
    assert closes("/admin", "/x", raw_path=b"/%61dmin")
    assert closes("/admin", "/x", raw_path=b"/admin")
    assert not closes("/admin", "/x", raw_path=b"/x")


def test_each_reading_below_a_mount_counts():
    """If server and settings disagree, the stricter reading decides."""
    assert closes("/admin", "/app/admin", root_path="/app")
    assert closes("/app/admin", "/app/admin", root_path="/app")


@pytest.mark.parametrize(
    "spelt",
    [
        "/" + "x" * MAX_ODD_PATH_LENGTH + "//",
        "/%" + "25" * 9 + "61",
        "/" + "a" * 9000,
        "/%25252525252541",
        "/;" + "\uff41" * 1000,  # too long before it is folded
        "/;" + "\ufdfa" * 600,  # too long after
    ],
)
def test_what_cannot_be_read_to_its_end_is_every_path(spelt):
    """The work is bounded, and a path beyond the bound meets every rule."""
    assert closes("/admin", spelt)


def test_several_patterns_match_in_their_order():
    """All rules that match apply together."""
    rule_patterns = RulePatterns([read_pattern(text) for text in ("/a/b", "/x", "/a/*", "/*", "/a/b/*", "/A/B")])

    assert rule_patterns.matching(path("/a/b")) == (0, 2, 3, 4, 5)
    assert rule_patterns.matching(path("/a/b/c")) == (2, 3, 4)
    assert RulePatterns([]).matching(path("/a//b")) == ()


@pytest.mark.parametrize(
    "spelt",
    [
        *(
            "/wiki/Therapist\u2019s guide",
            "/wiki/capital \U0001f600",
            "/files/100% rapid",
            "/docs/capital[1]",
            "/docs/a;pi",
        )
    ],
)
def test_a_word_that_only_holds_another_is_another(spelt):
    """Odd paths are common: a rule for "/api" must not close "therapist"."""
    assert not closes("/api/*", spelt)


@pytest.mark.parametrize(
    "spelt", ["/a/secret.txt.", "/a/secret.txt...", "/a/secret.txt::$DATA", "/a./secret.txt", "/A/Secret.TXT."]
)
def test_names_that_windows_takes_for_one_file_are_one(spelt):
    """Windows ignores trailing dots and what follows a colon."""
    assert closes("/a/secret.txt", spelt)


@pytest.mark.parametrize("spelt", ["/a/SECRET~1.TXT", "/A~2/secret.txt", "/PR1A2B~1", "//a/SECRET~1.TXT"])
def test_a_short_name_of_windows_may_be_any_file(spelt):
    """It shows at most six letters of the long name."""
    assert closes("/a/secret-reports.txt", spelt)
    assert not closes("/a/secret-reports.txt", "/~alice/x~y")


@pytest.mark.parametrize("spelt", ["/api/orders.json", "/api/orders.json/", "/API/Orders.XML", "/api/orders.v1.json"])
def test_a_path_is_the_same_in_another_format(spelt):
    """Django REST framework serves "/orders.json" like "/orders/". A leading dot starts no suffix."""
    assert closes("/api/orders" if spelt.count(".") < 2 else "/api/orders.v1", spelt)
    assert closes("/api/orders/*" if spelt.count(".") < 2 else "/api/orders.v1/*", spelt)
    assert not closes("/api/orders.json", "/api/orders")
    assert not closes("/", "/.hidden")


@pytest.mark.parametrize(
    "spelt",
    [
        "/app/admin/panel",
        "/app/admin/app/panel",
        "/app/admin/x/app/panel",
        "/app/admin/apppanel",
        "/app/admin/app/x/app/panel",
        "/app" * 100 + "/admin/panel",
    ],
)
def test_a_root_path_may_be_taken_off_again_further_in(spelt):
    """Each of several nested apps may strip it."""
    rule_patterns = RulePatterns([read_pattern("/admin/panel")])

    found = [
        rule_patterns.matching(read_path({"path": spelt, "root_path": "/app"}, base_path=base)) for base in ("/app", "")
    ]

    assert found == [(0,), (0,)]


def test_a_root_path_may_be_taken_off_at_each_mount():
    """The text before it is a mount, or is lost with it."""
    deep = read_path({"path": "/app/a/x/app/b/y/app/panel", "root_path": "/app"}, base_path="/app")

    assert RulePatterns([read_pattern("/a/b/panel"), read_pattern("/a/panel"), read_pattern("/b/a")]).matching(
        deep
    ) == (
        0,
        1,
    )


def test_a_path_that_might_be_too_many_is_not_plain():
    """It is never public."""
    apps = read_path({"path": "/app" + "/apps/application/apple/x" * 2, "root_path": "/app"}, base_path="/app")

    assert not PublicPatterns([read_pattern("/apps/*")]).opens(apps)


def test_a_page_that_begins_like_the_root_path_is_a_plain_one():
    """It can be public, and only its own rules apply."""
    apples = read_path({"path": "/app/apples/1/orders", "root_path": "/app"}, base_path="/app")

    assert PublicPatterns([read_pattern("/apples/*")]).opens(apples)
    assert RulePatterns([read_pattern("/orders"), read_pattern("/apples/*")]).matching(apples) == (1,)


def test_a_combining_character_belongs_to_the_decoded_character():
    """ "%4a" with a caron is one letter; folded before it is decoded, the letter would be lost."""
    assert closes("/\u01f0", "/%4a\u030c")


def test_a_byte_that_is_no_text_may_become_a_part_of_some():
    """It may complete a character once the other byte has been decoded twice."""
    assert closes("/stra\u00dfe", "/stra%25c3%9fe")
    assert closes("/admin", "/%ffadmin%ff%80")


def test_an_odd_path_has_to_have_all_words_of_a_pattern():
    """Their order and other words in between do not matter."""
    assert closes("/my-app/v1.0/*", "/my-app//v1.0/x")
    assert closes("/my-app/v1.0/*", "/v1%2e0/x/../../my-app/;/v1.0")
    assert not closes("/my-app/v1.0/*", "/my-app//v2.0/x")
