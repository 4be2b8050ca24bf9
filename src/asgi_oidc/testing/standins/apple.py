"""A stand-in for Apple: Sign in with Apple on the web.

Sources: Request an authorization to the Sign in with Apple server, Token validation, Token revocation, at
https://developer.apple.com/documentation/signinwithapplerestapi; Authenticating users with Sign in with Apple, at
https://developer.apple.com/documentation/signinwithapple. For PKCE, which they do not mention,
https://github.com/a-tokyo/apple-signin-auth/issues/180; for the name of a user, which comes once,
https://github.com/nicokaiser/passport-apple/issues/4; for texts instead of booleans,
https://github.com/nicokaiser/passport-apple/issues/79.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..accounts import Client
from ..client_authentication import read_client_credentials
from ..endpoints import AUTHORIZE, DISCOVERY, JWKS, TOKEN, Endpoint
from ..endpoints.revoke import grant_of, revoke
from ..faults import Params
from ..grants import Grant, SignIn
from ..logout import ProviderLogout
from ..provider_rules import Pkce
from ..wire import Answer, Call, json_answer
from .accounts import Account, as_account
from .apple_client_secret import KeyHolder, is_valid_client_secret
from .openid import OpenIDStandIn
from .stand_in import Routes

CODE_LIFETIME = 300  # seconds; "The code is single-use only and valid for five minutes"
ID_TOKEN_LIFETIME = 86_400  # seconds; tokens of real logins are valid for a day
TEAM_ID = "DEF123GHIJ"
KEY_ID = "ABC123DEFG"
PRIVATE_RELAY = "@privaterelay.appleid.com"


def revoke_consent(provider: ProviderLogout, call: Call) -> Answer:
    """Revoke a token and, with it, the user's consent: the next login is like the first."""
    grant = grant_of(provider.memory, call.form.get("token", ""))
    answer = revoke(provider, call)
    if answer.status == 200 and grant is not None and isinstance(provider, AppleStandIn):
        provider.consents.discard((grant.client_id, grant.sign_in.persona.sub))
    return answer


ROUTES: Routes = {
    ("GET", "https://appleid.apple.com/.well-known/openid-configuration"): DISCOVERY,
    ("GET", "https://appleid.apple.com/auth/keys"): JWKS,
    ("GET", "https://appleid.apple.com/auth/authorize"): AUTHORIZE,
    ("POST", "https://appleid.apple.com/auth/authorize"): AUTHORIZE,
    ("POST", "https://appleid.apple.com/auth/token"): TOKEN,
    ("POST", "https://appleid.apple.com/auth/revoke"): Endpoint("revoke", revoke_consent),
}


class AppleStandIn(OpenIDStandIn):
    """Apple: the client secret is a signed JWT, and the user's name comes once, in the form of the first login.

    `team_id`, `key_id` and `private_key` are what a developer gets from Apple. An account whose address ends with
    `@privaterelay.appleid.com` hides its own from the app. `consents` has the pairs of client and `sub` that have
    signed in before; without its pair, a user is asked again, and the name comes again.

    Args:
        url: An origin at which all endpoints answer instead of at the real hosts, for a server on loopback.
        accounts: Who can sign in; by default alice, bob, and mallory, whose e-mail address is not verified.
        clients: Registered Services IDs; by default `web` and `spa`. Their fixed secrets are of no use here.
        clock: Returns seconds since the epoch.
    """

    real_issuer = "https://appleid.apple.com"
    routes = ROUTES
    pkce: Pkce = "optional"
    required_scopes: Sequence[str] = ()
    code_lifetime = CODE_LIFETIME
    keeps_refresh_tokens = True
    cancel_error = "user_cancelled_authorize"
    subject_type: ClassVar[str] = "pairwise"
    scopes_supported: ClassVar[Sequence[str]] = ("openid", "email", "name")

    def __init__(
        self,
        *,
        url: str | None = None,
        accounts: Iterable[Account] | None = None,
        clients: Iterable[Client] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(url=url, accounts=accounts, clients=clients, clock=clock)
        self.id_token_lifetime = ID_TOKEN_LIFETIME
        self.consents: set[tuple[str, str]] = set()
        self._private_key = ec.generate_private_key(ec.SECP256R1())
        self.team_id, self.key_id = TEAM_ID, KEY_ID

    @property
    def private_key(self) -> str:
        """The private key that the developer has downloaded, as PEM: a file `AuthKey_ABC123DEFG.p8`."""
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def _own_metadata(self) -> dict[str, Any]:
        return {
            **super()._own_metadata(),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "revocation_endpoint": self.at("https://appleid.apple.com/auth/revoke"),
        }

    def why_refused(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the OAuth error of an authorization request: a name or an address comes by form only."""
        asks_for_more = {"name", "email"} & set(self.requested_scopes(params))
        if asks_for_more and self.response_mode(params) != "form_post":
            return ("invalid_request", "response_mode must be form_post when name or email scope is requested.")
        return super().why_refused(params)

    def authorization_response(self, sign_in: SignIn, params: Mapping[str, str]) -> Params:
        """Return `user`, with the name, if this user signs in at this client for the first time."""
        consent = (params["client_id"], sign_in.persona.sub)
        if consent in self.consents:
            return []
        self.consents.add(consent)
        user = user_field(as_account(sign_in.persona), self.requested_scopes(params))
        return [("user", json.dumps(user, ensure_ascii=False))] if user else []

    def authenticated_client(self, call: Call) -> Client | None:
        """Return the client that makes this call, if its secret is a JWT as Apple requires."""
        method, client_id, secret = read_client_credentials(call)
        client = self.clients.get(client_id)
        if client is None or method not in self.client_auth_methods:
            return None
        holder = KeyHolder(self.team_id, self.key_id, self._private_key.public_key())
        return client if is_valid_client_secret(secret, holder, client_id=client_id, now=self.now()) else None

    def refuse_client(self, _call: Call) -> Answer:
        """Return the answer to a client that failed to authenticate."""
        return json_answer({"error": "invalid_client"}, 400)

    def issues_refresh_token(self, _grant: Grant) -> bool:
        """Whether the code exchange of this grant returns a refresh token: always."""
        return True

    def issues_id_token(self, _grant: Grant) -> bool:
        """Whether the tokens of this grant include an ID Token: always."""
        return True

    def token_members(self, access_token: str, _grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer, which has no scope."""
        return {"access_token": access_token, "token_type": "Bearer", "expires_in": self.access_token_lifetime}

    def _id_token_changes(self, grant: Grant) -> dict[str, Any]:
        account = self._account_of(grant)
        changes = {**super()._id_token_changes(grant), "acr": ..., "nonce_supported": True}
        if account.email and "email" in grant.scopes:
            changes["email_verified"] = "true" if account.email_verified else "false"
            if account.email.endswith(PRIVATE_RELAY):
                changes["is_private_email"] = "true"
        return changes


def user_field(account: Account, scopes: Sequence[str]) -> dict[str, Any]:
    """Return the form field `user` of an account; it is not signed."""
    first_name, _, last_name = account.name.partition(" ")
    name = {"name": {"firstName": first_name, "lastName": last_name}} if "name" in scopes else {}
    return {**name, **({"email": account.email} if account.email and "email" in scopes else {})}
