"""Finds in the provider's metadata what makes every login impossible, so that it is reported before a user signs in.

A member that is missing or of an unexpected type is ignored. If the metadata is wrong, the setting `metadata` overrides
single members.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.authorization_details import Required, types_of
from asgi_oidc.protocol.client_auth import choose_algorithm, choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import ALGORITHM
from asgi_oidc.protocol.jarm import SIGNED_MODES
from asgi_oidc.protocol.metadata import ProviderMetadata, texts_of
from asgi_oidc.protocol.profile_compatibility import missing_in_metadata
from asgi_oidc.protocol.request_object import choose_request_key
from asgi_oidc.protocol.response_algorithms import PinnedAlgorithms
from asgi_oidc.protocol.security_profile import SecurityProfile

MAX_LISTED = 10  # values of a metadata member, in an error text

# What a profile demands as well; its own text names another fix.
_COVERED_BY_PROFILE = ("par_unsupported", "pkce_s256_unsupported", "algorithms_unsupported", "dpop_unsupported")


@dataclass(frozen=True, slots=True)
class LoginPlan:
    """What logins with the current settings need from the provider.

    Attributes:
        response_mode: the requested one; None for the default.
        algorithms: the accepted signature algorithms; None if the setting `algorithms` overrides the metadata.
        uses_pkce: as in `authorization_parameters`.
        par: when the request is pushed: `auto`, `always` or `never`.
        request_object: whether the request is signed, even if the provider does not require it.
        request_object_signing_alg: the algorithm; None to choose from metadata.
        dpop: the setting.
        authorization_details: what a login asks the user to authorize.
        pinned: the algorithms that the client has registered for.
        profile: what the provider has to support besides; None for nothing.
    """

    client: Client
    response_mode: str | None = None
    algorithms: Collection[str] | None = None
    uses_pkce: bool = True
    par: str = "auto"
    request_object: bool = False
    request_object_signing_alg: str | None = None
    dpop: str = "never"
    authorization_details: Required = ()
    pinned: PinnedAlgorithms = field(default_factory=PinnedAlgorithms)
    profile: SecurityProfile | None = None

    def is_pushed(self, metadata: ProviderMetadata) -> bool:
        """Return whether the authorization request is pushed to the provider first (RFC 9126)."""
        is_required = metadata.require_pushed_authorization_requests is True  # §5
        return self.par == "always" or (self.par == "auto" and is_required)

    def is_signed(self, metadata: ProviderMetadata) -> bool:
        """Return whether the authorization request is signed (RFC 9101)."""
        return self.request_object or metadata.require_signed_request_object is True  # §10.5


class Incompatibility(NamedTuple):
    """Why no login can succeed: a stable code, and a text that names the member, what asgi-oidc does, and the fix."""

    code: str
    text: str


def find_incompatibilities(metadata: ProviderMetadata, plan: LoginPlan) -> list[Incompatibility]:
    """Return everything that makes every login impossible; what only might do so is left out."""
    obstacles = [
        _par(metadata, plan),
        _request_object(metadata, plan),
        _client_auth(metadata, plan.client),
        _lacks(metadata, "response_types_supported", "code", "response_type_unsupported"),
        _lacks(metadata, "grant_types_supported", "authorization_code", "grant_type_unsupported"),
        # The provider refuses a challenge whose method it does not support (RFC 7636 §4.4.1).
        _lacks(metadata, "code_challenge_methods_supported", "S256", "pkce_s256_unsupported")
        if plan.uses_pkce
        else None,
        _response_mode(metadata, plan.response_mode),
        None if plan.pinned.id_token.signed else _algorithms(metadata, "id_token", plan.algorithms),
        _algorithms(metadata, "authorization", plan.algorithms)
        if plan.response_mode in SIGNED_MODES and plan.pinned.authorization.signed is None
        else None,
        *(_pinned(metadata, setting, member, value) for setting, member, value in plan.pinned.named()),
        _dpop(metadata, plan.dpop),
        _authorization_details(metadata, plan.authorization_details),
    ]
    found = [obstacle for obstacle in obstacles if obstacle is not None]
    return found if plan.profile is None else _with_profile(found, metadata, plan, plan.profile)


def _with_profile(
    found: list[Incompatibility], metadata: ProviderMetadata, plan: LoginPlan, profile: SecurityProfile
) -> list[Incompatibility]:
    missing = missing_in_metadata(
        metadata, profile, plan.client, response_mode=plan.response_mode, uses_dpop=plan.dpop == "always"
    )
    if not missing:
        return found
    text = f"{profile} needs more of the provider: {'; '.join(missing)}: enable it there"
    others = [obstacle for obstacle in found if obstacle.code not in _COVERED_BY_PROFILE]
    return [Incompatibility("profile_unsupported", text), *others]


def _par(metadata: ProviderMetadata, plan: LoginPlan) -> Incompatibility | None:
    is_required, endpoint = (
        metadata.require_pushed_authorization_requests is True,
        "pushed_authorization_request_endpoint",
    )
    if plan.par == "never" and is_required:
        text = "require_pushed_authorization_requests is true, but par is never: set par (OIDC_PAR) to auto"
        return Incompatibility("par_required", text)
    if not plan.is_pushed(metadata) or metadata.pushed_authorization_request_endpoint is not None:
        return None
    why = "require_pushed_authorization_requests is true" if is_required else "par is always"
    text = f"{why}, but there is no {endpoint}: set it in metadata, or enable it at the provider"
    return Incompatibility("par_unsupported", text if is_required else f"{text}, or set par (OIDC_PAR) to auto")


def _request_object(metadata: ProviderMetadata, plan: LoginPlan) -> Incompatibility | None:
    if not plan.is_signed(metadata):
        return None
    if not plan.client.keys:
        text = "require_signed_request_object is true, but no key signs: set client_key (OIDC_CLIENT_KEY)"
        return Incompatibility("request_object_required", text)
    if metadata.request_parameter_supported is False and not plan.is_pushed(metadata):
        text = "request_parameter_supported is false, but the request is signed: set par (OIDC_PAR) to always"
        return Incompatibility("request_object_unsupported", text)
    try:
        choose_request_key(metadata, plan.client, plan.request_object_signing_alg)
    except AnswerRejected as error:
        text = f"request_object_signing_alg_values_supported: {error.detail}: add one of these at the provider"
        return Incompatibility(error.code, text)
    return None


def _client_auth(metadata: ProviderMetadata, client: Client) -> Incompatibility | None:
    try:
        method = choose_method(client, metadata.auth_methods)
    except AnswerRejected as error:
        fix = "enable that method for the client at the provider, or set the credentials of one that it supports"
        return Incompatibility(error.code, f"token_endpoint_auth_methods_supported: {error.detail}; {fix}")
    try:
        choose_algorithm(client, method, metadata.auth_algorithms_of("token"))
    except AnswerRejected as error:
        fix = "set a key that signs with one that the provider accepts"
        return Incompatibility(error.code, f"token_endpoint_auth_signing_alg_values_supported: {error.detail}; {fix}")
    return None


def _lacks(metadata: ProviderMetadata, member: str, value: str, code: str) -> Incompatibility | None:
    supported = texts_of(getattr(metadata, member))
    if not supported or value in supported:
        return None
    return Incompatibility(
        code, f"{member} is {_listed(supported)}, but asgi-oidc needs {value}: enable it at the provider"
    )


def _response_mode(metadata: ProviderMetadata, requested: str | None) -> Incompatibility | None:
    supported = texts_of(metadata.response_modes_supported)
    if requested is None or not supported or requested in supported:
        return None
    text = f"response_modes_supported is {_listed(supported)}, but authorization_params has {requested}: leave it out"
    return Incompatibility("response_mode_unsupported", text)


def _algorithms(metadata: ProviderMetadata, kind: str, accepted: Collection[str] | None) -> Incompatibility | None:
    member = f"{kind}_signing_alg_values_supported"
    supported = texts_of(getattr(metadata, member))
    if accepted is None or not supported or set(accepted) & set(supported):
        return None
    text = (
        f"the provider signs with {_listed(supported)}, but algorithms accepts {', '.join(accepted)}: change either one"
    )
    return Incompatibility("algorithms_unsupported", f"{member}: {text}")


def _pinned(metadata: ProviderMetadata, setting: str, member: str, value: str) -> Incompatibility | None:
    supported = texts_of(getattr(metadata, member))
    if not supported or value in supported:
        return None
    text = f"{member} is {_listed(supported)}, but {setting} is {value}: change either one"
    return Incompatibility("algorithms_unsupported", text)


def supports_dpop(metadata: ProviderMetadata) -> bool:
    """Whether the metadata says that the provider binds tokens by DPoP, and accepts our proofs (RFC 9449 §5.1)."""
    return ALGORITHM in texts_of(metadata.dpop_signing_alg_values_supported)


def _dpop(metadata: ProviderMetadata, setting: str) -> Incompatibility | None:
    supported = texts_of(metadata.dpop_signing_alg_values_supported)
    if setting != "always" or not supported or ALGORITHM in supported:
        return None
    text = f"dpop_signing_alg_values_supported is {_listed(supported)}, but asgi-oidc signs proofs with {ALGORITHM}"
    return Incompatibility("dpop_unsupported", f"{text}: enable it at the provider, or set dpop (OIDC_DPOP) to never")


def _authorization_details(metadata: ProviderMetadata, required: Required) -> Incompatibility | None:
    supported = texts_of(metadata.authorization_details_types_supported)
    unknown = [name for name in types_of(required) if name not in supported] if supported else []
    if not unknown:
        return None
    text = (
        f"authorization_details_types_supported is {_listed(supported)}, but authorization_details have the type "
        f"{_listed(unknown)}: correct it, or enable it at the provider"
    )
    return Incompatibility("authorization_details_unsupported", text)


def _listed(values: Collection[str]) -> str:
    listed = list(values)
    return ", ".join(listed[:MAX_LISTED]) + (", ..." if len(listed) > MAX_LISTED else "")
