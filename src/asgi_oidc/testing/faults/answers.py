"""Faults of the token answer and of what comes back to the callback."""

import functools
import gzip
import struct
import zlib
from dataclasses import replace

from ..wire import Answer, error_answer, html_answer, redirect_answer
from .registry import (
    CALLBACK_PARAMS,
    TOKEN_MEMBERS,
    Claims,
    Params,
    Setting,
    answer_of,
    registered_in,
    with_members,
    without,
)


@answer_of("token")
def token_500(_answer: Answer, _setting: Setting) -> Answer:
    """The token endpoint answers 500."""
    return Answer(500, b"oops", {"content-type": "text/plain"})


@answer_of("token")
def token_html(_answer: Answer, _setting: Setting) -> Answer:
    """The token endpoint answers a page with status 200."""
    return html_answer("<!doctype html><title>Hello</title><p>It works!")


@answer_of("token")
def token_not_json(answer: Answer, _setting: Setting) -> Answer:
    """The answer has the type JSON, but is cut off in the middle."""
    return replace(answer, body=b'{"access_token": "abc", "id_tok')


@answer_of("token")
def token_json_array(answer: Answer, _setting: Setting) -> Answer:
    """The answer is JSON, but not an object."""
    return replace(answer, body=b'["access_token", "id_token"]')


@answer_of("token")
def token_oauth_error(_answer: Answer, _setting: Setting) -> Answer:
    """The token endpoint refuses with `invalid_grant` and a text that looks like markup."""
    return error_answer("invalid_grant", "<b>call +1-800-PHISHING</b>")


@answer_of("token")
def token_invalid_client(_answer: Answer, _setting: Setting) -> Answer:
    """The token endpoint refuses the client, as if its secret were wrong."""
    return error_answer("invalid_client", "unknown client", 401).having(www_authenticate="Basic")


@answer_of("token")
def token_redirect(_answer: Answer, _setting: Setting) -> Answer:
    """The token endpoint answers 307, which would send code and secret elsewhere (RFC 9700 §4.12)."""
    return replace(redirect_answer("https://collector.example.org/token"), status=307)


@answer_of("token")
def token_slow(answer: Answer, setting: Setting) -> Answer:
    """The token endpoint takes `provider.slow_by` seconds."""
    return replace(answer, delay=setting.slow_by)


@answer_of("token")
def token_huge(answer: Answer, _setting: Setting) -> Answer:
    """The answer is valid JSON of 8 MB."""
    return with_members(answer, padding="x" * 8_000_000)


@answer_of("token")
def token_gzip_bomb(answer: Answer, _setting: Setting) -> Answer:
    """The answer is 1 kB that decompresses to 512 MB, compressed twice."""
    return replace(answer, body=gzip_bomb()).having(content_encoding="gzip, gzip")


@answer_of("token")
def token_gzip(answer: Answer, _setting: Setting) -> Answer:
    """The answer is compressed, although the call did not accept that."""
    return replace(answer, body=gzip.compress(answer.body)).having(content_encoding="gzip")


