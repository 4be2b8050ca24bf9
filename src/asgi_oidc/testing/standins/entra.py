"""A stand-in for Microsoft Entra ID, its second version ("v2.0").

Sources: OpenID Connect on the Microsoft identity platform, at
https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc; for the template and the keys, "Validate
the issuer" of https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens; for the claims,
https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference and
https://learn.microsoft.com/en-us/entra/identity-platform/optional-claims-reference; for e-mail addresses,
https://learn.microsoft.com/en-us/entra/identity-platform/migrate-off-email-claim-authorization; for refresh tokens,
https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow; for groups,
https://learn.microsoft.com/en-us/graph/api/user-getmemberobjects.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..access_token_styles import AccessTokenFacts, AccessTokenStyle
from ..accounts import Client
from ..client_assertions import has_assertion
from ..endpoints import DISCOVERY, END_SESSION, JWKS, TOKEN, USERINFO, Endpoint
from ..endpoints.authorize import authorize
from ..endpoints.userinfo import token_of
from ..grants import Grant, Token, overridden
from ..keys import SigningKey, signing_key
from ..logout import ProviderLogout
from ..pages import message_page
from ..provider_rules import Pkce
from ..wire import Answer, Call, html_answer, json_answer
from .entra_accounts import ENTRA_ACCOUNTS, MAX_GROUPS, PERSONAL_ACCOUNTS, EntraAccount, as_entra_account
from .openid import OpenIDStandIn
from .stand_in import Routes

HOST = "https://login.microsoftonline.com"
GRAPH = "https://graph.microsoft.com"
ALIASES = ("organizations", "common", "consumers")
"""Of the tenant in an address: work and school accounts, all accounts, personal accounts."""
TEMPLATE = f"{HOST}/{{tenantid}}/v2.0"
RESERVED_KEY = 9000  # number of the first key that signs for one tenant only


def entra_authorize(provider: ProviderLogout, call: Call) -> Answer:
    """Sign in, unless the account is not one of the tenant in the address: Entra then shows a page of its own."""
    picked = provider.personas.get(call.form.get("sub", "")) or provider.signed_in_as
    if picked is not None and not _admits(_tenant_of(call), as_entra_account(picked)):
        text = "AADSTS50020: the account does not exist in this tenant."
        return html_answer(message_page("Sorry, but we are having trouble signing you in", text), 400)
    return authorize(provider, call)


def member_objects(provider: ProviderLogout, call: Call) -> Answer:
    """Return the ids of all groups of the user, with an access token for `User.Read`."""
    token = token_of(provider, call)
    if token is None:
        return _graph_error("InvalidAuthenticationToken", 401)
    if not {"User.Read", f"{GRAPH}/User.Read"} & set(token.scopes):
        return _graph_error("Authorization_RequestDenied", 403)
    return json_answer({"value": list(as_entra_account(token.grant.sign_in.persona).groups)})


AUTHORIZE = Endpoint("authorize", entra_authorize)
MEMBER_OBJECTS = Endpoint("member_objects", member_objects)
# `{tenant}` is a tenant or one of the aliases.
ROUTES: Routes = {
    ("GET", f"{HOST}/{{tenant}}/v2.0/.well-known/openid-configuration"): DISCOVERY,
    ("GET", f"{HOST}/{{tenant}}/discovery/v2.0/keys"): JWKS,
    ("GET", f"{HOST}/{{tenant}}/oauth2/v2.0/authorize"): AUTHORIZE,
    ("POST", f"{HOST}/{{tenant}}/oauth2/v2.0/authorize"): AUTHORIZE,
    ("POST", f"{HOST}/{{tenant}}/oauth2/v2.0/token"): TOKEN,
    ("GET", f"{HOST}/{{tenant}}/oauth2/v2.0/logout"): END_SESSION,
    ("POST", f"{HOST}/{{tenant}}/oauth2/v2.0/logout"): END_SESSION,
    ("GET", f"{GRAPH}/oidc/userinfo"): USERINFO,
    ("POST", f"{GRAPH}/oidc/userinfo"): USERINFO,
    ("POST", f"{GRAPH}/v1.0/me/getMemberObjects"): MEMBER_OBJECTS,
}


class EntraStandIn(OpenIDStandIn):
    """Microsoft Entra ID: many tenants behind one host, each with an issuer of its own.

    The metadata of an alias such as `organizations` has a template for an issuer, and the keys of its JWKS say of
    which issuer they are. `metadata` is that of `organizations`. Entra has no revocation endpoint, no `iss` in the
    authorization response, and no back-channel logout.

    `url` moves it to another host: `EntraStandIn(url="https://login.microsoftonline.us")` is a national cloud.
    """

    real_issuer = TEMPLATE
    routes = ROUTES
    client_auth_methods = ("client_secret_post", "private_key_jwt", "client_secret_basic")
    pkce: Pkce = "optional"
    client_assertion_typs = ("JWT",)
    subject_type = "pairwise"
    scopes_supported = ("openid", "profile", "email", "offline_access")
    keeps_refresh_tokens = True
    default_accounts = ENTRA_ACCOUNTS
    access_token_style: AccessTokenStyle = "entra"

    def __init__(
        self,
        *,
        url: str | None = None,
        accounts: Iterable[EntraAccount] | None = None,
        clients: Iterable[Client] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        named = {} if clock is None else {"clock": clock}
        super().__init__(url=url, accounts=accounts, clients=clients, **named)
        self.optional_claims: set[str] = set()
        """Claims that the registration of the app adds: `auth_time`, `groups`, `sid`, `xms_edov`."""
        self.removes_unverified_email = True
        """False sends addresses whose domain owner is not verified, as in registrations from before June 2023."""
        self.token_version = "2.0"
        """`1.0` makes ID Tokens of the first version, whose issuer is another."""
        self.reserved_keys = {PERSONAL_ACCOUNTS: RESERVED_KEY}
        """Tenants with a key of their own, and its number."""
        self.signs_with: str | None = None
        """A tenant whose own key signs all ID Tokens, against the rules."""

    def issuer_of(self, tid: str) -> str:
        """Return the issuer of a tenant."""
        return self.issuer.replace("{tenantid}", tid)

    def sub_of(self, name: str, *, client_id: str = "web") -> str:
        """Return the `sub` of an account in the tokens for a client."""
        return as_entra_account(self.personas[name]).sub_for(client_id)

    def reserve_key(self, tid: str) -> None:
        """Give a tenant a key of its own."""
        self.reserved_keys.setdefault(tid, RESERVED_KEY + len(self.reserved_keys))

    def authenticated_client(self, call: Call) -> Client | None:
        """Return the client that makes this call; an assertion authenticates it as well as its secret."""
        return self.client_by_assertion(call) if has_assertion(call) else super().authenticated_client(call)

    def assertion_algs(self) -> Sequence[str]:
        """Return those that Entra documents; its metadata lists none."""
        return ("PS256", "RS256")

    def assertion_audience(self, call: Call) -> str:
        """Return the token endpoint of the tenant in the address, which is `aud` in client assertions."""
        return f"{self.at(HOST)}/{_tenant_of(call)}/oauth2/v2.0/token"

    def metadata_at(self, call: Call) -> Mapping[str, Any]:
        """Return the metadata of the tenant in the address; an alias has that of all tenants."""
        return self._metadata_of(_tenant_of(call))

    def keys_at(self, call: Call) -> Sequence[Mapping[str, Any]]:
        """Return the keys of the tenant in the address, each with the issuer whose tokens it signs."""
        tenant = _tenant_of(call)
        issuer = self.issuer if tenant in ALIASES else self.issuer_of(tenant)
        keys = [{**jwk, "issuer": issuer} for jwk in self.published_keys]
        for owner, number in self.reserved_keys.items():
            if tenant in (owner, *ALIASES):
                keys.append({**signing_key(self.alg, number).public_jwk(), "issuer": self.issuer_of(owner)})
        return keys

    def token_answer(self, call: Call, members: Mapping[str, Any]) -> Answer:
        """Return the token answer; each refresh brings a new refresh token, and the old one keeps working."""
        old = self.memory.refresh_tokens.get(call.form.get("refresh_token", ""))
        if old is None or "refresh_token" in members:
            return super().token_answer(call, members)
        name = f"rt-{self.random_text()}"
        self.memory.refresh_tokens[name] = old
        return super().token_answer(call, {**members, "refresh_token": name})

    def why_no_userinfo(self, call: Call, token: Token) -> Answer | None:
        """Refuse an access token that is for an API of the app: userinfo is a part of Graph."""
        is_for_another_api = any(scope.startswith("api://") for scope in token.scopes)
        return self.refuse_access_token(call) if is_for_another_api else None

    def userinfo(self, call: Call, token: Token) -> dict[str, Any]:
        """Return the claims of userinfo, which no setting of the app changes."""
        account = as_entra_account(token.grant.sign_in.persona)
        hidden = {**dict.fromkeys(account.claims, ...), "preferred_username": ..., "oid": ...}
        claims = overridden(super().userinfo(call, token), {**hidden, **self._email_of(token.grant)})
        return {**claims, "sub": account.sub_for(token.grant.client_id), "picture": f"{GRAPH}/v1.0/me/photo/$value"}

    def _own_metadata(self) -> dict[str, Any]:
        return self._metadata_of("organizations")

    def _metadata_of(self, tenant: str) -> dict[str, Any]:
        base = self.at(f"{HOST}/{tenant}")
        return {
            **super()._own_metadata(),
            "issuer": self.issuer if tenant in ALIASES else self.issuer_of(tenant),
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "userinfo_endpoint": self.at(f"{GRAPH}/oidc/userinfo"),
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "request_uri_parameter_supported": False,
            "http_logout_supported": True,
            "frontchannel_logout_supported": True,
        }

    def _address_of(self, call: Call) -> str:
        """Return host and path of a call, with `{tenant}` instead of the tenant."""
        tenant = _tenant_of(call)
        known = {as_entra_account(persona).tid for persona in self.personas.values()}
        path = call.path.replace(tenant, "{tenant}", 1) if tenant in (*known, *ALIASES) else call.path
        return call.host + path

    def _key_of(self, grant: Grant) -> SigningKey:
        tenant = self.signs_with or as_entra_account(grant.sign_in.persona).tid
        number = self.reserved_keys.get(tenant)
        return self.key if number is None else signing_key(self.alg, number)

    def _id_token_changes(self, grant: Grant) -> dict[str, Any]:
        account = as_entra_account(grant.sign_in.persona)
        hidden = {name: ... for name in ("sid", "auth_time") if name not in self.optional_claims}
        return {
            "at_hash": ...,
            **hidden,
            "iss": self._issuer_in_tokens(account.tid),
            "sub": account.sub_for(grant.client_id),
            "tid": account.tid,
            "ver": self.token_version,
            "nbf": self.now(),
            **self._email_of(grant),
            **self._edov_of(grant, account),
            **(self._groups_of(account) if "groups" in self.optional_claims else {}),
            **account.claims,
        }

    def _facts_of(self, token: Token, audience: str | Sequence[str] | None) -> AccessTokenFacts:
        """Return what an access token says: of a user of a tenant, or of a client in the first tenant."""
        account = as_entra_account(token.grant.sign_in.persona)
        facts = replace(super()._facts_of(token, audience), issuer=self._issuer_in_tokens(account.tid))
        if facts.is_machine:
            return facts
        profile = overridden({**facts.profile, "oid": account.oid}, self._email_of(token.grant))
        return replace(facts, sub=account.sub_for(token.grant.client_id), profile=profile)

    def _issuer_in_tokens(self, tid: str) -> str:
        return f"https://sts.windows.net/{tid}/" if self.token_version == "1.0" else self.issuer_of(tid)

    def _email_of(self, grant: Grant) -> dict[str, Any]:
        is_hidden = self.removes_unverified_email and not as_entra_account(grant.sign_in.persona).email_verified
        return {"email": ...} if is_hidden else {}

    def _edov_of(self, grant: Grant, account: EntraAccount) -> dict[str, Any]:
        has_email = account.email and "email" in grant.scopes and not self._email_of(grant)
        return {"xms_edov": account.email_verified} if has_email and "xms_edov" in self.optional_claims else {}

    def _groups_of(self, account: EntraAccount) -> dict[str, Any]:
        if not account.groups:
            return {}
        if len(account.groups) <= MAX_GROUPS:
            return {"groups": list(account.groups)}
        endpoint = f"{GRAPH}/v1.0/users/{account.oid}/getMemberObjects"
        return {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": endpoint}}}


def _tenant_of(call: Call) -> str:
    return call.path.split("/")[1]


def _admits(tenant: str, account: EntraAccount) -> bool:
    is_personal = account.tid == PERSONAL_ACCOUNTS
    by_alias = {"common": True, "organizations": not is_personal, "consumers": is_personal}
    return by_alias.get(tenant, account.tid == tenant)


def _graph_error(code: str, status: int) -> Answer:
    return json_answer({"error": {"code": code, "message": "refused by the stand-in"}}, status)
