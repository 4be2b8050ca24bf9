"""What does the policy cost a request: to find the rules for its path, and to decide about its user?

Run it as `python -m benchmarks.policy`.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from benchmarks.harness import Harness

from asgi_oidc import Rule
from asgi_oidc.policy.policy import Policy, decide, read_public
from asgi_oidc.policy.requirements import Subject
from asgi_oidc.web.request import Request

RULES = 500
NOW = 1_800_000_000
# Who meets every rule costs the most: each that matches is looked at.
USER = Subject(
    {"roles": ["reader", "admin"], "resource_access": {"web": {"roles": ["editor"]}}}, ("openid", "read"), None, NOW
)
STRANGER = Subject({"roles": ["guest"]}, ("openid",), None, NOW)
# Those that a browser sends.
HEADERS = [
    (b"host", b"app.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://app.example.com/"),
    (b"cookie", b"__Host-oidc=" + b"x" * 2000),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-site", b"same-origin"),
]

Target = Callable[[int], str]


@dataclass(frozen=True)
class Question:
    """One case to measure.

    Attributes:
        target: the URL that the browser requests, another one each time; servers decode it.
    """

    name: str
    target: Target
    user: Subject = USER


QUESTIONS = [
    Question("64 kB path", lambda look: "/a" * 32_768 + str(look)),
    Question("64 kB path, first rule not met", lambda look: "/a" * 32_768 + str(look), STRANGER),
    Question("8 kB path of 4000 segments", lambda look: "/a" * 4000 + str(look)),
    Question("odd path of 2000 characters, new", lambda look: f"/a;{look:01997}"),
    Question("the same, escaped twice", lambda look: "/" + "%2561" * 398 + f"{look:09}"),
    Question("the same, letters that fold into many", lambda look: "/;" + "%EF%B7%BA" * 221 + f"{look:09}"),
    Question("plain path, new, no rule", lambda look: f"/page/{look}"),
    Question("plain path, new, a rule below", lambda look: f"/team-1/area/{look}"),
    Question("plain path, seen before, no rule", lambda look: f"/page/{look % 100}"),
    Question("plain path, seen before, public", lambda look: f"/static/{look % 100}.css"),
    Question("plain path, seen before, claims rule met", lambda look: f"/team-1/area/{look % 100}"),
    Question("plain path, seen before, claims rule not met", lambda look: f"/team-1/area/{look % 100}", STRANGER),
]


def some_rules(*, with_methods: bool) -> list[Rule]:
    """Return rules of four kinds in turn: one path, all paths below, methods, or scopes and a recent login."""
    methods = ["GET", "POST", "DELETE"] if with_methods else None
    kinds: Sequence[Callable[[str], Rule]] = (
        lambda path: Rule(path, claims={"roles": "admin"}),
        lambda path: Rule(f"{path}/*", claims={"roles": ["admin", "owner"]}),
        lambda path: Rule(f"{path}/*", methods=methods, claims={"resource_access.web.roles": "editor"}),
        lambda path: Rule(f"{path}/*", scopes=["read"], max_age=300),
    )
    return [kinds[number % len(kinds)](f"/team-{number}/area") for number in range(RULES)]


def fresh(question: Question) -> Callable[[], dict[str, Any]]:
    """Return new scopes, as a server makes them: each text is new and not hashed yet."""
    numbers = itertools.count()

    def scope() -> dict[str, Any]:
        target = question.target(next(numbers))
        return {"path": unquote(target), "raw_path": target.encode(), "root_path": ""}

    return scope


def look(question: Question, *, with_methods: bool) -> Callable[[], Callable[[], object]]:
    """Find the rules for a path, and decide about its user."""

    def make() -> Callable[[], object]:
        rules = some_rules(with_methods=with_methods)
        policy = Policy(read_public(["/", "/health", "/static/*"]), rules, base_path="")
        scope = fresh(question)
        return lambda: decide(policy.match(scope(), ("GET",)), question.user, now=NOW, leeway=30)

    return make


def read_again_and_again() -> Callable[[], object]:
    """Read a request, and all methods as which an app may serve it."""
    scope = {"type": "http", "method": "GET", "headers": HEADERS}
    return lambda: Request(scope).methods


def main() -> None:
    """Measure all cases, with rules that have no methods and with some that have."""
    harness = Harness("policy", processes=3)
    kinds = {"": False, ", some with methods": True}
    for question in QUESTIONS:
        harness.work(f"nothing: {question.name}", partial(fresh, question))
        for label, with_methods in kinds.items():
            harness.work(f"{question.name}{label}", look(question, with_methods=with_methods))
    harness.work("a request and its methods", read_again_and_again)
    if not harness.is_main:
        return
    for question in QUESTIONS:
        for label in kinds:
            name = f"{question.name}{label}"
            harness.row(f"{RULES} rules: {name}", harness.more(name, f"nothing: {question.name}") * 1e6, "us")
    harness.row("a request and its methods", harness.least["a request and its methods"] * 1e6, "us")
    harness.save()


if __name__ == "__main__":
    main()
