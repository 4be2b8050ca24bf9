"""The five questions of `init`, and what the answers become."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from asgi_oidc.cli.init.frameworks import FRAMEWORKS, installed_framework
from asgi_oidc.cli.init.providers import PROVIDERS, KnownProvider
from asgi_oidc.safe_urls import check_url, is_loopback
from asgi_oidc.settings.value_checks import SECRET_BYTES, read_base_url
from asgi_oidc.stores.redis_url import read_url

LOCAL_URL = "http://127.0.0.1:8000"
COOKIES = "cookies"
Value = TypeVar("Value")
POSTGRES = ("postgresql://", "postgres://")
ATTEMPTS = 5  # answers that are refused before the command gives up


class NoAnswer(Exception):
    """A question was not answered; the message says which."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to all questions.

    Attributes:
        variables: of the provider, in the order of the file.
        store: `COOKIES`, or the URL of a store.
        audience: of the API, if the app takes access tokens as well.
    """

    framework: str
    provider: str
    variables: Mapping[str, str] = field(repr=False)
    base_url: str
    store: str = field(default=COOKIES, repr=False)
    audience: str | None = None

    @property
    def known(self) -> KnownProvider:
        """The provider."""
        return PROVIDERS[self.provider]

    @property
    def port(self) -> int:
        """The port of the app on this machine."""
        return check_url(self.base_url).port or 8000

    @property
    def is_local(self) -> bool:
        """Whether only this machine can open the app."""
        return is_loopback(check_url(self.base_url).hostname or "")

    def environment(self) -> dict[str, str]:
        """Return all variables, with a new secret."""
        store = {} if self.store == COOKIES else {"OIDC_STORE": self.store}
        audience = {} if self.audience is None else {"OIDC_BEARER_AUDIENCE": self.audience}
        return {
            **self.variables,
            "OIDC_BASE_URL": self.base_url,
            "OIDC_SECRET": secrets.token_urlsafe(SECRET_BYTES),
            **store,
            **audience,
        }


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line answers already; None asks.

    Attributes:
        uses_defaults: whether the default is the answer to every other question.
    """

    framework: str | None = None
    provider: str | None = None
    address: str | None = None
    base_url: str | None = None
    store: str | None = field(default=None, repr=False)
    audience: str | None = None
    client_id: str | None = None
    uses_defaults: bool = False


def read_answers(given: Given, *, prompt: Callable[[str], str], say: Callable[[str], None]) -> Answers:
    """Get the answers, from the command line or by asking.

    Args:
        prompt: asks a question, and returns the answer; it raises EOFError at the end of the input.
        say: prints a line.

    Raises:
        NoAnswer: a question was not answered, or not with anything that can be right.
    """
    questions = _Questions(given.uses_defaults, prompt, say)
    framework = questions.choose(
        "Framework", {name: each.title for name, each in FRAMEWORKS.items()}, given.framework, installed_framework()
    )
    provider = questions.choose(
        "Provider", {name: each.title for name, each in PROVIDERS.items()}, given.provider, "local"
    )
    known = PROVIDERS[provider]
    variables = questions.read(
        f"{known.question}, such as {known.example}" if known.question else "", known.variables, given.address, ""
    )
    if given.client_id is not None:
        name = next(name for name in variables if name.endswith("CLIENT_ID"))
        variables = {**variables, name: given.client_id}
    base_url = questions.read("Public URL of the app", _base_url, given.base_url, LOCAL_URL)
    store = questions.read(
        f"Sessions: {COOKIES} for one process, or the URL of a store that several share, such as "
        "redis://localhost:6379 or postgresql://...",
        _store,
        given.store,
        COOKIES,
    )
    answers = Answers(framework, provider, variables, base_url, store, given.audience)
    for name, value in answers.environment().items():
        if not value.isprintable():  # what is behind a line break would be another setting
            raise NoAnswer(f"{name}: must be on one line: remove the line breaks and control characters")
    return answers


def _base_url(text: str) -> str:
    return read_base_url(text.rstrip("/"))


def _store(text: str) -> str:
    if text != COOKIES and not text.startswith(POSTGRES):
        read_url(text)
    return text


class _Questions:
    def __init__(self, uses_defaults: bool, prompt: Callable[[str], str], say: Callable[[str], None]) -> None:
        self._uses_defaults = uses_defaults
        self._prompt = prompt
        self._say = say
        self._asked = 0

    def _numbered(self, question: str) -> str:
        """Count the questions that are asked: options answer some, and not every provider has an address."""
        self._asked += 1
        return f"{self._asked}. {question}"

    def choose(self, question: str, choices: Mapping[str, str], given: str | None, default: str) -> str:
        """Ask for one of several names; the number of a choice counts as well."""
        names = list(choices)

        def read(text: str) -> str:
            name = names[int(text) - 1] if text.isdecimal() and 0 < int(text) <= len(names) else text.lower()
            if name not in choices:
                raise ValueError(f"must be one of {', '.join(names)}")
            return name

        if given is None and not self._uses_defaults:
            self._say(f"{self._numbered(question)}:")
            for number, (name, title) in enumerate(choices.items(), 1):
                self._say(f"   {number:2} {name:10} {title}")
        return self.read("   Name or number", read, given, default, label=question)

    def read(
        self, question: str, read: Callable[[str], Value], given: str | None, default: str, *, label: str = ""
    ) -> Value:
        """Ask until the answer can be read; without a question, the default is the answer."""
        label = label or question
        if given is not None or self._uses_defaults or not question:
            try:
                return read(default if given is None else given)
            except ValueError as error:
                raise NoAnswer(f"{label}: {error}") from None
        if label == question:
            question = self._numbered(question)
        for _ in range(ATTEMPTS):
            try:
                text = self._prompt(f"{question} [{default}]: " if default else f"{question}: ").strip() or default
            except EOFError:
                raise NoAnswer("the input ended before all questions were answered") from None
            try:
                return read(text)
            except ValueError as error:
                self._say(f"   That {error}.")
        raise NoAnswer(f"{label}: no usable answer")
