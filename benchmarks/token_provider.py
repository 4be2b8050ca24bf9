"""A provider that issues exactly the tokens of a token set, as its model does."""

import random
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from asgi_oidc.testing import Client, FakeProvider, Persona
from asgi_oidc.testing.grants import Grant
from asgi_oidc.testing.keys import base64url, left_half_hash, signature
from asgi_oidc.testing.wire import Answer, Call

BASE64URL = string.ascii_letters + string.digits + "-_"


class Texts:
    """Random texts as providers make them, the same in every run."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def opaque(self, length: int, *, start: str = "", alphabet: str = BASE64URL) -> str:
        """Return a random text of this length that starts like this."""
        return start + "".join(self._random.choices(alphabet, k=length - len(start)))

    def hexadecimal(self, length: int) -> str:
        """Return random hexadecimal digits."""
        return self.opaque(length, alphabet="0123456789abcdef")

    def digits(self, length: int) -> str:
        """Return random decimal digits."""
        return self.opaque(length, alphabet=string.digits)

    def guid(self) -> str:
        """Return a random UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def guids(self, count: int) -> list[str]:
        """Return random UUIDs."""
        return [self.guid() for _ in range(count)]

    def shuffled(self, texts: Sequence[str]) -> list[str]:
        """Return the texts in another order."""
        return self._random.sample(texts, len(texts))


@dataclass(frozen=True)
class Jwt:
    """A JWT; its issuer and its times are those of the login.

    Attributes:
        header: the header, byte by byte: not every provider writes JSON without spaces.
        issuer: its issuer, if that is not the issuer of the ID Token.
        times: the claims that are times, in their order.
        lifetime: seconds.
    """

    header: str
    claims: Mapping[str, Any]
    issuer: str | None = None
    times: Sequence[str] = ("exp", "iat")
    lifetime: int = 3600
    signature_bytes: int = 256

    def issued(self, issuer: str, now: int) -> str:
        """Return the token, with a random signature of the right length: a client cannot verify it anyway."""
        signed = random.Random(self.header).randbytes(self.signature_bytes)
        return f"{self.message(issuer, now)}.{base64url(signed)}"

    def message(self, issuer: str, now: int, **further: str) -> str:
        """Return what the signature signs: the header, and the claims with further ones."""
        times = {name: now + self.lifetime if name == "exp" else now for name in self.times}
        claims = {**times, "iss": self.issuer or issuer, **self.claims, **further}
        return f"{base64url(self.header.encode())}.{base64url(msgspec.json.encode(claims))}"


@dataclass(frozen=True)
class TokenSet:
    """What one provider issues to one user of one client.

    Attributes:
        id_token: the ID Token, without the claims that every login makes anew.
        access_token: an opaque text, or a JWT.
        refresh_token: the same.
        alg: the algorithm that signs the ID Token.
        has_at_hash: whether the ID Token has `at_hash`.
    """

    name: str
    issuer: str
    client_id: str
    id_token: Jwt
    access_token: str | Jwt
    refresh_token: str | Jwt
    alg: str = "RS256"
    has_at_hash: bool = False

    def issuer_at(self, origin: str) -> str:
        """Return an issuer at another origin that is as long as the real one."""
        path = "/" + "as-long-as-the-real-issuer-" * 4
        return origin + path[: max(len(self.issuer) - len(origin), 0)]


class TokenSetProvider(FakeProvider):
    """A provider that issues the tokens of one set.

    Attributes:
        issued: the last token answer.
    """

    def __init__(self, token_set: TokenSet, **settings: Any) -> None:
        self.token_set = token_set
        self.client = Client(token_set.client_id)
        self.user = Persona(token_set.id_token.claims["sub"], "Zoë Example", "zoe.example@example.com")
        self.issued: dict[str, Any] = {}
        super().__init__(token_set.issuer, clients=[self.client], personas=[self.user], alg=token_set.alg, **settings)
        self.always_refresh_tokens = True
        self.rotates_refresh_tokens = False

    @property
    def published_keys(self) -> list[dict[str, Any]]:
        """The key that signs the ID Token, by its name there."""
        kid = msgspec.json.decode(self.token_set.id_token.header)["kid"]
        return [{**self.key.public_jwk(), "kid": kid}]

    def metadata_at(self, call: Call) -> Mapping[str, Any]:
        """Return the metadata without userinfo: all claims are in the ID Token."""
        return {name: value for name, value in super().metadata_at(call).items() if name != "userinfo_endpoint"}

    def id_token_of(
        self,
        grant: Grant,
        access_token: str | None,
        *,
        further: Mapping[str, Any] | None = None,
        is_refreshed: bool = False,
    ) -> str:
        """Return the ID Token of the set for this login."""
        further = {"aud": grant.client_id}
        if grant.nonce is not None:
            further["nonce"] = grant.nonce
        if self.token_set.has_at_hash:
            further["at_hash"] = left_half_hash(self._issued(self.token_set.access_token), self.alg)
        message = self.token_set.id_token.message(self.issuer, self.now(), **further)
        token = f"{message}.{base64url(signature(message.encode(), self.key, self.alg))}"
        self.memory.id_tokens[token] = grant
        return token

    def token_answer(self, call: Call, members: Mapping[str, Any]) -> Answer:
        """Return the tokens of the set; the refresh token stays the same."""
        self.issued = {**members, "access_token": self._issued(self.token_set.access_token)}
        made = members.get("refresh_token")
        if made is not None:
            self.issued["refresh_token"] = self._issued(self.token_set.refresh_token)
            self.memory.refresh_tokens[self.issued["refresh_token"]] = self.memory.refresh_tokens.pop(made)
        return super().token_answer(call, self.issued)

    def _issued(self, token: str | Jwt) -> str:
        return token if isinstance(token, str) else token.issued(self.issuer, self.now())
