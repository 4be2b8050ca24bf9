"""What a provider can do wrong, by name: each fault is one small function, documented by its docstring.

A fault hooks in at one place: an endpoint's answer, the members of the token answer, the ID Token's claims,
the way it is signed, the userinfo claims, or the parameters that come back to the callback. Those of a refresh
spare the code exchange. `FAULTS` lists all.
"""

from . import answers, id_token, metadata, refresh
from .answers import gzip_bomb
from .registry import (
    CALLBACK_PARAMS,
    FAULTS,
    ID_TOKEN_CLAIMS,
    REFRESH_MEMBERS,
    REFRESHED_CLAIMS,
    TOKEN_MEMBERS,
    USERINFO_CLAIMS,
    ActiveFaults,
    Draft,
    Params,
    Setting,
)

__all__ = [
    "CALLBACK_PARAMS",
    "FAULTS",
    "ID_TOKEN_CLAIMS",
    "REFRESHED_CLAIMS",
    "REFRESH_MEMBERS",
    "TOKEN_MEMBERS",
    "USERINFO_CLAIMS",
    "ActiveFaults",
    "Draft",
    "Params",
    "Setting",
    "answers",
    "gzip_bomb",
    "id_token",
    "metadata",
    "refresh",
]
