"""What a request pays for the policy: to find what holds for its path, and to decide on its user.

Run it as `python -m benchmarks.policy`.
"""

import itertools
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from benchmarks.sessions import ROUNDS

from asgi_oidc import Rule
from asgi_oidc.needs import Person
from asgi_oidc.policy import Policy, decide, read_public
from asgi_oidc.web.request import read_headers, read_methods

RULES = 500
NOW = 1_800_000_000
# Who meets every rule costs the most: each that matches is looked at.
USER = Person(
    {"roles": ["reader", "admin"], "resource_access": {"web": {"roles": ["editor"]}}}, ("openid", "read"), None, NOW
)
STRANGER = Person({"roles": ["guest"]}, ("openid",), None, NOW)
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
    """What is asked, so many times in a round.

    Attributes:
        target: what the browser asks for, another each time; servers decode it.
    """

    name: str
    target: Target
    looks: int
    user: Person = USER


QUESTIONS = [
    Question("64 kB path", lambda look: "/a" * 32_768 + str(look), 50),
    Question("64 kB path, first rule not met", lambda look: "/a" * 32_768 + str(look), 50, STRANGER),
    Question("8 kB path of 4000 segments", lambda look: "/a" * 4000 + str(look), 50),
    Question("odd path of 2000 characters, new", lambda look: f"/a;{look:01997}", 50),
    Question("the same, escaped twice", lambda look: "/" + "%2561" * 398 + f"{look:09}", 50),
    Question("the same, letters that fold into many", lambda look: "/;" + "%EF%B7%BA" * 221 + f"{look:09}", 50),
    Question("plain path, new, no rule", lambda look: f"/page/{look}", 2000),
    Question("plain path, new, a rule below", lambda look: f"/team-1/area/{look}", 2000),
    Question("plain path, seen before, no rule", lambda look: f"/page/{look % 100}", 50_000),
    Question("plain path, seen before, public", lambda look: f"/static/{look % 100}.css", 50_000),
    Question("plain path, seen before, claims rule met", lambda look: f"/team-1/area/{look % 100}", 50_000),
    Question(
        "plain path, seen before, claims rule not met", lambda look: f"/team-1/area/{look % 100}", 50_000, STRANGER
    ),
]


def some_rules(*, with_methods: bool) -> list[Rule]:
    """Make rules of four kinds in turn: one path, all below, methods, scopes and a fresh login."""
    methods = ["GET", "POST", "DELETE"] if with_methods else None
    kinds: Sequence[Callable[[str], Rule]] = (
        lambda path: Rule(path, claims={"roles": "admin"}),
        lambda path: Rule(f"{path}/*", claims={"roles": ["admin", "owner"]}),
        lambda path: Rule(f"{path}/*", methods=methods, claims={"resource_access.web.roles": "editor"}),
        lambda path: Rule(f"{path}/*", scopes=["read"], max_age=300),
    )
    return [kinds[number % len(kinds)](f"/team-{number}/area") for number in range(RULES)]


def microseconds(rules: Sequence[Rule], question: Question) -> float:
    """Time one look with its decision. Each text is new, as those that a server hands over: nobody has hashed it."""
    policy = Policy(read_public(["/", "/health", "/static/*"]), rules, base_path="")
    numbers = itertools.count()
    scopes: list[dict[str, Any]] = []

    def prepare() -> None:
        targets = [question.target(next(numbers)) for _ in range(question.looks)]
        scopes[:] = [{"path": unquote(each), "raw_path": each.encode(), "root_path": ""} for each in targets]

    def look() -> None:
        for scope in scopes:
            decide(policy.place(scope, ("GET",)), question.user, now=NOW, leeway=30)

    def nothing() -> None:
        for _ in scopes:
            pass

    prepare()
    look()
    return (best(look, prepare) - best(nothing, prepare)) / question.looks * 1e6


def microseconds_for_methods() -> float:
    """Time how the methods of a request are read, where rules name some."""
    scope, looks = {"type": "http", "method": "GET", "headers": HEADERS}, 50_000
    headers = read_headers(scope)

    def look() -> None:
        for _ in range(looks):
            read_methods(scope, headers)

    return best(look) / looks * 1e6


def best(work: Callable[[], None], prepare: Callable[[], None] = lambda: None) -> float:
    """Time some rounds, and keep the best."""
    return min(timeit.repeat(work, prepare, number=1, repeat=ROUNDS))


def main() -> None:
    """Ask everything, of rules without methods and with some."""
    sets = [some_rules(with_methods=False), some_rules(with_methods=True)]
    print(f"{RULES} rules; microseconds to find the place and decide: no rule names methods, some do")
    for question in QUESTIONS:
        plain, with_methods = (microseconds(rules, question) for rules in sets)
        print(f"{question.name:45}{plain:10.2f}{with_methods:10.2f}")
    print(f"{'besides, to read the methods of a request':45}{'':10}{microseconds_for_methods():10.2f}")


if __name__ == "__main__":
    main()
