"""Keycloak from Maven Central, as a process that the tests set up through its admin API."""

import contextlib
import itertools
import json
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.real.certificates import Certificate
from tests.real.keycloak_program import keycloak_command
from tests.real.processes import answers, free_port, running

REALM = "shop"
ADMIN = "admin"
ADMIN_PASSWORD = "keycloak-admin-for-tests"
PROFILES = (  # which every realm has; those for DPoP are others than those for certificates
    "fapi-2-security-profile",
    "fapi-2-dpop-security-profile",
    "fapi-2-dpop-message-signing",
)
PASSWORD = "a password of everybody here"
STARTS_WITHIN = 400.0  # seconds; ten where nothing else runs, but a Java program suffers on a busy machine
# A short life in little memory: no second compiler, one collector thread.
JAVA_OPTS = "-Xms64m -Xmx512m -XX:MaxMetaspaceSize=256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dfile.encoding=UTF-8"
# A second login page in a browser makes Keycloak forget the first one, as time does.
ONE_LOGIN_PAGE = ("--spi-authentication-sessions--infinispan--auth-sessions-limit=1",)
# Closing its standard input ends the process group, so Java never outlives a test run that was killed.
ENDS_WITH_US = ("sh", "-c", '("$@" </dev/null; kill $$) & cat; kill -- -$$', "sh")


@dataclass(frozen=True)
class Keycloak:
    """A Keycloak whose realm `shop` has two users: alice, who has the role `director`, and bob.

    Attributes:
        url: https on 127.0.0.1; Keycloak's cookies are for https only.
        trust: what a client needs to go there.
    """

    url: str
    trust: ssl.SSLContext = field(repr=False)
    _admin: httpx.Client = field(repr=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @property
    def issuer(self) -> str:
        """Of the realm."""
        return f"{self.url}/realms/{REALM}"

    def register(
        self, origin: str, *, name: str = "", roles_in_id_token: bool = False, access_token_lifetime: int = 300
    ) -> str:
        """Register a client whose app is at this origin, with back-channel logout, and return its id.

        Args:
            name: of this provider in the app, if that has several.
            roles_in_id_token: whether it has the mapper that adds `realm_access` to the ID Token.
            access_token_lifetime: seconds.
        """
        client_id, suffix = f"web-{next(self._numbers)}", f"/{name}" if name else ""
        self._post(
            "/clients",
            {
                "clientId": client_id,
                "secret": client_secret(client_id),
                "redirectUris": [f"{origin}/auth/callback{suffix}"],
                "frontchannelLogout": False,
                "attributes": {
                    "backchannel.logout.url": f"{origin}/auth/backchannel-logout{suffix}",
                    "backchannel.logout.session.required": "true",
                    "post.logout.redirect.uris": f"{origin}/",
                    "pkce.code.challenge.method": "S256",
                    "access.token.lifespan": str(access_token_lifetime),
                },
                "protocolMappers": [ROLES_IN_ID_TOKEN] if roles_in_id_token else [],
            },
        )
        return client_id

    def protect(self, url: str, *names: str, lets_exchange_for: str = "") -> "API":
        """Register an API: whoever asks for one of its scopes gets a token for its URL and for its own client.

        Args:
            names: of its scopes, which get a number, so that each API has scopes of its own.
            lets_exchange_for: the client id of another API, for which it may exchange tokens (RFC 8693).
        """
        number = next(self._numbers)
        client_id = f"api-{number}"
        scopes = tuple(f"{name}-{number}" for name in names)
        for scope in scopes:
            mappers = [_audience("URL", custom=url), _audience("client", client=client_id)]
            self._add_scope(scope, mappers)
        further = f"for-{number}"
        self._add_scope(further, [_audience("other", client=lets_exchange_for)] if lets_exchange_for else [])
        attributes = {"standard.token.exchange.enabled": str(bool(lets_exchange_for)).lower()}
        self.add_client(client_id, attributes=attributes, defaultClientScopes=["basic", further])
        return API(client_id, scopes)

    def add_client(self, client_id: str = "", **members: Any) -> str:
        """Register any client, and return its id; see `ClientRepresentation` in the documentation of Keycloak."""
        client_id = client_id or f"client-{next(self._numbers)}"
        self._post("/clients", {"clientId": client_id, "secret": client_secret(client_id), **members})
        return client_id

    def save_again(self, client_id: str) -> None:
        """Save a client as it is, as in the console: this lets policies with a condition on the client adapt it."""
        found = self._client(client_id)
        self._admin.put(f"/clients/{found['id']}", json=found).raise_for_status()

    def attributes_of(self, client_id: str) -> dict[str, str]:
        """Return the attributes of a client."""
        found: dict[str, str] = self._client(client_id)["attributes"]
        return found

    def _client(self, client_id: str) -> dict[str, Any]:
        (found,) = self._admin.get("/clients", params={"clientId": client_id}).raise_for_status().json()
        return dict(found)

    def _add_scope(self, name: str, mappers: Sequence[Any]) -> None:
        """Add a scope that every client registered from now on may ask for."""
        attributes = {"include.in.token.scope": "true"}
        members = {"name": name, "protocol": "openid-connect", "attributes": attributes, "protocolMappers": mappers}
        created = self._admin.post("/client-scopes", json=members).raise_for_status()
        scope_id = created.headers["location"].rpartition("/")[2]
        self._admin.put(f"/default-optional-client-scopes/{scope_id}").raise_for_status()

    def import_realm(self, realm: Any) -> str:
        """Create another realm from what `--import-realm` reads from a file, and return its issuer."""
        self._post(f"{self.url}/admin/realms", realm)
        return f"{self.url}/realms/{realm['realm']}"

    def sign_out(self, username: str) -> None:
        """Do what an administrator does with "Sign out" on the page of a user."""
        self._post(f"/users/{self._user_id(username)}/logout", {})

    @contextlib.contextmanager
    def locked_out(self, username: str) -> Iterator[None]:
        """Disable a user while the block lasts; Keycloak tells no app about that."""
        path = f"/users/{self._user_id(username)}"
        self._admin.put(path, json={"enabled": False}).raise_for_status()
        try:
            yield
        finally:
            self._admin.put(path, json={"enabled": True}).raise_for_status()

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the old ones stay published."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self._post(
            "/components",
            {
                "name": "a newer key",
                "providerId": "rsa",
                "providerType": "org.keycloak.keys.KeyProvider",
                "config": {"privateKey": [pem], "priority": [str(1000 + next(self._numbers))]},
            },
        )

    def _user_id(self, username: str) -> str:
        found = self._admin.get("/users", params={"username": username, "exact": True}).raise_for_status().json()
        return str(found[0]["id"])

    def _post(self, path: str, body: Any) -> None:
        self._admin.post(path, json=body).raise_for_status()


