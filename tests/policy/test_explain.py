"""`explain` shows what requests to a path get, and why."""

import pytest

from asgi_oidc import Rule
from tests.protected_site import Site

SITE = Site(
    public=["/", "/admin/health", "/\u00fcber-uns/*"],
    rules=[
        Rule("/admin/*", claims={"realm_access.roles": "admin"}),
        Rule("/admin/*", methods=["POST"], max_age=300),
        Rule("/api/*", scopes=["read:orders"], login=False, origins=["https://spa.example.com"]),
        Rule("/x/*", acr_values=["a"]),
        Rule("/y/*", acr_values=["b"]),
    ],
)
ADMIN = """\
POST /admin/users?page=2
  public         no: no pattern opens it, or a rule is more specific
  rule           Rule('/admin/*', claims={'realm_access.roles': 'admin'})
  rule           Rule('/admin/*', methods=('POST',), max_age=300)
  not signed in  forms: 401 page with a link to sign in; everything else: 401
  signed in      the app
  step-up        if the login lacks max_age 300; forms: 401 page with a link to sign in again; everything \
else: 401
  rule not met   403"""
ALL = """\
https://app.example.com
  /              public
  /admin/health  public
  /\u00fcber-uns/*    public
  /admin/*       Rule('/admin/*', claims={'realm_access.roles': 'admin'})
  /admin/*       Rule('/admin/*', methods=('POST',), max_age=300)
  /api/*         Rule('/api/*', scopes=['read:orders'], login=False, origins=['https://spa.example.com'])
  /x/*           Rule('/x/*', acr_values=['a'])
  /y/*           Rule('/y/*', acr_values=['b'])
  /auth/*        asgi-oidc's own URLs
  other paths    a signed-in user"""


def test_a_path_is_explained_as_a_table():
    """The table lists all rules that match."""
    explained = SITE.middleware.explain("/admin/users?page=2", "post")

    assert str(explained) == ADMIN
    assert (explained.is_public, len(explained.rules)) == (False, 2)


@pytest.mark.parametrize(
    ("path", "method", "line"),
    [
        ("/", "GET", "public    opened by '/'"),
        ("/admin/health", "GET", "everyone  the app"),
        ("/auth/login", "GET", "endpoint  asgi-oidc answers this URL itself"),
        ("/auth/login", "WEBSOCKET", "not signed in  401, or close code 4401"),
        ("/admin%2fhealth", "GET", "spelling       ambiguous: not public, and every rule that it might match applies"),
        ("/api/x", "GET", "not signed in  401"),
        ("/api/x", "GET", "origins        its own pages and those of https://spa.example.com may call it"),
        ("/admin/x", "WEBSOCKET", "rule not met   403, or close code 4403"),
        ("/x//y", "GET", "signed in      403: the rules need different acr_values, which no single login has"),
        ("/x", "GET", "not signed in  pages: redirect to sign in; everything else: 401"),
        (
            "/x",
            "GET",
            "step-up        if the login lacks acr_values a; pages: redirect to sign in again; everything else: 401",
        ),
        ("/x", "PUT", "step-up        if the login lacks acr_values a; 401"),
        ("/\u00fcber-uns/x", "GET", "public    opened by '/\u00fcber-uns/*'"),
        ("/%C3%BCber-uns/x", "GET", "public    opened by '/\u00fcber-uns/*'"),
        ("/other", "GET", "signed in      the app"),
    ],
)
def test_each_kind_of_path_is_told_in_words(path, method, line):
    """The table shows the decision and the reason."""
    assert f"\n  {line}" in str(SITE.middleware.explain(path, method))


def test_all_patterns_and_rules_are_listed():
    """`asgi-oidc rules` shows this list if no path is given."""
    assert SITE.middleware.explain_all() == ALL
    assert "a signed-in user" not in Site(public="everything-but-rules").middleware.explain_all()


def test_an_unknown_method_is_refused():
    """A typing error would be explained as a request that never happens."""
    with pytest.raises(ValueError, match="'PSOT' is not an HTTP method"):
        SITE.middleware.explain("/", "PSOT")


def test_a_whole_url_is_taken_for_its_path():
    """Users copy it from the address bar."""
    assert str(SITE.middleware.explain("https://app.example.com/admin/users?page=2", "post")) == ADMIN


@pytest.mark.parametrize("path", ["admin", "", "https://other.example.com/admin"])
def test_what_is_no_path_of_this_site_is_refused(path):
    """An answer about another path would mislead."""
    with pytest.raises(ValueError, match="is not a path of"):
        SITE.middleware.explain(path)
