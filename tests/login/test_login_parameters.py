"""Which parameters of a link reach the provider: those that the setting names, once, bounded, and well-formed."""

from typing import Any

import pytest

from asgi_oidc.errors import RequestRejected
from asgi_oidc.login.login_parameters import (
    MAX_TOTAL_LENGTH,
    MAX_VALUE_LENGTH,
    NOT_FOR_LINKS,
    OWN_PARAMETERS,
    LoginParameters,
    is_prompt,
    read_login_params,
    read_params,
)
from asgi_oidc.protocol.step_up import ANY_LOGIN, AuthenticationRequest, joined_prompt, read_authentication

NAMES = frozenset({"login_hint", "ui_locales", "prompt", "max_age", "acr_values"})
PARAMETERS = LoginParameters(NAMES, read_authentication)


def refusal(*pairs: tuple[str, str]) -> str:
    """Read a query that is refused; return the code."""
    with pytest.raises(RequestRejected) as caught:
        PARAMETERS.read(pairs)
    return caught.value.code


@pytest.mark.parametrize("name", sorted(NOT_FOR_LINKS))
def test_no_link_sets_what_protects_a_login(name):
    """Neither by the setting nor by the app's code."""
    with pytest.raises(ValueError, match=f"^{name}: "):
        read_login_params([name])
    with pytest.raises(ValueError, match=f"^params: {name}: "):
        read_params({name: "x"}, read_authentication)


@pytest.mark.parametrize("name", sorted(OWN_PARAMETERS))
def test_a_parameter_of_ours_is_not_passed_on(name):
    """The message says that it has another meaning here."""
    with pytest.raises(ValueError, match="is a parameter of the login URL itself"):
        read_login_params([name])


@pytest.mark.parametrize(
    "value", ["login_hint", b"x", {"login_hint": 1}, 7, [""], ["a b"], ["ä"], [7], ["x" * 65], ["a\n"]]
)
def test_the_setting_is_a_list_of_names(value):
    """With a fix for what people write instead."""
    with pytest.raises(ValueError, match="must be"):
        read_login_params(value)


def test_the_setting_has_a_limit():
    """Each name is looked for in each query."""
    with pytest.raises(ValueError, match="at most 16"):
        read_login_params([f"p{number}" for number in range(17)])
    assert read_login_params(("login_hint", "hd", "login_hint")) == {"login_hint", "hd"}


def test_what_the_setting_does_not_name_is_ignored():
    """However often it is there."""
    assert PARAMETERS.read([("scope", "admin"), ("scope", "x"), ("hd", "y" * 10_000)]) == ANY_LOGIN


def test_requirements_become_requirements():
    """They are checked after the login, like those of a rule."""
    pairs = [("acr_values", "mfa gold"), ("max_age", "60"), ("prompt", "login"), ("login_hint", "alice@example.com")]

    assert PARAMETERS.read(pairs) == AuthenticationRequest(
        ("mfa", "gold"), 60, "login", params=(("login_hint", "alice@example.com"),)
    )


def test_a_parameter_without_a_value_counts_as_left_out():
    """RFC 6749 §3.1."""
    assert PARAMETERS.read([("prompt", ""), ("max_age", ""), ("login_hint", "")]) == ANY_LOGIN


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("prompt", "login"), ("prompt", "none")], "parameter_repeated"),
        ([("login_hint", ""), ("login_hint", "x")], "parameter_repeated"),
        ([("login_hint", "x" * (MAX_VALUE_LENGTH + 1))], "parameter_too_long"),
        ([("login_hint", "x" * 10_000)], "parameter_too_long"),
        ([("login_hint", "x" * 510), ("ui_locales", "y" * 510)], "parameter_invalid"),
        ([("login_hint", "a\r\nb")], "parameter_invalid"),
        ([("login_hint", "a\u202eb")], "parameter_invalid"),
        ([("login_hint", "\ud800")], "parameter_invalid"),
        ([("prompt", "none login")], "parameter_invalid"),
        ([("prompt", "LOGIN")], "parameter_invalid"),
        ([("prompt", "login  consent")], "parameter_invalid"),
        ([("max_age", "-1")], "parameter_invalid"),
        ([("max_age", "1e3")], "parameter_invalid"),
        ([("max_age", "٣")], "parameter_invalid"),
        ([("max_age", "9" * 8)], "parameter_invalid"),
        ([("max_age", "9" * 5_00)], "parameter_invalid"),
        ([("acr_values", " ")], "parameter_invalid"),
    ],
)
def test_a_malformed_value_is_refused(pairs, code):
    """It is never repaired, and never sent."""
    assert refusal(*pairs) == code


