"""A token is that of a machine if no user stands behind it; the claims are those that real providers set."""

from typing import Any

import pytest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.bearer_token import access_token
from asgi_oidc.protocol.machine import is_machine

KEYCLOAK_ID = "8532bc61-fc40-4fdb-9d5e-2cb28b9ac173"
# A service account of Keycloak: its JWT, and what introspection says of it.
KEYCLOAK_JWT = {
    "sub": KEYCLOAK_ID,
    "typ": "Bearer",
    "azp": "program",
    "client_id": "program",
    "preferred_username": "service-account-program",
    "clientHost": "127.0.0.1",
    "clientAddress": "127.0.0.1",
}
KEYCLOAK_INTROSPECTED = {
    "sub": KEYCLOAK_ID,
    "azp": "program",
    "client_id": "program",
    "username": "service-account-program",
    "active": True,
}


@pytest.mark.parametrize(
    "claims",
    [
        {"client_id": "program", "scope": "read"},
        {"sub": "program", "client_id": "program"},
        {"sub": "program", "client_id": "program", "username": "program", "email": None},
        {"sub": "program", "client_id": "program", "token_use": "access", "auth_time": 1},
        KEYCLOAK_JWT,
        KEYCLOAK_INTROSPECTED,
        {**KEYCLOAK_INTROSPECTED, "sid": "s", "clientHost": "127.0.0.1"},
        {**KEYCLOAK_INTROSPECTED, "sid": "s", "clientAddress": "127.0.0.1"},
        {"sub": "program@clients", "azp": "program", "gty": "client-credentials"},
        {"sub": "program@clients", "azp": "program", "gty": "client_credentials"},
        {"sub": KEYCLOAK_ID, "oid": KEYCLOAK_ID, "tid": "t", "azp": "program", "idtyp": "app"},
        {"sub": KEYCLOAK_ID, "oid": KEYCLOAK_ID, "tid": "t", "appid": "program"},
    ],
)
def test_a_client_that_acts_on_its_own_behalf_is_a_machine(claims):
    """Each provider says it in its own way."""
    assert is_machine(claims, "program")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "alice", "client_id": "program"},
        {"sub": "program", "client_id": "program", "auth_time": 1},
        {"sub": "program", "client_id": "program", "token_use": "access", "username": "alice"},
        {"sub": "program", "client_id": "program", "sid": "s"},
        {"sub": "program", "client_id": "program", "username": "program", "email": "program@example.com"},
        {"sub": KEYCLOAK_ID, "azp": "program", "sid": "s", "preferred_username": "alice"},
        {**KEYCLOAK_INTROSPECTED, "sid": "s"},
        {**KEYCLOAK_INTROSPECTED, "username": "service-account-other"},
        {**KEYCLOAK_INTROSPECTED, "username": "alice", "clientHost": "127.0.0.1"},
        {"sub": "alice", "azp": "program", "gty": "password"},
        {"sub": KEYCLOAK_ID, "oid": KEYCLOAK_ID, "azp": "program"},
        {"sub": KEYCLOAK_ID, "tid": "t", "azp": "program"},
        {"sub": KEYCLOAK_ID, "oid": KEYCLOAK_ID, "tid": "t", "azp": "program", "idtyp": "user"},
        {"sub": "pairwise", "oid": KEYCLOAK_ID, "tid": "t", "azp": "program", "roles": ["Orders.Read"]},
        {"sub": "pairwise", "oid": KEYCLOAK_ID, "tid": "t", "azp": "program", "scp": "read"},
        {"sub": KEYCLOAK_ID, "oid": KEYCLOAK_ID, "tid": "t", "azp": "program", "scp": "read"},
    ],
)
def test_a_token_that_a_user_stands_behind_is_not_one_of_a_machine(claims):
    """People can choose their name, and rules may let machines do more."""
    assert not is_machine(claims, "program")


def test_a_user_is_no_machine_of_a_client_that_the_token_does_not_name():
    """Whoever calls themselves that would be one."""
    assert not is_machine({"sub": "alice", "preferred_username": "service-account-None"}, None)


@pytest.mark.parametrize("claim", ["sid", "auth_time", "username", "preferred_username", "email"])
def test_a_user_without_sub_is_refused(claim):
    """Keycloak issues such tokens to a client without the scope `basic`; they are no tokens of machines."""
    claims: dict[str, Any] = {"azp": "program", claim: "alice"}

    with pytest.raises(TokenRejected) as caught:
        access_token(claims, issuer="https://id.example.com", client_id="program", expires_at=1, issued_at=0)

    assert caught.value.code == "claim_sub"
