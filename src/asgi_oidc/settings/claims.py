"""Reads the setting `claims` of the middleware: which claims are kept, dropped and renamed."""

from collections.abc import Iterator, Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.policy.rules import Rule
from asgi_oidc.protocol.claim_mapping import ClaimMapping
from asgi_oidc.protocol.claims import PROTOCOL_CLAIMS, VERIFIED_PAIRS

MAX_NAME_LENGTH = 200  # characters of the name of a claim
MEMBERS = ("keep", "drop", "rename")
EXAMPLE = '{"drop": ["picture"], "rename": {"https://example.com/roles": "roles"}}'
# A value under one of these names counts as the provider's word about who the user is, or as verified.
_PROTECTED = PROTOCOL_CLAIMS.union(*VERIFIED_PAIRS)


def read_claims_setting(value: object) -> ClaimMapping:
    """Check the setting `claims`.

    Raises:
        ValueError: with everything that is wrong, for the developer.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping such as {EXAMPLE}, got {describe_value(value)}")
    problems = [_unknown_member(name) for name in value if name not in MEMBERS]
    problems += [problem for name in ("keep", "drop") for problem in _list_problems(name, value.get(name, ()))]
    problems += _rename_problems(value.get("rename", {}))
    if "keep" in value and "drop" in value:
        problems.append("set keep or drop, not both: keep drops everything that it does not name")
    if problems:
        raise ValueError("; ".join(problems))
    keep = frozenset(value["keep"]) if "keep" in value else None
    return ClaimMapping(keep, frozenset(value.get("drop", ())), dict(value.get("rename", {})))


def claims_problems(values: Mapping[str, Any]) -> list[str]:
    """Report rules that need a claim which the setting `claims` takes away.

    An app with `on_login` or `on_token` may set that claim itself.
    """
    mapping, bearer = values.get("claims"), values.get("bearer")
    may_be_set = values.get("on_login") is not None or getattr(bearer, "on_token", None) is not None
    if mapping is None or may_be_set:
        return []
    return [
        f"claims: the rule {rule.path} needs the claim {names[0]}, which {_fate(names[0], mapping)}"
        for rule in values.get("rules", ())
        for names in _needed_claims(rule)
        if names[0] in {*mapping.rename, *mapping.drop} - set(mapping.rename.values())
        or not any(_may_exist(name, mapping) for name in names)
    ]


def _needed_claims(rule: Rule) -> Iterator[tuple[str, ...]]:
    yield from (tuple(names) for names in rule.requirements.claim_names)
    if rule.requirements.email_domains:
        yield ("email",)


def _may_exist(name: str, mapping: ClaimMapping) -> bool:
    return name in mapping.rename.values() or mapping.stored_name(name) == name


def _fate(name: str, mapping: ClaimMapping) -> str:
    if name in mapping.rename:
        return f"is renamed: write {mapping.rename[name]}"
    return "keep does not name" if mapping.keep is not None else "is dropped"


def _unknown_member(name: object) -> str:
    return (
        f"{name!r}: unknown; the members are keep, drop and rename. Where the user API of an OAuth2Provider has its "
        "claims is the setting claims of that OAuth2Provider"
    )


def _list_problems(member: str, names: object) -> list[str]:
    if isinstance(names, str) or not isinstance(names, list | tuple | set | frozenset):
        return [f"{member}: must be a list of names of claims, such as ['picture'], got {describe_value(names)}"]
    problems = [f"{member}: {problem}" for name in names if (problem := _name_problem(name))]
    if member == "drop":
        problems += [
            f"drop: the session needs {name}" for name in sorted(PROTOCOL_CLAIMS.intersection(map(str, names)))
        ]
    return problems


def _rename_problems(rename: object) -> list[str]:
    if not isinstance(rename, Mapping):
        example = "{'https://example.com/roles': 'roles'}"
        return [f"rename: must be a mapping of old to new names, such as {example}, got {describe_value(rename)}"]
    problems = [f"rename: {problem}" for pair in rename.items() for name in pair if (problem := _name_problem(name))]
    if problems:
        return problems
    verifications = {verified for _, verified in VERIFIED_PAIRS}
    fixed = sorted(name for name in rename if name in PROTOCOL_CLAIMS or name in verifications)
    problems += [f"rename: {name} must keep its name" for name in fixed]
    problems += [
        f"rename: {new} cannot be the new name of {old}: it would count as the provider's word; use on_login"
        for old, new in rename.items()
        if new in _PROTECTED
    ]
    news = list(rename.values())
    twice = sorted({new for new in news if news.count(new) > 1})
    return problems + [f"rename: two claims cannot both become {new}" for new in twice]


def _name_problem(name: object) -> str | None:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        return f"must be the name of a claim, of up to {MAX_NAME_LENGTH} characters, got {describe_value(name)}"
    return None
