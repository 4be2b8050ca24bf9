"""The registry of faults: what each one changes, and which are active."""

import difflib
import json
from collections.abc import Callable, Iterator, MutableSet, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from ..keys import SigningKey, compact_jws, json_bytes
from ..wire import Answer

Claims = dict[str, Any]
Params = list[tuple[str, str]]
Endpoint = Literal[
    "discovery",
    "jwks",
    "par",
    "token",
    "refresh",
    "revoke",
    "introspect",
    "userinfo",
    "register",
    "manage_registration",
]
"""The endpoints whose answer a fault can change; `refresh` is the token endpoint, except for the code exchange."""


@dataclass(frozen=True)
class Setting:
    """What a fault knows about its provider."""

    issuer: str
    now: int
    slow_by: float
    """Seconds by which the `..._slow` faults delay an answer."""
    subject_path: tuple[str, ...] = ("sub",)
    """Where the userinfo answer has the user's id."""


@dataclass(frozen=True)
class Draft:
    """A token that is about to be signed."""

    header: dict[str, Any]
    payload: bytes
    key: SigningKey
    client_secret: str = field(default="", repr=False)
    """That of the client that the token is for."""


@dataclass(frozen=True)
class EncryptionDraft:
    """A token that is about to be encrypted."""

    header: dict[str, Any]
    plaintext: bytes
    key: dict[str, Any]
    """The public JWK of the client."""
    inner: Draft
    """What was signed."""
    client_secret: str = field(repr=False)


AnswerFault = Callable[[Answer, Setting], Answer]
InsteadFault = Callable[[Setting], Answer]
ClaimsFault = Callable[[Claims, Setting], Claims]
SigningFault = Callable[[Draft], str]
EncryptionFault = Callable[[EncryptionDraft], str]
ParamsFault = Callable[[Params, Setting], Params]
ModeFault = Callable[[str, Setting], str]

ANSWERS: dict[str, tuple[Sequence[Endpoint], AnswerFault]] = {}
INSTEAD: dict[str, tuple[Sequence[Endpoint], InsteadFault]] = {}
PAR_MEMBERS: dict[str, ClaimsFault] = {}
TOKEN_MEMBERS: dict[str, ClaimsFault] = {}
REFRESH_MEMBERS: dict[str, ClaimsFault] = {}
ID_TOKEN_CLAIMS: dict[str, ClaimsFault] = {}
REFRESHED_CLAIMS: dict[str, ClaimsFault] = {}
ID_TOKEN_SIGNING: dict[str, SigningFault] = {}
REFRESHED_SIGNING: dict[str, SigningFault] = {}
ACCESS_TOKEN_CLAIMS: dict[str, ClaimsFault] = {}
ACCESS_TOKEN_SIGNING: dict[str, SigningFault] = {}
INTROSPECTION_MEMBERS: dict[str, ClaimsFault] = {}
INTROSPECTION_JWT_CLAIMS: dict[str, ClaimsFault] = {}
INTROSPECTION_JWT_SIGNING: dict[str, SigningFault] = {}
LOGOUT_TOKEN_CLAIMS: dict[str, ClaimsFault] = {}
LOGOUT_TOKEN_SIGNING: dict[str, SigningFault] = {}
USERINFO_CLAIMS: dict[str, ClaimsFault] = {}
REGISTRATION_MEMBERS: dict[str, ClaimsFault] = {}
USERINFO_JWT_CLAIMS: dict[str, ClaimsFault] = {}
USERINFO_JWT_SIGNING: dict[str, SigningFault] = {}
CALLBACK_PARAMS: dict[str, ParamsFault] = {}
RESPONSE_MODES: dict[str, ModeFault] = {}
JARM_CLAIMS: dict[str, ClaimsFault] = {}
JARM_SIGNING: dict[str, SigningFault] = {}
JARM_PARAMS: dict[str, ParamsFault] = {}
ENCRYPTION: dict[str, EncryptionFault] = {}
FAULTS: dict[str, str] = {}
"""Every fault by name, with its description."""

Function = TypeVar("Function", bound=Callable[..., Any])


def registered_in(table: dict[str, Function]) -> Callable[[Function], Function]:
    """Register a function as a fault: its name is the fault's name, its docstring the description."""

    def register(function: Function) -> Function:
        register_as(table, function.__name__, function)
        return function

    return register


def register_as(table: dict[str, Function], name: str, function: Function) -> None:
    """Register a function as a fault of this name."""
    table[name] = function
    FAULTS[name] = function.__doc__ or ""


def answer_of(*endpoints: Endpoint) -> Callable[[AnswerFault], AnswerFault]:
    """Register a fault that changes the whole answer of these endpoints."""

    def register(function: AnswerFault) -> AnswerFault:
        ANSWERS[function.__name__] = (endpoints, function)
        FAULTS[function.__name__] = function.__doc__ or ""
        return function

    return register


def instead_of(*endpoints: Endpoint) -> Callable[[InsteadFault], InsteadFault]:
    """Register a fault that answers instead of these endpoints: the call is not processed, and uses up no token."""

    def register(function: InsteadFault) -> InsteadFault:
        INSTEAD[function.__name__] = (endpoints, function)
        FAULTS[function.__name__] = function.__doc__ or ""
        return function

    return register


class ActiveFaults(MutableSet[str]):
    """The active faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, value: str) -> None:
        """Activate a fault.

        Raises:
            ValueError: No fault has this name.
        """
        if value not in FAULTS:
            near = difflib.get_close_matches(value, FAULTS, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "FAULTS in asgi_oidc.testing.faults lists them"
            raise ValueError(f"no fault is named {value!r}; {hint}")
        self._names[value] = None

    def discard(self, value: str) -> None:
        """Deactivate a fault."""
        self._names.pop(value, None)

    def __contains__(self, value: object) -> bool:
        return value in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"ActiveFaults({', '.join(self._names)})"

    def answer_instead(self, endpoints: Sequence[str], setting: Setting) -> Answer | None:
        """Return the answer of an active fault that answers instead of the endpoint, else None."""
        for name in self:
            if name in INSTEAD and not set(INSTEAD[name][0]).isdisjoint(endpoints):
                return INSTEAD[name][1](setting)
        return None

    def change_answer(self, endpoints: Sequence[str], answer: Answer, setting: Setting) -> Answer:
        """Apply the active faults to an endpoint's answer."""
        for name in self:
            if name in ANSWERS and not set(ANSWERS[name][0]).isdisjoint(endpoints):
                answer = ANSWERS[name][1](answer, setting)
        return answer

    def change(self, table: dict[str, Callable[[Any, Setting], Any]], value: Any, setting: Setting) -> Any:
        """Apply the active faults to claims, token members or callback parameters."""
        for name in self:
            if name in table:
                value = table[name](value, setting)
        return value

    def sign(self, draft: Draft, *tables: dict[str, SigningFault]) -> str:
        """Sign a token; if a fault of these tables is active, in its way."""
        for name in self:
            for table in tables:
                if name in table:
                    return table[name](draft)
        return compact_jws(draft.header, draft.payload, draft.key)


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the members without those named."""
    return {name: value for name, value in members.items() if name not in names}


def with_members(answer: Answer, **members: Any) -> Answer:
    """Return the JSON answer with these members set."""
    return replace(answer, body=json_bytes(json.loads(answer.body) | members))
