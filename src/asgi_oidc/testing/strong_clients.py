"""Clients with keys at the fake provider: their registered keys, and what it requires of them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .access_tokens import AccessTokens
from .accounts import Client, keys_in
from .authorization_details import Detail, DetailsRefused, GrantDetails, read_details
from .client_assertions import AssertionRules, client_id_in, has_assertion, why_assertion_refused
from .client_authentication import read_client_credentials
from .dpop_nonces import DPoPNonces
from .dpop_proofs import NonceRequired, Proof, ProofRefused, ProvenCall, read_proof
from .faults import Params
from .request_objects import RequestObjectRules, read_request_object
from .response_algs import encrypts_for
from .wire import Call

NonceServer = Literal["authorization", "userinfo"]
"""The servers with nonces of their own: PAR and token endpoint together, and the userinfo endpoint."""

log = logging.getLogger(__name__)


class StrongClients(AccessTokens):
    """The part of the fake provider that knows the keys of clients, and what clients must do besides."""

    requires_par: bool = False
    """Whether only pushed authorization requests are accepted (RFC 9126 §5)."""
    par_lifetime: int = 60
    """Seconds until a pushed request expires."""
    client_assertion_typs: Sequence[str] = ()
    """The `typ` of client assertions that it accepts, such as `["JWT"]` as Spring Authorization Server does; empty
    accepts any."""
    requires_signed_requests: bool = False
    """Whether only signed authorization requests are accepted (RFC 9101 §10.5)."""
    authorization_details_types: Sequence[str] = ()
    """The types of `authorization_details` that it supports (RFC 9396 §10); others are refused."""
    granted_details: GrantDetails | None = None
    """Returns what is granted of the `authorization_details` that a client asks for, such as less of it, or more in
    detail; `None` grants them as they are."""
    requires_dpop: bool = False
    """Whether the token endpoint accepts only calls with a DPoP proof; without it, a proof is optional (RFC 9449)."""
    dpop_nonces: DPoPNonces = "never"
    """Whether proofs need a nonce of the provider: `always` tells it in each answer and changes it in intervals,
    `every_answer` has a new one in each answer, which works once, and `errors_only` tells it only to a call without."""
    dpop_nonce_lifetime: int = 300
    """Seconds until the nonce of `always` and `errors_only` changes."""

    def requirements_metadata(self) -> dict[str, Any]:
        """Return what the metadata says about requirements that are not usual."""
        required = {
            "require_pushed_authorization_requests": self.requires_par,
            "require_signed_request_object": self.requires_signed_requests,
        }
        types = list(self.authorization_details_types)
        members: dict[str, Any] = {"authorization_details_types_supported": types} if types else {}
        return members | {name: True for name, is_required in required.items() if is_required}

    def grant_details(self, asked: str | None) -> tuple[Detail, ...]:
        """Return what is granted of the `authorization_details` that a client asks for.

        Args:
            asked: The parameter, as it was sent.

        Raises:
            DetailsRefused: It is wrong.
        """
        details = read_details(asked, self.authorization_details_types)
        return details if self.granted_details is None or not details else tuple(self.granted_details(details))

    def why_no_details(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the error and its description for the details of an authorization request; None if they are fine."""
        try:
            read_details(params.get("authorization_details"), self.authorization_details_types)
        except DetailsRefused as refused:
            return (refused.error, str(refused))
        return None

    def why_unfit(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the error and its description for the way in which the browser brings a request; None if it is fine.

        Args:
            params: Those of the URL, not of a pushed request or a request object.
        """
        if "request_uri" in params:  # checked when it was pushed
            return None
        return ("invalid_request", "the request must be pushed") if self.requires_par else self.why_unsigned(params)

    def why_unsigned(self, params: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the error and its description if these parameters should be signed, but are not; else None."""
        if self.requires_signed_requests and "request" not in params:
            return ("invalid_request", "the request must be signed: send a request object")
        return None

    def request_object_params(self, token: str, client: Client) -> Params:
        """Return the parameters in a request object of a client.

        Raises:
            RequestObjectRefused: The object is wrong.
        """
        algs = self.metadata.get("request_object_signing_alg_values_supported", ())
        return read_request_object(token, client, RequestObjectRules(self.issuer, self.now(), algs))

    def client_by_assertion(self, call: Call) -> Client | None:
        """Return the client that authenticates by a client assertion; for `None`, `client_refusals` has the reason."""
        client = self.client_with_keys(client_id_in(call))
        audience, algs = self.assertion_audience(call), self.assertion_algs()
        used, typs = self.memory.assertion_ids, self.client_assertion_typs
        rules = AssertionRules(self.issuer, self.now(), algs, used, audience, typs)
        problem = why_assertion_refused(call, client, rules)
        if problem:
            self.client_refusals.append(problem)
            return None
        return client

    def assertion_algs(self) -> Sequence[str]:
        """Return the algorithms of client assertions that it accepts: those that its metadata lists."""
        return tuple(self.metadata.get("token_endpoint_auth_signing_alg_values_supported", ()))

    def assertion_audience(self, _call: Call) -> str:
        """Return what a client assertion must have as `aud`: the issuer."""
        return self.issuer

    def proof_of(self, call: Call, server: NonceServer, *, access_token: str | None = None) -> Proof | None:
        """Return the DPoP proof of a call; None without one where none is needed.

        Raises:
            ProofRefused: The proof is missing, wrong, used before, or without a valid nonce.
        """
        algs = self.metadata.get("dpop_signing_alg_values_supported")
        if algs is None:  # a provider that does not know DPoP ignores the header
            return None
        proofs = call.headers.get_list("dpop")
        if not proofs and access_token is None:
            if self.requires_dpop and call.path.endswith("/token"):
                raise ProofRefused("a DPoP proof is required")
            return None
        url = f"{self.issuer.partition(':')[0]}://{call.host}{call.path}"
        proof = read_proof(proofs, ProvenCall(call.method, url, self.now(), algs, access_token))
        if proof.jti in self.memory.proof_ids:
            raise ProofRefused("the jti was used before")
        self.memory.proof_ids.add(proof.jti)
        if not self.memory.nonces[server].accepts(self.dpop_nonces, proof.nonce, self._nonce_interval):
            raise NonceRequired("the proof needs the nonce of this server")
        return proof

    def new_nonce(self, server: NonceServer) -> str:
        """Return the nonce that proofs for this server need from now on."""
        return self.memory.nonces[server].issue(self.dpop_nonces, self._nonce_interval)

    @property
    def _nonce_interval(self) -> int:
        return self.now() // self.dpop_nonce_lifetime

    async def fetch_client_keys(self, call: Call) -> None:
        """Fetch the `jwks_uri` of the client that signs this call, or gets encrypted answers.

        This happens each time anew, so that a rotation shows at once.
        """
        client = self.clients.get(self.client_id_of(call))
        if client is None or client.jwks_uri is None or self.client_keys_client is None:
            return
        is_signed = has_assertion(call) or "request" in call.form or "request" in call.params
        if not is_signed and not encrypts_for(client):
            return
        try:
            answer = await self.client_keys_client.get(client.jwks_uri)
            self.memory.client_keys[client.client_id] = keys_in(answer.raise_for_status().json())
        except Exception:  # an app in process may raise anything; the call is then refused for want of a key
            log.warning("no keys of the client %s", client.client_id, exc_info=True)
            self.memory.client_keys.pop(client.client_id, None)

    def client_id_of(self, call: Call) -> str:
        """Return the client that a call names, or that its access token was issued to."""
        named = client_id_in(call) or call.params.get("client_id") or read_client_credentials(call)[1]
        token = self.memory.access_tokens.get(call.headers.get("authorization", "").partition(" ")[2])
        return named or (token.grant.client_id if token else "")