@answer_of("token")
def token_deep_json(answer: Answer, _setting: Setting) -> Answer:
    """The answer nests 100,000 lists."""
    return replace(answer, body=b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@registered_in(TOKEN_MEMBERS)
def token_no_id_token(members: Claims, _setting: Setting) -> Claims:
    """The token answer has no ID Token."""
    return without(members, "id_token")


@registered_in(TOKEN_MEMBERS)
def token_no_access_token(members: Claims, _setting: Setting) -> Claims:
    """The token answer has no access token."""
    return without(members, "access_token")


@registered_in(TOKEN_MEMBERS)
def token_type_dpop(members: Claims, _setting: Setting) -> Claims:
    """The access token is of a type that was not requested."""
    return members | {"token_type": "DPoP"}


@registered_in(TOKEN_MEMBERS)
def token_wrong_types(members: Claims, _setting: Setting) -> Claims:
    """Members of the answer have the wrong JSON type."""
    return members | {"id_token": {"a": 1}, "access_token": 7}


@registered_in(TOKEN_MEMBERS)
def token_no_expires_in(members: Claims, _setting: Setting) -> Claims:
    """The token answer has no `expires_in`, which RFC 6749 §5.1 allows."""
    return without(members, "expires_in")


@registered_in(TOKEN_MEMBERS)
def token_expires_in_text(members: Claims, _setting: Setting) -> Claims:
    """`expires_in` is a number in quotes, as some providers send it. Clients should accept it."""
    return members | {"expires_in": str(members["expires_in"])}


@registered_in(CALLBACK_PARAMS)
def callback_no_iss(params: Params, _setting: Setting) -> Params:
    """`iss` is missing although the metadata promises it (RFC 9207)."""
    return [pair for pair in params if pair[0] != "iss"]


@registered_in(CALLBACK_PARAMS)
def callback_wrong_iss(params: Params, _setting: Setting) -> Params:
    """`iss` is another provider: a mix-up attack (RFC 9207)."""
    return [*callback_no_iss(params, _setting), ("iss", "https://someone-else.example.com")]


@registered_in(CALLBACK_PARAMS)
def callback_error_access_denied(params: Params, _setting: Setting) -> Params:
    """The login ends in `access_denied`, with a text that looks like markup."""
    kept = [pair for pair in params if pair[0] != "code"]
    return [("error", "access_denied"), ("error_description", "<b>call +1-800-PHISHING</b>"), *kept]


@registered_in(CALLBACK_PARAMS)
def callback_error_server_error(params: Params, _setting: Setting) -> Params:
    """The login ends in `server_error`."""
    return [("error", "server_error"), *(pair for pair in params if pair[0] != "code")]


@registered_in(CALLBACK_PARAMS)
def callback_error_and_code(params: Params, _setting: Setting) -> Params:
    """The callback has both an error and a code."""
    return [("error", "access_denied"), *params]


@registered_in(CALLBACK_PARAMS)
def callback_no_state(params: Params, _setting: Setting) -> Params:
    """The callback has no `state`."""
    return [pair for pair in params if pair[0] != "state"]


@registered_in(CALLBACK_PARAMS)
def callback_wrong_state(params: Params, _setting: Setting) -> Params:
    """The callback has the `state` of another login."""
    return [*callback_no_state(params, _setting), ("state", "state-of-another-login")]


@registered_in(CALLBACK_PARAMS)
def callback_no_code(params: Params, _setting: Setting) -> Params:
    """The callback has neither a code nor an error."""
    return [pair for pair in params if pair[0] != "code"]


@registered_in(CALLBACK_PARAMS)
def callback_double_code(params: Params, _setting: Setting) -> Params:
    """The callback has `code` twice."""
    return [("code", "a-planted-code"), *params]


@registered_in(CALLBACK_PARAMS)
def callback_double_state(params: Params, _setting: Setting) -> Params:
    """The callback has `state` twice."""
    return [("state", "a-planted-state"), *params]


@registered_in(CALLBACK_PARAMS)
def callback_unknown_params(params: Params, _setting: Setting) -> Params:
    """The callback has unknown parameters, which clients must ignore."""
    return [*params, ("session_state", "abc.def"), ("authuser", "0"), ("prompt", "consent")]


@functools.cache
def gzip_bomb(unpacked_size: int = 512 * 1024 * 1024) -> bytes:
    """Return that many spaces, compressed twice; made without holding them, by repeating one compressed megabyte."""
    chunk = b" " * (1024 * 1024)
    count = unpacked_size // len(chunk)
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)  # a full flush, so that it can be repeated
    checksum = functools.reduce(lambda so_far, _: zlib.crc32(chunk, so_far), range(count), 0)
    end = packer.flush() + struct.pack("<II", checksum, count * len(chunk))
    start = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"
    return gzip.compress(start + packed * count + end, 9)
