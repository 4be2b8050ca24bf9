"""What a provider can do wrong: each fault has a name, and is a small function that its docstring describes.

A fault changes one thing: an endpoint's answer, the members of the token answer or the introspection answer, the claims
of a JWT (ID Token, access token, logout token, JARM response), its signature, the userinfo claims, or the parameters
of the callback.
Faults of a refresh do not affect the code exchange. `FAULTS` lists all.
"""

from . import access_token, answers, id_token, introspection, jarm, logout_token, metadata, par, refresh, userinfo
from .answers import gzip_bomb
from .registry import (
    ACCESS_TOKEN_CLAIMS,
    ACCESS_TOKEN_SIGNING,
    CALLBACK_PARAMS,
    FAULTS,
    ID_TOKEN_CLAIMS,
    ID_TOKEN_SIGNING,
    INTROSPECTION_JWT_CLAIMS,
    INTROSPECTION_JWT_SIGNING,
    INTROSPECTION_MEMBERS,
    JARM_CLAIMS,
    JARM_PARAMS,
    JARM_SIGNING,
    LOGOUT_TOKEN_CLAIMS,
    LOGOUT_TOKEN_SIGNING,
    PAR_MEMBERS,
    REFRESH_MEMBERS,
    REFRESHED_CLAIMS,
    REFRESHED_SIGNING,
    RESPONSE_MODES,
    TOKEN_MEMBERS,
    USERINFO_CLAIMS,
    ActiveFaults,
    Draft,
    Params,
    Setting,
)

__all__ = [
    "ACCESS_TOKEN_CLAIMS",
    "ACCESS_TOKEN_SIGNING",
    "CALLBACK_PARAMS",
    "FAULTS",
    "ID_TOKEN_CLAIMS",
    "ID_TOKEN_SIGNING",
    "INTROSPECTION_JWT_CLAIMS",
    "INTROSPECTION_JWT_SIGNING",
    "INTROSPECTION_MEMBERS",
    "JARM_CLAIMS",
    "JARM_PARAMS",
    "JARM_SIGNING",
    "LOGOUT_TOKEN_CLAIMS",
    "LOGOUT_TOKEN_SIGNING",
    "PAR_MEMBERS",
    "REFRESHED_CLAIMS",
    "REFRESHED_SIGNING",
    "REFRESH_MEMBERS",
    "RESPONSE_MODES",
    "TOKEN_MEMBERS",
    "USERINFO_CLAIMS",
    "ActiveFaults",
    "Draft",
    "Params",
    "Setting",
    "access_token",
    "answers",
    "gzip_bomb",
    "id_token",
    "introspection",
    "jarm",
    "logout_token",
    "metadata",
    "par",
    "refresh",
    "userinfo",
]
