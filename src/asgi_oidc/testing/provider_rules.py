"""The rules of the fake provider, which follow the specifications; stand-ins for real providers override them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .accounts import Client
from .authorization import RESPONSE_MODES
from .client_assertions import has_assertion
from .client_authentication import authenticated_client, authentication_failed
from .client_registration import ClientRegistration
from .faults import Params
from .grants import CODE_LIFETIME, Grant, SignIn, Token
from .response_algs import signing_metadata
from .targets import named_in_query, why_no_resource
from .wire import Answer, Call, error_answer, json_answer

Pkce = Literal["required", "optional", "refused"]
"""`refused` is a provider that accepts no `code_challenge`, and refuses a token call with a `code_verifier`."""

CodeProblem = Literal["used", "unknown", "expired", "redirect_uri", "code_verifier", "dpop_key"]

CODE_PROBLEMS: Mapping[CodeProblem, str] = {
    "used": "the code was used before; its tokens are revoked",
    "unknown": "the code is unknown",
    "expired": "the code has expired",
    "redirect_uri": "redirect_uri is not that of the login",
    "code_verifier": "code_verifier does not match the code_challenge",
    "dpop_key": "the login named the DPoP key of another client, dpop_jkt",
}


class ProviderRules(ClientRegistration):
    """A provider's rules: which requests it accepts, and what its answers look like."""

    pkce: Pkce = "required"
    required_scopes: Sequence[str] = ("openid",)
    has_nonce: bool = True
    """Whether the nonce of the login is in the ID Token."""
    response_modes: Sequence[str] = RESPONSE_MODES
    """How the authorization response can be sent; `jwt` is `query.jwt`."""
    sends_iss: bool = True
    """Whether the authorization response has `iss` (RFC 9207)."""
    code_lifetime: int = CODE_LIFETIME
    cancel_error: str = "access_denied"
    """The error of a login that the user has cancelled."""
    default_grant_type: str = ""
    """The grant of a token call without `grant_type`."""

    # --- metadata and keys

    def metadata_at(self, _call: Call) -> Mapping[str, Any]:
        """Return what discovery answers to this call."""
        signed = {"introspection_signing_alg_values_supported": [self.alg]} if self.signed_introspection else {}
        signing = signing_metadata(self.clients.values(), self.alg)
        return (
            self.metadata
            | signed
            | signing
            | self.requirements_metadata()
            | self.mtls_metadata()
            | self.registration_metadata()
        )

    def keys_at(self, _call: Call) -> Sequence[Mapping[str, Any]]:
        """Return the keys of the JWKS that this call asks for."""
        return self.published_keys

    # --- the login

    def why_refused(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the OAuth error and its description for this authorization request; None if it is fine."""
        if params.get("response_type") != "code":
            return ("unsupported_response_type", "response_type must be code")
        missing = set(self.required_scopes) - set(self.requested_scopes(params))
        if missing:
            return ("invalid_scope", f"scope must contain {' '.join(sorted(missing))}")
        if not self._has_good_challenge(params):
            return ("invalid_request", "PKCE with S256 is required")
        if self.response_mode(params) not in self.response_modes:
            return ("invalid_request", f"response_mode must be one of {', '.join(self.response_modes)}")
        return None

    def why_no_target(self, request: Call) -> tuple[str, str] | None:
        """Return the error and its description for the resources of an authorization request; None if they are fine."""
        problem = why_no_resource(named_in_query(request, "resource"), self.targets)
        return ("invalid_target", problem) if problem else None

    def _has_good_challenge(self, params: Mapping[str, str]) -> bool:
        if self.pkce == "refused" or (self.pkce == "optional" and "code_challenge" not in params):
            return True
        return params.get("code_challenge_method") == "S256" and len(params.get("code_challenge", "")) == 43

    def response_mode(self, params: Mapping[str, str]) -> str:
        """Return how the authorization response is sent: one of `response_modes`."""
        return params.get("response_mode", "query")

    def requested_scopes(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Return the scopes of an authorization request."""
        return tuple(params.get("scope", "").split())

    def authorization_response(self, _sign_in: SignIn, _params: Mapping[str, str]) -> Params:
        """Return what the authorization response has besides `code`, `state` and `iss`."""
        return []

    # --- the token endpoint

    def authenticated_client(self, call: Call) -> Client | None:
        """Return the client that makes this call; `None` if it is unknown or fails to authenticate."""
        if has_assertion(call):
            return self.client_by_assertion(call)
        if self.has_certificate_method(call):
            return self.client_by_certificate(call)
        return authenticated_client(self.clients, call)

    def refuse_client(self, call: Call) -> Answer:
        """Return the answer to a client that failed to authenticate."""
        has_reason = has_assertion(call) or self.has_certificate_method(call)
        return authentication_failed(self.client_refusals[-1] if has_reason and self.client_refusals else "")

    def refuse_code(self, _call: Call, problem: CodeProblem) -> Answer:
        """Return the answer to a code exchange that has this problem."""
        return error_answer("invalid_grant", CODE_PROBLEMS[problem])

    def refuse_refresh_token(self, _call: Call, reason: str) -> Answer:
        """Return the answer to a refresh with a token that is unknown, used or revoked."""
        return error_answer("invalid_grant", reason)

    def issues_refresh_token(self, grant: Grant) -> bool:
        """Whether the code exchange of this grant returns a refresh token."""
        return self.always_refresh_tokens or "offline_access" in grant.scopes

    def issues_id_token(self, grant: Grant) -> bool:
        """Whether the tokens of this grant include an ID Token."""
        return "openid" in grant.scopes

    def token_members(self, access_token: str, grant: Grant) -> dict[str, Any]:
        """Return the members of the token answer, except the ID Token and the refresh token."""
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.access_token_lifetime,
            "scope": " ".join(grant.scopes),
        }

    def token_answer(self, _call: Call, members: Mapping[str, Any]) -> Answer:
        """Return the token answer with these members."""
        return json_answer(members)

    # --- the userinfo endpoint

    def refuse_access_token(self, call: Call) -> Answer:
        """Return the answer to a call with an access token that is missing, unknown or expired."""
        refusal = error_answer("invalid_token", "the access token is unknown or has expired", 401)
        scheme = "DPoP" if call.headers.get("authorization", "").lower().startswith("dpop ") else "Bearer"
        return refusal.having(www_authenticate=f'{scheme} error="invalid_token"')

    def why_no_userinfo(self, _call: Call, _token: Token) -> Answer | None:
        """Return the refusal of a userinfo call with a good access token, else None."""
        return None

    def userinfo(self, _call: Call, token: Token) -> dict[str, Any]:
        """Return the members of the userinfo answer."""
        persona = token.grant.sign_in.persona
        return {"sub": persona.sub, **persona.claims_for(token.scopes)}
