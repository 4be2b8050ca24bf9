"""What a provider can do wrong, by name: each fault is one small function, documented by its docstring.

A fault hooks in at one place: an endpoint's answer, the members of the token answer, the claims of the ID Token or
the logout token, the way it is signed, the userinfo claims, or the parameters that come back to the callback. Those of
a refresh spare the code exchange. `FAULTS` lists all.
"""

from . import answers, id_token, logout_token, metadata, refresh
from .answers import gzip_bomb
from .registry import (
    CALLBACK_PARAMS,
    FAULTS,
    ID_TOKEN_CLAIMS,
    ID_TOKEN_SIGNING,
    LOGOUT_TOKEN_CLAIMS,
    LOGOUT_TOKEN_SIGNING,
    REFRESH_MEMBERS,
    REFRESHED_CLAIMS,
    REFRESHED_SIGNING,
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
    "ID_TOKEN_SIGNING",
    "LOGOUT_TOKEN_CLAIMS",
    "LOGOUT_TOKEN_SIGNING",
    "REFRESHED_CLAIMS",
    "REFRESHED_SIGNING",
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
    "logout_token",
    "metadata",
    "refresh",
]
