"""Reads and checks the provider's metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2)."""

from collections.abc import Mapping

import msgspec

from asgi_oidc.errors import AnswerRejected, describe_value
from asgi_oidc.protocol.back_channel import PUBLIC, BackChannel
from asgi_oidc.protocol.messages import Answer, Call, read_json_answer

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "pushed_authorization_request_endpoint",
)
REQUIRED = ENDPOINTS[:3]
# Bytes of the members that we keep, as JSON; real ones have about 2,000. There may be thousands of tenants, whose
# providers may be their own, and small values in long lists take many times as much memory as in JSON.
MAX_LENGTH = 16_384
FRONT_CHANNEL = ("authorization_endpoint", "end_session_endpoint")  # browsers are sent there; the others we call
ALIASES = "mtls_endpoint_aliases"
# Endpoints that may have an alias for clients with a certificate; the provider's keys are public (RFC 8705 §5).
ALIASED = tuple(name for name in ENDPOINTS if name not in (*FRONT_CHANNEL, "jwks_uri"))


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What we need to know of every authorization server, with or without OpenID Connect (RFC 8414 §2).

    Every endpoint is an absolute https URL (http on loopback); those that this app calls are as in `BackChannel`.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    token_endpoint_auth_signing_alg_values_supported: object = None
    revocation_endpoint_auth_methods_supported: list[str] | None = None
    revocation_endpoint_auth_signing_alg_values_supported: object = None
    authorization_response_iss_parameter_supported: bool | None = None

    @property
    def auth_methods(self) -> list[str]:
        """The client authentication methods of the token endpoint; the default is `client_secret_basic`."""
        return self.token_endpoint_auth_methods_supported or ["client_secret_basic"]

    def auth_methods_of(self, endpoint: str) -> list[str]:
        """Return the client authentication methods of an endpoint such as `revocation`."""
        return getattr(self, f"{endpoint}_endpoint_auth_methods_supported", None) or self.auth_methods

    def auth_algorithms_of(self, endpoint: str) -> list[str]:
        """Return the algorithms of assertions at an endpoint such as `revocation`; empty if none are listed."""
        own = getattr(self, f"{endpoint}_endpoint_auth_signing_alg_values_supported", None)
        listed = own or self.token_endpoint_auth_signing_alg_values_supported
        # One of another type is ignored, so that it does not make the metadata unusable.
        return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


class ProviderMetadata(ServerMetadata, frozen=True, kw_only=True):
    """The members of an OpenID provider's metadata that we use; all others are ignored."""

    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    introspection_endpoint: str | None = None
    introspection_endpoint_auth_methods_supported: list[str] | None = None
    introspection_endpoint_auth_signing_alg_values_supported: object = None
    id_token_signing_alg_values_supported: list[str] | None = None
    prompt_values_supported: object = None
    # Values of any type are accepted here, so that a wrong one does not make the metadata unusable;
    # `protocol/provider_compatibility.py` reads them.
    require_pushed_authorization_requests: object = None
    require_signed_request_object: object = None
    request_parameter_supported: object = None
    request_object_signing_alg_values_supported: object = None
    authorization_details_types_supported: object = None
    response_types_supported: object = None
    response_modes_supported: object = None
    grant_types_supported: object = None
    code_challenge_methods_supported: object = None
    introspection_signing_alg_values_supported: object = None
    dpop_signing_alg_values_supported: object = None
    authorization_signing_alg_values_supported: object = None
    authorization_encryption_alg_values_supported: object = None
    authorization_encryption_enc_values_supported: object = None
    id_token_encryption_alg_values_supported: object = None
    id_token_encryption_enc_values_supported: object = None
    userinfo_signing_alg_values_supported: object = None
    userinfo_encryption_alg_values_supported: object = None
    userinfo_encryption_enc_values_supported: object = None
    introspection_encryption_alg_values_supported: object = None
    introspection_encryption_enc_values_supported: object = None
    tls_client_certificate_bound_access_tokens: object = None


MEMBERS = frozenset(ProviderMetadata.__struct_fields__)


def metadata_call(issuer: str, *, url: str | None = None, back_channel: BackChannel = PUBLIC) -> Call:
    """Return the call that fetches the metadata; a trailing `/` of the issuer is removed first (Discovery §4).

    Args:
        url: where the metadata is, if not below the issuer, as with Entra's tenant-independent metadata or Azure B2C.
    """
    below_issuer = issuer.removesuffix("/") + "/.well-known/openid-configuration"
    return Call("GET", back_channel.url(url or below_issuer, issuer=issuer), {"accept": "application/json"})


