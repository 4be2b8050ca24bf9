"""`base_url` as a list: one app on several hosts."""

import pytest

from asgi_oidc.settings.value_checks import MAX_HOSTS
from tests.settings.required_settings import problems, read

A = "https://a.example.com"
B = "https://b.example.com"


@pytest.mark.parametrize(
    "base_url",
    [
        [A],
        (A, B),
        [f"{A}/app", f"{B}/app/"],
        [A, f"{A}:8443"],
        [A, "http://localhost:8000", "http://[::1]:8000"],
        [f"https://{number}.example.com" for number in range(MAX_HOSTS)],
    ],
    ids=str,
)
def test_a_list_has_settings_for_each_host(base_url):
    """All else is the same; the first one stands for unknown hosts."""
    settings = read(base_url=base_url)

    assert settings.base_url == base_url[0]
    assert [each.base_url for each in settings.for_each_host()] == list(base_url)
    assert {each.base_path for each in settings.for_each_host()} == {settings.base_path}
    assert {each.landing_url for each in settings.for_each_host()} == set(base_url)


def test_a_single_url_is_a_list_of_one():
    """Nothing changes for those who have one host."""
    assert read(base_url=A).for_each_host() == [read(base_url=A)] == read(base_url=[A]).for_each_host()


@pytest.mark.parametrize(
    ("base_url", "fix"),
    [
        ([], "a URL or a list of 1 to 100, got a list of 0"),
        ([A] * (MAX_HOSTS + 1), "got a list of 101"),
        ([A, A], "numbers 1 and 2 of the list have the same host: remove one of them"),
        ([A, B, "https://A.example.com:443/"], "numbers 1 and 3 of the list have the same host"),
        (["http://localhost:443", "https://localhost"], "have the same host"),
        ([A, "http://b.example.com"], "number 2 of the list must use https"),
        ([A, "b.example.com"], "number 2 of the list must start with https://: write https://b.example.com"),
        ([A, None], "number 2 of the list must be text, got None"),
        ([A, 7], "number 2 of the list must be text, got 7"),
        ([A, f"{B}/app"], "all URLs of the list must have the same path"),
        ([A, f"{B}/?x"], "number 2 of the list must not have a query"),
        ([A, "https://user@b.example.com"], "number 2 of the list must not contain a user name"),
        ({"a": A}, "must be a list, got dict"),
        (7, "must be a list, got 7"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_list_is_refused_with_the_fix(base_url, fix):
    """Two hosts that a request cannot tell apart, for example."""
    (problem,) = problems(base_url=base_url)

    assert problem.startswith("base_url: ")
    assert fix in problem


def test_a_landing_page_on_one_of_the_hosts_is_refused():
    """Users of the other hosts would leave theirs; each host has its own."""
    (problem,) = problems(base_url=[A, B], post_logout_redirect_uri=f"{B}/bye")

    assert problem.startswith("post_logout_redirect_uri: leave it out")
    assert read(base_url=[A, B], post_logout_redirect_uri="https://c.example.com/").landing_path is None
    assert read(base_url=[A], post_logout_redirect_uri=f"{A}/bye").landing_path == "/bye"