def test_the_longest_values_are_passed_on():
    """The limits leave room for real ones."""
    longest = "x" * MAX_VALUE_LENGTH

    assert PARAMETERS.read([("login_hint", longest)]).params == (("login_hint", longest),)
    rest = MAX_TOTAL_LENGTH - len("login_hintui_locales") - MAX_VALUE_LENGTH
    both = PARAMETERS.read([("login_hint", longest), ("ui_locales", "y" * rest)])
    assert len(both.params) == 2


@pytest.mark.parametrize(
    ("params", "read"),
    [
        ({}, ANY_LOGIN),
        ({"hd": "example.com"}, AuthenticationRequest(params=(("hd", "example.com"),))),
        ({"max_age": 0, "acr_values": ["a", "b"]}, AuthenticationRequest(("a", "b"), 0)),
        ({"max_age": "60", "acr_values": "a b"}, AuthenticationRequest(("a", "b"), 60)),
        ({"ui_locales": ("de", "en")}, AuthenticationRequest(params=(("ui_locales", "de en"),))),
        ({"prompt": ["login", "consent"]}, AuthenticationRequest(prompt="login consent")),
    ],
)
def test_code_may_set_any_other_parameter(params, read):
    """In the forms that are natural in Python."""
    assert read_params(params, read_authentication) == read


@pytest.mark.parametrize(
    "params",
    [
        "login_hint=x",
        [("login_hint", "x")],
        {7: "x"},
        {"login_hint": None},
        {"login_hint": True},
        {"login_hint": 1.5},
        {"login_hint": ["x"]},
        {"ui_locales": ["de", 7]},
        {"login_hint": ""},
        {"login_hint": "x" * 1_100},
        {"max_age": -1},
        {"prompt": "none login"},
        {f"p{number}": "x" for number in range(17)},
    ],
)
def test_a_mistake_in_code_is_an_error_at_once(params: Any):
    """The message says which parameter it is, and never its value."""
    with pytest.raises(ValueError, match=r"^params: ") as caught:
        read_params(params, read_authentication)
    assert len(str(caught.value)) < 200


def test_what_is_sealed_and_what_is_asked_apply_together():
    """A query adds requirements, and takes none away."""
    sealed = AuthenticationRequest(("mfa",), 60, "login", ("work",), (("hd", "a"),))
    asked = AuthenticationRequest(("mfa", "pwd"), 600, "none", params=(("hd", "b"), ("ui_locales", "de")))

    assert PARAMETERS.add(sealed, asked) == AuthenticationRequest(
        ("mfa",), 60, "login", ("work",), (("hd", "a"), ("ui_locales", "de"))
    )


def test_requirements_that_exclude_each_other_are_refused():
    """One login has one `acr`."""
    with pytest.raises(RequestRejected) as caught:
        PARAMETERS.add(AuthenticationRequest(("mfa",)), AuthenticationRequest(("pwd",)))
    assert caught.value.code == "parameter_invalid"


@pytest.mark.parametrize(
    ("prompts", "joined"),
    [
        ((), ""),
        (("", ""), ""),
        (("none", ""), "none"),
        (("none", "login"), "login"),
        (("login", "none"), "login"),
        (("login consent", "consent"), "login consent"),
    ],
)
def test_none_gives_way_to_any_other_prompt(prompts, joined):
    """`none` with another value is an error at the provider (OIDC Core §3.1.2.1)."""
    assert joined_prompt(*prompts) == joined


@pytest.mark.parametrize("text", ["none", "login", "login consent", "select_account", "create"])
def test_prompts_are_words(text):
    """Those of the specification and of extensions."""
    assert is_prompt(text)