def read_metadata_answer(
    answer: Answer,
    *,
    issuer: str,
    configured: Mapping[str, object],
    back_channel: BackChannel = PUBLIC,
    url: str = "",
    uses_aliases: bool = False,
) -> ProviderMetadata:
    """Read the answer to `metadata_call`.

    Args:
        url: that of the call, for the log.
        issuer: the configured one. For a provider with an issuer for each tenant, it is the template: the text with the
            placeholder, exactly as the provider publishes it.
        configured: members of the setting `metadata`, which take precedence.
        uses_aliases: as in `make_metadata`.

    Raises:
        ProviderError: no usable JSON, another issuer (Discovery §4.3), or an endpoint that we must not call.
    """
    members = read_json_answer(answer, endpoint="metadata", url=url)
    if members.get("issuer") != issuer:
        fix = "if that is your provider, set issuer (OIDC_ISSUER) to exactly that value"
        raise AnswerRejected(
            "metadata_issuer", f"configured {issuer}, but the provider says {members.get('issuer')}: {fix}"
        )
    merged = {**_without_aliases_of(configured, members), **configured}
    return make_metadata(issuer, merged, back_channel=back_channel, uses_aliases=uses_aliases)


def make_metadata(
    issuer: str, members: Mapping[str, object], *, back_channel: BackChannel = PUBLIC, uses_aliases: bool = False
) -> ProviderMetadata:
    """Make metadata from its members, and check each of them.

    Args:
        uses_aliases: whether the client presents a certificate: endpoints that have an alias for such clients are
            called there (RFC 8705 §5). A wrong alias is an error: the endpoint itself would see no certificate.

    Raises:
        AnswerRejected: a member is missing or of the wrong type, or an endpoint is one that we must not call.
    """
    aliases = _read_aliases(members) if uses_aliases else {}
    try:
        metadata = msgspec.convert({**members, **aliases, "issuer": issuer}, ProviderMetadata)
    except msgspec.ValidationError as exc:
        raise AnswerRejected("metadata_invalid", str(exc)) from exc
    if len(msgspec.json.encode(metadata)) > MAX_LENGTH:
        raise AnswerRejected("metadata_invalid", f"expected at most {MAX_LENGTH} bytes in the members that are used")
    urls = {name: url for name in ENDPOINTS if (url := getattr(metadata, name)) is not None}
    called = {
        name: _checked(name, url, issuer=issuer, back_channel=back_channel, is_alias=name in aliases)
        for name, url in urls.items()
    }
    return msgspec.structs.replace(metadata, **called)


def _without_aliases_of(configured: Mapping[str, object], members: Mapping[str, object]) -> Mapping[str, object]:
    """Leave out the aliases of endpoints that the setting `metadata` replaces: they would replace those again."""
    listed = members.get(ALIASES)
    if not isinstance(listed, Mapping):
        return members
    return {**members, ALIASES: {name: url for name, url in listed.items() if name not in configured}}


def _read_aliases(members: Mapping[str, object]) -> dict[str, str]:
    """Return the aliases of endpoints that we call; others are ignored."""
    if ALIASES not in members:
        return {}
    listed = members[ALIASES]
    if not isinstance(listed, Mapping):
        raise AnswerRejected("metadata_invalid", f"{ALIASES}: expected an object, got {describe_value(listed)}")
    aliases = {name: listed[name] for name in ALIASED if name in listed}
    for name, url in aliases.items():
        if not isinstance(url, str):
            raise AnswerRejected("metadata_invalid", f"{ALIASES}.{name}: expected a URL, got {describe_value(url)}")
    return aliases


def texts_of(member: object) -> list[str]:
    """Return a member that should be a list of text; an empty list if it is anything else, or missing."""
    is_list_of_texts = isinstance(member, list) and all(isinstance(item, str) for item in member)
    return member if is_list_of_texts else []  # type: ignore[return-value]  # checked on the line above


def _checked(name: str, url: str, *, issuer: str, back_channel: BackChannel, is_alias: bool) -> str:
    """Return the URL of an endpoint, as browsers or we use it."""
    try:
        if name in FRONT_CHANNEL:
            return back_channel.front_channel_url(url, issuer=issuer)
        return back_channel.url(url, issuer=issuer)
    except ValueError as exc:
        member = f"{ALIASES}.{name}" if is_alias else name
        raise AnswerRejected("metadata_endpoint", f"{member}: {exc}") from exc
