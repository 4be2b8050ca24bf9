"""What a provider says of itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2)."""

from collections.abc import Mapping

import msgspec

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.messages import Answer, Call, read_json_answer
from asgi_oidc.safe_urls import check_url

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
    "revocation_endpoint",
)
REQUIRED = ENDPOINTS[:3]


class ProviderMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The members that we use; all others are ignored.

    Every endpoint is an absolute https URL (http on loopback).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    revocation_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    revocation_endpoint_auth_methods_supported: list[str] | None = None
    id_token_signing_alg_values_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool | None = None
    prompt_values_supported: object = None
    # Whatever these are, they make no metadata unusable; `compatibility` reads them.
    require_pushed_authorization_requests: object = None
    require_signed_request_object: object = None
    response_types_supported: object = None
    response_modes_supported: object = None
    grant_types_supported: object = None
    code_challenge_methods_supported: object = None

    @property
    def auth_methods(self) -> list[str]:
        """The client authentication methods; `client_secret_basic` where nothing is said."""
        return self.token_endpoint_auth_methods_supported or ["client_secret_basic"]


MEMBERS = frozenset(ProviderMetadata.__struct_fields__)


def metadata_call(issuer: str) -> Call:
    """Ask for the metadata; a `/` that ends the issuer is left out first (Discovery §4)."""
    return Call("GET", issuer.removesuffix("/") + "/.well-known/openid-configuration", {"accept": "application/json"})


def read_metadata_answer(answer: Answer, *, issuer: str, by_hand: Mapping[str, object]) -> ProviderMetadata:
    """Read the answer to `metadata_call`; members given by hand win.

    Raises:
        ProviderError: no usable JSON, another issuer (Discovery §4.3), or an endpoint we must not call.
    """
    members = read_json_answer(answer, what="metadata")
    if members.get("issuer") != issuer:
        fix = "if that is your provider, set issuer (OIDC_ISSUER) to it exactly"
        raise AnswerRejected("metadata_issuer", f"expected {issuer}, got {members.get('issuer')}: {fix}")
    return make_metadata(issuer, {**members, **by_hand})


def make_metadata(issuer: str, members: Mapping[str, object]) -> ProviderMetadata:
    """Make metadata from its members, each checked.

    Raises:
        AnswerRejected: a member is missing, of the wrong type, or an endpoint we must not call.
    """
    try:
        metadata = msgspec.convert({**members, "issuer": issuer}, ProviderMetadata)
    except msgspec.ValidationError as exc:
        raise AnswerRejected("metadata_invalid", str(exc)) from exc
    for name in ENDPOINTS:
        _check_endpoint(name, getattr(metadata, name), is_https=issuer.startswith("https:"))
    return metadata


def _check_endpoint(name: str, url: str | None, *, is_https: bool) -> None:
    if url is None:
        return
    try:
        # A provider on the net has no business with services of our own machine.
        if check_url(url).scheme == "http" and is_https:
            raise ValueError("the issuer is https, so it must be https as well")
    except ValueError as exc:
        raise AnswerRejected("metadata_endpoint", f"{name}: {exc}") from exc
