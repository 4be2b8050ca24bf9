"""What in the provider's metadata makes every login impossible: reported before anybody types a password.

A member that is missing or of an odd type rules nothing out. The setting `metadata` overrides members that are wrong.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import choose_method
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import ProviderMetadata

MAX_LISTED = 10  # of the values that a provider names

AT_THE_PROVIDER = "turn this requirement off for this client at the provider"


@dataclass(frozen=True, slots=True)
class LoginPlan:
    """How a login is done.

    Attributes:
        response_mode: as asked for, None for the default.
        algorithms: that a signature may have; None if the developer named them, which overrides the metadata.
    """

    client: Client
    response_mode: str | None = None
    algorithms: Collection[str] | None = None


class Incompatibility(NamedTuple):
    """Why no login can succeed: a stable code, and a text that names the member, what asgi-oidc does, and the fix."""

    code: str
    text: str


def find_incompatibilities(metadata: ProviderMetadata, plan: LoginPlan) -> list[Incompatibility]:
    """Return everything that makes every login impossible; nothing that only might."""
    obstacles = [
        _required(metadata),
        _client_auth(metadata, plan.client),
        _lacks(metadata, "response_types_supported", "code", "response_type_unsupported"),
        _lacks(metadata, "grant_types_supported", "authorization_code", "grant_type_unsupported"),
        # The provider has to refuse a challenge of another method (RFC 7636 §4.4.1).
        _lacks(metadata, "code_challenge_methods_supported", "S256", "pkce_s256_unsupported"),
        _response_mode(metadata, plan.response_mode),
        _algorithms(metadata, plan.algorithms),
    ]
    return [obstacle for obstacle in obstacles if obstacle is not None]


def _required(metadata: ProviderMetadata) -> Incompatibility | None:
    if metadata.require_pushed_authorization_requests is True:  # RFC 9126 §5
        text = f"require_pushed_authorization_requests is true, but asgi-oidc does not support PAR: {AT_THE_PROVIDER}"
        return Incompatibility("par_required", text)
    if metadata.require_signed_request_object is True:  # RFC 9101 §10.5
        text = f"require_signed_request_object is true, but asgi-oidc does not sign requests: {AT_THE_PROVIDER}"
        return Incompatibility("request_object_required", text)
    return None


def _client_auth(metadata: ProviderMetadata, client: Client) -> Incompatibility | None:
    try:
        choose_method(client, metadata.auth_methods)
    except AnswerRejected as error:
        text = f"token_endpoint_auth_methods_supported: {error.detail}; enable one of these at the provider"
        return Incompatibility(error.code, text)
    return None


def _lacks(metadata: ProviderMetadata, member: str, value: str, code: str) -> Incompatibility | None:
    theirs = _texts(getattr(metadata, member))
    if not theirs or value in theirs:
        return None
    return Incompatibility(
        code, f"{member} is {_listed(theirs)}, but asgi-oidc needs {value}: enable it at the provider"
    )


def _response_mode(metadata: ProviderMetadata, asked: str | None) -> Incompatibility | None:
    theirs = _texts(metadata.response_modes_supported)
    if asked is None or not theirs or asked in theirs:
        return None
    text = f"response_modes_supported is {_listed(theirs)}, but authorization_params asks for {asked}: leave it out"
    return Incompatibility("response_mode_unsupported", text)


def _algorithms(metadata: ProviderMetadata, ours: Collection[str] | None) -> Incompatibility | None:
    theirs = metadata.id_token_signing_alg_values_supported
    if ours is None or not theirs or set(ours) & set(theirs):
        return None
    text = f"the provider signs with {_listed(theirs)}, but algorithms accepts {', '.join(ours)}: change either one"
    return Incompatibility("algorithms_unsupported", f"id_token_signing_alg_values_supported: {text}")


def _texts(value: object) -> list[str]:
    is_list_of_texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return value if is_list_of_texts else []  # type: ignore[return-value]  # it was looked at


def _listed(values: Collection[str]) -> str:
    listed = list(values)
    return ", ".join(listed[:MAX_LISTED]) + (", ..." if len(listed) > MAX_LISTED else "")