@dataclass(frozen=True)
class API:
    """An API, as Keycloak knows it.

    Attributes:
        client_id: of the client that introspects and exchanges tokens for it.
        scopes: which others ask for.
    """

    client_id: str
    scopes: tuple[str, ...]


def _audience(name: str, *, custom: str = "", client: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {
            "included.custom.audience": custom,
            "included.client.audience": client,
            "access.token.claim": "true",
            "introspection.token.claim": "true",
        },
    }


ROLES_IN_ID_TOKEN = {
    "name": "realm roles in the ID Token",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-usermodel-realm-role-mapper",
    "config": {
        "claim.name": "realm_access.roles",
        "jsonType.label": "String",
        "multivalued": "true",
        "id.token.claim": "true",
    },
}


def client_secret(client_id: str) -> str:
    """Return the secret of a registered client."""
    return f"the secret of {client_id}: 100% + &"


@contextlib.contextmanager
def keycloak(certificate: Certificate, client_authority: str) -> Iterator[Keycloak]:
    """Run a Keycloak with nothing but the realm while the block lasts.

    Args:
        client_authority: PEM file of the authority of its clients' certificates.
    """
    command = keycloak_command()
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    options = ["--http-host=127.0.0.1", f"--https-port={port}", *ONE_LOGIN_PAGE]
    tls = [f"--https-certificate-file={certificate.chain}", f"--https-certificate-key-file={certificate.key}"]
    trusted = f"--truststore-paths={client_authority},{certificate.ca}"  # of clients, and of what it calls itself
    with tempfile.TemporaryDirectory(prefix="keycloak-") as folder:
        environ = {
            "JAVA_OPTS": f"{JAVA_OPTS} -Dquarkus.transaction-manager.object-store.directory={folder}",
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
        }
        with running([*ENDS_WITH_US, *command, *options, *tls, trusted], environ) as process:
            process.wait_until(lambda: answers(url, ca=certificate.ca), "Keycloak answers", within=STARTS_WITHIN)
            trust = ssl.create_default_context(cafile=certificate.ca)
            with httpx.Client(base_url=f"{url}/admin/realms", verify=trust, timeout=60, trust_env=False) as admin:
                _sign_in(admin, url)
                admin.post("", json=_realm()).raise_for_status()
                admin.base_url = httpx.URL(f"{url}/admin/realms/{REALM}")
                yield Keycloak(url, trust, admin)


def _sign_in(admin: httpx.Client, url: str) -> None:
    login = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": ADMIN_PASSWORD}

    def use_a_new_token() -> None:
        answer = admin.post(f"{url}/realms/master/protocol/openid-connect/token", data=login).raise_for_status()
        admin.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    use_a_new_token()
    admin.put("/master", json={"accessTokenLifespan": 3600}).raise_for_status()  # seconds; it is a minute otherwise
    use_a_new_token()


def _realm() -> dict[str, Any]:
    return {
        "realm": REALM,
        "enabled": True,
        "passwordPolicy": "hashIterations(1)",
        "roles": {"realm": [{"name": "director"}]},
        "clientPolicies": {"policies": [_policy(profile) for profile in PROFILES]},
        "users": [_user("alice", "Adams", "director"), _user("bob", "Brown")],
    }


def _policy(profile: str) -> dict[str, Any]:
    """Hold the clients whose attribute `profile` names it to a profile."""
    attributes = json.dumps([{"key": "profile", "value": profile}])
    return {
        "name": profile,
        "enabled": True,
        "conditions": [{"condition": "client-attributes", "configuration": {"attributes": attributes}}],
        "profiles": [profile],
    }


def _user(username: str, family_name: str, *roles: str) -> dict[str, Any]:
    return {
        "username": username,
        "enabled": True,
        "firstName": username.title(),
        "lastName": family_name,
        "email": f"{username}@example.com",
        "emailVerified": True,
        "credentials": [{"type": "password", "value": PASSWORD}],
        "realmRoles": list(roles),
    }
