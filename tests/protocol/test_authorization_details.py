"""What was granted counts only if it says at least what is required, and whatever is malformed grants nothing."""

import math
from collections import UserDict
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.authorization_details import (
    MAX_DEPTH,
    MAX_GRANTED,
    MAX_GRANTED_LENGTH,
    MAX_REQUIRED,
    MAX_REQUIRED_LENGTH,
    find_missing,
    granted_objects,
    joined,
    parameter_of,
    read_granted,
    read_required,
    types_of,
)

PAYMENT = {"type": "payment", "actions": ["initiate"], "amount": {"currency": "EUR", "value": "123.50"}}
READ = {"type": "account", "actions": ["read"]}


def nested(levels: int) -> Any:
    return "x" if levels == 0 else {"x": nested(levels - 1)}


def test_the_parameter_is_the_json_of_all_objects():
    """RFC 9396 §2: one parameter, however many objects."""
    parameter = parameter_of(joined(read_required([PAYMENT, READ]), read_required((READ,))))

    assert msgspec.json.decode(parameter) == [PAYMENT, READ]


def test_the_order_of_members_makes_no_other_object():
    """An object that a rule and the setting ask for is asked for once."""
    turned = dict(reversed(READ.items()))

    assert joined(read_required([READ]), read_required([turned])) == read_required([READ])
    assert types_of(read_required([READ, PAYMENT, READ])) == ["account", "payment"]


def test_any_mapping_is_an_object():
    """The app may keep its settings in mappings that nobody can change."""
    frozen = MappingProxyType({"type": "payment", "amount": UserDict(currency="EUR")})

    assert read_required([frozen]) == read_required([{"type": "payment", "amount": {"currency": "EUR"}}])


WRONG: list[tuple[Any, str]] = [
    ("payment", "must be a list of objects"),
    ({"type": "payment"}, "must be a list of objects"),
    (7, "must be a list of objects"),
    (["payment"], "must be a list of objects"),
    ([{}], "must have a type"),
    ([{"type": ""}], "must have a type"),
    ([{"type": 7}], "must have a type"),
    ([{"type": "x", "more": object()}], "must be JSON"),
    ([{"type": "x", "more": {7: "x"}}], "must be JSON"),
    ([{"type": "x", "more": math.nan}], "must be JSON"),
    ([{"type": "x", "more": [math.inf]}], "must be JSON"),
    ([{"type": "x", "more": "\ud800"}], "must be JSON"),
    ([{"type": "x", "\ud800": "more"}], "must be JSON"),
    ([{"type": "x", "more": nested(MAX_DEPTH)}], f"nested at most {MAX_DEPTH} levels"),
    ([{"type": str(number)} for number in range(MAX_REQUIRED + 1)], f"at most {MAX_REQUIRED} objects"),
    ([{"type": "x" * MAX_REQUIRED_LENGTH}], f"at most {MAX_REQUIRED_LENGTH} characters"),
]


@pytest.mark.parametrize(("value", "problem"), WRONG, ids=[f"{index}" for index in range(len(WRONG))])
def test_what_cannot_be_asked_for_is_refused(value, problem):
    """When the app starts, and not at a login."""
    with pytest.raises(ValueError, match=problem):
        read_required(value)


COVERED: list[tuple[Any, Any]] = [
    (READ, READ),
    (READ, {**READ, "locations": ["https://api.example.com"]}),
    (READ, {**READ, "actions": ["write", "read"]}),
    ({"type": "payment", "amount": {"currency": "EUR"}}, PAYMENT),
    ({"type": "payment"}, PAYMENT),
    ({"type": "x", "of": [{"id": 1}]}, {"type": "x", "of": [{"id": 2}, {"id": 1, "more": True}]}),
    ({"type": "x", "limit": 5}, {"type": "x", "limit": 5.0}),
    ({"type": "x", "of": []}, {"type": "x", "of": ["y"]}),
    ({"type": "x", "of": None}, {"type": "x", "of": None}),
]
UNCOVERED: list[tuple[Any, Any]] = [
    (READ, {"type": "account"}),
    (READ, {"type": "account", "actions": []}),
    (READ, {"type": "account", "actions": ["write"]}),
    (READ, {"type": "account", "actions": "read"}),
    (READ, {"type": "account", "actions": {"read": True}}),
    (READ, {"type": "Account", "actions": ["read"]}),
    (PAYMENT, {**PAYMENT, "amount": {"currency": "EUR", "value": "123.5"}}),
    (PAYMENT, {**PAYMENT, "amount": {"currency": "EUR"}}),
    (PAYMENT, {**PAYMENT, "amount": "EUR"}),
    (PAYMENT, {**PAYMENT, "amount": None}),
    ({"type": "x", "on": True}, {"type": "x", "on": 1}),
    ({"type": "x", "on": 1}, {"type": "x", "on": True}),
    ({"type": "x", "of": None}, {"type": "x"}),
    ({"type": "x", "of": "y"}, {"type": "x", "of": ["y"]}),
]


@pytest.mark.parametrize(("required", "granted"), COVERED, ids=str)
def test_a_granted_object_may_say_more(required, granted):
    """Providers enrich what the user has chosen (RFC 9396 §7.1)."""
    assert find_missing(read_required([required]), [{"type": "other"}, granted]) == ()


@pytest.mark.parametrize(("required", "granted"), UNCOVERED, ids=str)
def test_a_granted_object_that_says_less_does_not_count(required, granted):
    """Two that say enough together do not either: each is a permission of its own."""
    texts = read_required([required])

    assert find_missing(texts, [granted, {"type": required["type"]}]) == texts


@pytest.mark.parametrize("granted", [None, [], {}, READ, "account", 7, [7, "account", None, [READ]]], ids=str)
def test_whatever_is_no_list_of_objects_grants_nothing(granted):
    """A token may say anything."""
    assert find_missing(read_required([READ]), granted) == read_required([READ])


def test_an_answer_is_kept_as_it_was_sent():
    """Each look gives new objects."""
    granted = read_granted({"authorization_details": [PAYMENT, READ]})

    assert granted is not None
    assert granted_objects(granted) == [PAYMENT, READ]
    assert granted_objects(granted)[0] is not granted_objects(granted)[0]
    assert read_granted({}) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "[]",
        {"type": "payment"},
        [7],
        [[READ]],
        [{}],
        [{"type": 7}],
        [READ] * (MAX_GRANTED + 1),
        [{"type": "x" * MAX_GRANTED_LENGTH}],
    ],
    ids=["null", "text", "object", "number", "list", "no type", "type number", "too many", "too long"],
)
def test_a_malformed_answer_is_refused(value):
    """RFC 9396 §7: a list of objects with a type."""
    with pytest.raises(AnswerRejected) as caught:
        read_granted({"authorization_details": value})

    assert caught.value.code == "authorization_details_malformed"
