"""Learns every secret that a provider gives out, and finds it again in what error reporters would send."""

import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rich.pretty import pretty_repr

from asgi_oidc.testing import FakeProvider

from .attacked_site import Scope

MAX_DEPTH = 6  # containers in containers that a reporter opens


class Recorder:
    """Stands before the provider and learns every secret that it gives out.

    Args:
        known: secrets that never pass by.
    """

    def __init__(self, provider: FakeProvider, *known: str) -> None:
        self.provider = provider
        self.found: set[str] = set()
        self.known = set(known)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        async def listen(message: Any) -> None:
            text = message.get("body", b"").decode("utf-8", "replace")[:200_000]
            tokens = re.findall(r'"(?:access_token|id_token|refresh_token)": ?"([^"]+)"', text)
            self.found |= {token for token in tokens if len(token) < 20_000}
            for name, value in message.get("headers", ()):
                if name.lower() == b"location":
                    self.learn(dict(parse_qsl(urlsplit(value.decode()).query)))
            await send(message)

        self.learn(dict(parse_qsl(scope.get("query_string", b"").decode())))
        await self.provider(scope, receive, listen)

    def learn(self, params: dict[str, str]) -> None:
        self.found |= {params[name] for name in ("state", "nonce", "code", "id_token_hint") if name in params}

    def all(self) -> set[str]:
        """Every secret so far, those of the token calls too."""
        in_forms = ("code_verifier", "client_secret", "refresh_token", "subject_token", "token")
        for call in self.provider.calls:
            self.learn(call.form)
            self.found |= {call.form[name] for name in in_forms if name in call.form}
            self.found |= {value.split(" ")[-1] for value in call.headers.get_list("authorization")}
        # What a fault makes up is no secret: "a-planted-code" may be anybody's.
        return {text for text in self.found if len(text) > 20} | self.known


def reported(error: BaseException) -> str:
    """Write down all that an error reporter with its defaults sends of an exception.

    That is the exception, its causes, contexts and groups, also those that a traceback leaves out, and the local
    variables of every frame. What the server gave to every app, the scope with the request's own headers, is left out.
    """
    texts: list[str] = []
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        texts += [repr(each), str(each), *written(vars(each))]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            texts.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
            texts += written({name: value for name, value in frame.f_locals.items() if name != "scope"})
        waiting += [it for it in (each.__cause__, each.__context__) if it is not None]
        waiting += getattr(each, "exceptions", ())
    return "\n".join(texts)


def written(value: object, depth: int = 0) -> Iterator[str]:
    """Write a value as reporters do: containers are opened, all else is asked for its repr."""
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        for name, item in value.items():
            yield repr(name)
            yield from written(item, depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from written(item, depth + 1)
    else:
        yield repr(value)
        yield pretty_repr(value)
