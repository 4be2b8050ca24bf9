"""The long texts of a session, its claims and tokens, packed into few bytes.

Tokens are taken apart: what a JWT states in JSON is compressed, together with the claims, which are stored as what
differs from the ID Token; signatures and other tokens are stored as the bytes that their base64url text encodes.
"""

from typing import Any

import msgspec

from asgi_oidc.sessions.packing.claims_difference import apply_difference, difference
from asgi_oidc.sessions.packing.compression import compress, decompress
from asgi_oidc.sessions.packing.short_texts import as_bytes
from asgi_oidc.sessions.packing.uuids import AT, NEXT, put_uuids, take_uuids
from asgi_oidc.sessions.sealing import base64url

SIZE = 3  # bytes of the size of the texts, which come first
# What is compressed is shorter than the texts, but for the names of claims that the session has no more: those may be
# written in a longer way than in the ID Token.
MAX_GROWTH, MARGIN = 3, 64
END = b"\0"  # between two compressed texts; JSON contains no such character (RFC 8259 §7)
RESERVED = (END, NEXT, AT)

# A token without the texts that are compressed: None if there is none; the signature of a JWT; or all segments of
# another token. Segments that are not base64url are stored as they are.
_Rest = Any  # bytes | list[bytes | str] | None, for which msgspec has no type


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The claims and tokens of a session.

    Attributes:
        written_claims: JSON object, as `write_claims` writes it.
        id_token: empty if the session has none.
    """

    written_claims: msgspec.Raw
    id_token: str = ""
    access_token: str | None = None
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return "Texts(...)"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return []


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of `Texts`.

    Attributes:
        compressed: the difference of the claims, and the headers and payloads of all JWTs.
        uuids: those that were in these texts.
    """

    compressed: bytes
    uuids: bytes
    id_token: _Rest = None
    access_token: _Rest = None
    refresh_token: _Rest = None


_objects = msgspec.json.Decoder(dict[str, Any])
_packed = msgspec.msgpack.Decoder(_Packed)


class TokenTexts:
    """The claims and tokens of a session, packed: most requests need none, so they are unpacked when they are used."""

    __slots__ = ("_packed", "_texts")

    def __init__(self, texts: Texts | None = None, *, packed: bytes = b"") -> None:
        """Keep texts, or what `pack` returned for them."""
        self._texts = texts
        self._packed = packed

    def __repr__(self) -> str:
        return "TokenTexts(...)"

    def __eq__(self, other: object) -> bool:
        return self.get() == other.get() if isinstance(other, TokenTexts) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # the usual way to say that values are not hashable

    def get(self) -> Texts:
        """Return the texts."""
        if self._texts is None:
            self._texts = unpack(self._packed)
        return self._texts

    def written_claims(self) -> msgspec.Raw:
        """Return the claims as JSON text."""
        return self.get().written_claims

    def packed(self) -> bytes:
        """Return the texts in the form in which they are stored."""
        if not self._packed and self._texts is not None:
            self._packed = pack(self._texts)
        return self._packed

    @property
    def size(self) -> int:
        """How many bytes the texts have, unpacked; nothing is packed or unpacked to find out."""
        return int.from_bytes(self._packed[:SIZE], "big") if self._texts is None else size_of(self._texts)

    def replace(self, **changes: Any) -> "TokenTexts":
        """Return the same with other texts, named as in `Texts`."""
        return TokenTexts(msgspec.structs.replace(self.get(), **changes))


def size_of(texts: Texts) -> int:
    """Return how many bytes claims and tokens have."""
    tokens = (texts.id_token, texts.access_token or "", texts.refresh_token or "")
    return len(bytes(texts.written_claims)) + sum(map(len, tokens))


def pack(texts: Texts) -> bytes:
    """Pack claims and tokens.

    Raises:
        OverflowError: they are larger than 16 MB; whoever keeps sessions has a lower limit.
    """
    stated: list[bytes] = []
    id_token = _split(texts.id_token or None, stated)
    claims = difference(bytes(texts.written_claims), stated[1] if stated else b"")
    access_token = _split(texts.access_token, stated)
    refresh_token = _split(texts.refresh_token, stated)
    text, uuids = take_uuids(END.join((claims, *stated)))
    rest = _Packed(compress(text), uuids, id_token, access_token, refresh_token)
    return size_of(texts).to_bytes(SIZE, "big") + msgspec.msgpack.encode(rest)


def unpack(packed: bytes) -> Texts:
    """Return the texts that `pack` was called with.

    Raises:
        ValueError: the bytes are of another format.
    """
    stored, size = _packed.decode(memoryview(packed)[SIZE:]), int.from_bytes(packed[:SIZE], "big")
    text = put_uuids(decompress(stored.compressed, most=MAX_GROWTH * size + MARGIN), stored.uuids)
    claims, *stated = text.split(END)
    id_token_claims = stated[1] if isinstance(stored.id_token, bytes) else b""
    id_token = _compose(stored.id_token, stated)
    return Texts(
        written_claims=msgspec.Raw(apply_difference(claims, id_token_claims)),
        id_token=id_token or "",
        access_token=_compose(stored.access_token, stated),
        refresh_token=_compose(stored.refresh_token, stated),
    )


def _split(token: str | None, stated: list[bytes]) -> _Rest:
    """Return what is stored of a token, and add the header and the payload of a JWT to the texts."""
    if token is None:
        return None
    segments = [as_bytes(segment) for segment in token.split(".")]
    match segments:
        case [bytes() as header, bytes() as payload, bytes() as signature] if _is_json(header) and _is_json(payload):
            stated += (header, payload)
            return signature
        case _:
            return segments


def _compose(rest: _Rest, stated: list[bytes]) -> str | None:
    if isinstance(rest, bytes):
        header, payload = stated[:2]
        del stated[:2]
        return f"{base64url(header)}.{base64url(payload)}.{base64url(rest)}"
    return None if rest is None else ".".join(each if isinstance(each, str) else base64url(each) for each in rest)


def _is_json(data: bytes) -> bool:
    """Return whether this is a JSON object; JSON contains no character that separates texts, or stands for a UUID."""
    try:
        _objects.decode(data)
    except (ValueError, RecursionError):
        return False
    return not any(character in data for character in RESERVED)
